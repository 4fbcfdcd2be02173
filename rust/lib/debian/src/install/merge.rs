//! Files of packages, each unpacked in a folder of its own, become one tree.
//!
//! Packages are taken in the order of their installation, the members of each in the order of its archive, and these rules, dpkg's own,
//! say what becomes of each:
//!
//! - A folder that is there stays as it is, also where a link leads to it. Among the packages that come first, links that another has as a
//!   folder are made before everything else, so that `/bin` leads to `/usr/bin` whoever is the first of them.
//! - A conffile is put beside its place, as `NAME.dpkg-new`: dpkg puts it in its place when it configures the package.
//! - What another package diverts lies where that one wants it ([`super::diversions`]).
//! - Of two packages that have the same file the one has it that replaces the other (`Replaces`); if both do, the later. The other's list
//!   of files no longer names it. If neither does, it is an error; of the packages that come first both files are kept until scripts had
//!   their chance to divert one.
//!
//! dpkg takes a package off all of whose files another has, and lets settings go from one package to another. Both are refused here.
//!
//! Files are moved, not copied: hard links stay what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{chown, MetadataExt, PermissionsExt};
use std::path::Path;

use archive::{Entry, Kind};

use super::diversions::{self, Diversion};
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
    /// It is a conffile of one of them.
    is_settings: bool,
}

/// The tree, as far as packages have made it.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    pub(super) places: Places<'a>,
    /// Those whose files are in the tree, in their order.
    pub(super) packages: Vec<&'a Package<'a>>,
    /// Whose file is at a place.
    pub(super) owners: BTreeMap<Vec<u8>, &'a Package<'a>>,
    pub(super) contested: Vec<Contested<'a>>,
    /// Those in force for files that come.
    pub(super) diversions: Vec<Diversion>,
    /// Of a package, by its label, paths that are another's now: they are not listed.
    pub(super) lost: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// Those of them that it never had: one that came before it kept them.
    pub(super) kept_out: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// Folders that packages brought: the time of each, and whether anything else than a folder was put into it.
    folders: BTreeMap<Vec<u8>, Folder>,
    /// Those that came with the packages that came first, or with the last one.
    made: BTreeSet<Vec<u8>>,
    /// Whether scripts have run, which make folders, too.
    used: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Folder {
    mtime: i64,
    filled: bool,
}

/// Paths that are a link in one package and a folder in another.
fn folder_links<'a>(packages: &'a [Package<'a>]) -> BTreeSet<&'a [u8]> {
    let entries = || packages.iter().flat_map(Package::brings);
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
    /// A tree at the folder `root`, which exists and is empty.
    pub(super) fn new(root: &'a Path) -> Self {
        Self {
            places: Places::new(root),
            packages: Vec::new(),
            owners: BTreeMap::new(),
            contested: Vec::new(),
            diversions: Vec::new(),
            lost: BTreeMap::new(),
            kept_out: BTreeMap::new(),
            folders: BTreeMap::new(),
            made: BTreeSet::new(),
            used: false,
        }
    }

    /// Scripts have run, or dpkg: what is known of links among the folders is known no more, and settings that no longer wait are in their
    /// place.
    pub(super) fn scripts_ran(&mut self) {
        self.used = true;
        self.places.forget();
        let waits = |waiting: &[u8]| self.places.file(waiting).symlink_metadata().is_ok();
        let all = self.owners.iter();
        let configured: Vec<_> = all
            .filter_map(|(waiting, owner)| Some((waiting, waiting.strip_suffix(NEW)?, *owner)))
            .filter(|(waiting, _, _)| !waits(waiting))
            .map(|(waiting, place, owner)| (waiting.clone(), place.to_vec(), owner))
            .collect();
        for (waiting, place, owner) in configured {
            self.owners.remove(&waiting);
            self.owners.insert(place, owner);
        }
    }

    /// Moves the files of the packages that come first into the tree. What two of them have is told later ([`super::diversions::settle`]).
    pub(super) fn first(&mut self, packages: &'a [Package<'a>]) -> Result<(), Error> {
        let links = folder_links(packages);
        for package in packages {
            let is_link = |e: &&Entry| !e.kind.is_dir() && links.contains(e.path.as_slice());
            for entry in package.brings().filter(is_link) {
                self.parents(package, &entry.path)?;
                self.member(package, entry)?;
            }
        }
        for package in packages {
            let is_left = |e: &&Entry| e.kind.is_dir() || !links.contains(e.path.as_slice());
            for entry in package.brings().filter(is_left) {
                self.member(package, entry)?;
            }
            self.packages.push(package);
        }
        for (index, package) in packages.iter().enumerate() {
            self.vanished(package, packages.iter().take(index))?;
        }
        let all: BTreeSet<Vec<u8>> = self.folders.keys().cloned().collect();
        self.times(&all)
    }

    /// Moves the files of the next package into the tree, in which scripts have run by now.
    pub(super) fn next(&mut self, package: &'a Package<'a>) -> Result<(), Error> {
        let folders = self.changed_folders(package)?;
        self.made.clear();
        for entry in package.brings() {
            self.member(package, entry)?;
        }
        if let Some(file) = self.contested.first() {
            return Err(clash(file));
        }
        self.vanished(package, self.packages.iter().copied())?;
        self.packages.push(package);
        self.times(&folders)
    }

    /// The folders of a package. Those that scripts have changed have the time of that, and keep it.
    fn changed_folders(&mut self, package: &Package<'_>) -> Result<BTreeSet<Vec<u8>>, Error> {
        let mut all = BTreeSet::new();
        for entry in package.brings() {
            all.insert(self.places.folder(split(&entry.path).0)?);
            if entry.kind.is_dir() {
                all.insert(self.places.folder(&entry.path)?);
            }
        }
        for place in &all {
            let file = self.places.file(place);
            let Some(folder) = self.folders.get_mut(place) else {
                continue;
            };
            match fs::metadata(&file) {
                Ok(now) => folder.filled |= now.mtime() != folder.mtime,
                // It is made again.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.folders.remove(place);
                }
                Err(error) => {
                    let action = format!("look at the folder {}", file.display());
                    return Err(Error::io(action)(error));
                }
            }
        }
        Ok(all)
    }

    /// Makes the folders that a member lies in, as its own package has them.
    fn parents(&mut self, package: &'a Package<'a>, path: &[u8]) -> Result<(), Error> {
        let above = package.brings().filter(|entry| {
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
        let place = self.place(package, path)?;
        if matches!(entry.kind, Kind::Symlink { .. }) && self.has_folder(&place) {
            return Ok(());
        }
        let own = waiting(package, path, place.clone());
        if self.folders.contains_key(&own) {
            return Err(overwrites(package, path, "a folder of another package"));
        }
        match self.owner(&place) {
            None => self.put(package, path, own),
            Some(other) => self.second(package, other, path, place),
        }
    }

    /// Whether there is a folder at a place, of a package or of a script, and no link to one.
    fn has_folder(&self, place: &[u8]) -> bool {
        let at = || self.places.file(place).symlink_metadata();
        self.folders.contains_key(place) || (self.used && at().is_ok_and(|at| at.is_dir()))
    }

    /// Whose file is at a place, or waits beside it.
    pub(super) fn owner(&self, place: &[u8]) -> Option<&'a Package<'a>> {
        let there = self.owners.get(place);
        let there = there.or_else(|| self.owners.get([place, NEW].concat().as_slice()));
        there.copied()
    }

    /// Where a package's file lies, before its settings wait beside that.
    fn place(&mut self, package: &Package<'_>, path: &[u8]) -> Result<Vec<u8>, Error> {
        let diverted = diversions::target(&self.diversions, package, path);
        self.places.place(diverted.unwrap_or(path))
    }

    /// Where a member of a package lies that has just come; nothing if something else is there, which stayed.
    pub(super) fn brought(
        &mut self,
        package: &Package<'_>,
        entry: &Entry,
    ) -> Result<Option<Vec<u8>>, Error> {
        if entry.kind.is_dir() {
            let place = self.places.folder(&entry.path)?;
            return Ok(self.made.contains(&place).then_some(place));
        }
        let place = self.place(package, &entry.path)?;
        let place = waiting(package, &entry.path, place);
        let owner = self.owners.get(&place);
        Ok(owner
            .is_some_and(|owner| owner.name == package.name)
            .then_some(place))
    }

    /// A file whose place has another package's. Settings of either are told, whoever replaces whom, unless one of the two is diverted.
    fn second(
        &mut self,
        package: &'a Package<'a>,
        other: &'a Package<'a>,
        path: &[u8],
        place: Vec<u8>,
    ) -> Result<(), Error> {
        let takes = package.may_replace(other);
        let is_settings = package.has_conffile(path) || self.has_settings(other, &place)?;
        if is_settings || !(takes || other.may_replace(package)) {
            self.contested.push(Contested {
                package,
                other,
                path: path.to_vec(),
                is_settings,
            });
            return Ok(());
        }
        let note = |paths: &mut BTreeMap<String, BTreeSet<Vec<u8>>>, of: &Package<'_>| {
            paths.entry(of.label()).or_default().insert(path.to_vec())
        };
        if takes {
            note(&mut self.lost, other);
            return self.put(package, path, place);
        }
        note(&mut self.lost, package);
        note(&mut self.kept_out, package);
        Ok(())
    }

    /// Whether what a package has at a place is one of its conffiles, configured or not, by whatever path.
    fn has_settings(&mut self, package: &Package<'_>, place: &[u8]) -> Result<bool, Error> {
        for conffile in package.conffiles.iter().filter(|conffile| !conffile.goes) {
            if self.place(package, &conffile.path)? == place {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses packages that came before this one and have nothing that it does not have.
    fn vanished<'p>(
        &self,
        package: &Package<'_>,
        before: impl Iterator<Item = &'p Package<'p>>,
    ) -> Result<(), Error> {
        let has: BTreeSet<&[u8]> = package
            .entries()
            .iter()
            .map(|e| e.path.as_slice())
            .collect();
        for other in before {
            let mut own = other
                .entries()
                .iter()
                .filter(|entry| !entry.path.is_empty());
            let lost = self.lost.get(&other.label());
            if lost.is_some() && own.all(|entry| has.contains(entry.path.as_slice())) {
                return Err(Error::Package {
                    package: other.name.to_owned(),
                    problem: format!(
                        "got no file that {} does not have, which replaces it, want one of its own, or dpkg would take it off: take it off the list",
                        package.name
                    ),
                });
            }
        }
        Ok(())
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
            return Err(overwrites(package, &entry.path, &with));
        }
        let failed = || Error::io(format!("make the folder {}", file.display()));
        // A script's folder stays as it is, as any that is there.
        let stays = self.used && file.is_dir();
        if !stays {
            // A link may lead to a folder whose own package comes later.
            fs::create_dir_all(&file).map_err(failed())?;
            chown(&file, Some(entry.uid), Some(entry.gid)).map_err(failed())?;
            let mode = fs::Permissions::from_mode(entry.mode & 0o7777);
            fs::set_permissions(&file, mode).map_err(failed())?;
            self.made.insert(place.clone());
        }
        let folder = Folder {
            mtime: entry.mtime,
            filled: stays,
        };
        self.folders.insert(place, folder);
        Ok(())
    }

    /// Folders of folders alone keep the time that packages say, the latest; others have changed now.
    fn times(&self, places: &BTreeSet<Vec<u8>>) -> Result<(), Error> {
        for place in places {
            if let Some(folder) = self.folders.get(place).filter(|folder| !folder.filled) {
                set_time(&self.places.file(place), folder.mtime)?;
            }
        }
        Ok(())
    }
}

/// Where a package's file is put whose place this is: settings wait beside it until dpkg configures the package.
pub(super) fn waiting(package: &Package<'_>, path: &[u8], place: Vec<u8>) -> Vec<u8> {
    match package.has_conffile(path) {
        true => [&place, NEW].concat(),
        false => place,
    }
}

/// The error that two packages have a file, and neither may.
pub(super) fn clash(file: &Contested<'_>) -> Error {
    if file.is_settings {
        return shared_settings(file.package, file.other, &file.path);
    }
    let with = format!("a file of {}", file.other.name);
    overwrites(file.package, &file.path, &with)
}

fn overwrites(package: &Package<'_>, path: &[u8], with: &str) -> Error {
    Error::Overwrites {
        package: package.name.to_owned(),
        path: format!("/{}", path.escape_ascii()),
        with: with.to_owned(),
    }
}

fn shared_settings(package: &Package<'_>, other: &Package<'_>, path: &[u8]) -> Error {
    Error::Package {
        package: package.name.to_owned(),
        problem: format!(
            "got /{}, a conffile of it or of {}, which has it, too, want conffiles that one package has: take one of the two off the list",
            path.escape_ascii(),
            other.name
        ),
    }
}
