//! What somebody decides about a hash area.

use crate::error::Error;
use crate::hash::{Digest, Hasher, DIGEST};

/// Block sizes, salt and UUID. Nothing has a default: what is random elsewhere is an argument here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    data_block_size: u32,
    hash_block_size: u32,
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
        check_block_size("data", data_block_size)?;
        check_block_size("hash", hash_block_size)?;
        check_salt(salt)?;
        Ok(Self {
            data_block_size,
            hash_block_size,
            salt: salt.to_vec(),
            uuid,
        })
    }

    /// Size of a data block in bytes.
    pub fn data_block_size(&self) -> u32 {
        self.data_block_size
    }

    /// Size of a hash block in bytes.
    pub fn hash_block_size(&self) -> u32 {
        self.hash_block_size
    }

    /// What is hashed before every block.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The UUID in the superblock.
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// For data blocks.
    pub(crate) fn data_hasher(&self) -> Hasher {
        Hasher::new(&self.salt, size(self.data_block_size))
    }

    /// For hash blocks: the one over zero data is known.
    pub(crate) fn hash_hasher(&self, zero: &Digest) -> Hasher {
        let per_block = size(self.hash_block_size) >> DIGEST.trailing_zeros();
        Hasher::knowing(&self.salt, zero.repeat(per_block))
    }
}

pub(crate) fn check_block_size(what: &'static str, got: u32) -> Result<(), Error> {
    if got.is_power_of_two() && (512..=65536).contains(&got) {
        Ok(())
    } else {
        Err(Error::BlockSize { what, got })
    }
}

pub(crate) fn check_salt(salt: &[u8]) -> Result<(), Error> {
    if salt.len() <= Params::MAX_SALT {
        Ok(())
    } else {
        Err(Error::SaltLength { got: salt.len() })
    }
}

/// A block size as a length in memory.
pub(crate) fn size(block_size: u32) -> usize {
    // At most 65536.
    usize::try_from(block_size).unwrap_or(0)
}

/// A salt in hexadecimal digits; `-` or nothing is no salt, as for veritysetup.
pub fn parse_salt(text: &str) -> Result<Vec<u8>, Error> {
    let digits = if text == "-" { "" } else { text };
    let salt = parse_hex(digits).ok_or_else(|| Error::Text {
        what: "salt",
        got: text.to_owned(),
        want: "two hexadecimal digits a byte, or - for none",
    })?;
    check_salt(&salt)?;
    Ok(salt)
}

/// A UUID as it is written: 8-4-4-4-12 hexadecimal digits.
pub fn parse_uuid(text: &str) -> Result<[u8; 16], Error> {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let digits: String = text.split('-').collect();
    let bytes = parse_hex(&digits).filter(|_| groups == [8, 4, 4, 4, 12]);
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Error::Text {
            what: "UUID",
            got: text.to_owned(),
            want: "hexadecimal digits in groups of 8-4-4-4-12",
        })
}

/// A root hash in hexadecimal digits.
pub fn parse_digest(text: &str) -> Result<Digest, Error> {
    parse_hex(text)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Error::Text {
            what: "root hash",
            got: text.to_owned(),
            want: "64 hexadecimal digits",
        })
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => {
                let digit = |d: u8| {
                    char::from(d)
                        .to_digit(16)
                        .and_then(|d| u8::try_from(d).ok())
                };
                digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)
            }
            _ => None,
        })
        .collect()
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
        assert!(parse_digest(&"ab".repeat(32)).is_ok());
        assert!(parse_digest(&"ab".repeat(31)).is_err());
    }
}
