//! The file with GRUB's environment block, and the spare one that GRUB writes when it can't write the first.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context};
use grubenv::{Bar, Block, Blocks, BootState, FileError, SIZE};
use rustix::fs::{flock, FlockOperation};

use direct::Medium;

/// A disk writes this much whole or not at all.
const SECTOR: usize = 512;

/// The block on its medium.
#[derive(Debug)]
pub(crate) struct EnvFile<M> {
    medium: M,
    path: PathBuf,
    bytes: Vec<u8>,
    blocks: Blocks,
}

/// What the files at `path` and `spare` say. The first must be there: without it, the boot loader's partition is not mounted.
pub(crate) fn read(path: &Path, spare: &Path) -> anyhow::Result<Blocks> {
    let found = Blocks {
        main: grubenv::read_block(path),
        spare: read_spare(spare),
    };
    match found.main {
        Err(error @ FileError::Read { .. }) => Err(error).with_context(|| cannot_read(path)),
        main => Ok(Blocks { main, ..found }),
    }
}

/// The spare block on the EFI system partition. One that is missing or damaged says nothing, to GRUB as well.
fn read_spare(path: &Path) -> Result<Block, FileError> {
    let found = grubenv::read_block(path);
    if let Some(error) = found.as_ref().err().filter(|error| error.hides()) {
        // What GRUB can't read it can't have written, either.
        eprintln!(
            "manageboot: warning: {}, taken for one that says nothing",
            cli::chain(error)
        );
    }
    found
}

impl EnvFile<File> {
    /// Opens the file at `path` for changes; nobody else who opens it through us can until this is dropped. The one at `spare` is only read.
    pub(crate) fn open(path: &Path, spare: &Path) -> anyhow::Result<Self> {
        // Never created: a missing file means that GRUB's partition is not mounted, or that GRUB could not write it.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .with_context(|| cannot_read(path))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive)
            == Err(rustix::io::Errno::WOULDBLOCK)
        {
            bail!(
                "{} is locked: another manageboot is running",
                path.display()
            );
        }
        EnvFile::load(file, path, read_spare(spare))
    }
}

impl<M: Medium> EnvFile<M> {
    /// Reads the block from `medium`, called `path` in messages; `spare` is what the spare file says.
    pub(crate) fn load(
        medium: M,
        path: &Path,
        spare: Result<Block, FileError>,
    ) -> anyhow::Result<Self> {
        let size = medium.size().with_context(|| cannot_read(path))?;
        // One byte too many is enough to know.
        let len = base::as_usize(size).min(SIZE + 1);
        let mut bytes = vec![0; len];
        medium
            .read_exact_at(&mut bytes, 0)
            .with_context(|| cannot_read(path))?;
        let main = Block::parse(&bytes).map_err(|source| FileError::Block {
            path: path.to_owned(),
            source,
        });
        Ok(Self {
            medium,
            path: path.to_owned(),
            bytes,
            blocks: Blocks { main, spare },
        })
    }

    /// What both files say.
    pub(crate) fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// Makes `state`, which starts from no tries, the state in force, with `bar`; does nothing if both are already. Other variables stay. The
    /// spare block is not in force afterwards, whatever it says.
    ///
    /// A damaged block is replaced: it says nothing, and GRUB could not write it either.
    pub(crate) fn store(&mut self, state: BootState, bar: Bar) -> anyhow::Result<bool> {
        let path = self.path.display();
        let healthy = self.blocks.main.is_ok();
        let mut block = self.blocks.main.as_ref().cloned().unwrap_or_default();
        state
            .decide(&mut block, self.blocks.spare.as_ref().ok())
            .and_then(|()| bar.store(&mut block))
            .with_context(|| format!("cannot change {path}"))?;
        let new = block.to_bytes()?;
        if self.bytes == new {
            return Ok(false);
        }
        ensure!(
            !healthy || self.bytes.get(SECTOR..) == new.get(SECTOR..),
            "{path} has variables beyond its first {SECTOR} bytes, so that it can't be changed in one step; \
             remove those that the boot loader does not use with grub-editenv"
        );
        ensure!(
            self.bytes.len() == SIZE,
            "{path} has {} bytes, want {SIZE}: make it anew with grub-editenv",
            self.bytes.len()
        );
        self.medium
            .write_all_at(&new, 0)
            .and_then(|()| self.medium.flush())
            .with_context(|| format!("cannot write {path}"))?;
        self.bytes = new.to_vec();
        self.blocks.main = Ok(block);
        Ok(true)
    }
}

fn cannot_read(path: &Path) -> String {
    format!(
        "cannot open {}, which should be on GRUB's partition",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use grubenv::Slot;

    #[test]
    fn one_byte_more_or_less_is_no_block() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grubenv");
        let none = dir.path().join("none");
        let mut bytes = Block::new().to_bytes().unwrap().to_vec();
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path, &none).unwrap().main.is_ok());
        bytes.push(b'#');
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path, &none).unwrap().main.is_err());
        let opened = EnvFile::open(&path, &none).unwrap();
        assert!(opened.blocks().main.is_err());
        drop(opened);
        bytes.truncate(SIZE - 1);
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path, &none).unwrap().main.is_err());
    }

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grubenv");
        let none = dir.path().join("none");
        std::fs::write(&path, Block::new().to_bytes().unwrap()).unwrap();
        let first = EnvFile::open(&path, &none).unwrap();
        let error = EnvFile::open(&path, &none).unwrap_err().to_string();
        assert!(error.contains("another manageboot is running"), "{error}");
        // Looking is always allowed.
        assert!(read(&path, &none).unwrap().said().is_some());
        drop(first);
        EnvFile::open(&path, &none).unwrap();
    }

    /// A decision changes the state, whether or not the spare block was written for the same values; and the second time nothing.
    #[test]
    fn what_is_decided_is_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let [path, other] = ["grubenv", "spare"].map(|name| dir.path().join(name));
        let spare_of = |of: &str| {
            let mut block = Block::new();
            for (name, value) in [
                ("spare_of", of),
                ("spare_alternative", "B"),
                ("spare_cycle", "failsafe_check"),
                ("spare_tries", "2"),
            ] {
                block.set(name, value.as_bytes()).unwrap();
            }
            std::fs::write(&other, block.to_bytes().unwrap()).unwrap();
        };
        let decisions = [Slot::A, Slot::B]
            .map(|slot| [BootState::confirmed(slot), BootState::trial(slot)])
            .concat();
        for main in &decisions {
            for state in &decisions {
                let mut block = Block::new();
                main.store(&mut block).unwrap();
                for of in [main, state] {
                    std::fs::write(&path, block.to_bytes().unwrap()).unwrap();
                    spare_of(&format!("{} {} 0", of.alternative, of.cycle));
                    let found = read(&path, &other).unwrap().state();
                    assert_eq!(found == *main, of != main, "{found:?}");
                    let mut env = EnvFile::open(&path, &other).unwrap();
                    let changed = env.store(*state, Bar::None).unwrap();
                    assert_eq!(changed, of == state || main != state);
                    assert!(!env.store(*state, Bar::None).unwrap());
                    drop(env);
                    assert_eq!(read(&path, &other).unwrap().state(), *state);
                }
            }
        }
        // Without a block the spare one is in force when it was written so.
        std::fs::write(&path, [0; SIZE]).unwrap();
        spare_of("  ");
        let content = read(&path, &other).unwrap();
        assert_eq!(content.state().tries.get(), 2);
        assert_eq!(content.named().unwrap(), Slot::B);
        std::fs::write(&other, "junk").unwrap();
        let content = read(&path, &other).unwrap();
        assert_eq!(
            (content.said(), content.state()),
            (None, BootState::default())
        );
        content.named().unwrap_err();
    }
}
