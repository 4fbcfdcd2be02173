//! What dpkg writes down of packages that it has unpacked but not configured (dpkg's `doc/` and deb-triggers(5)), below `var/lib/dpkg`.
//!
//! | file                        | content                                                                               |
//! |-----------------------------|---------------------------------------------------------------------------------------|
//! | `status`                    | each package's `control`, with `Status` and its conffiles, which are all new           |
//! | `info/format`               | `1`: names of the files below have the architecture of packages of `Multi-Arch: same` |
//! | `info/PACKAGE.list`         | its paths, in the order of its archive                                                |
//! | `info/PACKAGE.…`            | the other files of `control.tar`                                                      |
//! | `triggers/File`             | `PATH PACKAGE`, for triggers by paths                                                 |
//! | `triggers/NAME`             | `PACKAGE`, for triggers by name                                                       |
//! | `arch`                      | the architectures that packages may be of                                             |

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use archive::Entry;

use super::merge::Merged;
use super::package::{Conffile, Package};
use crate::error::Error;

/// Where dpkg keeps all that.
pub(super) const ADMIN: &str = "var/lib/dpkg";

/// Writes the records of all packages, which are in the tree `root`.
pub(super) fn write(merged: &Merged<'_>, architecture: &str, root: &Path) -> Result<(), Error> {
    let admin = root.join(ADMIN);
    for folder in ["alternatives", "info", "parts", "triggers", "updates"] {
        let folder = admin.join(folder);
        fs::create_dir_all(&folder).map_err(Error::io(format!("make {}", folder.display())))?;
    }
    let mut status = Vec::new();
    let mut triggers = Triggers::default();
    for package in merged.packages {
        status.extend(paragraph(package));
        triggers.read(package)?;
        let label = package.label();
        let info = |suffix: &str| admin.join("info").join(format!("{label}.{suffix}"));
        let lost = merged.lost.get(&label);
        let is_listed = |e: &&Entry| !lost.is_some_and(|lost| lost.contains(&e.path));
        file(
            &info("list"),
            &list(package.entries.iter().filter(is_listed)),
            0o644,
        )?;
        let others = package.control.files();
        for (name, control) in others.filter(|(name, _)| *name != "control") {
            file(&info(name), &control.bytes, control.mode)?;
            set_time(&info(name), control.mtime)?;
        }
    }
    file(&admin.join("status"), &status, 0o644)?;
    file(
        &admin.join("arch"),
        format!("{architecture}\n").as_bytes(),
        0o644,
    )?;
    file(&admin.join("info/format"), b"1\n", 0o644)?;
    triggers.write(&admin.join("triggers"))
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

/// Who wants to hear of what.
#[derive(Debug, Default)]
struct Triggers {
    /// Lines of the file `File`.
    paths: Vec<String>,
    /// Lines by the trigger's name.
    names: BTreeMap<String, Vec<String>>,
}

impl Triggers {
    /// Takes what a package is interested in. What it activates dpkg reads itself.
    fn read(&mut self, package: &Package<'_>) -> Result<(), Error> {
        let Some(file) = package.control.get("triggers") else {
            return Ok(());
        };
        for bytes in file.bytes.split(|byte| *byte == b'\n') {
            // For messages.
            let line = &*String::from_utf8_lossy(bytes);
            let words = words(bytes).ok_or_else(|| bad(package, line))?;
            let (directive, name) = match words.as_slice() {
                [] => continue,
                [directive, name] => (*directive, *name),
                _ => return Err(bad(package, line)),
            };
            let waits = match directive {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                "activate" | "activate-await" | "activate-noawait" => continue,
                _ => return Err(bad(package, line)),
            };
            let who = format!("{}{waits}", package.label());
            if name.starts_with('/') {
                self.paths.push(format!("{name} {who}"));
            } else if base::path::check_name(name.as_ref()).is_ok() {
                self.names.entry(name.to_owned()).or_default().push(who);
            } else {
                return Err(bad(package, line));
            }
        }
        Ok(())
    }

    fn write(&self, folder: &Path) -> Result<(), Error> {
        let lines = |lines: &[String]| {
            lines
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>()
        };
        file(&folder.join("File"), lines(&self.paths).as_bytes(), 0o644)?;
        for (name, who) in &self.names {
            file(&folder.join(name), lines(who).as_bytes(), 0o644)?;
        }
        Ok(())
    }
}

/// The words before a comment, which may be anything; nothing if they are no text: a path of them is written where dpkg reads it, and has to
/// be this one.
fn words(line: &[u8]) -> Option<Vec<&str>> {
    let said = line.split(|byte| *byte == b'#').next()?;
    Some(std::str::from_utf8(said).ok()?.split_whitespace().collect())
}

fn bad(package: &Package<'_>, line: &str) -> Error {
    Error::Package {
        package: package.name.to_owned(),
        problem: format!("got the line {line:?} in its triggers, want `interest` or `activate` (or these with -await or -noawait) and a name"),
    }
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

    #[test]
    fn paths_of_triggers_are_text_and_comments_anything() {
        assert_eq!(
            words(b" interest\t/usr/x # caf\xe9"),
            Some(vec!["interest", "/usr/x"])
        );
        assert_eq!(words(b"# interest /x"), Some(Vec::new()));
        assert_eq!(words(b"interest /caf\xe9"), None);
    }
}
