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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flushing_a_file_asks_the_kernel() {
        // fsync(2): what can't be synchronised says so; a flush that asks nobody would succeed.
        let mut null = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/null")
            .unwrap();
        assert!(Medium::flush(&mut null).is_err());
        let mut file = tempfile::tempfile().unwrap();
        Medium::write_all_at(&mut file, b"abc", 3).unwrap();
        Medium::flush(&mut file).unwrap();
        assert_eq!(Medium::size(&mut file).unwrap(), 6);
        let mut read = [0; 4];
        Medium::read_exact_at(&mut file, &mut read, 2).unwrap();
        assert_eq!(&read, b"\0abc");
    }
}
