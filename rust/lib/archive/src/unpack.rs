//! An archive as files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    chmodat, chownat, fchmod, fchown, fsetxattr, futimens, linkat, lsetxattr, makedev, mkdirat,
    mknodat, openat, openat2, symlinkat, unlinkat, utimensat, AtFlags, FileType, Gid, Mode, OFlags,
    ResolveFlags, Timespec, Timestamps, Uid, XattrFlags, CWD,
};
use rustix::io::Errno;

use crate::entry::{Entry, Kind, Piece};
use crate::error::{show, Error};
use crate::members::{Members, Skip};
use crate::names::Admitted;
use crate::stream::Streaming;

/// How [`unpack_with`] treats what needs privilege.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnpackOptions {
    /// Give files their owners. Off, they belong to the caller.
    pub owners: bool,
}

impl Default for UnpackOptions {
    fn default() -> Self {
        Self { owners: true }
    }
}

impl UnpackOptions {
    /// Whether files get their owners.
    pub fn owners(mut self, owners: bool) -> Self {
        self.owners = owners;
        self
    }
}

/// Unpacks into `dir`, which must exist, as root: owners, modes, extended attributes, devices, times.
///
/// Nothing is ever made outside `dir`: no symbolic link is followed, neither one of the archive nor one that was there.
/// Folders that exist are kept and take the member's attributes; any other file in the way is an error, unless it is an
/// earlier member of the same path. Holes stay holes. Devices that may not be made are left out.
pub fn unpack(reader: impl Read, dir: &Path) -> Result<(), Error> {
    unpack_with(reader, dir, &UnpackOptions::default())
}

/// [`unpack`] with options.
pub fn unpack_with(reader: impl Read, dir: &Path, options: &UnpackOptions) -> Result<(), Error> {
    unpack_members(reader, dir, options, &mut |_| true)
}

/// [`unpack_with`], asking of each member whether it is to be made. The archive is read to its end.
pub fn unpack_members(
    reader: impl Read,
    dir: &Path,
    options: &UnpackOptions,
    comes: &mut dyn FnMut(&Entry) -> bool,
) -> Result<(), Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, dir, flags, Mode::empty()).map_err(|e| Error::Source {
        path: dir.to_path_buf(),
        source: e.into(),
    })?;
    let mut members = Members::new(Streaming(reader));
    let mut unpacker = Unpacker {
        root,
        options,
        dirs: BTreeMap::new(),
    };
    while let Some(member) = members.next()? {
        let replaces = member.admitted == Admitted::Replaces;
        if comes(&member.entry) {
            unpacker.member(member.entry, replaces, &mut members)?;
        }
    }
    unpacker.finish()
}

struct Unpacker<'a> {
    root: OwnedFd,
    options: &'a UnpackOptions,
    /// Folders, whose attributes are set when nothing more is made in them.
    dirs: BTreeMap<Vec<u8>, Entry>,
}

/// Fails as `Error::Unpack` for this entry.
fn failed<'a, E: Into<io::Error>>(
    path: &'a [u8],
    action: &'static str,
) -> impl Fn(E) -> Error + 'a {
    move |e| Error::Unpack {
        path: show(path),
        action,
        source: e.into(),
    }
}

fn name(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

fn mode(entry: &Entry) -> Mode {
    Mode::from_raw_mode(entry.mode & 0o7777)
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec {
        tv_sec: entry.mtime,
        tv_nsec: i64::from(entry.mtime_nanos),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// The folder and the name in it.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = path.rsplitn(2, |b| *b == b'/');
    let name = parts.next().unwrap_or(path);
    (parts.next().unwrap_or(b""), name)
}

impl Unpacker<'_> {
    fn member<R: Skip>(
        &mut self,
        entry: Entry,
        replaces: bool,
        members: &mut Members<R>,
    ) -> Result<(), Error> {
        let (parent, base) = split(&entry.path);
        if matches!(entry.kind, Kind::Dir) {
            self.dir_fd(&entry.path)?;
            self.dirs.insert(entry.path.clone(), entry);
            return Ok(());
        }
        let parent = self.dir_fd(parent)?;
        if replaces {
            match unlinkat(&parent, name(base), AtFlags::empty()) {
                // A device that was not made.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(e) => return Err(failed(&entry.path, "replacing the earlier member")(e)),
            }
        }
        match &entry.kind {
            Kind::File { offset, len } => {
                let piece = Piece {
                    at: 0,
                    len: *len,
                    offset: *offset,
                };
                self.file(&entry, &parent, base, members, &[piece], *len)?;
            }
            Kind::Sparse { len, pieces } => {
                self.file(&entry, &parent, base, members, pieces, *len)?;
            }
            Kind::HardLink { target } => self.hard_link(&entry.path, target, &parent, base)?,
            Kind::Symlink { target } => {
                symlinkat(name(target), &parent, name(base))
                    .map_err(failed(&entry.path, "making the link"))?;
                self.attributes(&entry, &parent, base)?;
            }
            _ => self.special(&entry, &parent, base)?,
        }
        Ok(())
    }

    /// Opens a folder of the target, made with mode 0755 where it is missing; never through a symbolic link.
    fn dir_fd(&self, path: &[u8]) -> Result<OwnedFd, Error> {
        let whole = if path.is_empty() { b"." } else { path };
        match open_beneath(&self.root, whole, OFlags::PATH) {
            Err(Errno::NOENT) => {}
            other => return other.map_err(failed(path, "opening the folder")),
        }
        let open = |dir: &OwnedFd, name: &[u8]| {
            open_beneath(dir, name, OFlags::PATH).map_err(failed(path, "opening the folder"))
        };
        let mut at = open(&self.root, b".")?;
        for component in path.split(|b| *b == b'/') {
            match mkdirat(&at, name(component), Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(failed(path, "making the folder")(e)),
            }
            at = open(&at, component)?;
        }
        Ok(at)
    }

    /// A file of `len` bytes: `pieces`, one behind the other in the archive, and holes between them.
    fn file<R: Skip>(
        &self,
        entry: &Entry,
        parent: &OwnedFd,
        base: &[u8],
        members: &mut Members<R>,
        pieces: &[Piece],
        len: u64,
    ) -> Result<(), Error> {
        // What is there already is no new file, be it a link to one that is not.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = openat(parent, name(base), flags, Mode::from_raw_mode(0o600))
            .map_err(failed(&entry.path, "making the file"))?;
        let mut file = File::from(fd);
        for piece in pieces {
            let copying = failed(&entry.path, "copying its data");
            file.seek(SeekFrom::Start(piece.at)).map_err(&copying)?;
            let mut data = members.data(piece.len);
            let copied = io::copy(&mut data, &mut file).map_err(&copying)?;
            if copied != piece.len {
                return Err(members.truncated("a member's data"));
            }
        }
        if matches!(entry.kind, Kind::Sparse { .. }) {
            file.set_len(len)
                .map_err(failed(&entry.path, "making its last hole"))?;
        }
        self.open_attributes(entry, &file)
    }

    /// Attributes of an open file or folder. The owner first: changing it clears set-uid bits and capabilities.
    fn open_attributes(&self, entry: &Entry, fd: impl AsFd) -> Result<(), Error> {
        let fd = fd.as_fd();
        if self.options.owners {
            let (uid, gid) = owner(entry);
            fchown(fd, uid, gid).map_err(failed(&entry.path, "setting its owner"))?;
        }
        fchmod(fd, mode(entry)).map_err(failed(&entry.path, "setting its mode"))?;
        for (key, value) in &entry.xattrs {
            fsetxattr(fd, name(key), value, XattrFlags::empty())
                .map_err(failed(&entry.path, "setting an extended attribute"))?;
        }
        futimens(fd, &times(entry)).map_err(failed(&entry.path, "setting its times"))
    }

    fn hard_link(
        &self,
        path: &[u8],
        target: &[u8],
        parent: &OwnedFd,
        base: &[u8],
    ) -> Result<(), Error> {
        let (target_parent, target_base) = split(target);
        let target_parent = self.dir_fd(target_parent)?;
        linkat(
            &target_parent,
            name(target_base),
            parent,
            name(base),
            AtFlags::empty(),
        )
        .map_err(failed(path, "making the hard link"))
    }

    /// Makes a pipe, or a device if that is permitted.
    fn special(&self, entry: &Entry, parent: &OwnedFd, base: &[u8]) -> Result<(), Error> {
        let (file_type, device) = match entry.kind {
            Kind::Char { major, minor } => (FileType::CharacterDevice, makedev(major, minor)),
            Kind::Block { major, minor } => (FileType::BlockDevice, makedev(major, minor)),
            _ => (FileType::Fifo, 0),
        };
        match mknodat(parent, name(base), file_type, mode(entry), device) {
            Ok(()) => self.attributes(entry, parent, base),
            Err(Errno::PERM) if file_type != FileType::Fifo => Ok(()),
            Err(e) => Err(failed(&entry.path, "making the device or pipe")(e)),
        }
    }

    /// Attributes of what cannot be opened: links, devices, pipes.
    fn attributes(&self, entry: &Entry, parent: &OwnedFd, base: &[u8]) -> Result<(), Error> {
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        if self.options.owners {
            let (uid, gid) = owner(entry);
            chownat(parent, name(base), uid, gid, nofollow)
                .map_err(failed(&entry.path, "setting its owner"))?;
        }
        // A link has no mode. The others were made just now by us, so no link is followed.
        if !matches!(entry.kind, Kind::Symlink { .. }) {
            chmodat(parent, name(base), mode(entry), AtFlags::empty())
                .map_err(failed(&entry.path, "setting its mode"))?;
        }
        if !entry.xattrs.is_empty() {
            // There is no call relative to a folder before Linux 6.13; this path leads to the same place.
            let path = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd()));
            let path = path.join(name(base));
            for (key, value) in &entry.xattrs {
                lsetxattr(&path, name(key), value, XattrFlags::empty())
                    .map_err(failed(&entry.path, "setting an extended attribute"))?;
            }
        }
        utimensat(parent, name(base), &times(entry), nofollow)
            .map_err(failed(&entry.path, "setting its times"))
    }

    /// Folders get their attributes, the deepest first.
    fn finish(self) -> Result<(), Error> {
        for (path, entry) in self.dirs.iter().rev() {
            let at = if path.is_empty() {
                b"."
            } else {
                path.as_slice()
            };
            let fd = open_beneath(&self.root, at, OFlags::RDONLY)
                .map_err(failed(path, "opening the folder"))?;
            self.open_attributes(entry, &fd)?;
        }
        Ok(())
    }
}

/// A folder below `dir`, not through a symbolic link, nor one that is a link itself.
fn open_beneath(dir: &OwnedFd, path: &[u8], access: OFlags) -> Result<OwnedFd, Errno> {
    openat2(
        dir,
        name(path),
        access | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    (
        Some(Uid::from_raw(entry.uid)),
        Some(Gid::from_raw(entry.gid)),
    )
}
