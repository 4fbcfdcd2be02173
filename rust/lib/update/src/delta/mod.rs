//! Differences of images: what a new image has of an old one, and the rest.
//!
//! `docs/formats/update.md` has the table of bytes. A difference is a head of 64 bytes and a zstd frame of operations that write the new image
//! from front to back, in blocks of 4096 bytes: zeros, blocks of the old image from any place, and blocks that are held. Nothing in it
//! is trusted: what comes out is compared with the manifest chunk by chunk, and the old image's digest is in the head so that another
//! one is refused before anything is written.

mod apply;
mod head;
mod make;

use std::io;

pub use apply::Apply;
pub use head::Head;
pub use make::{make, Image, Made};

/// The unit of a difference: the block of the file systems and of dm-verity.
pub(crate) const BLOCK: usize = 4096;

/// Followed by how many blocks of zeros.
pub(crate) const ZERO: u8 = 1;
/// Followed by the number of a block of the old image, and how many from there on.
pub(crate) const BASE: u8 = 2;
/// Followed by how many blocks, and their bytes.
pub(crate) const HELD: u8 = 3;

/// Why a difference can't be applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is none, or a damaged one.
    #[error("byte {at}: {reason}")]
    Fault {
        /// Where, after decompression.
        at: u64,
        /// What is wrong.
        reason: String,
    },
    /// Reading it failed.
    #[error("cannot read the difference")]
    Read(#[source] io::Error),
    /// Reading the old image failed.
    #[error("cannot read the old image at byte {at}")]
    Base {
        /// Where.
        at: u64,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn fault(at: u64, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Fault { at, reason }
    }
}
