//! What can go wrong while an image is written.

use std::io;
use std::path::PathBuf;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input cannot be read, or is not what the plan was made over.
    #[error(transparent)]
    Input(#[from] plan::Error),
    /// An input that somebody wrote to in the meantime.
    #[error("{name} changed while it was read")]
    Changed {
        /// The input.
        name: String,
    },
    /// The image would replace a file that it is made of.
    #[error("the output {} is also an input: {name}", path.display())]
    OutputIsInput {
        /// The output.
        path: PathBuf,
        /// What it is called as an input.
        name: String,
    },
    /// Something else than a file bears the output's name.
    #[error("the output {} exists and is not a regular file", path.display())]
    NotAFile {
        /// The output.
        path: PathBuf,
    },
    /// The output's file cannot be made, or cannot get its name.
    #[error("cannot create {}", path.display())]
    Create {
        /// The output.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Writing failed: no space, mostly.
    #[error("cannot write from byte {at} on")]
    Write {
        /// Where in the output.
        at: u64,
        /// The cause.
        source: io::Error,
    },
    /// A medium cannot be read.
    #[error("cannot read back from byte {at} on")]
    ReadBack {
        /// Where on the medium.
        at: u64,
        /// The cause.
        source: io::Error,
    },
    /// A medium has something else than was written.
    #[error("byte {at} of the medium is not what was written")]
    Differs {
        /// Where on the medium.
        at: u64,
    },
    /// Compression failed.
    #[error(transparent)]
    Compress(#[from] seekable::Error),
}

impl Error {
    pub(crate) fn write(at: u64) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { at, source }
    }
}
