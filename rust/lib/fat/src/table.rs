//! The allocation table (section 4 of the specification).

use crate::params::FatType;

/// Builds a table entry by entry.
#[derive(Debug)]
pub(crate) struct Table {
    kind: FatType,
    bytes: Vec<u8>,
    /// FAT12: the even entry that waits for its odd neighbour.
    half: Option<u16>,
    entries: u32,
}

impl Table {
    /// A table with its two reserved entries.
    pub(crate) fn new(kind: FatType) -> Self {
        let mut table = Self {
            kind,
            bytes: Vec::new(),
            half: None,
            entries: 0,
        };
        // The media byte, and "cleanly unmounted, no errors".
        table.push(0x0fff_fff8);
        table.push(0x0fff_ffff);
        table
    }

    /// Clusters used, the reserved two included: the number of the next free one.
    pub(crate) fn next(&self) -> u32 {
        self.entries
    }

    /// Adds a chain of `clusters` clusters in one piece.
    pub(crate) fn chain(&mut self, clusters: u32) {
        for left in (0..clusters).rev() {
            let next = self.entries.saturating_add(1);
            self.push(if left == 0 { 0x0fff_ffff } else { next });
        }
    }

    fn push(&mut self, value: u32) {
        let [a, b, _, _] = value.to_le_bytes();
        let low = u16::from_le_bytes([a, b]);
        match self.kind {
            FatType::Fat32 => self.bytes.extend(value.to_le_bytes()),
            FatType::Fat16 => self.bytes.extend([a, b]),
            FatType::Fat12 => match self.half.take() {
                None => self.half = Some(low & 0xfff),
                Some(even) => self.pair(even, low & 0xfff),
            },
        }
        self.entries = self.entries.saturating_add(1);
    }

    /// Two entries of 12 bits in three bytes.
    fn pair(&mut self, even: u16, odd: u16) {
        let both = u32::from(even) | (u32::from(odd) << 12);
        let [a, b, c, _] = both.to_le_bytes();
        self.bytes.extend([a, b, c]);
    }

    /// The table up to the last cluster in use; what follows is zero.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if let Some(even) = self.half.take() {
            self.pair(even, 0);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_each_width() {
        let build = |kind| {
            let mut table = Table::new(kind);
            table.chain(2);
            table.chain(0);
            table.chain(1);
            assert_eq!(table.next(), 5);
            table.finish()
        };
        let words = |bytes: Vec<u8>| -> Vec<u32> {
            let words = bytes
                .chunks(4)
                .map(|c| u32::from_le_bytes(c.try_into().unwrap()));
            words.collect()
        };
        let twelve = [0xf8, 0xff, 0xff, 0x03, 0xf0, 0xff, 0xff, 0x0f, 0x00];
        assert_eq!(build(FatType::Fat12), twelve);
        let sixteen = [0xf8, 0xff, 0xff, 0xff, 3, 0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(build(FatType::Fat16), sixteen);
        let wide = [0x0fff_fff8, 0x0fff_ffff, 3, 0x0fff_ffff, 0x0fff_ffff];
        assert_eq!(words(build(FatType::Fat32)), wide);
    }
}
