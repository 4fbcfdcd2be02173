//! What can be wrong.

use std::io;

/// Why a hash area was not made, or an image was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A block size that the format does not have.
    #[error("{what} block size {got}: want a power of two from 512 to 65536")]
    BlockSize {
        /// `data` or `hash`.
        what: &'static str,
        /// What came.
        got: u32,
    },
    /// A salt beyond the superblock's field.
    #[error("a salt of {got} bytes, at most 256 fit")]
    SaltLength {
        /// What came.
        got: usize,
    },
    /// Text that is no hexadecimal number of whole bytes.
    #[error("{what} {got:?}: want {want}")]
    Text {
        /// Of what.
        what: &'static str,
        /// What came.
        got: String,
        /// What was expected.
        want: &'static str,
    },
    /// An image of no bytes.
    #[error("the image is empty: dm-verity needs at least one block of data")]
    Empty,
    /// Data and hash area would reach beyond 2^63-1 bytes.
    #[error(
        "an image of {len} bytes is too long: with its hash area it would have more than 2^63-1"
    )]
    TooLong {
        /// Length of the data.
        len: u64,
    },
    /// An input beyond what files reach.
    #[error("an input of {len} bytes is too long: files end before 2^63")]
    InputTooLong {
        /// What came.
        len: u64,
    },
    /// A cut that is none.
    #[error("a cut at {cut} of {len} bytes: want them in ascending order, each within the input and within a block of its own")]
    Cut {
        /// Where it is.
        cut: u64,
        /// Length of the input.
        len: u64,
    },
    /// The hash area does not fit into a plan.
    #[error("a plan takes at most {max} bytes of a hash area: let it be a file of its own")]
    TooLargeForPlan {
        /// [`crate::MAX_APPENDED`].
        max: u64,
    },
    /// Block hashes that are no such file, or a damaged one.
    #[error("not valid block hashes: at byte {at}: {reason}")]
    BlockHashes {
        /// Offset in the file.
        at: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Block hashes of something else.
    #[error("block hashes of another kind: they are of {what} {got}, want {want}")]
    OtherBlockHashes {
        /// What differs.
        what: &'static str,
        /// What the block hashes say.
        got: String,
        /// What the image needs.
        want: String,
    },
    /// Block hashes of an input that the image does not have.
    #[error("block hashes of input {input}, but the image has {have} inputs")]
    NoSuchInput {
        /// The input's position.
        input: u32,
        /// How many there are.
        have: usize,
    },
    /// Two block hashes for one input.
    #[error("block hashes of input {input} are given twice")]
    Twice {
        /// The input's position.
        input: u32,
    },
    /// Something in the superblock that is not right, or not known here.
    #[error("superblock at byte {at}: {field}: {reason}")]
    Superblock {
        /// Where it starts in the image.
        at: u64,
        /// The field, by its name in the specification.
        field: &'static str,
        /// What came, and what was wanted.
        reason: String,
    },
    /// The top of the tree is not what the root hash says.
    #[error("root hash: the image has {got}, want {want}")]
    RootHash {
        /// What the image has.
        got: String,
        /// What was expected.
        want: String,
    },
    /// A block of the tree that is not what the level above says.
    #[error("level {level} (0 is over the data): hash block {block}, at byte {at}, does not match its digest")]
    HashBlock {
        /// The level, 0 for the one over the data.
        level: usize,
        /// The block within the level.
        block: u64,
        /// Where it is in the image.
        at: u64,
    },
    /// A data block that is not what the tree says.
    #[error("data block {block}, at byte {at}, does not match its digest")]
    DataBlock {
        /// The block.
        block: u64,
        /// Where it is in the image.
        at: u64,
    },
    /// A file that does not hold what its name says.
    #[error("{path}")]
    File {
        /// Which.
        path: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// The plan, or reading through it.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// Reading or writing failed.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
