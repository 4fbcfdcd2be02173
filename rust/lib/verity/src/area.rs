//! The hash area of a plan.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use base::as_usize;
use plan::{Extent, Input, Piece, ReadAt, Reader};

use crate::block_hashes::BlockHashes;
use crate::error::Error;
use crate::hash::{Digest, Hasher, DIGEST_LEN};
use crate::layout::{per_block, Layout, Level};
use crate::num::{product, sum, without};
use crate::params::Params;
use crate::superblock::Superblock;
use crate::work::in_order;

/// Data blocks that are one piece of work, unless one hash block holds more digests.
const PIECE: u64 = 1024;
/// Bytes that are read at once: a multiple of every block size.
const BATCH: u64 = 64 << 10;

/// Something that bytes can be written to at any position, by several threads at once.
pub trait WriteAt {
    /// Writes `bytes` from `offset` on.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
}

impl WriteAt for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }
}

/// Memory, which grows by what is written.
impl WriteAt for Mutex<Vec<u8>> {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut memory = self.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let end = start
            .checked_add(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        if memory.len() < end {
            memory.resize(end, 0);
        }
        let place = memory.get_mut(start..end);
        place
            .ok_or(io::ErrorKind::FileTooLarge)?
            .copy_from_slice(bytes);
        Ok(())
    }
}

/// Block hashes of some inputs of an image.
#[derive(Debug, Default)]
pub struct Known {
    hashes: BTreeMap<u32, BlockHashes>,
}

impl Known {
    /// Adds the block hashes of the input at a position, if they are what an image of such `params` over `inputs` needs.
    pub fn add(
        &mut self,
        input: u32,
        hashes: BlockHashes,
        params: &Params,
        inputs: &[Input],
    ) -> Result<(), Error> {
        let have = inputs.len();
        let of = inputs.get(as_usize(input));
        let of = of.ok_or(Error::NoSuchInput { input, have })?;
        hashes.check(params, of.len)?;
        match self.hashes.insert(input, hashes) {
            None => Ok(()),
            Some(_) => Err(Error::Twice { input }),
        }
    }
}

/// Writes superblock and tree of `data` to `out`, from its byte 0 on, and returns the root hash and where everything lies.
///
/// `known` were added for the same `params` and the inputs of this plan. The end of the data is taken as zero-padded.
pub fn write_area<R: ReadAt + Sync>(
    data: &Reader<R>,
    known: &Known,
    params: &Params,
    out: &(impl WriteAt + Sync),
) -> Result<(Digest, Layout), Error> {
    let layout = Layout::new(data.len(), params)?;
    let hasher = params.data_hasher();
    let data = Data {
        hash_hasher: params.hash_hasher(hasher.known_digest()),
        hasher,
        reader: data,
        known,
    };
    let superblock = Superblock {
        params: params.clone(),
        data_blocks: layout.data_blocks,
    };
    let sink = Sink {
        out,
        area: layout.hash_offset,
    };
    let mut first = superblock.encode().to_vec();
    // The blocks of the tree begin at a whole hash block.
    first.resize(data.hash_hasher.size().in_memory(), 0);
    sink.write(&first, layout.hash_offset)?;
    let mut levels = layout.levels.iter();
    let Some(leaves) = levels.next() else {
        let mut root = Vec::new();
        data.digests(&mut Vec::new(), 0..1, &mut root)?;
        return Ok((root_of(&root), layout));
    };
    let mut digests = data.leaves(&layout, *leaves, &sink)?;
    for level in levels {
        data.pad(&mut digests);
        sink.write(&digests, level.start)?;
        let mut above = Vec::new();
        data.hash_hasher.blocks(&digests, &mut above);
        digests = above;
    }
    Ok((root_of(&digests), layout))
}

/// The only digest that is left.
#[expect(
    clippy::expect_used,
    reason = "a level over one block or more has a block, and that a digest"
)]
fn root_of(digests: &[u8]) -> Digest {
    *digests.first_chunk().expect("a level has a block")
}

/// Where the hash area goes, by positions in the image.
struct Sink<'a, W> {
    out: &'a W,
    area: u64,
}

impl<W: WriteAt> Sink<'_, W> {
    fn write(&self, bytes: &[u8], at: u64) -> Result<(), Error> {
        self.out
            .write_all_at(bytes, without(at, self.area))
            .map_err(Error::io("write the hash area"))
    }
}

/// The data, and what hashes it.
struct Data<'a, R> {
    reader: &'a Reader<R>,
    known: &'a Known,
    hasher: Hasher,
    hash_hasher: Hasher,
}

impl<R: ReadAt + Sync> Data<'_, R> {
    /// Writes the level over the data and returns the digests of its blocks.
    fn leaves(
        &self,
        layout: &Layout,
        level: Level,
        sink: &Sink<'_, impl WriteAt + Sync>,
    ) -> Result<Vec<u8>, Error> {
        // Powers of two: a piece is whole hash blocks.
        let piece = PIECE.max(per_block(self.hash_hasher.size().in_image().get()));
        let work = |(buffer, digests): &mut (Vec<u8>, Vec<u8>), blocks: Range<u64>| {
            digests.clear();
            let at = level.at(blocks.start, DIGEST_LEN);
            self.digests(buffer, blocks, digests)?;
            self.pad(digests);
            sink.write(digests, at)?;
            let mut above = Vec::new();
            self.hash_hasher.blocks(digests, &mut above);
            Ok(above)
        };
        in_order(
            layout.data_blocks,
            piece,
            Default::default,
            work,
            Vec::new(),
            |all, above| all.extend(above),
        )
    }

    /// Zeros until the digests fill whole hash blocks.
    fn pad(&self, digests: &mut Vec<u8>) {
        let size = self.hash_hasher.size().in_memory();
        digests.resize(digests.len().next_multiple_of(size), 0);
    }

    /// Appends the digests of some data blocks.
    fn digests(
        &self,
        buffer: &mut Vec<u8>,
        blocks: Range<u64>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let size = self.hasher.size().in_image();
        let mut at = product(blocks.start, size.get());
        let end = product(blocks.end, size.get()).min(self.reader.len());
        let within = self.reader.plan().extents_in(at, without(end, at))?;
        let mut extents = within.peekable();
        while let Some(extent) = extents.next_if(|_| true) {
            let whole = without(extent.end(), at) / size;
            if whole > 0 {
                let len = product(whole, size.get());
                self.whole_blocks(buffer, extent, at, len, out)?;
                at = sum(at, len);
            }
            if at < extent.end() {
                let next = extents.peek().copied();
                self.mixed_block(buffer, extent, next, at, out)?;
                at = sum(at, size.get());
                while extents.next_if(|next| next.end() <= at).is_some() {}
            }
        }
        Ok(())
    }

    /// The blocks in `len` bytes from `at` on, all of which lie in `extent`.
    fn whole_blocks(
        &self,
        buffer: &mut Vec<u8>,
        extent: Extent<'_>,
        at: u64,
        len: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let skip = without(at, extent.start);
        let count = len / self.hasher.size().in_image();
        match extent.piece {
            Piece::Zero => {
                out.extend(self.hasher.known_digest().repeat(as_usize(count)));
            }
            Piece::Inline(bytes) => {
                let (_, bytes) = bytes.split_at(as_usize(skip));
                let (blocks, _) = bytes.split_at(as_usize(len));
                self.hasher.blocks(blocks, out);
            }
            Piece::Source { input, offset } => {
                let mut from = sum(offset, skip);
                if let Some((hashes, first)) = self.hashes(input, from) {
                    return hashes.read(first, count, out);
                }
                let end = sum(from, len);
                while from < end {
                    let take = without(end, from).min(BATCH);
                    buffer.resize(as_usize(take), 0);
                    self.reader.read_input(input, buffer, from)?;
                    self.hasher.blocks(buffer, out);
                    from = sum(from, take);
                }
            }
        }
        Ok(())
    }

    /// The block at `at`, which begins in `extent` and ends in another, `next` being the one behind it.
    fn mixed_block(
        &self,
        buffer: &mut Vec<u8>,
        extent: Extent<'_>,
        next: Option<Extent<'_>>,
        at: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let size = self.hasher.size();
        // Behind the image lies padding.
        let end = sum(at, size.in_image().get()).min(self.reader.len());
        let zeros = match next {
            None => true,
            Some(next) => next.piece == Piece::Zero && next.end() >= end,
        };
        if let (true, Piece::Source { input, offset }) = (zeros, extent.piece) {
            let from = sum(offset, without(at, extent.start));
            if let Some((hashes, first)) = self.hashes(input, from) {
                if sum(from, without(extent.end(), at)) == hashes.input_len() {
                    return hashes.read(first, 1, out);
                }
            }
        }
        buffer.clear();
        buffer.resize(size.in_memory(), 0);
        let (data, _) = buffer.split_at_mut(as_usize(without(end, at)));
        self.reader.read_at(data, at)?;
        self.hasher.blocks(buffer, out);
        Ok(())
    }

    /// The hashes of an input, and which of them is that of the block at `offset`, if a block begins there.
    fn hashes(&self, input: u32, offset: u64) -> Option<(&BlockHashes, u64)> {
        let hashes = self.known.hashes.get(&input)?;
        let size = self.hasher.size().in_image();
        (offset % size == 0).then_some((hashes, offset / size))
    }
}
