//! The superblock.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{transmute, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::Error;
use crate::layout::Layout;
use crate::params::{BlockSize, Params};

const SIGNATURE: [u8; 8] = *b"verity\0\0";
const ALGORITHM: [u8; 32] = *b"sha256\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// Bytes of the superblock.
pub(crate) const SUPERBLOCK: u64 = 512;
/// The same in memory.
pub(crate) const LEN: usize = size_of::<Fields>();
const _: () = assert!(LEN == 512);

/// The superblock as it stands in the image, fields named as cryptsetup's `verity` page has them.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Fields {
    /// 0: `verity\0\0`.
    signature: [u8; 8],
    /// 8: 1.
    version: U32,
    /// 12: 1, the salt comes before the block.
    hash_type: U32,
    /// 16: an argument.
    uuid: [u8; 16],
    /// 32: `sha256`, zero-padded.
    algorithm: [u8; 32],
    /// 64: a power of two, 512 to 65536.
    data_block_size: U32,
    /// 68: the same.
    hash_block_size: U32,
    /// 72: blocks of data, at least 1.
    data_blocks: U64,
    /// 80: 0 to 256.
    salt_size: U16,
    /// 82: zero.
    _pad1: [u8; 6],
    /// 88: zero-padded.
    salt: [u8; Params::MAX_SALT],
    /// 344: zero.
    _pad2: [u8; 168],
}

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
        let (salt, salt_size) = params.salt_field();
        transmute!(Fields {
            signature: SIGNATURE,
            version: U32::new(1),
            hash_type: U32::new(1),
            uuid: params.uuid(),
            algorithm: ALGORITHM,
            data_block_size: U32::new(params.data_block_size()),
            hash_block_size: U32::new(params.hash_block_size()),
            data_blocks: U64::new(self.data_blocks),
            salt_size: U16::new(salt_size),
            _pad1: [0; 6],
            salt,
            _pad2: [0; 168],
        })
    }

    /// Reads a superblock that anybody may have made; `at` is where it was in the image of `len` bytes.
    ///
    /// The layout comes back with it: data that ends before the superblock, and a tree that ends within the image.
    pub fn decode(bytes: &[u8; 512], at: u64, len: u64) -> Result<(Self, Layout), Error> {
        let fault = |field, reason| Error::Superblock { at, field, reason };
        let fields: Fields = transmute!(*bytes);
        let signature = fields.signature;
        if signature != SIGNATURE {
            let reason = format!("{signature:02x?}, no dm-verity");
            return Err(fault("signature", reason));
        }
        for (field, got) in [("version", fields.version), ("hash_type", fields.hash_type)] {
            if got != 1 {
                return Err(fault(field, format!("{got}, want 1")));
            }
        }
        if fields.algorithm != ALGORITHM {
            let text = fields.algorithm.escape_ascii();
            return Err(fault("algorithm", format!("\"{text}\", want \"sha256\"")));
        }
        for (field, got) in [
            ("data_block_size", fields.data_block_size),
            ("hash_block_size", fields.hash_block_size),
        ] {
            let want = "want a power of two from 512 to 65536";
            BlockSize::new(field, got.get()).map_err(|_| fault(field, format!("{got}, {want}")))?;
        }
        let salt_size = fields.salt_size;
        let salt = fields
            .salt
            .get(..usize::from(salt_size.get()))
            .ok_or_else(|| fault("salt_size", format!("{salt_size}, at most 256 fit")))?;
        let (data, hash) = (fields.data_block_size.get(), fields.hash_block_size.get());
        let params = Params::new(data, hash, salt, fields.uuid)?;
        let data_blocks = fields.data_blocks.get();
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
        true => at.checked_add(SUPERBLOCK).is_some_and(|end| end <= len),
        false => layout.end <= len,
    });
    layout.ok_or_else(|| format!("the tree over them would not end within the image's {len} bytes"))
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
