//! Bytes of an image at any position.

use base::{as_u64, as_usize};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::MetadataExt;

use plan::{Piece, Reader};

use crate::bounds::Source;
use crate::bytes::is_zero;
use crate::error::{damage, Error, Fault};
use crate::span::{pieces, round_down, Span};

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
        as_u64(self.as_slice().len())
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error> {
        let found = self.get(as_usize(at)..);
        let found = found.and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(found.ok_or(Error::Outside {
            at,
            len: as_u64(buffer.len()),
            have: Image::len(self),
        })?);
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
        // What can't be told is looked at.
        known_zeros(self, at).unwrap_or(0)
    }

    fn stored(&self) -> u64 {
        // An input can be given several times. One that can't be opened bounds the reading, which it ends with its error.
        let mut known = BTreeSet::new();
        let files = self.inputs().iter();
        let metadata = files.filter_map(|(_, file)| file.file().ok()?.metadata().ok());
        let inputs = metadata.filter(|file| known.insert((file.dev(), file.ino())));
        let lens = inputs.map(|file| match file.is_file() {
            // Saturated it bounds nothing, and that is meant: so much is there.
            true => file.blocks().saturating_mul(512),
            // A block device holds all that it is long.
            false => Reader::len(self),
        });
        // Likewise.
        lens.fold(self.plan().inline_len(), u64::saturating_add)
    }
}

/// How many bytes from `at` on the plan or a hole of an input says to be zero.
fn known_zeros(image: &Reader, at: u64) -> Option<u64> {
    let rest = Reader::len(image).checked_sub(at)?;
    let extent = image.plan().extents_in(at, rest).ok()?.next()?;
    match extent.piece {
        Piece::Zero => Some(extent.len),
        Piece::Inline(_) => None,
        Piece::Source { input, offset } => {
            let (_, file) = image.inputs().get(as_usize(input))?;
            // One that cannot be opened is told when it is read.
            Some(hole(&*file.file().ok()?, offset)?.min(extent.len))
        }
    }
}

/// How long the hole at `offset` of a sparse file is.
fn hole(file: &File, offset: u64) -> Option<u64> {
    let end = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(data) => data,
        // Nothing but a hole up to the end.
        Err(rustix::io::Errno::NXIO) => file.metadata().ok()?.len(),
        Err(_) => return None,
    };
    end.checked_sub(offset)
}

/// A part of an image, a partition for one.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    source: &'a Source<'a>,
    place: Span,
}

impl<'a> Window<'a> {
    /// All of an image.
    pub(crate) fn all(source: &'a Source<'a>) -> Self {
        Self {
            source,
            place: Span::up_to(source.image.len()),
        }
    }

    /// What bounds the work on it.
    pub(crate) fn source(self) -> &'a Source<'a> {
        self.source
    }

    /// Where it is in the image.
    pub(crate) fn place(self) -> Span {
        self.place
    }

    /// `span`, as far as it is there.
    pub(crate) fn part(self, span: Span) -> Self {
        Self {
            source: self.source,
            place: self.place.skip(span.start()).first(span.len()),
        }
    }

    pub(crate) fn len(self) -> u64 {
        self.place.len()
    }

    /// Where `len` bytes from `at` on are in the image; beyond the window is damage of whatever pointed there.
    fn locate(self, at: u64, len: u64) -> Result<u64, Fault> {
        let found = self.place.skip(at).first(len);
        if at > self.len() || found.len() != len {
            let have = self.len();
            return Err(damage!(
                "bytes {at}+{len} lie beyond the {have} that are there"
            ));
        }
        Ok(found.start())
    }

    /// Fills `buffer` from `at` on.
    pub(crate) fn read(self, buffer: &mut [u8], at: u64) -> Result<(), Fault> {
        let place = self.locate(at, as_u64(buffer.len()))?;
        Ok(self.source.read_at(buffer, place)?)
    }

    /// `len` bytes from `at` on. Callers bound `len`.
    pub(crate) fn bytes(self, at: u64, len: usize) -> Result<Vec<u8>, Fault> {
        // Checked before memory is taken.
        let place = self.locate(at, as_u64(len))?;
        let mut bytes = vec![0; len];
        self.source.read_at(&mut bytes, place)?;
        Ok(bytes)
    }

    /// `N` bytes from `at` on.
    pub(crate) fn array<const N: usize>(self, at: u64) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.read(&mut bytes, at)?;
        Ok(bytes)
    }

    /// How many bytes from `at` on need no reading, since they are zero.
    pub(crate) fn zeros(self, at: u64) -> u64 {
        let rest = self.place.skip(at);
        let zeros = self.source.image.zeros(rest.start());
        rest.len().min(zeros)
    }

    /// Hands every piece of `span` that is not all zero to `body`, in order: at most [`CHUNK`] long, cut at multiples of `UNIT` (which
    /// divides [`CHUNK`]) counted from the start of the window.
    pub(crate) fn each_nonzero<const UNIT: u64>(
        self,
        span: Span,
        mut body: impl FnMut(u64, &[u8]) -> Result<Go, Error>,
    ) -> Result<(), Error> {
        let mut chunk = Vec::new();
        let mut rest = span;
        while !rest.is_empty() {
            // Whole units only, so that pieces don't depend on which zeros are known.
            let known = rest.whole::<UNIT>(self.zeros(rest.start()));
            if !known.is_empty() {
                rest = rest.skip(known.len());
                continue;
            }
            let next = rest.whole::<CHUNK>(CHUNK);
            chunk.resize(as_usize(next.len()), 0);
            self.read(&mut chunk, next.start())
                .map_err(|fault| fault.of_ours(next, self.len()))?;
            for (at, piece) in pieces::<UNIT>(next.start(), &chunk) {
                if !is_zero(piece) && body(at, piece)? == Go::Stop {
                    return Ok(());
                }
            }
            rest = rest.skip(next.len());
        }
        Ok(())
    }

    /// Whether `span` is all zero, as far as it is there.
    pub(crate) fn is_zero(self, span: Span) -> Result<bool, Error> {
        let mut zero = true;
        self.each_nonzero::<CHUNK>(span.until(self.len()), |_, _| {
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

/// How much of it is read at once.
const CACHED: u64 = 64 << 10;

impl<'a> Cached<'a> {
    /// So many chunks are kept.
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
        self.window.locate(at, as_u64(len))?;
        let start = round_down::<CACHED>(at);
        let chunk = self.chunk(start)?;
        let found = chunk.get(as_usize(at % CACHED)..);
        match found.and_then(|rest| rest.get(..len)) {
            Some(found) => Ok(found.to_vec()),
            // Not all in one chunk.
            None => self.window.bytes(at, len),
        }
    }

    fn chunk(&mut self, start: u64) -> Result<&[u8], Fault> {
        if self.order.len() >= Self::MAX && !self.chunks.contains_key(&start) {
            if let Some(old) = self.order.pop_front() {
                self.chunks.remove(&old);
            }
        }
        Ok(match self.chunks.entry(start) {
            Entry::Occupied(chunk) => chunk.into_mut(),
            Entry::Vacant(place) => {
                let len = Span::up_to(self.window.len()).skip(start).first(CACHED);
                let bytes = self.window.bytes(start, as_usize(len.len()))?;
                self.order.push_back(start);
                place.insert(bytes)
            }
        })
    }
}
