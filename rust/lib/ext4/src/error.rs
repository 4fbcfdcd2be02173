//! Why an image was not written.

use std::io;
use std::path::PathBuf;

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter out of range.
    #[error("{name}: got '{value}', want {want}")]
    Param {
        /// Which one.
        name: &'static str,
        /// What came.
        value: String,
        /// What was wanted.
        want: &'static str,
    },
    /// The tree is larger than the image may be.
    #[error(
        "the tree does not fit: it needs {needs_mib} MiB, the partition has {has_mib} MiB \
         ({} MiB more are wanted)", needs_mib.saturating_sub(*has_mib)
    )]
    DoesNotFit {
        /// A lower bound of the size wanted.
        needs_mib: u64,
        /// The size given.
        has_mib: u64,
    },
    /// mke2fs could not be started.
    #[error("cannot run {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// mke2fs failed.
    #[error("{} failed ({status}): {message}", program.display())]
    Mke2fs {
        /// The program.
        program: PathBuf,
        /// Its exit status.
        status: String,
        /// What it said.
        message: String,
    },
    /// An extended attribute could not be set.
    #[error("cannot set extended attributes of '{path}': {reason}")]
    Xattr {
        /// The entry, or the image.
        path: String,
        /// What was said.
        reason: String,
    },
    /// The tree's contents could not be read.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// Reading or writing failed.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: String,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
