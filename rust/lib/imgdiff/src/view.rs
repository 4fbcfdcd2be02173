//! Images within images.

use std::io::{self, Read, Seek, SeekFrom};

use base::{as_u64, as_usize, past};
use inspect::{Error, Image};

/// A stretch of an image.
pub(crate) struct Stretch<'a> {
    image: &'a dyn Image,
    start: u64,
    len: u64,
}

impl<'a> Stretch<'a> {
    /// `len` bytes from `start` on, or as many as there are.
    pub(crate) fn new(image: &'a dyn Image, start: u64, len: u64) -> Self {
        // Behind the end there is nothing, here and below.
        let rest = image.len().saturating_sub(start);
        let len = len.min(rest);
        Self { image, start, len }
    }

    fn outside(&self, at: u64, len: u64) -> Error {
        let have = self.len;
        Error::Outside { at, len, have }
    }
}

impl Image for Stretch<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error> {
        let len = as_u64(buffer.len());
        let end = at.checked_add(len).filter(|end| *end <= self.len);
        let from = end.and_then(|_| self.start.checked_add(at));
        self.image
            .read_at(buffer, from.ok_or_else(|| self.outside(at, len))?)
    }

    fn zeros(&self, at: u64) -> u64 {
        let rest = self.len.saturating_sub(at);
        let from = self.start.checked_add(at);
        from.map_or(0, |from| self.image.zeros(from)).min(rest)
    }

    fn stored(&self) -> u64 {
        self.image.stored().min(self.len)
    }
}

/// Up to `most` bytes of an image from its start.
pub(crate) fn head(image: &dyn Image, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; as_usize(image.len().min(most))];
    image.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// An image as a file that is read from one end to the other.
pub(crate) struct Cursor<'a> {
    image: &'a dyn Image,
    at: u64,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(image: &'a dyn Image) -> Self {
        Self { image, at: 0 }
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.image.len().saturating_sub(self.at);
        let len = as_usize(rest).min(buffer.len());
        let Some(part) = buffer.get_mut(..len) else {
            return Ok(0);
        };
        self.image
            .read_at(part, self.at)
            .map_err(io::Error::other)?;
        self.at = past(self.at, len);
        Ok(len)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let found = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.image.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = found.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
