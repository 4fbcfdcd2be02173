//! One entry of a tree.

use std::collections::BTreeMap;

/// An input file that sources point into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its length in bytes.
    pub len: u64,
}

/// A range of bytes of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Index into the tree's inputs.
    pub input: usize,
    /// Where the range starts.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
}

/// The bytes of a file with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparse {
    /// How long the file is.
    pub len: u64,
    /// Where in the file, and which bytes: in order, none empty, at least a byte of hole between two and somewhere in all.
    pub pieces: Vec<(u64, Source)>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File(Source),
    /// A regular file with holes.
    Sparse(Sparse),
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink {
        /// The text of the link.
        target: Vec<u8>,
    },
    /// Another name of an earlier entry.
    HardLink {
        /// Path of that entry: the first name of the file in byte order.
        target: Vec<u8>,
    },
    /// A character device.
    Char {
        /// Driver number.
        major: u32,
        /// Device number.
        minor: u32,
    },
    /// A block device.
    Block {
        /// Driver number.
        major: u32,
        /// Device number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

impl Kind {
    /// The word that the manifest uses.
    pub fn word(&self) -> &'static str {
        match self {
            Self::File(_) | Self::Sparse(_) => "file",
            Self::Dir => "dir",
            Self::Symlink { .. } => "symlink",
            Self::HardLink { .. } => "hardlink",
            Self::Char { .. } => "char",
            Self::Block { .. } => "block",
            Self::Fifo => "fifo",
        }
    }

    /// The length, if this is a regular file.
    pub fn file_len(&self) -> Option<u64> {
        match self {
            Self::File(source) => Some(source.len),
            Self::Sparse(sparse) => Some(sparse.len),
            _ => None,
        }
    }

    /// What a regular file holds: where in the file, and which bytes. Between them are holes.
    pub fn pieces(&self) -> impl Iterator<Item = (u64, Source)> + '_ {
        self.pieces_from(0)
    }

    /// [`Kind::pieces`] without those that lie before byte `from` of the file.
    pub fn pieces_from(&self, from: u64) -> impl Iterator<Item = (u64, Source)> + '_ {
        let (whole, pieces) = match self {
            Self::File(source) => (Some((0, *source)), &[][..]),
            Self::Sparse(sparse) => (None, sparse.pieces.as_slice()),
            _ => (None, &[][..]),
        };
        let before = move |(at, source): &(u64, Source)| from.checked_sub(*at) >= Some(source.len);
        let first = pieces.partition_point(before);
        let rest = pieces.iter().skip(first).copied();
        whole
            .into_iter()
            .filter(move |piece| !before(piece))
            .chain(rest)
    }
}

/// Who owns an entry, who may do what, and since when: all but what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Permission bits with set-user-ID, set-group-ID and sticky: at most `0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time in seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds after [`Stamp::mtime`], below 1,000,000,000.
    pub mtime_nanos: u32,
}

/// A file, directory or link. A hard link's own attributes are those of its file and carry no meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Mode, owner and time.
    pub stamp: Stamp,
    /// Extended attributes by full name (`security.capability`).
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// 0 for the base, 1 for what was injected: writers place layer 1 behind layer 0.
    pub layer: u8,
    /// That this entry was injected in the place of one of the base which has no other name, and the bytes of that one; of
    /// what is no file, none of input 0. Writers keep its place, so that nothing else of the base moves.
    pub over: Option<Source>,
}

impl Entry {
    /// An injected entry without extended attributes.
    pub fn injected(kind: Kind, stamp: Stamp) -> Self {
        Self {
            kind,
            stamp,
            xattrs: BTreeMap::new(),
            layer: 1,
            over: None,
        }
    }
}
