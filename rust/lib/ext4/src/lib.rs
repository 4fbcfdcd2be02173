//! ext4 file systems as plans: where every block of a [`tree::Tree`] lies, without reading one byte of its files.
//!
//! [`layout()`] takes a tree, the images that its inputs stand for ([`plan::ImageSet`]), and [`Params`]. What comes
//! back is a [`plan::Plan`]: metadata as bytes, data as ranges of the inputs. The same arguments give the same plan: there is
//! no clock, no random number and no default identifier.
//!
//! Format: the kernel's `filesystems/ext4` pages; each module says which, and has its structures as types that say what is written. Blocks have
//! 4096 bytes, inodes 256. Features: ext_attr, dir_index, filetype, extents, flex_bg, sparse_super, large_file, huge_file,
//! dir_nlink, extra_isize, metadata_csum; has_journal where it is asked for and 64bit where block numbers need it (16 TiB).
//! All of them are known to Linux since 3.18 and to GRUB since 2.02.
//!
//! # What lies where
//!
//! | blocks                  | what                                                                              | grows with |
//! |-------------------------|-----------------------------------------------------------------------------------|------------|
//! | 0, 1 …                  | superblock, group descriptors, with room for those of a larger image              | base       |
//! | then                    | **data of the base's files**, in the order of the inputs                          | base       |
//! | then                    | the base's other blocks: attributes, long links, nodes of extent trees            | base       |
//! | then                    | the base's directories, as many blocks as they have without what was injected     | base       |
//! | then                    | inode tables of all groups, one after another; bitmaps of inodes, of blocks       | all        |
//! | then                    | the journal                                                                       | size       |
//! | then                    | data of injected files, their other blocks, their directories, and the blocks by which directories of the base grew | injection |
//! | start of group 1, 3^n, 5^n, 7^n | copies of superblock and descriptors, around which the rest flows         |            |
//!
//! With flex_bg tables and bitmaps of a group may lie anywhere, so all of them lie behind what must not move. Groups have 128
//! MiB; only for trees of more files than such groups have inodes they are smaller.
//!
//! # The promise
//!
//! *No block of data of the base (layer 0) moves, whatever is injected (layer 1), for the same [`Params`].* It holds because
//! nothing before that data depends on an injection: not the size of the image, not the number of inodes, not what a file is
//! called. A file of the base that is replaced leaves its blocks to the one in its place ([`tree::Entry::over`]), and what that
//! does not need stays free. The limit: with [`Size::Smallest`] there is room for the descriptors of 16 GiB, or of four times
//! the base if that is more; beyond it the base moves by whole blocks of descriptors.
//!
//! Other metadata stays mostly, without a promise: inodes of the base keep their numbers and their place in the first table
//! unless one of several names of a file is replaced, and a directory of the base changes only in blocks that get new names
//! (all of them, if it has an index).
//!
//! # What is cut
//!
//! Times later than [`Params::mtime`] become that time, times before December 1901 become that. Access and change times are
//! those of modification, the time of creation is [`Params::mtime`]. Everything else that ext4 cannot hold is an [`Error`].
//!
//! Holes: where a file comes out of an image that is a plan itself, blocks that are zero there are no blocks
//! here. Files that are ranges of inputs have all their blocks, since nobody has looked at them.

mod body;
mod bytes;
mod dir;
mod emit;
mod error;
mod extents;
mod geometry;
mod groups;
mod hash;
mod inode;
mod journal;
mod layout;
mod model;
mod num;
mod params;
mod place;
#[cfg(test)]
mod samples;
mod space;
mod superblock;
mod xattr;

pub use error::Error;
pub use layout::{layout, Layout};
pub use params::{Params, Size, BLOCK_SIZE, MIB};
