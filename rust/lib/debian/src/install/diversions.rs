//! Files that packages divert (dpkg-divert(1)): scripts that run before a package is unpacked say that what others have at a path is to lie
//! elsewhere, and that the path is their own.
//!
//! Of the packages that come first all files are in the tree by then, so they are moved afterwards to where dpkg would have put them
//! ([`settle`]). Of all others the scripts run before their files come, as with dpkg: these go where they belong at once, and what was there
//! `dpkg-divert --rename` has moved ([`follow`]). Paths are compared as packages write them, as dpkg does.

use std::fs;
use std::path::Path;

use super::merge::{clash, waiting, Merged, NEW};
use super::package::Package;
use super::places::Places;
use crate::error::Error;
use crate::links::absolute;

/// Where dpkg notes them.
const DIVERSIONS: &str = "var/lib/dpkg/diversions";

/// One of them. Paths are without a slash in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diversion {
    pub(super) path: Vec<u8>,
    pub(super) to: Vec<u8>,
    /// The package whose file stays; none if nobody's does.
    pub(super) by: String,
}

/// What a package's file is called in its place: by its name, and beside that, as long as it waits as a conffile.
const NAMES: [&[u8]; 2] = [b"", NEW];

/// Where these send a package's path.
pub(super) fn target<'d>(
    all: &'d [Diversion],
    package: &Package<'_>,
    path: &[u8],
) -> Option<&'d [u8]> {
    let mut all = all.iter();
    let meant = all.find(|diversion| diversion.path == path && diversion.by != package.name)?;
    Some(&meant.to)
}

/// Moves files to where diversions want them, and refuses those that two packages have without one.
pub(super) fn settle(merged: &mut Merged<'_>) -> Result<(), Error> {
    let all = noted(&merged.places)?;
    for diversion in &all {
        divert(merged, diversion)?;
    }
    merged.diversions = all;
    match merged.contested.first() {
        None => Ok(()),
        Some(file) => Err(clash(file)),
    }
}

/// Takes notice of what scripts have diverted and moved since, the last of them perhaps that of `next`, whose files come now.
pub(super) fn follow(merged: &mut Merged<'_>, next: &Package<'_>) -> Result<(), Error> {
    let now = noted(&merged.places)?;
    let before = std::mem::replace(&mut merged.diversions, now.clone());
    for gone in before.iter().filter(|diversion| !now.contains(diversion)) {
        moved(merged, gone, &gone.to, &gone.path)?;
    }
    for come in now.iter().filter(|diversion| !before.contains(diversion)) {
        let left = !moved(merged, come, &come.path, &come.to)?;
        if left && come.by == next.name && next.has_file(&come.path) {
            return Err(Error::Package {
                package: next.name.to_owned(),
                problem: format!(
                    "got another package's file at /{}, which its script diverts and leaves where it is, want it moved (dpkg-divert --rename), as this package's own comes there: take it off the list",
                    come.path.escape_ascii()
                ),
            });
        }
    }
    Ok(())
}

/// Whether a file, if another package has one at `from`, is no longer there: then `to` is its place. One that waits to be configured is moved,
/// which dpkg-divert does not do: dpkg looks for it there.
fn moved(
    merged: &mut Merged<'_>,
    diversion: &Diversion,
    from: &[u8],
    to: &[u8],
) -> Result<bool, Error> {
    let (from, to) = (merged.places.place(from)?, merged.places.place(to)?);
    let is_meant = |owner: &&Package<'_>| {
        owner.name != diversion.by.as_str() && owner.has_file(&diversion.path)
    };
    for name in NAMES {
        let (from, to) = ([&from, name].concat(), [&to, name].concat());
        let Some(owner) = merged.owners.get(&from).copied().filter(is_meant) else {
            continue;
        };
        let (here, there) = (merged.places.file(&from), merged.places.file(&to));
        if name == NEW {
            rename(&here, &there)?;
        }
        if is_there(&here) {
            return Ok(false);
        }
        merged.owners.remove(&from);
        merged.owners.insert(to, owner);
    }
    Ok(true)
}

fn is_there(file: &Path) -> bool {
    file.symlink_metadata().is_ok()
}

/// Moves a file that is there to where nothing is.
fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    if !is_there(from) || is_there(to) {
        return Ok(());
    }
    fs::rename(from, to).map_err(Error::io(format!("divert {}", from.display())))
}

/// The diversions that dpkg has noted.
fn noted(places: &Places<'_>) -> Result<Vec<Diversion>, Error> {
    match fs::read(places.inside(DIVERSIONS)?) {
        Ok(bytes) => diversions(&bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("read dpkg's diversions")(error)),
    }
}

/// Reads the file: three lines for each.
fn diversions(bytes: &[u8]) -> Result<Vec<Diversion>, Error> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut all = Vec::new();
    while let Some(path) = lines.next().filter(|line| !line.is_empty()) {
        let (to, by) = (lines.next(), lines.next());
        let (path, to) = (absolute(path), to.and_then(absolute));
        let (Some(path), Some(to), Some(by)) = (path, to, by) else {
            let problem = "dpkg's diversions: want a path, a path and a package, each in a line, and paths that begin with / and do not climb";
            return Err(Error::Noted(problem.to_owned()));
        };
        all.push(Diversion {
            path: path.to_vec(),
            to: to.to_vec(),
            by: String::from_utf8_lossy(by).into_owned(),
        });
    }
    Ok(all)
}

/// Follows a diversion that a script has made whose package's files were in the tree by then.
fn divert(merged: &mut Merged<'_>, diversion: &Diversion) -> Result<(), Error> {
    let Diversion { path, to, by } = diversion;
    let (place, target) = (merged.places.place(path)?, merged.places.place(to)?);
    for name in NAMES {
        let (place, target) = ([&place, name].concat(), [&target, name].concat());
        // Whose file lies there may name it otherwise.
        let is_meant = |owner: &&Package<'_>| owner.has_file(path);
        let Some(owner) = merged.owners.get(&place).copied().filter(is_meant) else {
            continue;
        };
        let (here, there) = (merged.places.file(&place), merged.places.file(&target));
        if owner.name == by.as_str() {
            // dpkg-divert may have moved it.
            rename(&there, &here)?;
            continue;
        }
        rename(&here, &there)?;
        merged.owners.remove(&place);
        merged.owners.insert(target, owner);
    }
    for next in std::mem::take(&mut merged.contested) {
        let stays = next.package.name == by.as_str();
        let lies = if stays { &place } else { &target };
        if next.path == *path && merged.owner(lies).is_none() {
            let own = waiting(next.package, path, lies.clone());
            merged.put(next.package, path, own)?;
        } else {
            merged.contested.push(next);
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
        for bad in [
            "a\n/b\nc\n",
            "/a\nb\nc\n",
            "/a\n",
            "/a",
            "/\n/b\nc\n",
            "/a\n/..\nc\n",
            "/a\n/b/../../d\nc\n",
            "/a/./d\n/b\nc\n",
            "/a/\n/b\nc\n",
            "//a\n/b\nc\n",
        ] {
            assert!(diversions(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
