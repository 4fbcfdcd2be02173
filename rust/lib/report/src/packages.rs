//! Debian packages: what dpkg recorded of them, and whose a file is.
//!
//! dpkg's files lie in `var/lib/dpkg` (crate `dpkg`). An image may have lost them; the archive of the base image that it was made from has them always.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use archive::Kind;
use base::bounded::sum;
use dpkg::{List, Status, STATUS};
use inspect::{Files, Node};

use crate::error::Error;

/// What dpkg's files in an image may have altogether, in bytes.
const MOST: u64 = 256 << 20;

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// What the archive files it under, as `libs`; nothing if it does not say.
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
    status: Status,
    lists: Vec<(List, Vec<u8>)>,
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
            let Some(of) = Of::at(&entry.path) else {
                continue;
            };
            let mut content = Vec::new();
            file.seek(SeekFrom::Start(offset)).map_err(io)?;
            let mut data = file.by_ref().take(len);
            data.read_to_end(&mut content).map_err(io)?;
            let added = database.add(of, content);
            added.map_err(|source| Error::Status {
                place: path.display().to_string(),
                source,
            })?;
        }
        Ok(database)
    }

    /// That in a file system itself.
    pub(crate) fn of_files(files: &Files<'_>) -> Result<Self, Error> {
        let mut database = Self::default();
        let Ok(top) = files.find(b"/var/lib/dpkg", true) else {
            return Ok(database);
        };
        let mut left = MOST;
        for entry in files.below(top) {
            let path = entry.path.0.strip_prefix(b"/").unwrap_or(&entry.path.0);
            let (Some(of), Node::File(file)) = (Of::at(path), &entry.node) else {
                continue;
            };
            // What it says may be all zeros that are stored nowhere.
            let rest = left.checked_sub(file.size);
            left = rest.ok_or_else(|| Error::TooLong {
                path: entry.path.to_string(),
                most: MOST,
            })?;
            let mut content = Vec::new();
            files.copy(entry, &mut content)?;
            let added = database.add(of, content);
            added.map_err(|source| Error::Status {
                place: "the image".to_owned(),
                source,
            })?;
        }
        Ok(database)
    }

    fn add(&mut self, of: Of, content: Vec<u8>) -> Result<(), dpkg::Error> {
        match of {
            Of::All => self.status = Status::read(&content)?,
            Of::One(list) => self.lists.push((list, content)),
        }
        Ok(())
    }
}

/// What a file of dpkg's is about.
enum Of {
    /// All packages: the status file.
    All,
    /// One: its list of files.
    One(List),
}

impl Of {
    /// The file at `path`, if it is one of them.
    fn at(path: &[u8]) -> Option<Self> {
        match path == STATUS.as_bytes() {
            true => Some(Self::All),
            false => List::at(path).map(Self::One),
        }
    }
}

impl Packages {
    /// The packages of `database` in a file system of these `files`.
    pub(crate) fn new(database: &Database, files: &Files<'_>) -> Self {
        let packages = database.status.packages().iter();
        let all = packages.map(|package| Package {
            name: database.status.label(package),
            version: package.version.clone(),
            section: package.section.clone().unwrap_or_default(),
            installed: package.installed,
            bytes: 0,
            files: 0,
        });
        let mut owner = BTreeMap::new();
        for (list, paths) in &database.lists {
            let Some(place) = database.status.position(list) else {
                continue;
            };
            for path in paths.split(|byte| *byte == b'\n') {
                // A folder on the way may be a link into /usr nowadays: the file has one path all the same.
                let found = match path {
                    [b'/', ..] => files.find(path, false).ok(),
                    _ => None,
                };
                if let Some(entry) = found.filter(|entry| entry.node != Node::Dir) {
                    owner.entry(entry.path.0.clone()).or_insert(place);
                }
            }
        }
        Self {
            all: all.collect(),
            owner,
        }
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
