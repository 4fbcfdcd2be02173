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
//! `loader_cut` looks at all that the power can leave of this.
//!
//! Either loader starts either slot, as long as it knows who signed them (docs/signing.md, "Rotation"), so it does not matter in which order this
//! and grubenv reach the disk. A loader that firmware refuses, or takes but that does not get as far as a slot, is not gone back from by itself:
//! `PREVIOUS.EFI` is for the hand, from the firmware's own menu. A trial by the firmware's `BootNext` would be a way back, and is none: its entry
//! outlives `NEXT.EFI`, and there is firmware that starts a disk by its last entry or not at all (docs/decisions/0011-boot-loader-by-rename.md).

use std::io;
use std::path::Path;

use anyhow::{ensure, Context};

use crate::folder::{Folder, Mounted};

const FOLDER: &str = "EFI/BOOT";
/// GRUB's spare state, on the same partition.
pub(crate) const SPARE_ENV: &str = "EFI/BOOT/grubenv";
pub(crate) const LOADER: &str = "BOOTX64.EFI";
pub(crate) const NEXT: &str = "NEXT.EFI";
pub(crate) const PREVIOUS: &str = "PREVIOUS.EFI";
/// What is not whole yet.
pub(crate) const NEW: &str = "NEW.EFI";
/// What a program for EFI begins with.
const MZ: &[u8] = b"MZ";

/// Keeps the loader of a bundle that was installed, or, if it has none, that of no bundle before. Says whether another one than now is to be
/// put in place.
pub(crate) fn after_install(mount: &Path, loader: Option<&[u8]>) -> anyhow::Result<bool> {
    match loader {
        Some(loader) => Esp::open(mount)?.stage(loader),
        None if is_staged(mount)? => Esp::open(mount)?.unstage().map(|()| false),
        None => Ok(false),
    }
}

/// Puts the loader that is kept in place, if there is one.
pub(crate) fn after_commit(mount: &Path) -> anyhow::Result<bool> {
    match is_staged(mount)? {
        true => Esp::open(mount)?.promote(),
        false => Ok(false),
    }
}

fn is_staged(mount: &Path) -> anyhow::Result<bool> {
    let next = mount.join(FOLDER).join(NEXT);
    // What can't be looked at is not nothing: the loader of a bundle would be left where it is, unsaid.
    let staged = next.try_exists();
    staged.with_context(|| format!("cannot look for {}", next.display()))
}

/// The boot loaders in a folder.
pub(crate) struct Esp<F>(pub(crate) F);

impl Esp<Mounted> {
    /// Those of the partition mounted at `mount`.
    fn open(mount: &Path) -> anyhow::Result<Self> {
        Ok(Self(Mounted::open(mount, FOLDER, LOADER)?))
    }
}

impl<F: Folder> Esp<F> {
    /// Keeps `loader` for [`Esp::promote`]. Says whether it is another one than the one in place.
    pub(crate) fn stage(&self, loader: &[u8]) -> anyhow::Result<bool> {
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
        match self.0.remove(NEXT) {
            Ok(()) => self.flush(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot remove {FOLDER}/{NEXT}")),
        }
    }

    /// Puts the loader that is kept in place. Says whether there was one.
    pub(crate) fn promote(&self) -> anyhow::Result<bool> {
        let next = match self.0.read(NEXT) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            next => next.with_context(|| format!("cannot read {FOLDER}/{NEXT}"))?,
        };
        ensure!(
            next.starts_with(MZ),
            "{NEXT} is no program for EFI: the power may have gone while it was written, run upgrade-install again"
        );
        self.put(PREVIOUS, &self.read(LOADER)?)?;
        self.rename(NEXT, LOADER)?;
        ensure!(
            self.read(LOADER)? == next,
            "{LOADER} does not read back as it was written: the disk may be failing; {PREVIOUS} is the one of before"
        );
        Ok(true)
    }

    /// A file that has its name when it is whole.
    fn put(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let shown = || format!("cannot write {FOLDER}/{NEW}");
        let file = self.0.create(NEW, bytes).with_context(shown)?;
        self.0.flush_file(&file).with_context(shown)?;
        ensure!(
            self.read(NEW)? == bytes,
            "{FOLDER}/{NEW} does not read back as it was written: the disk may be failing"
        );
        self.rename(NEW, name)
    }

    /// Gives the file `from` the name `to`; it is on the disk under that name afterwards.
    fn rename(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let shown = || format!("cannot rename {FOLDER}/{from} to {to}");
        let file = self.0.open(from).with_context(shown)?;
        let before = match self.0.open(to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            before => Some(before.with_context(shown)?),
        };
        self.0.rename(from, to).with_context(shown)?;
        self.0.flush_file(&file).with_context(shown)?;
        self.flush()?;
        // Not before: its clusters are free from here on.
        drop(before);
        Ok(())
    }

    fn flush(&self) -> anyhow::Result<()> {
        let shown = || format!("cannot write {FOLDER}");
        self.0.flush().with_context(shown)
    }

    fn read(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let read = self.0.read(name);
        read.with_context(|| format!("cannot read {FOLDER}/{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn esp() -> (tempfile::TempDir, Esp<Mounted>) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(FOLDER)).unwrap();
        fs::write(dir.path().join(FOLDER).join(LOADER), b"MZ old").unwrap();
        let esp = Esp::open(dir.path()).unwrap();
        (dir, esp)
    }

    #[test]
    fn the_next_one_takes_the_place_and_the_old_one_is_kept() {
        let (dir, esp) = esp();
        let folder = dir.path().join(FOLDER);
        assert!(!esp.promote().unwrap());
        assert!(esp.stage(b"MZ new").unwrap());
        assert_eq!(esp.read(LOADER).unwrap(), b"MZ old");
        assert!(esp.promote().unwrap());
        assert_eq!(esp.read(LOADER).unwrap(), b"MZ new");
        assert_eq!(esp.read(PREVIOUS).unwrap(), b"MZ old");
        assert!(!folder.join(NEXT).exists() && !folder.join(NEW).exists());
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
        let (dir, esp) = esp();
        let folder = dir.path().join(FOLDER);
        fs::write(folder.join(NEXT), b"").unwrap();
        let error = esp.promote().unwrap_err().to_string();
        assert!(error.contains("run upgrade-install again"), "{error}");
        assert_eq!(esp.read(LOADER).unwrap(), b"MZ old");
        assert!(!folder.join(PREVIOUS).exists());
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

    #[test]
    fn a_folder_that_cannot_be_looked_at_is_not_one_without_a_loader() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!after_commit(dir.path()).unwrap());
        assert!(!after_install(dir.path(), None).unwrap());
        // A link that leads to itself can be looked through by nobody, root included.
        std::os::unix::fs::symlink("EFI", dir.path().join("EFI")).unwrap();
        for done in [after_commit(dir.path()), after_install(dir.path(), None)] {
            let error = done.unwrap_err().to_string();
            assert!(error.starts_with("cannot look for "), "{error}");
        }
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
