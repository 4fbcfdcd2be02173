//! Any bytes of a compressed image, without the others.

use std::io;
use std::sync::{Mutex, PoisonError};

use base::{as_u64, as_usize};
use plan::ReadAt;
use zstd::bulk::Decompressor;

use crate::error::Error;
use crate::table::{self, Frame, Table};

/// The largest frame that is read (and written), in decompressed bytes. The format would allow 1 GiB.
pub const MAX_FRAME: u32 = 64 << 20;

/// A compressed image. Several threads may read at once; one decompresses at a time.
///
/// As a [`ReadAt`] it can be the input of a plan, like the image itself.
#[derive(Debug)]
pub struct Reader<R> {
    file: R,
    table: Table,
    /// The frame that was read last.
    last: Mutex<Option<(u64, Vec<u8>)>>,
}

impl<R: ReadAt> Reader<R> {
    /// Opens a compressed file of `len` bytes.
    pub fn open(file: R, len: u64) -> Result<Self, Error> {
        let table = Table::read(&file, len)?;
        let last = Mutex::new(None);
        Ok(Self { file, table, last })
    }

    /// Length of the image.
    #[allow(
        clippy::len_without_is_empty,
        reason = "an image is measured, not asked for being empty"
    )]
    pub fn len(&self) -> u64 {
        self.table.end().1
    }

    /// Fills `buffer` with the image's bytes from `start` on; a range beyond the image is an error.
    pub fn read_at(&self, buffer: &mut [u8], start: u64) -> Result<(), Error> {
        let (len, have) = (as_u64(buffer.len()), self.len());
        if start.checked_add(len).is_none_or(|end| end > have) {
            return Err(Error::OutsideImage { start, len, have });
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = buffer;
        let mut at = start;
        while !rest.is_empty() {
            let Some(frame) = self.table.find(at) else {
                return Err(Error::OutsideImage { start, len, have });
            };
            let bytes = match &mut *last {
                Some((number, bytes)) if *number == frame.number => bytes,
                other => {
                    let bytes = self.decompress(&frame)?;
                    &mut other.insert((frame.number, bytes)).1
                }
            };
            // It has as many as the table says.
            let (_, bytes) = bytes.split_at(as_usize(at.abs_diff(frame.image.start)));
            let take = bytes.len().min(rest.len());
            let (part, after) = rest.split_at_mut(take);
            part.copy_from_slice(bytes.split_at(take).0);
            rest = after;
            at = frame.image.end;
        }
        Ok(())
    }

    /// All bytes of a frame: as many as the table says.
    fn decompress(&self, frame: &Frame) -> Result<Vec<u8>, Error> {
        let size = frame.image.end.abs_diff(frame.image.start);
        if size > MAX_FRAME.into() {
            return Err(Error::LargeFrame {
                frame: frame.number,
                size,
                max: MAX_FRAME,
            });
        }
        let want = as_usize(size);
        let compressed = as_usize(frame.file.end.abs_diff(frame.file.start));
        // Whoever compresses to more than this does not want to be read.
        let most = zstd::zstd_safe::compress_bound(want);
        if compressed.checked_sub(1024).is_some_and(|n| n > most) {
            let reason = format!("{compressed} bytes for {want}");
            return Err(Error::frame(frame.number, reason));
        }
        let mut bytes = vec![0; compressed];
        table::read(&self.file, &mut bytes, frame.file.start)?;
        let failed = |error: io::Error| Error::frame(frame.number, error.to_string());
        let mut zstd = Decompressor::new().map_err(failed)?;
        let mut out = Vec::with_capacity(want);
        zstd.decompress_to_buffer(&bytes, &mut out)
            .map_err(failed)?;
        if out.len() != want {
            let reason = format!("it holds {} bytes, not {want}", out.len());
            return Err(Error::frame(frame.number, reason));
        }
        Ok(out)
    }
}

impl<R: ReadAt> ReadAt for Reader<R> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_at(buffer, offset).map_err(io::Error::other)
    }
}

/// All of a compressed file that is held in memory, up to `limit` bytes: for trying what anybody may have made.
pub fn decompress(bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, Error> {
    let len = as_u64(bytes.len());
    let reader = Reader::open(bytes, len)?;
    let have = reader.len();
    if have > limit {
        return Err(Error::OutsideImage {
            start: 0,
            len: have,
            have: limit,
        });
    }
    let mut out = vec![0; as_usize(have)];
    reader.read_at(&mut out, 0)?;
    Ok(out)
}
