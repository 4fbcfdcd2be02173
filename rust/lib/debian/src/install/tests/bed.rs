//! Packages made by hand, and a folder to install them in.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use archive::{Entry, Kind, Writer};
use base::Sha256Digest;

use super::super::merge::Merged;
use super::super::package::Package;
use super::super::records::Records;
use super::super::{diversions, order, overrides, unpack};
use crate::error::Error;
use crate::lock;
use crate::paths::PathRule;

/// A package to make: name, other fields, files of `control.tar`, and its own files.
pub(super) struct Made<'a> {
    pub(super) name: &'a str,
    pub(super) fields: &'a str,
    pub(super) control: &'a [(&'a str, &'a str)],
    pub(super) files: &'a [(&'a str, File<'a>)],
}

pub(super) enum File<'a> {
    Dir,
    Text(&'a str),
    Link(&'a str),
    Hard(&'a str),
    Device,
}
pub(super) use File::{Device, Dir, Hard, Link, Text};

fn tar(files: &[(&str, &File<'_>)], owner: &fs::Metadata) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, file) in files {
        let (kind, mode, data) = match file {
            Dir => (Kind::Dir, 0o750, ""),
            Device => (Kind::Char { major: 1, minor: 3 }, 0o666, ""),
            Link(to) => (
                Kind::Symlink {
                    target: to.as_bytes().to_vec(),
                },
                0o777,
                "",
            ),
            Hard(to) => (
                Kind::HardLink {
                    target: to.as_bytes().to_vec(),
                },
                0o644,
                "",
            ),
            Text(text) => {
                let len = text.len().try_into().unwrap();
                (Kind::File { offset: 0, len }, 0o644, *text)
            }
        };
        let mut entry = Entry::new(*path, kind, mode);
        (entry.uid, entry.gid, entry.mtime) = (owner.uid(), owner.gid(), 1000);
        writer.append(&entry, data.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

/// The package's file.
fn deb(made: &Made<'_>, owner: &fs::Metadata) -> Vec<u8> {
    let about = format!(
        "Package: {}\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\n{}Description: a\n",
        made.name, made.fields
    );
    let about = Text(&about);
    let texts: Vec<(&str, File<'_>)> = made.control.iter().map(|(n, t)| (*n, Text(t))).collect();
    let mut control: Vec<(&str, &File<'_>)> = texts.iter().map(|(n, f)| (*n, f)).collect();
    control.push(("control", &about));
    let files: Vec<(&str, &File<'_>)> = made.files.iter().map(|(n, f)| (*n, f)).collect();
    let mut out = b"!<arch>\n".to_vec();
    for (name, data) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar", tar(&control, owner)),
        ("data.tar", tar(&files, owner)),
    ] {
        let head = format!("{name:<48}{:<10}`\n", data.len());
        out.extend(head.into_bytes());
        out.extend(data);
    }
    out
}

/// A folder with packages' files, and a tree.
pub(super) struct Bed {
    pub(super) dir: tempfile::TempDir,
    locked: Vec<lock::Package>,
    pub(super) files: Vec<PathBuf>,
    /// On paths.
    pub(super) rules: Vec<PathRule>,
}

impl Bed {
    pub(super) fn new(made: &[Made<'_>]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let owner = fs::metadata(dir.path()).unwrap();
        let mut bed = Self {
            dir,
            locked: Vec::new(),
            files: Vec::new(),
            rules: Vec::new(),
        };
        for made in made {
            let bytes = deb(made, &owner);
            let file = bed.dir.path().join(format!("{}.deb", made.name));
            fs::write(&file, &bytes).unwrap();
            bed.files.push(file);
            bed.locked.push(lock::Package {
                name: made.name.to_owned(),
                version: "1".to_owned(),
                architecture: "all".to_owned(),
                suite: "trixie".to_owned(),
                source: made.name.to_owned(),
                source_version: "1".to_owned(),
                size: base::as_u64(bytes.len()),
                sha256: Sha256Digest::of_reader(&bytes[..]).unwrap(),
                path: format!("pool/{}.deb", made.name),
            });
        }
        bed
    }

    pub(super) fn packages(&self) -> Result<Vec<Package<'_>>, Error> {
        let jobs = self.locked.iter().zip(&self.files);
        let read: Result<Vec<_>, _> = jobs.map(|(l, f)| Package::read(l, f)).collect();
        order::sort(read?)
    }

    pub(super) fn order(&self) -> Vec<String> {
        let packages = self.packages().unwrap();
        packages.iter().map(|p| p.name.to_owned()).collect()
    }

    /// All up to the records; `diversions` is what scripts would have noted.
    pub(super) fn tree(&self, diversions: &str) -> Result<BTreeMap<String, String>, Error> {
        self.tree_of(usize::MAX, &|_, root| {
            fs::write(root.join("var/lib/dpkg/diversions"), diversions).unwrap();
        })
    }

    /// Likewise, with so many packages as the first of all. `before` does what scripts would do: those of the first packages, and the one of
    /// the package whose name it gets.
    pub(super) fn tree_of(
        &self,
        first: usize,
        before: &dyn Fn(&str, &Path),
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut packages = self.packages()?;
        let (to, root) = (self.dir.path().join("staged"), self.dir.path().join("root"));
        for folder in [&to, &root] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir(folder).unwrap();
        }
        unpack(&mut packages, &self.rules, &to)?;
        let (first, rest) = packages.split_at(first.min(packages.len()));
        let mut merged = Merged::new(&root);
        let mut records = Records::new(&root, "amd64")?;
        merged.first(first)?;
        records.add(first, &merged)?;
        before("", &root);
        merged.scripts_ran();
        diversions::settle(&mut merged)?;
        for package in rest {
            before(package.name, &root);
            merged.scripts_ran();
            diversions::follow(&mut merged, package)?;
            merged.next(package)?;
            records.activate(package, &merged)?;
            records.add(std::slice::from_ref(package), &merged)?;
            overrides::apply(&mut merged, package)?;
        }
        Ok(contents(&root))
    }
}

/// All files below a folder, with what is in them.
fn contents(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap();
        let text = if entry.file_type().is_dir() {
            continue;
        } else if entry.file_type().is_symlink() {
            format!("-> {}", fs::read_link(entry.path()).unwrap().display())
        } else {
            fs::read_to_string(entry.path()).unwrap()
        };
        found.insert(path.to_str().unwrap().to_owned(), text);
    }
    found
}

pub(super) fn named<'a>(name: &'a str, fields: &'a str) -> Made<'a> {
    Made {
        name,
        fields,
        control: &[],
        files: &[],
    }
}

pub(super) fn one<'a>(
    name: &'a str,
    fields: &'a str,
    files: &'a [(&'a str, File<'a>)],
) -> Made<'a> {
    Made {
        name,
        fields,
        control: &[],
        files,
    }
}
