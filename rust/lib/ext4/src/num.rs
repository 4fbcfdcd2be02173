//! Numbers of blocks, inodes and bytes, and positions in lists.
//!
//! Three bounds hold throughout. [`crate::layout()`] refuses a tree whose files have more than 2^40 blocks ([`MOST_DATA`]), holes
//! included, or that has 2^32 inodes; and it makes no image of more than 2^32 blocks. All else (tables, directories, attributes) grows
//! with these by small factors. So every sum and product here stays below 2^63, and a panic is a bug in this crate.

use std::ops::Range;

pub(crate) use base::bounded::{product, sum, without};

/// Blocks of all files together.
pub(crate) const MOST_DATA: u64 = 1 << 40;

/// A number of inodes, of blocks within a file or directory, or of a group.
#[expect(
    clippy::expect_used,
    reason = "inodes are counted, files are no longer than body::MAX_FILE, groups are fewer than 2^21"
)]
pub(crate) fn narrow(number: u64) -> u32 {
    u32::try_from(number).expect("fewer than 2^32")
}

/// A length or a place within a block.
#[expect(clippy::expect_used, reason = "a block has 4096 bytes")]
pub(crate) fn short(within: usize) -> u16 {
    u16::try_from(within).expect("no more than 4096")
}

/// What is at a position that was counted on the same list.
#[expect(clippy::indexing_slicing, reason = "positions come from the list")]
pub(crate) fn nth<T>(list: &[T], at: usize) -> &T {
    &list[at]
}

/// [`nth`], to be changed.
#[expect(clippy::indexing_slicing, reason = "positions come from the list")]
pub(crate) fn nth_mut<T>(list: &mut [T], at: usize) -> &mut T {
    &mut list[at]
}

/// A part of a list, by positions that were counted on it.
#[expect(clippy::indexing_slicing, reason = "positions come from the list")]
pub(crate) fn part<T>(list: &[T], range: Range<usize>) -> &[T] {
    &list[range]
}
