//! What is done to a drive, in an order in which nothing half done ever looks whole:
//!
//! 1. [`Work::begin`]: the mark in place of the old table's header, then zeros over the table's copy, then over all else that tables and boot sectors were.
//! 2. [`Work::write`]: everything but the tables. Holes of the images become zeros without being read.
//! 3. [`Work::verify`]: all of it is read back from the drive and compared.
//! 4. [`Work::end`]: GuestOS's table, then HostOS's with its copy, and last of all the header that takes the mark's place.
//!
//! After each the drive is flushed. Cut off anywhere, it has either the mark or the table of what is complete.
//!
//! Firmware that finds no header and a good copy of the table writes the header from the copy, over the mark. So a copy is there only beside what is
//! whole: the old one goes before anything else of the old system does, and the new one comes when all else is on the drive.

use std::ops::Range;

use base::{as_u64, as_usize, past};
use direct::{Buffer, Medium};

use super::layout::{length, Layout, Origin, Piece};
use super::marker;

/// How much is read, written or compared at a time.
const CHUNK: u64 = 1 << 20;
/// How many zeros are asked for at a time: long enough for a drive, short enough for a bar that moves.
const ZEROS: u64 = 64 << 20;

/// Told how many bytes more are done.
pub(crate) type Tell<'a> = &'a mut dyn FnMut(u64);

/// A drive that is worked on.
pub(crate) struct Work<'a, M> {
    pub(crate) drive: &'a M,
    /// What to call the drive.
    pub(crate) name: &'a str,
    pub(crate) layout: &'a Layout,
}

impl<M: Medium> Work<'_, M> {
    /// Ends what was there, but for what is kept.
    pub(crate) fn begin(&self, tell: Tell<'_>) -> Result<(), String> {
        self.put(marker::AT, &self.layout.mark()?)?;
        self.flush()?;
        self.write(&self.layout.copies(), &mut *tell)?;
        self.write(&self.layout.starts(), tell)
    }

    /// Writes `pieces` and flushes them.
    pub(crate) fn write(&self, pieces: &[Piece<'_>], tell: Tell<'_>) -> Result<(), String> {
        let mut buffer = Buffer::new(as_usize(CHUNK));
        for piece in pieces {
            match piece.from {
                Origin::Zeros => {
                    for at in steps(&piece.at, ZEROS) {
                        let len = length(&at);
                        self.drive
                            .zero_at(at.start, len)
                            .map_err(|error| self.cannot("write", at.start, &error))?;
                        tell(len);
                    }
                }
                Origin::Image(image, from) => {
                    for at in steps(&piece.at, CHUNK) {
                        let len = length(&at);
                        let (part, _) = buffer.split_at_mut(as_usize(len));
                        self.fill(part, image, from, piece, at.start)?;
                        self.put(at.start, part)?;
                        tell(len);
                    }
                }
            }
        }
        self.flush()
    }

    /// Reads `pieces` back and compares them with what they were to be.
    pub(crate) fn verify(&self, pieces: &[Piece<'_>], tell: Tell<'_>) -> Result<(), String> {
        let mut got = Buffer::new(as_usize(CHUNK));
        let mut want = Buffer::new(as_usize(CHUNK));
        let zeros = Buffer::new(as_usize(CHUNK));
        for piece in pieces {
            for at in steps(&piece.at, CHUNK) {
                let len = as_usize(length(&at));
                let (got, _) = got.split_at_mut(len);
                self.drive
                    .read_exact_at(got, at.start)
                    .map_err(|error| self.cannot("read back", at.start, &error))?;
                let want = match piece.from {
                    Origin::Zeros => zeros.split_at(len).0,
                    Origin::Image(image, from) => {
                        let (want, _) = want.split_at_mut(len);
                        self.fill(want, image, from, piece, at.start)?;
                        want
                    }
                };
                if got != want {
                    let first = got.iter().zip(want).position(|(a, b)| a != b);
                    let place = past(at.start, first.unwrap_or_default());
                    return Err(self.differs(place));
                }
                tell(as_u64(len));
            }
        }
        Ok(())
    }

    /// Makes it whole: the tables.
    pub(crate) fn end(&self) -> Result<(), String> {
        let start = self.layout.guestos.start;
        let mut guest = Vec::new();
        for (at, bytes) in self.layout.guest.parts()? {
            let at = at.checked_add(start).ok_or("a table beyond all drives")?;
            guest.push((at, bytes));
        }
        // The header that makes the drive one with a table comes when all else is on the drive.
        let host = self.layout.host.parts()?.into_iter();
        let (header, host): (Vec<_>, Vec<_>) = host.partition(|(at, _)| *at == marker::AT);
        for parts in [guest, host, header] {
            for (at, bytes) in &parts {
                self.put(*at, bytes)?;
            }
            self.flush()?;
            for (at, bytes) in &parts {
                let mut back = vec![0; bytes.len()];
                self.drive
                    .read_exact_at(&mut back, *at)
                    .map_err(|error| self.cannot("read back", *at, &error))?;
                if back != *bytes {
                    return Err(self.differs(*at));
                }
            }
        }
        Ok(())
    }

    /// The bytes of `image` that belong to byte `at` of the drive and what follows.
    fn fill(
        &self,
        buffer: &mut [u8],
        image: &super::source::Source,
        from: u64,
        piece: &Piece<'_>,
        at: u64,
    ) -> Result<(), String> {
        let from = from.checked_add(length(&(piece.at.start..at)));
        let from = from.ok_or("a place beyond all images")?;
        image
            .read(buffer, from)
            .map_err(|error| format!("{}: cannot read at byte {from}: {error}", image.name))
    }

    fn put(&self, at: u64, bytes: &[u8]) -> Result<(), String> {
        self.drive
            .write_all_at(bytes, at)
            .map_err(|error| self.cannot("write", at, &error))
    }

    fn flush(&self) -> Result<(), String> {
        self.drive
            .flush()
            .map_err(|error| format!("{}: cannot flush: {error}", self.name))
    }

    fn cannot(&self, what: &str, at: u64, error: &std::io::Error) -> String {
        format!("{}: cannot {what} at byte {at}: {error}", self.name)
    }

    fn differs(&self, at: u64) -> String {
        format!(
            "{}: byte {at} reads back as something else than was written: the drive is failing",
            self.name
        )
    }
}

/// How many bytes all of them are.
pub(crate) fn total(pieces: &[Piece<'_>]) -> u64 {
    pieces
        .iter()
        .fold(0, |all, piece| base::bounded::sum(all, length(&piece.at)))
}

/// `range` in parts of at most `most` bytes, that end at multiples of it.
fn steps(range: &Range<u64>, most: u64) -> impl Iterator<Item = Range<u64>> {
    let (mut at, end) = (range.start, range.end);
    std::iter::from_fn(move || {
        let next = at.checked_add(1)?.checked_next_multiple_of(most);
        // The last one may end before a multiple that there is no number for.
        let next = next.map_or(end, |next| next.min(end));
        let step = at..next;
        (at < end).then(|| {
            at = next;
            step
        })
    })
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
