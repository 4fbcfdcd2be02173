//! A package of the lock, opened: what it says of itself, and which files it brings.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use archive::{Entry, Kind};
use deb::Control;
use deb822_fast::borrowed::{BorrowedParagraph, BorrowedParser};

use super::md5::md5;
use super::relation::{relations, Relation};
use crate::error::Error;
use crate::links::{absolute, split};
use crate::lock;
use crate::package_file::{damaged, open};
use crate::paths::{leave_out, PathRule};

/// Relations to other packages, as a field has them.
pub(super) type Relations = Vec<Vec<Relation>>;

/// A file of settings that people change: an upgrade asks before it takes their changes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conffile {
    /// Without a slash in front.
    pub(super) path: Vec<u8>,
    /// The package no longer has it, and an upgrade is to remove it.
    pub(super) goes: bool,
}

/// What a package says of itself.
#[derive(Debug)]
pub(super) struct Package<'a> {
    locked: &'a lock::Package,
    file: &'a Path,
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) architecture: &'a str,
    /// `Essential: yes`: others need not say that they depend on it.
    pub(super) essential: bool,
    /// `Multi-Arch: same`: dpkg names its files with its architecture.
    pub(super) same: bool,
    pub(super) pre_depends: Relations,
    pub(super) depends: Relations,
    pub(super) provides: Relations,
    pub(super) conflicts: Relations,
    pub(super) breaks: Relations,
    pub(super) replaces: Relations,
    /// In the order of their list.
    pub(super) conffiles: Vec<Conffile>,
    pub(super) control: Control,
    /// Where its files were unpacked; nowhere as long as they are not.
    pub(super) folder: PathBuf,
    /// What that gave.
    pub(super) unpacked: Unpacked,
}

/// The content of a file.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    pub(super) path: Vec<u8>,
    pub(super) md5: String,
}

/// What unpacking a package gives.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    /// The members of its archive, in its order.
    entries: Vec<Entry>,
    /// Paths of those of them that rules leave out: they are in no tree, though dpkg's records name them.
    left_out: BTreeSet<Vec<u8>>,
    /// The sums of its files, as dpkg makes them for a package that brings none.
    pub(super) made_sums: Option<Vec<Sum>>,
}

impl Unpacked {
    /// The members that come into the tree.
    fn brings(&self) -> impl Iterator<Item = &Entry> {
        let comes = |entry: &&Entry| !self.left_out.contains(&entry.path);
        self.entries.iter().filter(comes)
    }
}

impl<'a> Package<'a> {
    /// Reads what the file of a locked package says of itself, but not yet its files.
    pub(super) fn read(locked: &'a lock::Package, file: &'a Path) -> Result<Self, Error> {
        let bad = |field: &str, got: &str, want: &str| Error::Package {
            package: locked.name.clone(),
            problem: format!("got {field} {got:?}, want {want}"),
        };
        let mut deb = open(&locked.name, file)?;
        let control = deb.control().map_err(damaged(&locked.name, file))?;
        let text = std::str::from_utf8(control.description())
            .map_err(|_| bad("a control file", "bytes that are not UTF-8", "text"))?;
        let paragraphs = BorrowedParser::new(text)
            .parse_all()
            .map_err(|error| bad("a control file", &error.to_string(), "lines `Field: value`"))?;
        let [fields] = paragraphs.as_slice() else {
            return Err(bad(
                "paragraphs in its control file:",
                &paragraphs.len().to_string(),
                "one",
            ));
        };
        if let Some(field) = twice(text) {
            return Err(bad("the field", &field, "each field once"));
        }
        is_locked(locked, fields)?;
        let related = |field: &str| {
            relations(&value(fields, field))
                .map_err(|item| bad(field, &item, "`NAME` or `NAME (>= VERSION)`"))
        };
        Ok(Self {
            locked,
            file,
            name: &locked.name,
            version: &locked.version,
            architecture: &locked.architecture,
            essential: value(fields, "Essential") == "yes",
            same: value(fields, "Multi-Arch") == "same",
            pre_depends: related("Pre-Depends")?,
            depends: related("Depends")?,
            provides: related("Provides")?,
            conflicts: related("Conflicts")?,
            breaks: related("Breaks")?,
            replaces: related("Replaces")?,
            conffiles: conffiles(&control).map_err(|line| {
                bad(
                    "a conffile",
                    &line,
                    "a path that begins with / and does not climb",
                )
            })?,
            control,
            folder: PathBuf::new(),
            unpacked: Unpacked::default(),
        })
    }

    /// How long the package's file is.
    pub(super) fn size(&self) -> u64 {
        self.locked.size
    }

    /// Unpacks its files into its folder, which is empty, but for those that `rules` leave out.
    pub(super) fn unpack(&self, rules: &[PathRule]) -> Result<Unpacked, Error> {
        let Self { locked, file, .. } = *self;
        let mut deb = open(&locked.name, file)?;
        let mut unpacked = Unpacked::default();
        let Unpacked {
            entries, left_out, ..
        } = &mut unpacked;
        let mut lost: Option<(Vec<u8>, Vec<u8>)> = None;
        let mut data = deb.data().map_err(damaged(&locked.name, file))?;
        let options = archive::UnpackOptions::default();
        archive::unpack_members(&mut data, &self.folder, &options, &mut |entry| {
            entries.push(entry.clone());
            if leave_out(rules, &entry.path, &entry.kind) {
                left_out.insert(entry.path.clone());
                return false;
            }
            let missing = needed(entry).find(|path| left_out.contains(*path));
            if let Some(path) = missing {
                lost.get_or_insert_with(|| (entry.path.clone(), path.to_vec()));
            }
            missing.is_none()
        })
        .map_err(|source| deb::Error::Archive {
            part: deb::Part::Data,
            source,
        })
        .map_err(damaged(&locked.name, file))?;
        data.finish().map_err(damaged(&locked.name, file))?;
        self.check(&unpacked.entries)?;
        if let Some((path, needed)) = lost {
            return Err(self.without(&path, &needed));
        }
        if self.control.get("md5sums").is_none() {
            unpacked.made_sums = Some(self.sums(unpacked.brings())?);
        }
        Ok(unpacked)
    }

    /// Refuses members that cannot be installed as the package has them.
    fn check(&self, entries: &[Entry]) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        for entry in entries {
            let path = entry.path.escape_ascii();
            let problem = match entry.kind {
                Kind::Char { .. } | Kind::Block { .. } => {
                    format!("got the device node /{path}, want none, as no build step may make one (docs/container.md): take it off the list")
                }
                _ if !seen.insert(&entry.path) => format!("got /{path} twice, want each path once"),
                _ => continue,
            };
            return Err(Error::Package {
                package: self.name.to_owned(),
                problem,
            });
        }
        Ok(())
    }

    /// The error that rules leave out what a member that comes cannot be without.
    fn without(&self, path: &[u8], needed: &[u8]) -> Error {
        Error::Package {
            package: self.name.to_owned(),
            problem: format!(
                "got /{}, which lies in or is a hard link to /{}, which a rule on paths leaves out, want rules that leave out both or neither",
                path.escape_ascii(),
                needed.escape_ascii()
            ),
        }
    }

    /// The sums of these of its files, in the order of its archive.
    fn sums<'e>(&self, entries: impl Iterator<Item = &'e Entry>) -> Result<Vec<Sum>, Error> {
        let has_data = |kind: &Kind| kind.is_file() || matches!(kind, Kind::HardLink { .. });
        let files = entries.filter(|entry| has_data(&entry.kind));
        files
            .map(|entry| {
                let path = self.folder.join(OsStr::from_bytes(&entry.path));
                let md5 = File::open(&path)
                    .and_then(|file| md5(BufReader::new(file)))
                    .map_err(Error::io(format!("read {}", path.display())))?;
                Ok(Sum {
                    path: entry.path.clone(),
                    md5,
                })
            })
            .collect()
    }

    /// Name, and the architecture where dpkg says it: in the names of its files, and where triggers are noted.
    pub(super) fn label(&self) -> String {
        match self.same {
            true => format!("{}:{}", self.name, self.architecture),
            false => self.name.to_owned(),
        }
    }

    /// Whether the file that it has at `path` is one of its conffiles.
    pub(super) fn has_conffile(&self, path: &[u8]) -> bool {
        let mut conffiles = self.conffiles.iter();
        conffiles.any(|conffile| !conffile.goes && conffile.path == path)
    }

    /// Whether a script of it comes before unpacking it.
    pub(super) fn has_preinst(&self) -> bool {
        self.control.get("preinst").is_some()
    }

    /// Whether it brings something at `path`.
    pub(super) fn has_file(&self, path: &[u8]) -> bool {
        self.entry(path).is_some()
    }

    /// The members of its archive, in its order, also those that rules leave out.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.unpacked.entries
    }

    /// The members of its archive that come into the tree, in its order.
    pub(super) fn brings(&self) -> impl Iterator<Item = &Entry> {
        self.unpacked.brings()
    }

    /// What it brings at `path`.
    pub(super) fn entry(&self, path: &[u8]) -> Option<&Entry> {
        self.brings().find(|entry| entry.path == path)
    }

    /// Whether this package is what a relation names, or provides it.
    pub(super) fn is(&self, relation: &Relation) -> bool {
        let provided = || {
            self.provides.iter().flatten().any(|provided| {
                provided.name == relation.name && relation.takes_provided(provided.exact_version())
            })
        };
        (self.name == relation.name && relation.takes(self.version)) || provided()
    }

    /// Whether it may take files of `other`: only real packages are named so.
    pub(super) fn may_replace(&self, other: &Self) -> bool {
        let mut named = self.replaces.iter().flatten();
        named.any(|relation| relation.name == other.name && relation.takes(other.version))
    }
}

/// What a member cannot be without: the folder that it lies in, and the file that it is another name of.
fn needed(entry: &Entry) -> impl Iterator<Item = &[u8]> {
    let target = match &entry.kind {
        Kind::HardLink { target } => Some(target.as_slice()),
        _ => None,
    };
    std::iter::once(split(&entry.path).0).chain(target)
}

/// Refuses a package that is not what the lock says.
fn is_locked(locked: &lock::Package, fields: &BorrowedParagraph<'_>) -> Result<(), Error> {
    for (field, want) in [
        ("Package", &locked.name),
        ("Version", &locked.version),
        ("Architecture", &locked.architecture),
    ] {
        let got = value(fields, field);
        if got != *want {
            return Err(Error::Package {
                package: locked.name.clone(),
                problem: format!("got {field} {got:?}, want {want:?} as the lock says"),
            });
        }
    }
    Ok(())
}

fn value(fields: &BorrowedParagraph<'_>, field: &str) -> String {
    let lines = fields.get(field).unwrap_or_default();
    lines.join("\n").trim().to_owned()
}

/// A field that stands there twice: readers differ in which one they take.
fn twice(text: &str) -> Option<String> {
    let mut seen = BTreeSet::new();
    let names = text.lines().filter(|line| !line.starts_with([' ', '\t']));
    let mut names = names.filter_map(|line| line.split_once(':'));
    let again = names.find(|(name, _)| !seen.insert(name.to_ascii_lowercase()));
    again.map(|(name, _)| name.to_owned())
}

/// The lines of a list of conffiles (deb-conffiles(5)); one that is none is the error.
fn conffiles(control: &Control) -> Result<Vec<Conffile>, String> {
    let Some(file) = control.get("conffiles") else {
        return Ok(Vec::new());
    };
    let lines = file.bytes.split(|byte| *byte == b'\n');
    lines
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let path = line.strip_prefix(b"remove-on-upgrade ");
            let (path, goes) = path.map_or((line, false), |path| (path, true));
            let path = absolute(path).ok_or_else(|| line.escape_ascii().to_string())?;
            Ok(Conffile {
                path: path.to_vec(),
                goes,
            })
        })
        .collect()
}
