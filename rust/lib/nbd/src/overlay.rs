//! An image that can be written to: what is written goes to a file of its own.

use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use base::{as_u64, as_usize};
use plan::{Extent, InputFile, Piece, ReadAt, Reader};
use rustix::fs::FallocateFlags;

use crate::error::Error;
use crate::keep;
use crate::present::Present;
use crate::record::{Event, Recorder};

/// What is written is kept track of in blocks of this size.
pub(crate) const BLOCK: u64 = 4096;
/// The same as the file of changes says it.
pub(crate) const BLOCK_SIZE: u32 = 4096;

/// Holes are told of in units of this size.
const SECTOR: u64 = 512;

const ZEROS: [u8; 4096] = [0; 4096];

/// What `base:allocation` says of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its length in bytes.
    pub len: u64,
    /// Whether it is known to be zero, and takes no room.
    pub hole: bool,
}

/// An image seen through its plan, and the changes made to it. The plan's inputs are never written to.
#[derive(Debug)]
pub struct Overlay<R = InputFile> {
    base: Reader<R>,
    file: File,
    /// Where in the file byte 0 of the image belongs.
    data_at: u64,
    /// Where in the file the set of written blocks is kept, if it is.
    map_at: Option<u64>,
    present: RwLock<Present>,
    recorder: Option<Arc<Recorder>>,
}

impl<R: ReadAt> Overlay<R> {
    /// Changes go to a nameless sparse file, which vanishes with this.
    pub fn throw_away(base: Reader<R>) -> Result<Self, Error> {
        let file = tempfile::tempfile().map_err(Error::io("create a temporary file"))?;
        file.set_len(base.len())
            .map_err(Error::io("make a temporary file as long as the image"))?;
        Ok(Self {
            base,
            file,
            data_at: 0,
            map_at: None,
            present: RwLock::default(),
            recorder: None,
        })
    }

    /// Changes go to the file at `path`, which is made when it is not there. `identity` tells images apart: changes to another one are
    /// refused. See [`crate::identity`].
    pub fn keep(base: Reader<R>, path: &Path, identity: [u8; 32]) -> Result<Self, Error> {
        let kept = keep::open(path, base.len(), identity)?;
        Ok(Self {
            base,
            file: kept.file,
            data_at: kept.data_at,
            map_at: Some(keep::HEADER),
            present: RwLock::new(kept.present),
            recorder: None,
        })
    }

    /// Lets `recorder` write down every change from now on, and every flush.
    #[must_use]
    pub fn record(self, recorder: Arc<Recorder>) -> Self {
        let recorder = Some(recorder);
        Self { recorder, ..self }
    }

    /// Length of the image.
    #[allow(
        clippy::len_without_is_empty,
        reason = "an image is measured, not asked for being empty"
    )]
    pub fn len(&self) -> u64 {
        self.base.len()
    }

    /// Fills `buffer` with the image's bytes from `start` on.
    pub fn read_at(&self, buffer: &mut [u8], start: u64) -> Result<(), Error> {
        let end = self.end(start, as_u64(buffer.len()))?;
        let present = self.read_lock();
        let mut rest = buffer;
        let mut at = start;
        while at < end {
            let (written, next) = run(&present, at, end);
            let (part, after) = rest.split_at_mut(as_usize(next.abs_diff(at)));
            if written {
                FileExt::read_exact_at(&self.file, part, self.place(at))
                    .map_err(Error::io("read changes to the image"))?;
            } else {
                self.base.read_at(part, at)?;
            }
            (rest, at) = (after, next);
        }
        Ok(())
    }

    /// Writes `data` at `start`.
    pub fn write_at(&self, data: &[u8], start: u64) -> Result<(), Error> {
        let end = self.end(start, as_u64(data.len()))?;
        let event = Event::Write { at: start, data };
        self.change(start, end, event, |file, at| file.write_all_at(data, at))
    }

    /// Writes `len` zeros at `start`; they take no room where the file system can punch holes.
    pub fn zero_at(&self, start: u64, len: u64) -> Result<(), Error> {
        let end = self.end(start, len)?;
        let event = Event::Zero { at: start, len };
        self.change(start, end, event, |file, at| zero_file(file, at, len))
    }

    /// What is known of `len` bytes from `start` on without reading them: at most `most` stretches, which differ from each other in turn.
    /// They may end early.
    pub fn stretches(&self, start: u64, len: u64, most: usize) -> Result<Vec<Stretch>, Error> {
        let end = self.end(start, len)?;
        let present = self.read_lock();
        let mut found: Vec<Stretch> = Vec::new();
        let mut at = start;
        while at < end {
            let (written, next) = run(&present, at, end);
            if written {
                if !add(&mut found, next.abs_diff(at), false, most) {
                    return Ok(found);
                }
            } else {
                let extents = self.base.plan().extents_in(at, next.abs_diff(at))?;
                for extent in extents {
                    for (len, hole) in self.sectors(&extent) {
                        if len != 0 && !add(&mut found, len, hole, most) {
                            return Ok(found);
                        }
                    }
                }
            }
            at = next;
        }
        Ok(found)
    }

    /// Length of what of an extent is no hole, is one, and is none again: holes are told of in whole sectors, for there are clients that
    /// take the state of a sector's first byte for that of all.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "start <= from < to <= end < 2^63"
    )]
    fn sectors(&self, extent: &Extent<'_>) -> [(u64, bool); 3] {
        let (start, end) = (extent.start, extent.end());
        let from = start.next_multiple_of(SECTOR);
        let to = match end == self.len() {
            true => end,
            false => end - end % SECTOR,
        };
        if extent.piece != Piece::Zero || from >= to {
            return [(extent.len, false), (0, true), (0, false)];
        }
        [(from - start, false), (to - from, true), (end - to, false)]
    }

    /// Returns once everything written before is on the disk. Changes that are thrown away need not be.
    pub fn flush(&self) -> Result<(), Error> {
        self.tell(Event::Flush)?;
        match self.map_at {
            Some(_) => self
                .file
                .sync_data()
                .map_err(Error::io("write changes to the disk")),
            None => Ok(()),
        }
    }

    /// Where in the file a byte of the image belongs.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`keep::open` refuses images of more than 16 TiB; without a map `data_at` is 0"
    )]
    fn place(&self, at: u64) -> u64 {
        self.data_at + at
    }

    fn end(&self, start: u64, len: u64) -> Result<u64, Error> {
        let have = self.len();
        start
            .checked_add(len)
            .filter(|end| *end <= have)
            .ok_or(Error::Image(plan::Error::OutsideImage { start, len, have }))
    }

    fn tell(&self, event: Event<'_>) -> Result<(), Error> {
        self.recorder.as_ref().map_or(Ok(()), |to| to.add(event))
    }

    /// Lets `write` change `start..end` in the file, whose other bytes of the same blocks it completes before.
    fn change(
        &self,
        start: u64,
        end: u64,
        event: Event<'_>,
        write: impl FnOnce(&File, u64) -> io::Result<()>,
    ) -> Result<(), Error> {
        if start == end {
            return Ok(());
        }
        let mut present = self.write_lock();
        self.tell(event)?;
        let blocks = start / BLOCK..end.div_ceil(BLOCK);
        let mut others = blocks.clone();
        let first = others.next();
        for outer in first.into_iter().chain(others.next_back()) {
            self.complete(&present, outer, start, end)?;
        }
        write(&self.file, self.place(start)).map_err(Error::io("write changes to the image"))?;
        match present.add(blocks) {
            Some(words) => self.note(&present, &words),
            None => Ok(()),
        }
    }

    /// Copies a block of the image to the file, unless it is there or all of it lies in `start..end` and will be overwritten.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "from < to <= 2^63: blocks of the image"
    )]
    fn complete(&self, present: &Present, block: u64, start: u64, end: u64) -> Result<(), Error> {
        let from = block * BLOCK;
        let to = (from + BLOCK).min(self.len());
        if present.contains(block) || (start <= from && to <= end) {
            return Ok(());
        }
        let mut bytes = ZEROS;
        let (bytes, _) = bytes.split_at_mut(as_usize(to - from));
        self.base.read_at(bytes, from)?;
        self.file
            .write_all_at(bytes, self.place(from))
            .map_err(Error::io("write changes to the image"))
    }

    /// Keeps changed words of the set of written blocks. It comes after their data: whatever instant this process ends, a block in
    /// the set is whole.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the map lies before the data, which ends before 2^63"
    )]
    fn note(&self, present: &Present, words: &RangeInclusive<u64>) -> Result<(), Error> {
        let Some(map_at) = self.map_at else {
            return Ok(());
        };
        let at = map_at + words.start() * 8;
        let bytes: Vec<u8> = words
            .clone()
            .flat_map(|index| present.word(index).to_le_bytes())
            .collect();
        self.file
            .write_all_at(&bytes, at)
            .map_err(Error::io("note which blocks have changed"))
    }

    fn read_lock(&self) -> RwLockReadGuard<'_, Present> {
        self.present.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_lock(&self) -> RwLockWriteGuard<'_, Present> {
        self.present.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the byte `at` has been written, and the first byte behind it, up to `end`, of which that may differ.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a block of the image, or the one behind its end"
)]
fn run(present: &Present, at: u64, end: u64) -> (bool, u64) {
    let (is, block) = present.run(at / BLOCK..end.div_ceil(BLOCK));
    (is, (block * BLOCK).min(end))
}

/// Adds a stretch or makes the last one longer; false when there are enough.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "parts of the image, which has less than 2^63 bytes"
)]
fn add(found: &mut Vec<Stretch>, len: u64, hole: bool, most: usize) -> bool {
    let full = found.len() >= most;
    match found.last_mut() {
        Some(last) if last.hole == hole => last.len += len,
        _ if full => return false,
        _ => found.push(Stretch { len, hole }),
    }
    true
}

/// Makes a range of `file` zero, as a hole if that can be had.
fn zero_file(file: &File, at: u64, len: u64) -> io::Result<()> {
    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    if rustix::fs::fallocate(file, how, at, len).is_ok() {
        return Ok(());
    }
    let end = at.checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
    for at in (at..end).step_by(ZEROS.len()) {
        let left = as_usize(end.abs_diff(at));
        let (part, _) = ZEROS.split_at(left.min(ZEROS.len()));
        file.write_all_at(part, at)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "tests"
    )]

    use super::*;
    use plan::{Builder, Input};
    use proptest::prelude::*;

    const LEN: usize = 5 * 4096 + 700;

    /// An image with all kinds of extents, and its bytes.
    fn image() -> (Reader<Vec<u8>>, Vec<u8>) {
        let input: Vec<u8> = (0..9000u32).map(|n| (n % 251) as u8 | 1).collect();
        let mut builder = Builder::new(vec![Input::of_len(9000)]);
        builder.inline(b"head").unwrap();
        builder.source(0, 100, 5000).unwrap();
        builder.zero(9000).unwrap();
        builder.source(0, 0, 3000).unwrap();
        builder.zero_to(LEN as u64).unwrap();
        let reader = Reader::new(
            builder.finish().unwrap(),
            vec![("i".to_owned(), input.clone())],
        );
        let mut bytes = vec![0; LEN];
        bytes[..4].copy_from_slice(b"head");
        bytes[4..5004].copy_from_slice(&input[100..5100]);
        bytes[14004..17004].copy_from_slice(&input[..3000]);
        (reader.unwrap(), bytes)
    }

    fn all(overlay: &Overlay<Vec<u8>>) -> Vec<u8> {
        let mut bytes = vec![7; LEN];
        overlay.read_at(&mut bytes, 0).unwrap();
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever is written is read, and what the stretches call holes is zero; also after it was closed and opened again.
        #[test]
        fn as_an_array(
            changes in prop::collection::vec((0..LEN, 0usize..9000, any::<Option<u8>>()), 0..12),
            kept: bool,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("changes");
            let open = || match kept {
                true => Overlay::keep(image().0, &path, [3; 32]).unwrap(),
                false => Overlay::throw_away(image().0).unwrap(),
            };
            let mut want = image().1;
            let mut overlay = open();
            for (at, len, byte) in changes {
                let len = len.min(LEN - at);
                want[at..at + len].fill(byte.unwrap_or(0));
                match byte {
                    Some(byte) => overlay.write_at(&vec![byte; len], at as u64).unwrap(),
                    None => overlay.zero_at(at as u64, len as u64).unwrap(),
                }
                if kept {
                    drop(overlay);
                    overlay = open();
                }
            }
            prop_assert!(all(&overlay) == want);
            let stretches = overlay.stretches(0, LEN as u64, 1000).unwrap();
            let mut at = 0;
            for stretch in &stretches {
                let end = at + stretch.len as usize;
                prop_assert!(!stretch.hole || want[at..end].iter().all(|b| *b == 0));
                at = end;
            }
            prop_assert_eq!(at, LEN);
            prop_assert!(stretches.windows(2).all(|w| w[0].hole != w[1].hole));
        }
    }

    #[test]
    fn stretches_of_an_untouched_image() {
        let overlay = Overlay::throw_away(image().0).unwrap();
        let stretch = |len, hole| Stretch { len, hole };
        let want = [
            stretch(5120, false),
            stretch(13824 - 5120, true),
            stretch(17408 - 13824, false),
            stretch(LEN as u64 - 17408, true),
        ];
        assert_eq!(overlay.stretches(0, LEN as u64, 9).unwrap(), want);
        assert_eq!(
            overlay.stretches(4, LEN as u64 - 4, 1).unwrap(),
            [stretch(5116, false)]
        );
    }

    #[test]
    fn ranges_beyond_the_image_are_refused() {
        let overlay = Overlay::throw_away(image().0).unwrap();
        let end = LEN as u64;
        for (start, len) in [(end, 1), (0, end + 1), (u64::MAX, 2), (end + 1, 0)] {
            assert!(overlay.zero_at(start, len).is_err(), "{start} {len}");
            assert!(overlay.stretches(start, len, 1).is_err(), "{start} {len}");
        }
        assert!(overlay.read_at(&mut [0; 2], end - 1).is_err());
        assert!(overlay.write_at(&[0; 2], end - 1).is_err());
        assert!(all(&overlay) == image().1);
    }
}
