//! Namespaces of the program's own, and a work folder in them.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::{fchown, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{mount, umount2, MntFlags, MsFlags};
use nix::sched::{unshare, CloneFlags};
use nix::unistd::{setgroups, setresgid, setresuid, Gid, Uid};

use crate::error::Error;
use crate::outside::Outside;
use crate::{disk, root};

/// Shows that [`private_mounts`] was called, and knows who called the program.
#[derive(Debug)]
pub struct PrivateMounts {
    outside: Outside,
    uid: u32,
    gid: u32,
}

/// Makes this process root of a user namespace, with mounts of its own. Call it while there is one thread.
///
/// The first 65,536 users and groups are a tree's: outside they belong to nobody, as far as there are enough ids. After them
/// come the caller's, so this process reaches the caller's files as before; what it makes belongs to the tree's root until
/// [`PrivateMounts::give`] gives it to the caller. An ordinary caller needs a range of ids in `/etc/subuid` and `/etc/subgid`.
pub fn private_mounts() -> Result<PrivateMounts, Error> {
    let outside = Outside::start()?;
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| match e {
        Errno::EPERM | Errno::ENOSPC | Errno::EUSERS => Error::NotPermitted {
            what: "a user namespace",
            source: e.into(),
        },
        e => Error::setup("make a user namespace", e),
    })?;
    let (uid, gid) = outside.map()?;
    let (root, group) = (Uid::from_raw(0), Gid::from_raw(0));
    setgroups(&[])
        .and_then(|()| setresgid(group, group, group))
        .and_then(|()| setresuid(root, root, root))
        .map_err(|e| Error::setup("become root of the user namespace", e))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|e| match e {
        Errno::EPERM | Errno::ENOSPC => Error::NotPermitted {
            what: "a mount namespace",
            source: e.into(),
        },
        e => Error::setup("make a mount namespace", e),
    })?;
    root::make_private()?;
    Ok(PrivateMounts { outside, uid, gid })
}

impl PrivateMounts {
    /// Gives the caller a file that this process has made for it.
    pub fn give(&self, file: &File) -> io::Result<()> {
        // A folder may have given the file a group of its own.
        let group = (file.metadata()?.gid() == 0).then_some(self.gid);
        fchown(file, Some(self.uid), group)
    }
}

/// An empty folder that only this process and its children see. In memory it is gone when they are, however they end.
///
/// It is mounted on a new folder, so it hides nothing that a caller could name.
#[derive(Debug)]
pub struct Workdir {
    path: PathBuf,
    /// What is mounted, unless it is in memory. Removed last.
    _disk: Option<disk::Folder>,
}

impl Workdir {
    /// Mounts one in memory.
    pub fn new(mounts: &PrivateMounts) -> Result<Self, Error> {
        Self::mount(mounts, None)
    }

    /// Mounts one that lies in `parent`, a folder on a disk that root may fill with owners and programs.
    ///
    /// It is removed with the value; what a process left that was killed, the next one to use `parent` removes.
    pub fn on_disk(mounts: &PrivateMounts, parent: &Path) -> Result<Self, Error> {
        let folder = disk::Folder::new(parent)?;
        Self::mount(mounts, Some(folder))
    }

    fn mount(mounts: &PrivateMounts, disk: Option<disk::Folder>) -> Result<Self, Error> {
        let path = mounts.outside.folder()?;
        let none = None::<&str>;
        let flags = MsFlags::empty();
        let mounted = match &disk {
            None => {
                let options = Some(OsStr::new("mode=755"));
                mount(Some("tmpfs"), &path, Some("tmpfs"), flags, options)
            }
            Some(folder) => mount(Some(folder.path()), &path, none, MsFlags::MS_BIND, none),
        };
        mounted
            .map_err(|e| Error::setup(format!("mount a work folder on {}", path.display()), e))?;
        Ok(Self { path, _disk: disk })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        // Gives the memory back now; the process's end would, too.
        let _ = umount2(&self.path, MntFlags::MNT_DETACH);
    }
}
