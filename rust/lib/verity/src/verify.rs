//! Checking an image that anybody may have made.

use plan::ReadAt;

use crate::error::Error;
use crate::hash::{hex, Digest, Hasher, DIGEST};
use crate::layout::{Layout, Level};
use crate::superblock::{Superblock, LEN};
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
    let superblock_len = u64::try_from(LEN).unwrap_or(u64::MAX);
    if at.checked_add(superblock_len).is_none_or(|end| end > len) {
        let reason = format!("its {LEN} bytes don't lie within the image's {len}");
        return Err(fault(reason));
    }
    if at.checked_rem(superblock_len) != Some(0) {
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
    let mut block = vec![0; hasher.size()];
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
            got: hex(&got),
            want: hex(root),
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
    let size = u64::try_from(hasher.size()).unwrap_or(u64::MAX);
    let digest_len = u64::try_from(DIGEST).unwrap_or(u64::MAX);
    let read = |buffer: &mut Vec<u8>, at: u64, count: u64, each: usize| {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        buffer.resize(count.saturating_mul(each), 0);
        image
            .read_exact_at(buffer, at)
            .map_err(Error::io(format!("read the image at byte {at}")))
    };
    let buffers = || (Vec::new(), Vec::new());
    // Nothing overflows: a layout ends before 2^63, and so does what it describes.
    in_order(
        level.blocks.div_ceil(PIECE),
        buffers,
        |(blocks, digests), piece| {
            let first = piece.saturating_mul(PIECE);
            let count = level.blocks.saturating_sub(first).min(PIECE);
            let start = level.start.saturating_add(first.saturating_mul(size));
            read(blocks, start, count, hasher.size())?;
            let from = above.start.saturating_add(first.saturating_mul(digest_len));
            read(digests, from, count, DIGEST)?;
            let pairs = blocks
                .chunks(hasher.size().max(1))
                .zip(digests.chunks(DIGEST));
            for ((block, digest), index) in pairs.zip(first..) {
                if hasher.block(block) != *digest {
                    let at = level.start.saturating_add(index.saturating_mul(size));
                    return Err(bad(index, at));
                }
            }
            Ok(())
        },
    )?;
    Ok(())
}
