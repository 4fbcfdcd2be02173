//! Why a bundle is not read on.

use std::io;

use crate::Refusal;

/// Why a bundle is not read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is something wrong with it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Reading it failed: trying again may help.
    #[error("cannot read the bundle")]
    Read(#[source] io::Error),
    /// Reading the image that a difference is applied to failed.
    #[error("cannot read {member} of the running system at byte {at}")]
    Base {
        /// The image.
        member: String,
        /// Where.
        at: u64,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Whether the bundle itself is at fault, and another try would end as this one did.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
