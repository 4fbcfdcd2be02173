//! SHA-256 of an image file, holes included but not read.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{seek, SeekFrom};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

/// Read at a time; a multiple of any block size.
const BUFFER: usize = 1 << 18;

/// A SHA-256 digest with the length of what was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// The 32 bytes.
    pub sha256: [u8; 32],
    /// How many bytes were hashed.
    pub len: u64,
}

impl fmt::Display for Digest {
    /// 64 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sha256.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Hashes all of `file`, whose length may not change meanwhile, and calls `progress` with the bytes done so far.
///
/// The file system is asked where holes are (`lseek` with `SEEK_DATA`); they are hashed as zeros without reading.
/// An error says at which byte it happened.
pub fn digest(file: &File, mut progress: impl FnMut(u64)) -> io::Result<Digest> {
    let len = file.metadata()?.len();
    let zeros = vec![0; BUFFER];
    let mut buffer = vec![0; BUFFER];
    let mut hasher = Sha256::new();
    let mut at: u64 = 0;
    let mut data = Range::default();
    while at < len {
        if at >= data.end {
            data = next_data(file, at, len)?;
        }
        let is_hole = at < data.start;
        let end = if is_hole { data.start } else { data.end };
        let most = usize::try_from(end.saturating_sub(at)).unwrap_or(BUFFER);
        let take = most.min(BUFFER);
        let part = if is_hole {
            zeros.get(..take).unwrap_or_default()
        } else {
            let part = buffer.get_mut(..take).unwrap_or_default();
            file.read_exact_at(part, at).map_err(|source| {
                io::Error::new(source.kind(), format!("at byte {at} of {len}: {source}"))
            })?;
            part
        };
        hasher.update(part);
        at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        progress(at);
    }
    Ok(Digest {
        sha256: hasher.finalize().into(),
        len,
    })
}

/// Bytes that are not a hole.
#[derive(Default)]
struct Range {
    start: u64,
    end: u64,
}

/// The first data at or after `at`; empty at the end of the file when all the rest is a hole. `start >= at`, `end > at`.
fn next_data(file: &File, at: u64, len: u64) -> io::Result<Range> {
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start.max(at),
        Err(Errno::NXIO) => {
            let (start, end) = (len, len);
            return Ok(Range { start, end });
        }
        // A file system that does not know: all of it is data.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
        Err(error) => return Err(error.into()),
    };
    let end = match seek(file, SeekFrom::Hole(start)) {
        Ok(end) if end > start => end.min(len),
        Ok(_) | Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NXIO) => len,
        Err(error) => return Err(error.into()),
    };
    let start = start.min(len);
    Ok(Range { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn of(bytes: &[u8]) -> String {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let len = 0;
        Digest { sha256: hash, len }.to_string()
    }

    #[test]
    fn holes_count_as_zeros() {
        let mib = 1 << 20;
        // (ranges of data, length)
        let table: &[(&[(usize, usize)], usize)] = &[
            (&[], 0),
            (&[], 3 * mib),
            (&[(0, 5)], 5),
            (&[(0, 5)], 2 * mib + 1),
            (&[(mib, mib + 7)], 2 * mib),
            (
                &[(0, 4096), (mib, 2 * mib), (3 * mib - 1, 3 * mib)],
                3 * mib,
            ),
        ];
        for (ranges, len) in table {
            let mut bytes = vec![0; *len];
            let mut file = tempfile::tempfile().unwrap();
            file.set_len(u64::try_from(*len).unwrap()).unwrap();
            for (start, end) in *ranges {
                bytes[*start..*end].fill(0x5a);
                file.write_all_at(&bytes[*start..*end], u64::try_from(*start).unwrap())
                    .unwrap();
            }
            file.flush().unwrap();
            let mut last = 0;
            let got = digest(&file, |done| {
                assert!(done > last);
                last = done;
            })
            .unwrap();
            assert_eq!(got.to_string(), of(&bytes), "{ranges:?} {len}");
            assert_eq!(
                (got.len, last),
                (u64::try_from(bytes.len()).unwrap(), got.len)
            );
        }
    }

    #[test]
    fn errors_say_where() {
        // A folder has a length and cannot be read.
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x"), "").unwrap();
        let file = File::open(dir.path()).unwrap();
        if file.metadata().unwrap().len() > 0 {
            let error = digest(&file, |_| ()).unwrap_err().to_string();
            assert!(error.contains("at byte 0 of "), "{error}");
        }
    }
}
