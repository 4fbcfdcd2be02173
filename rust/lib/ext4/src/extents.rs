//! Where the blocks of a file lie: the extent tree.
//!
//! Spec: the kernel's `filesystems/ext4/ifork` page, "Extent Tree". A node is a header and entries, 12 bytes each; the root
//! with room for 4 of them lies in the inode, other nodes fill a block of 340 and end with its checksum.
//!
//! | offset | size | header           | leaf: `ext4_extent`    | above: `ext4_extent_idx`     |
//! |-------:|-----:|------------------|------------------------|------------------------------|
//! |      0 |    4 | magic 0xF30A (2), entries (2) | first block of the file | first block of the file |
//! |      4 |    4 | room for entries (2), depth (2) | blocks (2), disk block, high (2) | disk block of the node, low |
//! |      8 |    4 | generation, 0    | disk block, low        | disk block, high (2), 0 (2)  |

use crate::bytes::{crc, high32, low16, low32, narrow, put, put16, put32, wide, BLOCK};

/// The longest extent that is not one of unwritten blocks.
const LONGEST: u32 = 32768;
const MAGIC: u16 = 0xf30a;
const ENTRY: usize = 12;
const IN_INODE: usize = 4;
const IN_BLOCK: usize = 340;

/// The root's bytes in an inode.
pub(crate) const ROOT: usize = 60;

/// A run of blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Its first block within the file.
    pub(crate) logical: u32,
    /// How many blocks.
    pub(crate) len: u32,
    /// Its first block in the image.
    pub(crate) physical: u64,
}

/// Adds a run to the extents of a file, which are those of `all` from `from` on.
pub(crate) fn push(all: &mut Vec<Extent>, from: usize, logical: u64, physical: u64, len: u64) {
    let (mut logical, mut physical, mut left) = (narrow(logical), physical, len);
    if let Some(last) = all.get_mut(from..).and_then(<[Extent]>::last_mut) {
        let follows = last.logical.saturating_add(last.len) == logical
            && last.physical.saturating_add(u64::from(last.len)) == physical;
        if follows {
            let more = left.min(u64::from(LONGEST.saturating_sub(last.len)));
            last.len = last.len.saturating_add(narrow(more));
            logical = logical.saturating_add(narrow(more));
            physical = physical.saturating_add(more);
            left = left.saturating_sub(more);
        }
    }
    while left > 0 {
        let len = narrow(left.min(u64::from(LONGEST)));
        all.push(Extent {
            logical,
            len,
            physical,
        });
        logical = logical.saturating_add(len);
        physical = physical.saturating_add(u64::from(len));
        left = left.saturating_sub(u64::from(len));
    }
}

/// How many nodes besides the root a tree of so many extents has.
pub(crate) fn nodes(extents: usize) -> usize {
    levels(extents).into_iter().sum()
}

/// Nodes of each level below the root, from the leaves on.
fn levels(extents: usize) -> Vec<usize> {
    let mut levels = Vec::new();
    let mut entries = extents;
    while entries > IN_INODE {
        entries = entries.div_ceil(IN_BLOCK);
        levels.push(entries);
    }
    levels
}

/// The root of the tree of `extents`, with its other nodes at `blocks`; they go to `each`, in that order.
pub(crate) fn render(
    extents: &[Extent],
    blocks: &[u64],
    inode_seed: u32,
    mut each: impl FnMut(u64, Vec<u8>),
) -> [u8; ROOT] {
    let mut root = [0; ROOT];
    if extents.len() <= IN_INODE {
        fill(&mut root, extents.iter().map(leaf_entry), IN_INODE, 0);
        return root;
    }
    // (first block of the file, what the entry says behind it)
    let mut entries: Vec<(u32, [u8; 8])> = extents.iter().map(leaf_entry).collect();
    let mut blocks = blocks.iter();
    let mut depth = 0u16;
    for _ in levels(extents.len()) {
        let mut above = Vec::new();
        for (part, block) in entries.chunks(IN_BLOCK).zip(blocks.by_ref()) {
            let mut node = vec![0; BLOCK];
            fill(&mut node, part.iter().copied(), IN_BLOCK, depth);
            let end = BLOCK.saturating_sub(4);
            let sum = crc(inode_seed, node.get(..end).unwrap_or_default());
            put32(&mut node, end, sum);
            let first = part.first().map_or(0, |(logical, _)| *logical);
            above.push((first, index_entry(*block)));
            each(*block, node);
        }
        entries = above;
        depth = depth.saturating_add(1);
    }
    fill(&mut root, entries.into_iter(), IN_INODE, depth);
    root
}

fn leaf_entry(extent: &Extent) -> (u32, [u8; 8]) {
    let mut entry = [0; 8];
    // At most LONGEST.
    put16(&mut entry, 0, u16::try_from(extent.len).unwrap_or(0));
    put16(&mut entry, 2, low16(high32(extent.physical)));
    put32(&mut entry, 4, low32(extent.physical));
    (extent.logical, entry)
}

fn index_entry(block: u64) -> [u8; 8] {
    let mut entry = [0; 8];
    put32(&mut entry, 0, low32(block));
    put16(&mut entry, 4, low16(high32(block)));
    entry
}

fn fill(
    node: &mut [u8],
    entries: impl ExactSizeIterator<Item = (u32, [u8; 8])>,
    room: usize,
    depth: u16,
) {
    put16(node, 0, MAGIC);
    put16(node, 2, low16(narrow(wide(entries.len()))));
    put16(node, 4, low16(narrow(wide(room))));
    put16(node, 6, depth);
    let slots = node.chunks_exact_mut(ENTRY).skip(1);
    for (slot, (logical, rest)) in slots.zip(entries) {
        put32(slot, 0, logical);
        put(slot, 4, &rest);
    }
}

/// How many blocks `extents` have.
pub(crate) fn blocks(extents: &[Extent]) -> u64 {
    extents.iter().map(|extent| u64::from(extent.len)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_join_and_split() {
        let mut all = Vec::new();
        push(&mut all, 0, 0, 100, 10);
        push(&mut all, 0, 10, 110, 5);
        push(&mut all, 0, 20, 115, 70_000);
        let seen: Vec<_> = all.iter().map(|e| (e.logical, e.len, e.physical)).collect();
        let want = [
            (0, 15, 100),
            (20, 32768, 115),
            (32788, 32768, 32883),
            (65556, 4464, 65651),
        ];
        assert_eq!(seen, want);
        // Another file's.
        let from = all.len();
        push(&mut all, from, 70_020, 70_115, 1);
        assert_eq!(all.len(), 5);
        assert_eq!(blocks(&all), 70_016);
    }

    #[test]
    fn depths() {
        let cases = [
            (0, 0),
            (4, 0),
            (5, 1),
            (340, 1),
            (341, 2),
            (1360, 4),
            (1361, 6),
        ];
        for (extents, want) in cases {
            assert_eq!(nodes(extents), want, "{extents}");
        }
    }
}
