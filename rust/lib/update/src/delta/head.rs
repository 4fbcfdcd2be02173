//! What a difference begins with.

use base::{as_u64, as_usize, Hasher, Sha256Digest};
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, Unaligned};

use super::{Error, BLOCK};
use crate::policy::Refusal;
use crate::ReadAt;

const MAGIC: [u8; 8] = *b"IMGDELTA";
const VERSION: u32 = 1;
/// Read at a time.
const PART: usize = 1 << 20;

/// The head as it stands there.
#[derive(FromBytes, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Raw {
    magic: [u8; 8],
    version: U32,
    block_size: U32,
    base_len: U64,
    base_sha256: [u8; 32],
    target_len: U64,
}

const _: () = assert!(Head::LEN == 64);

/// What a difference is to, and how long what it makes is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Length of the old image.
    pub base_len: u64,
    /// Its digest.
    pub base_sha256: Sha256Digest,
    /// Length of the new image.
    pub target_len: u64,
}

impl Head {
    /// Its length in bytes.
    pub(crate) const LEN: usize = size_of::<Raw>();

    pub(crate) fn encode(&self) -> Vec<u8> {
        let raw = Raw {
            magic: MAGIC,
            version: VERSION.into(),
            block_size: BLOCK_SIZE.into(),
            base_len: self.base_len.into(),
            base_sha256: self.base_sha256.0,
            target_len: self.target_len.into(),
        };
        raw.as_bytes().to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let raw = Raw::read_from_bytes(bytes);
        let raw = raw.map_err(|_| Error::fault(as_u64(bytes.len()), "it ends within its head"))?;
        if raw.magic != MAGIC {
            return Err(Error::fault(0, "it does not begin with IMGDELTA"));
        }
        if raw.version != VERSION {
            let reason = format!("version {}, want {VERSION}", raw.version);
            return Err(Error::fault(8, reason));
        }
        if raw.block_size != BLOCK_SIZE {
            let reason = format!("blocks of {} bytes, want {BLOCK_SIZE}", raw.block_size);
            return Err(Error::fault(12, reason));
        }
        Ok(Self {
            base_len: raw.base_len.get(),
            base_sha256: raw.base_sha256.into(),
            target_len: raw.target_len.get(),
        })
    }

    /// Refuses an image that is not the one this is a difference to. `name` is what it is called.
    pub fn check_base(&self, name: &str, base: &impl ReadAt) -> Result<(), crate::Error> {
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; PART];
        while let Some(left @ 1..) = self.base_len.checked_sub(hasher.count()) {
            let at = hasher.count();
            let (part, _) = buffer.split_at_mut(as_usize(left).min(PART));
            let read = base.read_exact_at(part, at);
            read.map_err(|source| crate::Error::Base {
                member: name.to_owned(),
                at,
                source,
            })?;
            hasher.update(part);
        }
        let (got, want) = (hasher.finish(), self.base_sha256);
        if got == want {
            return Ok(());
        }
        let base = name.to_owned();
        let member = base.replace(".img", ".delta");
        Err(Refusal::Base {
            member,
            base,
            got,
            want,
        }
        .into())
    }
}

const BLOCK_SIZE: u32 = 4096;
const _: () = assert!(as_u64(BLOCK) == 4096);
