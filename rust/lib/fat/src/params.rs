//! What the caller decides about an image.

use crate::error::Error;

/// Width of the allocation table's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FatType {
    /// Up to 4084 clusters.
    Fat12,
    /// Up to 65524 clusters.
    Fat16,
    /// More.
    Fat32,
}

/// Everything that decides the bytes besides the tree. Nothing has a random default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Size of the image in MiB.
    pub size_mib: u64,
    /// Kind of FAT; nothing: FAT12 below 4 MiB, FAT16 below 512 MiB, FAT32 from there.
    pub fat_type: Option<FatType>,
    /// Serial number of the volume.
    pub volume_id: u32,
    /// Volume label of at most 11 capital letters, digits and signs, or empty.
    pub label: String,
    /// Time of every entry in seconds since 1970, cut to what FAT can say: 1980 to 2107, even seconds, in UTC.
    pub mtime: i64,
}

impl Params {
    /// The label as the image holds it, if there is one.
    pub(crate) fn check(&self) -> Result<Option<[u8; 11]>, Error> {
        // 2^32 sectors of 512 bytes are 2 TiB.
        if self.size_mib == 0 || self.size_mib >= 1 << 21 {
            return Err(Error::Param {
                name: "size",
                value: self.size_mib.to_string(),
                want: "1 to 2097151 MiB",
            });
        }
        self.label()
    }

    pub(crate) fn bad_mtime(&self) -> Error {
        Error::Param {
            name: "mtime",
            value: self.mtime.to_string(),
            want: "a time before the year 2108",
        }
    }

    fn label(&self) -> Result<Option<[u8; 11]>, Error> {
        let sign = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b" -_".contains(b);
        let label = self.label.as_bytes();
        let spaces = label.starts_with(b" ") || label.ends_with(b" ");
        if label.len() > 11 || !label.iter().all(sign) || spaces || self.label == "NO NAME" {
            return Err(Error::Param {
                name: "label",
                value: self.label.clone(),
                want: "at most 11 of A-Z, 0-9, '-', '_' and inner spaces, and not NO NAME",
            });
        }
        let mut padded = [b' '; 11];
        for (to, from) in padded.iter_mut().zip(label) {
            *to = *from;
        }
        Ok((!label.is_empty()).then_some(padded))
    }
}
