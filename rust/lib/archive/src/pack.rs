//! A directory as an archive.

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::fs::{self, File, Metadata};
use std::io::{self, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{ioctl_getflags, lgetxattr, llistxattr, major, minor, IFlags};
use rustix::io::Errno;

use crate::entry::{Entry, Kind};
use crate::error::{show, Error, Reason};
use crate::write::{Alignment, Writer};
use crate::zeros;

/// How [`pack`] normalises.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PackOptions {
    /// Later modification times become this one, in seconds since 1970. Fractions of seconds are always dropped.
    pub max_mtime: i64,
    /// Beginnings of names of extended attributes that are left out.
    pub drop_xattrs: Vec<Vec<u8>>,
    /// Where data of files begins.
    pub alignment: Alignment,
}

impl PackOptions {
    /// Everything, with times no later than `max_mtime`.
    pub fn new(max_mtime: i64) -> Self {
        Self {
            max_mtime,
            drop_xattrs: Vec::new(),
            alignment: Alignment::Block,
        }
    }

    /// Has data of files begin where `alignment` says.
    pub fn align(mut self, alignment: Alignment) -> Self {
        self.alignment = alignment;
        self
    }

    /// Leaves out extended attributes whose name begins with `prefix`.
    pub fn drop_xattrs(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.drop_xattrs.push(prefix.into());
        self
    }
}

/// Writes `dir` and all below it: sorted by the raw bytes of the paths, owners as numbers, times clamped, extended
/// attributes kept. Of several names of one file the first in that order is the file, the others are hard links. A mebibyte
/// of zeros or more is a hole, however the disk stores it. What is left out on purpose, such as sockets, is listed in
/// `docs/formats/rootfs-tar.md`.
pub fn pack(dir: &Path, options: &PackOptions, out: impl Write) -> Result<(), Error> {
    let mut writer = Writer::aligned(out, options.alignment);
    // (device, inode) of files with several names -> the first name.
    let mut names: BTreeMap<(u64, u64), Vec<u8>> = BTreeMap::new();
    for path in sorted_paths(dir)? {
        let full = dir.join(OsStr::from_bytes(&path));
        let source = |source| Error::Source {
            path: full.clone(),
            source,
        };
        let meta = fs::symlink_metadata(&full).map_err(source)?;
        let Some(mut kind) = kind(&full, &meta).map_err(source)? else {
            continue;
        };
        if meta.nlink() > 1 && matches!(kind, Kind::File { .. }) {
            let first = names
                .entry((meta.dev(), meta.ino()))
                .or_insert(path.clone());
            if *first != path {
                kind = Kind::HardLink {
                    target: first.clone(),
                };
            }
        }
        let entry = entry(&full, path, kind, &meta, options).map_err(source)?;
        append(&mut writer, entry, &full)?;
    }
    writer.finish().map(drop)
}

/// Writes a member: a file with holes where it has any.
fn append(writer: &mut Writer<impl Write>, mut entry: Entry, full: &Path) -> Result<(), Error> {
    let source = |source| Error::Source {
        path: full.to_path_buf(),
        source,
    };
    if !matches!(entry.kind, Kind::File { .. } | Kind::Dir) {
        return writer.append(&entry, io::empty()).map(drop);
    }
    let mut file = File::open(full).map_err(source)?;
    check_flags(&file, &entry)?;
    let Kind::File { len, .. } = entry.kind else {
        return writer.append(&entry, io::empty()).map(drop);
    };
    match zeros::pieces(&file, len).map_err(source)? {
        None => {
            // Looking for holes has moved it.
            file.rewind().map_err(source)?;
            writer.append(&entry, file).map(drop)
        }
        Some(pieces) => {
            let data = zeros::Reader::new(&file, pieces.clone());
            entry.kind = Kind::Sparse { len, pieces };
            writer.append(&entry, data).map(drop)
        }
    }
}

/// No archive holds file flags, and these two decide who may write. The others say how a disk stores a file.
fn check_flags(file: &File, entry: &Entry) -> Result<(), Error> {
    let flags = match ioctl_getflags(file) {
        Ok(flags) => flags,
        // A file system that has none says so in several ways.
        Err(Errno::NOTTY | Errno::NOTSUP | Errno::INVAL | Errno::NOSYS) => IFlags::empty(),
        Err(error) => {
            return Err(Error::Source {
                path: Path::new(OsStr::from_bytes(&entry.path)).to_owned(),
                source: error.into(),
            })
        }
    };
    if flags.intersects(IFlags::IMMUTABLE | IFlags::APPEND) {
        return Err(Error::Unwritable {
            path: show(&entry.path),
            reason: Reason::Flags,
        });
    }
    Ok(())
}

/// A file with its attributes, normalised.
fn entry(
    full: &Path,
    path: Vec<u8>,
    kind: Kind,
    meta: &Metadata,
    options: &PackOptions,
) -> io::Result<Entry> {
    Ok(Entry {
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: meta.mtime().min(options.max_mtime),
        mtime_nanos: 0,
        // A hard link's are those of its file.
        xattrs: if matches!(kind, Kind::HardLink { .. }) {
            BTreeMap::new()
        } else {
            let mut found = xattrs(full)?;
            found.retain(|name, _| !options.drop_xattrs.iter().any(|d| name.starts_with(d)));
            found
        },
        path,
        kind,
    })
}

/// All paths below `dir`, and the empty one of `dir` itself, in order.
fn sorted_paths(dir: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let mut paths = Vec::new();
    for found in walkdir::WalkDir::new(dir).follow_root_links(true) {
        let found = found.map_err(|e| Error::Source {
            path: e.path().unwrap_or(dir).to_path_buf(),
            source: e.into(),
        })?;
        let relative = found.path().strip_prefix(dir).unwrap_or(found.path());
        paths.push(relative.as_os_str().as_bytes().to_vec());
    }
    paths.sort_unstable();
    Ok(paths)
}

/// What the file is; nothing for a socket, which means nothing without its process.
fn kind(full: &Path, meta: &Metadata) -> io::Result<Option<Kind>> {
    let file_type = meta.file_type();
    Ok(Some(if file_type.is_dir() {
        Kind::Dir
    } else if file_type.is_file() {
        Kind::File {
            offset: 0,
            len: meta.len(),
        }
    } else if file_type.is_symlink() {
        Kind::Symlink {
            target: fs::read_link(full)?.as_os_str().as_bytes().to_vec(),
        }
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else if file_type.is_char_device() {
        Kind::Char {
            major: major(meta.rdev()),
            minor: minor(meta.rdev()),
        }
    } else if file_type.is_block_device() {
        Kind::Block {
            major: major(meta.rdev()),
            minor: minor(meta.rdev()),
        }
    } else {
        return Ok(None);
    }))
}

/// Linux's limits of a list of names and of a value.
const XATTR_MAX: usize = 1 << 16;

fn xattrs(full: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Errno> {
    let mut list = Vec::with_capacity(XATTR_MAX);
    match llistxattr(full, rustix::buffer::spare_capacity(&mut list)) {
        Ok(_) => {}
        Err(Errno::OPNOTSUPP) => return Ok(BTreeMap::new()),
        Err(e) => return Err(e),
    }
    let mut found = BTreeMap::new();
    for name in list.split_inclusive(|b| *b == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else {
            continue;
        };
        let mut value = Vec::with_capacity(XATTR_MAX);
        lgetxattr(full, name, rustix::buffer::spare_capacity(&mut value))?;
        found.insert(name.to_bytes().to_vec(), value);
    }
    Ok(found)
}
