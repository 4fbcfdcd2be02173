//! Digests of an input's blocks, made once and used by every image that the input gets into: `docs/formats/blockhashes.md`.
//!
//! A [`Fields`], then the cuts, then 32 bytes of digest for each block (cut ones and the last one zero-padded), then the seal: SHA-256 of
//! all before the digests and of the SHA-256 of each 4096 digests.

use std::ops::Range;

use base::{as_u64, as_usize, hex};
use plan::ReadAt;
use sha2::{Digest as _, Sha256};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{transmute, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::area::WriteAt;
use crate::error::Error;
use crate::hash::{Digest, Hasher, DIGEST, DIGEST_LEN};
use crate::num::{product, sum, without};
use crate::params::{BlockSize, Params};
use crate::work::in_order;

const MAGIC: [u8; 8] = *b"BLKHASH\0";
const VERSION: u32 = 2;
const HEADER: usize = size_of::<Fields>();
const HEADER_LEN: u64 = 296;
const _: () = assert!(HEADER == 296);
/// A cut: a position in the input.
const CUT: u64 = 8;

/// What a file of block hashes begins with.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Fields {
    /// 0: `BLKHASH\0`.
    magic: [u8; 8],
    /// 8: 2.
    version: U32,
    /// 12: bytes in a block.
    block_size: U32,
    /// 16: length of the input.
    len: U64,
    /// 24: length of the salt.
    salt_len: U64,
    /// 32: zero-padded.
    salt: [u8; Params::MAX_SALT],
    /// 288: how many cuts.
    cuts: U64,
}

/// Digests that are hashed together for the file's own digest.
const PIECE: u64 = 4096;
/// Blocks that are one piece of work: few, so that no core waits long for another at the end. Some of them are a [`PIECE`].
const WORK: u64 = 512;
const _: () = assert!(PIECE % WORK == 0);
/// Bytes that are read at once: a multiple of every block size.
const BATCH: u64 = 64 << 10;

/// Hashes all blocks of `input`, which has `len` bytes, and writes the digests to `out`; the length of what was written.
///
/// What is behind one of `cuts` in its block counts as zeros, as it does behind the end of the input: there ends something that gets into
/// images by itself, as a file in an archive. Cuts are in ascending order, within the input, within blocks, at most one in each.
pub fn write_block_hashes(
    input: &(impl ReadAt + Sync),
    len: u64,
    salt: &[u8],
    block_size: u32,
    cuts: &[u64],
    out: &(impl WriteAt + Sync),
) -> Result<u64, Error> {
    if i64::try_from(len).is_err() {
        return Err(Error::InputTooLong { len });
    }
    let header = Header {
        params: Params::new(block_size, block_size, salt, [0; 16])?,
        len,
        cuts: as_u64(cuts.len()),
    };
    let hasher = header.params.data_hasher();
    if let Some((_, cut)) = header.wrong_cut(cuts) {
        return Err(Error::Cut { cut, len });
    }
    let blocks = header.blocks();
    let write = || Error::io("write block hashes");
    let work = |buffer: &mut Vec<u8>, range: Range<u64>| {
        let (start, end) = (range.start, range.end);
        let digests = header.digests(input, &hasher, cuts, range, buffer)?;
        out.write_all_at(&digests, header.digest_at(start))
            .map_err(write())?;
        Ok::<_, Error>((end, digests))
    };
    let mut fields = header.encode().to_vec();
    fields.extend(cuts.iter().flat_map(|cut| cut.to_le_bytes()));
    let seal = (Sha256::new_with_prefix(&fields), Sha256::new());
    let (mut seal, _) = in_order(
        blocks,
        WORK,
        Vec::new,
        work,
        seal,
        |seal, (end, digests)| {
            let (all, piece) = seal;
            piece.update(digests);
            if end % PIECE == 0 || end == blocks {
                all.update(piece.finalize_reset());
            }
            Ok(())
        },
    )?;
    out.write_all_at(&fields, 0).map_err(write())?;
    let end = header.digest_at(blocks);
    out.write_all_at(&seal.finalize_reset(), end)
        .map_err(write())?;
    Ok(sum(end, DIGEST_LEN))
}

/// Block hashes of one input, open.
pub struct BlockHashes {
    header: Header,
    cuts: Vec<u64>,
    file_len: u64,
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
    /// Block size, as that of data, and salt.
    params: Params,
    len: u64,
    /// How many cuts there are.
    cuts: u64,
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
        let blocks = header.blocks();
        let end = header.cuts.checked_mul(CUT).and_then(|cuts| {
            let digests = blocks.checked_mul(DIGEST_LEN)?;
            HEADER_LEN.checked_add(cuts)?.checked_add(digests)
        });
        let want = end.and_then(|end| end.checked_add(DIGEST_LEN));
        let Some(end) = end.filter(|_| want == Some(file_len)) else {
            let Header { len, cuts, .. } = header;
            let reason = format!("an input of {len} bytes has {blocks} blocks, which with {cuts} cuts the {file_len} bytes of this file don't fit");
            return Err(fault(16, reason));
        };
        // Not more than the file is long.
        let mut table = vec![0; as_usize(product(header.cuts, CUT))];
        file.read_exact_at(&mut table, HEADER_LEN).map_err(read())?;
        let work = |buffer: &mut Vec<u8>, range: Range<u64>| {
            let len = product(without(range.end, range.start), DIGEST_LEN);
            buffer.resize(as_usize(len), 0);
            file.read_exact_at(buffer, header.digest_at(range.start))?;
            Ok(Sha256::digest(buffer))
        };
        let seal = Sha256::new_with_prefix(bytes).chain_update(&table);
        let seal = in_order(blocks, PIECE, Vec::new, work, seal, |seal, piece| {
            seal.update(piece);
            Ok(())
        });
        let mut sealed = [0; DIGEST];
        file.read_exact_at(&mut sealed, end).map_err(read())?;
        if Digest::from(seal.map_err(read())?.finalize()) != sealed {
            return Err(fault(end, "the digest is another one: damaged"));
        }
        let rows = table.chunks_exact(size_of::<u64>());
        let rows = rows.filter_map(|row| row.first_chunk().copied());
        let cuts: Vec<u64> = rows.map(u64::from_le_bytes).collect();
        if let Some((at, cut)) = header.wrong_cut(&cuts) {
            let reason = format!("a cut at {cut} of {} bytes: want them in ascending order, each within the input and within a block of its own", header.len);
            return Err(fault(sum(HEADER_LEN, product(at, CUT)), reason));
        }
        Ok(Self {
            header,
            cuts,
            file_len,
            file,
        })
    }

    /// Length of the input.
    pub fn input_len(&self) -> u64 {
        self.header.len
    }

    /// Length of the file that they are in.
    pub(crate) fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Where in the file the digest of a block stands.
    pub(crate) fn digest_at(&self, block: u64) -> u64 {
        self.header.digest_at(block)
    }

    /// Of `count` blocks from `first` on, how many come before the next one that is cut.
    pub(crate) fn uncut(&self, first: u64, count: u64) -> u64 {
        let size = self.header.params.data_size().in_image();
        let start = product(first, size.get());
        let before = self.cut_from(start).map(|cut| without(cut, start) / size);
        before.map_or(count, |before| before.min(count))
    }

    /// Where in the input what was hashed of a block ends: at a cut, at the end of the input, or where the next block begins.
    pub(crate) fn end(&self, block: u64) -> u64 {
        let size = self.header.params.data_size().in_image().get();
        let start = product(block, size);
        let end = sum(start, size).min(self.header.len);
        self.cut_from(start).map_or(end, |cut| cut.min(end))
    }

    /// The first cut at or behind a position.
    fn cut_from(&self, position: u64) -> Option<u64> {
        let before = self.cuts.partition_point(|cut| *cut < position);
        self.cuts.get(before).copied()
    }

    /// Refuses hashes that were made for other images, or of another input.
    pub(crate) fn check(&self, params: &Params, input_len: u64) -> Result<(), Error> {
        let differ = |what, got: String, want: String| match got == want {
            true => Ok(()),
            false => Err(Error::OtherBlockHashes { what, got, want }),
        };
        let text = |salt: &[u8]| match salt {
            [] => "-".to_owned(),
            salt => hex::encode(salt),
        };
        let size = |params: &Params| params.data_block_size().to_string();
        let ours = &self.header.params;
        differ("block size", size(ours), size(params))?;
        differ("salt", text(ours.salt()), text(params.salt()))?;
        let (len, want) = (self.header.len.to_string(), input_len.to_string());
        differ("an input of length", len, want)
    }

    /// Appends the digests of `count` blocks from `first` on to `out`.
    pub(crate) fn read(&self, first: u64, count: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        let at = out.len();
        let end = sum(as_u64(at), product(count, DIGEST_LEN));
        out.resize(as_usize(end), 0);
        let (_, new) = out.split_at_mut(at);
        self.file
            .read_exact_at(new, self.digest_at(first))
            .map_err(Error::io("read block hashes"))
    }
}

impl Header {
    /// How many blocks the input has.
    fn blocks(&self) -> u64 {
        self.len.div_ceil(u64::from(self.params.data_block_size()))
    }

    /// Where the digest of a block stands.
    fn digest_at(&self, block: u64) -> u64 {
        let cuts = sum(HEADER_LEN, product(self.cuts, CUT));
        sum(cuts, product(block, DIGEST_LEN))
    }

    /// The first cut that is not as they must be, and its number.
    fn wrong_cut(&self, cuts: &[u64]) -> Option<(u64, u64)> {
        let size = self.params.data_size().in_image();
        // The first block that may have one.
        let mut from = 0;
        for (number, cut) in (0..).zip(cuts) {
            let block = *cut / size;
            if *cut % size == 0 || *cut >= self.len || block < from {
                return Some((number, *cut));
            }
            from = sum(block, 1);
        }
        None
    }

    /// The digests of some blocks of the input.
    fn digests(
        &self,
        input: &impl ReadAt,
        hasher: &Hasher,
        cuts: &[u64],
        blocks: Range<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let size = hasher.size();
        let start = product(blocks.start, size.in_image().get());
        // The last block may be cut.
        let end = product(blocks.end, size.in_image().get()).min(self.len);
        let mut digests = Vec::new();
        for at in (start..end).step_by(as_usize(BATCH)) {
            let take = without(end, at).min(BATCH);
            buffer.resize(as_usize(take), 0);
            input
                .read_exact_at(buffer, at)
                .map_err(Error::io(format!("read the input at byte {at}")))?;
            // Whole blocks but at the end of the input.
            buffer.resize(buffer.len().next_multiple_of(size.in_memory()), 0);
            let (next, within) = (sum(at, take), cuts.partition_point(|cut| *cut < at));
            let (_, cuts) = cuts.split_at(within);
            for cut in cuts.iter().take_while(|cut| **cut < next) {
                let (_, rest) = buffer.split_at_mut(as_usize(without(*cut, at)));
                let block = without(size.in_image().get(), *cut % size.in_image());
                let (behind, _) = rest.split_at_mut(as_usize(block));
                behind.fill(0);
            }
            hasher.blocks(buffer, &mut digests);
        }
        Ok(digests)
    }

    fn encode(&self) -> [u8; HEADER] {
        let (salt, salt_len) = self.params.salt_field();
        transmute!(Fields {
            magic: MAGIC,
            version: U32::new(VERSION),
            block_size: U32::new(self.params.data_block_size()),
            len: U64::new(self.len),
            salt_len: U64::new(salt_len.into()),
            salt,
            cuts: U64::new(self.cuts),
        })
    }

    fn decode(bytes: &[u8; HEADER]) -> Result<Self, Error> {
        let fields: Fields = transmute!(*bytes);
        if fields.magic != MAGIC {
            return Err(fault(0, "it does not begin with BLKHASH"));
        }
        let version = fields.version;
        if version != VERSION {
            return Err(fault(8, format!("version {version}, want {VERSION}")));
        }
        let size = fields.block_size.get();
        BlockSize::new("data", size).map_err(|error| fault(12, error.to_string()))?;
        let salt_len = fields.salt_len.get();
        let split = fields.salt.split_at_checked(as_usize(salt_len));
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
            params: Params::new(size, size, salt, [0; 16])?,
            len: fields.len.get(),
            cuts: fields.cuts.get(),
        })
    }
}

fn fault(at: u64, reason: impl Into<String>) -> Error {
    Error::BlockHashes {
        at,
        reason: reason.into(),
    }
}
