//! The hash area of a plan: what is in it, as parts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use base::{as_u64, as_usize};
use plan::{Extent, Input, Piece, ReadAt, Reader};

use crate::block_hashes::BlockHashes;
use crate::error::Error;
use crate::hash::{Digest, Hasher, DIGEST_LEN};
use crate::layout::{per_block, Layout};
use crate::num::{product, sum, without};
use crate::params::Params;
use crate::parts::{Part, Parts};
use crate::superblock::{Superblock, SUPERBLOCK};
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
    /// In the order in which they were added.
    hashes: Vec<BlockHashes>,
    /// Position of an input to that in `hashes`.
    places: BTreeMap<u32, usize>,
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
        match self.places.insert(input, self.hashes.len()) {
            None => {
                self.hashes.push(hashes);
                Ok(())
            }
            Some(_) => Err(Error::Twice { input }),
        }
    }

    /// All of them, in the order in which they were added.
    pub(crate) fn all(&self) -> &[BlockHashes] {
        &self.hashes
    }

    /// Those at a place of that order.
    #[expect(
        clippy::expect_used,
        reason = "parts are made of places that this gave, and nothing is ever taken away"
    )]
    pub(crate) fn at(&self, place: usize) -> &BlockHashes {
        self.hashes.get(place).expect("block hashes")
    }
}

/// What is in a hash area, said as [`Plan`](plan::Plan)s say it: see [`Area::behind`].
#[derive(Debug)]
pub struct Area {
    /// The root hash.
    pub root: Digest,
    /// Where everything lies.
    pub layout: Layout,
    /// Superblock and levels by their place in the image, the first one first, and where their own bytes begin.
    pub(crate) sections: Vec<Section>,
    /// How many own bytes there are.
    pub(crate) own: u64,
}

/// A superblock or a level.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) start: u64,
    pub(crate) own: u64,
    pub(crate) parts: Parts,
}

/// Computes superblock and tree of `data`.
///
/// `known` were added for the same `params` and the inputs of this plan. The end of the data is taken as zero-padded. What neither `known`
/// has nor repeats goes to `out`: the area's own bytes, in no order that matters to anybody else.
pub fn area<R: ReadAt + Sync>(
    data: &Reader<R>,
    known: &Known,
    params: &Params,
    out: &mut (impl Write + Send),
) -> Result<Area, Error> {
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
    let mut all = Written { out, own: 0 };
    let parts = Parts::own(SUPERBLOCK / DIGEST_LEN);
    let mut sections = vec![all.section(layout.hash_offset, parts, &superblock.encode())?];
    let mut levels = layout.levels.iter();
    let root = match levels.next() {
        None => {
            let mut found = Found::default();
            data.digests(&mut Vec::new(), 0..1, &mut found)?;
            root_of(&found.digests)
        }
        Some(leaves) => {
            let (section, mut digests) = data.leaves(leaves.start, &layout, &mut all)?;
            sections.push(section);
            for level in levels {
                let parts = Parts::of(&digests, data.hash_hasher.size().in_memory());
                sections.push(all.section(level.start, parts, &digests)?);
                digests = data.above(&mut digests);
            }
            root_of(&digests)
        }
    };
    sections.sort_by_key(|section| section.start);
    let own = all.own;
    Ok(Area {
        root,
        layout,
        sections,
        own,
    })
}

/// The only digest that is left.
#[expect(
    clippy::expect_used,
    reason = "a level over one block or more has a block, and that a digest"
)]
fn root_of(digests: &[u8]) -> Digest {
    *digests.first_chunk().expect("a level has a block")
}

/// Where own bytes go, and how many there are already.
struct Written<'a, W> {
    out: &'a mut W,
    own: u64,
}

impl<W: Write> Written<'_, W> {
    /// A section whose digests are `bytes`.
    fn section(&mut self, start: u64, parts: Parts, bytes: &[u8]) -> Result<Section, Error> {
        let own = self.own;
        self.write(&parts.own_bytes(bytes))?;
        Ok(Section { start, own, parts })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out
            .write_all(bytes)
            .map_err(Error::io("write the hash area"))?;
        self.own = sum(self.own, as_u64(bytes.len()));
        Ok(())
    }
}

/// Digests of data blocks, and where each of them comes from.
#[derive(Default)]
struct Found {
    digests: Vec<u8>,
    parts: Parts,
}

impl Found {
    /// Those that were appended to `digests` since it had `before` bytes are nobody else's.
    fn own_since(&mut self, before: usize) {
        let bytes = self.digests.len().abs_diff(before);
        self.parts.push(Part::Own(as_u64(bytes) / DIGEST_LEN));
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
    /// The level over the data, and the digests of its blocks.
    fn leaves(
        &self,
        start: u64,
        layout: &Layout,
        all: &mut Written<'_, impl Write + Send>,
    ) -> Result<(Section, Vec<u8>), Error> {
        // Powers of two: a piece is whole hash blocks.
        let piece = PIECE.max(per_block(self.hash_hasher.size().in_image().get()));
        let work = |(buffer, found): &mut (Vec<u8>, Found), blocks: Range<u64>| {
            found.digests.clear();
            found.parts = Parts::default();
            self.digests(buffer, blocks, found)?;
            let own = found.parts.own_bytes(&found.digests);
            let above = self.above(&mut found.digests);
            Ok((std::mem::take(&mut found.parts), own, above))
        };
        let own = all.own;
        let (parts, above, _) = in_order(
            layout.data_blocks,
            piece,
            Default::default,
            work,
            (Parts::default(), Vec::new(), all),
            |(parts, digests, all), (more, own, above)| {
                parts.extend(more);
                digests.extend(above);
                all.write(&own)
            },
        )?;
        Ok((Section { start, own, parts }, above))
    }

    /// The digests of the hash blocks that `digests` make up, which are padded to whole ones.
    fn above(&self, digests: &mut Vec<u8>) -> Vec<u8> {
        let size = self.hash_hasher.size().in_memory();
        digests.resize(digests.len().next_multiple_of(size), 0);
        let mut above = Vec::new();
        self.hash_hasher.blocks(digests, &mut above);
        above
    }

    /// Appends the digests of some data blocks.
    fn digests(
        &self,
        buffer: &mut Vec<u8>,
        blocks: Range<u64>,
        out: &mut Found,
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
        out: &mut Found,
    ) -> Result<(), Error> {
        let skip = without(at, extent.start);
        let count = len / self.hasher.size().in_image();
        match extent.piece {
            Piece::Zero => {
                let digest = *self.hasher.known_digest();
                out.digests.extend(digest.repeat(as_usize(count)));
                out.parts.push(Part::Same(digest, count));
                Ok(())
            }
            Piece::Inline(bytes) => {
                let (_, bytes) = bytes.split_at(as_usize(skip));
                let (blocks, _) = bytes.split_at(as_usize(len));
                let before = out.digests.len();
                self.hasher.blocks(blocks, &mut out.digests);
                out.own_since(before);
                Ok(())
            }
            Piece::Source { input, offset } => {
                let from = sum(offset, skip);
                self.input_blocks(buffer, input, from..sum(from, len), out)
            }
        }
    }

    /// Whole blocks of an input.
    fn input_blocks(
        &self,
        buffer: &mut Vec<u8>,
        input: u32,
        range: Range<u64>,
        out: &mut Found,
    ) -> Result<(), Error> {
        let size = self.hasher.size().in_image();
        let mut from = range.start;
        while from < range.end {
            let mut take = without(range.end, from).min(BATCH);
            if let Some((place, hashes, first)) = self.hashes(input, from) {
                let count = hashes.uncut(first, without(range.end, from) / size);
                if count > 0 {
                    hashes.read(first, count, &mut out.digests)?;
                    out.parts.push(Part::Known {
                        place,
                        first,
                        count,
                    });
                    from = sum(from, product(count, size.get()));
                    continue;
                }
                // What is known of this one is the digest of a part of it.
                take = size.get();
            }
            buffer.resize(as_usize(take), 0);
            self.reader.read_input(input, buffer, from)?;
            let before = out.digests.len();
            self.hasher.blocks(buffer, &mut out.digests);
            out.own_since(before);
            from = sum(from, take);
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
        out: &mut Found,
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
            if let Some((place, hashes, first)) = self.hashes(input, from) {
                if sum(from, without(extent.end(), at)) == hashes.end(first) {
                    hashes.read(first, 1, &mut out.digests)?;
                    let count = 1;
                    out.parts.push(Part::Known {
                        place,
                        first,
                        count,
                    });
                    return Ok(());
                }
            }
        }
        buffer.clear();
        buffer.resize(size.in_memory(), 0);
        let (data, _) = buffer.split_at_mut(as_usize(without(end, at)));
        self.reader.read_at(data, at)?;
        let before = out.digests.len();
        self.hasher.blocks(buffer, &mut out.digests);
        out.own_since(before);
        Ok(())
    }

    /// The hashes of an input and their place, and which of them is that of the block at `offset`, if a block begins there.
    fn hashes(&self, input: u32, offset: u64) -> Option<(usize, &BlockHashes, u64)> {
        let place = *self.known.places.get(&input)?;
        let size = self.hasher.size().in_image();
        let first = offset / size;
        (offset % size == 0).then(|| (place, self.known.at(place), first))
    }
}
