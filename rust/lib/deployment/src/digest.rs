//! SHA-256 of an image file, holes included but not read.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use base::{as_u64, as_usize, holes, Hasher, Sha256Digest};

/// Read at a time; a multiple of any block size.
const BUFFER: usize = 1 << 18;

/// A SHA-256 digest with the length of what was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// The digest.
    pub sha256: Sha256Digest,
    /// How many bytes were hashed.
    pub len: u64,
}

impl fmt::Display for Digest {
    /// 64 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sha256.fmt(f)
    }
}

/// Hashes all of `file`, whose length may not change meanwhile, and calls `progress` with the bytes done so far.
///
/// Holes are hashed as zeros without reading. An error says at which byte it happened.
pub fn digest(file: &File, mut progress: impl FnMut(u64)) -> io::Result<Digest> {
    let len = file.metadata()?.len();
    let mut buffer = vec![0; BUFFER];
    let mut hasher = Hasher::new();
    while hasher.count() < len {
        let data = holes::next_data(file, hasher.count(), len)?;
        for at in (hasher.count()..data.start).step_by(BUFFER) {
            hasher.update_zeros(data.start.abs_diff(at).min(as_u64(BUFFER)));
            progress(hasher.count());
        }
        for at in data.clone().step_by(BUFFER) {
            let left = as_usize(data.end.abs_diff(at));
            let (part, _) = buffer.split_at_mut(left.min(BUFFER));
            file.read_exact_at(part, at).map_err(|source| {
                io::Error::new(source.kind(), format!("at byte {at} of {len}: {source}"))
            })?;
            hasher.update(part);
            progress(hasher.count());
        }
    }
    let sha256 = hasher.finish();
    Ok(Digest { sha256, len })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn of(bytes: &[u8]) -> String {
        Sha256Digest::of(bytes).to_string()
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
