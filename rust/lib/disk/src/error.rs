//! Why a disk or bundle could not be made.

use std::path::PathBuf;

/// Why a disk or bundle could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An image was given for a partition that the table does not have.
    #[error("image for partition {name:?}, but the table has only: {known}")]
    UnknownPartition {
        /// The name given.
        name: String,
        /// The names of the table.
        known: String,
    },
    /// An image does not fit into its partition.
    #[error("image {} of {len} bytes is {} bytes larger than partition {name:?} of {size} bytes; make the partition at least {}M", path.display(), over, len.div_ceil(1 << 20))]
    TooLarge {
        /// The partition.
        name: String,
        /// Its size.
        size: u64,
        /// The image.
        path: PathBuf,
        /// Its length.
        len: u64,
        /// By how much that is more.
        over: u64,
    },
    /// The disk's GUID is also a partition's.
    #[error("disk guid {guid} is also the uuid of partition {name:?}")]
    SharedGuid {
        /// The GUID.
        guid: uuid::Uuid,
        /// The partition.
        name: String,
    },
    /// What a partition table cannot hold: nothing that a layout lets through, but for a disk of a few KiB.
    #[error("cannot write the partition table: {reason}")]
    Table {
        /// What it is.
        reason: String,
    },
    /// Two members of one name.
    #[error("member {name:?} was given already")]
    MemberTwice {
        /// The name.
        name: String,
    },
    /// A member that no archive can hold: its name.
    #[error(transparent)]
    Member(#[from] archive::Error),
    /// Two images of one name.
    #[error("{flag}: {name:?} was given already")]
    NameTwice {
        /// The flag that gave them.
        flag: &'static str,
        /// The name.
        name: String,
    },
    /// The pieces do not make a plan.
    #[error(transparent)]
    Plan(#[from] plan::Error),
}
