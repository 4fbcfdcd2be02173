//! The seek table: where each frame starts, in the file and in the image.

use plan::ReadAt;

use crate::error::Error;

/// Magic number of the skippable frame that the table is in.
const SKIPPABLE: u32 = 0x184D_2A5E;
/// The last four bytes of a seekable file.
const SEEKABLE: u32 = 0x8F92_EAB1;
/// How many frames the format allows.
pub(crate) const MAX_FRAMES: u32 = 0x0800_0000;

const HEADER: u64 = 8;
const FOOTER: u64 = 9;
/// Bit of the descriptor: entries have a checksum.
const CHECKSUMS: u8 = 0x80;
/// Bits of the descriptor that must be zero.
const RESERVED: u8 = 0x7c;

/// Sizes of frames, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Where each frame ends: in the file, in the image.
    ends: Vec<(u64, u64)>,
}

/// One frame of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) number: u64,
    /// Where its compressed bytes start, and how many they are.
    pub(crate) at: u64,
    pub(crate) compressed: u32,
    /// Where in the image its bytes start, and how many they are.
    pub(crate) start: u64,
    pub(crate) size: u32,
}

impl Table {
    /// Adds a frame.
    pub(crate) fn push(&mut self, compressed: u32, size: u32) -> Result<(), Error> {
        if u32::try_from(self.ends.len()).is_ok_and(|len| len < MAX_FRAMES) {
            let (at, start) = self.end();
            // At most 2^27 frames of less than 2^32 bytes.
            let at = at.saturating_add(u64::from(compressed));
            let start = start.saturating_add(u64::from(size));
            self.ends.push((at, start));
            return Ok(());
        }
        Err(Error::TooManyFrames { max: MAX_FRAMES })
    }

    /// How many compressed bytes there are, and how many the image has.
    pub(crate) fn end(&self) -> (u64, u64) {
        self.ends.last().copied().unwrap_or_default()
    }

    /// The frame that byte `start` of the image is in.
    pub(crate) fn find(&self, start: u64) -> Option<Frame> {
        let index = self.ends.partition_point(|(_, end)| *end <= start);
        let (end_at, end) = *self.ends.get(index)?;
        let before = index
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let (at, start) = before.copied().unwrap_or_default();
        Some(Frame {
            number: u64::try_from(index).unwrap_or(u64::MAX),
            at,
            compressed: u32::try_from(end_at.saturating_sub(at)).unwrap_or(u32::MAX),
            start,
            size: u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX),
        })
    }

    /// The skippable frame that ends the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // At most 2^27 entries of 8 bytes, by `push`.
        let frames = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        let size = frames.saturating_mul(8).saturating_add(9);
        let mut out = Vec::new();
        out.extend_from_slice(&SKIPPABLE.to_le_bytes());
        out.extend_from_slice(&size.to_le_bytes());
        let mut before = (0u64, 0u64);
        for (at, end) in &self.ends {
            for n in [at.saturating_sub(before.0), end.saturating_sub(before.1)] {
                let n = u32::try_from(n).unwrap_or(u32::MAX);
                out.extend_from_slice(&n.to_le_bytes());
            }
            before = (*at, *end);
        }
        out.extend_from_slice(&frames.to_le_bytes());
        out.push(0);
        out.extend_from_slice(&SEEKABLE.to_le_bytes());
        out
    }

    /// Reads the table of a file of `len` bytes that anybody may have made: memory is taken only for entries that are there.
    pub(crate) fn read(file: &impl ReadAt, len: u64) -> Result<Self, Error> {
        let foot = len.checked_sub(FOOTER).filter(|foot| *foot >= HEADER);
        let foot = foot.ok_or_else(|| Error::format(0, "too short for a seek table"))?;
        let footer: [u8; 9] = array(file, foot)?;
        let [n0, n1, n2, n3, descriptor, m0, m1, m2, m3] = footer;
        if u32::from_le_bytes([m0, m1, m2, m3]) != SEEKABLE {
            let at = foot.saturating_add(5);
            return Err(Error::format(
                at,
                "the magic number of a seek table is missing",
            ));
        }
        if descriptor & RESERVED != 0 {
            let reason = format!("seek table descriptor {descriptor:#04x} has reserved bits");
            return Err(Error::format(foot.saturating_add(4), reason));
        }
        let frames = u32::from_le_bytes([n0, n1, n2, n3]);
        let entry: u32 = if descriptor & CHECKSUMS != 0 { 12 } else { 8 };
        let entries = u64::from(frames).saturating_mul(u64::from(entry));
        let start = foot
            .checked_sub(entries)
            .and_then(|start| start.checked_sub(HEADER))
            .filter(|_| frames <= MAX_FRAMES);
        let start = start.ok_or_else(|| {
            let reason = format!("a seek table of {frames} frames does not fit");
            Error::format(foot, reason)
        })?;
        let [s0, s1, s2, s3, z0, z1, z2, z3] = array(file, start)?;
        if u32::from_le_bytes([s0, s1, s2, s3]) != SKIPPABLE
            || u64::from(u32::from_le_bytes([z0, z1, z2, z3])) != entries.saturating_add(FOOTER)
        {
            let reason = "no skippable frame of the seek table's size starts here";
            return Err(Error::format(start, reason));
        }
        let table = Self::entries(file, start.saturating_add(HEADER), foot, entry)?;
        let (end, _) = table.end();
        if end != start {
            let reason = format!("by the seek table, frames end at byte {end}");
            return Err(Error::format(start, reason));
        }
        Ok(table)
    }

    /// The entries between two places of a file, each of `size` bytes.
    fn entries(file: &impl ReadAt, start: u64, end: u64, size: u32) -> Result<Self, Error> {
        let mut table = Self::default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut buffer = vec![0; size.saturating_mul(4096)];
        let mut at = start;
        while let Some(left) = end.checked_sub(at).filter(|left| *left > 0) {
            let take = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let part = buffer.get_mut(..take).unwrap_or_default();
            read(file, part, at)?;
            for entry in part.chunks_exact(size) {
                // The checksum of an entry repeats what a frame has of its own.
                if let [c0, c1, c2, c3, d0, d1, d2, d3, ..] = *entry {
                    let compressed = u32::from_le_bytes([c0, c1, c2, c3]);
                    table.push(compressed, u32::from_le_bytes([d0, d1, d2, d3]))?;
                }
            }
            at = at.saturating_add(u64::try_from(take).unwrap_or(u64::MAX));
        }
        Ok(table)
    }
}

fn array<const N: usize>(file: &impl ReadAt, at: u64) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    read(file, &mut bytes, at)?;
    Ok(bytes)
}

pub(crate) fn read(file: &impl ReadAt, buffer: &mut [u8], at: u64) -> Result<(), Error> {
    file.read_exact_at(buffer, at).map_err(|source| Error::Io {
        at,
        len: u64::try_from(buffer.len()).unwrap_or(u64::MAX),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_specified() {
        let mut table = Table::default();
        table.push(0x0102, 0x1000).unwrap();
        table.push(5, 3).unwrap();
        let want = [
            &[0x5e, 0x2a, 0x4d, 0x18, 25, 0, 0, 0][..],
            &[2, 1, 0, 0, 0, 0x10, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0],
            &[2, 0, 0, 0, 0, 0xb1, 0xea, 0x92, 0x8f],
        ];
        assert_eq!(table.encode(), want.concat());
        let frame = |number, at, compressed, start, size| Frame {
            number,
            at,
            compressed,
            start,
            size,
        };
        assert_eq!(table.find(0xfff), Some(frame(0, 0, 0x102, 0, 0x1000)));
        assert_eq!(table.find(0x1000), Some(frame(1, 0x102, 5, 0x1000, 3)));
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
