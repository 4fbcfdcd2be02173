//! Where everything lies. Nothing is read or written here.

use crate::error::Error;
use crate::hash::DIGEST_LEN;
use crate::num::{product, sum, without};
use crate::params::Params;
use crate::superblock::SUPERBLOCK;

/// A level of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Where in the image its first block is.
    pub start: u64,
    /// How many hash blocks it has.
    pub blocks: u64,
}

impl Level {
    /// Where a block of it is, each having `size` bytes.
    pub(crate) fn at(&self, block: u64, size: u64) -> u64 {
        sum(self.start, product(block, size))
    }
}

/// An image with its hash area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Blocks of data.
    pub data_blocks: u64,
    /// Where the superblock is: the `hash-offset` of veritysetup.
    pub hash_offset: u64,
    /// The levels, the one over the data first; none over a single data block.
    pub levels: Vec<Level>,
    /// The end of the hash area.
    pub end: u64,
}

impl Layout {
    /// The layout of `len` bytes of data with the hash area behind them.
    ///
    /// The last data block is padded. Should hash blocks be larger than data blocks, the hash area starts at a multiple of
    /// the hash block size.
    pub fn new(len: u64, params: &Params) -> Result<Self, Error> {
        let data_block_size = u64::from(params.data_block_size());
        let hash_block_size = u64::from(params.hash_block_size());
        let data_blocks = len.div_ceil(data_block_size);
        if data_blocks == 0 {
            return Err(Error::Empty);
        }
        data_blocks
            .checked_mul(data_block_size)
            .and_then(|end| end.checked_next_multiple_of(hash_block_size))
            .and_then(|offset| Self::at(data_blocks, offset, hash_block_size))
            .ok_or(Error::TooLong { len })
    }

    /// The layout of a tree over so many data blocks whose superblock is at `hash_offset`; `None` beyond 2^63-1.
    pub(crate) fn at(data_blocks: u64, hash_offset: u64, hash_block_size: u64) -> Option<Self> {
        let per_block = per_block(hash_block_size);
        let mut sizes = Vec::new();
        let mut blocks = data_blocks;
        while blocks > 1 {
            blocks = blocks.div_ceil(per_block);
            sizes.push(blocks);
        }
        let mut at = hash_offset
            .checked_add(SUPERBLOCK)?
            .checked_next_multiple_of(hash_block_size)?;
        let mut levels = Vec::new();
        for blocks in sizes.into_iter().rev() {
            levels.push(Level { start: at, blocks });
            at = at.checked_add(blocks.checked_mul(hash_block_size)?)?;
        }
        levels.reverse();
        i64::try_from(at).ok()?;
        Some(Self {
            data_blocks,
            hash_offset,
            levels,
            end: at,
        })
    }

    /// Length of the hash area: superblock and levels.
    pub fn area_len(&self) -> u64 {
        without(self.end, self.hash_offset)
    }
}

/// How many digests a hash block holds; at least 16.
pub(crate) fn per_block(hash_block_size: u64) -> u64 {
    hash_block_size / DIGEST_LEN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(len: u64, data: u32, hash: u32) -> Layout {
        Layout::new(len, &Params::new(data, hash, &[], [0; 16]).unwrap()).unwrap()
    }

    #[test]
    fn one_block_has_no_level() {
        for len in [1, 4096] {
            let one = layout(len, 4096, 4096);
            assert_eq!((one.data_blocks, one.hash_offset, one.end), (1, 4096, 8192));
            assert_eq!(one.levels, []);
        }
    }

    #[test]
    fn the_root_comes_first() {
        let two = layout(129 * 4096, 4096, 4096);
        let at = 130 * 4096;
        let (start, blocks) = (at, 1);
        let top = Level { start, blocks };
        let (start, blocks) = (at + 4096, 2);
        assert_eq!(two.levels, [Level { start, blocks }, top]);
        assert_eq!(two.area_len(), 4 * 4096);
    }

    #[test]
    fn sizes_that_differ() {
        let small_data = layout(3 * 512, 512, 4096);
        assert_eq!((small_data.data_blocks, small_data.hash_offset), (3, 4096));
        assert_eq!(small_data.end, 3 * 4096);
        let small_hash = layout(20 * 4096, 4096, 512);
        assert_eq!(small_hash.hash_offset, 20 * 4096);
        assert_eq!(small_hash.area_len(), 512 + 512 + 2 * 512);
    }

    #[test]
    fn bounds() {
        let params = Params::new(4096, 4096, &[], [0; 16]).unwrap();
        assert!(matches!(Layout::new(0, &params), Err(Error::Empty)));
        for len in [
            u64::MAX,
            i64::MAX.unsigned_abs(),
            i64::MAX.unsigned_abs() / 4096 * 4096,
        ] {
            assert!(matches!(
                Layout::new(len, &params),
                Err(Error::TooLong { .. })
            ));
        }
    }
}
