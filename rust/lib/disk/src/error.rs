//! Why a disk could not be made.

use std::io;
use std::path::PathBuf;

/// Why a disk could not be made.
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
    #[error("image {} of {len} bytes is {} bytes larger than partition {name:?} of {size} bytes; make the partition at least {}M", path.display(), len.saturating_sub(*size), len.div_ceil(1 << 20))]
    TooLarge {
        /// The partition.
        name: String,
        /// Its size.
        size: u64,
        /// The image.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// The disk's GUID is also a partition's.
    #[error("disk guid {guid} is also the uuid of partition {name:?}")]
    SharedGuid {
        /// The GUID.
        guid: uuid::Uuid,
        /// The partition.
        name: String,
    },
    /// Something that is not a regular file.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file became shorter while it was read.
    #[error("{} ended after {got} bytes, it had {want} when it was opened", path.display())]
    Shrunk {
        /// The path.
        path: PathBuf,
        /// Bytes read.
        got: u64,
        /// Length at the start.
        want: u64,
    },
    /// The partition table was refused by the writer: an offset that the layout should not have let through.
    #[error("cannot write the partition table: {reason}")]
    Table {
        /// What the writer said.
        reason: String,
    },
    /// Reading an image failed.
    #[error("cannot read {}", path.display())]
    Read {
        /// The image.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Writing the disk failed.
    #[error("cannot write {what}")]
    Write {
        /// Which part.
        what: String,
        /// Cause.
        source: io::Error,
    },
}
