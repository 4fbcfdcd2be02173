//! Where a file on disk has holes worth the name.
//!
//! A hole is a run of zero blocks, whether the disk holds it or not: how a file system stores zeros, or whether a copy
//! on the way has filled them in, must not reach the archive's bytes. What the file system does say saves reading.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use rustix::fs::{seek, SeekFrom};
use rustix::io::Errno;

use crate::entry::Piece;

/// Blocks of a file begin at multiples of this.
const BLOCK: usize = 4096;
/// The same as a length.
const BLOCK_LEN: u64 = 4096;
/// The least length of a hole. Programs and libraries have runs of up to 250 kB of zeros between their sections; archives
/// of them stay as plain as they always were.
const HOLE: u64 = 1 << 20;
/// Read at a time.
const CHUNK: usize = 1 << 18;
const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// The pieces of a file of `len` bytes with holes, or none if it has no holes.
pub(crate) fn pieces(file: &File, len: u64) -> io::Result<Option<Vec<Piece>>> {
    if len < HOLE {
        return Ok(None);
    }
    let mut found = Found {
        pieces: Vec::new(),
        end: 0,
    };
    let mut at = 0;
    while let Some((start, end)) = stored(file, at, len)? {
        blocks(file, start, end, &mut found)?;
        at = end;
    }
    Ok(found.finish(len))
}

/// Pieces with long holes between them.
struct Found {
    pieces: Vec<Piece>,
    /// End of the last block that is not zeros.
    end: u64,
}

impl Found {
    /// Blocks from `start` to `end` have something in them.
    fn data(&mut self, start: u64, end: u64) {
        let far = start.checked_sub(self.end).is_some_and(|gap| gap >= HOLE);
        match self.pieces.last_mut() {
            Some(last) if !far => last.len = end.saturating_sub(last.at),
            // Too short a run of zeros at the start is data.
            None if !far => self.push(0, end),
            _ => self.push(start, end),
        }
        self.end = end;
    }

    fn push(&mut self, at: u64, end: u64) {
        self.pieces.push(Piece {
            at,
            len: end.saturating_sub(at),
            offset: 0,
        });
    }

    fn finish(mut self, len: u64) -> Option<Vec<Piece>> {
        if self.end < len && len.saturating_sub(self.end) < HOLE {
            self.data(len, len);
        }
        let all = |piece: &Piece| piece.len == len;
        match self.pieces.as_slice() {
            [piece] if all(piece) => None,
            _ => Some(self.pieces),
        }
    }
}

/// The next run that the disk holds from `at` on, with whole blocks; none if the rest is holes.
fn stored(file: &File, at: u64, len: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= len {
        return Ok(None);
    }
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // The file system does not say.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some((at, len))),
        Err(e) => return Err(e.into()),
    };
    let end = seek(file, SeekFrom::Hole(start))?;
    // A file system with smaller blocks may begin within one of ours.
    let start = start.saturating_sub(start % BLOCK_LEN).max(at);
    Ok((start < len).then(|| (start, end.next_multiple_of(BLOCK_LEN).min(len))))
}

/// Reads from `start`, where a block begins, to `end`.
fn blocks(file: &File, start: u64, end: u64, found: &mut Found) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = start;
    while at < end {
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(CHUNK);
        let chunk = buffer.get_mut(..CHUNK.min(left)).unwrap_or_default();
        file.read_exact_at(chunk, at)?;
        for block in chunk.chunks(BLOCK) {
            let past = at.saturating_add(u64::try_from(block.len()).unwrap_or(0));
            if ZEROS.get(..block.len()) != Some(block) {
                found.data(at, past);
            }
            at = past;
        }
    }
    Ok(())
}

/// Reads the pieces of a file, one after another.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    file: &'a File,
    pieces: std::vec::IntoIter<Piece>,
    at: u64,
    left: u64,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(file: &'a File, pieces: Vec<Piece>) -> Self {
        Self {
            file,
            pieces: pieces.into_iter(),
            at: 0,
            left: 0,
        }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            let Some(piece) = self.pieces.next() else {
                return Ok(0);
            };
            (self.at, self.left) = (piece.at, piece.len);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let want = buffer.len().min(most);
        let got = self
            .file
            .read_at(buffer.get_mut(..want).unwrap_or_default(), self.at)?;
        let step = u64::try_from(got).unwrap_or(self.left);
        self.at = self.at.saturating_add(step);
        // A file that became shorter ends here, and the writer says so.
        self.left = self.left.saturating_sub(step);
        Ok(got)
    }
}
