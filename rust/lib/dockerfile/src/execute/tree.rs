//! A tree of files being built: paths are found the way its own processes would, and nothing leads out of it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    lgetxattr, llistxattr, lsetxattr, mknodat, utimensat, AtFlags, FileType, Mode, Timespec,
    Timestamps, XattrFlags, CWD,
};

/// As in the kernel.
const MAX_LINKS: usize = 40;

/// The file that `path` means to a process whose root is `root`: links are followed inside `root` only. What does not
/// exist is taken as it is named.
pub(crate) fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut todo: VecDeque<OsString> = names(path).collect();
    let mut done: Vec<OsString> = Vec::new();
    let mut links = 0..MAX_LINKS;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            done.pop();
            continue;
        }
        let here = root.join(done.iter().collect::<PathBuf>()).join(&name);
        let link = match fs::symlink_metadata(&here) {
            Ok(meta) if meta.is_symlink() => fs::read_link(&here)?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {
                done.push(name);
                continue;
            }
        };
        if links.next().is_none() {
            return Err(io::Error::other("too many symbolic links"));
        }
        if link.is_absolute() {
            done.clear();
        }
        for name in names(&link).collect::<Vec<_>>().into_iter().rev() {
            todo.push_front(name);
        }
    }
    Ok(root.join(done.iter().collect::<PathBuf>()))
}

fn names(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    })
}

/// Names in a directory, sorted by their bytes.
pub(crate) fn children(dir: &Path) -> io::Result<Vec<OsString>> {
    walkdir::WalkDir::new(dir)
        .min_depth(1)
        .max_depth(1)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| Ok(entry?.file_name().to_owned()))
        .collect()
}

/// Makes the directories of `path` that are missing below `root`: 0755, owned by `owner`.
pub(crate) fn make_directories(root: &Path, path: &Path, owner: (u32, u32)) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|dir| *dir != root && fs::symlink_metadata(dir).is_err())
        .collect();
    for dir in missing.into_iter().rev() {
        fs::create_dir(dir)?;
        std::os::unix::fs::lchown(dir, Some(owner.0), Some(owner.1))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    }
    if fs::symlink_metadata(path)?.is_dir() {
        Ok(())
    } else {
        Err(io::Error::other("it exists and is no directory"))
    }
}

/// What copied files become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    /// Owner; the source's if `None`.
    pub(crate) owner: Option<(u32, u32)>,
    /// Mode of everything but links; the source's if `None`.
    pub(crate) mode: Option<u32>,
}

/// Copies files; knows which names of one file it has seen.
pub(crate) struct Copier {
    attributes: Attributes,
    /// (device, inode) of a source with several names -> its first copy.
    copied: BTreeMap<(u64, u64), PathBuf>,
}

impl Copier {
    pub(crate) fn new(attributes: Attributes) -> Self {
        Self {
            attributes,
            copied: BTreeMap::new(),
        }
    }

    /// Copies what is in directory `from` into the existing directory `to`.
    pub(crate) fn contents(&mut self, from: &Path, to: &Path) -> Result<(), CopyError> {
        for name in children(from).map_err(|e| CopyError::new(from, e))? {
            self.item(&from.join(&name), &to.join(&name))?;
        }
        Ok(())
    }

    /// Copies `from`, whatever it is (links are not followed), as `to`.
    pub(crate) fn item(&mut self, from: &Path, to: &Path) -> Result<(), CopyError> {
        let failed = |error| CopyError::new(to, error);
        let meta = fs::symlink_metadata(from).map_err(|e| CopyError::new(from, e))?;
        if meta.is_dir() {
            match fs::symlink_metadata(to) {
                Ok(there) if there.is_dir() => {}
                Ok(_) => {
                    return Err(failed(io::Error::other(
                        "a directory cannot replace a file or link",
                    )))
                }
                Err(_) => fs::create_dir(to).map_err(failed)?,
            }
            self.contents(from, to)?;
            return self.set_attributes(from, to, &meta).map_err(failed);
        }
        match fs::symlink_metadata(to) {
            Ok(there) if there.is_dir() => {
                return Err(failed(io::Error::other(
                    "a file cannot replace a directory",
                )));
            }
            Ok(_) => fs::remove_file(to).map_err(failed)?,
            Err(_) => {}
        }
        if meta.file_type().is_socket() || self.link_again(&meta, to).map_err(failed)? {
            return Ok(());
        }
        make(from, to, &meta).map_err(failed)?;
        self.set_attributes(from, to, &meta).map_err(failed)
    }

    /// Makes `to` another name of a file copied before.
    fn link_again(&mut self, meta: &Metadata, to: &Path) -> io::Result<bool> {
        if meta.nlink() < 2 || !meta.is_file() {
            return Ok(false);
        }
        match self.copied.get(&(meta.dev(), meta.ino())) {
            Some(first) => fs::hard_link(first, to).map(|()| true),
            None => {
                self.copied
                    .insert((meta.dev(), meta.ino()), to.to_path_buf());
                Ok(false)
            }
        }
    }

    /// In this order: a change of owner drops set-uid bits and capabilities.
    fn set_attributes(&self, from: &Path, to: &Path, meta: &Metadata) -> io::Result<()> {
        let (uid, gid) = self.attributes.owner.unwrap_or((meta.uid(), meta.gid()));
        std::os::unix::fs::lchown(to, Some(uid), Some(gid))?;
        if !meta.is_symlink() {
            let mode = self.attributes.mode.unwrap_or_else(|| meta.mode() & 0o7777);
            fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
        }
        copy_xattrs(from, to)?;
        let time = Timespec {
            tv_sec: meta.mtime(),
            tv_nsec: meta.mtime_nsec(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }
}

fn make(from: &Path, to: &Path, meta: &Metadata) -> io::Result<()> {
    let kind = meta.file_type();
    if kind.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    if kind.is_file() {
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to)?;
        return base::holes::copy(&mut File::open(from)?, &mut out);
    }
    let (kind, device) = if kind.is_char_device() {
        (FileType::CharacterDevice, meta.rdev())
    } else if kind.is_block_device() {
        (FileType::BlockDevice, meta.rdev())
    } else {
        (FileType::Fifo, 0)
    };
    mknodat(CWD, to, kind, Mode::from_raw_mode(0o600), device)?;
    Ok(())
}

fn copy_xattrs(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = vec![0; 64 << 10];
    match llistxattr(from, &mut names[..]) {
        Ok(length) => names.truncate(length),
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    for name in names.split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        let name = OsStr::from_bytes(name);
        let length = lgetxattr(from, name, &mut value[..])?;
        value.truncate(length);
        lsetxattr(to, name, &value, XattrFlags::empty())?;
    }
    Ok(())
}

/// A file that could not be copied.
#[derive(Debug)]
pub(crate) struct CopyError {
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

impl CopyError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        Self {
            path: path.to_path_buf(),
            source,
        }
    }
}
