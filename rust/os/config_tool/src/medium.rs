//! Finding a medium by its volume label, and looking into it without trusting it.
//!
//! udev names a volume with label L `/dev/disk/by-label/L`. It is mounted read-only, without devices, set-user-id bits or
//! programs, and only as FAT: what every desktop writes, and the smallest reader in the kernel to meet a stranger's bytes.
//! One that lies where no medium does ([`crate::place`]) is not mounted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::mount::{mount, umount2, MntFlags, MsFlags};

use crate::place::{self, Place};
use crate::Refused;

const BY_LABEL: &str = "/dev/disk/by-label";
const SYS: &str = "/sys";
const FILE_SYSTEM: &str = "vfat";

/// What a label led to.
#[derive(Debug)]
pub(crate) enum Sought {
    /// No volume has it.
    Absent,
    /// A stick of SetupOS has it, on this device.
    Installer(String),
    /// A medium.
    Mounted(Volume),
}

/// A mounted volume; let go of when dropped.
#[derive(Debug)]
pub(crate) struct Volume {
    device: PathBuf,
    dir: PathBuf,
    mounted: bool,
}

/// A label as a file name: letters, digits, `-`, `_` and `.` are not escaped by udev.
pub(crate) fn label(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !text.is_empty() && !text.starts_with('.') && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("want letters, digits, hyphens and underscores".to_owned())
    }
}

impl Volume {
    /// Mounts the volume labelled `label` at `dir`, if it lies where a medium may.
    pub(crate) fn find(label: &str, dir: &Path) -> anyhow::Result<Sought> {
        let link = Path::new(BY_LABEL).join(label);
        if !link.exists() {
            return Ok(Sought::Absent);
        }
        // What is looked at is what is mounted, wherever the link points to by then.
        let device = link
            .canonicalize()
            .with_context(|| format!("cannot read {}", link.display()))?;
        let root = place::below(Path::new("/"))?;
        match place::place(Path::new(SYS), root, place::number(&device)?)? {
            Place::Elsewhere => {}
            Place::Installer => return Ok(Sought::Installer(device.display().to_string())),
            Place::OwnDrive => {
                let why = "it is on the drive that this machine runs from, where no medium is: somebody wrote a volume with that label there";
                return Err(anyhow::anyhow!(why).context(Refused::medium(&device.display())));
            }
        }
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let flags =
            MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        match mount(Some(&device), dir, Some(FILE_SYSTEM), flags, None::<&str>) {
            Ok(()) => Ok(Sought::Mounted(Self {
                device,
                dir: dir.to_path_buf(),
                mounted: true,
            })),
            Err(errno) => Err(io::Error::from(errno))
                .with_context(|| format!("cannot mount {}, want a FAT volume", device.display()))
                .context(Refused::medium(&device.display())),
        }
    }

    /// Where its files are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The device, for messages.
    pub(crate) fn describe(&self) -> String {
        self.device.display().to_string()
    }

    /// Unmounts it, and says so if that fails.
    pub(crate) fn release(mut self) -> anyhow::Result<()> {
        self.unmount()
            .with_context(|| format!("cannot unmount {}", self.dir.display()))
    }

    fn unmount(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.mounted) {
            umount2(&self.dir, MntFlags::MNT_DETACH)?;
        }
        Ok(())
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // On the way out of an error; the first error is the one to tell.
        let _ = self.unmount();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_plain_names() {
        for good in ["CONFIG", "config-2", "A_b.c"] {
            assert_eq!(label(good).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", "../x", "a/b", "a b", "\u{e9}"] {
            assert!(label(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_absent_label_is_no_medium() {
        let dir = tempfile::tempdir().unwrap();
        let found = Volume::find("NO-SUCH-LABEL-HERE", &dir.path().join("m")).unwrap();
        assert!(matches!(found, Sought::Absent), "{found:?}");
    }
}
