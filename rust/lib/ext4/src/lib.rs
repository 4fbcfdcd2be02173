//! ext4 images of a [`tree::Tree`].
//!
//! Format: the kernel's `filesystems/ext4` pages. This version streams the tree as a tar to `mke2fs -d -` (e2fsprogs
//! 1.47.1 or later, linked with libarchive) and sets extended attributes other than `security.capability`, which
//! mke2fs does not take from an archive, with debugfs; [`Params`] and [`write()`] say nothing of that.
//!
//! The same tree, contents and [`Params`] give the same bytes: identifiers and times are parameters, mke2fs gets its
//! own configuration and an empty environment. What is written: blocks of 4096 bytes, inodes of 256, no blocks kept
//! for root, checksummed metadata, all times later than [`Params::mtime`] cut to it.
//!
//! [`Need`] knows the size without I/O: a lower bound that refuses a partition too small before anything is written.

mod error;
mod mke2fs;
mod params;
mod plan;
mod write;
mod xattrs;

pub use error::Error;
pub use params::{Params, Size, BLOCK_SIZE, MIB};
pub use plan::{needed_blocks, Need};
pub use write::{write, Written};
