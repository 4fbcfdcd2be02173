//! Work folders on a disk, for trees that memory does not hold.
//!
//! Each is a folder in the one that the caller names, under a name that begins with [`PREFIX`], and locked as long as its process
//! lives. One that is not locked was left by a process that was killed; whoever comes next removes it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::statvfs::{statvfs, FsFlags};

use crate::error::Error;

const PREFIX: &str = ".work-folder-";

/// The name of what is mounted: others of the machine must not reach the set-uid programs of a tree, its steps must.
const INNER: &str = "tree";

/// One folder. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Folder {
    inner: PathBuf,
    // Removed before it is unlocked.
    _folder: tempfile::TempDir,
    _lock: Flock<File>,
}

impl Folder {
    pub(crate) fn new(parent: &Path) -> Result<Self, Error> {
        let failed = |action: &'static str| {
            let step = format!("{action} {}", parent.display());
            move |e: std::io::Error| Error::setup(step, e)
        };
        let parent = parent
            .canonicalize()
            .map_err(failed("find the work folder"))?;
        check(&parent)?;
        // Nobody else looks for locks while there is a folder without one.
        let guard = lock(&parent, FlockArg::LockExclusive)
            .map_err(failed("lock"))?
            .ok_or_else(|| Error::setup("lock the work folder", Errno::EAGAIN))?;
        let left = left_over(&parent).map_err(failed("look for what is left over in"))?;
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&parent)
            .map_err(failed("make a work folder in"))?;
        let lock = lock(folder.path(), FlockArg::LockExclusiveNonblock)
            .map_err(failed("lock a new folder in"))?
            .ok_or_else(|| Error::setup("lock a new folder", Errno::EAGAIN))?;
        drop(guard);
        for (path, lock) in left {
            match fs::remove_dir_all(&path) {
                // Its process removed it between our looking and our locking.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(failed("remove what is left over in"))?,
            }
            drop(lock);
        }
        let inner = folder.path().join(INNER);
        fs::create_dir(&inner).map_err(failed("make a work folder in"))?;
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755))
            .map_err(failed("make a work folder in"))?;
        Ok(Self {
            inner,
            _folder: folder,
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.inner
    }
}

/// In memory nothing is forbidden; steps must not behave differently on a disk. (They have no devices of their own, and no
/// rights by a set-uid bit, wherever.)
fn check(parent: &Path) -> Result<(), Error> {
    let flags = statvfs(parent)
        .map_err(|e| Error::setup(format!("look at {}", parent.display()), e))?
        .flags();
    let problem = if flags.contains(FsFlags::ST_RDONLY) {
        "it is mounted read-only"
    } else if flags.contains(FsFlags::ST_NOEXEC) {
        "it is mounted noexec, so no step could start a program"
    } else {
        return Ok(());
    };
    Err(Error::WorkFolder {
        path: parent.to_path_buf(),
        problem,
    })
}

/// Locks a folder; none if another process has the lock.
fn lock(path: &Path, how: FlockArg) -> std::io::Result<Option<Flock<File>>> {
    match Flock::lock(File::open(path)?, how) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(error.into()),
    }
}

/// Folders of processes that are gone, locked now by us.
#[expect(
    clippy::disallowed_methods,
    reason = "all of them are removed, in whatever order"
)]
fn left_over(parent: &Path) -> std::io::Result<Vec<(PathBuf, Flock<File>)>> {
    let mut left = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !ours || !entry.file_type()?.is_dir() {
            continue;
        }
        match lock(&entry.path(), FlockArg::LockExclusiveNonblock) {
            Ok(Some(lock)) => left.push((entry.path(), lock)),
            Ok(None) => {}
            // Its process has just removed it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "only counted")]
    fn count(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_in_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join(format!("{PREFIX}old"));
        fs::create_dir_all(left.join("tree/deep")).unwrap();
        fs::write(dir.path().join("theirs"), "x").unwrap();
        let one = Folder::new(dir.path()).unwrap();
        assert!(!left.exists());
        let two = Folder::new(dir.path()).unwrap();
        assert!(one.path().is_dir() && two.path().is_dir());
        let outer = one.path().parent().unwrap();
        assert_eq!(
            fs::metadata(outer).unwrap().permissions().mode() & 0o777,
            0o700
        );
        fs::write(two.path().join("file"), "x").unwrap();
        drop((one, two));
        assert_eq!(count(dir.path()), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Folder::new(Path::new("/nowhere/at/all")).unwrap_err();
        let text = error.to_string();
        assert_eq!(text, "cannot find the work folder /nowhere/at/all");
    }
}
