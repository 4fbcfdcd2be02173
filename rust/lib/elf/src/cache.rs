//! `/etc/ld.so.cache`: which libraries `ldconfig` found, and where.
//!
//! The form is glibc's `struct cache_file_new`. All integers in the byte order of the machine, little-endian here; positions of texts count
//! from the start of the file.
//!
//! | offset | size | field          |                                   |
//! |-------:|-----:|----------------|-----------------------------------|
//! |      0 |   20 | magic, version | `glibc-ld.so.cache1.1`            |
//! |     20 |    4 | `nlibs`        | how many entries                  |
//! |     48 |   24 | an entry       | `flags`, `key`, `value` (4 bytes each), `osversion`, `hwcap` |

use std::collections::BTreeMap;

use base::{as_u64, as_usize};

use crate::error::Error;
use crate::read::text;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// The libraries of a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// Paths by the name that programs ask for, in the order of the cache.
    libraries: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl Cache {
    /// Reads `bytes`, all of the file.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Error::CacheForm)?;
        let (count, _) = rest.split_first_chunk().ok_or(Error::CacheForm)?;
        let count = u32::from_le_bytes(*count);
        let entries = bytes.get(HEADER..).unwrap_or_default().chunks_exact(ENTRY);
        let have = as_u64(entries.len());
        if have < u64::from(count) {
            let what = "the list of libraries";
            let at = count.into();
            return Err(Error::Beyond { what, at, have });
        }
        let mut cache = Self::default();
        for entry in entries.take(as_usize(count)) {
            let (Some(key), Some(value)) = (number(entry, 4), number(entry, 8)) else {
                continue;
            };
            let paths = cache.libraries.entry(text(bytes, key)?).or_default();
            paths.push(text(bytes, value)?);
        }
        Ok(cache)
    }

    /// Where the library `name` is, the place to be preferred first.
    pub fn find(&self, name: &[u8]) -> &[Vec<u8>] {
        self.libraries.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The number at `at` of an entry.
fn number(entry: &[u8], at: usize) -> Option<u64> {
    let bytes = entry.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache of one library.
    fn cache() -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(1u32.to_le_bytes());
        bytes.resize(HEADER, 0);
        for number in [0x303u32, 72, 82, 0, 0, 0] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(b"liba.so.1\0/lib/liba.so.1\0");
        bytes
    }

    #[test]
    fn one_library() {
        let cache = Cache::read(&cache()).unwrap();
        assert_eq!(cache.find(b"liba.so.1"), [b"/lib/liba.so.1".to_vec()]);
        assert!(cache.find(b"liba.so").is_empty());
    }

    #[test]
    fn refused() {
        let mut many = cache();
        many[20] = 3;
        let mut cut = cache();
        cut.pop();
        for (bytes, want) in [
            (
                many,
                "the list of libraries at byte 3 reaches beyond its 2 bytes",
            ),
            (cut, "the name at byte 82 does not end within 1024 bytes"),
            (
                b"ld.so-1.7.0".to_vec(),
                "/etc/ld.so.cache is of no form that is read here",
            ),
            (
                MAGIC.to_vec(),
                "/etc/ld.so.cache is of no form that is read here",
            ),
        ] {
            let error = Cache::read(&bytes).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
