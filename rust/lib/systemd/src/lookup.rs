//! Where units lie (systemd.unit(5), "Unit File Load Path") and what a name leads to.

use std::collections::BTreeMap;

use tree::{Kind, Tree};

use crate::error::Error;
use crate::name::{is_valid, Name};

/// White space of unit and preset files.
pub(crate) const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// `text` without white space at its ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(SPACE)
}

/// What a mask points to.
pub(crate) const NULL: &[u8] = b"dev/null";

/// Folders of units that an image can have, the most important first.
const UNITS: [&str; 7] = [
    "etc/systemd/system.control",
    "etc/systemd/system",
    "etc/systemd/system.attached",
    "run/systemd/system",
    "run/systemd/system.attached",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
];

/// Folders that count as load path when a link leads there, although a running system fills them.
const RUNTIME: [&str; 5] = [
    "run/systemd/system.control",
    "run/systemd/transient",
    "run/systemd/generator.early",
    "run/systemd/generator",
    "run/systemd/generator.late",
];

/// A folder by its usual name and where that leads.
#[derive(Debug)]
struct Dir {
    name: &'static str,
    real: Vec<u8>,
}

/// The load path of a tree.
#[derive(Debug)]
pub(crate) struct Search(Vec<Dir>);

/// What a unit name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Missing,
    /// `/dev/null`, or an empty file.
    Masked,
    /// A link that systemctl does not touch: into the load path under the same name, or in circles.
    Refused,
    /// Another name of a unit.
    Alias(String),
    /// A unit file.
    Unit(UnitFile),
}

/// A unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnitFile {
    /// Path in the tree.
    pub(crate) path: Vec<u8>,
    /// How a file outside the load path is known.
    pub(crate) linked: Linked,
}

/// From where a link leads to a unit file outside the load path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linked {
    /// The file lies in the load path.
    No,
    /// From /etc/systemd/system. Enabling makes a link there if there is none under the unit's name: to instances of a template.
    FromEtc,
    /// From another folder: enabling makes that link, too.
    FromElsewhere,
}

/// What an instance's own file says when links to the instance are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnFile {
    /// Nothing against it, or there is none.
    Good,
    /// `/dev/null`, or an empty file.
    Masked,
    /// A link to itself, or into the load path to what it cannot be.
    Refused,
}

impl Search {
    pub(crate) fn of(tree: &Tree) -> Result<Self, Error> {
        let mut dirs = Vec::with_capacity(UNITS.len());
        for name in UNITS {
            let real = tree.resolve(name.as_bytes(), true, "unit folder")?;
            dirs.push(Dir { name, real });
        }
        Ok(Self(dirs))
    }

    /// All names of units in the load path.
    pub(crate) fn names(&self, tree: &Tree) -> Vec<String> {
        let mut names = Vec::new();
        for dir in &self.0 {
            for (name, entry) in tree.children(&dir.real) {
                let text = std::str::from_utf8(name).ok().filter(|name| is_valid(name));
                let hidden = name.starts_with(b".");
                if let (Some(name), false, true) = (text, hidden, entry.kind != Kind::Dir) {
                    names.push(name.to_owned());
                }
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// What `name` leads to; an instance without a file of its own to its template's.
    pub(crate) fn find(&self, tree: &Tree, name: &str) -> Result<Found, Error> {
        if let Some((dir, path)) = self.locate(tree, name)? {
            return self.examine(tree, dir, &path, name);
        }
        let template = Name::parse(name).and_then(|name| name.template());
        let Some(template) = template else {
            return Ok(Found::Missing);
        };
        let Some((dir, path)) = self.locate(tree, &template)? else {
            return Ok(Found::Missing);
        };
        Ok(match self.examine(tree, dir, &path, &template)? {
            // An alias of the template is one of the instance.
            Found::Alias(other) => instance_like(&other, name).map_or(Found::Refused, Found::Alias),
            found => found,
        })
    }

    /// Of which unit the file at `path` is, and whether it is the unit's own: `DIR/NAME` is, `DIR/NAME.d/x.conf` is a drop-in, also of
    /// a prefix (`a-.service`) or a type (`service`).
    pub(crate) fn file_of(&self, path: &[u8]) -> Option<(String, bool)> {
        let dir = parent(path);
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let loads = |dir: &[u8]| self.0.iter().any(|known| known.real == dir);
        if loads(dir) {
            let name = text(base_name(path)).filter(|name| is_valid(name))?;
            return Some((name, true));
        }
        let of = base_name(dir)
            .strip_suffix(b".d")
            .filter(|_| path.ends_with(b".conf"))?;
        loads(parent(dir))
            .then(|| text(of))
            .flatten()
            .map(|name| (name, false))
    }

    /// What the file of its own says that the instance `name` of a template may have: one that enabling does not follow further.
    pub(crate) fn own_file(&self, tree: &Tree, name: &str) -> Result<OwnFile, Error> {
        let Some((dir, path)) = self.locate(tree, name)? else {
            return Ok(OwnFile::Good);
        };
        Ok(match tree.get(&path).map(|entry| &entry.kind) {
            Some(Kind::File(source)) if source.len == 0 => OwnFile::Masked,
            Some(Kind::Symlink { target }) => {
                let dest = absolute(&dir.real, target);
                let base = text_name(&dest);
                let fits = Name::parse(name)
                    .zip(base.and_then(Name::parse))
                    .is_some_and(|(name, other)| name.may_lead_to(&other));
                match (dest == NULL, self.holds(tree, &dest)?) {
                    (true, _) => OwnFile::Masked,
                    (false, true) if base == Some(name) || !fits => OwnFile::Refused,
                    _ => OwnFile::Good,
                }
            }
            _ => OwnFile::Good,
        })
    }

    fn locate(&self, tree: &Tree, name: &str) -> Result<Option<(&Dir, Vec<u8>)>, Error> {
        for dir in &self.0 {
            let path = [&dir.real[..], b"/", name.as_bytes()].concat();
            match tree.get(&path).map(|entry| &entry.kind) {
                None => {}
                Some(Kind::Dir) => {
                    let path = tree::display(&path);
                    return Err(Error::UnitDirectory { path });
                }
                Some(_) => return Ok(Some((dir, path))),
            }
        }
        Ok(None)
    }

    /// The entry at `path`, which is `name` in `dir`.
    fn examine(&self, tree: &Tree, dir: &Dir, path: &[u8], name: &str) -> Result<Found, Error> {
        match tree.inode(path).map(|entry| &entry.kind) {
            Some(Kind::File(source)) if source.len == 0 => Ok(Found::Masked),
            Some(Kind::File(_) | Kind::Sparse(_)) => Ok(Found::Unit(UnitFile {
                path: format!("{}/{name}", dir.name).into_bytes(),
                linked: Linked::No,
            })),
            Some(Kind::Symlink { target }) => {
                let Ok(end) = tree.resolve(path, true, name) else {
                    return Ok(Found::Refused);
                };
                if end == NULL {
                    return Ok(Found::Masked);
                }
                let dest = absolute(&dir.real, target);
                let from = match dir.name.as_bytes() == crate::ETC {
                    true => Linked::FromEtc,
                    false => Linked::FromElsewhere,
                };
                match self.holds(tree, &dest)? {
                    true => inside(tree, &dest, end, name),
                    false => Ok(leads_to(tree, end, from)),
                }
            }
            _ => Ok(Found::Refused),
        }
    }

    /// Whether `path` lies in a folder of the load path, by its text or by where its folder leads.
    fn holds(&self, tree: &Tree, path: &[u8]) -> Result<bool, Error> {
        if self.holds_text(path) {
            return Ok(true);
        }
        let parent = parent(path);
        let real = tree.resolve(parent, true, "link of a unit")?;
        Ok(self.0.iter().any(|dir| under(&real, &dir.real)))
    }

    /// Whether the text of `path` begins with a folder of the load path.
    pub(crate) fn holds_text(&self, path: &[u8]) -> bool {
        let mut dirs = UNITS.iter().chain(&RUNTIME);
        dirs.any(|dir| under(path, dir.as_bytes()))
    }

    /// Drop-in files of `name` in order: by file name, and of two with one name that of the more important folder.
    pub(crate) fn drop_ins(&self, tree: &Tree, name: &str) -> Result<Vec<Vec<u8>>, Error> {
        let template = Name::parse(name).and_then(|name| name.template());
        let mut files: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for name in [Some(name.to_owned()), template].into_iter().flatten() {
            for dir in &self.0 {
                let path = [&dir.real[..], b"/", name.as_bytes(), b".d"].concat();
                let real = tree.resolve(&path, true, &name)?;
                for (file, _) in tree.children(&real) {
                    if file.ends_with(b".conf") && !file.starts_with(b".") {
                        let path = [&real[..], b"/", file].concat();
                        files.entry(file.to_vec()).or_insert(path);
                    }
                }
            }
        }
        Ok(files.into_values().collect())
    }
}

/// A link called `name` to `dest` in the load path, and on to `end`.
fn inside(tree: &Tree, dest: &[u8], end: Vec<u8>, name: &str) -> Result<Found, Error> {
    let parsed = Name::parse(name);
    if !parsed.is_some_and(|name| name.takes_aliases()) {
        return Err(Error::AliasLink {
            link: name.to_owned(),
            target: tree::display(dest),
        });
    }
    let Some(base) = text_name(dest) else {
        return Ok(Found::Refused);
    };
    let fits = parsed.zip(Name::parse(base));
    let fits = fits.is_some_and(|(name, other)| name.may_lead_to(&other));
    if base == name || !fits {
        return Ok(Found::Refused);
    }
    let template = parsed.and_then(|name| name.template());
    if template.as_deref() == Some(base) {
        // An instance that is a link to its own template is that instance.
        return Ok(leads_to(tree, end, Linked::No));
    }
    Ok(Found::Alias(base.to_owned()))
}

/// A link that leads to `end`, a file of its own.
fn leads_to(tree: &Tree, end: Vec<u8>, linked: Linked) -> Found {
    match tree.inode(&end).map(|entry| &entry.kind) {
        None => Found::Missing,
        Some(Kind::File(source)) if source.len == 0 => Found::Masked,
        Some(Kind::File(_) | Kind::Sparse(_)) => Found::Unit(UnitFile { path: end, linked }),
        Some(_) => Found::Refused,
    }
}

/// The instance of the template `other` that `name` is of its own.
fn instance_like(other: &str, name: &str) -> Option<String> {
    let instance = Name::parse(name)?.instance?;
    Name::parse(other)?.with_instance(instance)
}

/// The last component.
pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

/// The last component, if it is text, as names of units are.
pub(crate) fn text_name(path: &[u8]) -> Option<&str> {
    std::str::from_utf8(base_name(path)).ok()
}

/// All but the last component.
pub(crate) fn parent(path: &[u8]) -> &[u8] {
    let mut parts = path.rsplitn(2, |b| *b == b'/').skip(1);
    parts.next().unwrap_or(b"")
}

fn under(path: &[u8], dir: &[u8]) -> bool {
    let rest = path.strip_prefix(dir);
    rest.is_some_and(|rest| rest.starts_with(b"/"))
}

/// Where a link in `dir` with the text `target` points, from the root and without `.` and `..`.
pub(crate) fn absolute(dir: &[u8], target: &[u8]) -> Vec<u8> {
    let whole = match target.starts_with(b"/") {
        true => target.to_vec(),
        false => [dir, b"/", target].concat(),
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in whole.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}
