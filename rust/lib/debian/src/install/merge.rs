//! Files of packages, each unpacked in a folder of its own, become one tree.
//!
//! Packages are taken in the order of their installation, the members of each in the order of its archive, and these rules, dpkg's own,
//! say what becomes of each:
//!
//! - A folder that is there stays as it is, also where a link leads to it. Links that another package has as a folder are made before
//!   everything else, so that `/bin` leads to `/usr/bin` whoever comes first.
//! - A conffile is put beside its place, as `NAME.dpkg-new`: dpkg puts it in its place when it configures the package.
//! - Of two packages that have the same file the one has it that replaces the other (`Replaces`); if both do, the later. The other's list
//!   of files no longer names it. If neither does, both files are kept until scripts had their chance to divert one
//!   ([`super::diversions`]).
//!
//! Files are moved, not copied: hard links stay what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{chown, PermissionsExt};
use std::path::Path;

use archive::{Entry, Kind};

use super::package::Package;
use super::places::Places;
use super::records::set_time;
use crate::error::Error;
use crate::links::split;

/// What dpkg adds to the name of a conffile that it has not configured.
pub(super) const NEW: &[u8] = b".dpkg-new";

/// A file of a package that another has, too.
#[derive(Clone, Debug)]
pub(super) struct Contested<'a> {
    pub(super) package: &'a Package<'a>,
    /// The package whose file is in the tree.
    pub(super) other: &'a Package<'a>,
    /// As the package names it.
    pub(super) path: Vec<u8>,
}

/// The tree, as far as packages have made it.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    pub(super) places: Places<'a>,
    pub(super) packages: &'a [Package<'a>],
    /// Whose file is at a place.
    pub(super) owners: BTreeMap<Vec<u8>, &'a Package<'a>>,
    pub(super) contested: Vec<Contested<'a>>,
    /// Of a package, by its label, paths that are another's now: they are not listed.
    pub(super) lost: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// Folders that packages brought: the time of each, and whether anything else than a folder was put into it.
    folders: BTreeMap<Vec<u8>, Folder>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Folder {
    mtime: i64,
    filled: bool,
}

/// Moves the files of `packages`, which are unpacked, into the folder `root`, which exists and is empty.
pub(super) fn merge<'a>(packages: &'a [Package<'a>], root: &'a Path) -> Result<Merged<'a>, Error> {
    let mut merged = Merged {
        places: Places::new(root),
        packages,
        owners: BTreeMap::new(),
        contested: Vec::new(),
        lost: BTreeMap::new(),
        folders: BTreeMap::new(),
    };
    let links = folder_links(packages);
    for package in packages {
        let is_link = |e: &&Entry| !e.kind.is_dir() && links.contains(e.path.as_slice());
        for entry in package.entries.iter().filter(is_link) {
            merged.parents(package, &entry.path)?;
            merged.member(package, entry)?;
        }
    }
    for package in packages {
        let is_left = |e: &&Entry| e.kind.is_dir() || !links.contains(e.path.as_slice());
        for entry in package.entries.iter().filter(is_left) {
            merged.member(package, entry)?;
        }
    }
    merged.times()?;
    Ok(merged)
}

/// Paths that are a link in one package and a folder in another.
fn folder_links<'a>(packages: &'a [Package<'a>]) -> BTreeSet<&'a [u8]> {
    let entries = || packages.iter().flat_map(|package| &package.entries);
    let links: BTreeSet<&[u8]> = entries()
        .filter(|entry| matches!(entry.kind, Kind::Symlink { .. }))
        .map(|entry| entry.path.as_slice())
        .collect();
    let folders = entries().filter(|entry| entry.kind.is_dir());
    folders
        .map(|entry| entry.path.as_slice())
        .filter(|path| links.contains(path))
        .collect()
}

impl<'a> Merged<'a> {
    /// Makes the folders that a member lies in, as its own package has them.
    fn parents(&mut self, package: &'a Package<'a>, path: &[u8]) -> Result<(), Error> {
        let above = package.entries.iter().filter(|entry| {
            let below = path.strip_prefix(entry.path.as_slice());
            entry.kind.is_dir() && below.is_some_and(|below| below.starts_with(b"/"))
        });
        for entry in above {
            self.folder(package, entry)?;
        }
        Ok(())
    }

    fn member(&mut self, package: &'a Package<'a>, entry: &Entry) -> Result<(), Error> {
        if entry.kind.is_dir() {
            return self.folder(package, entry);
        }
        let path = &entry.path;
        let mut place = self.places.place(path)?;
        let is_link = matches!(entry.kind, Kind::Symlink { .. });
        if is_link && self.folders.contains_key(&place) {
            return Ok(());
        }
        if package.has_conffile(path) {
            place.extend_from_slice(NEW);
        }
        if self.folders.contains_key(&place) {
            return Err(clash(package, path, "a folder of another package"));
        }
        match self.owners.get(&place).copied() {
            None => self.put(package, path, place),
            Some(other) => self.second(package, other, path, place),
        }
    }

    /// A file whose place has another package's.
    fn second(
        &mut self,
        package: &'a Package<'a>,
        other: &'a Package<'a>,
        path: &[u8],
        place: Vec<u8>,
    ) -> Result<(), Error> {
        if package.may_replace(other) {
            self.lose(other, path);
            self.put(package, path, place)
        } else if other.may_replace(package) {
            self.lose(package, path);
            Ok(())
        } else {
            self.contested.push(Contested {
                package,
                other,
                path: path.to_vec(),
            });
            Ok(())
        }
    }

    fn lose(&mut self, package: &Package<'_>, path: &[u8]) {
        let lost = self.lost.entry(package.label()).or_default();
        lost.insert(path.to_vec());
    }

    /// Moves a file from where it was unpacked to its place.
    pub(super) fn put(
        &mut self,
        package: &'a Package<'a>,
        path: &[u8],
        place: Vec<u8>,
    ) -> Result<(), Error> {
        let from = package.folder.join(OsStr::from_bytes(path));
        let to = self.places.file(&place);
        let folder = split(&place).0;
        if !self.folders.contains_key(folder) {
            let folder = self.places.file(folder);
            fs::create_dir_all(&folder)
                .map_err(Error::io(format!("make the folder {}", folder.display())))?;
        }
        fs::rename(&from, &to).map_err(Error::io(format!("move a file to {}", to.display())))?;
        if let Some(folder) = self.folders.get_mut(split(&place).0) {
            folder.filled = true;
        }
        self.owners.insert(place, package);
        Ok(())
    }

    fn folder(&mut self, package: &'a Package<'a>, entry: &Entry) -> Result<(), Error> {
        let place = self.places.folder(&entry.path)?;
        let file = self.places.file(&place);
        if let Some(known) = self.folders.get_mut(&place) {
            known.mtime = known.mtime.max(entry.mtime);
            return Ok(());
        }
        if let Some(other) = self.owners.get(&place) {
            let with = format!("a file of {}", other.name);
            return Err(clash(package, &entry.path, &with));
        }
        let failed = || Error::io(format!("make the folder {}", file.display()));
        // A link may lead to a folder whose own package comes later.
        fs::create_dir_all(&file).map_err(failed())?;
        chown(&file, Some(entry.uid), Some(entry.gid)).map_err(failed())?;
        let mode = fs::Permissions::from_mode(entry.mode & 0o7777);
        fs::set_permissions(&file, mode).map_err(failed())?;
        let folder = Folder {
            mtime: entry.mtime,
            filled: false,
        };
        self.folders.insert(place, folder);
        Ok(())
    }

    /// Folders of folders alone keep the time that packages say, the latest; others have changed now.
    fn times(&self) -> Result<(), Error> {
        for (place, folder) in self.folders.iter().filter(|(_, folder)| !folder.filled) {
            set_time(&self.places.file(place), folder.mtime)?;
        }
        Ok(())
    }
}

pub(super) fn clash(package: &Package<'_>, path: &[u8], with: &str) -> Error {
    Error::Overwrites {
        package: package.name.to_owned(),
        path: format!("/{}", path.escape_ascii()),
        with: with.to_owned(),
    }
}
