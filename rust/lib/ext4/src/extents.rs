//! Where the blocks of a file lie: the extent tree.
//!
//! Spec: the kernel's `filesystems/ext4/ifork` page, "Extent Tree". A node is a header and entries, 12 bytes each; the root
//! with room for 4 of them lies in the inode, other nodes fill a block of 340 and end with its checksum.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{transmute, Immutable, IntoBytes, Unaligned};

use crate::bytes::{crc, low_and_high, put, BLOCK};
use crate::num::{narrow, short, sum, without};

/// The longest extent that is not one of unwritten blocks.
const LONGEST: u16 = 32768;
const MAGIC: u16 = 0xf30a;
const ENTRY: usize = 12;
const IN_INODE: usize = 4;
const IN_BLOCK: usize = 340;

/// The root's bytes in an inode.
pub(crate) const ROOT: usize = 60;
const _: () = assert!(ROOT == ENTRY + IN_INODE * ENTRY);
const _: () = assert!(BLOCK == ENTRY + IN_BLOCK * ENTRY + 4);

/// `ext4_extent_header`.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    /// 0: 0xF30A.
    eh_magic: U16,
    /// 2.
    eh_entries: U16,
    /// 4: room for entries.
    eh_max: U16,
    /// 6: 0 over extents, 1 over nodes of depth 0, …
    eh_depth: U16,
    /// 8: 0.
    eh_generation: U32,
}

/// `ext4_extent`, in a node of depth 0.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Leaf {
    /// 0: first block of the file.
    ee_block: U32,
    /// 4: blocks.
    ee_len: U16,
    /// 6.
    ee_start_hi: U16,
    /// 8: first block in the image.
    ee_start_lo: U32,
}

/// `ext4_extent_idx`, in other nodes.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Index {
    /// 0: first block of the file.
    ei_block: U32,
    /// 4: block of the node.
    ei_leaf_lo: U32,
    /// 8.
    ei_leaf_hi: U16,
    /// 10: 0.
    ei_unused: U16,
}

const _: () = assert!(size_of::<Header>() == ENTRY);

/// What a node holds: the first block of the file, and a [`Leaf`] or [`Index`] for it.
type Entry = (u32, [u8; ENTRY]);

/// A run of blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Its first block within the file.
    pub(crate) logical: u32,
    /// How many blocks.
    pub(crate) len: u16,
    /// Its first block in the image.
    pub(crate) physical: u64,
}

impl Extent {
    /// Whether a run from these blocks on continues it.
    fn is_followed_by(&self, logical: u64, physical: u64) -> bool {
        let after = |at: u64| sum(at, self.len.into());
        after(self.logical.into()) == logical && after(self.physical) == physical
    }

    fn entry(&self) -> Entry {
        let (ee_start_lo, ee_start_hi) = low_and_high(self.physical);
        let leaf = Leaf {
            ee_block: U32::new(self.logical),
            ee_len: U16::new(self.len),
            ee_start_hi,
            ee_start_lo,
        };
        (self.logical, transmute!(leaf))
    }
}

/// Adds a run to the extents of a file, which are those of `all` from `from` on.
pub(crate) fn push(all: &mut Vec<Extent>, from: usize, logical: u64, physical: u64, len: u64) {
    let mut done = 0;
    let (_, own) = all.split_at_mut(from);
    let last = own.last_mut();
    if let Some(last) = last.filter(|last| last.is_followed_by(logical, physical)) {
        done = len.min(u64::from(LONGEST.abs_diff(last.len)));
        last.len = blocks_of(sum(last.len.into(), done));
    }
    while done < len {
        let now = without(len, done).min(LONGEST.into());
        all.push(Extent {
            logical: narrow(sum(logical, done)),
            len: blocks_of(now),
            physical: sum(physical, done),
        });
        done = sum(done, now);
    }
}

#[expect(clippy::expect_used, reason = "callers cut to it")]
fn blocks_of(len: u64) -> u16 {
    u16::try_from(len).expect("no more than LONGEST")
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
        fill(&mut root, extents.iter().map(Extent::entry), IN_INODE, 0);
        return root;
    }
    let mut entries: Vec<Entry> = extents.iter().map(Extent::entry).collect();
    let mut blocks = blocks.iter();
    let mut depth = 0u16;
    for (_, above) in levels(extents.len()).into_iter().zip(1..) {
        let nodes = entries.chunks(IN_BLOCK).zip(blocks.by_ref());
        let nodes = nodes.map(|(part, block)| {
            let mut node = vec![0; BLOCK];
            fill(&mut node, part.iter().copied(), IN_BLOCK, depth);
            let (summed, sum) = node.split_at_mut(BLOCK - 4);
            put(sum, &crc(inode_seed, summed).to_le_bytes());
            each(*block, node);
            index_entry(part, *block)
        });
        entries = nodes.flatten().collect();
        depth = above;
    }
    fill(&mut root, entries.into_iter(), IN_INODE, depth);
    root
}

/// What stands for a node in the one above it.
fn index_entry(node: &[Entry], block: u64) -> Option<Entry> {
    let (first, _) = *node.first()?;
    let (ei_leaf_lo, ei_leaf_hi) = low_and_high(block);
    let index = Index {
        ei_block: U32::new(first),
        ei_leaf_lo,
        ei_leaf_hi,
        ei_unused: U16::ZERO,
    };
    Some((first, transmute!(index)))
}

fn fill(node: &mut [u8], entries: impl ExactSizeIterator<Item = Entry>, room: usize, depth: u16) {
    let header = Header {
        eh_magic: U16::new(MAGIC),
        eh_entries: U16::new(short(entries.len())),
        eh_max: U16::new(short(room)),
        eh_depth: U16::new(depth),
        eh_generation: U32::ZERO,
    };
    let mut rest = put(node, header.as_bytes());
    for (_, entry) in entries {
        rest = put(rest, &entry);
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
