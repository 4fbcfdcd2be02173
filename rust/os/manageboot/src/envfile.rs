//! The file with GRUB's environment block.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context};
use grubenv::{Block, BootState, SIZE};
use rustix::fs::{flock, FlockOperation};

use crate::medium::Medium;

/// A disk writes this much whole or not at all.
const SECTOR: usize = 512;

/// What was found in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A block.
    Block(Block),
    /// Bytes that GRUB can't use: it boots slot A.
    Damaged(grubenv::Error),
}

impl Content {
    fn parse(bytes: &[u8]) -> Self {
        Block::parse(bytes).map_or_else(Self::Damaged, Self::Block)
    }

    /// The state that GRUB starts from.
    pub(crate) fn state(&self) -> BootState {
        match self {
            Self::Block(block) => BootState::of(block),
            Self::Damaged(_) => BootState::default(),
        }
    }
}

/// The block on its medium.
#[derive(Debug)]
pub(crate) struct EnvFile<M> {
    medium: M,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl EnvFile<File> {
    /// What the file at `path` holds.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Content> {
        let file = File::open(path).with_context(|| cannot_read(path))?;
        Ok(EnvFile::load(file, path)?.content())
    }

    /// Opens the file for changes; nobody else who opens it through us can until this is dropped.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
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
        EnvFile::load(file, path)
    }
}

impl<M: Medium> EnvFile<M> {
    /// Reads the block from `medium`, called `path` in messages.
    pub(crate) fn load(medium: M, path: &Path) -> anyhow::Result<Self> {
        let size = medium.size().with_context(|| cannot_read(path))?;
        // One byte too many is enough to know.
        let len = base::as_usize(size).min(SIZE + 1);
        let mut bytes = vec![0; len];
        medium
            .read_exact_at(&mut bytes, 0)
            .with_context(|| cannot_read(path))?;
        Ok(Self {
            medium,
            path: path.to_owned(),
            bytes,
        })
    }

    /// What it holds.
    pub(crate) fn content(&self) -> Content {
        Content::parse(&self.bytes)
    }

    /// Makes `state` the state on the disk; does nothing if it is already. Other variables stay.
    ///
    /// A damaged block is replaced: it says nothing, and GRUB could not write it either.
    pub(crate) fn store(&mut self, state: BootState) -> anyhow::Result<bool> {
        let path = self.path.display();
        let (mut block, healthy) = match self.content() {
            Content::Block(block) => (block, true),
            Content::Damaged(_) => (Block::new(), false),
        };
        state
            .store(&mut block)
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

    #[test]
    fn one_byte_more_or_less_is_no_block() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grubenv");
        let mut bytes = Block::new().to_bytes().unwrap().to_vec();
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(EnvFile::read(&path).unwrap(), Content::Block(_)));
        bytes.push(b'#');
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(EnvFile::read(&path).unwrap(), Content::Damaged(_)));
        bytes.truncate(SIZE - 1);
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(EnvFile::read(&path).unwrap(), Content::Damaged(_)));
    }

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grubenv");
        std::fs::write(&path, Block::new().to_bytes().unwrap()).unwrap();
        let first = EnvFile::open(&path).unwrap();
        let error = EnvFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("another manageboot is running"), "{error}");
        // Looking is always allowed.
        EnvFile::read(&path).unwrap();
        drop(first);
        EnvFile::open(&path).unwrap();
    }
}
