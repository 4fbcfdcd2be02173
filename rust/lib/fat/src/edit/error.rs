//! Why a volume can't be changed.

use std::io;

/// A refusal or a failure. Nothing has been written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// Something else than what is changed here.
    #[error("{found}, want FAT32 with sectors of 512 bytes and both tables in use")]
    Unsupported {
        /// What is there.
        found: String,
    },
    /// The volume contradicts itself: of some clusters nobody knows whose they are.
    #[error("the file system is damaged: {what}; fsck.fat -a mends it")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// There is no room for the new files beside the old ones.
    #[error("the file system has no room: {wants} bytes are wanted beside what is there, {has} are free")]
    Full {
        /// Bytes of clusters wanted.
        wants: u64,
        /// Bytes of clusters that are free.
        has: u64,
    },
    /// A file that can't have this name, or be in this place.
    #[error("cannot place '{path}': {reason}")]
    Name {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// More than any image has.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// Reading failed.
    #[error("cannot read at byte {at}")]
    Io {
        /// Where in the image.
        at: u64,
        /// The cause.
        source: io::Error,
    },
}

impl EditError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    pub(crate) fn unsupported(found: impl Into<String>) -> Self {
        Self::Unsupported {
            found: found.into(),
        }
    }

    pub(crate) fn name(path: &str, reason: impl Into<String>) -> Self {
        Self::Name {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}
