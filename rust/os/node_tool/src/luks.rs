//! A partition that is encrypted as a whole: LUKS2, by cryptsetup, with the key of the configuration (`data.key`), which the configuration keeps or the
//! TPM ([`crate::tpm`]).
//!
//! What is done follows from what is on the partition and from whether there is a key. Nothing that holds something is ever made anew for a key's sake:
//!
//! | found                         | no key                     | a key                                        | one that the TPM keeps |
//! |-------------------------------|----------------------------|----------------------------------------------|------------------------|
//! | nothing, or what was half made | a plain file system is made | a LUKS2 volume is made, and the file system in it | the same, and the key is sealed; refused without a key on a medium, or without a TPM |
//! | LUKS                          | refused                    | opened; refused if the key is another one    | opened by the TPM; else by the key of a medium, which is then sealed anew; else refused |
//! | a plain file system           | looked after as it is      | refused                                      | refused                |
//! | something else                | broken                     | refused                                      | refused                |
//!
//! The volume's passphrase are the 64 digits of the key. They are random, so they are not stretched: PBKDF2 with the fewest rounds, the same work on each
//! machine and hardly any memory. cryptsetup gets them on its standard input; they are in no file but the configuration's, on no command line.
//!
//! The header takes the partition's first 16 MiB, and the volume ends where the partition does: one that became larger is larger when it is opened again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{bail, ensure, Context};
use os_config::cryptsetup::{with_key, NO_SUCH_KEY};
use os_config::partition::Found;
use os_config::{DataKey, KeptKey, Store};
use program::say;

use crate::tpm::{Tpm, Why};
use crate::volume::told;
use crate::System;

/// Locks would lie in /run, where a service may not write; nobody else opens the partition. For each action, closing included.
const NO_LOCKS: &str = "--disable-locks";

/// What is known of the key of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// Nothing is encrypted here.
    None,
    /// Where the configuration is kept is not mounted.
    Unknown(PathBuf),
    /// The configuration has one.
    Given(DataKey),
    /// The TPM keeps it; this is what a medium handed over, if one did.
    Sealed(Option<DataKey>),
}

impl Key {
    /// The one that is kept in `config`, or that a medium brought to the file `handed`.
    pub(crate) fn stored(
        config: &Path,
        handed: Option<&Path>,
        system: &System,
    ) -> anyhow::Result<Self> {
        let folder = system.path(config);
        Ok(match Store::new(&folder).kept_key()? {
            Some(KeptKey::Whole(key)) => Self::Given(key),
            Some(kept) => Self::Sealed(match handed {
                Some(file) => handed_over(&system.path(file), &kept)?,
                None => None,
            }),
            None if system.is_running() && !is_mounted(&folder) => Self::Unknown(folder),
            None => Self::None,
        })
    }
}

/// The key in `file`, which is the one that was `kept`; none if there is no such file.
fn handed_over(file: &Path, kept: &KeptKey) -> anyhow::Result<Option<DataKey>> {
    let bytes = match std::fs::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", file.display()))?,
    };
    let key = DataKey::parse(file, &bytes)?;
    ensure!(
        kept.is(&key),
        "{}: it is another key than the one whose sum the configuration has",
        file.display()
    );
    Ok(Some(key))
}

/// Whether a file system of its own is mounted at `folder`.
fn is_mounted(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
    let above = folder.parent().and_then(device);
    // What is not there is not mounted.
    device(folder).is_some_and(|device| Some(device) != above)
}

/// How to go on with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// It is not encrypted.
    Plain,
    /// A volume is made first, and its key maybe sealed.
    Make { key: &'a DataKey, sealed: bool },
    /// There is one.
    Open(&'a DataKey),
    /// There is one, and the TPM has a key of it. If it does not give that, there may be another.
    Unseal(Option<&'a DataKey>),
}

/// Why a partition stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("whether it is to be encrypted is not known, for {} is not mounted: it is not made", .0.display())]
    Unknown(PathBuf),
    #[error("it is encrypted (LUKS), and the configuration has no data.key: put the key on the CONFIG medium, or into the store")]
    NoKey,
    #[error("it holds a file system that is not encrypted, and the configuration has a data.key: take that (data.key, or data.key.sha256) out of the store, or save what the file system holds and zero its first 160 MiB")]
    NotEncrypted,
    #[error("it holds something that is neither empty nor LUKS, and the configuration has a data.key: zero all of it if that can be given up")]
    Foreign,
    #[error("it is encrypted (LUKS) with another key than the data.key of the configuration: put the right one into the store")]
    OtherKey,
    #[error("it is new, its key is to be sealed to the TPM, and no data.key came: start with the CONFIG medium that has it, for it is not stored")]
    WantsKey,
    #[error("it is new, and its key can't be sealed to the TPM: {0}: mend that, or have a CONFIG medium say data_encryption=key; nothing was made")]
    CannotSeal(Why),
    #[error("the TPM does not open it: {0}: start with the CONFIG medium that has data.key, which opens it and is sealed anew")]
    Closed(Why),
    #[error(
        "the TPM does not open it: {0}; and the data.key of the medium is not a key of it either"
    )]
    NeitherOpens(Why),
}

/// What is to be done with what was found.
pub(crate) fn step<'a>(found: &Found, is_luks: bool, key: &'a Key) -> Result<Step<'a>, Refusal> {
    match (found, key) {
        // A mark stays where it is until there is something to lose.
        (Found::HalfMade | Found::Nothing, Key::None) => Ok(Step::Plain),
        (Found::HalfMade | Found::Nothing, Key::Unknown(folder)) => {
            Err(Refusal::Unknown(folder.clone()))
        }
        (Found::HalfMade | Found::Nothing, Key::Given(key)) => {
            Ok(Step::Make { key, sealed: false })
        }
        (Found::HalfMade | Found::Nothing, Key::Sealed(Some(key))) => {
            Ok(Step::Make { key, sealed: true })
        }
        (Found::HalfMade | Found::Nothing, Key::Sealed(None)) => Err(Refusal::WantsKey),
        (_, Key::Given(key)) if is_luks => Ok(Step::Open(key)),
        (_, Key::Sealed(key)) if is_luks => Ok(Step::Unseal(key.as_ref())),
        (_, _) if is_luks => Err(Refusal::NoKey),
        (_, Key::None | Key::Unknown(_)) => Ok(Step::Plain),
        (Found::Ext4, Key::Given(_) | Key::Sealed(_)) => Err(Refusal::NotEncrypted),
        (Found::Other, Key::Given(_) | Key::Sealed(_)) => Err(Refusal::Foreign),
    }
}

/// Makes a volume; what the partition held is gone.
pub(crate) fn format(partition: &Path, label: &str, key: &DataKey) -> anyhow::Result<()> {
    let fewest = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
    let output = cryptsetup("luksFormat", key, |command| {
        command
            .args(["--type", "luks2", "--label", label])
            .args(["--cipher", "aes-xts-plain64", "--key-size", "512"])
            .args(fewest)
            .arg(partition);
    })?;
    ensure!(
        output.status.success(),
        "cryptsetup luksFormat: {}",
        told(&output)
    );
    Ok(())
}

/// Opens a volume as /dev/mapper/NAME, and says where that is.
pub(crate) fn open(
    partition: &Path,
    name: &str,
    key: &DataKey,
    system: &System,
) -> anyhow::Result<PathBuf> {
    if !is_key(partition, key)? {
        return Err(Refusal::OtherKey.into());
    }
    map(partition, name, system, || {
        cryptsetup("open", key, |command| {
            command.args(["--type", "luks2"]).arg(partition).arg(name);
        })
    })
}

/// Opens a volume whose key the TPM keeps, by the key that was `handed` over if the TPM does not; that is then sealed anew.
pub(crate) fn unseal(
    partition: &Path,
    name: &str,
    handed: Option<&DataKey>,
    tpm: &Tpm<'_>,
    system: &System,
) -> anyhow::Result<PathBuf> {
    let why = match tpm.open(partition, name)? {
        Ok(mapped) => return Ok(mapped),
        Err(why) => why,
    };
    let Some(key) = handed else {
        return Err(Refusal::Closed(why).into());
    };
    if !is_key(partition, key)? {
        return Err(Refusal::NeitherOpens(why).into());
    }
    say(&format!(
        "partition {name}: the TPM does not open it: {why}; the data.key of the medium does"
    ))?;
    let mapped = open(partition, name, key, system)?;
    // What is there can be had in this start, whatever comes of the next.
    match tpm.seal(partition, key) {
        Ok(done) => say(&format!("partition {name}: {done}"))?,
        Err(error) => say(&format!(
            "PARTITION {name} IS OPEN, BUT ITS KEY IS NOT SEALED: {error:#}: the next start needs the medium again"
        ))?,
    }
    Ok(mapped)
}

/// Whether `key` is one of the volume.
fn is_key(partition: &Path, key: &DataKey) -> anyhow::Result<bool> {
    let tried = cryptsetup("open", key, |command| {
        command
            .args(["--type", "luks2", "--test-passphrase"])
            .arg(partition);
    })?;
    match tried.status.code() {
        Some(0) => Ok(true),
        Some(NO_SUCH_KEY) => Ok(false),
        _ => bail!("cryptsetup open: {}", told(&tried)),
    }
}

/// Has `open` make /dev/mapper/NAME of a volume, and says where that is.
pub(crate) fn map(
    partition: &Path,
    name: &str,
    system: &System,
    open: impl FnOnce() -> anyhow::Result<Output>,
) -> anyhow::Result<PathBuf> {
    let mapped = system.path("/dev/mapper").join(name);
    if mapped.exists() {
        // Of a run before, whose partition may have been smaller. One that is in use stays, and is told.
        let output = run("close", |command| {
            command.arg(name);
        })?;
        ensure!(
            output.status.success(),
            "{} is there already, and cryptsetup does not close it: {}",
            mapped.display(),
            told(&output)
        );
    }
    let output = open()?;
    ensure!(
        output.status.success(),
        "cryptsetup open: {}",
        told(&output)
    );
    ensure!(
        mapped.exists(),
        "cryptsetup opened {}, and {} is not there",
        partition.display(),
        mapped.display()
    );
    Ok(mapped)
}

/// Runs cryptsetup with the key on its standard input.
fn cryptsetup(
    action: &str,
    key: &DataKey,
    arguments: impl FnOnce(&mut Command),
) -> anyhow::Result<Output> {
    let size = key.digits().len().to_string();
    let mut command = Command::new("cryptsetup");
    command
        .args([action, "--batch-mode", "--key-file", "-"])
        .args(["--keyfile-size", &size])
        .arg(NO_LOCKS);
    arguments(&mut command);
    with_key(&mut command, Some(key)).context("cannot run cryptsetup")
}

/// Runs cryptsetup, which gets no key and asks nobody.
pub(crate) fn run(action: &str, arguments: impl FnOnce(&mut Command)) -> anyhow::Result<Output> {
    let mut command = Command::new("cryptsetup");
    command.args([action, "--batch-mode", NO_LOCKS]);
    arguments(&mut command);
    with_key(&mut command, None).context("cannot run cryptsetup")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn what_is_done_with_what_is_found() {
        let key = DataKey::parse(Path::new("k"), DIGITS.as_bytes()).unwrap();
        let given = Key::Given(key.clone());
        let unknown = Key::Unknown("/boot/config".into());
        let not_known = || Err(Refusal::Unknown("/boot/config".into()));
        let (sealed, handed) = (Key::Sealed(None), Key::Sealed(Some(key.clone())));
        let none = Key::None;
        let all = [&none, &unknown, &given, &sealed, &handed];
        let make = |sealed| Ok(Step::Make { key: &key, sealed });
        let made = || {
            let first = [Ok(Step::Plain), not_known(), make(false)];
            (first, [Err(Refusal::WantsKey), make(true)])
        };
        let luks = || {
            let first = [
                Err(Refusal::NoKey),
                Err(Refusal::NoKey),
                Ok(Step::Open(&key)),
            ];
            (
                first,
                [Ok(Step::Unseal(None)), Ok(Step::Unseal(Some(&key)))],
            )
        };
        let refused = |why: Refusal| {
            let first = [Ok(Step::Plain), Ok(Step::Plain), Err(why.clone())];
            (first, [Err(why.clone()), Err(why)])
        };
        for (found, is_luks, (first, second)) in [
            (Found::Nothing, false, made()),
            // Cut off before the header, or behind it: nothing was ever kept there.
            (Found::HalfMade, false, made()),
            (Found::HalfMade, true, made()),
            (Found::Ext4, false, refused(Refusal::NotEncrypted)),
            (Found::Other, false, refused(Refusal::Foreign)),
            (Found::Other, true, luks()),
            // The remains of a file system in front of it don't hide it.
            (Found::Ext4, true, luks()),
        ] {
            for (key, want) in all.into_iter().zip(first.into_iter().chain(second)) {
                assert_eq!(
                    step(&found, is_luks, key),
                    want,
                    "{found:?} {is_luks} {key:?}"
                );
            }
        }
    }

    #[test]
    fn a_key_that_is_handed_over_is_the_one() {
        let dir = tempfile::tempdir().unwrap();
        let system = System {
            root: Some(dir.path().to_path_buf()),
        };
        let key = DataKey::parse(Path::new("k"), DIGITS.as_bytes()).unwrap();
        let (config, file) = (Path::new("/config"), Path::new("/data.key"));
        std::fs::create_dir(dir.path().join("config")).unwrap();
        std::fs::write(
            dir.path().join("config/data.key.sha256"),
            key.sum().to_string(),
        )
        .unwrap();
        let stored = || Key::stored(config, Some(file), &system);
        assert_eq!(stored().unwrap(), Key::Sealed(None));
        std::fs::write(dir.path().join("data.key"), DIGITS).unwrap();
        assert_eq!(stored().unwrap(), Key::Sealed(Some(key)));
        assert_eq!(
            Key::stored(config, None, &system).unwrap(),
            Key::Sealed(None)
        );
        std::fs::write(dir.path().join("data.key"), DIGITS.replace('0', "f")).unwrap();
        let error = stored().unwrap_err().to_string();
        assert!(error.contains("it is another key than the one"), "{error}");
    }

    #[test]
    fn a_store_that_is_not_mounted_is_known() {
        assert!(is_mounted(Path::new("/proc")));
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("config")).unwrap();
        assert!(!is_mounted(&dir.path().join("config")));
        assert!(!is_mounted(&dir.path().join("none")));
        let system = System { root: None };
        let key = |folder: &Path| Key::stored(folder, None, &system).unwrap();
        let folder = dir.path().join("config");
        assert_eq!(key(&folder), Key::Unknown(folder.clone()));
        assert_eq!(key(Path::new("/proc")), Key::None);
        std::fs::write(folder.join("data.key"), DIGITS).unwrap();
        assert!(matches!(key(&folder), Key::Given(_)));
        // With another root nothing is mounted, and nothing need be.
        let system = System {
            root: Some(dir.path().to_path_buf()),
        };
        assert!(matches!(
            Key::stored(Path::new("/config"), None, &system).unwrap(),
            Key::Given(_)
        ));
        assert_eq!(
            Key::stored(Path::new("/x"), None, &system).unwrap(),
            Key::None
        );
        std::fs::write(folder.join("data.key"), "rubbish").unwrap();
        let error = Key::stored(Path::new("/config"), None, &system).unwrap_err();
        assert!(error.to_string().contains("want 64 digits"), "{error}");
    }
}
