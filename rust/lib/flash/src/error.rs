//! Why an image was not written.

use std::io;
use std::path::PathBuf;

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image has no partition table that can be moved to the drive's size.
    #[error(transparent)]
    Table(#[from] disk::Error),
    /// The image or an input of it.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// Writing, or what was read back.
    #[error(transparent)]
    Write(#[from] materialize::Error),
    /// The drive did not take what was in its cache.
    #[error("cannot flush the drive")]
    Flush {
        /// The cause.
        source: io::Error,
    },
    /// What the system knows of its drives cannot be read.
    #[error("cannot read {}", path.display())]
    System {
        /// Where it was looked for.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Something there has another form than the kernel's documentation says.
    #[error("{} holds {found:?}, want {want}", path.display())]
    Unexpected {
        /// Where it was looked for.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What is meant to be there.
        want: &'static str,
    },
    /// The drive cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The drive.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Somebody has it; the kernel says so where nothing else does.
    #[error("{} is in use: the kernel has it open for somebody (mounted in another namespace, perhaps)", path.display())]
    Busy {
        /// The drive.
        path: PathBuf,
    },
    /// It is another drive than the one that was looked at.
    #[error("{} is no longer the drive that it was a moment ago", path.display())]
    Exchanged {
        /// The drive.
        path: PathBuf,
    },
}
