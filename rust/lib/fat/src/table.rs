//! The allocation table (section 4 of the specification).

use std::ops::Range;

use crate::error::Error;
use crate::geometry::{Geometry, FIRST_CLUSTER};
use crate::params::FatType;

/// The last cluster of a chain.
const END: u32 = 0x0fff_ffff;
/// The two reserved entries: the media byte, and "cleanly unmounted, no errors".
const RESERVED: [u32; 2] = [0x0fff_fff8, 0x0fff_ffff];

/// Gives out clusters, chain by chain.
#[derive(Debug)]
pub(crate) struct Table {
    kind: FatType,
    free: Range<u32>,
    entries: Vec<u32>,
}

impl Table {
    /// A table without chains.
    pub(crate) fn new(geometry: &Geometry) -> Result<Self, Error> {
        let end = geometry.clusters.checked_add(FIRST_CLUSTER);
        Ok(Self {
            kind: geometry.kind,
            free: FIRST_CLUSTER..end.ok_or_else(|| geometry.refusal("too large"))?,
            entries: RESERVED.to_vec(),
        })
    }

    /// Free clusters, and the first of them.
    pub(crate) fn free(&self) -> (u32, u32) {
        let Range { start, end } = self.free;
        (end.abs_diff(start), start)
    }

    /// Adds a chain of `clusters` clusters in one piece; its first cluster, if it has any.
    pub(crate) fn chain(&mut self, clusters: u32) -> Result<Option<u32>, Error> {
        let Range { start: first, end } = self.free;
        let next = first.checked_add(clusters).filter(|next| *next <= end);
        let next = next.ok_or_else(|| Error::TableFull {
            wants: clusters,
            has: end.abs_diff(first),
        })?;
        self.free.start = next;
        if clusters == 0 {
            return Ok(None);
        }
        self.entries.extend((first..next).skip(1));
        self.entries.push(END);
        Ok(Some(first))
    }

    /// The table up to the last cluster in use; what follows is zero.
    pub(crate) fn finish(self) -> Vec<u8> {
        let entries = self.entries.iter();
        match self.kind {
            FatType::Fat32 => entries.flat_map(|entry| entry.to_le_bytes()).collect(),
            FatType::Fat16 => entries.flat_map(|entry| low(*entry)).collect(),
            FatType::Fat12 => self.entries.chunks(2).flat_map(pair).collect(),
        }
    }
}

fn low(entry: u32) -> [u8; 2] {
    let [a, b, _, _] = entry.to_le_bytes();
    [a, b]
}

/// Two entries of 12 bits in three bytes; zero behind the last one.
fn pair(entries: &[u32]) -> [u8; 3] {
    let both = match entries {
        [even, odd] => (even & 0xfff) | ((odd & 0xfff) << 12),
        [even] => even & 0xfff,
        _ => 0,
    };
    let [a, b, c, _] = both.to_le_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::arithmetic_side_effects, reason = "test code")]
    fn entries_of_each_width() {
        let build = |size_mib, kind| {
            let geometry = Geometry::of(size_mib, Some(kind)).unwrap();
            let mut table = Table::new(&geometry).unwrap();
            assert_eq!(table.chain(2).unwrap(), Some(2));
            assert_eq!(table.chain(0).unwrap(), None);
            assert_eq!(table.chain(1).unwrap(), Some(4));
            let (free, next) = table.free();
            assert_eq!((free, next), (geometry.clusters - 3, 5));
            let error = table.chain(free + 1).unwrap_err().to_string();
            let want = format!("{} clusters are wanted, {free} are free", free + 1);
            assert!(error.contains(&want), "{error}");
            table.finish()
        };
        let words = |bytes: Vec<u8>| -> Vec<u32> {
            let words = bytes
                .chunks(4)
                .map(|c| u32::from_le_bytes(c.try_into().unwrap()));
            words.collect()
        };
        let twelve = [0xf8, 0xff, 0xff, 0x03, 0xf0, 0xff, 0xff, 0x0f, 0x00];
        assert_eq!(build(1, FatType::Fat12), twelve);
        let sixteen = [0xf8, 0xff, 0xff, 0xff, 3, 0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(build(8, FatType::Fat16), sixteen);
        let wide = [0x0fff_fff8, 0x0fff_ffff, 3, 0x0fff_ffff, 0x0fff_ffff];
        assert_eq!(words(build(64, FatType::Fat32)), wide);
    }
}
