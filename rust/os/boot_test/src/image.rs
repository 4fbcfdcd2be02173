//! Looking into images from outside, with readers that the build does not write with: those of crate `inspect`, and crates from outside.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{ensure, Context, Result};
use base::{as_u64, as_usize, past};
use ext4_view::{Ext4, Ext4Read};
use nbd::Overlay;
use plan::Reader;

/// Size of a block of the file systems and of dm-verity.
const BLOCK: u64 = 4096;

/// Something that is read at any place.
trait Bytes: std::fmt::Debug {
    fn fill(&self, buffer: &mut [u8], at: u64) -> Result<()>;
}

impl Bytes for Reader {
    fn fill(&self, buffer: &mut [u8], at: u64) -> Result<()> {
        Ok(self.read_at(buffer, at)?)
    }
}

impl Bytes for Arc<Overlay> {
    fn fill(&self, buffer: &mut [u8], at: u64) -> Result<()> {
        Ok(self.read_at(buffer, at)?)
    }
}

/// A part of an image, or of a disk that a guest may be writing to.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    image: Rc<dyn Bytes>,
    start: u64,
    len: u64,
    position: u64,
}

impl Window {
    /// All of an image, raw or a plan list.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let image = Reader::open_any(path)?;
        Ok(Self {
            start: 0,
            len: image.len(),
            image: Rc::new(image),
            position: 0,
        })
    }

    /// The partition called `name` of the disk at `path`.
    pub(crate) fn open_partition(path: &Path, name: &str) -> Result<Self> {
        let image = Reader::open_any(path)?;
        let partition = inspect::partition(&image, name)?;
        let (start, len) = (partition.start(), partition.size());
        let disk = Self {
            start: 0,
            len: image.len(),
            image: Rc::new(image),
            position: 0,
        };
        disk.part(start, len)
    }

    /// All of a guest's disk, as it is at each moment.
    pub(crate) fn of_disk(disk: &Arc<Overlay>) -> Self {
        Self {
            start: 0,
            len: disk.len(),
            image: Rc::new(Arc::clone(disk)),
            position: 0,
        }
    }

    /// `len` bytes of it from `at` on.
    pub(crate) fn part(&self, at: u64, len: u64) -> Result<Self> {
        let start = self.locate(at, len)?;
        Ok(Self {
            start,
            len,
            image: Rc::clone(&self.image),
            position: 0,
        })
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Where in the image `len` bytes from `at` on are.
    pub(crate) fn locate(&self, at: u64, len: u64) -> Result<u64> {
        let end = at.checked_add(len).filter(|end| *end <= self.len);
        let place = end.and_then(|_| self.start.checked_add(at));
        place.with_context(|| format!("bytes {at}+{len} lie outside {} bytes", self.len))
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<()> {
        let place = self.locate(at, as_u64(buffer.len()))?;
        self.image.fill(buffer, place)
    }

    /// The ext4 file system that fills it, or its first part.
    pub(crate) fn ext4(&self) -> Result<Ext4> {
        Ext4::load(Box::new(self.clone())).context("cannot read the ext4 file system")
    }

    /// The blocks whose bytes are those of the first block of the file at `path` in its ext4 file system: one of them is that block.
    /// Each with its place in the image.
    pub(crate) fn first_block_of(&self, path: &str) -> Result<Vec<(u64, u64)>> {
        let file = self
            .ext4()?
            .open(path)
            .with_context(|| format!("cannot open {path}"))?;
        let mut wanted = Vec::new();
        Content(file).take(BLOCK).read_to_end(&mut wanted)?;
        ensure!(
            as_u64(wanted.len()) == BLOCK,
            "{path} is shorter than a block"
        );
        let mut found = Vec::new();
        let mut bytes = vec![0; wanted.len()];
        // A few hundred megabytes at most: this is quick.
        let places = (0..self.len).step_by(as_usize(BLOCK));
        // The last block may be none.
        for (block, at) in (0..self.len / BLOCK).zip(places) {
            self.read_at(&mut bytes, at)?;
            if bytes == wanted {
                found.push((block, self.locate(at, BLOCK)?));
            }
        }
        ensure!(!found.is_empty(), "{path} does not lie in whole blocks");
        Ok(found)
    }

    /// The last block that begins with these bytes.
    pub(crate) fn last_block_with(&self, start: &[u8]) -> Result<u64> {
        let mut bytes = vec![0; start.len()];
        let mut found = None;
        let places = (0..self.len).step_by(as_usize(BLOCK));
        for (block, at) in (0..self.len / BLOCK).zip(places) {
            self.read_at(&mut bytes, at)?;
            if bytes == start {
                found = Some(block);
            }
        }
        found.with_context(|| format!("no block begins with {start:?}"))
    }
}

/// The content of a file in an ext4 file system.
pub(crate) struct Content(pub(crate) ext4_view::File);

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_bytes(buffer).map_err(io::Error::other)
    }
}

impl Ext4Read for Window {
    fn read(
        &mut self,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.read_at(buffer, start)?)
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Behind the end, to which anybody may seek, there is nothing.
        let left = self.len.saturating_sub(self.position);
        let len = buffer.len().min(as_usize(left));
        let (buffer, _) = buffer.split_at_mut(len);
        self.read_at(buffer, self.position)
            .map_err(io::Error::other)?;
        self.position = past(self.position, len);
        Ok(len)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The crate for FAT wants it; an image is only looked at.
impl Write for Window {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests"
)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;
    use std::process::Command;

    /// An ext4 file system with a folder's content, by mke2fs; None where that is not installed. Bazel's PATH for tests does not lead to it.
    pub(crate) fn mke2fs(folder: &Path, image: &Path) -> Option<()> {
        std::fs::File::create(image)
            .and_then(|file| file.set_len(8 << 20))
            .unwrap();
        let status = Command::new("/usr/sbin/mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-d"])
            .arg(folder)
            .arg(image)
            .status();
        if status.is_err() {
            println!("mke2fs is not installed: nothing to look into");
            return None;
        }
        assert!(status.unwrap().success());
        Some(())
    }

    /// A disk of two partitions, "first" of 1 MiB and "A_root" with `content`, by crate `gpt`.
    pub(crate) fn disk(path: &Path, content: &[u8]) {
        let mut file = std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .unwrap();
        file.set_len(content.len() as u64 + (3 << 20)).unwrap();
        let mut disk = gpt::GptConfig::new()
            .writable(true)
            .create_from_device(&mut file, None)
            .unwrap();
        for (name, len) in [("first", 1 << 20), ("A_root", content.len() as u64)] {
            let kind = gpt::partition_types::LINUX_FS;
            disk.add_partition(name, len, kind, 0, Some(2048)).unwrap();
        }
        disk.write().unwrap();
        file.write_all_at(content, 2 << 20).unwrap();
    }

    #[test]
    fn a_files_first_block_is_found_in_a_disk() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("in/usr/lib")).unwrap();
        let program: Vec<u8> = (0..30_000u32).map(|n| (n % 253) as u8).collect();
        std::fs::write(at("in/usr/lib/program"), &program).unwrap();
        std::fs::write(at("in/short"), b"short").unwrap();
        if mke2fs(&at("in"), &at("fs")).is_none() {
            return;
        }
        let fs = std::fs::read(at("fs")).unwrap();
        disk(&at("disk"), &fs);
        let root = Window::open_partition(&at("disk"), "A_root").unwrap();
        let blocks = root.first_block_of("/usr/lib/program").unwrap();
        let [(block, place)] = blocks[..] else {
            panic!("{blocks:?}");
        };
        let start = (block * BLOCK) as usize;
        assert!(fs[start..start + 30_000] == program);
        assert_eq!(place, (2 << 20) + start as u64);
        for (path, want) in [("/short", "shorter than a block"), ("/none", "cannot open")] {
            let error = format!("{:#}", root.first_block_of(path).unwrap_err());
            assert!(error.contains(want), "{error}");
        }
        for (image, want) in [
            (
                at("disk"),
                "no partition \"B_root\", the image has first, A_root",
            ),
            (
                at("fs"),
                "no partition \"B_root\", the image has no partition table",
            ),
        ] {
            let error = Window::open_partition(&image, "B_root").unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }
}
