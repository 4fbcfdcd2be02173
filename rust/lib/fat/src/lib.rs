//! FAT images of a [`tree::Tree`].
//!
//! Spec: Microsoft "FAT: General Overview of On-Disk Format" 1.03, called "the specification" in this crate. All
//! integers are little-endian, sectors have 512 bytes, there are two allocation tables and no boot code.
//!
//! | area                  | FAT12, FAT16            | FAT32                                             |
//! |-----------------------|-------------------------|---------------------------------------------------|
//! | reserved sectors      | 1: boot sector          | 32: boot sector, FSInfo, copies of both from 6 on |
//! | tables                | 2                       | 2                                                 |
//! | root directory        | 512 records of 32 bytes | a chain of clusters from cluster 2                |
//! | clusters              | directories, then files, each in byte order of paths and in one piece       ||
//!
//! [`layout`] makes a plan: sectors, tables and directories are bytes that the plan holds, a file is a range of the input
//! that the tree names for it, and no file is read. The same tree and [`Params`] give the same plan: serial number, label
//! and time are parameters. What FAT cannot hold is treated so:
//!
//! | in the tree                                        | in the image                                  |
//! |----------------------------------------------------|-----------------------------------------------|
//! | owner, mode, extended attributes, own times        | left out; every entry has [`Params::mtime`]   |
//! | hard link                                          | a second copy of the file                     |
//! | symbolic link, device, named pipe                  | refused                                       |
//! | names that differ in case only                     | refused                                       |
//! | name with `\ : * ? " < > \|`, controls, not UTF-8, | refused                                       |
//! | over 255 UTF-16 units, ending in a dot or space    |                                               |
//! | file of 4 GiB or more                              | refused                                       |
//!
//! [`Volume`] changes files of a FAT32 volume that is there; the module [`edit`] says why a cut at any instant leaves the old files or the new.

mod boot;
pub mod edit;
mod error;
mod geometry;
mod layout;
mod names;
mod params;
mod place;
mod records;
mod short;
mod table;
mod time;

pub use edit::{Edit, EditError, Volume, Write};
pub use error::Error;
pub use layout::layout;
pub use params::{FatType, Params};
