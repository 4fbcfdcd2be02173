//! Why there is no layout.

/// A refusal. Paths are printed as the tree's manifest writes them.
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
         ({} MiB more are wanted)", needs_mib.abs_diff(*has_mib)
    )]
    DoesNotFit {
        /// The smallest size that it fits in.
        needs_mib: u64,
        /// The size given.
        has_mib: u64,
    },
    /// More files than an image of this size can have.
    #[error(
        "the tree does not fit: it has {needs} inodes, an image of {has_mib} MiB holds {most}"
    )]
    TooManyInodes {
        /// How many the tree wants, the reserved ones included.
        needs: u64,
        /// How many there can be.
        most: u64,
        /// Size of the image.
        has_mib: u64,
    },
    /// Something that ext4 cannot hold.
    #[error("'/{path}' {reason}")]
    Entry {
        /// The entry.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An extended attribute that ext4 cannot hold.
    #[error("'/{path}': extended attribute '{name}' {reason}")]
    Xattr {
        /// The entry.
        path: String,
        /// The attribute.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The bodies or inputs given are not those of the tree.
    #[error("{reason}")]
    Inputs {
        /// What differs.
        reason: String,
    },
    /// The plan could not be made.
    #[error(transparent)]
    Plan(#[from] plan::Error),
}

impl Error {
    pub(crate) fn entry(path: &[u8], reason: impl Into<String>) -> Self {
        Self::Entry {
            path: tree::display(path),
            reason: reason.into(),
        }
    }
}
