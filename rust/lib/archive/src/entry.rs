//! One member of an archive.

use std::collections::BTreeMap;

/// A run of bytes of a file with holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the file.
    pub at: u64,
    /// How long it is; never 0.
    pub len: u64,
    /// Where it begins, in bytes from the start of the archive.
    pub offset: u64,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Where its data begins, in bytes from the start of the archive.
        offset: u64,
        /// How long its data is.
        len: u64,
    },
    /// A regular file with holes: runs of zeros that the archive does not hold.
    Sparse {
        /// How long the file is.
        len: u64,
        /// What is not holes, in order, with a hole before or behind each.
        pieces: Vec<Piece>,
    },
    /// A directory.
    Dir,
    /// A symbolic link, its target unchecked: where it points is a matter of the running system.
    Symlink {
        /// The text of the link.
        target: Vec<u8>,
    },
    /// Another name of a file.
    HardLink {
        /// The path of an earlier member that is a regular file.
        target: Vec<u8>,
    },
    /// A character device.
    Char {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    Block {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

impl Kind {
    /// Whether this is a directory.
    pub fn is_dir(&self) -> bool {
        matches!(self, Self::Dir)
    }

    /// Whether this is a regular file, with holes or without.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Sparse { .. })
    }
}

/// A member: its name, what it is, and its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path relative to the archive's root, without `./` before or `/` after it; the root itself is empty.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-uid, set-gid and sticky (`0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time in seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds after [`Entry::mtime`].
    pub mtime_nanos: u32,
    /// Extended attributes by full name, such as `security.capability`.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Entry {
    /// A member of root's, dated 1970, without extended attributes.
    pub fn new(path: impl Into<Vec<u8>>, kind: Kind, mode: u32) -> Self {
        Self {
            path: path.into(),
            kind,
            mode,
            uid: 0,
            gid: 0,
            mtime: 0,
            mtime_nanos: 0,
            xattrs: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_those_with_holes_and_without() {
        let pieces = Vec::new();
        assert!(Kind::File { offset: 0, len: 0 }.is_file());
        assert!(Kind::Sparse { len: 1, pieces }.is_file());
        assert!(!Kind::Dir.is_file() && !Kind::Fifo.is_file());
    }
}
