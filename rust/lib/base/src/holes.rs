//! Where a file has data. A hole is read as zeros and takes no room; `lseek` tells them apart (`SEEK_DATA`, `SEEK_HOLE`).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use rustix::fs::SeekFrom as Whence;
use rustix::io::Errno;

/// The first bytes at or behind `at` that are data, of a file of `len` bytes; empty, at `len`, when only a hole is left.
///
/// Where the file system does not know holes, all is data. The file's position is moved.
pub fn next_data(file: &File, at: u64, len: u64) -> io::Result<Range<u64>> {
    if at >= len {
        return Ok(len..len);
    }
    let start = match rustix::fs::seek(file, Whence::Data(at)) {
        // Whatever is answered, a caller that goes on behind it comes to an end.
        Ok(start) => start.clamp(at, len),
        Err(Errno::NXIO) => return Ok(len..len),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(at..len),
        Err(error) => return Err(error.into()),
    };
    match rustix::fs::seek(file, Whence::Hole(start)) {
        Ok(end) if end > start => Ok(start..end.min(len)),
        Ok(_) | Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP) => Ok(start..len),
        Err(error) => Err(error.into()),
    }
}

/// Copies all of `from` over the beginning of the empty file `to`: its holes are holes there, too.
pub fn copy(from: &mut File, to: &mut File) -> io::Result<()> {
    let len = from.seek(SeekFrom::End(0))?;
    let mut at = 0;
    while at < len {
        let data = next_data(from, at, len)?;
        from.seek(SeekFrom::Start(data.start))?;
        to.seek(SeekFrom::Start(data.start))?;
        let wanted = data.end.abs_diff(data.start);
        let copied = io::copy(&mut from.take(wanted), to)?;
        if copied != wanted {
            let error = format!("it became shorter than {len} bytes while it was copied");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
        }
        at = data.end;
    }
    to.set_len(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{FileExt, MetadataExt};

    const MIB: u64 = 1 << 20;

    /// A file of `len` bytes with some data at each of `places`, and its copy.
    fn copied(len: u64, places: &[u64]) -> (File, File) {
        let mut from = tempfile::tempfile().unwrap();
        from.set_len(len).unwrap();
        for at in places {
            from.write_all_at(b"data", *at).unwrap();
        }
        // Wherever it stands.
        from.seek(SeekFrom::Start(3)).unwrap();
        let mut to = tempfile::tempfile().unwrap();
        copy(&mut from, &mut to).unwrap();
        (from, to)
    }

    fn bytes(mut file: File) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn copies_are_equal() {
        for (len, places) in [
            (0, &[][..]),
            (5 * MIB + 7, &[]),
            (5 * MIB + 7, &[0]),
            (5 * MIB + 7, &[2 * MIB, 5 * MIB + 3]),
            (4, &[0]),
        ] {
            let (from, to) = copied(len, places);
            assert!(bytes(from) == bytes(to), "{len} {places:?}");
        }
    }

    #[test]
    fn holes_take_no_room_in_a_copy() {
        // Larger than what memory or disk of a test machine may hold.
        let (from, to) = copied(1 << 40, &[3 * MIB, 1 << 39]);
        let (from, to) = (from.metadata().unwrap(), to.metadata().unwrap());
        assert_eq!(to.len(), 1 << 40);
        assert!(from.blocks() * 512 < MIB, "no holes here");
        assert!(to.blocks() * 512 < MIB, "{}", to.blocks());
    }

    #[test]
    fn data_is_found() {
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(next_data(&file, 0, 0).unwrap(), 0..0);
        file.write_all(b"x").unwrap();
        file.set_len(4 * MIB).unwrap();
        let data = next_data(&file, 0, 4 * MIB).unwrap();
        assert!(data.start == 0 && data.end > 0 && data.end < MIB);
        assert_eq!(next_data(&file, MIB, 4 * MIB).unwrap(), 4 * MIB..4 * MIB);
        assert_eq!(
            next_data(&file, 9 * MIB, 4 * MIB).unwrap(),
            4 * MIB..4 * MIB
        );
    }

    /// `/dev/zero` answers 0 whatever is asked: what comes back begins where it should, is not empty and ends in the file.
    #[test]
    fn odd_answers_lead_nobody_in_circles() {
        let odd = File::open("/dev/zero").unwrap();
        assert_eq!(next_data(&odd, 0, 9).unwrap(), 0..9);
        assert_eq!(next_data(&odd, 5, 9).unwrap(), 5..9);
        // Knows no holes.
        let none = File::open("/proc/version").unwrap();
        assert_eq!(next_data(&none, 5, 9).unwrap(), 5..9);
    }
}
