//! The boot loader on the EFI system partition, and how another one takes its place.
//!
//! | name in `EFI/BOOT` | what                                                                             |
//! |--------------------|----------------------------------------------------------------------------------|
//! | `BOOTX64.EFI`      | what firmware starts                                                             |
//! | `NEXT.EFI`         | the loader of a bundle that was installed, until `upgrade-commit` puts it in place |
//! | `PREVIOUS.EFI`     | the one that was in place before                                                 |
//!
//! There is never a moment without one. `NEXT.EFI` is whole, flushed and read back before it has its name; `PREVIOUS.EFI` likewise; then
//! `NEXT.EFI` is renamed over `BOOTX64.EFI`. On FAT that is a change of two entries of the folder: the name takes over the other file's first
//! cluster and length, and the other name goes. All names here have one entry of 32 bytes (8.3, no long names), and the folder has less
//! than the 16 that fill a sector of 512 bytes: so both change by one write of one sector, which a disk does whole or not at all.
//!
//! Linux does not write both at once by itself (`vfat_rename` in `fs/fat/namei_vfat.c`): the other name goes from the sector, but first cluster
//! and length are those of a file, and come there when that is written. Flushing the folder does not do it. So there are two more rules:
//!
//! - The renamed file is flushed, by a handle from before: then its entry is on the disk.
//! - What had the name before is held open until then, which keeps its clusters: a sector that is written too early still names a whole file.
//!
//! A name that nothing had is that of an empty file for this while. An empty `NEXT.EFI` is none, and is never put in place.
//!
//! Either loader starts either slot, so it does not matter in which order this and grubenv reach the disk. A loader that firmware refuses, or takes
//! but that does not get as far as a slot, is not gone back from by itself: `PREVIOUS.EFI` is for the hand, from the firmware's own menu. A trial by
//! the firmware's `BootNext` would be a way back, and is none: its entry outlives `NEXT.EFI`, and there is firmware that starts a disk by
//! its last entry or not at all (docs/decisions/0011-boot-loader-by-rename.md).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context};
use nix::mount::{mount, MsFlags};
use rustix::fs::{fadvise, Advice};

const FOLDER: &str = "EFI/BOOT";
const LOADER: &str = "BOOTX64.EFI";
const NEXT: &str = "NEXT.EFI";
const PREVIOUS: &str = "PREVIOUS.EFI";
/// What is not whole yet.
const NEW: &str = "NEW.EFI";
/// What a program for EFI begins with.
const MZ: &[u8] = b"MZ";

/// Keeps the loader of a bundle that was installed, or, if it has none, that of no bundle before. Says whether another one than now is to be
/// put in place.
pub(crate) fn after_install(mount: &Path, loader: Option<&[u8]>) -> anyhow::Result<bool> {
    match loader {
        Some(loader) => Esp::open(mount)?.stage(loader),
        None if is_staged(mount) => Esp::open(mount)?.unstage().map(|()| false),
        None => Ok(false),
    }
}

/// Puts the loader that is kept in place, if there is one.
pub(crate) fn after_commit(mount: &Path) -> anyhow::Result<bool> {
    match is_staged(mount) {
        true => Esp::open(mount)?.promote(),
        false => Ok(false),
    }
}

fn is_staged(mount: &Path) -> bool {
    mount.join(FOLDER).join(NEXT).exists()
}

/// The EFI system partition, writable as long as this lives.
struct Esp {
    mount: PathBuf,
    folder: PathBuf,
    /// Whether it was made writable for this.
    remounted: bool,
}

impl Esp {
    /// The partition mounted at `mount`.
    fn open(mount: &Path) -> anyhow::Result<Self> {
        let folder = mount.join(FOLDER);
        let loader = folder.join(LOADER);
        let found = fs::metadata(&loader).with_context(|| {
            format!("{}: is the EFI system partition mounted?", loader.display())
        })?;
        ensure!(found.is_file(), "{} is no file", loader.display());
        let remounted = is_mount_point(mount)?;
        if remounted {
            remount(mount, MsFlags::empty())
                .with_context(|| format!("cannot make {} writable", mount.display()))?;
        }
        Ok(Self {
            mount: mount.to_owned(),
            folder,
            remounted,
        })
    }

    /// Keeps `loader` for [`Esp::promote`]. Says whether it is another one than the one in place.
    fn stage(&self, loader: &[u8]) -> anyhow::Result<bool> {
        ensure!(
            loader.starts_with(MZ),
            "member loader.efi is no program for EFI: have the bundle made anew"
        );
        if self.read(LOADER)? == loader {
            self.unstage()?;
            return Ok(false);
        }
        self.put(NEXT, loader)?;
        Ok(true)
    }

    /// Keeps none.
    fn unstage(&self) -> anyhow::Result<()> {
        let path = self.folder.join(NEXT);
        match fs::remove_file(&path) {
            Ok(()) => self.sync(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
        }
    }

    /// Puts the loader that is kept in place. Says whether there was one.
    fn promote(&self) -> anyhow::Result<bool> {
        if !is_staged(&self.mount) {
            return Ok(false);
        }
        let next = self.read(NEXT)?;
        ensure!(
            next.starts_with(MZ),
            "{NEXT} is no program for EFI: the power may have gone while it was written, run upgrade-install again"
        );
        self.put(PREVIOUS, &self.read(LOADER)?)?;
        self.rename(NEXT, LOADER)?;
        ensure!(
            self.read_back(LOADER)? == next,
            "{LOADER} does not read back as it was written: the disk may be failing; {PREVIOUS} is the one of before"
        );
        Ok(true)
    }

    /// A file that has its name when it is whole.
    fn put(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.folder.join(NEW);
        let shown = || format!("cannot write {}", path.display());
        let mut file = File::create(&path).with_context(shown)?;
        file.write_all(bytes).with_context(shown)?;
        file.sync_all().with_context(shown)?;
        ensure!(
            self.read_back(NEW)? == bytes,
            "{} does not read back as it was written: the disk may be failing",
            path.display()
        );
        self.rename(NEW, name)
    }

    /// Gives the file `from` the name `to`; it is on the disk under that name afterwards.
    fn rename(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let shown = || format!("cannot rename {from} to {to}");
        let [from, to] = [from, to].map(|name| self.folder.join(name));
        let file = File::open(&from).with_context(shown)?;
        let before = match File::open(&to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            before => Some(before.with_context(shown)?),
        };
        fs::rename(&from, &to).with_context(shown)?;
        file.sync_all().with_context(shown)?;
        self.sync()?;
        // Not before: its clusters are free from here on.
        drop(before);
        Ok(())
    }

    fn sync(&self) -> anyhow::Result<()> {
        let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
        folder.with_context(|| format!("cannot write {}", self.folder.display()))
    }

    /// What is on the disk, not what is kept of it in memory.
    fn read_back(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.folder.join(name);
        // The pages are clean, for the file is flushed.
        let dropped = File::open(&path).map(|file| fadvise(&file, 0, None, Advice::DontNeed));
        dropped.with_context(|| path.display().to_string())?.ok();
        self.read(name)
    }

    fn read(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.folder.join(name);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok(bytes)
    }
}

impl Drop for Esp {
    fn drop(&mut self) {
        if self.remounted {
            // Should it fail, it stays writable until the next start: nothing that was asked for failed.
            if let Err(error) = remount(&self.mount, MsFlags::MS_RDONLY) {
                eprintln!(
                    "manageboot: warning: {} stays writable: {error}",
                    self.mount.display()
                );
            }
        }
    }
}

/// With the flags that fstab gives it.
fn remount(path: &Path, flags: MsFlags) -> nix::Result<()> {
    let usual = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let none: Option<&str> = None;
    mount(none, path, none, MsFlags::MS_REMOUNT | usual | flags, none)
}

fn is_mount_point(path: &Path) -> anyhow::Result<bool> {
    let device = |path: &Path| {
        let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
        anyhow::Ok(metadata.dev())
    };
    Ok(device(path)? != device(&path.join(".."))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn esp() -> (tempfile::TempDir, Esp) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(FOLDER)).unwrap();
        fs::write(dir.path().join(FOLDER).join(LOADER), b"MZ old").unwrap();
        let esp = Esp::open(dir.path()).unwrap();
        (dir, esp)
    }

    #[test]
    fn the_next_one_takes_the_place_and_the_old_one_is_kept() {
        let (_dir, esp) = esp();
        assert!(!esp.promote().unwrap());
        assert!(esp.stage(b"MZ new").unwrap());
        assert_eq!(esp.read(LOADER).unwrap(), b"MZ old");
        assert!(esp.promote().unwrap());
        assert_eq!(esp.read(LOADER).unwrap(), b"MZ new");
        assert_eq!(esp.read(PREVIOUS).unwrap(), b"MZ old");
        assert!(!esp.folder.join(NEXT).exists() && !esp.folder.join(NEW).exists());
        assert!(!esp.promote().unwrap());
        assert_eq!(esp.read(PREVIOUS).unwrap(), b"MZ old");
    }

    #[test]
    fn what_is_in_place_already_is_not_staged() {
        let (_dir, esp) = esp();
        assert!(esp.stage(b"MZ new").unwrap());
        assert!(!esp.stage(b"MZ old").unwrap());
        assert!(!esp.promote().unwrap());
        esp.stage(b"MZ new").unwrap();
        esp.unstage().unwrap();
        esp.unstage().unwrap();
        assert!(!esp.promote().unwrap());
        let error = esp.stage(b"ELF").unwrap_err().to_string();
        assert!(error.contains("no program for EFI"), "{error}");
    }

    /// What the power can leave of a name that nothing had before.
    #[test]
    fn an_empty_file_takes_no_place() {
        let (_dir, esp) = esp();
        fs::write(esp.folder.join(NEXT), b"").unwrap();
        let error = esp.promote().unwrap_err().to_string();
        assert!(error.contains("run upgrade-install again"), "{error}");
        assert_eq!(esp.read(LOADER).unwrap(), b"MZ old");
        assert!(!esp.folder.join(PREVIOUS).exists());
        // That does it.
        assert!(esp.stage(b"MZ new").unwrap());
        assert!(esp.promote().unwrap());
        assert_eq!(esp.read(LOADER).unwrap(), b"MZ new");
    }

    #[test]
    fn nothing_is_written_where_no_loader_is() {
        let dir = tempfile::tempdir().unwrap();
        let error = Esp::open(dir.path()).err().unwrap().to_string();
        assert!(
            error.contains("is the EFI system partition mounted?"),
            "{error}"
        );
    }

    /// All names are of one directory entry each, and fit into its first sector with those of the folder itself.
    #[test]
    fn names_are_short() {
        for name in [LOADER, NEXT, PREVIOUS, NEW] {
            let (stem, extension) = name.split_once('.').unwrap();
            assert!(stem.len() <= 8 && extension.len() == 3, "{name}");
            assert_eq!(name, name.to_ascii_uppercase());
        }
    }
}
