//! The tree itself: entries by path, and what may be asked of them.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::entry::{Entry, Input, Kind, Stamp};
use crate::error::Error;
use crate::links::Names;
use crate::name;

/// A file-system tree over a list of inputs. See the crate's page for what holds of every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    pub(crate) inputs: Vec<Input>,
    pub(crate) entries: BTreeMap<Vec<u8>, Entry>,
    /// Who put an entry there, for messages only; nothing for entries of the base.
    pub(crate) origins: BTreeMap<Vec<u8>, String>,
    pub(crate) names: Names,
}

impl Tree {
    /// A tree with nothing in it but the root directory.
    pub fn new(root: Stamp) -> Self {
        let root = Entry {
            kind: Kind::Dir,
            stamp: root,
            xattrs: BTreeMap::new(),
            layer: 0,
            over: None,
        };
        Self {
            inputs: Vec::new(),
            entries: BTreeMap::from([(Vec::new(), root)]),
            origins: BTreeMap::new(),
            names: Names::default(),
        }
    }

    /// The inputs that sources point into.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Adds an input and returns its index.
    pub fn add_input(&mut self, input: Input) -> usize {
        let index = self.inputs.len();
        self.inputs.push(input);
        index
    }

    /// All entries by path in byte order; the root comes first, as the empty path.
    pub fn entries(&self) -> &BTreeMap<Vec<u8>, Entry> {
        &self.entries
    }

    /// All paths in the order in which writers place them: layer 0 before layer 1, each in byte order of the paths.
    /// A directory comes before what lies in it, a file before its hard links.
    pub fn placement(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        let layer = |wanted| {
            let entries = self.entries.iter();
            let entries = entries.filter(move |(_, entry)| (entry.layer == 0) == wanted);
            entries.map(|(path, entry)| (path.as_slice(), entry))
        };
        layer(true).chain(layer(false))
    }

    /// The entry at `path`, no link followed.
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The entry at `path`, or the file of which it is another name.
    pub fn inode(&self, path: &[u8]) -> Option<&Entry> {
        let entry = self.entries.get(path)?;
        match &entry.kind {
            Kind::HardLink { target } => self.entries.get(target),
            _ => Some(entry),
        }
    }

    /// Names and entries in the folder `path`, in byte order of the names.
    pub fn children<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a Entry)> {
        let mut prefix = path.to_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let from = |first: &[u8]| {
            let range = (Bound::Included(first), Bound::Unbounded);
            self.entries.range::<[u8], _>(range)
        };
        let mut rest = from(&prefix);
        std::iter::from_fn(move || loop {
            let (at, entry) = rest.next()?;
            let name = at.strip_prefix(&prefix[..])?;
            match name.iter().position(|b| *b == b'/') {
                None if name.is_empty() => {}
                None => return Some((name, entry)),
                // In a folder of this one: on with what sorts behind all of that, however much it is.
                Some(end) => {
                    let (folder, _) = name.split_at(end);
                    rest = from(&[&prefix, folder, AFTER_SLASH].concat());
                }
            }
        })
    }

    /// Where `path` leads when symbolic links are followed inside the tree, as after `chroot`: absolute targets start
    /// at the tree's root, and `..` stops there. What does not exist is taken as written. The last component is
    /// followed only with `follow_last`.
    pub fn resolve(&self, path: &[u8], follow_last: bool, origin: &str) -> Result<Vec<u8>, Error> {
        let mut todo = parts(path);
        let mut at: Vec<u8> = Vec::new();
        let mut hops = 0..MAX_HOPS;
        while let Some(part) = todo.pop() {
            if part == b".." {
                // The root's parent is the root.
                at.truncate(name::parent(&at).map_or(0, <[u8]>::len));
                continue;
            }
            let next = name::join(&at, &part);
            match self.inode(&next).map(|entry| &entry.kind) {
                Some(Kind::Symlink { target }) if follow_last || !todo.is_empty() => {
                    if hops.next().is_none() {
                        return Err(Error::SymlinkLoop {
                            origin: origin.to_owned(),
                            path: name::shown(path),
                            link: name::shown(&next),
                        });
                    }
                    if target.starts_with(b"/") {
                        at.clear();
                    }
                    todo.extend(parts(target));
                }
                Some(Kind::Dir) | None => at = next,
                Some(_) if todo.is_empty() => at = next,
                Some(kind) => {
                    return Err(Error::NotADirectory {
                        origin: origin.to_owned(),
                        path: name::shown(path),
                        kind: kind.word(),
                        holder: self.holder(&next),
                        ancestor: name::shown(&next),
                    })
                }
            }
        }
        Ok(at)
    }

    /// Who put `path` there.
    pub(crate) fn holder(&self, path: &[u8]) -> String {
        match self.origins.get(path) {
            Some(origin) => origin.clone(),
            None => "the base".to_owned(),
        }
    }
}

/// What sorts next to a slash.
const AFTER_SLASH: &[u8] = b"0";

/// As many links as Linux follows in one path (path_resolution(7)).
const MAX_HOPS: u32 = 40;

/// Components of a path, the last one first; empty ones and `.` left out.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|b| *b == b'/');
    let parts = parts.filter(|part| !part.is_empty() && *part != b".");
    parts.rev().map(<[u8]>::to_vec).collect()
}
