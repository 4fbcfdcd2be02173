//! What can go wrong, and what is only damage.

use std::io;
use std::path::PathBuf;

use crate::span::Span;

/// Why an image could not be read, or something in it not be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image's bytes could not be had.
    #[error("cannot read the image at byte {at}")]
    Read {
        /// Where.
        at: u64,
        /// Why.
        source: Box<plan::Error>,
    },
    /// The image's bytes could not be had when its hash tree was checked.
    #[error("cannot read the image for its hash tree")]
    Verity {
        /// Why.
        source: io::Error,
    },
    /// A range beyond the image, which only a mistake of ours asks for.
    #[error("bytes {at}+{len} lie outside the image of {have} bytes")]
    Outside {
        /// Start of the range.
        at: u64,
        /// Length of the range.
        len: u64,
        /// Length of the image.
        have: u64,
    },
    /// No partition is called so.
    #[error("no partition {name:?}, the image has {have}")]
    NoPartition {
        /// The name or number asked for.
        name: String,
        /// The ones that are there.
        have: String,
    },
    /// No partition is called so, for there is no table of them.
    #[error("no partition {name:?}, the image has no partition table")]
    NoTable {
        /// The name or number asked for.
        name: String,
    },
    /// A place without a partition on a disk.
    #[error("{place:?} names no partition of the disk: write PARTITION:PATH, with one of {have}")]
    WhichPartition {
        /// What came.
        place: String,
        /// The partitions.
        have: String,
    },
    /// A partition, or an image, in which there are no files.
    #[error("{what} has no file system that is read here, it holds {holds}")]
    NoFiles {
        /// Which.
        what: String,
        /// What was found instead, and what reads it.
        holds: String,
    },
    /// An image that shows what is stored for it again and again.
    #[error(
        "reading this image would take far more than the {stored} bytes that are stored for it are worth: it repeats itself, or its parts overlap"
    )]
    Repeats {
        /// How many bytes are stored.
        stored: u64,
    },
    /// A dump that lacks something, with nothing wrong.
    #[error(
        "not all of the image was read: {count} of its parts, see the lines with \"not-read\""
    )]
    Unread {
        /// How many lines say so.
        count: usize,
    },
    /// A partition table that may be right and is not read.
    #[error("this is {what}, which is not read here")]
    Table {
        /// What it is.
        what: String,
    },
    /// A path that is not there.
    #[error("{path}: no such file or directory in the image")]
    NotFound {
        /// The path.
        path: String,
    },
    /// Links that lead nowhere.
    #[error("{path}: more than {max} symbolic links on the way")]
    Loop {
        /// The path.
        path: String,
        /// How many are followed.
        max: usize,
    },
    /// A path without contents.
    #[error("{path}: is a {kind}, want a regular file")]
    NotAFile {
        /// The path.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A file whose contents the damaged image does not have.
    #[error("{path}: damaged: {reason}")]
    Damaged {
        /// The path.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A name that cannot be that of a file of the host.
    #[error("{path} cannot be extracted")]
    Name {
        /// The path in the image.
        path: String,
        /// What is wrong with it.
        source: base::path::UnsafePath,
    },
    /// A file of the host could not be made.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output broke off.
    #[error("cannot write")]
    Output(#[from] io::Error),
    /// A format around the image that this program does not read.
    #[error("this is {what}, not a raw image: {hint}")]
    Wrapped {
        /// The format.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
}

impl Error {
    /// Whether nothing is wrong with the image: it is only of a kind that is not read here.
    pub fn is_unread(&self) -> bool {
        matches!(
            self,
            Self::Wrapped { .. } | Self::NoFiles { .. } | Self::Table { .. } | Self::Unread { .. }
        )
    }
}

/// Why a part of an image was not understood: damage is noted in the dump and the rest is read on, an error ends it.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The image is wrong there.
    Damage(String),
    /// The image could not be read.
    Failed(Error),
}

impl Fault {
    /// Where nothing in the image says what is read, only a mistake of ours can be damage.
    pub(crate) fn of_ours(self, span: Span, have: u64) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::Damage(_) => Error::Outside {
                at: span.start(),
                len: span.len(),
                have,
            },
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A [`Fault::Damage`] of a formatted text.
macro_rules! damage {
    ($($text:tt)*) => { $crate::error::Fault::Damage(format!($($text)*)) };
}
pub(crate) use damage;

/// `Ok`, or the damage as text; an error passes on.
pub(crate) fn damaged<T>(result: Result<T, Fault>) -> Result<Result<T, String>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Fault::Damage(text)) => Ok(Err(text)),
        Err(Fault::Failed(error)) => Err(error),
    }
}
