//! What is written to: disks, partitions, files in their place, or, in tests, a disk that forgets.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt, OpenOptionsExt as _};

use base::{as_u64, as_usize};
use rustix::fs::{fadvise, fallocate, Advice, FallocateFlags, OFlags};

use crate::buffer::ALIGNMENT;

/// Bytes at offsets, kept for good once flushed. Several threads may read.
pub trait Medium: Sync {
    /// How many bytes it holds.
    fn size(&self) -> io::Result<u64>;
    /// Reads all of `buffer`.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `data` by as few writes as possible.
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Makes `len` bytes from `offset` on zero, where it can without their travelling to the disk.
    fn zero_at(&self, offset: u64, len: u64) -> io::Result<()> {
        write_zeros(self, offset, len)
    }
    /// Returns when everything written is on the disk; what is read afterwards comes from there.
    fn flush(&self) -> io::Result<()>;
}

/// What zeros are written from.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Writes them one by one.
fn write_zeros(medium: &(impl Medium + ?Sized), offset: u64, len: u64) -> io::Result<()> {
    let end = offset.checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
    for at in (offset..end).step_by(ZEROS.len()) {
        let left = as_usize(end.abs_diff(at)).min(ZEROS.len());
        medium.write_all_at(ZEROS.split_at(left).0, at)?;
    }
    Ok(())
}

/// Asks the kernel for zeros: by a hole first, which on a disk is a discard of which zeros are promised, then by a command of the disk
/// for that (fallocate(2) does both to block devices). Whether it made them; what it does not do for this disk is no error.
fn zero_by_kernel(file: &File, offset: u64, len: u64) -> io::Result<bool> {
    for how in [FallocateFlags::PUNCH_HOLE, FallocateFlags::ZERO_RANGE] {
        match fallocate(file, how | FallocateFlags::KEEP_SIZE, offset, len) {
            Ok(()) => return Ok(true),
            Err(error) if is_refusal(&error.into()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

impl Medium for File {
    fn size(&self) -> io::Result<u64> {
        // Works for block devices, whose metadata say 0. All else here names its place.
        io::Seek::seek(&mut &*self, io::SeekFrom::End(0))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, data, offset)
    }

    fn zero_at(&self, offset: u64, len: u64) -> io::Result<()> {
        // Zero bytes of nothing are refused by fallocate(2).
        match len == 0 || zero_by_kernel(self, offset, len)? {
            true => Ok(()),
            false => write_zeros(self, offset, len),
        }
    }

    fn flush(&self) -> io::Result<()> {
        self.sync_all()?;
        // Only clean pages are dropped, hence after the flush. A file system that keeps them reads what it has.
        let _ = fadvise(self, 0, None, Advice::DontNeed);
        Ok(())
    }
}

/// Less than this at a time goes through the page cache: the kernel makes long writes of scattered blocks, where the disk would have to answer for each.
const DIRECT_MIN: usize = 64 << 10;

/// A partition, or a file in its place, that is read and written past the page cache as far as that goes: nothing is copied, a write ends when
/// the disk has taken it, and what is read back is what the disk gives.
///
/// What is not aligned (the end of an image, the mark), what is short, and everything where the kernel refuses (some file systems) takes the way of
/// [`File`], and is no less on the disk after a flush. The kernel keeps both ways consistent: direct access writes out and drops the cached pages of its range.
#[derive(Debug)]
pub struct Partition {
    file: File,
    /// The same, opened for direct access.
    direct: Option<File>,
}

impl Partition {
    /// Of what is open for reading and writing.
    pub fn new(file: File) -> Self {
        let direct = open_direct(&file).ok();
        Self { file, direct }
    }

    /// How many of the first bytes of `data` can go past the page cache, and where.
    fn direct(&self, data: &[u8], offset: u64) -> Option<(&File, usize)> {
        let direct = self.direct.as_ref()?;
        let aligned = data.as_ptr().align_offset(ALIGNMENT) == 0;
        let placed = offset & as_u64(ALIGNMENT - 1) == 0;
        let len = data.len() & !(ALIGNMENT - 1);
        (aligned && placed && len >= DIRECT_MIN).then_some((direct, len))
    }
}

/// The same file once more, as another open one: O_DIRECT belongs to the opening. By its number, so that it can be no other file than this.
fn open_direct(file: &File) -> io::Result<File> {
    let flags = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Whether it is how the kernel refuses direct access as such, as for disks of larger blocks. All else is a failing disk.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

impl Medium for Partition {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let Some((direct, len)) = self.direct(buffer, offset) else {
            return Medium::read_exact_at(&self.file, buffer, offset);
        };
        let (body, tail) = buffer.split_at_mut(len);
        match FileExt::read_exact_at(direct, body, offset) {
            Err(error) if is_refusal(&error) => Medium::read_exact_at(&self.file, body, offset)?,
            other => other?,
        }
        Medium::read_exact_at(&self.file, tail, base::past(offset, len))
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let Some((direct, len)) = self.direct(data, offset) else {
            return Medium::write_all_at(&self.file, data, offset);
        };
        let (body, tail) = data.split_at(len);
        match FileExt::write_all_at(direct, body, offset) {
            Err(error) if is_refusal(&error) => Medium::write_all_at(&self.file, body, offset)?,
            other => other?,
        }
        Medium::write_all_at(&self.file, tail, base::past(offset, len))
    }

    fn zero_at(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.zero_at(offset, len)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Buffer;

    #[test]
    fn flushing_a_file_asks_the_kernel() {
        // fsync(2): what can't be synchronised says so; a flush that asks nobody would succeed.
        let null = OpenOptions::new().write(true).open("/dev/null").unwrap();
        assert!(Medium::flush(&null).is_err());
        let file = tempfile::tempfile().unwrap();
        Medium::write_all_at(&file, b"abc", 3).unwrap();
        Medium::flush(&file).unwrap();
        assert_eq!(Medium::size(&file).unwrap(), 6);
        let mut read = [0; 4];
        Medium::read_exact_at(&file, &mut read, 2).unwrap();
        assert_eq!(&read, b"\0abc");
    }

    /// Ways that there are to the same file: past the page cache if its file system has that, never, and where the kernel refuses it only when it comes to it.
    fn ways(file: &File) -> [Partition; 3] {
        let again = || file.try_clone().unwrap();
        // pread(2) and pwrite(2) of a process are EINVAL, as those past the page cache are on some disks.
        let me = rustix::process::getpid();
        let refusing = rustix::process::pidfd_open(me, rustix::process::PidfdFlags::empty());
        let never = Partition {
            file: again(),
            direct: None,
        };
        let refused = Partition {
            file: again(),
            direct: Some(refusing.unwrap().into()),
        };
        [Partition::new(again()), never, refused]
    }

    #[test]
    fn any_length_at_any_place() {
        const SIZE: usize = (1 << 20) + 12_345;
        let file = tempfile::tempfile().unwrap();
        let ways = ways(&file);
        let mut want = vec![7; SIZE];
        Medium::write_all_at(&file, &want, 0).unwrap();
        let mut fill = 0;
        for len in [
            1,
            511,
            512,
            4095,
            4096,
            DIRECT_MIN,
            DIRECT_MIN + 1,
            300_001,
            1 << 20,
        ] {
            for offset in [0, 4096, 512, 12_288, SIZE - len] {
                if offset + len > SIZE {
                    continue;
                }
                for way in &ways {
                    fill += 1;
                    let mut buffer = Buffer::new(len);
                    for (at, byte) in buffer.iter_mut().enumerate() {
                        *byte = u8::try_from((at / 512 + fill) % 251).unwrap();
                    }
                    want[offset..offset + len].copy_from_slice(&buffer);
                    let offset = as_u64(offset);
                    way.write_all_at(&buffer, offset).unwrap();
                    way.flush().unwrap();
                    // Every way sees what each wrote, and nothing else was touched.
                    for way in &ways {
                        let mut back = Buffer::new(SIZE);
                        way.read_exact_at(&mut back, 0).unwrap();
                        assert!(*back == *want, "{len} bytes at {offset}");
                        let mut back = Buffer::new(len);
                        way.read_exact_at(&mut back, offset).unwrap();
                        assert!(*back == *buffer, "{len} bytes at {offset}");
                    }
                }
            }
        }
        for way in &ways {
            assert_eq!(way.size().unwrap(), as_u64(SIZE));
            let mut beyond = Buffer::new(DIRECT_MIN);
            let error = way.read_exact_at(&mut beyond, 4096 * 256).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn what_goes_past_the_page_cache() {
        let file = tempfile::tempfile().unwrap();
        let mut way = Partition::new(file);
        // Whatever the tests' file system can do.
        way.direct = Some(tempfile::tempfile().unwrap());
        let buffer = Buffer::new((1 << 20) + 5);
        let len = |bytes: &[u8], offset| way.direct(bytes, offset).map(|(_, len)| len);
        assert_eq!(len(&buffer, 0), Some(1 << 20));
        assert_eq!(len(&buffer, 8192), Some(1 << 20));
        assert_eq!(len(&buffer[..DIRECT_MIN], 0), Some(DIRECT_MIN));
        assert_eq!(len(&buffer[4096..], 0), Some((1 << 20) - 4096));
        assert_eq!(len(&buffer[..DIRECT_MIN - 1], 0), None);
        assert_eq!(len(&buffer, 512), None);
        assert_eq!(len(&buffer[512..], 0), None);
        way.direct = None;
        assert_eq!(way.direct(&buffer, 0).map(|(_, len)| len), None);
    }

    #[test]
    fn zeros_of_any_length_at_any_place() {
        const SIZE: usize = (1 << 20) + 12_345;
        let file = tempfile::tempfile().unwrap();
        let ways = ways(&file);
        for (offset, len) in [
            (0, 0),
            (0, 1),
            (511, 4096),
            (4096, 65_536),
            (12_288, 300_001),
            (0, SIZE),
            (SIZE - 5, 5),
        ] {
            for way in &ways {
                Medium::write_all_at(&file, &vec![7; SIZE], 0).unwrap();
                way.zero_at(as_u64(offset), as_u64(len)).unwrap();
                let mut want = vec![7; SIZE];
                want[offset..offset + len].fill(0);
                let mut back = Buffer::new(SIZE);
                way.read_exact_at(&mut back, 0).unwrap();
                assert!(*back == *want, "{len} bytes at {offset}");
                assert_eq!(way.size().unwrap(), as_u64(SIZE));
            }
        }
        // One that the kernel makes no zeros for.
        struct Plain(File);
        impl Medium for Plain {
            fn size(&self) -> io::Result<u64> {
                self.0.size()
            }
            fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
                Medium::read_exact_at(&self.0, buffer, offset)
            }
            fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
                Medium::write_all_at(&self.0, data, offset)
            }
            fn flush(&self) -> io::Result<()> {
                Medium::flush(&self.0)
            }
        }
        Medium::write_all_at(&file, &vec![7; SIZE], 0).unwrap();
        Plain(file.try_clone().unwrap())
            .zero_at(3, 200_000)
            .unwrap();
        let mut back = vec![1; SIZE];
        Medium::read_exact_at(&file, &mut back, 0).unwrap();
        assert!(back[3..200_003].iter().all(|byte| *byte == 0));
        assert!(back[..3] == [7; 3] && back[200_003..].iter().all(|byte| *byte == 7));
    }

    #[test]
    fn a_failing_disk_is_no_refusal() {
        let full = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/full")
            .unwrap();
        let way = Partition {
            file: tempfile::tempfile().unwrap(),
            direct: Some(full),
        };
        let error = way.write_all_at(&Buffer::new(1 << 20), 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(way.size().unwrap(), 0);
    }

    #[test]
    fn the_same_file_once_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "first").unwrap();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        // Whoever has the name now: it is not looked up again.
        std::fs::rename(&path, dir.path().join("b")).unwrap();
        std::fs::write(&path, "second").unwrap();
        let Ok(direct) = open_direct(&file) else {
            // Some file systems have no such access; then there is none to go wrong.
            return;
        };
        use std::os::unix::fs::MetadataExt as _;
        let inode = |file: &File| file.metadata().unwrap().ino();
        assert_eq!(inode(&direct), inode(&file));
        let flags = rustix::fs::fcntl_getfl(&direct).unwrap();
        assert!(flags.contains(OFlags::DIRECT));
        assert!(!rustix::fs::fcntl_getfl(&file)
            .unwrap()
            .contains(OFlags::DIRECT));
    }
}
