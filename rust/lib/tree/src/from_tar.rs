//! A tree from the index of a tar archive.

use std::collections::BTreeMap;

use crate::entry::{Entry, Input, Kind, Source, Sparse, Stamp};
use crate::error::Error;
use crate::name;
use crate::tree::Tree;

impl Tree {
    /// The tree of an archive that becomes input 0, `len` bytes long.
    ///
    /// Folders that the archive leaves out become 0755, root's, dated 1970. Of the names of one file the first in byte order becomes the file, the others its hard links.
    pub fn from_tar(index: Vec<archive::Entry>, len: u64) -> Result<Self, Error> {
        let mut tree = Self::new(IMPLIED);
        tree.inputs.push(Input { len });
        for entry in index {
            let (path, entry) = convert(entry);
            if let Some(reason) = name::fault(&path) {
                return Err(bad_path(&path, reason));
            }
            if let Kind::Symlink { target } = &entry.kind {
                if let Some(reason) = name::link_fault(target) {
                    return Err(bad_path(&path, reason));
                }
            }
            if path.is_empty() && entry.kind != Kind::Dir {
                return Err(bad_path(&path, "is the root and no directory"));
            }
            if tree.entries.insert(path.clone(), entry).is_some() && !path.is_empty() {
                return Err(bad_path(&path, "occurs twice"));
            }
        }
        tree.imply_parents()?;
        tree.first_name_is_the_file()?;
        tree.check_sources()?;
        Ok(tree)
    }

    fn imply_parents(&mut self) -> Result<(), Error> {
        let mut missing = BTreeMap::new();
        // The folder that was last found to be there: mostly it is also the next one's.
        let mut found: &[u8] = b"";
        for path in self.entries.keys() {
            let mut at = path.as_slice();
            while let Some(parent) = name::parent(at).filter(|parent| *parent != found) {
                match self.entries.get(parent) {
                    Some(entry) if entry.kind == Kind::Dir => {
                        found = parent;
                        break;
                    }
                    Some(_) => return Err(bad_path(path, "lies under a non-directory")),
                    // And so all above it are known.
                    None if missing.contains_key(parent) => break,
                    None => missing.insert(parent.to_vec(), implied(IMPLIED, 0)),
                };
                at = parent;
            }
        }
        self.entries.append(&mut missing);
        Ok(())
    }
}

/// What a folder is that nobody described.
const IMPLIED: Stamp = Stamp {
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: 0,
    mtime_nanos: 0,
};

/// A folder that nobody described.
pub(crate) fn implied(stamp: Stamp, layer: u8) -> Entry {
    Entry {
        kind: Kind::Dir,
        stamp,
        xattrs: BTreeMap::new(),
        layer,
        over: None,
    }
}

fn bad_path(path: &[u8], reason: &'static str) -> Error {
    Error::BadPath {
        origin: "archive".to_owned(),
        path: name::shown(path),
        reason,
    }
}

fn of_archive(offset: u64, len: u64) -> Source {
    Source {
        input: 0,
        offset,
        len,
    }
}

fn convert(entry: archive::Entry) -> (Vec<u8>, Entry) {
    let kind = match entry.kind {
        archive::Kind::File { offset, len } => Kind::File(of_archive(offset, len)),
        archive::Kind::Sparse { len, pieces } => {
            let pieces = pieces.into_iter();
            let pieces = pieces.map(|piece| (piece.at, of_archive(piece.offset, piece.len)));
            let pieces = pieces.collect();
            Kind::Sparse(Sparse { len, pieces })
        }
        archive::Kind::Dir => Kind::Dir,
        archive::Kind::Symlink { target } => Kind::Symlink { target },
        archive::Kind::HardLink { target } => Kind::HardLink { target },
        archive::Kind::Char { major, minor } => Kind::Char { major, minor },
        archive::Kind::Block { major, minor } => Kind::Block { major, minor },
        archive::Kind::Fifo => Kind::Fifo,
    };
    let converted = Entry {
        kind,
        stamp: Stamp {
            mode: entry.mode & 0o7777,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            // What an archive says has nine digits; of more the reader of a manifest would say that it is a second.
            mtime_nanos: entry.mtime_nanos,
        },
        xattrs: entry.xattrs,
        layer: 0,
        over: None,
    };
    (entry.path, converted)
}
