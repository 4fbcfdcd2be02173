//! Looking into images from outside, with readers that the build does not write with.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;

use anyhow::{ensure, Context, Result};
use ext4_view::{Ext4, Ext4Read};
use plan::Reader;

/// Size of a block of the file systems and of dm-verity.
pub(crate) const BLOCK: u64 = 4096;

const SECTOR: u64 = 512;

/// A part of an image.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    image: Rc<Reader>,
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

    /// Where in the image it starts.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<()> {
        let len = u64::try_from(buffer.len())?;
        let end = at.checked_add(len).filter(|end| *end <= self.len);
        ensure!(
            end.is_some(),
            "bytes {at}+{len} lie outside {} bytes",
            self.len
        );
        let at = self.start.saturating_add(at);
        Ok(self.image.read_at(buffer, at)?)
    }

    fn array<const N: usize>(&self, at: u64) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// The partition called `name`, by the GPT (UEFI specification 2.10, section 5.3).
    pub(crate) fn partition(&self, name: &str) -> Result<Self> {
        let signature: [u8; 8] = self.array(SECTOR)?;
        ensure!(&signature == b"EFI PART", "there is no GPT");
        let number = |at| self.array(at).map(u64::from_le_bytes);
        let small = |at| self.array(at).map(u32::from_le_bytes).map(u64::from);
        let entries = number(SECTOR.saturating_add(72))?.saturating_mul(SECTOR);
        let count = small(SECTOR.saturating_add(80))?.min(1024);
        let size = small(SECTOR.saturating_add(84))?;
        for index in 0..count {
            let entry = entries.saturating_add(index.saturating_mul(size));
            let (first, last) = (entry.saturating_add(32), entry.saturating_add(40));
            let label: [u8; 72] = self.array(entry.saturating_add(56))?;
            let (first, last) = (number(first)?, number(last)?);
            if first != 0 && label_text(&label) == name {
                let sectors = last.saturating_add(1).saturating_sub(first);
                return Ok(Self {
                    start: first.saturating_mul(SECTOR),
                    len: sectors.saturating_mul(SECTOR),
                    position: 0,
                    image: Rc::clone(&self.image),
                });
            }
        }
        anyhow::bail!("there is no partition {name}")
    }

    /// The ext4 file system that fills it, or its first part.
    pub(crate) fn ext4(&self) -> Result<Ext4> {
        Ext4::load(Box::new(self.clone())).context("cannot read the ext4 file system")
    }

    /// The blocks whose bytes are those of the first block of the file at `path` in its ext4 file system: one of them is that block.
    pub(crate) fn first_block_of(&self, path: &str) -> Result<Vec<u64>> {
        let file = self
            .ext4()?
            .open(path)
            .with_context(|| format!("cannot open {path}"))?;
        let mut wanted = Vec::new();
        Content(file).take(BLOCK).read_to_end(&mut wanted)?;
        let whole = u64::try_from(wanted.len())? == BLOCK;
        ensure!(whole, "{path} is shorter than a block");
        let mut found = Vec::new();
        let mut bytes = vec![0; wanted.len()];
        // A few hundred megabytes at most: this is quick.
        for block in 0..self.len / BLOCK {
            self.read_at(&mut bytes, block.saturating_mul(BLOCK))?;
            if bytes == wanted {
                found.push(block);
            }
        }
        ensure!(!found.is_empty(), "{path} does not lie in whole blocks");
        Ok(found)
    }
}

/// The content of a file in an ext4 file system.
pub(crate) struct Content(pub(crate) ext4_view::File);

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_bytes(buffer).map_err(io::Error::other)
    }
}

/// A partition's name: UTF-16, little-endian, up to the first zero.
fn label_text(bytes: &[u8; 72]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes(unit.try_into().unwrap_or_default()))
        .take_while(|unit| *unit != 0);
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
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
        let left = self.len.saturating_sub(self.position);
        let len = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let buffer = buffer.get_mut(..len).unwrap_or_default();
        self.read_at(buffer, self.position)
            .map_err(io::Error::other)?;
        self.position = self
            .position
            .saturating_add(u64::try_from(len).unwrap_or(0));
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

    /// A disk of two partitions, "first" of 1 MiB and "A_root" with `content`.
    fn disk(content: &[u8]) -> Vec<u8> {
        let mut disk = vec![0; 1 << 20];
        disk[512..520].copy_from_slice(b"EFI PART");
        disk[584..592].copy_from_slice(&2u64.to_le_bytes());
        disk[592..596].copy_from_slice(&128u32.to_le_bytes());
        disk[596..600].copy_from_slice(&128u32.to_le_bytes());
        let sectors = content.len() as u64 / 512;
        for (entry, first, len, name) in
            [(1024, 2048, 2048, "first"), (1280, 4096, sectors, "A_root")]
        {
            disk[entry + 32..entry + 40].copy_from_slice(&u64::to_le_bytes(first));
            disk[entry + 40..entry + 48].copy_from_slice(&u64::to_le_bytes(first + len - 1));
            for (unit, at) in name.encode_utf16().zip((entry + 56..).step_by(2)) {
                disk[at..at + 2].copy_from_slice(&unit.to_le_bytes());
            }
        }
        disk.resize(2 << 20, 0);
        disk.extend_from_slice(content);
        disk
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
        std::fs::write(at("disk"), disk(&fs)).unwrap();
        let root = Window::open(&at("disk")).unwrap().partition("A_root");
        let root = root.unwrap();
        assert_eq!(root.start(), 2 << 20);
        let blocks = root.first_block_of("/usr/lib/program").unwrap();
        assert_eq!(blocks.len(), 1);
        let start = (blocks[0] * BLOCK) as usize;
        assert!(fs[start..start + 30_000] == program);
        for (path, want) in [("/short", "shorter than a block"), ("/none", "cannot open")] {
            let error = format!("{:#}", root.first_block_of(path).unwrap_err());
            assert!(error.contains(want), "{error}");
        }
        let disk = Window::open(&at("disk")).unwrap();
        let error = disk.partition("B_root").unwrap_err().to_string();
        assert_eq!(error, "there is no partition B_root");
        let error = root.partition("A_root").unwrap_err().to_string();
        assert_eq!(error, "there is no GPT");
    }
}
