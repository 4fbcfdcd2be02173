//! What a file system's reader finds, whatever its format.

use std::collections::BTreeMap;

use crate::model::{Entry, Node, Parameter};
use crate::names::Name;

/// Parameters, files and damage. Where contents lie is known, they were not read.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) parameters: Vec<(&'static str, Parameter)>,
    pub(crate) problems: Vec<String>,
    /// By path, once [`Listing::finish`] was called.
    pub(crate) entries: Vec<Entry>,
    /// Length of the file system in bytes.
    pub(crate) len: u64,
    more_problems: u64,
    path_bytes: usize,
    /// For files with several names: the inode's entries, the one that has everything first.
    links: BTreeMap<u64, Vec<usize>>,
    known: BTreeMap<u64, usize>,
}

impl Listing {
    /// More problems are only counted.
    const MAX_PROBLEMS: usize = 100;
    /// PATH_MAX of Linux. What lies deeper is not listed.
    const MAX_PATH: usize = 4095;
    /// Sum of the lengths of all paths: a hostile image could make more of them than fit into memory.
    const MAX_PATHS: usize = 512 << 20;

    pub(crate) fn problem(&mut self, problem: String) {
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.more_problems = self.more_problems.saturating_add(1);
        }
    }

    /// The path of `name` in `parent`, unless there is too much of it.
    pub(crate) fn join(&mut self, parent: &Name, name: &[u8]) -> Option<Name> {
        let mut path = parent.0.clone();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        self.path_bytes = self.path_bytes.saturating_add(path.len());
        if path.len() > Self::MAX_PATH || self.path_bytes > Self::MAX_PATHS {
            self.problem(format!("{parent}: longer paths are left out"));
            return None;
        }
        Some(Name(path))
    }

    /// Whether a file that is no directory was listed under another name; then this one is noted.
    pub(crate) fn is_link(&mut self, path: &Name, inode: u64) -> bool {
        let Some(first) = self.known.get(&inode) else {
            return false;
        };
        let names = self.links.entry(inode).or_insert_with(|| vec![*first]);
        names.push(self.entries.len());
        self.entries.push(Entry {
            path: path.clone(),
            node: Node::Hardlink {
                target: Name::default(),
            },
            attributes: None,
            damage: None,
            inode,
        });
        true
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        if entry.inode != 0 && entry.node != Node::Dir {
            self.known.insert(entry.inode, self.entries.len());
        }
        self.entries.push(entry);
    }

    /// Puts everything into its order.
    pub(crate) fn finish(&mut self) {
        if self.more_problems > 0 {
            let text = format!("and {} more problems", self.more_problems);
            self.problems.push(text);
        }
        for names in std::mem::take(&mut self.links).into_values() {
            self.resolve(&names);
        }
        self.entries.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// The first name in byte order becomes the file, the others links to it.
    fn resolve(&mut self, names: &[usize]) {
        let Some(whole) = names.first() else {
            return;
        };
        let path = |listing: &Self, index: usize| {
            let entry = listing.entries.get(index);
            entry.map(|entry| entry.path.clone()).unwrap_or_default()
        };
        let first = names.iter().min_by_key(|index| path(self, **index));
        let first = *first.unwrap_or(whole);
        let target = path(self, first);
        if first != *whole {
            let (from, to) = (path(self, *whole), path(self, first));
            self.entries.swap(first, *whole);
            // Contents are swapped, names stay.
            for (index, path) in [(*whole, from), (first, to)] {
                if let Some(entry) = self.entries.get_mut(index) {
                    entry.path = path;
                }
            }
        }
        for index in names {
            if let Some(Entry {
                node: Node::Hardlink { target: empty },
                ..
            }) = self.entries.get_mut(*index)
            {
                *empty = target.clone();
            }
        }
    }
}
