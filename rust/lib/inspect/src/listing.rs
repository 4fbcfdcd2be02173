//! What a file system's reader finds, whatever its format.

use base::{as_u64, past};
use std::collections::BTreeMap;

use crate::bounds::Source;

use crate::model::{Entry, Node, Parameter};
use crate::names::Name;
use crate::span::Run;

/// Parameters, files and damage. Where contents lie is known, they were not read.
pub(crate) struct Listing<'a> {
    source: &'a Source<'a>,
    pub(crate) parameters: Vec<(&'static str, Parameter)>,
    pub(crate) problems: Vec<String>,
    /// What may be right, and is not read.
    pub(crate) unread: Vec<String>,
    /// By path, once [`Listing::finish`] was called.
    pub(crate) entries: Vec<Entry>,
    /// Where directories lie, of a file system without inodes.
    pub(crate) directories: Vec<(Name, Vec<Run>)>,
    /// Length of the file system in bytes.
    pub(crate) len: u64,
    more_problems: u64,
    /// For files with several names: the inode's entries, the one that has everything first.
    links: BTreeMap<u64, Vec<usize>>,
    known: BTreeMap<u64, usize>,
}

impl<'a> Listing<'a> {
    /// More problems are only counted.
    const MAX_PROBLEMS: usize = 100;
    /// PATH_MAX of Linux. What lies deeper is not listed.
    const MAX_PATH: usize = 4095;
    /// What an entry takes of memory besides its path and its extended attributes, about.
    const ENTRY: u64 = 768;
    /// What a hard link takes.
    const LINK: u64 = 256;

    pub(crate) fn new(source: &'a Source<'a>) -> Self {
        Self {
            source,
            parameters: Vec::new(),
            problems: Vec::new(),
            unread: Vec::new(),
            entries: Vec::new(),
            directories: Vec::new(),
            len: 0,
            more_problems: 0,
            links: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    pub(crate) fn problem(&mut self, problem: String) {
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.more_problems = past(self.more_problems, 1);
        }
    }

    /// The path of `name` in `parent`, unless it is too long.
    pub(crate) fn join(&mut self, parent: &Name, name: &[u8]) -> Option<Name> {
        let mut path = parent.0.clone();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        if path.len() > Self::MAX_PATH {
            self.problem(format!("{parent}: longer paths are left out"));
            return None;
        }
        Some(Name(path))
    }

    /// Whether a file that is no directory was listed under another name; then this one is noted.
    pub(crate) fn is_link(&mut self, path: &Name, inode: u64) -> bool {
        let Some(first) = self.known.get(&inode).copied() else {
            return false;
        };
        // Its target is another path.
        if !self.fits(&[Self::LINK, as_u64(path.0.len())], path) {
            return true;
        }
        let names = self.links.entry(inode).or_insert_with(|| vec![first]);
        names.push(self.entries.len());
        self.entries.push(Entry {
            path: path.clone(),
            node: Node::Hardlink {
                target: Name::default(),
            },
            attributes: None,
            damage: None,
            unread: None,
            inode,
        });
        true
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        let xattrs = entry.attributes.iter().flat_map(|all| &all.xattrs);
        let attributes = xattrs.flat_map(|(name, value)| [name.0.len(), value.0.len()]);
        let attributes = attributes.map(as_u64).sum();
        if !self.fits(&[Self::ENTRY, attributes], &entry.path) {
            return;
        }
        if entry.inode != 0 && entry.node != Node::Dir {
            self.known.insert(entry.inode, self.entries.len());
        }
        self.entries.push(entry);
    }

    /// Whether there may be an entry more, which takes so many bytes besides its path. They are lengths of what is in memory, so
    /// their sum is a number.
    fn fits(&mut self, bytes: &[u64], path: &Name) -> bool {
        let len = bytes.iter().chain([&as_u64(path.0.len())]).sum();
        let fits = self.source.keep(len);
        if !fits {
            let stored = self.source.stored();
            self.problem(format!(
                "{path}: left out, there are more names than {stored} stored bytes can have"
            ));
        }
        fits
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
        let entries = names.iter().filter_map(|at| self.entries.get(*at));
        let mut paths: Vec<Name> = entries.map(|entry| entry.path.clone()).collect();
        paths.sort();
        let first = paths.first().cloned();
        // The entry that has everything is the first of them; the links are alike, so each takes any other name.
        for (at, path) in names.iter().zip(paths) {
            let (Some(entry), Some(first)) = (self.entries.get_mut(*at), &first) else {
                continue;
            };
            entry.path = path;
            if let Node::Hardlink { target } = &mut entry.node {
                *target = first.clone();
            }
        }
    }
}
