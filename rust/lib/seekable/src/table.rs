//! The seek table: where each frame starts, in the file and in the image.

use std::ops::Range;

use base::{as_u64, as_usize};
use plan::ReadAt;
use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::Error;

/// Magic number of the skippable frame that the table is in.
const SKIPPABLE: u32 = 0x184D_2A5E;
/// The last four bytes of a seekable file.
const SEEKABLE: u32 = 0x8F92_EAB1;
/// How many frames the format allows.
pub(crate) const MAX_FRAMES: u32 = 0x0800_0000;

/// How the skippable frame begins.
#[derive(FromBytes, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Head {
    magic: U32,
    /// Bytes of entries and [`Foot`].
    size: U32,
}

/// An entry, one for each frame; a checksum may follow, which repeats what a frame has of its own.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Row {
    compressed: U32,
    decompressed: U32,
}

/// What ends the file.
#[derive(FromBytes, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Foot {
    frames: U32,
    descriptor: u8,
    magic: U32,
}

const HEAD: u64 = as_u64(size_of::<Head>());
const FOOT: u64 = as_u64(size_of::<Foot>());
const _: () = assert!(HEAD == 8 && FOOT == 9 && size_of::<Row>() == 8);

/// Bit of the descriptor: entries have a checksum.
const CHECKSUMS: u8 = 0x80;
/// Bits of the descriptor that must be zero.
const RESERVED: u8 = 0x7c;

/// The table of frames that are being written.
#[derive(Default)]
pub(crate) struct Written(Vec<Row>);

impl Written {
    /// Adds a frame.
    pub(crate) fn push(&mut self, compressed: u32, size: u32) {
        self.0.push(Row {
            compressed: compressed.into(),
            decompressed: size.into(),
        });
    }

    /// The skippable frame that ends the file.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        let too_many = Error::TooManyFrames { max: MAX_FRAMES };
        let Some(frames) = u32::try_from(self.0.len())
            .ok()
            .filter(|n| *n <= MAX_FRAMES)
        else {
            return Err(too_many);
        };
        let foot = Foot {
            frames: frames.into(),
            descriptor: 0,
            magic: SEEKABLE.into(),
        };
        let rest = [self.0.as_bytes(), foot.as_bytes()].concat();
        let Ok(size) = u32::try_from(rest.len()) else {
            return Err(too_many);
        };
        let head = Head {
            magic: SKIPPABLE.into(),
            size: size.into(),
        };
        Ok([head.as_bytes(), &rest].concat())
    }
}

/// Where the frames of a file are, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Where each frame ends: in the file, in the image.
    ends: Vec<(u64, u64)>,
}

/// One frame of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) number: u64,
    /// Where its compressed bytes lie in the file.
    pub(crate) file: Range<u64>,
    /// Where its bytes lie in the image.
    pub(crate) image: Range<u64>,
}

impl Table {
    fn push(&mut self, row: &Row) -> Option<()> {
        let (at, start) = self.end();
        let at = at.checked_add(row.compressed.into())?;
        let start = start.checked_add(row.decompressed.into())?;
        self.ends.push((at, start));
        Some(())
    }

    /// How many compressed bytes there are, and how many the image has.
    pub(crate) fn end(&self) -> (u64, u64) {
        match self.ends.last() {
            Some(end) => *end,
            None => (0, 0),
        }
    }

    /// The frame that byte `start` of the image is in.
    pub(crate) fn find(&self, start: u64) -> Option<Frame> {
        let index = self.ends.partition_point(|(_, end)| *end <= start);
        let (before, rest) = self.ends.split_at(index);
        let (end_at, end) = *rest.first()?;
        let (at, start) = match before.last() {
            Some(end) => *end,
            None => (0, 0),
        };
        Some(Frame {
            number: as_u64(index),
            file: at..end_at,
            image: start..end,
        })
    }

    /// Reads the table of a file of `len` bytes that anybody may have made: memory is taken only for entries that are there.
    pub(crate) fn read(file: &impl ReadAt, len: u64) -> Result<Self, Error> {
        let foot_at = len.checked_sub(FOOT).filter(|foot| *foot >= HEAD);
        let foot_at = foot_at.ok_or_else(|| Error::format(0, "too short for a seek table"))?;
        let foot: Foot = fixed(file, foot_at)?;
        // There are so many bytes, and more.
        let before_end = |n| len.abs_diff(n);
        if foot.magic != SEEKABLE {
            let reason = "the magic number of a seek table is missing";
            return Err(Error::format(before_end(4), reason));
        }
        let descriptor = foot.descriptor;
        if descriptor & RESERVED != 0 {
            let reason = format!("seek table descriptor {descriptor:#04x} has reserved bits");
            return Err(Error::format(before_end(5), reason));
        }
        let frames = foot.frames.get();
        let row: u64 = if descriptor & CHECKSUMS != 0 { 12 } else { 8 };
        let parts = || {
            let rows = u64::from(frames).checked_mul(row)?;
            let rows_at = foot_at.checked_sub(rows)?;
            let head_at = rows_at.checked_sub(HEAD).filter(|_| frames <= MAX_FRAMES)?;
            Some((head_at, rows_at, rows.checked_add(FOOT)?))
        };
        let (head_at, rows_at, size) = parts().ok_or_else(|| {
            let reason = format!("a seek table of {frames} frames does not fit");
            Error::format(foot_at, reason)
        })?;
        let head: Head = fixed(file, head_at)?;
        if head.magic != SKIPPABLE || u64::from(head.size) != size {
            let reason = "no skippable frame of the seek table's size starts here";
            return Err(Error::format(head_at, reason));
        }
        let table = Self::rows(file, rows_at..foot_at, row)?;
        let (end, _) = table.end();
        if end != head_at {
            let reason = format!("by the seek table, frames end at byte {end}");
            return Err(Error::format(head_at, reason));
        }
        Ok(table)
    }

    /// The entries between two places of a file, each of `size` bytes.
    fn rows(file: &impl ReadAt, place: Range<u64>, size: u64) -> Result<Self, Error> {
        let mut table = Self::default();
        let mut buffer = vec![0; as_usize(size << 12)];
        for at in place.clone().step_by(buffer.len()) {
            let take = buffer.len().min(as_usize(place.end.abs_diff(at)));
            let (part, _) = buffer.split_at_mut(take);
            read(file, part, at)?;
            for entry in part.chunks_exact(as_usize(size)) {
                let row = Row::ref_from_prefix(entry).ok();
                row.and_then(|(row, _)| table.push(row))
                    .ok_or_else(|| Error::format(at, "an entry of the seek table is too large"))?;
            }
        }
        Ok(table)
    }
}

fn fixed<T: FromBytes + IntoBytes>(file: &impl ReadAt, at: u64) -> Result<T, Error> {
    let mut value = T::new_zeroed();
    read(file, value.as_mut_bytes(), at)?;
    Ok(value)
}

pub(crate) fn read(file: &impl ReadAt, buffer: &mut [u8], at: u64) -> Result<(), Error> {
    file.read_exact_at(buffer, at).map_err(|source| Error::Io {
        at,
        len: as_u64(buffer.len()),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_specified() {
        let mut table = Written::default();
        table.push(0x0102, 0x1000);
        table.push(5, 3);
        let want = [
            &[0x5e, 0x2a, 0x4d, 0x18, 25, 0, 0, 0][..],
            &[2, 1, 0, 0, 0, 0x10, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0],
            &[2, 0, 0, 0, 0, 0xb1, 0xea, 0x92, 0x8f],
        ];
        assert_eq!(table.encode().unwrap(), want.concat());
        let bytes = [&[9; 0x107][..], &want.concat()].concat();
        let table = Table::read(&bytes, as_u64(bytes.len())).unwrap();
        let frame = |number, file, image| Frame {
            number,
            file,
            image,
        };
        assert_eq!(table.find(0xfff), Some(frame(0, 0..0x102, 0..0x1000)));
        let second = frame(1, 0x102..0x107, 0x1000..0x1003);
        assert_eq!(table.find(0x1000), Some(second));
        assert_eq!(table.find(0x1003), None);
    }

    #[test]
    fn a_table_with_checksums() {
        let bytes = [
            &[9u8; 7][..],
            &[0x5e, 0x2a, 0x4d, 0x18, 21, 0, 0, 0],
            &[7, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3, 4],
            &[1, 0, 0, 0, 0x80, 0xb1, 0xea, 0x92, 0x8f],
        ]
        .concat();
        let table = Table::read(&bytes, 36).unwrap();
        assert_eq!(table.end(), (7, 9));
    }
}
