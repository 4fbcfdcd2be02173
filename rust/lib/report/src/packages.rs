//! Debian packages: what dpkg recorded of them, and whose a file is.
//!
//! dpkg's files lie in `var/lib/dpkg`: `status` has a paragraph for each package, `info/NAME.list` or `info/NAME:ARCH.list` the paths that it
//! brought. An image may have lost them; the archive of the base image that it was made from has them always.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use archive::Kind;
use base::bounded::sum;
use inspect::{Files, Node};

use crate::error::Error;

const INFO: &[u8] = b"var/lib/dpkg/info/";
const LIST: &[u8] = b".list";
const STATUS: &[u8] = b"var/lib/dpkg/status";

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// What the archive files it under, as `libs`.
    pub(crate) section: String,
    /// What it says of its own size, in bytes, if it does.
    pub(crate) installed: Option<u64>,
    /// What its files have in the image, in bytes.
    pub(crate) bytes: u64,
    /// How many files of the image are its own.
    pub(crate) files: u64,
}

/// All packages, and who brought what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packages {
    pub(crate) all: Vec<Package>,
    /// Path of a file in the image, from `/`, to the place of its package in `all`.
    owner: BTreeMap<Vec<u8>, usize>,
}

/// What dpkg wrote: the status file, and of each package its list of files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Database {
    status: Vec<u8>,
    lists: Vec<(String, Vec<u8>)>,
}

impl Database {
    /// That in the archive of a root file system.
    pub(crate) fn of_archive(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = std::fs::File::open(path).map_err(io)?;
        let entries = archive::index(&mut file).map_err(|source| Error::Archive {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let mut database = Self::default();
        for entry in entries {
            let Kind::File { offset, len } = entry.kind else {
                continue;
            };
            if entry.path != STATUS && package_of(&entry.path).is_none() {
                continue;
            }
            let mut content = Vec::new();
            file.seek(SeekFrom::Start(offset)).map_err(io)?;
            let mut data = file.by_ref().take(len);
            data.read_to_end(&mut content).map_err(io)?;
            database.add(&entry.path, content);
        }
        Ok(database)
    }

    /// That in a file system itself.
    pub(crate) fn of_files(files: &Files<'_>) -> Result<Self, Error> {
        let mut database = Self::default();
        let Ok(top) = files.find(b"/var/lib/dpkg", true) else {
            return Ok(database);
        };
        for entry in files.below(top) {
            let path = entry.path.0.strip_prefix(b"/").unwrap_or(&entry.path.0);
            let wanted = path == STATUS || package_of(path).is_some();
            if wanted && matches!(entry.node, Node::File(_)) {
                let mut content = Vec::new();
                files.copy(entry, &mut content)?;
                database.add(path, content);
            }
        }
        Ok(database)
    }

    fn add(&mut self, path: &[u8], content: Vec<u8>) {
        match package_of(path) {
            Some(name) => self.lists.push((name, content)),
            None => self.status = content,
        }
    }
}

/// The package whose list of files is at `path`.
fn package_of(path: &[u8]) -> Option<String> {
    let stem = path.strip_prefix(INFO)?.strip_suffix(LIST)?;
    let name = stem.split(|byte| *byte == b':').next()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

impl Packages {
    /// The packages of `database` in a file system of these `files`.
    pub(crate) fn new(database: &Database, files: &Files<'_>) -> Self {
        let all = status(&String::from_utf8_lossy(&database.status));
        let places: BTreeMap<&str, usize> = (0..).zip(&all).map(|(n, p)| (&*p.name, n)).collect();
        let mut owner = BTreeMap::new();
        for (name, list) in &database.lists {
            let Some(place) = places.get(name.as_str()) else {
                continue;
            };
            for path in list.split(|byte| *byte == b'\n') {
                // A folder on the way may be a link into /usr nowadays: the file has one path all the same.
                let found = match path {
                    [b'/', ..] => files.find(path, false).ok(),
                    _ => None,
                };
                if let Some(entry) = found.filter(|entry| entry.node != Node::Dir) {
                    owner.entry(entry.path.0.clone()).or_insert(*place);
                }
            }
        }
        Self { all, owner }
    }

    /// Of how many files it is known which package brought them.
    pub(crate) fn known(&self) -> usize {
        self.owner.len()
    }

    /// Counts a file of `bytes` for the package that brought it, and says which.
    pub(crate) fn count(&mut self, path: &[u8], bytes: u64) -> Option<usize> {
        let place = *self.owner.get(path)?;
        let package = self.all.get_mut(place)?;
        package.bytes = sum(package.bytes, bytes);
        package.files = sum(package.files, 1);
        Some(place)
    }
}

/// The installed packages of dpkg's status file, in its order.
fn status(text: &str) -> Vec<Package> {
    let mut all = Vec::new();
    for paragraph in text.split("\n\n") {
        let mut package = Package::default();
        let mut installed = false;
        for line in paragraph.lines() {
            match line.split_once(": ") {
                Some(("Package", value)) => value.clone_into(&mut package.name),
                Some(("Version", value)) => value.clone_into(&mut package.version),
                Some(("Section", value)) => value.clone_into(&mut package.section),
                Some(("Status", value)) => installed = value.ends_with(" installed"),
                // In units of 1024 bytes (Debian policy, section 5.6.20).
                Some(("Installed-Size", value)) => {
                    let number = value.trim().parse::<u64>().ok();
                    package.installed = number.and_then(|number| number.checked_mul(1024));
                }
                _ => {}
            }
        }
        if installed && !package.name.is_empty() {
            all.push(package);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_files() {
        let got = status(
            "Package: tool\nStatus: install ok installed\nVersion: 2.1-3\nSection: utils\nInstalled-Size: 12\nDescription: a\n text: b\n\n\
             Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
             Package: bare\nStatus: install ok installed\nVersion: 1\nInstalled-Size: 99999999999999999999\n",
        );
        let names: Vec<_> = got.iter().map(|p| (&*p.name, p.installed)).collect();
        assert_eq!(names, [("tool", Some(12 * 1024)), ("bare", None)]);
        assert_eq!((&*got[0].version, &*got[0].section), ("2.1-3", "utils"));
        assert_eq!(status(""), []);
    }

    #[test]
    fn lists_by_name() {
        for (path, want) in [
            ("var/lib/dpkg/info/libc6:amd64.list", Some("libc6")),
            ("var/lib/dpkg/info/tool.list", Some("tool")),
            ("var/lib/dpkg/info/tool.md5sums", None),
            ("etc/tool.list", None),
        ] {
            assert_eq!(package_of(path.as_bytes()).as_deref(), want, "{path}");
        }
    }
}
