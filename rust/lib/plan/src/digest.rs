//! SHA-256 of images through their plans, taken once for all that want it.
//!
//! A digest file (`*.digest`) is one line: the SHA-256 as 64 lower-case hexadecimal digits, a space, and the image's length in
//! bytes as decimal number without leading zeros. Whoever wants an image's SHA-256 takes this file; the image is not read again.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base::{as_u64, as_usize, text, Hasher, Sha256Digest};

use crate::error::Error;
use crate::plan::Piece;
use crate::read::{ReadAt, Reader};

/// Read at a time: small enough to be hashed out of the processor's cache.
const PART: usize = 1 << 18;

/// A SHA-256 digest with the length of what was hashed. Its text is that of the digest alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// The digest.
    pub sha256: Sha256Digest,
    /// How many bytes were hashed.
    pub len: u64,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sha256.fmt(f)
    }
}

/// Text that is no digest file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("got {got:?}, want a SHA-256 of 64 hexadecimal digits, a space and a length")]
pub struct BadDigest {
    /// The text, or its ends if it is long.
    pub got: String,
}

impl FromStr for Digest {
    type Err = BadDigest;

    /// Reads a digest file.
    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let parse = || {
            let (sha256, len) = text.strip_suffix('\n')?.split_once(' ')?;
            let (sha256, len) = (sha256.parse().ok()?, len.parse().ok()?);
            let digest = Self { sha256, len };
            (digest.to_file() == text).then_some(digest)
        };
        parse().ok_or_else(|| BadDigest {
            got: text::shorten(text).into_owned(),
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
        let mut buffer = vec![0; PART];
        for extent in reader.plan().extents() {
            match extent.piece {
                Piece::Inline(bytes) => hasher.update(bytes),
                Piece::Zero => hasher.update_zeros(extent.len),
                Piece::Source { input, offset } => {
                    // Extents of a plan lie within its inputs.
                    let end = offset.checked_add(extent.len).ok_or(Error::TooLong)?;
                    for at in (offset..end).step_by(PART) {
                        let len = as_u64(PART).min(end.abs_diff(at));
                        let (part, _) = buffer.split_at_mut(as_usize(len));
                        reader.read_input(input, part, at)?;
                        hasher.update(part);
                    }
                }
            }
        }
        Ok(Self {
            sha256: hasher.finish(),
            len: reader.len(),
        })
    }

    /// The digest of what is at `path`: read from a digest file, or taken of any other file. A file of the other kind (`*.fsverity`) is refused.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let kind = path.extension();
        if kind != Some(OsStr::new("digest")) && kind != Some(OsStr::new("fsverity")) {
            return Self::of(&Reader::open_any(path)?);
        }
        let text = std::fs::read_to_string(path);
        let text = text.map_err(Error::io(path.display().to_string()))?;
        text.parse().map_err(|source| Error::Digest {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
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
            format!("sha256:{want} 1\n"),
        ] {
            for name in ["bad.digest", "bad.fsverity"] {
                std::fs::write(at(name), &bad).unwrap();
                let error = Digest::open(&at(name)).unwrap_err().to_string();
                assert!(error.ends_with(name), "{bad:?}: {error}");
            }
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
        assert_eq!(digest.sha256, Sha256Digest::of(&bytes));
        assert_eq!(digest.len, u64::try_from(bytes.len()).unwrap());
    }
}
