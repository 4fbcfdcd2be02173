//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no bill of materials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of notes or parts says something else than its format.
    #[error("{} line {line}: not a line of its format", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// An archive can't be read.
    #[error("cannot read {}", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// Why.
        source: archive::Error,
    },
    /// What dpkg wrote in a base image can't be read, or a lock can't.
    #[error("{}", path.display())]
    Debian {
        /// The archive or lock.
        path: PathBuf,
        /// What is wrong.
        source: debian::Error,
    },
    /// dpkg's status file of a base image can't be read.
    #[error("{}", path.display())]
    Status {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: dpkg::Error,
    },
    /// A tree can't be read.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// An image can't be read.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// Files that nothing says the origin of.
    #[error("{count} files of the image are of no package, step or late file, the first being {first}: every file needs an owner")]
    NoOwner {
        /// How many.
        count: usize,
        /// One of them.
        first: String,
    },
    /// A package of the base image that its lock does not have.
    #[error("{}: the base image {} has {name} {version} of {architecture}, which the lock lacks", lock.display(), tar.display())]
    NotLocked {
        /// The lock.
        lock: PathBuf,
        /// The base image's archive.
        tar: PathBuf,
        /// Package.
        name: String,
        /// Its version.
        version: String,
        /// Its architecture.
        architecture: String,
    },
    /// A part refers to something that no part is.
    #[error("got no part for {what}, which another part refers to")]
    NoPart {
        /// What is missing.
        what: String,
    },
    /// Another file does not say what it must.
    #[error("{}: {reason}", path.display())]
    Bad {
        /// Which.
        path: PathBuf,
        /// What came and what was wanted.
        reason: String,
    },
    /// The document can't be written as JSON.
    #[error("cannot write the document as JSON")]
    Json(#[from] serde_json::Error),
    /// The image's time is none that a date has.
    #[error("got {0} seconds since 1970, want a time of the years 1970 to 9999")]
    Time(i64),
}

impl Error {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}
