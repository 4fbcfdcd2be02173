//! Locked packages to a tree of files, offline.
//!
//! 1. [`package`]: what each package says of itself. [`order`]: whether they are complete, and the order of all that follows.
//! 2. Each package is unpacked in a folder of its own, on all cores.
//! 3. [`merge`]: the folders become one tree, by one thread and by rules.
//! 4. [`records`]: dpkg is told of packages that are unpacked and not configured.
//! 5. [`scripts`]: the scripts that come before unpacking, in a sandbox. [`diversions`] that they made are followed.
//! 6. `dpkg --configure`, the tree's own, in a sandbox: conffiles, all other scripts, triggers.
//!
//! With a package tool the scripts of step 5 would find only what is unpacked before them; here they find all files of all packages, which
//! is what the first packages of a system need anyway: a script wants a shell. Nothing of the result depends on threads.

mod advice;
mod diversions;
mod merge;
mod order;
mod package;
mod places;
mod records;
mod relation;
mod scripts;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base::parallel;

use self::package::Package;
use self::scripts::Scripts;
use crate::error::Error;
use crate::lock::{self, Lock};

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
    unpack(&mut packages, &folder(work, "packages")?)?;
    let mut merged = merge::merge(&packages, &root)?;
    records::write(&merged, &lock.architecture, &root)?;
    for (name, text) in FILES {
        let path = root.join(name);
        if path.symlink_metadata().is_err() && root.join("etc").is_dir() {
            records::file(&path, text.as_bytes(), 0o644)?;
        }
    }
    let program = merged.places.place(b"usr/bin/dpkg")?;
    if !merged.places.file(&program).is_file() {
        return Err(Error::Unmet {
            package: "an image".to_owned(),
            field: "the program that configures packages",
            wanted: "dpkg".to_owned(),
        });
    }
    let dpkg = packages.iter().find(|package| package.name == "dpkg");
    let dpkg = dpkg.map_or("", |package| package.version);
    let scripts = Scripts::new(&mut merged.places, &root, work, timestamp)?;
    progress("running the scripts that come before unpacking");
    scripts.before(&packages, dpkg)?;
    diversions::settle(&mut merged, &root)?;
    progress(&format!("configuring {} packages", packages.len()));
    scripts.configure(&packages)?;
    Ok(root)
}

/// Unpacks each package in a folder of its own below `to`.
fn unpack(packages: &mut [Package<'_>], to: &Path) -> Result<(), Error> {
    for package in packages.iter_mut() {
        package.folder = folder(to, &package.label())?;
    }
    let entries = parallel::map_longest_first(packages, Package::size, Package::unpack)?;
    for (package, entries) in packages.iter_mut().zip(entries) {
        package.entries = entries;
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
