//! What somebody decides about a hash area.

use std::num::{NonZeroU32, NonZeroU64};

use base::{as_usize, hex};
use uuid::fmt::Hyphenated;
use uuid::Uuid;

use crate::error::Error;
use crate::hash::{Digest, Hasher, DIGEST};

/// Block sizes, salt and UUID. Nothing has a default: what is random elsewhere is an argument here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    data_block_size: BlockSize,
    hash_block_size: BlockSize,
    salt: Vec<u8>,
    uuid: [u8; 16],
}

impl Params {
    /// The longest salt.
    pub const MAX_SALT: usize = 256;

    /// Sizes in bytes, powers of two from 512 to 65536; at most 256 bytes of salt.
    pub fn new(
        data_block_size: u32,
        hash_block_size: u32,
        salt: &[u8],
        uuid: [u8; 16],
    ) -> Result<Self, Error> {
        check_salt(salt)?;
        Ok(Self {
            data_block_size: BlockSize::new("data", data_block_size)?,
            hash_block_size: BlockSize::new("hash", hash_block_size)?,
            salt: salt.to_vec(),
            uuid,
        })
    }

    /// Size of a data block in bytes.
    pub fn data_block_size(&self) -> u32 {
        self.data_block_size.get()
    }

    /// Size of a hash block in bytes.
    pub fn hash_block_size(&self) -> u32 {
        self.hash_block_size.get()
    }

    /// What is hashed before every block.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The UUID in the superblock.
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// The salt as a field that has room for the longest one, and its length.
    #[expect(
        clippy::expect_used,
        reason = "a salt was checked to have at most 256 bytes"
    )]
    pub(crate) fn salt_field(&self) -> ([u8; Self::MAX_SALT], u16) {
        let mut field = [0; Self::MAX_SALT];
        let (used, _) = field.split_at_mut(self.salt.len());
        used.copy_from_slice(&self.salt);
        let len = u16::try_from(self.salt.len()).expect("at most 256 bytes");
        (field, len)
    }

    /// Of data blocks.
    pub(crate) fn data_size(&self) -> BlockSize {
        self.data_block_size
    }

    /// For data blocks.
    pub(crate) fn data_hasher(&self) -> Hasher {
        Hasher::new(&self.salt, self.data_block_size)
    }

    /// For hash blocks: the one over zero data is known.
    pub(crate) fn hash_hasher(&self, zero: &Digest) -> Hasher {
        let per_block = self.hash_block_size.in_memory() / DIGEST;
        Hasher::knowing(&self.salt, zero.repeat(per_block), self.hash_block_size)
    }
}

/// Size of a block in bytes: a power of two from 512 to 65536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockSize(NonZeroU32);

impl BlockSize {
    /// `what` says of which blocks: `data` or `hash`.
    pub(crate) fn new(what: &'static str, got: u32) -> Result<Self, Error> {
        let known = got.is_power_of_two() && (512..=65536).contains(&got);
        let size = NonZeroU32::new(got).filter(|_| known);
        size.map(Self).ok_or(Error::BlockSize { what, got })
    }

    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }

    /// In an image.
    pub(crate) fn in_image(self) -> NonZeroU64 {
        self.0.into()
    }

    pub(crate) fn in_memory(self) -> usize {
        as_usize(self.get())
    }
}

pub(crate) fn check_salt(salt: &[u8]) -> Result<(), Error> {
    if salt.len() <= Params::MAX_SALT {
        Ok(())
    } else {
        Err(Error::SaltLength { got: salt.len() })
    }
}

/// A salt in hexadecimal digits; `-` or nothing is no salt, as for veritysetup.
pub fn parse_salt(text: &str) -> Result<Vec<u8>, Error> {
    let digits = if text == "-" { "" } else { text };
    let salt = hex::decode(digits).map_err(|_| Error::Text {
        what: "salt",
        got: text.to_owned(),
        want: "two hexadecimal digits a byte, or - for none",
    })?;
    check_salt(&salt)?;
    Ok(salt)
}

/// A UUID as it is written: 8-4-4-4-12 hexadecimal digits.
pub fn parse_uuid(text: &str) -> Result<[u8; 16], Error> {
    let uuid = text.parse().map(Hyphenated::into_uuid);
    uuid.map(Uuid::into_bytes).map_err(|_| Error::Text {
        what: "UUID",
        got: text.to_owned(),
        want: "hexadecimal digits in groups of 8-4-4-4-12",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_salts() {
        for bad in [0, 1, 256, 1000, 4095, 131_072] {
            let text = Params::new(bad, 4096, &[], [0; 16])
                .unwrap_err()
                .to_string();
            let want = format!("data block size {bad}: want a power of two from 512 to 65536");
            assert_eq!(text, want);
            assert!(Params::new(4096, bad, &[], [0; 16]).is_err());
        }
        for good in [512, 1024, 4096, 65536] {
            assert!(Params::new(good, good, &[0; 256], [0; 16]).is_ok());
        }
        assert_eq!(
            Params::new(512, 512, &[0; 257], [0; 16])
                .unwrap_err()
                .to_string(),
            "a salt of 257 bytes, at most 256 fit"
        );
    }

    /// A hash block over nothing but zeros is hashed once.
    #[test]
    fn blocks_over_zeros_are_known() {
        use sha2::{Digest as _, Sha256};
        let params = Params::new(512, 1024, b"salt", [0; 16]).unwrap();
        let zeros = *params.data_hasher().known_digest();
        let block = [b"salt", zeros.repeat(32).as_slice()].concat();
        let want = Sha256::digest(block);
        assert_eq!(params.hash_hasher(&zeros).known_digest()[..], want[..]);
    }

    #[test]
    fn text() {
        assert_eq!(parse_salt("").unwrap(), b"");
        assert_eq!(parse_salt("-").unwrap(), b"");
        assert_eq!(parse_salt("00fFa5").unwrap(), [0, 255, 0xa5]);
        for bad in ["0", "0g", "é", " 00", "+1"] {
            assert!(parse_salt(bad).is_err(), "{bad}");
        }
        assert!(parse_salt(&"00".repeat(257)).is_err());
        let uuid = "00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(parse_uuid(uuid).unwrap()[..3], [0, 0x11, 0x22]);
        for bad in [
            "",
            "00112233445566778899aabbccddeeff",
            "0011223-34455-6677-8899-aabbccddeeff",
            "00112233-4455-6677-8899-aabbccddeefg",
        ] {
            assert!(parse_uuid(bad).is_err(), "{bad}");
        }
    }
}
