//! This machine: the slot it runs from and where its partitions are.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};
use grubenv::{Slot, ALTERNATIVE};
use partitions::Table;

use crate::envfile::Content;
use crate::upgrade::SlotMedia;

/// What the kernel was started with, and the table of partitions.
#[derive(Debug)]
pub(crate) struct Machine {
    booted: Option<Slot>,
    root: Option<String>,
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
            root: value("root").map(str::to_owned),
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
        self.root
            .as_deref()
            .and_then(|root| root.strip_prefix("PARTUUID="))
            .is_some_and(|root| root.eq_ignore_ascii_case(uuid))
    }
}

fn open_device(path: &Path, write: bool) -> anyhow::Result<File> {
    let shown = || path.display().to_string();
    let kind = std::fs::metadata(path).with_context(shown)?.file_type();
    let mut options = OpenOptions::new();
    options.read(true).write(write);
    if kind.is_block_device() && write {
        // open(2): with O_EXCL a block device in use, as by a mounted file system, can't be opened (EBUSY).
        let excl = rustix::fs::OFlags::EXCL.bits();
        options.custom_flags(i32::try_from(excl).unwrap_or_default());
    } else if !kind.is_file() && !kind.is_block_device() {
        bail!("{} is neither a block device nor a file", path.display());
    }
    options.open(path).with_context(shown)
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
}
