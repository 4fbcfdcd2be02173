//! Where in a tree a package's path lies: links among its folders are followed as the tree's own programs follow them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::links::{follow, push, split, MAX_LINKS};

/// The tree, and what is known of its folders.
#[derive(Debug)]
pub(super) struct Places<'a> {
    root: &'a Path,
    /// Folders as packages name them, and where they are below the root.
    known: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        Self {
            root,
            known: BTreeMap::new(),
        }
    }

    /// Looks at all folders again: somebody else may have changed them.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// The file of the machine at a place.
    pub(super) fn file(&self, place: &[u8]) -> PathBuf {
        match place {
            b"" => self.root.to_path_buf(),
            place => self.root.join(OsStr::from_bytes(place)),
        }
    }

    /// Where a path lies: the folder with links followed, and the name in it, which may be a link.
    pub(super) fn place(&mut self, path: &[u8]) -> Result<Vec<u8>, Error> {
        let (folder, name) = split(path);
        let mut place = self.folder(folder)?;
        push(&mut place, name);
        Ok(place)
    }

    /// Where a folder lies that exists, or is to be made; what is there may be something else than a folder.
    pub(super) fn folder(&mut self, path: &[u8]) -> Result<Vec<u8>, Error> {
        if let Some(known) = self.known.get(path) {
            return Ok(known.clone());
        }
        let done = self.resolve(path)?;
        if self.file(&done).is_dir() {
            self.known.insert(path.to_vec(), done.clone());
        }
        Ok(done)
    }

    /// The file of the machine that the tree's own programs would open at `path`: whatever links scripts have made, it lies in the tree, as
    /// long as no script runs.
    pub(super) fn inside(&self, path: &str) -> Result<PathBuf, Error> {
        Ok(self.file(&self.resolve(path.as_bytes())?))
    }

    /// Where a path lies with all links followed.
    fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, Error> {
        let mut links = 0..MAX_LINKS;
        follow(path, |place, _| {
            let file = self.file(place);
            let target = match fs::read_link(&file) {
                Ok(target) => target.into_os_string().into_vec(),
                // No link, or nothing there yet.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::InvalidInput
                            | io::ErrorKind::NotFound
                            | io::ErrorKind::NotADirectory
                    ) =>
                {
                    return Ok(None)
                }
                Err(error) => return Err(Error::io(format!("look at {}", file.display()))(error)),
            };
            match links.next() {
                Some(_) => Ok(Some(target)),
                None => {
                    let loops = io::Error::other(format!("more than {MAX_LINKS} links"));
                    Err(Error::io(format!("follow {}", file.display()))(loops))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("usr/lib/x")).unwrap();
        fs::create_dir_all(dir.path().join("outside")).unwrap();
        for (name, target) in [
            ("lib", "usr/lib"),
            ("abs", "/usr/lib"),
            ("up", "../../../usr"),
            ("out", "../outside"),
            ("loop", "loop"),
            ("usr/lib/y", "/lib/x"),
        ] {
            symlink(target, root.join(name)).unwrap();
        }
        let mut places = Places::new(&root);
        for (path, want) in [
            ("lib/x/f", "usr/lib/x/f"),
            ("lib/y/f", "usr/lib/x/f"),
            ("abs/f", "usr/lib/f"),
            ("up/lib/f", "usr/lib/f"),
            ("out/f", "outside/f"),
            ("lib", "lib"),
            ("new/f", "new/f"),
            ("f", "f"),
        ] {
            for _ in 0..2 {
                let place = places.place(path.as_bytes()).unwrap();
                assert_eq!(place, want.as_bytes(), "{path}");
            }
        }
        assert!(places.place(b"loop/f").is_err());
        assert_eq!(places.inside("out").unwrap(), root.join("outside"));
        assert!(places.inside("loop").is_err());
    }
}
