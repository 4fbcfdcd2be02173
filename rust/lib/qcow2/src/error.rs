//! What keeps a disk from being a qcow2 image.

/// Why there is no qcow2 image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A disk that QEMU would refuse.
    #[error("the disk has {len} bytes, a qcow2 image at most {max}")]
    TooLarge {
        /// Length of the disk.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// Something about the plans.
    #[error(transparent)]
    Plan(#[from] plan::Error),
}
