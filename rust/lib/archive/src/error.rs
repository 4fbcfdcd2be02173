//! What can be wrong with an archive or with the files it is made of.

use std::io;
use std::path::PathBuf;

use crate::names::{IMPLIED, IMPLIED_BY_MEMBER};

/// Why an archive could not be read, written, packed or unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The member whose header is at `offset` is refused.
    #[error("member at byte {offset} (`{path}`): {reason}")]
    Refused {
        /// Offset of the member's header.
        offset: u64,
        /// The member's path as far as known, escaped.
        path: String,
        /// What is wrong with it.
        reason: Reason,
    },
    /// Something else stands where an archive should begin.
    #[error("this is no tar archive but {0}")]
    NotTar(&'static str),
    /// The archive ends too early.
    #[error("archive ends at byte {at}, inside {what}")]
    Truncated {
        /// Where the archive ends, or where the read that failed began.
        at: u64,
        /// What was being read.
        what: &'static str,
    },
    /// Something follows the archive's end.
    #[error(
        "archive ends at byte {end}, but other things than zeros follow at byte {at}: cut them off, or join archives with `tar --concatenate`"
    )]
    Trailing {
        /// Where the end begins.
        end: u64,
        /// A place of the first 64 KiB in which something follows.
        at: u64,
    },
    /// Reading the archive failed.
    #[error("cannot read the archive at byte {offset}")]
    Read {
        /// Offset of the failed read.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Writing the archive failed.
    #[error("cannot write the archive at byte {offset}")]
    Write {
        /// Offset of the failed write.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The member cannot be written as asked.
    #[error("cannot archive `{path}`: {reason}")]
    Unwritable {
        /// The member's path, escaped.
        path: String,
        /// What is wrong with it.
        reason: Reason,
    },
    /// A file to pack, or its data, could not be read.
    #[error("cannot read {path}")]
    Source {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A member could not be created in the target folder.
    #[error("cannot unpack `{path}`: {action}")]
    Unpack {
        /// The member's path, escaped.
        path: String,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// What is wrong with one member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The header's sum is not that of its bytes.
    #[error("header checksum is {got}, want {want}: not a tar archive or damaged")]
    Checksum {
        /// The sum of the bytes.
        want: u64,
        /// The sum written in the header.
        got: i64,
    },
    /// A numeric field is neither octal nor base-256, or is out of range.
    #[error("field {field} is not a number in range")]
    Number {
        /// The header field or pax keyword.
        field: &'static str,
    },
    /// A type flag whose meaning would be lost.
    #[error("type `{0}` is not supported{1}")]
    Type(String, &'static str),
    /// An extended record whose meaning would be lost, or that has none.
    #[error("record `{keyword}` {why}")]
    Record {
        /// Its keyword, escaped.
        keyword: String,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// A map of holes that is none.
    #[error("the map of its holes {0}")]
    Map(&'static str),
    /// A malformed extended header.
    #[error("extended header is malformed: {0}")]
    Extended(&'static str),
    /// The path is absolute.
    #[error("path is absolute")]
    Absolute,
    /// The path has a `..` in it.
    #[error("path climbs with `..`")]
    Climbs,
    /// The path is empty or holds a NUL byte, or one of its names is over 255 or all of it over 4095 bytes long.
    #[error("path is empty, too long, or has a NUL byte")]
    BadPath,
    /// The target of a symbolic link is empty, over 4095 bytes long, or has a NUL byte.
    #[error("target of the link is empty, too long, or has a NUL byte")]
    BadTarget,
    /// A folder would become something else.
    #[error("path is a folder further up in the archive and no folder here: keep one of the two")]
    NoLongerDir,
    /// Something else would become a folder.
    #[error("path is a folder here and none further up in the archive: keep one of the two")]
    BecomesDir,
    /// Members lie in more folders than a reader should make up.
    #[error(
        "more folders are missing from the archive than {IMPLIED} and {IMPLIED_BY_MEMBER} for each member: name them in it"
    )]
    Implied,
    /// The path leads through a member that is not a directory.
    #[error("path leads through `{0}`, which is not a directory")]
    ThroughNonDir(String),
    /// The path is a file or link but earlier members lie below it.
    #[error("earlier members lie below this path, so it must be a directory")]
    CoversDir,
    /// A hard link's target is not an earlier file.
    #[error("hard link to `{0}`, which is not an earlier file of the archive")]
    HardLink(String),
    /// Something other than a file has data.
    #[error("has {0} bytes of data although it is not a file")]
    UnexpectedData(u64),
    /// The data given to the writer is not as long as the entry says.
    #[error("has {got} bytes of data, want {want}")]
    Length {
        /// What the entry says.
        want: u64,
        /// What there was (at least).
        got: u64,
    },
    /// File flags that no archive holds.
    #[error("is immutable or append-only (lsattr), which an archive does not keep: take the flag away (chattr -i -a)")]
    Flags,
}

/// Raw bytes as text for messages; of a long path both ends.
pub(crate) fn show(bytes: &[u8]) -> String {
    base::text::shorten(&bytes.escape_ascii().to_string()).into_owned()
}
