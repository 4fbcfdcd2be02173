//! The two files with environment blocks, as who runs reads them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::{Bar, Block, BootState, Error, Slot};

/// One byte more than a block has is enough to know.
const MOST: u64 = 1025;

/// Why a file says nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its bytes are no environment block.
    #[error("{}", path.display())]
    Block {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Error,
    },
}

impl FileError {
    /// Whether there may be a block that can't be seen: a file that is missing or damaged has none.
    pub fn hides(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() != io::ErrorKind::NotFound)
    }
}

/// What was found in both files: the main one, which who runs writes, too, and the spare one, which only the boot loader writes.
///
/// One that is missing or damaged says nothing, to the boot loader as well.
#[derive(Debug)]
pub struct Blocks {
    /// `grubenv` on the boot loader's partition.
    pub main: Result<Block, FileError>,
    /// `EFI/BOOT/grubenv` on the EFI system partition.
    pub spare: Result<Block, FileError>,
}

impl Blocks {
    /// Reads both files.
    pub fn read(main: &Path, spare: &Path) -> Self {
        Self {
            main: read_block(main),
            spare: read_block(spare),
        }
    }

    /// The state that the boot loader starts from, if a block says it.
    pub fn said(&self) -> Option<BootState> {
        BootState::in_force(self.main.as_ref().ok(), self.spare.as_ref().ok())
    }

    /// The same; slot A if neither block says one.
    pub fn state(&self) -> BootState {
        self.said().unwrap_or_default()
    }

    /// What is said of slots that are not to be fallen back to.
    pub fn bar(&self) -> Bar {
        Bar::of(self.main.as_ref().ok())
    }

    /// Why a block can't be read that may be there and say something else than what can.
    pub fn hidden(&self) -> impl Iterator<Item = &FileError> {
        let errors = [&self.main, &self.spare].into_iter();
        errors.filter_map(|block| block.as_ref().err().filter(|error| error.hides()))
    }

    /// The slot that is named; an error is why the main block names none, while the spare one does not, either.
    pub fn named(&self) -> Result<Slot, &FileError> {
        match (self.said(), &self.main) {
            (None, Err(error)) => Err(error),
            (said, _) => Ok(said.unwrap_or_default().alternative),
        }
    }
}

/// The block in a file.
pub fn read_block(path: &Path) -> Result<Block, FileError> {
    let read = File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let path = || path.to_owned();
    let bytes = read.map_err(|source| FileError::Read {
        path: path(),
        source,
    })?;
    Block::parse(&bytes).map_err(|source| FileError::Block {
        path: path(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SIZE;
    use std::fs;

    #[test]
    fn both_files() {
        let dir = tempfile::tempdir().unwrap();
        let [main, spare] = ["grubenv", "spare"].map(|name| dir.path().join(name));
        let found = Blocks::read(&main, &spare);
        assert!(found.said().is_none() && !found.spare.as_ref().unwrap_err().hides());
        assert_eq!(found.state(), BootState::default());
        let error = found.named().unwrap_err();
        assert!(!error.hides(), "{error}");
        assert_eq!(error.to_string(), format!("cannot read {}", main.display()));

        let mut block = Block::new();
        BootState::trial(Slot::B).store(&mut block).unwrap();
        Bar::Now(Slot::A).store(&mut block).unwrap();
        fs::write(&main, block.to_bytes().unwrap()).unwrap();
        // A damaged one says nothing and hides nothing.
        fs::write(&spare, "junk").unwrap();
        let found = Blocks::read(&main, &spare);
        assert_eq!(found.said(), Some(BootState::trial(Slot::B)));
        assert_eq!(found.bar(), Bar::Now(Slot::A));
        assert!(!found.spare.as_ref().unwrap_err().hides());
        assert_eq!(found.named().unwrap(), Slot::B);

        // One that can't be read at all may.
        fs::remove_file(&spare).unwrap();
        fs::create_dir(&spare).unwrap();
        let found = Blocks::read(&main, &spare);
        let error = found.spare.unwrap_err();
        assert!(error.hides(), "{error}");
        assert_eq!(
            error.to_string(),
            format!("cannot read {}", spare.display())
        );
    }

    #[test]
    fn a_long_file_is_not_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grubenv");
        let file = File::create(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        let error = read_block(&path).unwrap_err();
        assert!(
            matches!(error, FileError::Block { source: Error::Size { got }, .. } if got == SIZE + 1),
            "{error:?}"
        );
    }
}
