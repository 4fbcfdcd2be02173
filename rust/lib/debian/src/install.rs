//! Locked packages to a tree of files, offline.
//!
//! 1. [`package`]: what each package says of itself. [`order`]: whether they are complete, and the order of all that follows.
//! 2. Each package is unpacked in a folder of its own, on all cores, without what rules on paths leave out. All that follows is done by one thread.
//! 3. The packages that come first, which no script can run without, become a tree ([`merge`]), and dpkg is told of packages that are
//!    unpacked and not configured ([`records`]). Their scripts that come before unpacking run now ([`scripts`]); the [`diversions`] and
//!    [`overrides`] that these made are followed. Then `dpkg --configure`, the tree's own, in a sandbox: conffiles, all other scripts, triggers.
//! 4. Each of the others, one by one, as dpkg does it: its script that comes before unpacking, behind all configured that it asks for with
//!    `Pre-Depends`; its files; its records.
//! 5. `dpkg --configure` of all that is left.
//!
//! Nothing of the result depends on threads.

mod advice;
mod diversions;
mod md5;
mod merge;
mod order;
mod overrides;
mod package;
mod places;
mod records;
mod relation;
mod scripts;
#[cfg(test)]
mod tests;
mod triggers;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base::parallel;

use self::merge::Merged;
use self::package::Package;
use self::records::Records;
use self::scripts::Scripts;
use crate::error::Error;
use crate::lock::{self, Lock};
use crate::paths::PathRule;

/// What to install where.
#[derive(Clone, Copy, Debug)]
pub struct Install<'a> {
    /// The lock.
    pub lock: &'a Lock,
    /// The file of each of its packages, in its order, as [`crate::match_debs`] finds them.
    pub debs: &'a [PathBuf],
    /// An empty folder, best in memory.
    pub work: &'a Path,
    /// The time that stands for now (`SOURCE_DATE_EPOCH`).
    pub timestamp: i64,
}

/// Files that programs expect and no package has, unless one does: what they say is for the time of the installation, but for the list of
/// file systems.
const FILES: [(&str, &str); 3] = [
    ("etc/fstab", "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n"),
    ("etc/hostname", "localhost\n"),
    ("etc/resolv.conf", ""),
];

/// Installs, and returns the tree's root below the work folder. `progress` gets a line at a time.
pub fn install(install: Install<'_>, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
    make(install, progress).map_err(|error| full(error, install.work))
}

/// Adds what the work folder holds, if that was too little for `error`.
fn full(error: Error, work: &Path) -> Error {
    match sandbox::Room::of(work) {
        Ok(room) if sandbox::is_full(&error) => Error::Full {
            room,
            source: Box::new(error),
        },
        _ => error,
    }
}

fn make(install: Install<'_>, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
    let Install {
        lock,
        debs,
        work,
        timestamp,
    } = install;
    let root = folder(work, "root")?;
    let now = fs::metadata(&root)
        .map_err(Error::io("read the time of a new folder"))?
        .mtime();
    if timestamp > now {
        return Err(Error::Future { timestamp, now });
    }
    let jobs: Vec<(&lock::Package, &PathBuf)> = lock.packages.iter().zip(debs).collect();
    let packages = parallel::map(&jobs, |(locked, file)| Package::read(locked, file))?;
    let mut packages = order::sort(packages)?;
    progress(&format!("unpacking {} packages", packages.len()));
    unpack(&mut packages, &lock.paths, &folder(work, "packages")?)?;
    let dpkg = packages.iter().find(|package| package.name == "dpkg");
    let mut tree = Tree {
        root: &root,
        packages: &packages,
        merged: Merged::new(&root),
        records: Records::new(&root, &lock.architecture)?,
        configured: BTreeSet::new(),
        dpkg: dpkg.map_or("", |package| package.version),
    };
    let (first, rest) = order::split(&packages);
    tree.unpack_first(first)?;
    let scripts = Scripts::new(&mut tree.merged.places, &root, work, timestamp)?;
    progress(&format!("installing the first {} packages", first.len()));
    tree.begin(first, &scripts)?;
    progress(&format!("installing {} packages", rest.len()));
    for package in rest {
        tree.next(package, &scripts)?;
    }
    progress("configuring them");
    tree.configure(rest.iter(), &scripts)?;
    Ok(root)
}

/// The tree and its packages.
struct Tree<'a> {
    root: &'a Path,
    packages: &'a [Package<'a>],
    merged: Merged<'a>,
    records: Records<'a>,
    /// Names of packages.
    configured: BTreeSet<&'a str>,
    /// dpkg's version.
    dpkg: &'a str,
}

impl<'a> Tree<'a> {
    /// Makes a tree of the packages that come first.
    fn unpack_first(&mut self, first: &'a [Package<'a>]) -> Result<(), Error> {
        self.merged.first(first)?;
        self.records.add(first, &self.merged)?;
        for (name, text) in FILES {
            let is_theirs = self.packages.iter().any(|p| p.has_file(name.as_bytes()));
            if !is_theirs && self.root.join("etc").is_dir() {
                records::file(&self.root.join(name), text.as_bytes(), 0o644)?;
            }
        }
        let program = self.merged.places.place(order::DPKG)?;
        if self.merged.places.file(&program).is_file() {
            return Ok(());
        }
        Err(Error::Unmet {
            package: "an image".to_owned(),
            field: "the program that configures packages",
            wanted: "dpkg".to_owned(),
        })
    }

    /// Runs the scripts of the packages that came first.
    fn begin(&mut self, first: &'a [Package<'a>], scripts: &Scripts<'_>) -> Result<(), Error> {
        for package in first {
            scripts.before(package, self.dpkg)?;
        }
        self.merged.scripts_ran();
        diversions::settle(&mut self.merged)?;
        for package in first {
            overrides::apply(&mut self.merged, package)?;
        }
        self.configure(first.iter(), scripts)
    }

    /// Unpacks the next package. It is named in what goes wrong.
    fn next(&mut self, package: &'a Package<'a>, scripts: &Scripts<'_>) -> Result<(), Error> {
        self.unpack(package, scripts)
            .map_err(|error| error.at(package.name))
    }

    fn unpack(&mut self, package: &'a Package<'a>, scripts: &Scripts<'_>) -> Result<(), Error> {
        if package.has_preinst() {
            self.configure_before(package, scripts)?;
            scripts.before(package, self.dpkg)?;
            self.merged.scripts_ran();
        }
        diversions::follow(&mut self.merged, package)?;
        self.merged.next(package)?;
        self.records.activate(package, &self.merged)?;
        self.records
            .add(std::slice::from_ref(package), &self.merged)?;
        overrides::apply(&mut self.merged, package)
    }

    /// Configures what a package wants configured before its script runs.
    fn configure_before(
        &mut self,
        package: &Package<'_>,
        scripts: &Scripts<'_>,
    ) -> Result<(), Error> {
        let needed: Vec<&'a Package<'a>> = order::before_unpacking(self.packages, package)
            .into_iter()
            .filter_map(|index| self.packages.get(index))
            .collect();
        let there = |p: &&&Package<'_>| self.merged.packages.iter().any(|m| m.name == p.name);
        if let Some(later) = needed.iter().find(|needed| !there(needed)) {
            return Err(Error::Package {
                package: package.name.to_owned(),
                problem: format!(
                    "got Pre-Depends that lead to {}, which needs this package itself, want no circle: take one of the two off the list",
                    later.name
                ),
            });
        }
        self.configure(needed.into_iter(), scripts)
    }

    /// Lets dpkg configure those of these packages that are not.
    fn configure(
        &mut self,
        packages: impl Iterator<Item = &'a Package<'a>>,
        scripts: &Scripts<'_>,
    ) -> Result<(), Error> {
        let left: Vec<&Package<'_>> = packages
            .filter(|package| self.configured.insert(package.name))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        scripts.configure(&left)?;
        self.merged.scripts_ran();
        Ok(())
    }
}

/// Unpacks each package in a folder of its own below `to`, without what rules leave out.
fn unpack(packages: &mut [Package<'_>], rules: &[PathRule], to: &Path) -> Result<(), Error> {
    for package in packages.iter_mut() {
        package.folder = folder(to, &package.label())?;
    }
    let unpacked =
        parallel::map_longest_first(packages, Package::size, |package| package.unpack(rules))?;
    for (package, unpacked) in packages.iter_mut().zip(unpacked) {
        package.unpacked = unpacked;
    }
    Ok(())
}

/// A new folder.
fn folder(inside: &Path, name: &str) -> Result<PathBuf, Error> {
    let made = base::path::join_name(inside, name)
        .map_err(|error| Error::Lock(format!("package {name}: {error}")))?;
    let mode = fs::Permissions::from_mode(0o755);
    fs::create_dir(&made)
        .and_then(|()| fs::set_permissions(&made, mode))
        .map_err(Error::io(format!("make {}", made.display())))?;
    Ok(made)
}
