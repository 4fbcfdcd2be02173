//! Digests of an input's blocks, made once and used by every image that the input gets into: `docs/formats/blockhashes.md`.
//!
//! All integers little-endian.
//!
//! | offset | size | field                                                                          |
//! |-------:|-----:|--------------------------------------------------------------------------------|
//! |      0 |    8 | magic `BLKHASH\0`                                                              |
//! |      8 |    4 | version, 1                                                                     |
//! |     12 |    4 | block size                                                                     |
//! |     16 |    8 | length of the input                                                            |
//! |     24 |    8 | length of the salt                                                             |
//! |     32 |  256 | salt, zero-padded                                                              |
//! |    288 | 32 n | digests of the n blocks, the last block zero-padded                            |
//! |        |   32 | SHA-256 of all before the digests and of the SHA-256 of each 4096 digests      |

use plan::ReadAt;
use sha2::{Digest as _, Sha256};

use crate::area::WriteAt;
use crate::error::Error;
use crate::hash::{hex, Digest, Hasher, DIGEST};
use crate::params::{check_block_size, check_salt, size, Params};
use crate::work::in_order;

const MAGIC: [u8; 8] = *b"BLKHASH\0";
const VERSION: u32 = 1;
const HEADER: usize = 288;
const HEADER_LEN: u64 = 288;
/// Digests that are one piece of work, and hashed together for the file's own digest.
const PIECE: u64 = 4096;
/// [`DIGEST`] as a length in a file.
const DIGEST_LEN: u64 = 32;
/// Bytes that are read at once.
const BATCH: u64 = 64 << 10;

/// Hashes all blocks of `input`, which has `len` bytes, and writes the digests to `out`; the length of what was written.
pub fn write_block_hashes(
    input: &(impl ReadAt + Sync),
    len: u64,
    salt: &[u8],
    block_size: u32,
    out: &(impl WriteAt + Sync),
) -> Result<u64, Error> {
    check_block_size("data", block_size)?;
    check_salt(salt)?;
    let hasher = Hasher::new(salt, size(block_size));
    let block = u64::from(block_size);
    let blocks = len.div_ceil(block);
    let digests = in_order(blocks.div_ceil(PIECE), Vec::new, |buffer, piece| {
        let first = piece.saturating_mul(PIECE);
        let mut digests = Vec::new();
        // No overflow: the first block of a piece is one of the input's.
        let mut at = first.saturating_mul(block);
        let end = len.min(at.saturating_add(PIECE.saturating_mul(block)));
        while at < end {
            let take = BATCH.min(end.saturating_sub(at));
            buffer.clear();
            buffer.resize(usize::try_from(take).unwrap_or(0), 0);
            input
                .read_exact_at(buffer, at)
                .map_err(Error::io(format!("read the input at byte {at}")))?;
            // Whole blocks but at the end of the input.
            buffer.resize(buffer.len().next_multiple_of(hasher.size().max(1)), 0);
            hasher.blocks(buffer, &mut digests);
            at = at.saturating_add(take);
        }
        out.write_all_at(&digests, digest_at(first))
            .map_err(Error::io("write block hashes"))?;
        Ok::<_, Error>(Digest::from(Sha256::digest(&digests)))
    })?;
    let header = Header {
        block_size,
        len,
        salt: salt.to_vec(),
    }
    .encode();
    let end = digest_at(blocks);
    let write = || Error::io("write block hashes");
    out.write_all_at(&header, 0).map_err(write())?;
    out.write_all_at(&seal(&header, &digests), end)
        .map_err(write())?;
    Ok(end.saturating_add(DIGEST_LEN))
}

/// Block hashes of one input, open.
pub struct BlockHashes {
    header: Header,
    file: Box<dyn ReadAt + Send + Sync>,
}

impl std::fmt::Debug for BlockHashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockHashes")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// What block hashes say about themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    block_size: u32,
    len: u64,
    salt: Vec<u8>,
}

impl BlockHashes {
    /// Opens a file of `file_len` bytes that anybody may have made; it is read once to check its digest.
    pub fn open(file: Box<dyn ReadAt + Send + Sync>, file_len: u64) -> Result<Self, Error> {
        let mut bytes = [0; HEADER];
        if file_len < HEADER_LEN {
            return Err(fault(
                file_len,
                format!("it ends there, a header has {HEADER} bytes"),
            ));
        }
        let read = || Error::io("read block hashes");
        file.read_exact_at(&mut bytes, 0).map_err(read())?;
        let header = Header::decode(&bytes)?;
        let blocks = header.len.div_ceil(u64::from(header.block_size));
        let end = blocks
            .checked_mul(DIGEST_LEN)
            .and_then(|digests| digests.checked_add(HEADER_LEN));
        let want = end.and_then(|end| end.checked_add(DIGEST_LEN));
        let Some(end) = end.filter(|_| want == Some(file_len)) else {
            let reason = format!(
                "an input of {} bytes has {blocks} blocks, which the {file_len} bytes of this file don't fit",
                header.len
            );
            return Err(fault(16, reason));
        };
        let digests = in_order(blocks.div_ceil(PIECE), Vec::new, |buffer, piece| {
            let first = piece.saturating_mul(PIECE);
            let count = blocks.saturating_sub(first).min(PIECE);
            buffer.resize(
                usize::try_from(count).unwrap_or(0).saturating_mul(DIGEST),
                0,
            );
            file.read_exact_at(buffer, digest_at(first))?;
            Ok(Digest::from(Sha256::digest(buffer)))
        });
        let mut sealed = [0; DIGEST];
        file.read_exact_at(&mut sealed, end).map_err(read())?;
        if seal(&bytes, &digests.map_err(read())?) != sealed {
            return Err(fault(end, "the digest is another one: damaged"));
        }
        Ok(Self { header, file })
    }

    /// Length of the input.
    pub fn input_len(&self) -> u64 {
        self.header.len
    }

    /// Refuses hashes that were made for other images, or of another input.
    pub(crate) fn check(&self, params: &Params, input_len: u64) -> Result<(), Error> {
        let differ = |what, got: String, want: String| match got == want {
            true => Ok(()),
            false => Err(Error::OtherBlockHashes { what, got, want }),
        };
        let Header {
            block_size,
            len,
            salt,
        } = &self.header;
        let number = |n: u64| n.to_string();
        let text = |salt: &[u8]| match salt {
            [] => "-".to_owned(),
            salt => hex(salt),
        };
        differ(
            "block size",
            number(u64::from(*block_size)),
            number(u64::from(params.data_block_size())),
        )?;
        differ("salt", text(salt), text(params.salt()))?;
        differ("an input of length", number(*len), number(input_len))
    }

    /// Appends the digests of `count` blocks from `first` on to `out`.
    pub(crate) fn read(&self, first: u64, count: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        let at = out.len();
        let bytes = usize::try_from(count.saturating_mul(DIGEST_LEN)).unwrap_or(0);
        out.resize(at.saturating_add(bytes), 0);
        let new = out.get_mut(at..).unwrap_or_default();
        self.file
            .read_exact_at(new, digest_at(first))
            .map_err(Error::io("read block hashes"))
    }
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.block_size.to_le_bytes());
        bytes.extend_from_slice(&self.len.to_le_bytes());
        let salt_len = u64::try_from(self.salt.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&salt_len.to_le_bytes());
        bytes.extend_from_slice(&self.salt);
        bytes.resize(HEADER, 0);
        bytes
    }

    fn decode(bytes: &[u8; HEADER]) -> Result<Self, Error> {
        let mut rest = bytes.as_slice();
        if take::<8>(&mut rest) != MAGIC {
            return Err(fault(0, "it does not begin with BLKHASH"));
        }
        let version = u32::from_le_bytes(take(&mut rest));
        if version != VERSION {
            return Err(fault(8, format!("version {version}, want {VERSION}")));
        }
        let block_size = u32::from_le_bytes(take(&mut rest));
        check_block_size("data", block_size).map_err(|error| fault(12, error.to_string()))?;
        let len = u64::from_le_bytes(take(&mut rest));
        let salt_len = u64::from_le_bytes(take(&mut rest));
        let split = usize::try_from(salt_len)
            .ok()
            .and_then(|n| rest.split_at_checked(n));
        let Some((salt, padding)) = split else {
            return Err(fault(
                24,
                format!("a salt of {salt_len} bytes, at most 256 fit"),
            ));
        };
        if padding.iter().any(|byte| *byte != 0) {
            return Err(fault(32, "more salt than its length says"));
        }
        Ok(Self {
            block_size,
            len,
            salt: salt.to_vec(),
        })
    }
}

/// Where the digest of a block stands.
fn digest_at(block: u64) -> u64 {
    HEADER_LEN.saturating_add(block.saturating_mul(DIGEST_LEN))
}

/// The digest at the end.
fn seal(header: &[u8], pieces: &[Digest]) -> Digest {
    let mut state = Sha256::new_with_prefix(header);
    for piece in pieces {
        state.update(piece);
    }
    state.finalize().into()
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    match rest.split_first_chunk() {
        Some((field, after)) => {
            *rest = after;
            *field
        }
        None => [0; N],
    }
}

fn fault(at: u64, reason: impl Into<String>) -> Error {
    Error::BlockHashes {
        at,
        reason: reason.into(),
    }
}
