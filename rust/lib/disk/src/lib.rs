//! Disk images: a GUID partition table with the partitions' images in their places.
//!
//! The table is that of UEFI 2.10, chapter 5: protective MBR, primary header and entries, backup entries and header at the very end.
//! Every GUID is given by the caller.
//!
//! [`assemble`] makes a plan: it holds the table, all else is what the partitions' own plans say, or zero. It depends on the
//! layout, the disk GUID and the plans alone, and a disk of 64 GiB is as cheap as one of 64 MiB.
//!
//! [`moved_table`] is the table of an image on a disk that is larger: its copy goes to where the disk ends.
//!
//! [`table()`] is the partition table alone, for who writes to a disk that is there.
//!
//! [`bundle`] makes the plan of a tar of images, for updates.
//!
//! [`digest`] hashes images through their plans, [`manifest`] describes them.

mod assemble;
mod bundle;
pub mod digest;
mod error;
pub mod manifest;
mod moved;
mod named;
mod table;

pub use assemble::{assemble, open, Image, Images, Opened};
pub use bundle::bundle;
pub use error::Error;
pub use moved::{moved_table, MovedTable};
pub use named::{BadPair, NamedFile, Pair};
pub use table::table;
