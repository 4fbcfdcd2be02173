//! The digest that Linux's fs-verity has of a file, of an image.
//!
//! Spec: Linux `Documentation/filesystems/fsverity.rst`, "Merkle tree" and "fs-verity descriptor"; here always SHA-256 over blocks of
//! 4096 bytes without a salt, which is what `fsverity digest FILE` prints. The tree is dm-verity's ([`area`]) without a salt; the digest is
//! SHA-256 of a [`Descriptor`] with the tree's root and the file's length.
//!
//! A plain SHA-256 goes through every byte in turn. Of this one, blocks are hashed on all cores, and blocks of zeros, most of a disk, not at all.
//!
//! A file of it (`*.fsverity`) is `sha256:` and what stands in one of a plain SHA-256 ([`plan::Digest`]).

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use base::{text, Sha256Digest};
use plan::{ReadAt, Reader};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{transmute, Immutable, IntoBytes, Unaligned};

use crate::area::{area, Known};
use crate::error::Error;
use crate::params::Params;

/// Bytes of a block, of data and of hashes, and the logarithm of that.
const BLOCK: u32 = 1 << LOG_BLOCK;
const LOG_BLOCK: u8 = 12;
const PREFIX: &str = "sha256:";

/// `struct fsverity_descriptor`.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Descriptor {
    /// 0: 1.
    version: u8,
    /// 1: 1, SHA-256.
    hash_algorithm: u8,
    /// 2: logarithm of the size of a block.
    log_blocksize: u8,
    /// 3: zero.
    salt_size: u8,
    /// 4: zero.
    _reserved_0x04: U32,
    /// 8: length of the file.
    data_size: U64,
    /// 16: of the tree, zero-padded; zeros of an empty file.
    root_hash: [[u8; 32]; 2],
    /// 80: zero.
    salt: [u8; 32],
    /// 112: zero.
    _reserved: [u8; 144],
}
const _: () = assert!(size_of::<Descriptor>() == 256);

/// An image's fs-verity digest with the length of what was hashed. Its text is that of the digest alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FsverityDigest {
    /// The digest: SHA-256, of the descriptor.
    pub digest: Sha256Digest,
    /// How many bytes were hashed.
    pub len: u64,
}

impl fmt::Display for FsverityDigest {
    /// 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digest.fmt(f)
    }
}

impl FromStr for FsverityDigest {
    type Err = Error;

    /// Reads the text of a file.
    fn from_str(text: &str) -> Result<Self, Error> {
        let line = text.strip_prefix(PREFIX).and_then(|line| line.parse().ok());
        let plan::Digest {
            sha256: digest,
            len,
        } = line.ok_or_else(|| Error::Text {
            what: "fs-verity digest",
            got: text::shorten(text).into_owned(),
            want: "sha256: with 64 hexadecimal digits, a space and a length",
        })?;
        Ok(Self { digest, len })
    }
}

impl FsverityDigest {
    /// The text of a file.
    pub fn to_file(self) -> String {
        let (sha256, len) = (self.digest, self.len);
        format!("{PREFIX}{}", plan::Digest { sha256, len }.to_file())
    }

    /// The digest of the image that `reader` reads. What its plan says is zero is not read.
    pub fn of<R: ReadAt + Sync>(reader: &Reader<R>) -> Result<Self, Error> {
        let len = reader.len();
        let params = Params::new(BLOCK, BLOCK, &[], [0; 16])?;
        let root = match len {
            0 => [0; 32],
            _ => area(reader, &Known::default(), &params, &mut io::sink())?.root,
        };
        let descriptor: [u8; 256] = transmute!(Descriptor {
            version: 1,
            hash_algorithm: 1,
            log_blocksize: LOG_BLOCK,
            salt_size: 0,
            _reserved_0x04: U32::ZERO,
            data_size: U64::new(len),
            root_hash: [root, [0; 32]],
            salt: [0; 32],
            _reserved: [0; 144],
        });
        let digest = Sha256Digest::of(descriptor);
        Ok(Self { digest, len })
    }

    /// The digest of what is at `path`: read from a file of it, or taken of any other file. One of a plain SHA-256 (`*.digest`) is refused.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let kind = path.extension();
        if kind != Some(OsStr::new("fsverity")) && kind != Some(OsStr::new("digest")) {
            return Self::of(&Reader::open_any(path)?.with_holes()?);
        }
        let at = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(Error::io(format!("read {}", at())))?;
        text.parse().map_err(|source| Error::File {
            path: at(),
            source: Box::new(source),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    fn bytes(len: u32) -> Vec<u8> {
        let byte = |n: u32| n.wrapping_mul(7).wrapping_add(n / 251).to_le_bytes()[0];
        (0..len).map(byte).collect()
    }

    /// What fsverity 1.5 prints: an empty file, one block, levels that are just full and have just begun.
    #[test]
    fn as_fsverity_prints() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (len, want) in [
            (
                0,
                "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95",
            ),
            (
                1,
                "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551",
            ),
            (
                4096,
                "2b41866549a2f4f4a80ebbb30aa8d8436ce675229143bf493d8dc6fce99081a0",
            ),
            (
                4097,
                "2492558cab5973a8b471d3a517cf3fc8ae04bffa6083e7d443e7839b65d94651",
            ),
            (
                128 * 4096,
                "6feaceaea1f345a5da49693b409602e6b1878a9484241670db45aef27aaec575",
            ),
            (
                128 * 4096 + 1,
                "64272326908c4b8fdd9de8dd28615fcb25d5bb0fca2a9949d29305f6ce54ac6c",
            ),
        ] {
            std::fs::write(&path, bytes(len)).unwrap();
            let digest = FsverityDigest::open(&path).unwrap();
            assert_eq!(digest.to_file(), format!("sha256:{want} {len}\n"));
        }
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(70 << 20).unwrap();
        file.write_all_at(&bytes(5), 4 << 20).unwrap();
        file.write_all_at(&bytes(9000), (65 << 20) + 100).unwrap();
        let want = "7d3a3f3b7ed9169ec5097d128e6a8935e7a8d4341794271d10005ffe335269f6";
        assert_eq!(FsverityDigest::open(&path).unwrap().to_string(), want);
    }

    #[test]
    fn files() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("raw"), b"raw").unwrap();
        let digest = FsverityDigest::open(&at("raw")).unwrap();
        std::fs::write(at("x.fsverity"), digest.to_file()).unwrap();
        assert_eq!(FsverityDigest::open(&at("x.fsverity")).unwrap(), digest);
        let hex = digest.to_string();
        for bad in [
            String::new(),
            format!("{hex} 3\n"),
            format!("sha256:{hex} 3"),
            format!("sha256:{hex} 03\n"),
            format!("sha256:{hex}  3\n"),
            format!("sha256:{hex} -3\n"),
            format!("sha256:{} 3\n", hex.to_uppercase()),
            format!("sha256:{hex}00 3\n"),
            format!("sha512:{hex} 3\n"),
            format!("sha256:{hex} 3\n\n"),
        ] {
            for name in ["bad.fsverity", "bad.digest"] {
                std::fs::write(at(name), &bad).unwrap();
                let error = FsverityDigest::open(&at(name)).unwrap_err().to_string();
                assert!(error.ends_with(name), "{bad:?}: {error}");
            }
        }
    }
}
