//! Disk images: a GUID partition table with the partitions' images in their places.
//!
//! The table is written by crate `gpt` after UEFI 2.10, chapter 5: protective MBR, primary header and entries, backup
//! entries and header at the very end. Every GUID is given by the caller; the crate would draw random ones.
//!
//! The image is sparse: what is a hole or all zero in a partition's image is a hole in the disk. Its bytes depend on the
//! layout, the disk GUID and the images alone.
//!
//! [`digest`] hashes the results on all cores, [`manifest`] describes them.

mod assemble;
pub mod digest;
mod error;
pub mod manifest;
mod named;
mod sparse;
mod table;

pub use assemble::{assemble, Images};
pub use error::Error;
pub use named::{BadPair, NamedFile, Pair};
pub use sparse::{copy_sparse, Copied};
pub use table::write_table;
