//! A file that has its name when it is whole, and not before.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use plan::Reader;
use rustix::fs::{AtFlags, Mode, OFlags, CWD};

use crate::error::Error;

/// An output that is being written. Dropped without [`Output::commit`] it vanishes.
///
/// Where the file system can (ext4, XFS, btrfs, tmpfs, overlays of them), the file has no name until then, so that not even a
/// killed process leaves anything. Elsewhere (NFS, FAT) it is `.partial-…` in the output's folder, which an error takes away,
/// but not a signal.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    file: Held,
}

#[derive(Debug)]
enum Held {
    Unnamed(File),
    Named(tempfile::NamedTempFile),
}

impl Output {
    /// Starts the file that is to be `path`.
    pub fn create(path: &Path) -> Result<Self, Error> {
        if let Ok(metadata) = fs::symlink_metadata(path) {
            if !metadata.is_file() && !metadata.is_symlink() {
                let path = path.to_owned();
                return Err(Error::NotAFile { path });
            }
        }
        fs::metadata(folder(path)).map_err(create_error(path))?;
        match unnamed(folder(path)) {
            Some(file) => Ok(Self::held(path, Held::Unnamed(file))),
            None => Self::create_named(path),
        }
    }

    fn create_named(path: &Path) -> Result<Self, Error> {
        let file = named(path).map_err(create_error(path))?;
        Ok(Self::held(path, Held::Named(file)))
    }

    fn held(path: &Path, file: Held) -> Self {
        let path = path.to_owned();
        Self { path, file }
    }

    /// Refuses to replace what the image is made of: one of the reader's inputs, or of the `other` files.
    pub fn check_inputs(&self, reader: &Reader<File>, other: &[&Path]) -> Result<(), Error> {
        let Ok(existing) = fs::metadata(&self.path) else {
            return Ok(());
        };
        let same = |metadata: io::Result<fs::Metadata>| {
            metadata.is_ok_and(|m| (m.dev(), m.ino()) == (existing.dev(), existing.ino()))
        };
        let inputs = reader.inputs().iter();
        let input = inputs
            .filter(|(_, file)| same(file.metadata()))
            .map(|(name, _)| name.clone());
        let other = other.iter().filter(|path| same(fs::metadata(path)));
        match input
            .chain(other.map(|path| path.display().to_string()))
            .next()
        {
            Some(name) => {
                let path = self.path.clone();
                Err(Error::OutputIsInput { path, name })
            }
            None => Ok(()),
        }
    }

    /// The file to write to.
    pub fn file(&self) -> &File {
        match &self.file {
            Held::Unnamed(file) => file,
            Held::Named(file) => file.as_file(),
        }
    }

    /// Gives the file its name; what bore it before is gone.
    pub fn commit(self) -> Result<(), Error> {
        let done = match self.file {
            Held::Unnamed(file) => link(&file, &self.path),
            Held::Named(file) => file.persist(&self.path).map(drop).map_err(|e| e.error),
        };
        done.map_err(create_error(&self.path))
    }
}

fn create_error(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    |source| Error::Create {
        path: path.to_owned(),
        source,
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file without a name, if there can be one, and if it can get a name later.
fn unnamed(folder: &Path) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(folder, flags, Mode::from_raw_mode(0o644)).ok()?;
    let file = File::from(file);
    by_descriptor(&file).exists().then_some(file)
}

fn by_descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn link(file: &File, path: &Path) -> io::Result<()> {
    let link_to = |path: &Path| {
        let from = by_descriptor(file);
        rustix::fs::linkat(CWD, &from, CWD, path, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
    };
    match link_to(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        done => return done,
    }
    // A link never replaces anything; a rename does.
    let mut builder = tempfile::Builder::new();
    let temporary = builder.prefix(".partial-").make_in(folder(path), link_to)?;
    temporary.persist(path).map(drop).map_err(|e| e.error)
}

fn named(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder.prefix(".partial-").tempfile_in(folder(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// What file systems get that have no files without a name.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "only counted")]
    fn a_file_with_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let count = || fs::read_dir(dir.path()).unwrap().count();
        let output = Output::create_named(&path).unwrap();
        assert_eq!(count(), 1);
        drop(output);
        assert_eq!(count(), 0);
        for text in ["first", "second"] {
            let output = Output::create_named(&path).unwrap();
            output.file().write_all(text.as_bytes()).unwrap();
            output.commit().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(count(), 1);
        }
        // As any new file, but that nobody else may write to it.
        let usual = File::create(dir.path().join("usual")).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().mode(),
            usual.metadata().unwrap().mode() & !0o022
        );
    }
}
