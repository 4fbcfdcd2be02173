//! Directories: one block of records, or records in hash order below an index.
//!
//! Spec: the kernel's `filesystems/ext4/directory` pages. A record (`ext4_dir_entry_2`):
//!
//! | offset | size | field       | we write                                               |
//! |-------:|-----:|-------------|--------------------------------------------------------|
//! |      0 |    4 | `inode`     | number                                                 |
//! |      4 |    2 | `rec_len`   | 8 + name, filled to 4 bytes; the last one fills up     |
//! |      6 |    1 | `name_len`  |                                                        |
//! |      7 |    1 | `file_type` | 1 file, 2 directory, 3 char, 4 block, 5 fifo, 7 symlink |
//! |      8 |      | `name`      |                                                        |
//!
//! A block ends with a record of 12 bytes without a name, of type 0xDE, whose last 4 are the checksum. A directory of more
//! than one block has its index in block 0, `.` and `..` before it; with more than 507 leaves, nodes of up to 510 follow,
//! then the leaves. Leaves are full and sorted by hash; one that goes on with a hash of the one before has its lowest bit set.

use crate::bytes::{crc, inode_seed, low16, narrow, put, put16, put32, wide, BLOCK};
use crate::hash::half_md4;

/// Bytes of a block for records.
const ROOM: usize = BLOCK - 12;
/// `.` and `..`.
const DOTS: usize = 24;
/// Most entries of the index in block 0.
const ROOT_ENTRIES: usize = 507;
/// Most entries of a node of the index.
const NODE_ENTRIES: usize = 510;

const DIRECTORY: u8 = 2;

/// A name in a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) name: &'a [u8],
    /// Number of its inode.
    pub(crate) number: u32,
    /// Its type.
    pub(crate) kind: u8,
}

/// Bytes of the record of a name.
fn len(name: &[u8]) -> usize {
    name.len().saturating_add(8).next_multiple_of(4)
}

/// How the records of a directory lie.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// One after another, in one block; further blocks are empty.
    Linear {
        /// Blocks.
        blocks: usize,
    },
    /// In leaves below an index.
    Indexed(Index),
}

/// Leaves in order.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Hash and position of each record, sorted.
    order: Vec<(u32, u32, u32)>,
    /// Where in `order` each leaf begins.
    leaves: Vec<u32>,
}

impl Shape {
    /// The shape of a directory of `records`, of at least `least` blocks; nothing if they are too many.
    pub(crate) fn of<'a>(
        names: impl Iterator<Item = &'a [u8]> + Clone,
        seed: [u32; 4],
        least: usize,
    ) -> Option<Self> {
        let mut bytes = DOTS;
        let fits = names.clone().all(|name| {
            bytes = bytes.saturating_add(len(name));
            bytes <= ROOM
        });
        if fits {
            let blocks = least.max(1);
            return Some(Self::Linear { blocks });
        }
        let hashed = names.clone().zip(0u32..).map(|(name, position)| {
            let (major, minor) = half_md4(seed, name);
            (major, minor, position)
        });
        let mut order: Vec<(u32, u32, u32)> = hashed.collect();
        order.sort_unstable();
        let lens: Vec<usize> = names.map(len).collect();
        let mut leaves = vec![0];
        let mut filled = 0usize;
        for (at, (_, _, position)) in (0u32..).zip(&order) {
            let position = usize::try_from(*position).unwrap_or(usize::MAX);
            let len = lens.get(position).copied().unwrap_or(0);
            if filled.saturating_add(len) > ROOM {
                leaves.push(at);
                filled = 0;
            }
            filled = filled.saturating_add(len);
        }
        let most = ROOT_ENTRIES.saturating_mul(NODE_ENTRIES);
        (leaves.len() <= most).then_some(Self::Indexed(Index { order, leaves }))
    }

    /// Blocks of the directory.
    pub(crate) fn blocks(&self) -> usize {
        match self {
            Self::Linear { blocks } => *blocks,
            Self::Indexed(index) => {
                let nodes = index.nodes();
                index.leaves.len().saturating_add(nodes).saturating_add(1)
            }
        }
    }

    /// Whether it has an index.
    pub(crate) fn indexed(&self) -> bool {
        matches!(self, Self::Indexed(_))
    }

    /// All blocks, one after another. `record` knows each record by its position.
    pub(crate) fn render<'a>(
        &self,
        own: u32,
        parent: u32,
        records: &[Record<'a>],
        seed: u32,
    ) -> Vec<u8> {
        let seed = inode_seed(seed, own);
        let mut out = vec![0; self.blocks().saturating_mul(BLOCK)];
        let mut blocks = out.chunks_exact_mut(BLOCK);
        let dots = |parent_len| [(own, &b"."[..], 12), (parent, &b".."[..], parent_len)];
        match self {
            Self::Linear { .. } => {
                if let Some(block) = blocks.next() {
                    let mut leaf = Leaf {
                        block,
                        at: 0,
                        last: 0,
                    };
                    for (number, name, _) in dots(12) {
                        leaf.add(Record {
                            name,
                            number,
                            kind: DIRECTORY,
                        });
                    }
                    records.iter().for_each(|record| leaf.add(*record));
                    leaf.finish(seed);
                }
                for block in blocks {
                    Leaf {
                        block,
                        at: 0,
                        last: 0,
                    }
                    .finish(seed);
                }
            }
            Self::Indexed(index) => {
                let nodes = index.nodes();
                if let Some(block) = blocks.next() {
                    let rest = u16::try_from(BLOCK.saturating_sub(12)).unwrap_or(0);
                    let mut at = 0;
                    for (number, name, len) in dots(rest) {
                        head(block, at, number, len, name, DIRECTORY);
                        at = 12;
                    }
                    // Hash version 1, 8 bytes of this, levels below.
                    put(block, DOTS, &[0, 0, 0, 0, 1, 8, u8::from(nodes > 0), 0]);
                    index.root(block, seed, nodes);
                }
                for (node, block) in (0..nodes).zip(blocks.by_ref()) {
                    index.node(block, seed, node, nodes);
                }
                for (leaf, block) in (0..).zip(blocks) {
                    index.leaf(block, seed, leaf, records);
                }
            }
        }
        out
    }
}

impl Index {
    /// Nodes between the root and the leaves.
    fn nodes(&self) -> usize {
        match self.leaves.len() {
            few if few <= ROOT_ENTRIES => 0,
            many => many.div_ceil(NODE_ENTRIES),
        }
    }

    /// The hash from which on a leaf is looked at; its lowest bit says that the leaf before has some of that hash, too.
    fn hash(&self, leaf: usize) -> u32 {
        let start = self.leaves.get(leaf).copied().unwrap_or(0);
        let at = usize::try_from(start).unwrap_or(usize::MAX);
        let hash_at = |at: usize| self.order.get(at).map(|(hash, _, _)| *hash);
        let hash = hash_at(at).unwrap_or(0);
        let goes_on = at.checked_sub(1).and_then(hash_at) == Some(hash);
        hash | u32::from(goes_on)
    }

    fn root(&self, block: &mut [u8], seed: u32, nodes: usize) {
        let at = DOTS.saturating_add(8);
        if nodes == 0 {
            let leaves = 0..self.leaves.len();
            let entries = leaves.map(|leaf| (self.hash(leaf), leaf.saturating_add(1)));
            entries_of(block, seed, at, ROOT_ENTRIES, entries);
        } else {
            let entries = (0..nodes).map(|node| {
                let leaf = node.saturating_mul(NODE_ENTRIES);
                (self.hash(leaf), node.saturating_add(1))
            });
            entries_of(block, seed, at, ROOT_ENTRIES, entries);
        }
    }

    fn node(&self, block: &mut [u8], seed: u32, node: usize, nodes: usize) {
        let first = node.saturating_mul(NODE_ENTRIES);
        let end = first.saturating_add(NODE_ENTRIES).min(self.leaves.len());
        let before = nodes.saturating_add(1);
        let entries = (first..end).map(|leaf| (self.hash(leaf), leaf.saturating_add(before)));
        put16(block, 4, u16::try_from(BLOCK).unwrap_or(0));
        entries_of(block, seed, 8, NODE_ENTRIES, entries);
    }

    fn leaf(&self, block: &mut [u8], seed: u32, leaf: usize, records: &[Record<'_>]) {
        let bound = |leaf: usize| {
            let start = self.leaves.get(leaf).copied();
            start.and_then(|start| usize::try_from(start).ok())
        };
        let start = bound(leaf).unwrap_or(0);
        let end = bound(leaf.saturating_add(1)).unwrap_or(self.order.len());
        let mut leaf = Leaf {
            block,
            at: 0,
            last: 0,
        };
        for (_, _, position) in self.order.get(start..end).unwrap_or_default() {
            let position = usize::try_from(*position).unwrap_or(usize::MAX);
            if let Some(record) = records.get(position) {
                leaf.add(*record);
            }
        }
        leaf.finish(seed);
    }
}

/// Writes the entries of an index block from `at` on, the first with room and count in the place of its hash.
fn entries_of(
    block: &mut [u8],
    seed: u32,
    at: usize,
    room: usize,
    entries: impl Iterator<Item = (u32, usize)>,
) {
    let mut count = 0usize;
    let mut to = at;
    for (hash, child) in entries {
        if count > 0 {
            put32(block, to, hash);
        }
        put32(block, to.saturating_add(4), narrow(wide(child)));
        to = to.saturating_add(8);
        count = count.saturating_add(1);
    }
    put16(block, at, low16(narrow(wide(room))));
    put16(block, at.saturating_add(2), low16(narrow(wide(count))));
    let sum = crc(seed, block.get(..to).unwrap_or_default());
    let tail = at.saturating_add(room.saturating_mul(8));
    put32(block, tail.saturating_add(4), crc(sum, &[0; 8]));
}

/// A block of records that is being filled.
struct Leaf<'b> {
    block: &'b mut [u8],
    at: usize,
    last: usize,
}

impl Leaf<'_> {
    fn add(&mut self, record: Record<'_>) {
        let len = len(record.name);
        let rec_len = low16(narrow(wide(len)));
        head(
            self.block,
            self.at,
            record.number,
            rec_len,
            record.name,
            record.kind,
        );
        self.last = self.at;
        self.at = self.at.saturating_add(len);
    }

    fn finish(self, seed: u32) {
        // The last record takes what is left; a block without one has a record that names nothing.
        let rest = ROOM.saturating_sub(self.last);
        let rest = low16(narrow(wide(rest)));
        put16(self.block, self.last.saturating_add(4), rest);
        let sum = crc(seed, self.block.get(..ROOM).unwrap_or_default());
        put(self.block, ROOM, &[0, 0, 0, 0, 12, 0, 0, 0xde]);
        put32(self.block, ROOM.saturating_add(8), sum);
    }
}

fn head(block: &mut [u8], at: usize, number: u32, rec_len: u16, name: &[u8], kind: u8) {
    put32(block, at, number);
    put16(block, at.saturating_add(4), rec_len);
    // Names of more than 255 bytes were refused.
    let name_len = u8::try_from(name.len()).unwrap_or(0);
    put(block, at.saturating_add(6), &[name_len, kind]);
    put(block, at.saturating_add(8), name);
}
