//! What can go wrong between a client and an image.

use std::io;
use std::path::PathBuf;

/// Why an image could not be served, or a connection ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading the image failed, or a range beyond it was asked for.
    #[error(transparent)]
    Image(#[from] plan::Error),
    /// A socket where none can be.
    #[error(
        "{}: a path of {len} bytes, a socket's has at most {max}: choose a shorter one, such as in a folder below /tmp",
        path.display()
    )]
    SocketPath {
        /// The path.
        path: PathBuf,
        /// Its length.
        len: usize,
        /// Longest path.
        max: usize,
    },
    /// Reading or writing failed.
    #[error("cannot {action}")]
    Io {
        /// What was being done, as a verb phrase.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The file that should keep changes is none of ours, or a damaged one.
    #[error("{} holds no changes to an image: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file holds changes to another image, or to an older state of this one.
    #[error(
        "{} holds changes to an image that has been rebuilt since and fits the new one no more; delete it to start anew",
        path.display()
    )]
    OtherImage {
        /// The file.
        path: PathBuf,
    },
    /// No log of writes, or not of this image.
    #[error("{} is no log of what was written to this image: {reason}", path.display())]
    Writes {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is in use by another server.
    #[error("{} is in use by another program", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// An image of more than 16 TiB, whose changes cannot be kept.
    #[error("changes to an image of {len} bytes cannot be kept in a file: {max} are the most")]
    TooLong {
        /// Length of the image.
        len: u64,
        /// Longest image.
        max: u64,
    },
    /// Bytes that are not the protocol.
    #[error("the client broke the protocol: {reason}")]
    Protocol {
        /// What came.
        reason: String,
    },
}

impl Error {
    /// An I/O error while doing `action`; for `map_err`.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    /// What we say has no more bytes than 32 bits can tell.
    pub(crate) fn too_long(len: usize) -> Self {
        let error = io::Error::new(io::ErrorKind::InvalidInput, format!("{len} bytes at once"));
        Self::io("write to the client")(error)
    }

    pub(crate) fn protocol(reason: impl Into<String>) -> Self {
        Self::Protocol {
            reason: reason.into(),
        }
    }
}
