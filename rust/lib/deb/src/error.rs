//! What can be wrong with a package's file.

use std::io;

use crate::control::{MAX_BYTES, MAX_FILES};

/// One of the two archives in a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What dpkg is to know of it.
    Control,
    /// Its files.
    Data,
}

impl Part {
    /// How the name of its member begins.
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control.tar",
            Self::Data => "data.tar",
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a package could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another file.
    #[error("this is no Debian package: got {got}, want an ar archive that begins with the member debian-binary")]
    NotDeb {
        /// What stands at its begin.
        got: String,
    },
    /// A version of the format that is not known.
    #[error("debian-binary says version {got:?} of the format, want 2.0 or a later 2")]
    Version {
        /// What it says.
        got: String,
    },
    /// A member's header is none.
    #[error("the header of a member at byte {offset} is damaged: {field} is {got:?}, want {want}")]
    Header {
        /// Where it begins.
        offset: u64,
        /// Which of its fields.
        field: &'static str,
        /// What that says.
        got: String,
        /// What it may say.
        want: &'static str,
    },
    /// Another member stands where one of the two archives should.
    #[error(
        "member at byte {offset} is `{got}`, want {want}, packed with gzip, xz, zstd or not at all"
    )]
    Unknown {
        /// Where its header begins.
        offset: u64,
        /// Its name.
        got: String,
        /// Which should be there.
        want: Part,
    },
    /// The file ends before it has all members.
    #[error("the file ends without a member {0}")]
    Missing(Part),
    /// More members than any package has.
    #[error("more than {0} members before data.tar")]
    Many(usize),
    /// The file ends inside a member.
    #[error("the file ends at byte {len}, but its member {member} reaches to byte {end}")]
    Truncated {
        /// Which.
        member: String,
        /// Where it should end.
        end: u64,
        /// Where the file ends.
        len: u64,
    },
    /// Reading the file failed.
    #[error("cannot read {what}")]
    Io {
        /// What of it.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Unpacking an archive failed.
    #[error("cannot unpack {part}")]
    Unpack {
        /// Which.
        part: Part,
        /// What its packing said.
        source: io::Error,
    },
    /// An archive is none, or one that is refused.
    #[error("{part} is refused")]
    Archive {
        /// Which.
        part: Part,
        /// Why.
        source: archive::Error,
    },
    /// Something else than files stands in `control.tar`.
    #[error("control.tar has {path:?}, which is {got}; want plain files and no folders")]
    NotFile {
        /// Its path.
        path: String,
        /// What it is.
        got: &'static str,
    },
    /// `control.tar` has a file twice.
    #[error("control.tar has the file {0:?} twice")]
    Twice(String),
    /// `control.tar` is larger than a reader should hold.
    #[error("control.tar has more than {MAX_FILES} files, or more than {MAX_BYTES} bytes in them")]
    Large,
    /// No description of the package.
    #[error("control.tar has no file `control`")]
    NoControl,
}
