//! What the caller decides about an image.

use crate::error::Error;

/// Bytes in a block.
pub const BLOCK_SIZE: u64 = 4096;
/// Bytes in a MiB.
pub const MIB: u64 = 1 << 20;
/// Blocks in a MiB.
pub(crate) const MIB_BLOCKS: u64 = MIB / BLOCK_SIZE;

/// How large the image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// This many MiB.
    Mib(u64),
    /// The fewest MiB that hold the tree and leave this share of the image free, in percent below 100.
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

impl Params {
    /// Refuses what mke2fs would refuse or, worse, read as something else.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let bad = |name, value: &dyn ToString, want| Error::Param {
            name,
            value: value.to_string(),
            want,
        };
        for (name, value) in [("uuid", &self.uuid), ("hash seed", &self.hash_seed)] {
            if !is_uuid(value) {
                let want = "a UUID as 8-4-4-4-12 hexadecimal digits, not all zero";
                return Err(bad(name, value, want));
            }
        }
        if self.label.len() > 16 || self.label.bytes().any(|b| b.is_ascii_control()) {
            let want = "at most 16 bytes without control characters";
            return Err(bad("label", &self.label, want));
        }
        if !(0..1i64 << 34).contains(&self.mtime) {
            let want = "0 to 2^34-1, the times that ext4 can hold";
            return Err(bad("mtime", &self.mtime, want));
        }
        match self.size {
            Size::Mib(mib) if mib == 0 || mib > MAX_MIB => {
                Err(bad("size", &mib, "1 to 16777216 MiB"))
            }
            Size::Smallest { free_percent } if free_percent > 99 => {
                Err(bad("free percent", &free_percent, "0 to 99"))
            }
            _ => Ok(()),
        }
    }
}

/// 16 TiB: what 32-bit block numbers reach.
pub(crate) const MAX_MIB: u64 = 1 << 24;

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lens: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let hex = |group: &&str| group.bytes().all(|b| b.is_ascii_hexdigit());
    lens == [8, 4, 4, 4, 12] && groups.iter().all(hex) && text.bytes().any(|b| !b"0-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids() {
        assert!(is_uuid("a3b1c2d4-0000-4000-8000-0123456789aF"));
        for bad in [
            "",
            "random",
            "clear",
            "00000000-0000-0000-0000-000000000000",
            "a3b1c2d400004000800001234567890af",
            "a3b1c2d4-0000-4000-8000-0123456789ag",
        ] {
            assert!(!is_uuid(bad), "{bad}");
        }
    }
}
