//! Compressing an image by all cores.

use std::num::NonZeroUsize;
use std::ops::Range;

use base::{as_u64, as_usize, parallel};
use plan::{Piece, ReadAt, Reader as Image};
use zstd::bulk::Compressor;

use crate::error::Error;
use crate::read::MAX_FRAME;
use crate::table::{Written, MAX_FRAMES};

/// What all threads may take together, roughly.
const MEMORY: u64 = 256 << 20;

/// What decides the bytes, besides the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// zstd's compression level, from 1.
    pub level: i32,
    /// How much of the image is in a frame: what must be decompressed to read a byte.
    pub frame_size: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            level: zstd::DEFAULT_COMPRESSION_LEVEL,
            frame_size: 4 << 20,
        }
    }
}

impl Params {
    /// How many of `threads` may work so that together they stay within [`MEMORY`].
    fn threads(self, threads: NonZeroUsize) -> NonZeroUsize {
        // Measured with frames of 4 MiB, which the tables of a context depend on.
        let context: u32 = match self.level {
            ..=3 => 3 << 20,
            4..=9 => 14 << 20,
            10.. => 72 << 20,
        };
        let each = [self.frame_size, self.frame_size, context].map(u64::from);
        let most = MEMORY.checked_div(each.iter().sum());
        let most = most.map(as_usize).and_then(NonZeroUsize::new);
        // One works even if it takes more.
        threads.min(most.unwrap_or(NonZeroUsize::MIN))
    }

    fn check(self, len: u64) -> Result<(), Error> {
        let Self { level, frame_size } = self;
        // Those below trade size for speed, which disks and networks are too slow for; 0 is another word for 3.
        let (min, max) = (1, *zstd::compression_level_range().end());
        if !(min..=max).contains(&level) {
            return Err(Error::Level { level, min, max });
        }
        if !(1..=MAX_FRAME).contains(&frame_size) {
            let (size, max) = (frame_size, MAX_FRAME);
            return Err(Error::FrameSize { size, max });
        }
        if len.div_ceil(u64::from(frame_size)) > u64::from(MAX_FRAMES) {
            return Err(Error::TooManyFrames { max: MAX_FRAMES });
        }
        Ok(())
    }
}

/// Gives `sink` the compressed image, piece by piece and in order. The bytes do not depend on the number of threads, which is
/// at most `threads`: fewer if they would take more than about 256 MiB (at high levels each takes 80).
///
/// The sink is told after each piece, too, how much of the image has passed.
pub fn compress<R, E>(
    image: &Image<R>,
    params: Params,
    threads: NonZeroUsize,
    mut sink: impl FnMut(&[u8], u64) -> Result<(), E> + Send,
) -> Result<(), E>
where
    R: ReadAt + Sync,
    E: From<Error> + From<plan::Error> + Send,
{
    let len = image.len();
    params.check(len)?;
    let size = u64::from(params.frame_size);
    let starts = (0..len).step_by(as_usize(size));
    let frames = starts.map(|start| {
        let end = start.checked_add(size).filter(|end| *end < len);
        start..end.unwrap_or(len)
    });
    let (table, _) = parallel::in_order(
        params.threads(threads),
        frames,
        (Written::default(), &mut sink),
        || Ok(Frames::new(params)?),
        |range, local| local.frame(image, range),
        |(table, sink), range, local| {
            let frame = local.current();
            let small = |n| {
                let (size, max) = (params.frame_size, MAX_FRAME);
                u32::try_from(n).map_err(|_| Error::FrameSize { size, max })
            };
            let image = range.end.abs_diff(range.start);
            table.push(small(as_u64(frame.len()))?, small(image)?);
            sink(frame, range.end)
        },
    )?;
    sink(&table.encode()?, len)
}

/// One thread's compressor and buffers.
struct Frames {
    zstd: Compressor<'static>,
    bytes: Vec<u8>,
    frame: Vec<u8>,
    /// Length of a frame of zeros, and the frame: most of a sparse image is this one.
    zeros: Option<(u64, Vec<u8>)>,
    is_zeros: bool,
}

impl Frames {
    fn new(params: Params) -> Result<Self, Error> {
        let failed = |source| Error::Compress { source };
        let mut zstd = Compressor::new(params.level).map_err(failed)?;
        zstd.include_checksum(true).map_err(failed)?;
        Ok(Self {
            zstd,
            bytes: Vec::new(),
            frame: Vec::new(),
            zeros: None,
            is_zeros: false,
        })
    }

    fn frame<R, E>(&mut self, image: &Image<R>, range: &Range<u64>) -> Result<(), E>
    where
        R: ReadAt,
        E: From<Error> + From<plan::Error>,
    {
        let len = range.end.abs_diff(range.start);
        let mut extents = image.plan().extents_in(range.start, len)?;
        self.is_zeros = extents.all(|extent| extent.piece == Piece::Zero);
        if self.is_zeros && self.zeros.as_ref().is_some_and(|(zeros, _)| *zeros == len) {
            return Ok(());
        }
        self.bytes.resize(as_usize(len), 0);
        image.read_at(&mut self.bytes, range.start)?;
        self.frame.clear();
        self.frame
            .reserve(zstd::zstd_safe::compress_bound(self.bytes.len()));
        let done = self.zstd.compress_to_buffer(&self.bytes, &mut self.frame);
        done.map_err(|source| Error::Compress { source })?;
        if self.is_zeros {
            self.zeros = Some((len, self.frame.clone()));
        }
        Ok(())
    }

    fn current(&self) -> &[u8] {
        match &self.zeros {
            Some((_, frame)) if self.is_zeros => frame,
            _ => &self.frame,
        }
    }
}
