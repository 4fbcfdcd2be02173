//! dm-verity format 1: superblock and hash tree of an image, from its plan; a verifier that trusts nothing of it; and the digest that
//! fs-verity, whose tree is the same, has of a file.
//!
//! Spec: Linux `Documentation/admin-guide/device-mapper/verity.rst`; the superblock as cryptsetup's `verity` page has it.
//! The *hash area* begins where the data ends: data (padded to whole blocks), superblock in a block of its own, then the
//! levels of the tree, the one with the root's block first, the one over the data last. The superblock's fields stand in the
//! module of [`Superblock`].
//!
//! A digest is SHA-256 of salt and block. A block of a level holds the digests of as many blocks below as fit, zero-padded;
//! the digest of the only block of the first level is the *root hash*. Over a single data block there is no level at all:
//! its digest is the root hash.
//!
//! | to …                                           | use                                                   |
//! |------------------------------------------------|-------------------------------------------------------|
//! | say block sizes, salt and UUID                 | [`Params`]                                            |
//! | know where everything lies                     | [`Layout`]                                            |
//! | hash an input once, for all images it gets into | [`write_block_hashes`], [`BlockHashes`]              |
//! | make the hash area of a plan                   | [`area`], then [`Area::behind`]; [`append`], which holds all of it |
//! | say in 64 digits what a file is                | [`FsverityDigest`]                                    |
//! | look at an image, check it                     | [`read_superblock`], [`root_hash`], [`verify`]        |
//!
//! # What a change costs
//!
//! A data block that is a whole block of an input, at a multiple of the block size in it, has a digest that depends on that
//! input alone. [`BlockHashes`] are such digests, made once per input, and of an archive those of its files' ends, too; only what lies
//! otherwise (metadata that a plan holds) is read and hashed for the image, and only those digests are an area's own: all others are ranges of
//! the files of block hashes, which every image over the inputs shares. Blocks of zeros, and hash blocks over them, are hashed once.
//! Work is split over all processors; the result does not depend on how.
//!
//! # Memory
//!
//! A hash area is 1/127 of the data. [`area`] keeps less than 1/100 of that, its parts and a few MB; [`append`] keeps all of
//! it but what lies over zeros, and refuses to keep more than [`MAX_APPENDED`] bytes.

mod area;
mod block_hashes;
mod error;
mod fsverity;
mod hash;
mod image;
mod layout;
mod num;
mod params;
mod parts;
mod superblock;
mod verify;
mod work;

pub use area::{area, Area, Known, WriteAt};
pub use block_hashes::{write_block_hashes, BlockHashes};
pub use error::Error;
pub use fsverity::FsverityDigest;
pub use hash::Digest;
pub use image::{append, MAX_APPENDED};
pub use layout::{Layout, Level};
pub use params::{parse_salt, parse_uuid, Params};
pub use superblock::Superblock;
pub use verify::{read_superblock, root_hash, verify};
