//! ext4.

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
mod params;
mod place;
mod space;
mod superblock;
mod xattr;

pub use body::Body;
pub use error::Error;
pub use layout::{layout, Layout};
pub use params::{Params, Size, BLOCK_SIZE, MIB};
