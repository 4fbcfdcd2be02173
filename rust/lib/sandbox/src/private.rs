//! A mount namespace of the program's own, and a work folder in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{mount, MsFlags};
use nix::sched::{unshare, CloneFlags};
use nix::unistd::geteuid;

use crate::error::Error;
use crate::{disk, idmap, root};

/// Shows that [`private_mounts`] was called.
#[derive(Debug)]
pub struct PrivateMounts(());

/// Gives this process mounts of its own. Call it while there is one thread.
///
/// Without root it first becomes root of a user namespace with the range of users that `/etc/subuid` and
/// `/etc/subgid` give the caller.
pub fn private_mounts() -> Result<PrivateMounts, Error> {
    if !geteuid().is_root() {
        idmap::become_root()?;
    }
    unshare(CloneFlags::CLONE_NEWNS).map_err(|e| match e {
        Errno::EPERM | Errno::ENOSPC => Error::NotPermitted {
            what: "a mount namespace",
            source: e.into(),
        },
        e => Error::setup("make a mount namespace", e),
    })?;
    root::make_private()?;
    Ok(PrivateMounts(()))
}

/// Folders of every Debian that are usually empty, so that mounting on them hides nothing.
const MOUNT_POINTS: [&str; 4] = ["/mnt", "/media", "/srv", "/opt"];

/// An empty folder that only this process and its children see. In memory it is gone when they are, however they end.
#[derive(Debug)]
pub struct Workdir {
    path: PathBuf,
    /// Where no empty folder was found to mount on.
    _made: Option<tempfile::TempDir>,
    /// What is mounted, unless it is in memory. Removed last.
    disk: Option<disk::Folder>,
}

impl Workdir {
    /// Mounts one in memory.
    pub fn new(mounts: &PrivateMounts) -> Result<Self, Error> {
        Self::mount(mounts, None)
    }

    /// Mounts one that lies in `parent`, a folder on a disk that root may fill with devices, owners and set-uid programs.
    ///
    /// It is removed with the value; what a process left that was killed, the next one to use `parent` removes.
    pub fn on_disk(mounts: &PrivateMounts, parent: &Path) -> Result<Self, Error> {
        let folder = disk::Folder::new(parent)?;
        Self::mount(mounts, Some(folder))
    }

    fn mount(_: &PrivateMounts, disk: Option<disk::Folder>) -> Result<Self, Error> {
        let (path, made) = match MOUNT_POINTS
            .map(Path::new)
            .into_iter()
            .find(|p| is_empty(p))
        {
            Some(point) => (point.to_path_buf(), None),
            None => {
                let made =
                    tempfile::tempdir().map_err(|e| Error::setup("make a temporary folder", e))?;
                (made.path().to_path_buf(), Some(made))
            }
        };
        // Trees built here hold set-uid programs and devices that must work in a sandbox.
        let mounted = match &disk {
            None => mount(
                Some("tmpfs"),
                &path,
                Some("tmpfs"),
                MsFlags::empty(),
                Some(OsStr::new("mode=755")),
            ),
            Some(folder) => mount(
                Some(folder.path()),
                &path,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            ),
        };
        mounted
            .map_err(|e| Error::setup(format!("mount a work folder on {}", path.display()), e))?;
        Ok(Self {
            path,
            _made: made,
            disk,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        // Only what would be left in the host's files matters; the mount goes with the process.
        if self._made.is_some() || self.disk.is_some() {
            let _ = nix::mount::umount2(&self.path, nix::mount::MntFlags::MNT_DETACH);
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "order does not matter to whether there is any"
)]
fn is_empty(dir: &Path) -> bool {
    !dir.is_symlink() && fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}
