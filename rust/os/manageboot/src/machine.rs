//! This machine: the slot it runs from and where its partitions are.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};
use grubenv::{Slot, ALTERNATIVE};
use partitions::Table;
use rustix::fs::OFlags;

use crate::envfile::Content;
use crate::upgrade::SlotMedia;

/// Where a kernel command line names the partition of the root file system: directly, or as data and hash tree of dm-verity
/// (systemd-veritysetup-generator(8)), where `root=` is the mapped device.
const ROOT_KEYS: [&str; 3] = [
    "root",
    "systemd.verity_root_data",
    "systemd.verity_root_hash",
];

/// What the kernel was started with, and the table of partitions.
#[derive(Debug)]
pub(crate) struct Machine {
    booted: Option<Slot>,
    /// Identifiers of the partitions that the running root is read from.
    roots: Vec<String>,
    partitions: PathBuf,
    device_dir: PathBuf,
}

impl Machine {
    /// Reads the kernel command line in the file `cmdline`.
    pub(crate) fn new(
        cmdline: &Path,
        partitions: &Path,
        device_dir: &Path,
    ) -> anyhow::Result<Self> {
        let text =
            std::fs::read(cmdline).with_context(|| format!("cannot read {}", cmdline.display()))?;
        let text = String::from_utf8_lossy(&text);
        // The kernel and systemd let the last of several win.
        let value = |key: &str| {
            text.split_ascii_whitespace()
                .filter_map(|word| word.strip_prefix(key)?.strip_prefix('='))
                .next_back()
        };
        let booted = value(ALTERNATIVE)
            .map(str::parse)
            .transpose()
            .with_context(|| format!("{ALTERNATIVE}= in {}", cmdline.display()))?;
        Ok(Self {
            booted,
            roots: ROOT_KEYS
                .into_iter()
                .filter_map(|key| value(key)?.strip_prefix("PARTUUID="))
                .map(str::to_owned)
                .collect(),
            partitions: partitions.to_owned(),
            device_dir: device_dir.to_owned(),
        })
    }

    /// The running slot: of the kernel command line, else the one that grubenv names.
    pub(crate) fn current(
        &self,
        env: impl FnOnce() -> anyhow::Result<Content>,
    ) -> anyhow::Result<Slot> {
        if let Some(slot) = self.booted {
            return Ok(slot);
        }
        match env()? {
            Content::Block(block) => Ok(grubenv::BootState::of(&block).alternative),
            Content::Damaged(error) => Err(error)
                .context("no boot_alternative= on the kernel command line and no usable grubenv"),
        }
    }

    /// Opens the partitions of `slot`, which must not be the running one.
    pub(crate) fn open_slot(&self, slot: Slot, write: bool) -> anyhow::Result<SlotMedia<File>> {
        let shown = self.partitions.display();
        let text = std::fs::read_to_string(&self.partitions)
            .with_context(|| format!("cannot read {shown}"))?;
        let table = Table::parse(&text).with_context(|| shown.to_string())?;
        let open = |part: &str| -> anyhow::Result<File> {
            let name = format!("{slot}_{part}");
            let partition = table
                .get(&name)
                .with_context(|| format!("{shown} has no partition {name}"))?;
            let uuid = partition.uuid.to_string();
            if self.is_root(&uuid) {
                bail!("partition {name} is the root of the running system");
            }
            open_device(&self.device_dir.join(uuid), write)
                .with_context(|| format!("cannot open partition {name}"))
        };
        Ok(SlotMedia {
            boot: open("boot")?,
            root: open("root")?,
        })
    }

    fn is_root(&self, uuid: &str) -> bool {
        self.roots
            .iter()
            .any(|root| root.eq_ignore_ascii_case(uuid))
    }
}

fn open_device(path: &Path, write: bool) -> anyhow::Result<File> {
    let shown = || path.display().to_string();
    let file_type = std::fs::metadata(path).with_context(shown)?.file_type();
    let kind = if file_type.is_block_device() {
        Kind::Device
    } else if file_type.is_file() {
        Kind::File
    } else {
        bail!("{} is neither a block device nor a file", path.display());
    };
    OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(i32::try_from(flags(kind, write).bits()).with_context(shown)?)
        .open(path)
        .with_context(shown)
}

/// What stands for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The partition.
    Device,
    /// A file in its place.
    File,
}

/// What open(2) is asked for beside reading and writing.
fn flags(kind: Kind, write: bool) -> OFlags {
    match kind {
        // A block device in use, as by a mounted file system, can't be opened with this (EBUSY).
        Kind::Device if write => OFlags::EXCL,
        Kind::Device | Kind::File => OFlags::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(cmdline: &str) -> anyhow::Result<Machine> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cmdline");
        std::fs::write(&path, cmdline).unwrap();
        Machine::new(&path, Path::new("none"), Path::new("none"))
    }

    #[test]
    fn the_command_line_knows() {
        let no_env = || panic!("not asked");
        let m = machine("root=x boot_alternative=A quiet boot_alternative=B\n").unwrap();
        assert_eq!(m.current(no_env).unwrap(), Slot::B);
        assert!(machine("boot_alternative=C").is_err());
        let m = machine("xboot_alternative=B root=PARTUUID=ABCD").unwrap();
        let env = || Ok(Content::Damaged(grubenv::Error::Signature));
        assert!(m.current(env).is_err());
        let env = || Ok(Content::Block(grubenv::Block::new()));
        assert_eq!(m.current(env).unwrap(), Slot::A);
        assert!(m.is_root("abcd"));
        assert!(!m.is_root("abc"));
    }

    #[test]
    fn the_root_behind_dm_verity_counts() {
        let m = machine(
            "root=/dev/mapper/root systemd.verity_root_data=PARTUUID=d systemd.verity_root_hash=PARTUUID=x \
             systemd.verity_root_hash=PARTUUID=h boot_alternative=A",
        )
        .unwrap();
        assert!(m.is_root("D") && m.is_root("h"));
        // The last of several wins; a path names no partition.
        assert!(!m.is_root("x") && !m.is_root("/dev/mapper/root"));
    }

    #[test]
    fn devices_are_written_exclusively() {
        assert_eq!(flags(Kind::Device, true), OFlags::EXCL);
        assert_eq!(flags(Kind::Device, false), OFlags::empty());
        assert_eq!(flags(Kind::File, true), OFlags::empty());
    }

    #[test]
    fn neither_folder_nor_terminal_stands_for_a_partition() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path(), Path::new("/dev/null")] {
            let error = open_device(path, true).unwrap_err().to_string();
            assert!(
                error.contains("neither a block device nor a file"),
                "{error}"
            );
        }
        let file = dir.path().join("file");
        std::fs::write(&file, "1234").unwrap();
        let mut opened = open_device(&file, true).unwrap();
        // Really for both, and at offsets.
        crate::medium::Medium::write_all_at(&mut opened, b"x", 2).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"12x4");
        let mut opened = open_device(&file, false).unwrap();
        assert!(crate::medium::Medium::write_all_at(&mut opened, b"y", 2).is_err());
    }
}
