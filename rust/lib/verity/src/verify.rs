//! Checking an image that anybody may have made.

use std::ops::Range;

use base::{as_usize, hex};
use plan::ReadAt;

use crate::error::Error;
use crate::hash::{Digest, Hasher, DIGEST, DIGEST_LEN};
use crate::layout::{Layout, Level};
use crate::num::{product, without};
use crate::superblock::{Superblock, LEN, SUPERBLOCK};
use crate::work::in_order;

/// Blocks that are one piece of work.
const PIECE: u64 = 256;

/// The superblock at `at` of an image of `len` bytes, and where data and tree lie by it.
pub fn read_superblock(
    image: &impl ReadAt,
    len: u64,
    at: u64,
) -> Result<(Superblock, Layout), Error> {
    let fault = |reason: String| Error::Superblock {
        at,
        field: "position",
        reason,
    };
    if at.checked_add(SUPERBLOCK).is_none_or(|end| end > len) {
        let reason = format!("its {LEN} bytes don't lie within the image's {len}");
        return Err(fault(reason));
    }
    if at % SUPERBLOCK != 0 {
        return Err(fault(format!("want a multiple of {LEN}")));
    }
    let mut bytes = [0; LEN];
    image
        .read_exact_at(&mut bytes, at)
        .map_err(Error::io(format!("read the superblock at byte {at}")))?;
    Superblock::decode(&bytes, at, len)
}

/// The root hash that the image itself has: the digest of the tree's first block. Nothing below it is checked.
pub fn root_hash(
    image: &impl ReadAt,
    superblock: &Superblock,
    layout: &Layout,
) -> Result<Digest, Error> {
    let data = superblock.params.data_hasher();
    let hash = superblock.params.hash_hasher(data.known_digest());
    let (hasher, at) = match layout.levels.last() {
        Some(top) => (hash, top.start),
        None => (data, 0),
    };
    let mut block = vec![0; hasher.size().in_memory()];
    image
        .read_exact_at(&mut block, at)
        .map_err(Error::io(format!("read the block at byte {at}")))?;
    Ok(hasher.block(&block))
}

/// Checks every block of an image of `len` bytes, whose superblock is at `at`, against the root hash.
///
/// The first bad block is the error, levels in the order of the image (root first), data last.
pub fn verify(
    image: &(impl ReadAt + Sync),
    len: u64,
    at: u64,
    root: &Digest,
) -> Result<Superblock, Error> {
    let (superblock, layout) = read_superblock(image, len, at)?;
    let got = root_hash(image, &superblock, &layout)?;
    if got != *root {
        return Err(Error::RootHash {
            got: hex::encode(&got),
            want: hex::encode(root),
        });
    }
    let data_hasher = superblock.params.data_hasher();
    let hash_hasher = superblock.params.hash_hasher(data_hasher.known_digest());
    let levels = layout.levels.iter().enumerate();
    let mut above: Option<Level> = None;
    for (level, blocks) in levels.rev() {
        if let Some(above) = above {
            let bad = |block, at| Error::HashBlock { level, block, at };
            check(image, *blocks, above, &hash_hasher, bad)?;
        }
        above = Some(*blocks);
    }
    if let Some(above) = above {
        let data = Level {
            start: 0,
            blocks: layout.data_blocks,
        };
        let bad = |block, at| Error::DataBlock { block, at };
        check(image, data, above, &data_hasher, bad)?;
    }
    Ok(superblock)
}

/// Checks the blocks of a level, or those of the data, against the digests in the level above.
fn check(
    image: &(impl ReadAt + Sync),
    level: Level,
    above: Level,
    hasher: &Hasher,
    bad: impl Fn(u64, u64) -> Error + Sync,
) -> Result<(), Error> {
    let size = hasher.size().in_image().get();
    let read = |buffer: &mut Vec<u8>, at: u64, len: u64| {
        buffer.resize(as_usize(len), 0);
        image
            .read_exact_at(buffer, at)
            .map_err(Error::io(format!("read the image at byte {at}")))
    };
    let work = |(bytes, want, got): &mut (Vec<u8>, Vec<u8>, Vec<u8>), blocks: Range<u64>| {
        let count = without(blocks.end, blocks.start);
        read(bytes, level.at(blocks.start, size), product(count, size))?;
        let from = above.at(blocks.start, DIGEST_LEN);
        read(want, from, product(count, DIGEST_LEN))?;
        got.clear();
        hasher.blocks(bytes, got);
        let mut pairs = blocks.zip(got.chunks_exact(DIGEST).zip(want.chunks_exact(DIGEST)));
        match pairs.find(|(_, (got, want))| got != want) {
            Some((block, _)) => Err(bad(block, level.at(block, size))),
            None => Ok(()),
        }
    };
    in_order(level.blocks, PIECE, Default::default, work, (), |(), ()| {
        Ok(())
    })
}
