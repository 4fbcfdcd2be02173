//! The kernel's command line: what it says of the root, in the words that systemd-veritysetup-generator(8) gave them.

use anyhow::{bail, ensure, Context, Result};
use base::hex;
use uuid::Uuid;

/// What is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// PARTUUID of the partition with data and hash tree.
    pub(crate) partition: Uuid,
    /// SHA-256 of the tree's root block.
    pub(crate) root_hash: verity::Digest,
    /// Where the superblock is in the partition, in bytes.
    pub(crate) hash_offset: u64,
    /// What the kernel does on a block that is not what was built.
    pub(crate) on_corruption: OnCorruption,
}

/// Ways of the kernel with a bad block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnCorruption {
    /// The one who reads gets an error.
    Error,
    /// The kernel panics.
    Panic,
    /// The machine restarts.
    Restart,
}

impl OnCorruption {
    /// The word of the kernel's table, if it needs one.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Error => None,
            Self::Panic => Some("panic_on_corruption"),
            Self::Restart => Some("restart_on_corruption"),
        }
    }
}

/// Where the root is once it is open; nothing else is started.
const ROOT: &str = "/dev/mapper/root";

impl Settings {
    /// Reads the command line. A word of these that is there twice is refused: whoever runs a machine may add words to a signed line, by strings of
    /// SMBIOS, and they are not to say which root is started.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let root = mandatory(line, "root", ROOT)?;
        ensure!(
            root == ROOT,
            "the kernel's command line: root: got {root:?}, want {ROOT:?}"
        );
        if let Some(kind) = value(line, "rootfstype")? {
            ensure!(
                kind == "ext4",
                "the kernel's command line: rootfstype: got {kind:?}, want \"ext4\""
            );
        }
        let data = mandatory(line, "systemd.verity_root_data", "PARTUUID=…")?;
        let hash = mandatory(line, "systemd.verity_root_hash", "PARTUUID=…")?;
        ensure!(
            data == hash,
            "the kernel's command line: systemd.verity_root_hash: got {hash:?}, want the partition of systemd.verity_root_data, {data:?}"
        );
        let digits = mandatory(line, "roothash", "64 hexadecimal digits")?;
        let root_hash = hex::decode_array(&digits).ok().with_context(|| {
            format!(
                "the kernel's command line: roothash: got {digits:?}, want 64 hexadecimal digits"
            )
        })?;
        let mut settings = Self {
            partition: partition(&data)?,
            root_hash,
            hash_offset: 0,
            on_corruption: OnCorruption::Error,
        };
        let options = value(line, "systemd.verity_root_options")?.unwrap_or_default();
        for option in options.split(',').filter(|option| !option.is_empty()) {
            settings.option(option)?;
        }
        Ok(settings)
    }

    fn option(&mut self, option: &str) -> Result<()> {
        match option.split_once('=') {
            Some(("hash-offset", bytes)) => {
                let number = bytes.parse().ok();
                self.hash_offset = number.with_context(|| {
                    format!("the kernel's command line: systemd.verity_root_options: hash-offset: got {bytes:?}, want a number of bytes")
                })?;
            }
            None if option == "panic-on-corruption" => self.on_corruption = OnCorruption::Panic,
            None if option == "restart-on-corruption" => self.on_corruption = OnCorruption::Restart,
            _ => bail!(
                "the kernel's command line: systemd.verity_root_options: got {option:?}, want hash-offset=BYTES, panic-on-corruption or restart-on-corruption"
            ),
        }
        Ok(())
    }
}

/// The words of a command line; what stands in double quotes is one, as the kernel splits it.
pub(crate) fn words(line: &str) -> impl Iterator<Item = String> + '_ {
    let mut quoted = false;
    line.split(move |letter: char| {
        quoted ^= letter == '"';
        !quoted && letter.is_whitespace()
    })
    .map(|word| word.replace('"', ""))
    .filter(|word| !word.is_empty())
}

fn value(line: &str, key: &str) -> Result<Option<String>> {
    let of_key = |word: String| {
        let (name, value) = word.split_once('=')?;
        (name == key).then(|| value.to_owned())
    };
    let mut values = words(line).filter_map(of_key);
    let value = values.next();
    if let Some(second) = values.next() {
        bail!("the kernel's command line: got {key} twice, the second is {second:?}, want it once");
    }
    Ok(value)
}

fn mandatory(line: &str, key: &str, want: &str) -> Result<String> {
    value(line, key)?
        .with_context(|| format!("the kernel's command line: got no {key}, want {key}={want}"))
}

fn partition(text: &str) -> Result<Uuid> {
    let uuid = text
        .strip_prefix("PARTUUID=")
        .and_then(|id| Uuid::try_parse(id).ok());
    uuid.with_context(|| format!("the kernel's command line: systemd.verity_root_data: got {text:?}, want PARTUUID= and a UUID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "ro rootfstype=ext4 root=/dev/mapper/root \
        roothash=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff \
        systemd.verity_root_options=hash-offset=528482304,panic-on-corruption console=ttyS0,115200n8 panic=10 \
        systemd.verity_root_data=PARTUUID=d2648939-94de-444e-a87a-be350581be7a \
        systemd.verity_root_hash=PARTUUID=d2648939-94de-444e-a87a-be350581be7a boot_alternative=A\n";

    #[test]
    fn a_line_of_an_image_is_understood() {
        let settings = Settings::parse(LINE).unwrap();
        assert_eq!(
            settings.partition.to_string(),
            "d2648939-94de-444e-a87a-be350581be7a"
        );
        assert_eq!(
            hex::encode(&settings.root_hash),
            "00112233445566778899aabbccddeeff".repeat(2)
        );
        assert_eq!(settings.hash_offset, 528_482_304);
        assert_eq!(settings.on_corruption, OnCorruption::Panic);
    }

    #[test]
    fn quotes_hold_together() {
        let all: Vec<_> = words("  x \"a=b c\" d=\"e f\"\n").collect();
        assert_eq!(all, ["x", "a=b c", "d=e f"]);
    }

    /// Words behind a signed line, as systemd's stub adds them.
    #[test]
    fn a_word_that_is_there_twice_is_refused() {
        for word in [
            "root=/dev/mapper/root",
            "rootfstype=ext4",
            "roothash=00",
            "systemd.verity_root_data=PARTUUID=1",
            "systemd.verity_root_options=",
            "systemd.verity_root_hash=x",
        ] {
            let error = Settings::parse(&format!("{} {word}", LINE.trim()))
                .unwrap_err()
                .to_string();
            assert!(error.contains(" twice, the second is "), "{word}: {error}");
        }
        assert!(Settings::parse(&format!("{} EVIL=1 init=/bin/sh", LINE.trim())).is_ok());
    }

    /// What the line says otherwise, and what is said of it.
    #[test]
    fn every_other_line_is_refused() {
        for (from, to, want) in [
            (
                "root=/dev/mapper/root",
                "",
                "got no root, want root=/dev/mapper/root",
            ),
            (
                "root=/dev/mapper/root",
                "root=/dev/vda2",
                "root: got \"/dev/vda2\"",
            ),
            (
                "rootfstype=ext4",
                "rootfstype=btrfs",
                "rootfstype: got \"btrfs\"",
            ),
            ("roothash=0", "roothash=", "roothash: got"),
            ("roothash=", "otherhash=", "got no roothash"),
            (
                "verity_root_data=PARTUUID=",
                "verity_root_data=UUID=",
                "systemd.verity_root_hash: got",
            ),
            (
                "PARTUUID=d2648939",
                "PARTUUID=2648939",
                "want PARTUUID= and a UUID",
            ),
            (
                "verity_root_hash=PARTUUID=d",
                "verity_root_hash=PARTUUID=e",
                "want the partition of systemd.verity_root_data",
            ),
            (
                "hash-offset=528482304",
                "hash-offset=-1",
                "hash-offset: got \"-1\"",
            ),
            (
                "panic-on-corruption",
                "ignore-corruption",
                "got \"ignore-corruption\", want hash-offset=BYTES",
            ),
            (
                "panic-on-corruption",
                "panic-on-corruption=1",
                "got \"panic-on-corruption=1\"",
            ),
        ] {
            assert!(LINE.contains(from), "{from}");
            let error = Settings::parse(&LINE.replace(from, to))
                .unwrap_err()
                .to_string();
            assert!(error.contains(want), "{from} -> {to}: {error}");
        }
    }

    /// The templates that images are made from, filled in, are lines that this reads: nothing on them was forgotten here.
    #[test]
    fn the_images_own_templates_are_understood() {
        for name in ["cmdline.template", "cmdline-slots.template"] {
            let path = format!(
                "{}/ic-os/common/{name}",
                if std::path::Path::new("ic-os").exists() {
                    "."
                } else {
                    "../../.."
                }
            );
            let text = std::fs::read_to_string(path).unwrap();
            let mut line = text
                .replace("{{ROOT_HASH}}", &"ab".repeat(32))
                .replace("{{HASH_OFFSET}}", "4096");
            for key in ["{{partuuid:root}}", "{{partuuid:{{SLOT}}_root}}"] {
                line = line.replace(key, "d2648939-94de-444e-a87a-be350581be7a");
            }
            let settings = Settings::parse(&line).unwrap();
            assert_eq!(
                (settings.hash_offset, settings.on_corruption),
                (4096, OnCorruption::Panic),
                "{name}"
            );
        }
    }
}
