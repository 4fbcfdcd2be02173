//! Why an image was not laid out.

/// A refusal or a failure. Paths are printed as the manifest writes them.
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
    /// An entry that FAT cannot hold.
    #[error("FAT cannot hold '/{path}': {reason}")]
    Unrepresentable {
        /// The entry.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Two names in one directory that FAT takes for the same.
    #[error("FAT takes '/{first}' and '/{second}' for the same name: they differ in case only")]
    CaseClash {
        /// The first in byte order.
        first: String,
        /// The second.
        second: String,
    },
    /// The tree is larger than the image may be.
    #[error(
        "the tree does not fit: it needs {needs_mib} MiB, the partition has {has_mib} MiB \
         ({} KiB more are wanted)", lacking.div_ceil(1024)
    )]
    DoesNotFit {
        /// Size wanted in MiB.
        needs_mib: u64,
        /// Size given in MiB.
        has_mib: u64,
        /// Bytes of clusters that are missing.
        lacking: u64,
    },
    /// No file system of this kind is large enough.
    #[error("the tree does not fit: it needs more than {mib} MiB, and no FAT{bits} file system of that size has room for it")]
    TooLarge {
        /// Width of the table's entries.
        bits: u64,
        /// What it needs at least in MiB.
        mib: u64,
    },
    /// The root directory of FAT12 and FAT16 has a fixed length.
    #[error("the root directory wants {wants} records of 32 bytes, FAT12 and FAT16 have {has}: use subdirectories, shorter names or FAT32")]
    RootFull {
        /// Records wanted.
        wants: u32,
        /// Records there are.
        has: u16,
    },
    /// The specification (section 6) bounds a directory.
    #[error("the directory '/{path}' wants {wants} records of 32 bytes, FAT has at most {has}: use subdirectories or shorter names")]
    DirectoryFull {
        /// The directory.
        path: String,
        /// Records wanted.
        wants: usize,
        /// The most a directory has.
        has: u32,
    },
    /// More clusters than the table has entries for.
    #[error("the table is full: {wants} clusters are wanted, {has} are free")]
    TableFull {
        /// Clusters wanted for one more entry.
        wants: u32,
        /// Clusters there are.
        has: u32,
    },
    /// No such file system in this size.
    #[error("a FAT{bits} file system cannot have {size_mib} MiB: {reason}")]
    Geometry {
        /// Width of the table's entries.
        bits: u64,
        /// Size of the image.
        size_mib: u64,
        /// Which way it is out of bounds.
        reason: &'static str,
    },
    /// A file's range does not fit what the tree's input is.
    #[error(transparent)]
    Plan(#[from] plan::Error),
}
