//! The mark of an installation that is under way.
//!
//! It lies in the disk's second sector, where the header of a partition table is. Writing it therefore ends the table that was there, and
//! writing the new table's header, the last thing that an installation writes, ends the mark: a disk has one or the other, at every
//! instant, since a disk writes a sector whole. What has the mark never passes for a whole installation, and an installation that is
//! started again knows by it that the disk is its own, and what was to be kept.
//!
//! | bytes | what                                                                     |
//! |------:|--------------------------------------------------------------------------|
//! |     0 | `IC-OS installation under way\n`                                         |
//! |    29 | JSON: `format` 2, `disk` its bytes, `keep` a list of ranges, `table` the SHA-256 of the tables to come, `formats` of the data that are kept |
//! |       | `\n`, the SHA-256 of all before it in 64 digits, `\n`, zeros             |

use std::ops::Range;

use base::{as_usize, Sha256Digest};
use partitions::SECTOR;
use serde::{Deserialize, Serialize};

use super::formats::Formats;

/// Where it is.
pub(crate) const AT: u64 = SECTOR;
const MAGIC: &[u8] = b"IC-OS installation under way\n";
const FORMAT: u32 = 2;

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Marker {
    format: u32,
    /// Bytes of the disk.
    pub(crate) disk: u64,
    /// Ranges of the disk that are kept.
    pub(crate) keep: Vec<Range<u64>>,
    /// Of the places of all partitions.
    pub(crate) table: Sha256Digest,
    /// What the systems said that kept data there: they are overwritten.
    pub(crate) formats: Formats,
}

impl Marker {
    pub(crate) fn new(
        disk: u64,
        keep: Vec<Range<u64>>,
        table: Sha256Digest,
        formats: Formats,
    ) -> Self {
        Self {
            format: FORMAT,
            disk,
            keep,
            table,
            formats,
        }
    }

    /// The sector.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let json = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        let mut bytes = [MAGIC, &json, b"\n"].concat();
        let sum = Sha256Digest::of(&bytes).to_string();
        bytes.extend_from_slice(sum.as_bytes());
        bytes.push(b'\n');
        if bytes.len() > as_usize(SECTOR) {
            return Err(format!("a mark of {} bytes, want {SECTOR}", bytes.len()));
        }
        bytes.resize(as_usize(SECTOR), 0);
        Ok(bytes)
    }

    /// The mark in a sector, if it is one; anything else, of a later format too, is none.
    pub(crate) fn parse(sector: &[u8]) -> Option<Self> {
        let rest = sector.strip_prefix(MAGIC)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (json, rest) = rest.split_at_checked(end)?;
        let summed = sector.get(..MAGIC.len().checked_add(end)?.checked_add(1)?)?;
        let sum = Sha256Digest::of(summed).to_string();
        let marker: Self = serde_json::from_slice(json).ok()?;
        let whole = rest.strip_prefix(b"\n")?.starts_with(sum.as_bytes());
        (whole && marker.format == FORMAT).then_some(marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let far = 1 << 62;
        let formats = r#"{"host": {"config": 1}, "guest": {"config": 10, "replica": 20}}"#;
        let formats: Formats = serde_json::from_str(formats).unwrap();
        let digest = Sha256Digest::of("x");
        let marker = Marker::new(far, vec![0..far, far..far + 1], digest, formats.clone());
        let bytes = marker.to_bytes().unwrap();
        assert_eq!(bytes.len(), 512);
        assert_eq!(Marker::parse(&bytes), Some(marker.clone()));
        // Each byte of it counts.
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        for at in 0..end {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(Marker::parse(&bad), None, "{at}");
        }
        for bad in [&b""[..], MAGIC, b"EFI PART", &bytes[..100]] {
            assert_eq!(Marker::parse(bad), None);
        }
        let too_many = Marker::new(far, vec![far..far; 9], digest, formats);
        assert!(too_many.to_bytes().is_err());
    }
}
