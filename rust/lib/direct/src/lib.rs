//! Disks, partitions, and files in their place, written so that what is read back is what the disk gives.
//!
//! A [`Medium`] is bytes at offsets that are kept for good once flushed. [`Partition`] is one that goes past the page cache as far as
//! that goes, from and to a [`Buffer`]; a plain [`std::fs::File`] is one, too, and so is what a test puts in its place: a disk that
//! forgets, fails, or counts.

mod buffer;
mod medium;

pub use buffer::{Buffer, ALIGNMENT};
pub use medium::{Medium, Partition};
