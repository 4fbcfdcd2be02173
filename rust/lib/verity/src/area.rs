//! The hash area of a plan.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use plan::{Extent, Input, Piece, ReadAt, Reader};

use crate::block_hashes::BlockHashes;
use crate::error::Error;
use crate::hash::{Digest, Hasher, DIGEST};
use crate::layout::{per_block, Layout};
use crate::params::Params;
use crate::superblock::Superblock;
use crate::work::in_order;

/// Data blocks that are one piece of work, unless one hash block holds more digests.
const PIECE: u64 = 1024;
/// Bytes that are read at once.
const BATCH: usize = 64 << 10;

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
        if let Some(place) = memory.get_mut(start..end) {
            place.copy_from_slice(bytes);
        }
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
        let of = usize::try_from(input).ok().and_then(|n| inputs.get(n));
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
        block: u64::from(params.data_block_size()),
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
    first.resize(data.hash_hasher.size(), 0);
    sink.write(&first, layout.hash_offset)?;
    let mut levels = layout.levels.iter();
    let Some(leaves) = levels.next() else {
        let mut root = Vec::new();
        data.digests(&mut Vec::new(), 0, 1, &mut root)?;
        return Ok((root_of(&root), layout));
    };
    let mut digests = data.leaves(&layout, leaves.start, &sink)?;
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
fn root_of(digests: &[u8]) -> Digest {
    digests.first_chunk().copied().unwrap_or_default()
}

/// Where the hash area goes, by positions in the image.
struct Sink<'a, W> {
    out: &'a W,
    area: u64,
}

impl<W: WriteAt> Sink<'_, W> {
    fn write(&self, bytes: &[u8], at: u64) -> Result<(), Error> {
        self.out
            .write_all_at(bytes, at.saturating_sub(self.area))
            .map_err(Error::io("write the hash area"))
    }
}

/// The data, and what hashes it.
struct Data<'a, R> {
    reader: &'a Reader<R>,
    known: &'a Known,
    hasher: Hasher,
    hash_hasher: Hasher,
    /// Size of a data block.
    block: u64,
}

impl<R: ReadAt + Sync> Data<'_, R> {
    /// Writes the level over the data and returns the digests of its blocks.
    fn leaves(
        &self,
        layout: &Layout,
        start: u64,
        sink: &Sink<'_, impl WriteAt + Sync>,
    ) -> Result<Vec<u8>, Error> {
        let hash_block = u64::try_from(self.hash_hasher.size()).unwrap_or(u64::MAX);
        // Powers of two: a piece is whole hash blocks.
        let piece_blocks = PIECE.max(per_block(hash_block));
        let pieces = layout.data_blocks.div_ceil(piece_blocks);
        let digest_len = u64::try_from(DIGEST).unwrap_or(u64::MAX);
        let above = in_order(
            pieces,
            || (Vec::new(), Vec::new()),
            |(buffer, digests), piece| {
                let first = piece.saturating_mul(piece_blocks);
                let count = layout.data_blocks.saturating_sub(first).min(piece_blocks);
                digests.clear();
                self.digests(buffer, first, count, digests)?;
                self.pad(digests);
                // Within the level, whose end the layout has checked.
                let at = start.saturating_add(first.saturating_mul(digest_len));
                sink.write(digests, at)?;
                let mut above = Vec::new();
                self.hash_hasher.blocks(digests, &mut above);
                Ok::<_, Error>(above)
            },
        )?;
        Ok(above.concat())
    }

    /// Zeros until the digests fill whole hash blocks.
    fn pad(&self, digests: &mut Vec<u8>) {
        let len = digests
            .len()
            .next_multiple_of(self.hash_hasher.size().max(1));
        digests.resize(len, 0);
    }

    /// Appends the digests of `count` data blocks from `first` on.
    fn digests(
        &self,
        buffer: &mut Vec<u8>,
        first: u64,
        count: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut at = first.saturating_mul(self.block);
        let end = count.saturating_mul(self.block).saturating_add(at);
        let end = end.min(self.reader.len());
        let within = self.reader.plan().extents_in(at, end.saturating_sub(at))?;
        let mut extents = within.peekable();
        while let Some(extent) = extents.next_if(|_| true) {
            let rest = extent.end().saturating_sub(at);
            let whole = rest.checked_div(self.block).unwrap_or(0);
            if whole > 0 {
                self.whole_blocks(buffer, extent, at, whole, out)?;
                at = at.saturating_add(whole.saturating_mul(self.block));
            }
            if at < extent.end() {
                let next = extents.peek().copied();
                self.mixed_block(buffer, extent, next, at, out)?;
                at = at.saturating_add(self.block);
                while extents.next_if(|next| next.end() <= at).is_some() {}
            }
        }
        Ok(())
    }

    /// Blocks from `at` on that lie in `extent` entirely.
    fn whole_blocks(
        &self,
        buffer: &mut Vec<u8>,
        extent: Extent<'_>,
        at: u64,
        count: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let skip = at.saturating_sub(extent.start);
        let len = count.saturating_mul(self.block);
        match extent.piece {
            Piece::Zero => {
                let zero = self.hasher.known_digest();
                (0..count).for_each(|_| out.extend_from_slice(zero));
            }
            Piece::Inline(bytes) => {
                let start = usize::try_from(skip).unwrap_or(usize::MAX);
                let end = usize::try_from(len).map_or(usize::MAX, |len| start.saturating_add(len));
                let blocks = bytes.get(start..end).unwrap_or_default();
                self.hasher.blocks(blocks, out);
            }
            Piece::Source { input, offset } => {
                let offset = offset.saturating_add(skip);
                if let Some((hashes, first)) = self.hashes(input, offset) {
                    return hashes.read(first, count, out);
                }
                let (mut from, end) = (offset, offset.saturating_add(len));
                while from < end {
                    let left = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
                    buffer.resize(left.min(BATCH), 0);
                    self.reader.read_input(input, buffer, from)?;
                    self.hasher.blocks(buffer, out);
                    let read = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
                    from = from.saturating_add(read);
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
        let block_end = at.saturating_add(self.block);
        // Behind the image lies padding.
        let zeros = match next {
            None => true,
            Some(next) => {
                next.piece == Piece::Zero && next.end() >= block_end.min(self.reader.len())
            }
        };
        if let (true, Piece::Source { input, offset }) = (zeros, extent.piece) {
            let offset = offset.saturating_add(at.saturating_sub(extent.start));
            let end = offset.saturating_add(extent.end().saturating_sub(at));
            if let Some((hashes, first)) = self.hashes(input, offset) {
                if end == hashes.input_len() {
                    return hashes.read(first, 1, out);
                }
            }
        }
        buffer.clear();
        buffer.resize(self.hasher.size(), 0);
        let len = block_end.min(self.reader.len()).saturating_sub(at);
        let len = usize::try_from(len).unwrap_or(0);
        let data = buffer.get_mut(..len).unwrap_or_default();
        self.reader.read_at(data, at)?;
        self.hasher.blocks(buffer, out);
        Ok(())
    }

    /// The hashes of an input, and which of them is that of the block at `offset`, if a block begins there.
    fn hashes(&self, input: u32, offset: u64) -> Option<(&BlockHashes, u64)> {
        let hashes = self.known.hashes.get(&input)?;
        let aligned = offset.checked_rem(self.block)? == 0;
        aligned.then_some((hashes, offset.checked_div(self.block)?))
    }
}
