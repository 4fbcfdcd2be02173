//! A file that has its name when it is whole, and not before.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, CWD};

/// A file that is being written. Dropped without a commit it vanishes.
///
/// Where the file system can (ext4, XFS, btrfs, tmpfs, and overlays of them since Linux 6.3), the file has no name until then, so that
/// not even a killed process leaves anything. Elsewhere (NFS, FAT, 9p, and where `/proc` is not mounted, by which such a file
/// gets its name) it is `.partial-…` in the folder of its name: an error takes that away, but not SIGKILL, for nobody is left to do it.
///
/// A name that is taken is taken over in one step by `rename`, for which the whole file is `.partial-…` for as long as it takes to
/// call that: a link never replaces anything.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    file: Held,
}

#[derive(Debug)]
enum Held {
    Unnamed(File),
    Named(tempfile::NamedTempFile),
}

impl NewFile {
    /// The permission bits of what others may read, less what the umask takes.
    pub const USUAL: u32 = 0o644;

    /// Starts the file that is to be `path`, with permission bits `mode` as far as the umask lets them.
    ///
    /// What bears the name already is replaced, if it is a regular file or a symbolic link to one or to nothing; anything else
    /// is refused.
    pub fn create(path: &Path, mode: u32) -> io::Result<Self> {
        // Also where a link leads: /dev/stdout has to stay.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(io::Error::other("it exists and is not a regular file"));
        }
        // Without the folder neither way works, and this says it best.
        fs::metadata(folder(path))?;
        match unnamed(folder(path), mode) {
            Some(file) => Ok(Self::held(path, Held::Unnamed(file))),
            None => Self::create_named(path, mode),
        }
    }

    fn create_named(path: &Path, mode: u32) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.permissions(fs::Permissions::from_mode(mode));
        let file = builder.prefix(PREFIX).tempfile_in(folder(path))?;
        Ok(Self::held(path, Held::Named(file)))
    }

    fn held(path: &Path, file: Held) -> Self {
        let path = path.to_owned();
        Self { path, file }
    }

    /// What it is going to be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file to write to.
    pub fn file(&self) -> &File {
        match &self.file {
            Held::Unnamed(file) => file,
            Held::Named(file) => file.as_file(),
        }
    }

    /// Gives the file its name; what bore it before is gone.
    ///
    /// Nothing is synced: this is for what a build makes, which can be made again, and a disk image would take longer to reach the
    /// disk than to be written.
    pub fn commit(self) -> io::Result<()> {
        match self.file {
            Held::Unnamed(file) => link(&file, &self.path),
            Held::Named(file) => file.persist(&self.path).map(drop).map_err(|e| e.error),
        }
    }

    /// As [`NewFile::commit`], for what cannot be made again: whatever instant the power goes, the name is that of what was
    /// there before or of the whole new file, and after this returned, of the new file.
    pub fn commit_synced(self) -> io::Result<()> {
        self.file().sync_all()?;
        let path = self.path.clone();
        self.commit()?;
        sync_folder(&path)
    }
}

/// Makes names given or taken away in the folder of `path` last.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// How the names of files begin that are not whole.
const PREFIX: &str = ".partial-";

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file without a name, if there can be one, and if it can get a name later.
fn unnamed(folder: &Path, mode: u32) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(folder, flags, Mode::from_raw_mode(mode)).ok()?;
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
    let mut builder = tempfile::Builder::new();
    let temporary = builder.prefix(PREFIX).make_in(folder(path), link_to)?;
    temporary.persist(path).map(drop).map_err(|e| e.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    #[allow(clippy::disallowed_methods, reason = "only counted")]
    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    type Create = fn(&Path, u32) -> io::Result<NewFile>;

    /// Both ways, and both commits.
    #[test]
    fn whole_or_absent() {
        let ways: [(Create, usize); 2] = [(NewFile::create, 0), (NewFile::create_named, 1)];
        for (create, names) in ways {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("out");
            let output = create(&path, NewFile::USUAL).unwrap();
            output.file().write_all(b"half").unwrap();
            // What a killed process would leave.
            assert_eq!(count(dir.path()), names);
            drop(output);
            assert_eq!(count(dir.path()), 0);
            for (text, synced) in [("first", false), ("second", false), ("third", true)] {
                let output = create(&path, NewFile::USUAL).unwrap();
                output.file().write_all(text.as_bytes()).unwrap();
                match synced {
                    true => output.commit_synced().unwrap(),
                    false => output.commit().unwrap(),
                }
                assert_eq!(fs::read_to_string(&path).unwrap(), text);
                assert_eq!(count(dir.path()), 1);
            }
            // As any new file, but that nobody else may write to it.
            let usual = File::create(dir.path().join("usual")).unwrap();
            assert_eq!(
                fs::metadata(&path).unwrap().mode(),
                usual.metadata().unwrap().mode() & !0o022
            );
            create(&path, 0o600).unwrap().commit().unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        }
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("target"), "target").unwrap();
        std::os::unix::fs::symlink(at("target"), at("link")).unwrap();
        let output = NewFile::create(&at("link"), NewFile::USUAL).unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "target");
        assert!(fs::symlink_metadata(at("link")).unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path(), Path::new("/dev/null")] {
            let error = NewFile::create(path, NewFile::USUAL).unwrap_err();
            assert_eq!(error.to_string(), "it exists and is not a regular file");
        }
        let error = NewFile::create(&dir.path().join("no/such/out"), 0o644).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(fs::metadata("/dev/null").unwrap().mode() & 0o170_000 == 0o020_000);
    }
}
