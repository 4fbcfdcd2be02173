//! The boot loader on the EFI system partition, and how another one takes its place.
//!
//! | name in `EFI/BOOT` | what                                                                                        |
//! |--------------------|---------------------------------------------------------------------------------------------|
//! | `BOOTX64.EFI`      | what firmware starts                                                                        |
//! | `NEXT.EFI`         | the loader of a bundle that was installed, until `upgrade-commit` puts it in place            |
//! | `NEXT.SHA`         | the SHA-256 of that, as `sha256sum` writes it: what is to be put in place has it, or is not put there |
//! | `PREVIOUS.EFI`     | the one that was in place before                                                            |
//! | `NEW.EFI`          | what has not got its name yet                                                               |
//! | `COPY.EFI`         | the same, while something is mended that a power cut left                                   |
//!
//! There is never a moment without one in place. A file is whole, flushed and read back as `NEW.EFI` before it is renamed to its name; nothing else is
//! ever renamed. On FAT that is a change of two entries of the folder: the name takes over the other file's first cluster and length, and the other
//! name goes. All names here have one entry of 32 bytes (8.3, no long names), and the folder has less than the 16 that fill a sector of 512
//! bytes: so both change by one write of one sector, which a disk does whole or not at all.
//!
//! Linux does not write both at once by itself (`vfat_rename` in `fs/fat/namei_vfat.c`): the other name goes from the sector, but first cluster
//! and length are those of a file, and come there when that is written. Flushing the folder does not do it. So there are two more rules:
//!
//! - The renamed file is flushed, by a handle from before: then its entry is on the disk.
//! - What had the name before is held open until then, which keeps its clusters: a sector that is written too early still names a whole file.
//!
//! A name that nothing had is that of an empty file for this while.
//!
//! # What a power cut leaves
//!
//! | found                                                  | means, and what is done                                                        |
//! |--------------------------------------------------------|--------------------------------------------------------------------------------|
//! | `NEXT.EFI` and its digest in `NEXT.SHA`                | it waits, or was about to be put in place: that is done (again)                  |
//! | the digest in `NEXT.SHA` is that of `BOOTX64.EFI`      | it is in place, and was not tidied up: that is done, and `PREVIOUS.EFI` is right   |
//! | any other `NEXT.EFI` or `NEXT.SHA`                     | nothing is put in place: `upgrade-install` has to run again. It keeps both before the slot looks complete, so nothing can be committed that came with it |
//! | `NEW.EFI`, or `COPY.EFI`                               | it goes, before anything else                                                  |
//! | the same, with the content of a file that has its name | the sector was written between two changes of a rename: **both names may be of the same clusters**. Whichever goes, the other one loses them, so what has its name gets clusters of its own first |
//!
//! Clusters that two names have, or that were not on the disk yet, are given back twice, or read where there are none; then Linux takes the file
//! system for damaged and makes it read-only, after the change. So it is made writable again ([`Folder::rouse`]). `loader_cut` looks at all that the power can leave of this.
//!
//! # Either loader starts either slot
//!
//! … as long as it knows who signed them ([`crate::signer`]; docs/signing.md, "Rotation"), which is asked before a bundle is written. So it does not
//! matter in which order this and grubenv reach the disk. A loader that firmware refuses, or takes but that does not get as far as a slot, is not gone
//! back from by itself: `PREVIOUS.EFI` is for the hand, from the firmware's own menu. A trial by the firmware's `BootNext` would be a way back, and is
//! none: its entry outlives `NEXT.EFI`, and there is firmware that starts a disk by its last entry or not at all
//! (docs/decisions/0011-boot-loader-by-rename.md).

use std::io;
use std::path::Path;

use anyhow::{bail, ensure, Context};
use base::Sha256Digest;

use crate::folder::{Folder, Mounted};

const FOLDER: &str = "EFI/BOOT";
/// GRUB's spare state, on the same partition.
pub(crate) const SPARE_ENV: &str = "EFI/BOOT/grubenv";
pub(crate) const LOADER: &str = "BOOTX64.EFI";
pub(crate) const NEXT: &str = "NEXT.EFI";
pub(crate) const DIGEST: &str = "NEXT.SHA";
pub(crate) const PREVIOUS: &str = "PREVIOUS.EFI";
/// What is not whole yet.
pub(crate) const NEW: &str = "NEW.EFI";
pub(crate) const COPY: &str = "COPY.EFI";
/// What a program for EFI begins with.
const MZ: &[u8] = b"MZ";

/// What to do about a loader that waits and is not to be put in place.
const AGAIN: &str = "the power may have gone while it was written, run upgrade-install again";

/// Keeps the loader of a bundle, or, if it has none, that of no bundle before. Says whether another one than now is to be put in place.
pub(crate) fn keep(mount: &Path, loader: Option<&[u8]>) -> anyhow::Result<bool> {
    match loader {
        Some(loader) => Esp::open(mount)?.stage(loader),
        None if waits(mount)? => Esp::open(mount)?.unstage().map(|()| false),
        None => Ok(false),
    }
}

/// Puts the loader that is kept in place, if there is one.
pub(crate) fn place(mount: &Path) -> anyhow::Result<bool> {
    match waits(mount)? {
        true => Esp::open(mount)?.promote(),
        false => Ok(false),
    }
}

/// Puts back the loader that was in place before, and keeps the one in place for a later commit.
pub(crate) fn take_back(mount: &Path) -> anyhow::Result<()> {
    Esp::open(mount)?.take_back()
}

/// The loader in place, and the one before, if there is one.
pub(crate) fn in_place(mount: &Path) -> anyhow::Result<(Vec<u8>, Option<Vec<u8>>)> {
    let esp = Esp(Mounted::look(mount, FOLDER, LOADER)?);
    Ok((esp.read(LOADER)?, esp.read_if_there(PREVIOUS)?))
}

/// Whether there is anything of a loader that was kept. An error, if the partition is not mounted: then there may be.
pub(crate) fn waits(mount: &Path) -> anyhow::Result<bool> {
    let folder = Mounted::look(mount, FOLDER, LOADER)?;
    for name in [NEXT, DIGEST] {
        // What can't be looked at is not nothing: the loader of a bundle would be left where it is, unsaid.
        let there = folder.is_there(name);
        if there.with_context(|| format!("cannot look for {FOLDER}/{name}"))? {
            return Ok(true);
        }
    }
    Ok(false)
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
        self.settle()?;
        if self.read(LOADER)? == loader {
            self.forget()?;
            return Ok(false);
        }
        self.put_next(loader)?;
        Ok(true)
    }

    /// Keeps none.
    pub(crate) fn unstage(&self) -> anyhow::Result<()> {
        self.settle()?;
        self.forget()
    }

    /// Puts the loader that is kept in place. Says whether there was one.
    pub(crate) fn promote(&self) -> anyhow::Result<bool> {
        self.settle()?;
        let text = self.read_unless_broken(DIGEST)?;
        let want = text.as_deref().map(parse_digest);
        if let Some(Ok(want)) = &want {
            if Sha256Digest::of(&self.read(LOADER)?) == *want {
                // The power went before the rest was done.
                self.forget()?;
                return Ok(true);
            }
        }
        let next = match (self.read_unless_broken(NEXT)?, want) {
            (None, None) => return Ok(false),
            // Nothing but the rest of one that was forgotten: the loader goes first.
            (None, Some(Err(_))) => return self.forget().map(|()| false),
            (None, Some(Ok(_))) => bail!("{FOLDER}/{DIGEST} is there, and {NEXT} is not: {AGAIN}"),
            (Some(_), None) => bail!("{FOLDER}/{NEXT} has no {DIGEST} beside it: {AGAIN}"),
            (Some(next), Some(want)) => {
                let (want, got) = (want?, Sha256Digest::of(&next));
                ensure!(
                    got == want,
                    "{FOLDER}/{NEXT} has SHA-256 {got}, and {DIGEST} says {want}: {AGAIN}"
                );
                next
            }
        };
        self.put(PREVIOUS, &self.read(LOADER)?)?;
        self.put_in_place(&next)?;
        self.forget()?;
        Ok(true)
    }

    /// Puts back what was in place before, and keeps what is. The power may go at any time: what is in place is one of both, and the next
    /// try begins again with what is there.
    pub(crate) fn take_back(&self) -> anyhow::Result<()> {
        self.settle()?;
        let (loader, previous) = (self.read(LOADER)?, self.read(PREVIOUS)?);
        ensure!(
            previous.starts_with(MZ),
            "{FOLDER}/{PREVIOUS} is no program for EFI: {LOADER} stays"
        );
        self.put_next(&loader)?;
        self.put_in_place(&previous)
    }

    fn put_next(&self, loader: &[u8]) -> anyhow::Result<()> {
        self.put(NEXT, loader)?;
        let digest = Sha256Digest::of(loader);
        self.put(DIGEST, format!("{digest}  {NEXT}\n").as_bytes())
    }

    fn put_in_place(&self, loader: &[u8]) -> anyhow::Result<()> {
        self.put(LOADER, loader)?;
        ensure!(
            self.read(LOADER)? == loader,
            "{LOADER} does not read back as it was written: the disk may be failing; {PREVIOUS} is the one of before"
        );
        Ok(())
    }

    /// Removes what waits. The digest goes last: as long as it is there, it says whether the loader is in place.
    fn forget(&self) -> anyhow::Result<()> {
        self.remove(NEXT)?;
        self.remove(DIGEST)
    }

    /// Removes what a power cut left without its name, having separated from it what may have the same clusters.
    fn settle(&self) -> anyhow::Result<()> {
        let mut twins = Vec::new();
        for temporary in [NEW, COPY] {
            let Some(left) = self.read_unless_broken(temporary)? else {
                continue;
            };
            let mut same = Vec::new();
            for name in [LOADER, NEXT, DIGEST, PREVIOUS] {
                if !left.is_empty() && self.read_unless_broken(name)?.as_ref() == Some(&left) {
                    same.push(name);
                }
            }
            match same.is_empty() {
                true => self.remove(temporary)?,
                false => twins.push((temporary, left, same)),
            }
        }
        match &twins[..] {
            [] => Ok(()),
            [(twin, left, names)] => self.separate(twin, left, names),
            // Of two power cuts, each within a rename: it takes somebody who looks at the clusters.
            _ => bail!("{FOLDER} has {NEW} and {COPY}, which may have the clusters of {LOADER}: have the file system checked"),
        }
    }

    /// Gives each of `names`, whose content is `bytes`, clusters of its own, and then removes `twin`, with which one of them may share them.
    fn separate(&self, twin: &str, bytes: &[u8], names: &[&str]) -> anyhow::Result<()> {
        let spare = if twin == NEW { COPY } else { NEW };
        let shown = || format!("cannot separate {FOLDER}/{twin} from what has its name");
        // As long as they are open, no clusters are given back, and so none are used again.
        let mut held = vec![self.0.open(twin).with_context(shown)?];
        for name in names {
            held.push(self.0.open(name).with_context(shown)?);
            self.put_by(spare, name, bytes)?;
        }
        self.0.remove(twin).with_context(shown)?;
        self.flush()?;
        drop(held);
        self.rouse()
    }

    /// A file that has its name when it is whole.
    fn put(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.put_by(NEW, name, bytes)
    }

    fn put_by(&self, temporary: &str, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let shown = || format!("cannot write {FOLDER}/{temporary}");
        let file = self.0.create(temporary, bytes).with_context(shown)?;
        self.0.flush_file(&file).with_context(shown)?;
        ensure!(
            self.read(temporary)? == bytes,
            "{FOLDER}/{temporary} does not read back as it was written: the disk may be failing"
        );
        self.rename(temporary, name)
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
        self.rouse()
    }

    /// Removes a file, if it is there, whatever is wrong with its clusters.
    fn remove(&self, name: &str) -> anyhow::Result<()> {
        match self.0.remove(name) {
            Ok(()) => {
                self.rouse()?;
                self.flush()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot remove {FOLDER}/{name}")),
        }
    }

    fn rouse(&self) -> anyhow::Result<()> {
        let roused = self.0.rouse();
        roused.with_context(|| format!("cannot make {FOLDER} writable again"))
    }

    fn flush(&self) -> anyhow::Result<()> {
        let shown = || format!("cannot write {FOLDER}");
        self.0.flush().with_context(shown)
    }

    fn read(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let read = self.0.read(name);
        read.with_context(|| format!("cannot read {FOLDER}/{name}"))
    }

    fn read_if_there(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match self.0.read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read
                .map(Some)
                .with_context(|| format!("cannot read {FOLDER}/{name}")),
        }
    }

    /// The same; what can't be read, because its clusters were not on the disk yet or not any more, is there and has nothing in it.
    fn read_unless_broken(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match self.0.read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) => self.rouse().map(|()| Some(Vec::new())),
            Ok(bytes) => Ok(Some(bytes)),
        }
    }
}

/// The digest in `NEXT.SHA`.
fn parse_digest(text: &[u8]) -> anyhow::Result<Sha256Digest> {
    let digest = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.strip_suffix(&format!("  {NEXT}\n"))?.parse().ok());
    digest.with_context(|| format!("{FOLDER}/{DIGEST} says no SHA-256 of {NEXT}: {AGAIN}"))
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

    /// What is not as it was kept is not put in place; each is told, and all is as it was.
    #[test]
    fn only_what_has_its_digest_is_put_in_place() {
        let digest = |of: &[u8]| format!("{}  NEXT.EFI\n", Sha256Digest::of(of)).into_bytes();
        let (new, right) = (&b"MZ new"[..], digest(b"MZ new"));
        let cut = &right[..right.len() - 1];
        for (next, sha, want) in [
            (Some(new), None, "NEXT.EFI has no NEXT.SHA beside it"),
            (
                None,
                Some(&right[..]),
                "NEXT.SHA is there, and NEXT.EFI is not",
            ),
            (Some(b"MZ other"), Some(&right), "and NEXT.SHA says "),
            // What the power leaves of a name that nothing had.
            (Some(b""), Some(&right), "and NEXT.SHA says "),
            (Some(new), Some(b""), "NEXT.SHA says no SHA-256 of NEXT.EFI"),
            (Some(new), Some(cut), "NEXT.SHA says no SHA-256 of NEXT.EFI"),
        ] {
            let (dir, esp) = esp();
            let folder = dir.path().join(FOLDER);
            for (name, bytes) in [(NEXT, next), (DIGEST, sha)] {
                if let Some(bytes) = bytes {
                    fs::write(folder.join(name), bytes).unwrap();
                }
            }
            assert!(waits(dir.path()).unwrap());
            let error = esp.promote().unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
            assert!(error.contains("run upgrade-install again"), "{error}");
            assert_eq!(esp.read(LOADER).unwrap(), b"MZ old");
            assert!(!folder.join(PREVIOUS).exists());
            // That does it.
            assert!(esp.stage(new).unwrap());
            assert_eq!(esp.read(DIGEST).unwrap(), right);
            assert!(esp.promote().unwrap());
            assert_eq!(esp.read(LOADER).unwrap(), new);
            assert!(!waits(dir.path()).unwrap());
        }
    }

    /// In place, and not tidied up: the one of before is not overwritten by the new one.
    #[test]
    fn what_was_half_done_is_done() {
        let (dir, esp) = esp();
        let folder = dir.path().join(FOLDER);
        assert!(esp.stage(b"MZ new").unwrap());
        fs::write(folder.join(LOADER), b"MZ new").unwrap();
        fs::write(folder.join(PREVIOUS), b"MZ old").unwrap();
        for next in [true, false] {
            fs::write(folder.join(NEXT), b"MZ new").unwrap();
            fs::write(
                folder.join(DIGEST),
                format!("{}  {NEXT}\n", Sha256Digest::of(b"MZ new")),
            )
            .unwrap();
            if !next {
                fs::remove_file(folder.join(NEXT)).unwrap();
            }
            assert!(esp.promote().unwrap());
            assert_eq!(esp.read(PREVIOUS).unwrap(), b"MZ old");
            assert!(!waits(dir.path()).unwrap());
        }
    }

    #[test]
    fn a_commit_taken_back_can_be_made_again() {
        let (dir, esp) = esp();
        assert!(esp.stage(b"MZ new").unwrap());
        assert!(esp.promote().unwrap());
        for _ in 0..2 {
            esp.take_back().unwrap();
            assert_eq!(in_place(dir.path()).unwrap().0, b"MZ old");
            assert!(esp.promote().unwrap());
            let (loader, previous) = in_place(dir.path()).unwrap();
            assert_eq!(
                (&loader[..], &previous.unwrap()[..]),
                (&b"MZ new"[..], &b"MZ old"[..])
            );
        }
    }

    #[test]
    fn what_is_far_too_long_is_not_read() {
        let (dir, esp) = esp();
        let long = fs::File::create(dir.path().join(FOLDER).join(NEXT)).unwrap();
        long.set_len(1 << 40).unwrap();
        let error = format!("{:#}", esp.read(NEXT).unwrap_err());
        assert!(error.contains("and no boot loader does"), "{error}");
        esp.promote().unwrap_err();
        assert!(esp.stage(b"MZ new").unwrap() && esp.promote().unwrap());
    }

    /// A bundle without a loader changes nothing where none waits, not even what a power cut left.
    #[test]
    fn nothing_is_done_where_none_waits() {
        let (dir, _esp) = esp();
        let left = dir.path().join(FOLDER).join(NEW);
        fs::write(&left, b"left").unwrap();
        assert!(!keep(dir.path(), None).unwrap() && !place(dir.path()).unwrap());
        assert!(left.exists());
        assert!(keep(dir.path(), Some(b"MZ new")).unwrap());
        assert!(!left.exists());
        assert!(!keep(dir.path(), None).unwrap());
        assert!(!waits(dir.path()).unwrap());
    }

    /// Another error than that there is no such file is told: here, that a folder is where a file should be, or no folder on the way.
    #[test]
    fn what_is_in_the_way_is_told() {
        let (dir, esp) = esp();
        let folder = dir.path().join(FOLDER);
        fs::create_dir(folder.join(PREVIOUS)).unwrap();
        let said = |error: anyhow::Error| format!("{error:#}");
        let error = said(in_place(dir.path()).unwrap_err());
        assert!(
            error.contains("cannot read EFI/BOOT/PREVIOUS.EFI"),
            "{error}"
        );
        let error = said(esp.remove(PREVIOUS).unwrap_err());
        assert!(
            error.contains("cannot remove EFI/BOOT/PREVIOUS.EFI"),
            "{error}"
        );
        fs::write(folder.join(NEW), b"MZ new").unwrap();
        std::os::unix::fs::symlink(NEXT, folder.join(NEXT)).unwrap();
        let error = said(esp.rename(NEW, NEXT).unwrap_err());
        assert!(
            error.contains("cannot rename EFI/BOOT/NEW.EFI to NEXT.EFI"),
            "{error}"
        );
        assert!(folder.join(NEW).exists());
        fs::remove_dir_all(&folder).unwrap();
        let error = said(esp.flush().unwrap_err());
        assert!(error.contains("cannot write EFI/BOOT"), "{error}");
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

    /// Not mounted is not nothing to do: what waits there would be left, unsaid.
    #[test]
    fn what_is_not_mounted_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for step in 0..2 {
            if step == 1 {
                // A link that leads to itself can be looked through by nobody, root included.
                std::os::unix::fs::symlink("EFI", dir.path().join("EFI")).unwrap();
            }
            for done in [place(dir.path()), keep(dir.path(), None)] {
                let error = done.unwrap_err().to_string();
                assert!(
                    error.contains("is the EFI system partition mounted?"),
                    "{error}"
                );
            }
        }
        let (dir, _esp) = esp();
        let next = dir.path().join(FOLDER).join(NEXT);
        std::os::unix::fs::symlink(NEXT, &next).unwrap();
        let error = place(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("cannot look for "), "{error}");
    }

    /// All names are of one directory entry each, and fit into its first sector with those of the folder itself.
    #[test]
    fn names_are_short() {
        for name in [LOADER, NEXT, DIGEST, PREVIOUS, NEW, COPY] {
            let (stem, extension) = name.split_once('.').unwrap();
            assert!(stem.len() <= 8 && extension.len() == 3, "{name}");
            assert_eq!(name, name.to_ascii_uppercase());
        }
    }
}
