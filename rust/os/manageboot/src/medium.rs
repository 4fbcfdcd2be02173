//! What upgrades are written to: files and block devices, or, in tests, a disk that forgets.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{fadvise, Advice};

/// Bytes at offsets, kept for good once flushed.
pub(crate) trait Medium {
    /// How many bytes it holds.
    fn size(&mut self) -> io::Result<u64>;
    /// Reads all of `buffer`.
    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `data` by as few writes as possible.
    fn write_all_at(&mut self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Returns when everything written is on the disk; what is read afterwards comes from there.
    fn flush(&mut self) -> io::Result<()>;
}

impl Medium for File {
    fn size(&mut self) -> io::Result<u64> {
        // Works for block devices, whose metadata say 0.
        io::Seek::seek(self, io::SeekFrom::End(0))
    }

    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }

    fn write_all_at(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, data, offset)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sync_all()?;
        // Only clean pages are dropped, hence after the flush. A file system that keeps them reads what it has.
        let _ = fadvise(&*self, 0, None, Advice::DontNeed);
        Ok(())
    }
}
