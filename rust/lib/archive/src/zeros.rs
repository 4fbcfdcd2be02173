//! Where a file on disk has holes worth the name.
//!
//! A hole is a run of zero blocks, whether the disk holds it or not: how a file system stores zeros, or whether a copy
//! on the way has filled them in, must not reach the archive's bytes. What the file system does say saves reading.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use base::{as_u64, as_usize, holes, past};

use crate::entry::Piece;

/// Blocks of a file begin at multiples of this.
const BLOCK: usize = 4096;
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
    while at < len {
        let data = whole_blocks(holes::next_data(file, at, len)?, at, len);
        blocks(file, data.clone(), &mut found)?;
        at = data.end;
    }
    Ok(found.finish(len))
}

/// Blocks of which `data` holds something, from `at` on: a file system with smaller blocks may begin within one of ours.
fn whole_blocks(data: Range<u64>, at: u64, len: u64) -> Range<u64> {
    const MASK: u64 = as_u64(BLOCK) - 1;
    let end = data.end.checked_next_multiple_of(as_u64(BLOCK));
    (data.start & !MASK).max(at)..end.map_or(len, |end| end.min(len))
}

/// Pieces with long holes between them.
struct Found {
    pieces: Vec<Range<u64>>,
    /// End of the last block that is not zeros.
    end: u64,
}

impl Found {
    /// Blocks from `start` to `end` have something in them.
    fn data(&mut self, start: u64, end: u64) {
        let far = start.checked_sub(self.end).is_some_and(|gap| gap >= HOLE);
        match self.pieces.last_mut() {
            Some(last) if !far => last.end = end,
            // Too short a run of zeros at the start is data.
            None if !far => self.pieces.push(0..end),
            _ => self.pieces.push(start..end),
        }
        self.end = end;
    }

    fn finish(mut self, len: u64) -> Option<Vec<Piece>> {
        let rest = len.checked_sub(self.end);
        if rest.is_some_and(|rest| (1..HOLE).contains(&rest)) {
            self.data(len, len);
        }
        if matches!(self.pieces.as_slice(), [all] if *all == (0..len)) {
            return None;
        }
        let piece = |piece: Range<u64>| Piece {
            at: piece.start,
            len: piece.end.abs_diff(piece.start),
            offset: 0,
        };
        Some(self.pieces.into_iter().map(piece).collect())
    }
}

/// Reads `data`, whose start is that of a block.
fn blocks(file: &File, data: Range<u64>, found: &mut Found) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    for at in data.clone().step_by(CHUNK) {
        // The last chunk may be shorter.
        buffer.truncate(as_usize(data.end.abs_diff(at)));
        file.read_exact_at(&mut buffer, at)?;
        for (start, block) in (at..data.end).step_by(BLOCK).zip(buffer.chunks(BLOCK)) {
            if ZEROS.get(..block.len()) != Some(block) {
                found.data(start, past(start, block.len()));
            }
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
        let (part, _) = buffer.split_at_mut(buffer.len().min(as_usize(self.left)));
        // A file that became shorter ends here, and the writer says so.
        let got = self.file.read_at(part, self.at)?;
        self.at = past(self.at, got);
        // Never more than the part.
        self.left = self.left.abs_diff(as_u64(got));
        Ok(got)
    }
}
