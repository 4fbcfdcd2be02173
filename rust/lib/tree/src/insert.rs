//! Putting entries into a tree, one by one, as a person would with `install` and `ln -s`.

use crate::entry::{Entry, Kind, Source, Stamp};
use crate::error::Error;
use crate::from_tar::implied;
use crate::name;
use crate::tree::Tree;

/// The bytes of what has none.
const NOTHING: Source = Source {
    input: 0,
    offset: 0,
    len: 0,
};

impl Tree {
    /// Puts `entry` at `dest` and returns where that is after following symbolic links of parent folders.
    ///
    /// Folders on the way that do not exist are made: 0755, root's, with the entry's time and layer. A file or link
    /// replaces a file or link of the base; a directory gives an existing one its mode and owner. Nothing replaces
    /// a directory, or a link to one, by something else, and of two insertions at one path the second is refused.
    /// `origin` says in errors where the entry comes from.
    pub fn insert(&mut self, dest: &[u8], entry: Entry, origin: &str) -> Result<Vec<u8>, Error> {
        let written = name::relative(dest).map_err(|reason| bad_path(origin, dest, reason))?;
        if written.is_empty() && entry.kind != Kind::Dir {
            return Err(bad_path(origin, dest, "is the root directory"));
        }
        self.check_entry(&written, &entry)?;
        let path = self.resolve(&written, false, origin)?;
        self.check_place(&path, &entry, origin)?;
        self.make_parents(&path, &entry);
        let handed_over = self.hand_over(&path);
        let mut entry = entry;
        entry.over = match self.entries.get(&path) {
            // The names of its file that are left keep the place.
            Some(old) if old.layer >= entry.layer || handed_over => None,
            Some(Entry {
                kind: Kind::Dir | Kind::HardLink { .. },
                ..
            }) => None,
            Some(old) => Some(bytes_of(&old.kind).unwrap_or(NOTHING)),
            None => None,
        };
        if let (Kind::Dir, Some(old)) = (&entry.kind, self.entries.get(&path)) {
            // What lies in it stays where it is, and so must the directory.
            entry.layer = old.layer;
        }
        self.forget_name(&path);
        self.entries.insert(path.clone(), entry);
        self.origins.insert(path.clone(), origin.to_owned());
        Ok(path)
    }

    /// Takes out the entry at `path`: anything but a directory with entries. Other names of a file stay.
    pub fn remove(&mut self, path: &[u8]) -> Result<(), Error> {
        let missing = |reason| Error::Missing {
            path: name::shown(path),
            reason,
        };
        match self.entries.get(path).map(|entry| &entry.kind) {
            None => return Err(missing("is not in the tree")),
            Some(Kind::Dir) if path.is_empty() => return Err(missing("(the root) has to stay")),
            Some(Kind::Dir) if self.children(path).next().is_some() => {
                return Err(missing("is a directory with entries"))
            }
            Some(_) => {}
        }
        self.hand_over(path);
        self.forget_name(path);
        self.entries.remove(path);
        self.origins.remove(path);
        Ok(())
    }

    /// The entry by itself: its source, link or mode.
    fn check_entry(&self, path: &[u8], entry: &Entry) -> Result<(), Error> {
        match &entry.kind {
            Kind::File(source) => self.check_source(path, *source),
            Kind::Sparse(sparse) => {
                let mut pieces = sparse.pieces.iter();
                pieces.try_for_each(|(_, source)| self.check_source(path, *source))
            }
            Kind::HardLink { target } => Err(Error::BadHardLink {
                path: name::shown(path),
                target: name::shown(target),
                reason: "cannot be linked by an insertion",
            }),
            Kind::Symlink { target } => match name::link_fault(target) {
                None => Ok(()),
                Some(reason) => Err(bad_path("symlink", path, reason)),
            },
            _ => Ok(()),
        }
    }

    /// The entry against what is at `path` now.
    fn check_place(&self, path: &[u8], entry: &Entry, origin: &str) -> Result<(), Error> {
        let Some(old) = self.entries.get(path) else {
            return Ok(());
        };
        if let Some(first) = self.origins.get(path) {
            return Err(Error::Duplicate {
                path: name::shown(path),
                first: first.clone(),
                second: origin.to_owned(),
            });
        }
        let clash = |old| Error::Clash {
            origin: origin.to_owned(),
            path: name::shown(path),
            new: entry.kind.word(),
            holder: self.holder(path),
            old,
        };
        match (&old.kind, &entry.kind) {
            (Kind::Dir, Kind::Dir) => Ok(()),
            (Kind::Dir, _) | (_, Kind::Dir) => Err(clash(old.kind.word())),
            (Kind::Symlink { .. }, Kind::Symlink { .. }) => Ok(()),
            // A file in the place of /bin -> usr/bin would take the folder away from everybody.
            (Kind::Symlink { .. }, _) => match self.resolve(path, true, origin) {
                Ok(end) if self.get(&end).is_some_and(|e| e.kind == Kind::Dir) => {
                    Err(clash("symlink to a directory"))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn make_parents(&mut self, path: &[u8], entry: &Entry) {
        let stamp = Stamp {
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: entry.stamp.mtime,
            mtime_nanos: entry.stamp.mtime_nanos,
        };
        let mut at = path;
        while let Some(parent) = name::parent(at) {
            if self.entries.contains_key(parent) {
                break;
            }
            self.entries
                .insert(parent.to_vec(), implied(stamp, entry.layer));
            at = parent;
        }
    }
}

/// The bytes of a file of the base, of which an archive has those of a file with holes in one piece.
fn bytes_of(kind: &Kind) -> Option<Source> {
    let mut pieces = kind.pieces().map(|(_, source)| source);
    let first = pieces.next()?;
    pieces.try_fold(first, |all, piece| {
        let follows =
            all.input == piece.input && all.offset.checked_add(all.len) == Some(piece.offset);
        let len = all.len.checked_add(piece.len).filter(|_| follows)?;
        Some(Source { len, ..all })
    })
}

fn bad_path(origin: &str, path: &[u8], reason: &'static str) -> Error {
    Error::BadPath {
        origin: origin.to_owned(),
        path: name::shown(path),
        reason,
    }
}
