//! A bundle's folder: `index.json`, `files/SHA256`, and while it is made `new/`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base::{Hasher, Sha256Digest};
use files::NewFile;
use walkdir::WalkDir;

use crate::error::Error;
use crate::index;
use crate::items::Item;

const INDEX: &str = "index.json";
const FILES: &str = "files";
const NEW: &str = "new";

/// A bundle that is made, or brought up to date.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// Opens or makes `dir`. A folder with anything in it that no bundle has is refused: what is in no index is removed in the end.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let make = |dir: &Path| {
            fs::create_dir_all(dir).map_err(Error::io(format!("make {}", dir.display())))
        };
        make(dir)?;
        for name in names(dir)? {
            if ![INDEX, FILES, NEW].contains(&name.as_str()) {
                return Err(Error::NoBundle {
                    dir: dir.to_path_buf(),
                    found: name,
                });
            }
        }
        // Ours are named by digests, or not whole: what else is there is somebody's.
        for inner in [FILES, NEW].map(|name| dir.join(name)) {
            let found = if inner.is_dir() {
                names(&inner)?
            } else {
                Vec::new()
            };
            // What fetches may have put something behind the name.
            let ours = |name: &String| {
                let digest = name.get(..64).unwrap_or_default();
                name.starts_with(".partial-") || digest.parse::<Sha256Digest>().is_ok()
            };
            if let Some(name) = found.into_iter().find(|name| !ours(name)) {
                return Err(Error::NoBundle {
                    dir: inner,
                    found: name,
                });
            }
        }
        let folder = Self {
            dir: dir.to_path_buf(),
        };
        make(&folder.dir.join(FILES))?;
        // Of a run that was ended.
        folder.clear_new()?;
        make(&folder.dir.join(NEW))?;
        Ok(folder)
    }

    fn clear_new(&self) -> Result<(), Error> {
        let new = self.dir.join(NEW);
        match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("remove {}", new.display()))(error))
            }
            _ => Ok(()),
        }
    }

    fn file(&self, sha256: &Sha256Digest) -> PathBuf {
        self.dir.join(FILES).join(sha256.to_string())
    }

    /// Where a file may be put together, for [`Folder::take`].
    pub(crate) fn new_file(&self, item: &Item) -> PathBuf {
        self.dir.join(NEW).join(item.sha256.to_string())
    }

    /// Forgets what was put together there.
    pub(crate) fn drop_new(&self, item: &Item) -> Result<(), Error> {
        let path = self.new_file(item);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("remove {}", path.display()))(error))
            }
            _ => Ok(()),
        }
    }

    /// The size of `item` if it is there with the right content. Something else under its name is removed.
    pub(crate) fn has(&self, item: &Item) -> Result<Option<u64>, Error> {
        let path = self.file(&item.sha256);
        let Some(file) = opened(&path)? else {
            return Ok(None);
        };
        let what = || format!("read {}", path.display());
        let len = file.metadata().map_err(Error::io(what()))?.len();
        if item.size.is_none_or(|size| size == len)
            && Sha256Digest::of_reader(file).map_err(Error::io(what()))? == item.sha256
        {
            return Ok(Some(len));
        }
        fs::remove_file(&path).map_err(Error::io(format!("remove {}", path.display())))?;
        Ok(None)
    }

    /// Takes the file at `from` in if it is there and is `item`; returns its size.
    pub(crate) fn take(&self, item: &Item, from: &Path) -> Result<Option<u64>, Error> {
        let Some(mut source) = opened(from)? else {
            return Ok(None);
        };
        let path = self.file(&item.sha256);
        let write = || Error::io(format!("write {}", path.display()));
        let pending = NewFile::create(&path, NewFile::USUAL).map_err(write())?;
        let (len, digest) = copy(&mut source, pending.file()).map_err(Error::io(format!(
            "copy {} to {}",
            from.display(),
            path.display()
        )))?;
        if digest != item.sha256 {
            return Ok(None);
        }
        // It reaches the disk before the index says that it is there.
        pending.file().sync_all().map_err(write())?;
        pending.commit().map_err(write())?;
        Ok(Some(len))
    }

    /// Makes it a bundle of these items, all of which are there: writes the index, then removes what is not in it.
    pub fn finish(self, items: &[(&Item, u64)], update: Option<&str>) -> Result<(), Error> {
        let text = index::text(items, update)?;
        self.clear_new()?;
        let path = self.dir.join(INDEX);
        let write = || Error::io(format!("write {}", path.display()));
        // So do the files' names, and that of their folder.
        let folder = self.dir.join(FILES);
        files::sync_folder(&folder.join(INDEX)).map_err(write())?;
        files::sync_folder(&folder).map_err(write())?;
        let pending = NewFile::create(&path, NewFile::USUAL).map_err(write())?;
        pending.file().write_all(text.as_bytes()).map_err(write())?;
        pending.commit_synced().map_err(write())?;
        for name in names(&folder)? {
            let wanted = |(item, _): &(&Item, u64)| item.sha256.to_string() == name;
            if !items.iter().any(wanted) {
                let path = folder.join(name);
                fs::remove_file(&path).map_err(Error::io(format!("remove {}", path.display())))?;
            }
        }
        Ok(())
    }
}

/// The file, if there is one.
fn opened(path: &Path) -> Result<Option<File>, Error> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("read {}", path.display()))(error)),
    }
}

/// What is in a folder, sorted.
fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let entries = WalkDir::new(dir).min_depth(1).max_depth(1);
    let mut names = Vec::new();
    for entry in entries.sort_by_file_name() {
        let entry = entry.map_err(|e| Error::io(format!("read {}", dir.display()))(e.into()))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Copies all there is; returns its size and digest.
fn copy(mut source: impl Read, mut to: impl Write) -> io::Result<(u64, Sha256Digest)> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let bytes = match source.read(&mut buffer) {
            Ok(0) => return Ok((hasher.count(), hasher.finish())),
            Ok(got) => buffer.get(..got).unwrap_or(&buffer),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(bytes)?;
        hasher.update(bytes);
    }
}
