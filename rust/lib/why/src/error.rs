//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image can't be opened.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// The image can't be read, or has no such place.
    #[error(transparent)]
    Inspect(#[from] inspect::Error),
    /// Files that the image was made from are not there.
    #[error("files that the image was made from are not there, since the build took what came after them from a cache; get them with: bazel build {labels}")]
    Lost {
        /// Their labels.
        labels: String,
    },
    /// A side file can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A side file says something else than its format.
    #[error("{} line {line}: not a side file of an image", path.display())]
    Line {
        /// Which.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// dpkg's status file of a root file system can't be read.
    #[error("cannot tell which packages are in {}", path.display())]
    Status {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: dpkg::Error,
    },
    /// A root file system can't be read.
    #[error("cannot read {}", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<archive::Error>,
    },
}
