//! Bytes of an image at any position.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::MetadataExt;

use plan::{Piece, Reader};

use crate::bounds::Source;
use crate::bytes::{index, is_zero, long, round_down};
use crate::error::{damage, Error, Fault};

/// How much is read at once where all of something is read.
pub(crate) const CHUNK: u64 = 1 << 20;

/// An image: something of known length that is read at any position, by several threads at once.
#[allow(
    clippy::len_without_is_empty,
    reason = "an image is measured, not asked for being empty"
)]
pub trait Image: Sync {
    /// Its length.
    fn len(&self) -> u64;

    /// Fills `buffer` from `at` on. A range beyond the image is an error.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error>;

    /// How many bytes from `at` on are known to be zero without looking at them; 0 says nothing.
    fn zeros(&self, at: u64) -> u64 {
        let _ = at;
        0
    }

    /// How many bytes are stored for it, which a sparse file or a plan can have far fewer of than it is long.
    fn stored(&self) -> u64 {
        self.len()
    }
}

impl Image for Vec<u8> {
    fn len(&self) -> u64 {
        long(self.as_slice().len())
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error> {
        let start = index(at);
        let end = start.saturating_add(buffer.len());
        let found = self.get(start..end).ok_or(Error::Outside {
            at,
            len: long(buffer.len()),
            have: Image::len(self),
        })?;
        buffer.copy_from_slice(found);
        Ok(())
    }
}

impl Image for Reader {
    fn len(&self) -> u64 {
        Reader::len(self)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error> {
        Reader::read_at(self, buffer, at).map_err(|source| Error::Read {
            at,
            source: Box::new(source),
        })
    }

    fn zeros(&self, at: u64) -> u64 {
        let rest = Reader::len(self).saturating_sub(at);
        let Ok(mut extents) = self.plan().extents_in(at, rest) else {
            return 0;
        };
        let Some(extent) = extents.next() else {
            return 0;
        };
        match extent.piece {
            Piece::Zero => extent.len,
            Piece::Inline(_) => 0,
            Piece::Source { input, offset } => {
                let file = self.inputs().get(index(input));
                // One that cannot be opened is told when it is read.
                let file = file.and_then(|(_, file)| file.file().ok());
                file.map_or(0, |file| hole(&file, offset).min(extent.len))
            }
        }
    }

    fn stored(&self) -> u64 {
        // An input can be given several times.
        let mut known = BTreeSet::new();
        let files = self.inputs().iter();
        let metadata = files.filter_map(|(_, file)| file.file().ok()?.metadata().ok());
        let inputs = metadata.filter(|file| known.insert((file.dev(), file.ino())));
        let lens = inputs.map(|file| match file.is_file() {
            true => file.blocks().saturating_mul(512),
            // A block device holds all that it is long.
            false => Reader::len(self),
        });
        // Saturated it bounds nothing, and that is meant: so much is there.
        lens.fold(self.plan().inline_len(), u64::saturating_add)
    }
}

/// How long the hole at `offset` of a sparse file is.
fn hole(file: &File, offset: u64) -> u64 {
    let data = rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset));
    match data {
        Ok(data) => data.saturating_sub(offset),
        // ENXIO: nothing but a hole up to the end.
        Err(rustix::io::Errno::NXIO) => file
            .metadata()
            .map_or(0, |file| file.len().saturating_sub(offset)),
        Err(_) => 0,
    }
}

/// A part of an image, a partition for one.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    source: &'a Source<'a>,
    start: u64,
    len: u64,
}

impl<'a> Window<'a> {
    /// All of an image.
    pub(crate) fn all(source: &'a Source<'a>) -> Self {
        Self {
            source,
            start: 0,
            len: source.image.len(),
        }
    }

    /// What bounds the work on it.
    pub(crate) fn source(self) -> &'a Source<'a> {
        self.source
    }

    /// Where `at` is in the image.
    pub(crate) fn position(self, at: u64) -> u64 {
        self.start.saturating_add(at)
    }

    /// `len` bytes from `start` on, as far as they are there.
    pub(crate) fn part(self, start: u64, len: u64) -> Self {
        let skip = start.min(self.len);
        Self {
            source: self.source,
            start: self.start.saturating_add(skip),
            len: len.min(self.len.saturating_sub(skip)),
        }
    }

    pub(crate) fn len(self) -> u64 {
        self.len
    }

    /// Fills `buffer` from `at` on; beyond the window is damage of whatever pointed there.
    pub(crate) fn read(self, buffer: &mut [u8], at: u64) -> Result<(), Fault> {
        let len = long(buffer.len());
        if at.checked_add(len).is_none_or(|end| end > self.len) {
            let have = self.len;
            return Err(damage!(
                "bytes {at}+{len} lie beyond the {have} that are there"
            ));
        }
        Ok(self.source.read_at(buffer, self.position(at))?)
    }

    /// `len` bytes from `at` on. Callers bound `len`.
    pub(crate) fn bytes(self, at: u64, len: usize) -> Result<Vec<u8>, Fault> {
        // Checked before memory is taken.
        if at.checked_add(long(len)).is_none_or(|end| end > self.len) {
            let have = self.len;
            return Err(damage!(
                "bytes {at}+{len} lie beyond the {have} that are there"
            ));
        }
        let mut bytes = vec![0; len];
        self.read(&mut bytes, at)?;
        Ok(bytes)
    }

    /// How many bytes from `at` on need no reading, since they are zero.
    pub(crate) fn zeros(self, at: u64) -> u64 {
        let zeros = self.source.image.zeros(self.position(at));
        zeros.min(self.len.saturating_sub(at))
    }

    /// Hands every piece that is not all zero to `body`, in order: at most [`CHUNK`] long, cut at multiples of `unit` (which
    /// divides [`CHUNK`]) counted from the start of the window.
    pub(crate) fn each_nonzero(
        self,
        start: u64,
        end: u64,
        unit: u64,
        mut body: impl FnMut(u64, &[u8]) -> Result<Go, Error>,
    ) -> Result<(), Error> {
        let mut buffer = vec![0; index(CHUNK.min(end.saturating_sub(start)))];
        let mut at = start;
        while at < end {
            // Whole units only, so that pieces don't depend on which zeros are known.
            let known = at.saturating_add(self.zeros(at));
            let known = if known >= end {
                end
            } else {
                round_down(known, unit)
            };
            if known > at {
                at = known;
                continue;
            }
            let stop = end.min(round_down(at.saturating_add(CHUNK), CHUNK));
            let len = index(stop.saturating_sub(at));
            let chunk = buffer.get_mut(..len).unwrap_or_default();
            self.source.read_at(chunk, self.position(at))?;
            let mut rest: &[u8] = chunk;
            while !rest.is_empty() {
                let next = round_down(at, unit).saturating_add(unit);
                let take = index(next.saturating_sub(at)).min(rest.len());
                let (piece, after) = rest.split_at_checked(take).unwrap_or((rest, &[]));
                if !is_zero(piece) && body(at, piece)? == Go::Stop {
                    return Ok(());
                }
                rest = after;
                at = at.saturating_add(long(take));
            }
        }
        Ok(())
    }

    /// Whether `start..end` is all zero.
    pub(crate) fn is_zero(self, start: u64, end: u64) -> Result<bool, Error> {
        let mut zero = true;
        self.each_nonzero(start, end.min(self.len), CHUNK, |_, _| {
            zero = false;
            Ok(Go::Stop)
        })?;
        Ok(zero)
    }
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    On,
    Stop,
}

/// A window read in small pieces here and there: what was read lately is kept.
pub(crate) struct Cached<'a> {
    window: Window<'a>,
    chunks: BTreeMap<u64, Vec<u8>>,
    order: VecDeque<u64>,
}

impl<'a> Cached<'a> {
    const CHUNK: u64 = 64 << 10;
    const MAX: usize = 256;

    pub(crate) fn new(window: Window<'a>) -> Self {
        Self {
            window,
            chunks: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(crate) fn window(&self) -> Window<'a> {
        self.window
    }

    /// Like [`Window::bytes`].
    pub(crate) fn bytes(&mut self, at: u64, len: usize) -> Result<Vec<u8>, Fault> {
        let end = at.saturating_add(long(len));
        let first = at / Self::CHUNK;
        if end > first.saturating_add(1).saturating_mul(Self::CHUNK) || end > self.window.len() {
            return self.window.bytes(at, len);
        }
        let skip = index(at % Self::CHUNK);
        let chunk = self.chunk(first)?;
        let found = chunk.get(skip..skip.saturating_add(len));
        // The chunk is cut only by the end of the window.
        Ok(found.unwrap_or_default().to_vec())
    }

    fn chunk(&mut self, number: u64) -> Result<&[u8], Fault> {
        if !self.chunks.contains_key(&number) {
            let start = number.saturating_mul(Self::CHUNK);
            let len = Self::CHUNK.min(self.window.len().saturating_sub(start));
            let bytes = self.window.bytes(start, index(len))?;
            if self.order.len() >= Self::MAX {
                if let Some(old) = self.order.pop_front() {
                    self.chunks.remove(&old);
                }
            }
            self.order.push_back(number);
            self.chunks.insert(number, bytes);
        }
        Ok(self
            .chunks
            .get(&number)
            .map(Vec::as_slice)
            .unwrap_or_default())
    }
}
