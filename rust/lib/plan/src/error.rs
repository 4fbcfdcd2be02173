//! What can be wrong with a plan.

use std::io;
use std::path::PathBuf;

use crate::digest::BadDigest;

/// Why a plan was refused, or could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that are no plan of this version, or a damaged one.
    #[error("not a valid image plan: at byte {at}: {reason}")]
    Format {
        /// Offset in the encoding.
        at: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A range that reaches beyond an input.
    #[error("bytes {offset}+{len} of input {input} lie outside its {have} bytes")]
    OutsideInput {
        /// The input's position.
        input: u32,
        /// Start of the range.
        offset: u64,
        /// Length of the range.
        len: u64,
        /// Length of the input.
        have: u64,
    },
    /// A position that no input has.
    #[error("the plan names input {input}, but it has {have} inputs")]
    MissingInput {
        /// The position.
        input: u32,
        /// How many there are.
        have: usize,
    },
    /// A range that reaches beyond the image.
    #[error("bytes {start}+{len} lie outside the image of {have} bytes")]
    OutsideImage {
        /// Start of the range.
        start: u64,
        /// Length of the range.
        len: u64,
        /// Length of the image.
        have: u64,
    },
    /// Two pieces claim the same byte.
    #[error("two pieces overlap: {first_start}+{first_len} and {second_start}+{second_len}")]
    Overlap {
        /// Start of the piece that comes first.
        first_start: u64,
        /// Its length.
        first_len: u64,
        /// Start of the other.
        second_start: u64,
        /// Its length.
        second_len: u64,
    },
    /// An image longer than 2^63-1 bytes.
    #[error("the image would be longer than 2^63-1 bytes")]
    TooLong,
    /// More inputs than positions.
    #[error("the image would have more than 2^32-1 inputs")]
    TooManyInputs,
    /// The files given are not the inputs that the plan was made over.
    #[error("{reason}")]
    Inputs {
        /// What differs.
        reason: String,
    },
    /// Reading an input failed.
    #[error("cannot read {what}")]
    Io {
        /// Which file.
        what: String,
        /// The cause.
        source: io::Error,
    },
    /// A file that a plan list names is not where its relative path leads.
    #[error(
        "{}: its relative paths are meant from the current directory, {}",
        list.display(), folder.display()
    )]
    ListedFile {
        /// The list.
        list: PathBuf,
        /// The current directory.
        folder: PathBuf,
        /// Which file, and why.
        source: Box<Error>,
    },
    /// A file named `*.digest` that is none.
    #[error("{}", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// What is in it.
        source: BadDigest,
    },
    /// A plan file that is refused.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<Error>,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Another number of files than the plan has inputs.
    pub(crate) fn input_count(have: usize, given: usize) -> Self {
        let reason = format!("the plan was made over {have} inputs, but {given} are given");
        Self::Inputs { reason }
    }

    pub(crate) fn outside_image(start: u64, len: u64, have: u64) -> Self {
        Self::OutsideImage { start, len, have }
    }
}
