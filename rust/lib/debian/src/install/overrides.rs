//! Files that somebody asked to have other owners and modes (dpkg-statoverride(1)): scripts that run before a package is unpacked may ask for
//! it, of files that are not there yet. dpkg gives them as it unpacks the file; so is it here. dpkg reads the list as it starts, and what a
//! script asks for counts from its next start on; here it counts at once.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{lchown, PermissionsExt};
use std::path::Path;

use super::merge::Merged;
use super::package::Package;
use super::records::ADMIN;
use crate::error::Error;

/// A line of the list.
#[derive(Debug, PartialEq, Eq)]
struct Override<'a> {
    user: &'a str,
    group: &'a str,
    mode: u32,
    /// Without a slash in front.
    path: &'a str,
}

/// Gives the files of a package, which are in the tree, what the list says. Folders that were there stay as they are, as with dpkg.
pub(super) fn apply(merged: &mut Merged<'_>, package: &Package<'_>) -> Result<(), Error> {
    let text = text(&merged.places.inside(&format!("{ADMIN}/statoverride"))?)?;
    for wanted in read(&text)? {
        let Some(entry) = package.entry(wanted.path.as_bytes()) else {
            continue;
        };
        let Some(place) = merged.brought(package, entry)? else {
            continue;
        };
        let file = merged.places.file(&place);
        let failed = || {
            Error::io(format!(
                "give {} the owner that was asked for",
                file.display()
            ))
        };
        let uid = id(&merged.places.inside("etc/passwd")?, wanted.user)?;
        let gid = id(&merged.places.inside("etc/group")?, wanted.group)?;
        // The owner first: changing it clears set-uid bits. A link has no mode.
        lchown(&file, Some(uid), Some(gid)).map_err(failed())?;
        if !fs::symlink_metadata(&file).map_err(failed())?.is_symlink() {
            let mode = fs::Permissions::from_mode(wanted.mode);
            fs::set_permissions(&file, mode).map_err(failed())?;
        }
    }
    Ok(())
}

/// A file's text; none if there is no such file.
fn text(path: &Path) -> Result<String, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::io(format!("read {}", path.display()))(error)),
    }
}

/// Reads the list: `USER GROUP MODE PATH`, one a line.
fn read(text: &str) -> Result<Vec<Override<'_>>, Error> {
    let lines = text.lines();
    lines
        .map(|line| {
            let mut words = line.splitn(4, ' ');
            let mut next = || words.next();
            let (user, group, mode, path) = (next(), next(), next(), next());
            let mode = mode.and_then(|mode| u32::from_str_radix(mode, 8).ok());
            let path = path.and_then(|path| path.strip_prefix('/'));
            match (user, group, mode.filter(|mode| *mode <= 0o7777), path) {
                (Some(user), Some(group), Some(mode), Some(path)) => Ok(Override {
                    user,
                    group,
                    mode,
                    path,
                }),
                _ => Err(Error::Noted(format!(
                    "dpkg's list of overrides: got {line:?}, want a user, a group, a mode and a path"
                ))),
            }
        })
        .collect()
}

/// The number of a user or a group: `#NUMBER`, or what the tree's file says of a name.
fn id(file: &Path, name: &str) -> Result<u32, Error> {
    let text = text(file)?;
    let number = match name.strip_prefix('#') {
        Some(number) => Some(number),
        None => text.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == name).then_some(())?;
            fields.nth(1)
        }),
    };
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| {
            Error::Noted(format!(
                "dpkg's list of overrides: got the name {name:?}, want one of {}",
                file.display()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list() {
        let text = "root ssl 2755 /usr/bin/a b\n#7 #0 644 /x\n";
        let want = |user, group, mode, path| Override {
            user,
            group,
            mode,
            path,
        };
        assert_eq!(
            read(text).unwrap(),
            [
                want("root", "ssl", 0o2755, "usr/bin/a b"),
                want("#7", "#0", 0o644, "x")
            ]
        );
        assert_eq!(read("").unwrap(), []);
        for bad in [
            "root root 644",
            "root root 8 /x",
            "root root 10000 /x",
            "root root 644 x",
            "",
        ] {
            assert!(read(&format!("{bad}\n")).is_err(), "{bad}");
        }
    }

    #[test]
    fn names() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwd");
        fs::write(&file, "root:x:0:0:root\nrooted:x:9:0\nbad:x:y\n").unwrap();
        for (name, want) in [("root", 0), ("rooted", 9), ("#12", 12)] {
            assert_eq!(id(&file, name).unwrap(), want);
        }
        for bad in ["roo", "bad", "#", "#-1", "x"] {
            assert!(id(&file, bad).is_err(), "{bad}");
        }
    }
}
