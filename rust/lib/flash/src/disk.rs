//! A drive or a file that an image is written over.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use base::{as_u64, as_usize};
use materialize::{Aligned, Target};
use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;

use crate::drive::Number;
use crate::error::Error;

/// What memory and places are multiples of where the kernel's caches are passed by.
const BLOCK: usize = 4096;
const BLOCK_LEN: u64 = as_u64(BLOCK);
/// How much is looked at at once where it is not known what is there.
const PIECE: usize = 1 << 20;

/// A drive, or a file in place of one.
///
/// A drive is read and written past the kernel's caches: what was written is on its way when a call returns, progress is real, and what is
/// read back comes from the drive. Where a kernel or a drive can't do that, through the caches.
#[derive(Debug)]
pub struct Disk {
    file: File,
    /// For what has no place or memory of its own kind.
    buffered: Option<File>,
}

impl Disk {
    /// Opens the drive at `path`, which has to be `number`, for nobody else: neither mounted, nor part of anything, nor open like this.
    pub fn open(path: &Path, number: Number) -> Result<Self, Error> {
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::ResourceBusy => Error::Busy {
                path: path.to_owned(),
            },
            _ => Error::Open {
                path: path.to_owned(),
                source: error,
            },
        };
        let open = |more: OFlags| -> io::Result<File> {
            // A flag is a bit of the kernel's int.
            let flags = i32::try_from((OFlags::EXCL | OFlags::CLOEXEC | more).bits());
            let flags = flags.map_err(io::Error::other)?;
            OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(flags)
                .open(path)
        };
        let file = match open(OFlags::DIRECT) {
            Err(error) if error.kind() == ErrorKind::InvalidInput => open(OFlags::empty()),
            opened => opened,
        };
        let file = file.map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.file_type().is_block_device() || Number::of(metadata.rdev()) != number {
            let path = path.to_owned();
            return Err(Error::Exchanged { path });
        }
        // The same drive again, which is ours by now.
        let plain = OpenOptions::new().read(true).write(true).open(path);
        Ok(Self {
            file,
            buffered: Some(plain.map_err(failed)?),
        })
    }

    /// A file that may be written over, through the caches.
    pub fn of_file(file: File) -> Self {
        Self {
            file,
            buffered: None,
        }
    }

    /// Makes what was written stay written.
    pub fn flush(&self) -> io::Result<()> {
        if let Some(buffered) = &self.buffered {
            buffered.sync_data()?;
        }
        self.file.sync_data()
    }

    /// The file that can do it: past the caches only where all is a multiple of [`BLOCK`].
    fn through(&self, bytes: &[u8], at: u64) -> &File {
        let fits = bytes.as_ptr().align_offset(BLOCK) == 0
            && bytes.len() % BLOCK == 0
            && at % BLOCK_LEN == 0;
        match &self.buffered {
            Some(buffered) if !fits => buffered,
            _ => &self.file,
        }
    }

    /// Looks at `range`, and writes zeros where there is something else: reading is faster than writing, and wears nothing.
    fn zero_by_looking(&self, range: Range<u64>) -> io::Result<()> {
        let mut memory = Aligned::default();
        let zeros = vec![0; PIECE];
        let mut at = range.start;
        while at < range.end {
            let len = as_usize(range.end.abs_diff(at)).min(PIECE);
            let have = memory.get(len);
            self.read_at(have, at)?;
            let none = zeros.split_at(len).0;
            if have != none {
                have.fill(0);
                self.write_at(have, at)?;
            }
            at = at.checked_add(as_u64(len)).ok_or(ErrorKind::InvalidInput)?;
        }
        Ok(())
    }
}

impl Target for Disk {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let file = self.through(bytes, at);
        file.write_all_at(bytes, at)?;
        match &self.buffered {
            // Before anybody reads the same place past the caches.
            Some(buffered) if std::ptr::eq(file, buffered) => buffered.sync_data(),
            _ => Ok(()),
        }
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.through(buffer, at).read_exact_at(buffer, at)
    }

    /// Without writing anything where the drive can forget: then it reads as zeros, which the kernel asks for in this call.
    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let len = range.end.abs_diff(range.start);
        let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, how, range.start, len) {
            Ok(()) => Ok(()),
            // It cannot forget, or not so little of it.
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::PERM) => {
                self.zero_by_looking(range)
            }
            Err(error) => Err(error.into()),
        }
    }
}
