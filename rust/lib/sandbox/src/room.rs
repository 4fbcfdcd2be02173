//! How much a work folder holds, to say so when that was not enough.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{statfs, TMPFS_MAGIC};
use nix::sys::statvfs::statvfs;

/// What a program says when it is told ENOSPC.
const SAID: &str = "No space left on device";

/// The room that a work folder has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    path: PathBuf,
    in_memory: bool,
    mib: u64,
    free_mib: u64,
    free_files: u64,
}

impl Room {
    /// Asks the file system of `path`.
    pub fn of(path: &Path) -> io::Result<Self> {
        let stat = statvfs(path)?;
        let mib = |blocks: u64| {
            let bytes = u128::from(blocks).checked_mul(u128::from(stat.fragment_size()));
            let mib = bytes.and_then(|bytes| u64::try_from(bytes >> 20).ok());
            mib.ok_or_else(|| io::Error::other("more MiB than there are numbers"))
        };
        Ok(Self {
            path: path.to_path_buf(),
            in_memory: statfs(path)?.filesystem_type() == TMPFS_MAGIC,
            mib: mib(stat.blocks())?,
            free_mib: mib(stat.blocks_available())?,
            free_files: stat.files_available(),
        })
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, other) = if self.in_memory {
            ("in memory", "a folder on a disk")
        } else {
            ("on a disk", "a folder on a larger disk")
        };
        write!(
            f,
            "there was no room: the work folder {}, {place}, holds {} MiB, {} MiB of them free now",
            self.path.display(),
            self.mib,
            self.free_mib
        )?;
        if self.free_files == 0 {
            write!(f, " and no room for another file")?;
        }
        write!(
            f,
            "; let the steps leave less, or give --work-dir {other} (in a BUILD file: work_on_disk = True)"
        )
    }
}

/// Whether a want of room is among the causes of `error`.
pub fn is_full(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        ) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether a program's output says that there was no room.
pub fn says_full(output: &str) -> bool {
    output.contains(SAID)
}
