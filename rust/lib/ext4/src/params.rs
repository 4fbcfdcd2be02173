//! What the caller decides about an image.

use uuid::fmt::Hyphenated;
use uuid::Uuid;
use zerocopy::little_endian::U32;
use zerocopy::transmute;

use crate::bytes::put;
use crate::error::Error;

/// Bytes in a block.
pub const BLOCK_SIZE: u64 = 4096;
/// Bytes in a MiB.
pub const MIB: u64 = 1 << 20;
/// Blocks in a MiB.
pub(crate) const MIB_BLOCKS: u64 = MIB / BLOCK_SIZE;
/// The latest time that ext4 holds: 34 bits of seconds from 1901 on, in May 2446.
pub(crate) const LAST_TIME: i64 = (3 << 32) + (1 << 31) - 1;
/// 16 TiB.
pub(crate) const MAX_MIB: u64 = 1 << 24;

/// How large the image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// This many MiB.
    Mib(u64),
    /// The fewest MiB that hold the tree and leave this share of the image free, in percent, 98 at most: the inodes for what is free
    /// take more than one of the hundred.
    Smallest {
        /// Free share in percent.
        free_percent: u8,
    },
}

/// Everything that decides the bytes besides the tree. Nothing has a random default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Size of the image.
    pub size: Size,
    /// Identifier of the file system, as `8-4-4-4-12` hexadecimal digits.
    pub uuid: String,
    /// Seed of the directory hash, in the same form.
    pub hash_seed: String,
    /// Volume label of at most 16 bytes, or empty.
    pub label: String,
    /// Time of creation in seconds since 1970, and the latest time of any file.
    pub mtime: i64,
    /// Whether to make a journal; a file system that is only read needs none.
    pub journal: bool,
}

/// [`Params`] that were checked, as the disk has them.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) size: Size,
    pub(crate) uuid: [u8; 16],
    pub(crate) hash_seed: [u8; 16],
    /// Zero-padded.
    pub(crate) label: [u8; 16],
    pub(crate) mtime: i64,
    pub(crate) journal: bool,
}

impl Checked {
    /// The hash seed as the hash takes it.
    pub(crate) fn hash_words(&self) -> [u32; 4] {
        let words: [U32; 4] = transmute!(self.hash_seed);
        words.map(U32::get)
    }
}

impl Params {
    /// Refuses what is out of range.
    pub(crate) fn check(&self) -> Result<Checked, Error> {
        let bad = |name, value: &dyn ToString, want| Error::Param {
            name,
            value: value.to_string(),
            want,
        };
        let want = "a UUID as 8-4-4-4-12 hexadecimal digits, not all zero";
        let uuid = parse_uuid(&self.uuid).ok_or_else(|| bad("uuid", &self.uuid, want))?;
        let seed = &self.hash_seed;
        let hash_seed = parse_uuid(seed).ok_or_else(|| bad("hash seed", seed, want))?;
        if self.label.len() > 16 || self.label.bytes().any(|b| b.is_ascii_control()) {
            let want = "at most 16 bytes without control characters";
            return Err(bad("label", &self.label, want));
        }
        let mut label = [0; 16];
        put(&mut label, self.label.as_bytes());
        if !(0..=LAST_TIME).contains(&self.mtime) {
            let want = "0 to 15032385535, the times that ext4 can hold";
            return Err(bad("mtime", &self.mtime, want));
        }
        match self.size {
            Size::Mib(mib) if mib == 0 || mib > MAX_MIB => {
                return Err(bad("size", &mib, "1 to 16777216 MiB"))
            }
            Size::Smallest { free_percent } if free_percent > 98 => {
                return Err(bad("free percent", &free_percent, "0 to 98"))
            }
            _ => {}
        }
        Ok(Checked {
            size: self.size,
            uuid,
            hash_seed,
            label,
            mtime: self.mtime,
            journal: self.journal,
        })
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let uuid = text.parse().map(Hyphenated::into_uuid).ok()?;
    (!uuid.is_nil()).then(|| Uuid::into_bytes(uuid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::of_size;

    #[test]
    fn uuids() {
        let uuid = parse_uuid("a3b1c2d4-0000-4000-8000-0123456789aF").unwrap();
        assert_eq!(uuid[..5], [0xa3, 0xb1, 0xc2, 0xd4, 0]);
        assert_eq!(uuid[15], 0xaf);
        for bad in [
            "",
            "random",
            "clear",
            "00000000-0000-0000-0000-000000000000",
            "a3b1c2d400004000800001234567890af",
            "a3b1c2d4-0000-4000-8000-0123456789ag",
        ] {
            assert_eq!(parse_uuid(bad), None, "{bad}");
        }
    }

    /// The last of each that is not refused.
    #[test]
    fn as_much_as_can_be() {
        let checked = of_size(Size::Smallest { free_percent: 98 });
        assert_eq!((checked.label, checked.mtime), ([b'x'; 16], LAST_TIME));
        assert_eq!(of_size(Size::Mib(MAX_MIB)).size, Size::Mib(1 << 24));
    }
}
