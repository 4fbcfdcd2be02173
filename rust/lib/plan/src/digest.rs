//! SHA-256 of images through their plans, taken once for all that want it.
//!
//! A digest file (`*.digest`) is one line: the SHA-256 as 64 lower-case hexadecimal digits, a space, and the image's length in
//! bytes as decimal number without leading zeros. Whoever wants an image's digest takes this file; the image is not read again.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base::{as_usize, Hasher, Sha256Digest};

use crate::error::Error;
use crate::plan::Piece;
use crate::read::{ReadAt, Reader};

/// Read at a time: small enough to be hashed out of the processor's cache.
const BUFFER: usize = 1 << 18;

/// A SHA-256 digest with the length of what was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// The 32 bytes.
    pub sha256: [u8; 32],
    /// How many bytes were hashed.
    pub len: u64,
}

impl fmt::Display for Digest {
    /// 64 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Sha256Digest(self.sha256).fmt(f)
    }
}

/// Text that is no digest file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("got {got:?}, want a SHA-256 of 64 hexadecimal digits, a space and a length")]
pub struct BadDigest {
    /// The text, or its beginning.
    pub got: String,
}

impl FromStr for Digest {
    type Err = BadDigest;

    /// Reads a digest file.
    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let parse = || {
            let (hex, len) = text.strip_suffix('\n')?.split_once(' ')?;
            let Sha256Digest(sha256) = hex.parse().ok()?;
            let len: u64 = len.parse().ok()?;
            let digest = Self { sha256, len };
            (digest.to_file() == text).then_some(digest)
        };
        parse().ok_or_else(|| BadDigest {
            got: text.chars().take(100).collect(),
        })
    }
}

impl Digest {
    /// The text of a digest file.
    pub fn to_file(self) -> String {
        format!("{self} {}\n", self.len)
    }

    /// The digest of the image that `reader` reads.
    pub fn of<R: ReadAt>(reader: &Reader<R>) -> Result<Self, Error> {
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; BUFFER];
        for extent in reader.plan().extents() {
            match extent.piece {
                Piece::Inline(bytes) => hasher.update(bytes),
                Piece::Zero => hasher.update_zeros(extent.len),
                Piece::Source { input, offset } => {
                    let end = offset.checked_add(extent.len).ok_or(Error::TooLong)?;
                    for at in (offset..end).step_by(BUFFER) {
                        let left = as_usize(end.abs_diff(at));
                        let (part, _) = buffer.split_at_mut(left.min(BUFFER));
                        reader.read_input(input, part, at)?;
                        hasher.update(part);
                    }
                }
            }
        }
        Ok(Self {
            len: hasher.count(),
            sha256: hasher.finish().0,
        })
    }

    /// The digest of what is at `path`: read from a digest file, or taken of any other file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if path.extension() != Some(OsStr::new("digest")) {
            return Self::of(&Reader::open_any(path)?);
        }
        let text = std::fs::read_to_string(path).map_err(|source| Error::Io {
            what: path.display().to_string(),
            source,
        })?;
        text.parse().map_err(|source| Error::Digest {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::{Builder, Input};

    #[test]
    fn digest_files() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("raw"), vec![b'a'; 1_000_000]).unwrap();
        let digest = Digest::open(&at("raw")).unwrap();
        let want = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(digest.to_file(), format!("{want} 1000000\n"));
        std::fs::write(at("x.digest"), digest.to_file()).unwrap();
        assert_eq!(Digest::open(&at("x.digest")).unwrap(), digest);
        for bad in [
            String::new(),
            format!("{want} 1000000"),
            format!("{want} 01\n"),
            format!("{want}  1\n"),
            format!("{want} -1\n"),
            format!("{} 1\n", want.to_uppercase()),
            format!("{} 1\n", &want[..62]),
            format!("{want}00 1\n"),
            format!("{want} 1\n\n"),
        ] {
            std::fs::write(at("bad.digest"), &bad).unwrap();
            let error = Digest::open(&at("bad.digest")).unwrap_err();
            assert!(
                error.to_string().ends_with("bad.digest"),
                "{bad:?}: {error}"
            );
        }
    }

    #[test]
    fn every_kind_of_extent() {
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut builder = Builder::new(vec![Input::of_len(3_000_000)]);
        builder.inline(b"head").unwrap();
        builder.zero(5_000_001).unwrap();
        builder.source(0, 17, 2_999_983).unwrap();
        builder.zero(3).unwrap();
        let plan = builder.finish().unwrap();
        let mut bytes = b"head".to_vec();
        bytes.resize(5_000_005, 0);
        bytes.extend_from_slice(&data[17..]);
        bytes.extend_from_slice(&[0; 3]);
        let reader = Reader::new(plan, vec![("data".to_owned(), data)]).unwrap();
        let digest = Digest::of(&reader).unwrap();
        assert_eq!(digest.sha256[..], Sha256::digest(&bytes)[..]);
        assert_eq!(digest.len, u64::try_from(bytes.len()).unwrap());
    }
}
