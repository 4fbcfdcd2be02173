//! What dpkg writes down of packages that it has unpacked but not configured (dpkg's `doc/` and deb-triggers(5)), below `var/lib/dpkg`.
//!
//! | file                        | content                                                                               |
//! |-----------------------------|---------------------------------------------------------------------------------------|
//! | `status`                    | each package's `control`, with `Status` and its conffiles, which are all new           |
//! | `info/format`               | `1`: names of the files below have the architecture of packages of `Multi-Arch: same` |
//! | `info/PACKAGE.list`         | its paths, in the order of its archive                                                |
//! | `info/PACKAGE.…`            | the other files of `control.tar`                                                      |
//! | `info/PACKAGE.md5sums`      | of a package that brings none, the sums of its files                                  |
//! | `triggers/File`             | `PATH PACKAGE`, for triggers by paths                                                 |
//! | `triggers/NAME`             | `PACKAGE`, for triggers by name                                                       |
//! | `triggers/Unincorp`         | `PATH PACKAGE`: a package has brought what others wait for; `NAME -`: it has called   |
//! | `arch`                      | the architectures that packages may be of                                             |

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use archive::Entry;

use super::diversions;
use super::merge::Merged;
use super::package::{Conffile, Package, Sum};
use super::places::Places;
use super::triggers::{Came, Triggers};
use crate::error::Error;

/// Where dpkg keeps all that.
pub(super) const ADMIN: &str = "var/lib/dpkg";

/// The records, as far as they were written. They lie in a tree in which scripts run: no link of these leads out of it.
#[derive(Debug)]
pub(super) struct Records<'a> {
    places: Places<'a>,
    triggers: Triggers,
}

impl<'a> Records<'a> {
    /// Begins the records of the tree `root`, which has none, for packages of `architecture`.
    pub(super) fn new(root: &'a Path, architecture: &str) -> Result<Self, Error> {
        let admin = root.join(ADMIN);
        for folder in ["alternatives", "info", "parts", "triggers", "updates"] {
            let folder = admin.join(folder);
            fs::create_dir_all(&folder).map_err(Error::io(format!("make {}", folder.display())))?;
        }
        let arch = format!("{architecture}\n");
        for (name, text) in [
            ("status", ""),
            ("arch", &*arch),
            ("info/format", "1\n"),
            ("triggers/File", ""),
        ] {
            file(&admin.join(name), text.as_bytes(), 0o644)?;
        }
        Ok(Self {
            places: Places::new(root),
            triggers: Triggers::default(),
        })
    }

    /// One of the records' files.
    fn at(&self, name: &str) -> Result<PathBuf, Error> {
        self.places.inside(&format!("{ADMIN}/{name}"))
    }

    /// Writes down packages, whose files are in the tree now, and what this takes from others.
    pub(super) fn add(
        &mut self,
        packages: &[Package<'_>],
        merged: &Merged<'_>,
    ) -> Result<(), Error> {
        let mut status = Vec::new();
        let mut wait = false;
        for package in packages {
            status.extend(paragraph(package));
            wait |= self.triggers.read(package)?;
            let others = package.control.files();
            for (name, control) in others.filter(|(name, _)| *name != "control") {
                let info = self.info(package, name)?;
                file(&info, &control.bytes, control.mode)?;
                set_time(&info, control.mtime)?;
            }
            if let Some(made) = &package.unpacked.made_sums {
                let kept_out = merged.kept_out.get(&package.label());
                let came = |sum: &&Sum| !kept_out.is_some_and(|paths| paths.contains(&sum.path));
                let text = sums(made.iter().filter(came));
                file(&self.info(package, "md5sums")?, &text, 0o644)?;
            }
        }
        for package in &merged.packages {
            let is_new = packages.iter().any(|new| new.name == package.name);
            let lost = merged.lost.get(&package.label());
            if is_new || lost.is_some() {
                let is_listed = |e: &&Entry| !lost.is_some_and(|lost| lost.contains(&e.path));
                let list = list(package.entries().iter().filter(is_listed));
                file(&self.info(package, "list")?, &list, 0o644)?;
            }
        }
        self.append("status", &status)?;
        if wait {
            for (name, text) in self.triggers.files() {
                let path = self.at(&format!("triggers/{name}"))?;
                file(&path, text.as_bytes(), 0o644)?;
            }
        }
        Ok(())
    }

    /// Notes for what that this package calls or brings those wait that came before it. dpkg does the rest, for those that are configured.
    /// Who calls as it is unpacked does not wait for an answer.
    pub(super) fn activate(&self, package: &Package<'_>, merged: &Merged<'_>) -> Result<(), Error> {
        let label = package.label();
        let members = package.entries().iter().map(|entry| {
            let diverted = diversions::target(&merged.diversions, package, &entry.path);
            diverted.map_or(Came::At(&entry.path), Came::Diverted)
        });
        let called = self.triggers.called(package)?;
        let hit = self.triggers.hit(members);
        let called = called.iter().map(|name| format!("{name} -\n"));
        let hit = hit.iter().map(|path| format!("{path} {label}\n"));
        let lines: String = called.chain(hit).collect();
        match lines.as_str() {
            "" => Ok(()),
            lines => self.append("triggers/Unincorp", lines.as_bytes()),
        }
    }

    fn info(&self, package: &Package<'_>, suffix: &str) -> Result<PathBuf, Error> {
        self.at(&format!("info/{}.{suffix}", package.label()))
    }

    /// Adds to a file of the records, or begins it.
    fn append(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.at(name)?;
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        opened
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.set_permissions(fs::Permissions::from_mode(0o644))
            })
            .map_err(Error::io(format!("add to {}", path.display())))
    }
}

pub(super) fn file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let written = fs::write(path, bytes)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777)));
    written.map_err(Error::io(format!("write {}", path.display())))
}

/// Gives a file or folder the time that a package says, which may lie before 1970.
pub(super) fn set_time(path: &Path, mtime: i64) -> Result<(), Error> {
    let away = Duration::from_secs(mtime.unsigned_abs());
    let time = match mtime {
        0.. => SystemTime::UNIX_EPOCH.checked_add(away),
        _ => SystemTime::UNIX_EPOCH.checked_sub(away),
    };
    time.ok_or_else(|| io::Error::other(format!("{mtime} s from 1970 on is no time")))
        .and_then(|time| File::open(path)?.set_modified(time))
        .map_err(Error::io(format!("set the time of {}", path.display())))
}

/// The package's paragraph in `status`.
fn paragraph(package: &Package<'_>) -> Vec<u8> {
    let mut text = package.control.description().trim_ascii().to_vec();
    text.extend(b"\nStatus: install ok unpacked\n");
    if !package.conffiles.is_empty() {
        text.extend(b"Conffiles:\n");
        for Conffile { path, goes } in &package.conffiles {
            text.extend(b" /");
            text.extend(path);
            text.extend(b" newconffile");
            if *goes {
                text.extend(b" remove-on-upgrade");
            }
            text.push(b'\n');
        }
    }
    text.push(b'\n');
    text
}

/// The lines of these sums.
fn sums<'a>(sums: impl Iterator<Item = &'a Sum>) -> Vec<u8> {
    let mut text = Vec::new();
    for Sum { path, md5 } in sums {
        text.extend(md5.bytes());
        text.extend(b"  ");
        text.extend(path);
        text.push(b'\n');
    }
    text
}

/// The paths of these members.
fn list<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<u8> {
    let mut text = Vec::new();
    for entry in entries {
        text.push(b'/');
        match entry.path.as_slice() {
            b"" => text.push(b'.'),
            path => text.extend(path),
        }
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn times_on_both_sides_of_1970() {
        let dir = tempfile::tempdir().unwrap();
        for mtime in [1000, 0, -1, -86_400] {
            set_time(dir.path(), mtime).unwrap();
            assert_eq!(fs::metadata(dir.path()).unwrap().mtime(), mtime);
        }
    }
}
