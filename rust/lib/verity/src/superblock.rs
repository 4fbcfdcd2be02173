//! The superblock; its fields are in the table of the crate's page.

use crate::error::Error;
use crate::layout::{Layout, SUPERBLOCK};
use crate::params::{check_block_size, Params};

const SIGNATURE: [u8; 8] = *b"verity\0\0";
const ALGORITHM: [u8; 32] = *b"sha256\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// Length in memory.
pub(crate) const LEN: usize = 512;
const _: () = assert!(8 + 4 + 4 + 16 + 32 + 4 + 4 + 8 + 2 + 6 + 256 + 168 == LEN);

/// What a superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Block sizes, salt and UUID.
    pub params: Params,
    /// Blocks of data.
    pub data_blocks: u64,
}

impl Superblock {
    /// The bytes, as they stand in the image.
    pub fn encode(&self) -> [u8; 512] {
        let params = &self.params;
        let mut salt = params.salt().to_vec();
        // At most 256 bytes: Params has seen to it.
        let salt_size = u16::try_from(salt.len()).unwrap_or(0);
        salt.resize(Params::MAX_SALT, 0);
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend_from_slice(&SIGNATURE);
        bytes.extend_from_slice(&1u32.to_le_bytes());
        bytes.extend_from_slice(&1u32.to_le_bytes());
        bytes.extend_from_slice(&params.uuid());
        bytes.extend_from_slice(&ALGORITHM);
        bytes.extend_from_slice(&params.data_block_size().to_le_bytes());
        bytes.extend_from_slice(&params.hash_block_size().to_le_bytes());
        bytes.extend_from_slice(&self.data_blocks.to_le_bytes());
        bytes.extend_from_slice(&salt_size.to_le_bytes());
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(&salt);
        bytes.resize(LEN, 0);
        // The sum of the fields, asserted above.
        bytes.try_into().unwrap_or([0; LEN])
    }

    /// Reads a superblock that anybody may have made; `at` is where it was in the image of `len` bytes.
    ///
    /// The layout comes back with it: data that ends before the superblock, and a tree that ends within the image.
    pub fn decode(bytes: &[u8; 512], at: u64, len: u64) -> Result<(Self, Layout), Error> {
        let fault = |field, reason| Error::Superblock { at, field, reason };
        let mut rest = bytes.as_slice();
        let signature: [u8; 8] = take(&mut rest);
        if signature != SIGNATURE {
            return Err(fault(
                "signature",
                format!("{signature:02x?}, no dm-verity"),
            ));
        }
        for field in ["version", "hash_type"] {
            let got = u32::from_le_bytes(take(&mut rest));
            if got != 1 {
                return Err(fault(field, format!("{got}, want 1")));
            }
        }
        let uuid = take(&mut rest);
        let algorithm: [u8; 32] = take(&mut rest);
        if algorithm != ALGORITHM {
            let text = algorithm.escape_ascii();
            return Err(fault("algorithm", format!("\"{text}\", want \"sha256\"")));
        }
        let data_block_size = u32::from_le_bytes(take(&mut rest));
        let hash_block_size = u32::from_le_bytes(take(&mut rest));
        for (field, got) in [
            ("data_block_size", data_block_size),
            ("hash_block_size", hash_block_size),
        ] {
            check_block_size(field, got).map_err(|_| {
                fault(
                    field,
                    format!("{got}, want a power of two from 512 to 65536"),
                )
            })?;
        }
        let data_blocks = u64::from_le_bytes(take(&mut rest));
        let salt_size = u16::from_le_bytes(take(&mut rest));
        let _pad: [u8; 6] = take(&mut rest);
        let salt: [u8; Params::MAX_SALT] = take(&mut rest);
        let salt = salt
            .get(..usize::from(salt_size))
            .ok_or_else(|| fault("salt_size", format!("{salt_size}, at most 256 fit")))?;
        let params = Params::new(data_block_size, hash_block_size, salt, uuid)?;
        let layout = fits(data_blocks, at, len, &params)
            .map_err(|reason| fault("data_blocks", format!("{data_blocks}: {reason}")))?;
        let superblock = Self {
            params,
            data_blocks,
        };
        Ok((superblock, layout))
    }
}

/// The layout, if data and tree are where they must be.
fn fits(data_blocks: u64, at: u64, len: u64, params: &Params) -> Result<Layout, String> {
    if data_blocks == 0 {
        return Err("there is no data".to_owned());
    }
    let data = data_blocks.checked_mul(u64::from(params.data_block_size()));
    if data.is_none_or(|data| data > at) {
        return Err("the data would not end before the superblock".to_owned());
    }
    let layout = Layout::at(data_blocks, at, u64::from(params.hash_block_size()));
    let layout = layout.filter(|layout| match layout.levels.is_empty() {
        // What is padding behind the superblock may be missing.
        true => at.saturating_add(SUPERBLOCK) <= len,
        false => layout.end <= len,
    });
    layout.ok_or_else(|| format!("the tree over them would not end within the image's {len} bytes"))
}

/// The next `N` bytes of the superblock, which is long enough for all its fields.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    match rest.split_first_chunk() {
        Some((field, after)) => {
            *rest = after;
            *field
        }
        None => [0; N],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock() -> Superblock {
        Superblock {
            params: Params::new(4096, 1024, &[7; 32], [9; 16]).unwrap(),
            data_blocks: 3,
        }
    }

    const AT: u64 = 3 * 4096;
    const END: u64 = AT + 2 * 1024;

    #[test]
    fn comes_back() {
        let (back, layout) = Superblock::decode(&superblock().encode(), AT, END).unwrap();
        assert_eq!(back, superblock());
        assert_eq!(layout, Layout::new(AT, &back.params).unwrap());
    }

    #[test]
    fn refusals_name_the_field() {
        let changes: [(usize, &[u8], &str); 10] = [
            (0, b"V", "signature: [56, 65, 72, 69, 74, 79, 00, 00], no dm-verity"),
            (8, &[2], "version: 2, want 1"),
            (12, &[0], "hash_type: 0, want 1"),
            (37, b"1", "algorithm: \"sha251\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\", want \"sha256\""),
            (64, &[1], "data_block_size: 4097, want a power of two from 512 to 65536"),
            (70, &[2], "hash_block_size: 132096, want a power of two from 512 to 65536"),
            (72, &[0], "data_blocks: 0: there is no data"),
            (72, &[4], "data_blocks: 4: the data would not end before the superblock"),
            (79, &[255], "data_blocks: 18374686479671623683: the data would not end before the superblock"),
            (81, &[2], "salt_size: 544, at most 256 fit"),
        ];
        for (at, new, want) in changes {
            let mut bytes = superblock().encode();
            bytes[at..at + new.len()].copy_from_slice(new);
            let text = Superblock::decode(&bytes, AT, END).unwrap_err().to_string();
            assert_eq!(text, format!("superblock at byte {AT}: {want}"));
        }
        let cut = Superblock::decode(&superblock().encode(), AT, END - 1);
        assert_eq!(
            cut.unwrap_err().to_string(),
            "superblock at byte 12288: data_blocks: 3: the tree over them would not end within the image's 14335 bytes"
        );
    }
}
