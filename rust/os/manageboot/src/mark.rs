//! By what a slot shows that it is complete: the sector of its boot partition with the magic number of the file system.

use std::io;
use std::ops::Range;

use anyhow::Context;
use base::as_u64;

use direct::Medium;

/// The first sector of the ext4 superblock, by which the boot loader knows the file system. One sector, because that is written whole or not
/// at all.
pub(crate) const MARK: Range<usize> = 1024..1536;
/// Its bytes.
pub(crate) type Mark = [u8; 512];
/// What an incomplete slot has there.
pub(crate) const NO_MARK: Mark = [0; 512];

/// `s_magic` of the superblock, little-endian, and where it lies in [`MARK`].
const MAGIC: (usize, [u8; 2]) = (56, [0x53, 0xef]);
/// `s_inodes_count` and `s_blocks_count_lo`: never zero in a file system.
const COUNTS: [Range<usize>; 2] = [0..4, 4..8];

/// Whether it is the beginning of a superblock.
pub(crate) fn has_magic(mark: &Mark) -> bool {
    let (at, magic) = MAGIC;
    let counts = COUNTS.into_iter().all(|count| {
        mark.get(count)
            .is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))
    });
    let magic = mark
        .get(at..)
        .is_some_and(|bytes| bytes.starts_with(&magic));
    magic && counts
}

/// The mark of the boot image that begins with `start`.
pub(crate) fn read_mark(start: &[u8]) -> anyhow::Result<Mark> {
    start
        .get(MARK)
        .and_then(|mark| mark.try_into().ok())
        .filter(has_magic)
        .context("member boot.img is no ext4 file system: have the bundle made anew")
}

/// Writes it, to stay.
pub(crate) fn write_mark<M: Medium>(boot: &M, mark: &Mark) -> io::Result<()> {
    boot.write_all_at(mark, as_u64(MARK.start))?;
    boot.flush()
}
