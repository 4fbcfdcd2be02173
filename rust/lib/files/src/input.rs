//! A file that is read, as if it were open all the time.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustix::fs::{Mode, OFlags};

use crate::pool::Pool;

/// Which file it is, and in which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    /// Length in bytes; 0 for what is no regular file.
    pub len: u64,
    /// When it was last written to, in seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds after [`Stamp::mtime`].
    pub mtime_nanos: i64,
    /// Whether it is a regular file.
    pub is_file: bool,
    /// Whether it is a block device.
    pub is_block_device: bool,
}

impl Stamp {
    /// Whether `metadata` is that of the same file, whatever its state.
    pub fn is_file_of(&self, metadata: &std::fs::Metadata) -> bool {
        (self.device, self.inode) == (metadata.dev(), metadata.ino())
    }

    fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::FileTypeExt;
        // Neither mode nor time of the last change of the inode: links come and go while a build runs.
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            mtime: metadata.mtime(),
            mtime_nanos: metadata.mtime_nsec(),
            is_file: metadata.is_file(),
            is_block_device: metadata.file_type().is_block_device(),
        }
    }
}

/// The file is not what it was when it was opened first: the cause of an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed;

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it was replaced or written to since it was opened first")
    }
}

impl std::error::Error for Changed {}

/// A file to read from, by several threads at once, at any position.
///
/// It is open as long as all such files of the process that are in use fit into the share of descriptors that the pool
/// takes; beyond that it is closed while others are read, and opened again when it is its turn. What is opened again must
/// be the same file in the same state: an error with the cause [`Changed`] says if it is not.
///
/// A clone is the same file and costs no descriptor.
#[derive(Clone, Debug)]
pub struct InputFile(Arc<Slot>);

/// One file, whether it is open or not.
#[derive(Debug)]
pub(crate) struct Slot {
    path: PathBuf,
    stamp: Stamp,
    pub(crate) open: RwLock<Option<Arc<File>>>,
    /// Whether it was read from since the pool looked last.
    pub(crate) used: AtomicBool,
}

impl InputFile {
    /// Opens the file at `path`, of any type. A pipe is not waited for.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_in(Pool::of_process(), path)
    }

    pub(crate) fn open_in(pool: &Pool, path: &Path) -> io::Result<Self> {
        let file = pool.with_room(|| open(path))?;
        let slot = Arc::new(Slot {
            path: path.to_owned(),
            stamp: Stamp::of(&file.metadata()?),
            open: RwLock::new(None),
            used: AtomicBool::new(false),
        });
        pool.offer(&slot, file);
        Ok(Self(slot))
    }

    /// Where it is, as it was opened.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What it was when it was opened first.
    pub fn stamp(&self) -> Stamp {
        self.0.stamp
    }

    /// The open file. Whoever holds it keeps the descriptor.
    pub fn file(&self) -> io::Result<Arc<File>> {
        self.file_in(Pool::of_process())
    }

    pub(crate) fn file_in(&self, pool: &Pool) -> io::Result<Arc<File>> {
        match self.0.held() {
            Some(file) => {
                self.0.used.store(true, Ordering::Relaxed);
                Ok(file)
            }
            None => pool.reopen(&self.0),
        }
    }

    /// Whether it is still what it was when it was opened first; if it is open, whether that file is, else the one that bears
    /// its name now.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        let now = match self.0.held() {
            Some(file) => file.metadata()?,
            None => std::fs::metadata(&self.0.path)?,
        };
        Ok(Stamp::of(&now) == self.0.stamp)
    }

    /// Fills `buffer` from `offset` on.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file()?.read_exact_at(buffer, offset)
    }

    /// Reads what is there from `offset` on into `buffer`; how much that was, 0 at the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file()?.read_at(buffer, offset)
    }
}

impl Slot {
    /// The file, if it is open.
    pub(crate) fn held(&self) -> Option<Arc<File>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.clone()
    }

    /// Sets whether it is open.
    pub(crate) fn hold(&self, file: Option<Arc<File>>) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = file;
    }

    /// The file anew, if it is the same.
    pub(crate) fn open_again(&self) -> io::Result<File> {
        let file = open(&self.path)?;
        match Stamp::of(&file.metadata()?) == self.stamp {
            true => Ok(file),
            false => Err(io::Error::other(Changed)),
        }
    }
}

/// Without [`OFlags::NONBLOCK`] a named pipe would keep us until somebody writes into it; to other files it is nothing.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn text(file: &InputFile, pool: &Pool) -> io::Result<String> {
        let mut bytes = vec![0; usize::try_from(file.stamp().len).unwrap()];
        file.file_in(pool)?.read_exact_at(&mut bytes, 0)?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn more_files_than_may_be_open() {
        let dir = tempfile::tempdir().unwrap();
        let pool = Pool::new(3);
        let files: Vec<InputFile> = (0..20)
            .map(|n| {
                let path = dir.path().join(n.to_string());
                fs::write(&path, format!("file {n}")).unwrap();
                InputFile::open_in(&pool, &path).unwrap()
            })
            .collect();
        let open = || files.iter().filter(|file| file.0.held().is_some()).count();
        // The first stay open, and nothing is closed for one that nobody reads.
        assert_eq!(open(), 3);
        assert!(files[..3].iter().all(|file| file.0.held().is_some()));
        for round in 0..3 {
            for (n, file) in files.iter().enumerate() {
                assert_eq!(text(file, &pool).unwrap(), format!("file {n}"), "{round}");
                assert_eq!(open(), 3);
            }
        }
    }

    #[test]
    fn what_is_used_stays_open() {
        let dir = tempfile::tempdir().unwrap();
        let pool = Pool::new(4);
        let files: Vec<InputFile> = (0..40)
            .map(|n| {
                let path = dir.path().join(n.to_string());
                fs::write(&path, format!("file {n}")).unwrap();
                InputFile::open_in(&pool, &path).unwrap()
            })
            .collect();
        let (often, rarely) = files.split_first().unwrap();
        let mut last = often.file_in(&pool).unwrap();
        let mut again = 0;
        for file in rarely {
            text(file, &pool).unwrap();
            let now = often.file_in(&pool).unwrap();
            again += usize::from(!Arc::ptr_eq(&last, &now));
            last = now;
        }
        // When the pool is full for the first time all were used, and the oldest goes. Then what is read all the time stays.
        assert!(again <= 1, "opened again {again} times");
    }

    #[test]
    fn files_that_are_gone_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, "x").unwrap();
        let pool = Pool::new(2);
        for _ in 0..10 {
            let file = InputFile::open_in(&pool, &path).unwrap();
            assert!(file.0.held().is_some());
            let same = file.clone();
            assert!(Arc::ptr_eq(
                &same.file_in(&pool).unwrap(),
                &file.file_in(&pool).unwrap()
            ));
        }
    }

    #[test]
    fn another_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let pool = Pool::new(1);
        let changes: [fn(&Path); 4] = [
            |path| fs::write(path, "longer than it was").unwrap(),
            // The same length and content, another file.
            |path| {
                fs::write(path.with_extension("new"), "text").unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            },
            |path| {
                let times = fs::FileTimes::new();
                let file = File::options().write(true).open(path).unwrap();
                file.set_times(times.set_modified(std::time::UNIX_EPOCH))
                    .unwrap();
            },
            |path| fs::remove_file(path).unwrap(),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let path = at(&format!("changing{n}"));
            fs::write(&path, "text").unwrap();
            let file = InputFile::open_in(&pool, &path).unwrap();
            assert_eq!(text(&file, &pool).unwrap(), "text");
            assert!(file.is_unchanged().unwrap());
            // Another takes its place, and it changes meanwhile.
            fs::write(at("other"), "other").unwrap();
            let other = InputFile::open_in(&pool, &at("other")).unwrap();
            text(&other, &pool).unwrap();
            assert!(file.0.held().is_none());
            change(&path);
            let error = text(&file, &pool).unwrap_err();
            let changed = error.get_ref().is_some_and(|error| error.is::<Changed>());
            assert_eq!(changed, n < 3, "{n}: {error}");
            assert!(!file.is_unchanged().unwrap_or(false), "{n}");
            // Links and modes may change.
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(at("other"), mode).unwrap();
            fs::hard_link(at("other"), at(&format!("link{n}"))).unwrap();
            other.0.hold(None);
            assert_eq!(text(&other, &pool).unwrap(), "other");
        }
    }

    #[test]
    fn pipes_are_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let file = InputFile::open(&path).unwrap();
        assert!(!file.stamp().is_file && !file.stamp().is_block_device);
    }
}
