//! Files that packages divert (dpkg-divert(1)): scripts that run before a package is unpacked say that what others have at a path is to lie
//! elsewhere, and that the path is their own.
//!
//! Here all files are in the tree by then, so they are moved afterwards to where dpkg would have put them. Paths are compared as packages
//! write them, as dpkg does.

use std::fs;
use std::path::Path;

use super::merge::{clash, Merged, NEW};
use crate::error::Error;

/// Where dpkg notes them.
const DIVERSIONS: &str = "var/lib/dpkg/diversions";

/// One of them. Paths are without a slash in front.
#[derive(Debug, PartialEq, Eq)]
struct Diversion {
    path: Vec<u8>,
    to: Vec<u8>,
    /// The package whose file stays; none if nobody's does.
    by: String,
}

/// Moves files to where diversions want them, and refuses those that two packages have without one.
pub(super) fn settle(merged: &mut Merged<'_>, root: &Path) -> Result<(), Error> {
    let file = root.join(DIVERSIONS);
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Error::io("read dpkg's diversions")(error)),
    };
    for diversion in diversions(&bytes)? {
        divert(merged, &diversion)?;
    }
    match merged.contested.first() {
        None => Ok(()),
        Some(file) => {
            let with = format!("a file of {}", file.other.name);
            Err(clash(file.package, &file.path, &with))
        }
    }
}

/// Reads the file: three lines for each.
fn diversions(bytes: &[u8]) -> Result<Vec<Diversion>, Error> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut all = Vec::new();
    while let Some(path) = lines.next().filter(|line| !line.is_empty()) {
        let (to, by) = (lines.next(), lines.next());
        let path = path.strip_prefix(b"/");
        let to = to.and_then(|to| to.strip_prefix(b"/"));
        let (Some(path), Some(to), Some(by)) = (path, to, by) else {
            let problem = "dpkg's diversions: want a path, a path and a package, each in a line";
            return Err(Error::Answer(problem.to_owned()));
        };
        all.push(Diversion {
            path: path.to_vec(),
            to: to.to_vec(),
            by: String::from_utf8_lossy(by).into_owned(),
        });
    }
    Ok(all)
}

fn divert(merged: &mut Merged<'_>, diversion: &Diversion) -> Result<(), Error> {
    let Diversion { path, to, by } = diversion;
    for suffix in [&b""[..], NEW] {
        let with = |path: &[u8]| [path, suffix].concat();
        let (place, target) = (
            merged.places.place(&with(path))?,
            merged.places.place(&with(to))?,
        );
        let Some(owner) = merged.owners.get(&place).copied() else {
            continue;
        };
        // Whose file lies there may name it otherwise.
        if !owner.entries.iter().any(|entry| entry.path == *path) {
            continue;
        }
        let (here, there) = (merged.places.file(&place), merged.places.file(&target));
        let stays = owner.name == by.as_str();
        // dpkg-divert may have moved it itself.
        let (from, end) = if stays {
            (&there, &here)
        } else {
            (&here, &there)
        };
        if from.symlink_metadata().is_ok() && end.symlink_metadata().is_err() {
            fs::rename(from, end).map_err(Error::io(format!("divert {}", here.display())))?;
        }
        if !stays {
            merged.owners.remove(&place);
            merged.owners.insert(target.clone(), owner);
        }
        for next in std::mem::take(&mut merged.contested) {
            let meant = next.path == *path && next.package.has_conffile(path) != suffix.is_empty();
            let diverted = next.package.name != by.as_str();
            let free = if diverted { &target } else { &place };
            if meant && !merged.owners.contains_key(free) {
                merged.put(next.package, path, free.clone())?;
            } else {
                merged.contested.push(next);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file() {
        let read = diversions(b"/bin/a\n/bin/a.real\nb\n/c\n/d\n:\n").unwrap();
        let of = |path: &str, to: &str, by: &str| Diversion {
            path: path.into(),
            to: to.into(),
            by: by.to_owned(),
        };
        assert_eq!(read, [of("bin/a", "bin/a.real", "b"), of("c", "d", ":")]);
        assert_eq!(diversions(b"").unwrap(), []);
        for bad in ["a\n/b\nc\n", "/a\nb\nc\n", "/a\n", "/a"] {
            assert!(diversions(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
