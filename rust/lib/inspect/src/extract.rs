//! Files of an image into a folder of the host.
//!
//! Nothing is written outside of the destination whatever the image says: it must not exist before, names were checked when the
//! image was read (no `/`, no `..`, none twice in a directory) and are again here, every file is made new, and links are made when everything else is
//! there, so that no path goes through one.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, Timespec, Timestamps, XattrFlags, CWD};

use crate::error::Error;
use crate::files::{inside, Files};
use crate::model::{Attributes, Entry, Node};
use crate::names::Name;

/// What was not made as it is in the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// One text each.
    pub notes: Vec<String>,
}

/// Copies `top`, a file or a directory with everything below it, to `destination`, which does not exist yet. With `root`, owners are
/// kept, devices made and all extended attributes set.
pub fn extract(
    files: &Files<'_>,
    top: &Entry,
    destination: &Path,
    root: bool,
) -> Result<Notes, Error> {
    if fs::symlink_metadata(destination).is_ok() {
        return Err(Error::Write {
            path: destination.to_owned(),
            source: std::io::ErrorKind::AlreadyExists.into(),
        });
    }
    let mut job = Job {
        files,
        top,
        destination,
        root,
        notes: Notes::default(),
    };
    let mut entries: Vec<&Entry> = files.below(top).collect();
    // What is no link first; a hard link after its file, and whatever is in a directory after it.
    entries.sort_by_key(|entry| match entry.node {
        Node::Hardlink { .. } => 1,
        Node::Symlink { .. } => 2,
        _ => 0,
    });
    for entry in &entries {
        job.make(entry)?;
    }
    // From the inside out: a directory may be made unwritable, and what is made in it changes its time.
    for entry in entries.iter().rev() {
        if entry.node == Node::Dir {
            job.finish(entry)?;
        }
    }
    Ok(job.notes)
}

struct Job<'a> {
    files: &'a Files<'a>,
    top: &'a Entry,
    destination: &'a Path,
    root: bool,
    notes: Notes,
}

impl Job<'_> {
    /// Where `path` of the image goes, if it lies below the top.
    fn place(&self, path: &Name) -> Result<Option<PathBuf>, Error> {
        place(&self.top.path, self.destination, path)
    }

    fn note(&mut self, entry: &Entry, text: &str) {
        self.notes.notes.push(format!("{}: {text}", entry.path));
    }

    fn make(&mut self, entry: &Entry) -> Result<(), Error> {
        let Some(path) = self.place(&entry.path)? else {
            return Ok(());
        };
        let failed = |source: std::io::Error| Error::Write {
            path: path.clone(),
            source,
        };
        match &entry.node {
            Node::Dir => {
                let mut builder = DirBuilder::new();
                return builder.mode(0o700).create(&path).map_err(failed);
            }
            Node::File(_) => return self.file(entry, &path),
            Node::Hardlink { target } => {
                return match self.place(target)? {
                    Some(target) => fs::hard_link(target, &path).map_err(failed),
                    // The first name is not among what is extracted.
                    None => self.file(entry, &path),
                };
            }
            Node::Symlink { target } => {
                let target = OsStr::from_bytes(&target.0);
                std::os::unix::fs::symlink(target, &path).map_err(failed)?;
            }
            Node::Char { rdev } | Node::Block { rdev } if self.root => {
                let kind = match entry.node {
                    Node::Char { .. } => FileType::CharacterDevice,
                    _ => FileType::BlockDevice,
                };
                let device = rustix::fs::makedev(rdev.0, rdev.1);
                let made = rustix::fs::mknodat(CWD, &path, kind, Mode::RUSR, device);
                made.map_err(|errno| failed(errno.into()))?;
            }
            Node::Char { .. } | Node::Block { .. } => {
                self.note(entry, "left out: only root makes devices");
                return Ok(());
            }
            Node::Fifo => {
                let made = rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0);
                made.map_err(|errno| failed(errno.into()))?;
            }
            Node::Socket => {
                self.note(entry, "left out: a socket is of use to its program only");
                return Ok(());
            }
        }
        self.attributes(entry, &path)
    }

    fn file(&mut self, entry: &Entry, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::Write {
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(path).map_err(failed)?;
        match self.files.copy_sparse(entry, &file) {
            Ok(()) => {}
            Err(Error::Damaged { reason, .. }) => self.note(entry, &format!("damaged: {reason}")),
            Err(Error::Output(source)) => return Err(failed(source)),
            Err(error) => return Err(error),
        }
        self.attributes(entry, path)
    }

    fn finish(&mut self, entry: &Entry) -> Result<(), Error> {
        match self.place(&entry.path)? {
            Some(path) => self.attributes(entry, &path),
            None => Ok(()),
        }
    }

    /// Owner, attributes, mode and time, in this order: a change of owner takes set-user-ID away.
    fn attributes(&mut self, entry: &Entry, path: &Path) -> Result<(), Error> {
        let whole = self.files.whole(entry);
        if let (Some(damage), None) = (&whole.damage, whole.lost()) {
            self.note(entry, &format!("damaged: {damage}"));
        }
        if let Some(what) = &whole.unread {
            self.note(entry, &format!("not read: {what}"));
        }
        let Some(attributes) = &whole.attributes else {
            return Ok(());
        };
        let failed = |source: std::io::Error| Error::Write {
            path: path.to_owned(),
            source,
        };
        if self.root {
            std::os::unix::fs::lchown(path, attributes.uid, attributes.gid).map_err(failed)?;
        }
        self.xattrs(entry, attributes, path);
        let is_link = matches!(entry.node, Node::Symlink { .. });
        if let Some(mode) = attributes.mode.filter(|_| !is_link) {
            // Set-user-ID would be that of whoever extracts.
            let mode = if self.root { mode } else { mode & 0o777 };
            let permissions = Permissions::from_mode(mode.into());
            fs::set_permissions(path, permissions).map_err(failed)?;
        }
        let time = Timespec {
            tv_sec: attributes.mtime.seconds,
            tv_nsec: attributes.mtime.nanoseconds.into(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| failed(errno.into()))
    }

    fn xattrs(&mut self, entry: &Entry, attributes: &Attributes, path: &Path) {
        for (name, value) in &attributes.xattrs {
            let set = rustix::fs::lsetxattr(
                path,
                OsStr::from_bytes(&name.0),
                &value.0,
                XattrFlags::empty(),
            );
            if let Err(errno) = set {
                self.note(entry, &format!("{name} was not set: {errno}"));
            }
        }
    }
}

/// Where `path` goes if `top` goes to `destination`, and it lies there. A name that would lead elsewhere is an error.
fn place(top: &Name, destination: &Path, path: &Name) -> Result<Option<PathBuf>, Error> {
    let place = match inside(top, path) {
        None => return Ok(None),
        Some(b"") => Ok(destination.to_owned()),
        Some(rest) => base::path::join(destination, OsStr::from_bytes(rest)),
    };
    place.map(Some).map_err(|source| Error::Name {
        path: path.word(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_and_none_is_left_out() {
        let at = |path: &str| Name(path.as_bytes().to_vec());
        let to = Path::new("/to");
        for (top, path, want) in [
            ("/", "/a/b", Some("/to/a/b")),
            ("/a", "/a", Some("/to")),
            ("/a", "/a/b", Some("/to/b")),
            ("/a", "/ab", None),
            ("/a", "/", None),
        ] {
            let place = place(&at(top), to, &at(path)).unwrap();
            assert_eq!(place.as_deref(), want.map(Path::new), "{path} in {top}");
        }
        for bad in ["/a/..", "/a/../../x", "/a//b", "/a/b/", "/a/./b", "/a/b\0"] {
            let error = place(&at("/a"), to, &at(bad)).unwrap_err();
            assert!(matches!(error, Error::Name { .. }), "{bad}: {error}");
        }
        let error = place(&at("/"), to, &at("/../x")).unwrap_err();
        assert_eq!(error.to_string(), "/../x cannot be extracted");
    }
}
