//! How many blocks a tree takes.
//!
//! | what                    | blocks                                                            |
//! |-------------------------|-------------------------------------------------------------------|
//! | file                    | length / 4096, rounded up; with more than 4 extents 1 for the tree |
//! | directory               | records of 8 + name (to 4 bytes), 4084 bytes of them in a block   |
//! | symlink                 | none up to 59 bytes, else 1                                       |
//! | extended attributes     | none up to 92 bytes in the inode, else 1                          |
//! | `lost+found`            | 4                                                                 |
//! | group                   | 2 bitmaps, inode table; in groups 0, 1, 3^n, 5^n, 7^n also the    |
//! |                         | superblock, descriptors, and those kept for growth                |
//!
//! Zero blocks of files become holes, so the contents decide too; [`Need`] takes them as full until they were read.

use std::collections::BTreeMap;

use tree::{Entry, Kind, Tree};

use crate::params::{BLOCK_SIZE, MAX_MIB, MIB_BLOCKS};

/// Blocks in a block group: what one bitmap block can describe.
const GROUP_BLOCKS: u64 = 32768;
/// Inodes in a block.
const INODES_PER_BLOCK: u64 = 16;
/// Bytes of a group descriptor with the feature `64bit`.
const DESCRIPTOR: u64 = 64;
/// Inodes that are taken before the first file, and `lost+found`.
const RESERVED_INODES: u64 = 11;

/// What a tree takes, whatever the size of the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Blocks of files, directories, long links and attributes.
    pub blocks: u64,
    /// Inodes, the reserved ones included.
    pub inodes: u64,
}

impl Need {
    /// Counts `tree`, its files as if no block of them were zero.
    pub fn of(tree: &Tree) -> Self {
        let mut need = Self {
            blocks: 4,
            inodes: RESERVED_INODES,
        };
        let mut dirs: BTreeMap<&[u8], u64> = BTreeMap::new();
        for (path, entry) in tree.entries() {
            if let Some((dir, name)) = split(path) {
                let record = u64::try_from(name.len()).unwrap_or(u64::MAX);
                let record = record.saturating_add(8).next_multiple_of(4);
                let bytes = dirs.entry(dir).or_default();
                *bytes = bytes.saturating_add(record);
            }
            if !matches!(entry.kind, Kind::HardLink { .. }) {
                // The root is inode 2, counted above.
                need.inodes = need.inodes.saturating_add(u64::from(!path.is_empty()));
                need.blocks = need.blocks.saturating_add(own_blocks(entry));
            }
            if entry.kind == Kind::Dir {
                // `.` and `..`
                let bytes = dirs.entry(path).or_default();
                *bytes = bytes.saturating_add(24);
            }
        }
        for bytes in dirs.values() {
            need.blocks = need.blocks.saturating_add(bytes.div_ceil(4084));
        }
        need
    }
}

fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => Some((path.get(..at)?, path.get(at.saturating_add(1)..)?)),
        None => (!path.is_empty()).then_some((b"", path)),
    }
}

/// Blocks of an entry besides directory records.
fn own_blocks(entry: &Entry) -> u64 {
    let data = match &entry.kind {
        Kind::File(source) => {
            let blocks = source.len.div_ceil(BLOCK_SIZE);
            // An extent reaches 32768 blocks, and four fit into the inode.
            let extents = blocks.div_ceil(GROUP_BLOCKS);
            blocks.saturating_add(u64::from(extents > 4))
        }
        Kind::Symlink { target } if target.len() >= 60 => 1,
        _ => 0,
    };
    let attribute = |(name, value): (&Vec<u8>, &Vec<u8>)| {
        // The namespace is one byte of the record.
        let name = name.splitn(2, |b| *b == b'.').last().unwrap_or_default();
        let len = name.len().next_multiple_of(4);
        len.saturating_add(value.len().next_multiple_of(4))
            .saturating_add(16)
    };
    let xattrs = entry.xattrs.iter().map(attribute);
    let xattrs = xattrs.fold(0usize, usize::saturating_add);
    data.saturating_add(u64::from(xattrs > 92))
}

/// The size of an image and the inodes in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) blocks: u64,
    pub(crate) inodes: u64,
}

impl Layout {
    /// An image of `blocks` blocks: one inode per 16 KiB as is usual, or as many as the tree wants.
    pub(crate) fn of(blocks: u64, need: Need, journal: bool) -> (Self, u64) {
        let inodes = need.inodes.max(blocks / 4);
        let layout = Self { blocks, inodes };
        (layout, layout.overhead(journal))
    }

    /// An image that holds no more inodes than the tree wants.
    pub(crate) fn tight(blocks: u64, need: Need, journal: bool) -> (Self, u64) {
        let inodes = need.inodes;
        let layout = Self { blocks, inodes };
        (layout, layout.overhead(journal))
    }

    /// Blocks that no file can have.
    fn overhead(self, journal: bool) -> u64 {
        let groups = self.blocks.div_ceil(GROUP_BLOCKS).max(1);
        let descriptors = groups.saturating_mul(DESCRIPTOR).div_ceil(BLOCK_SIZE);
        // Descriptors for a file system 1024 times as large, as far as one indirect block reaches.
        let grown = self.blocks.saturating_mul(1024).min(u64::from(u32::MAX));
        let grown = grown.div_ceil(GROUP_BLOCKS).saturating_mul(DESCRIPTOR);
        let kept = grown.div_ceil(BLOCK_SIZE).saturating_sub(descriptors);
        let kept = kept.min(BLOCK_SIZE / 4);
        let copy = descriptors.saturating_add(kept).saturating_add(1);
        let table = self.inodes.div_ceil(groups).div_ceil(INODES_PER_BLOCK);
        copy.saturating_mul(copies(groups))
            .saturating_add(groups.saturating_mul(table.saturating_add(2)))
            // The resize inode's own indirect block.
            .saturating_add(1)
            .saturating_add(if journal {
                journal_blocks(self.blocks)
            } else {
                0
            })
    }
}

/// The fewest blocks of a file system with a journal.
const JOURNALLED: u64 = 2048;

/// Blocks of the journal that mke2fs makes by default.
fn journal_blocks(blocks: u64) -> u64 {
    match blocks {
        0..32_768 => 1024,
        32_768..262_144 => 4096,
        262_144..524_288 => 8192,
        524_288..4_194_304 => 16_384,
        4_194_304..8_388_608 => 32_768,
        8_388_608..16_777_216 => 65_536,
        16_777_216..33_554_432 => 131_072,
        _ => 262_144,
    }
}

/// How many of `groups` groups carry a superblock: 0, 1 and the powers of 3, 5 and 7.
fn copies(groups: u64) -> u64 {
    let mut count = groups.min(2);
    for base in [3u64, 5, 7] {
        let mut power = base;
        while power < groups {
            count = count.saturating_add(1);
            power = power.saturating_mul(base);
        }
    }
    count
}

/// The fewest blocks of an image that holds `need`, in whole MiB, with `free_percent` of it free.
pub fn needed_blocks(need: Need, journal: bool, free_percent: u8) -> u64 {
    let share = 100u64.saturating_sub(u64::from(free_percent)).max(1);
    let mut blocks = if journal { JOURNALLED } else { 0 };
    // The overhead grows with the size and is a small part of it, so this settles in a few rounds.
    for _ in 0..64 {
        let (_, overhead) = Layout::tight(blocks, need, journal);
        let used = need.blocks.saturating_add(overhead);
        let wanted = used.saturating_mul(100).div_ceil(share);
        let wanted = wanted.min(MAX_MIB.saturating_mul(MIB_BLOCKS));
        let wanted = wanted.next_multiple_of(MIB_BLOCKS);
        if wanted <= blocks {
            break;
        }
        blocks = wanted;
    }
    blocks
}
