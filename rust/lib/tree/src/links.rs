//! Hard links, and the cuts that may part them from their files.

use std::collections::{BTreeMap, BTreeSet};

use crate::entry::{Entry, Kind};
use crate::error::Error;
use crate::name;
use crate::tree::Tree;

/// The further names of each file that has some, by the name that is the file: asked for by every entry that is replaced, so
/// found once for the whole tree, when the first asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Option<BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>>);

/// They follow from the entries, which are compared.
impl PartialEq for Names {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Names {}

impl Names {
    fn of(
        &mut self,
        entries: &BTreeMap<Vec<u8>, Entry>,
    ) -> &mut BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> {
        self.0.get_or_insert_with(|| {
            let mut names: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
            for (path, entry) in entries {
                if let Kind::HardLink { target } = &entry.kind {
                    names
                        .entry(target.clone())
                        .or_default()
                        .insert(path.clone());
                }
            }
            names
        })
    }
}

impl Tree {
    /// The folder `prefix` as a tree of its own. A hard link to a file outside becomes that file.
    pub fn subtree(&self, prefix: &[u8]) -> Result<Self, Error> {
        match self.entries.get(prefix).map(|entry| &entry.kind) {
            Some(Kind::Dir) => {}
            Some(_) => return Err(missing(prefix, "is not a directory")),
            None => return Err(missing(prefix, "is not in the tree")),
        }
        Ok(self.select(|path| {
            let rest = path.strip_prefix(prefix)?;
            match rest.split_first() {
                _ if prefix.is_empty() => Some(path),
                Some((b'/', rest)) => Some(rest),
                None => Some(rest),
                Some(_) => None,
            }
        }))
    }

    /// The tree without `prefixes` and what lies under them; `boot/` with a slash keeps the directory itself. A prefix
    /// that is not in the tree is an error, for it is most likely misspelt; the root itself cannot be left out.
    pub fn without<P: AsRef<[u8]>>(&self, prefixes: &[P]) -> Result<Self, Error> {
        let mut cuts = BTreeMap::new();
        for prefix in prefixes {
            let text = prefix.as_ref();
            let keep = text.ends_with(b"/");
            let path = name::relative(text).map_err(|reason| missing(text, reason))?;
            match self.entries.get(&path) {
                None => return Err(missing(&path, "is not in the tree")),
                Some(_) if path.is_empty() && !keep => {
                    return Err(missing(&path, "(the root) cannot be left out"))
                }
                Some(entry) if keep && entry.kind != Kind::Dir => {
                    return Err(missing(&path, "is not a directory"))
                }
                // Of both forms the one that takes the directory, too.
                Some(_) => *cuts.entry(path).or_insert(true) &= keep,
            }
        }
        let gone = |path: &[u8]| {
            let mut above = std::iter::successors(Some(path), |path| name::parent(path));
            above.any(|at| cuts.get(at).is_some_and(|keep| !*keep || at != path))
        };
        Ok(self.select(|path| (!gone(path)).then_some(path)))
    }

    /// What an image takes: the folder `subdir` (all without one), less `exclude`, paths relative to that folder.
    pub fn cut<P: AsRef<[u8]>>(&self, subdir: Option<&[u8]>, exclude: &[P]) -> Result<Self, Error> {
        match subdir {
            Some(subdir) => {
                let path = name::relative(subdir).map_err(|reason| missing(subdir, reason))?;
                self.subtree(&path)?.without(exclude)
            }
            None => self.without(exclude),
        }
    }

    /// The entries that `rename` names, under those names. It keeps the order of paths.
    fn select<'a>(&'a self, rename: impl Fn(&'a [u8]) -> Option<&'a [u8]>) -> Self {
        let mut entries = BTreeMap::new();
        // Old name of a file -> new name of the first of its names that stays.
        let mut files: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
        let mut origins = BTreeMap::new();
        for (path, entry) in &self.entries {
            let Some(new) = rename(path) else { continue };
            let mut entry = entry;
            let mut link = None;
            if let Kind::HardLink { target } = &entry.kind {
                link = files.get(target.as_slice()).copied();
                // The first name that stays takes the file over.
                files.entry(target).or_insert(new);
                if let (None, Some(file)) = (link, self.entries.get(target)) {
                    entry = file;
                }
            } else {
                files.insert(path, new);
            }
            let mut entry = entry.clone();
            if let Some(target) = link {
                let target = target.to_vec();
                entry.kind = Kind::HardLink { target };
            }
            entries.insert(new.to_vec(), entry);
            if let Some(origin) = self.origins.get(path) {
                origins.insert(new.to_vec(), origin.clone());
            }
        }
        Self {
            inputs: self.inputs.clone(),
            entries,
            origins,
            names: Names::default(),
        }
    }

    /// Makes the first name of each file the file.
    pub(crate) fn first_name_is_the_file(&mut self) -> Result<(), Error> {
        // File -> its links, all by name.
        let mut groups: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
        for (path, entry) in &self.entries {
            if let Kind::HardLink { target } = &entry.kind {
                self.check_hard_link(path, target)?;
                groups.entry(target.clone()).or_default().push(path.clone());
            }
        }
        for (file, links) in groups {
            let Some(first) = links.first().filter(|first| **first < file) else {
                continue;
            };
            self.swap(first, &file);
            for path in &links {
                if path != first {
                    self.point(path, first);
                }
            }
        }
        Ok(())
    }

    /// Exchanges a hard link and its file.
    fn swap(&mut self, link: &[u8], file: &[u8]) {
        if let (Some(a), Some(b)) = (self.entries.remove(link), self.entries.remove(file)) {
            self.entries.insert(link.to_vec(), b);
            self.entries.insert(file.to_vec(), a);
            self.point(file, link);
        }
    }

    fn point(&mut self, link: &[u8], file: &[u8]) {
        if let Some(entry) = self.entries.get_mut(link) {
            let target = file.to_vec();
            entry.kind = Kind::HardLink { target };
        }
    }

    /// Before `path` goes: the next name of its file becomes the file; whether there is one.
    pub(crate) fn hand_over(&mut self, path: &[u8]) -> bool {
        let Some(file) = self.entries.get(path).cloned() else {
            return false;
        };
        if matches!(file.kind, Kind::HardLink { .. } | Kind::Dir) {
            return false;
        }
        let names = self.names.of(&self.entries);
        let Some(mut others) = names.remove(path) else {
            return false;
        };
        let Some(first) = others.pop_first() else {
            return false;
        };
        if !others.is_empty() {
            names.insert(first.clone(), others.clone());
        }
        for link in others {
            self.point(&link, &first);
        }
        self.entries.insert(first, file);
        true
    }

    /// Before `path` goes or becomes something else: it is no further name of its file any more.
    pub(crate) fn forget_name(&mut self, path: &[u8]) {
        let (Some(names), Some(entry)) = (&mut self.names.0, self.entries.get(path)) else {
            return;
        };
        let Kind::HardLink { target } = &entry.kind else {
            return;
        };
        if let Some(others) = names.get_mut(target) {
            others.remove(path);
            if others.is_empty() {
                names.remove(target);
            }
        }
    }

    /// A hard link must name an entry that is neither a directory nor a hard link.
    fn check_hard_link(&self, path: &[u8], target: &[u8]) -> Result<(), Error> {
        check_hard_link(path, target, self.entries.get(target))
    }
}

/// A hard link against what its target is.
pub(crate) fn check_hard_link(
    path: &[u8],
    target: &[u8],
    file: Option<&Entry>,
) -> Result<(), Error> {
    let reason = match file.map(|entry| &entry.kind) {
        None => "is not there",
        Some(Kind::Dir) => "is a directory",
        Some(Kind::HardLink { .. }) => "is a hard link itself",
        Some(_) => return Ok(()),
    };
    Err(Error::BadHardLink {
        path: name::shown(path),
        target: name::shown(target),
        reason,
    })
}

fn missing(path: &[u8], reason: &'static str) -> Error {
    Error::Missing {
        path: name::shown(path),
        reason,
    }
}
