//! Copying a file into another without writing its zeros.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{seek, SeekFrom};
use rustix::io::Errno;

use crate::Error;

/// Read at a time.
const BUFFER: usize = 1 << 20;
/// Zeros are looked for in units of this: the block size of the file systems that hold images.
const BLOCK: usize = 4096;

/// What a copy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Length of the source.
    pub len: u64,
    /// Bytes written; the rest is holes.
    pub written: u64,
}

/// Copies `source` (called `path` in errors) to `offset` of `target`, whose bytes there are zero.
///
/// Holes of the source are skipped through SEEK_DATA and SEEK_HOLE, blocks of zeros inside its data by looking at them: an
/// image that came out of a cache has often lost its holes.
pub fn copy_sparse(
    source: &File,
    path: &Path,
    target: &File,
    offset: u64,
) -> Result<Copied, Error> {
    let read = |source: io::Error| Error::Read {
        path: path.to_owned(),
        source,
    };
    let len = source.metadata().map_err(read)?.len();
    let mut copied = Copied { len, written: 0 };
    let mut buffer = vec![0; BUFFER];
    let mut at = 0;
    while let Some((from, to)) = next_data(source, at, len).map_err(read)? {
        let mut position = from;
        while position < to {
            let want = usize::try_from(to.saturating_sub(position))
                .map_or(BUFFER, |left| left.min(BUFFER));
            let chunk = buffer.get_mut(..want).unwrap_or_default();
            let got = read_some(source, chunk, position).map_err(read)?;
            if got == 0 {
                return Err(Error::Shrunk {
                    path: path.to_owned(),
                    got: position,
                    want: len,
                });
            }
            let data = chunk.get(..got).unwrap_or_default();
            let to = offset.saturating_add(position);
            let written = write_data(target, data, to).map_err(|source| Error::Write {
                what: format!("the bytes of {}", path.display()),
                source,
            })?;
            copied.written = copied.written.saturating_add(written);
            position = position.saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
        }
        at = to;
    }
    Ok(copied)
}

/// The next stretch of data at or after `at`.
fn next_data(file: &File, at: u64, len: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= len {
        return Ok(None);
    }
    let from = match seek(file, SeekFrom::Data(at)) {
        Ok(from) => from,
        Err(Errno::NXIO) => return Ok(None),
        // A file system that does not know holes: all of it is data.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some((at, len))),
        Err(error) => return Err(error.into()),
    };
    let to = seek(file, SeekFrom::Hole(from))?;
    // The file may have grown since; what came after is not ours.
    Ok((from < len).then_some((from, to.min(len))))
}

fn read_some(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Writes `data` at `at` without its blocks of zeros; returns how much was written.
fn write_data(target: &File, data: &[u8], at: u64) -> io::Result<u64> {
    let mut written: u64 = 0;
    let mut run = 0..0;
    let mut flush = |run: &std::ops::Range<usize>| {
        let bytes = data.get(run.clone()).unwrap_or_default();
        let start = u64::try_from(run.start).unwrap_or(u64::MAX);
        written = written.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        target.write_all_at(bytes, at.saturating_add(start))
    };
    let mut position: usize = 0;
    for block in data.chunks(BLOCK) {
        let end = position.saturating_add(block.len());
        if is_zero(block) {
            flush(&run)?;
            run = end..end;
        } else {
            run.end = end;
        }
        position = end;
    }
    flush(&run)?;
    Ok(written)
}

fn is_zero(block: &[u8]) -> bool {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    // Comparing slices is `memcmp`.
    ZEROS.get(..block.len()) == Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(data: &[u8], prepare: impl Fn(&File)) -> (Vec<u8>, Copied) {
        let source = tempfile::tempfile().unwrap();
        source.write_all_at(data, 0).unwrap();
        prepare(&source);
        let target = tempfile::tempfile().unwrap();
        target.set_len(10 << 20).unwrap();
        let copied = copy_sparse(&source, Path::new("source"), &target, 8192).unwrap();
        let mut got = vec![0; usize::try_from(copied.len).unwrap()];
        target.read_exact_at(&mut got, 8192).unwrap();
        (got, copied)
    }

    #[test]
    fn zeros_are_not_written() {
        let mut data = vec![0_u8; 3 << 20];
        data[5] = 1;
        data[BLOCK * 3 - 1] = 2;
        data[(2 << 20) - 1] = 3;
        data[2 << 20] = 4;
        data.truncate((3 << 20) - 17);
        let (got, copied) = copy(&data, |_| {});
        assert!(got == data);
        assert_eq!(copied.written, 4 * 4096);
    }

    #[test]
    fn odd_tail_and_hole_at_the_end() {
        let data = vec![7; BLOCK * 2 + 5];
        let (got, copied) = copy(&data, |f| f.set_len(1 << 20).unwrap());
        assert!(got[..data.len()] == data[..]);
        assert!(got[data.len()..].iter().all(|b| *b == 0));
        // The last block of the data is read with the zeros after it.
        assert_eq!(copied.written, 3 * 4096);
        assert_eq!(copied.len, 1 << 20);
        let (_, copied) = copy(&[], |_| {});
        assert_eq!((copied.len, copied.written), (0, 0));
        let (_, copied) = copy(&[], |f| f.set_len(5 << 20).unwrap());
        assert_eq!((copied.len, copied.written), (5 << 20, 0));
    }
}
