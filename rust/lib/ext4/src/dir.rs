//! Directories: one block of records, or records in hash order below an index.
//!
//! Spec: the kernel's `filesystems/ext4/directory` pages. A block of records ends with a [`Tail`]. A directory of more than one block
//! has its index in block 0, `.` and `..` before it; with more than 507 leaves, nodes of up to 510 follow, then the leaves. Leaves are
//! full and sorted by hash; one that goes on with a hash of the one before has its lowest bit set.

use std::iter;
use std::ops::RangeFrom;

use base::as_usize;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{transmute, Immutable, IntoBytes, Unaligned};

use crate::bytes::{crc, inode_seed, put, BLOCK};
use crate::hash::half_md4;
use crate::model::InodeNumber;
use crate::num::{nth, short};

/// `ext4_dir_entry_2`, its name behind it.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Head {
    /// 0: number.
    inode: U32,
    /// 4: 8 + name, filled to 4 bytes; the last record of a block fills it up.
    rec_len: U16,
    /// 6.
    name_len: u8,
    /// 7: 1 file, 2 directory, 3 char, 4 block, 5 fifo, 7 symlink.
    file_type: u8,
}

/// `ext4_dir_entry_tail`: a record that names nothing.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Tail {
    /// 0: 0.
    det_reserved_zero1: U32,
    /// 4: 12.
    det_rec_len: U16,
    /// 6: 0.
    det_reserved_zero2: u8,
    /// 7: 0xDE.
    det_reserved_ft: u8,
    /// 8: of the block before this.
    det_checksum: U32,
}

/// `dx_root_info`, behind the records of `.` and `..`.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct IndexInfo {
    /// 0: 0.
    reserved_zero: U32,
    /// 4: 1, half MD4.
    hash_version: u8,
    /// 5: 8, of this.
    info_length: u8,
    /// 6: 1 with nodes between root and leaves.
    indirect_levels: u8,
    /// 7: 0.
    unused_flags: u8,
}

/// `dx_entry`. The first one of a block has room for entries (2 bytes) and their number (2) in the place of its hash.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct IndexEntry {
    /// 0: the child's lowest hash.
    hash: U32,
    /// 4: the child's block in the directory.
    block: U32,
}

/// `dx_tail`.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct IndexTail {
    /// 0: 0.
    dt_reserved: U32,
    /// 4: of the block up to its last entry, and 8 zeros.
    dt_checksum: U32,
}

const HEAD: usize = size_of::<Head>();
const TAIL: usize = size_of::<Tail>();
const ENTRY: usize = size_of::<IndexEntry>();
const _: () = assert!(HEAD == 8 && TAIL == 12 && ENTRY == 8 && size_of::<IndexInfo>() == 8);
/// Bytes of a block for records.
const ROOM: usize = BLOCK - TAIL;
/// The record of `.`, and that of `..` if it does not fill its block.
const DOT: usize = 12;
/// Bytes of a block for an index.
const INDEX_ROOM: usize = BLOCK - size_of::<IndexTail>();
/// Where the entries of the index in block 0 begin, and how many there can be.
const ROOT_AT: usize = 2 * DOT + size_of::<IndexInfo>();
const ROOT_ENTRIES: usize = 507;
/// The same of a node of the index.
const NODE_AT: usize = HEAD;
const NODE_ENTRIES: usize = 510;
const _: () = assert!(ROOT_AT + ROOT_ENTRIES * ENTRY == INDEX_ROOM);
const _: () = assert!(NODE_AT + NODE_ENTRIES * ENTRY == INDEX_ROOM);

const DIRECTORY: u8 = 2;

/// A name in a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// At most 255 bytes.
    pub(crate) name: &'a [u8],
    /// Number of its inode.
    pub(crate) number: InodeNumber,
    /// Its type.
    pub(crate) kind: u8,
}

/// Bytes of the record of a name.
fn len(name: &[u8]) -> usize {
    let bytes: usize = [HEAD, name.len()].into_iter().sum();
    bytes.next_multiple_of(4)
}

impl Record<'_> {
    const NOTHING: Self = Self {
        name: b"",
        number: InodeNumber::NONE,
        kind: 0,
    };

    /// Fills all of `out`.
    #[expect(clippy::expect_used, reason = "the model refuses longer names")]
    fn write(&self, out: &mut [u8]) {
        let head = Head {
            inode: U32::new(self.number.get()),
            rec_len: U16::new(short(out.len())),
            name_len: u8::try_from(self.name.len()).expect("at most 255 bytes"),
            file_type: self.kind,
        };
        put(put(out, head.as_bytes()), self.name);
    }
}

/// How the records of a directory lie.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// One after another, in one block; further blocks are empty.
    Linear {
        /// Blocks.
        blocks: usize,
    },
    /// In leaves below an index, in order.
    Indexed(Vec<Leaf>),
}

/// A block of records below an index.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// The hash from which on it is looked at; its lowest bit says that the leaf before has some of that hash, too.
    hash: u32,
    /// Positions of its records.
    records: Vec<u32>,
}

impl Shape {
    /// The shape of a directory of `names`, of at least `least` blocks; nothing if they are too many.
    pub(crate) fn of(names: &[&[u8]], seed: [u32; 4], least: usize) -> Option<Self> {
        let mut room = ROOM - 2 * DOT;
        let fits = names.iter().all(|name| {
            let rest = room.checked_sub(len(name));
            room = rest.unwrap_or(room);
            rest.is_some()
        });
        if fits {
            let blocks = least.max(1);
            return Some(Self::Linear { blocks });
        }
        let hashed = names.iter().zip(0u32..).map(|(name, position)| {
            let (major, minor) = half_md4(seed, name);
            (major, minor, position, len(name))
        });
        let mut order: Vec<(u32, u32, u32, usize)> = hashed.collect();
        order.sort_unstable();
        let mut leaves: Vec<Leaf> = Vec::new();
        let mut room = 0;
        let mut before = None;
        for (hash, _, position, len) in order {
            match (usize::checked_sub(room, len), leaves.last_mut()) {
                (Some(rest), Some(leaf)) => {
                    room = rest;
                    leaf.records.push(position);
                }
                _ => {
                    room = ROOM.checked_sub(len)?;
                    leaves.push(Leaf {
                        hash: hash | u32::from(before == Some(hash)),
                        records: vec![position],
                    });
                }
            }
            before = Some(hash);
        }
        (leaves.len() <= ROOT_ENTRIES * NODE_ENTRIES).then_some(Self::Indexed(leaves))
    }

    /// Blocks of the directory.
    pub(crate) fn blocks(&self) -> usize {
        match self {
            Self::Linear { blocks } => *blocks,
            Self::Indexed(leaves) => [1, nodes(leaves).len(), leaves.len()].into_iter().sum(),
        }
    }

    /// Whether it has an index.
    pub(crate) fn indexed(&self) -> bool {
        matches!(self, Self::Indexed(_))
    }

    /// All blocks, one after another. Positions are those of `records`.
    pub(crate) fn render(
        &self,
        own: InodeNumber,
        parent: InodeNumber,
        records: &[Record<'_>],
        seed: u32,
    ) -> Vec<u8> {
        let seed = inode_seed(seed, own);
        let dots = [(&b"."[..], own), (b"..", parent)].map(|(name, number)| Record {
            name,
            number,
            kind: DIRECTORY,
        });
        let mut out = Vec::new();
        match self {
            Self::Linear { blocks } => {
                let all = dots.iter().chain(records);
                out.extend(records_of(all.copied(), seed));
                for _ in 1..*blocks {
                    out.extend(records_of([].into_iter(), seed));
                }
            }
            Self::Indexed(leaves) => {
                out.extend(index(&dots, leaves, seed).as_flattened());
                for leaf in leaves {
                    let positions = leaf.records.iter();
                    let records = positions.map(|at| *nth(records, as_usize(*at)));
                    out.extend(records_of(records, seed));
                }
            }
        }
        out
    }
}

/// The leaves below each node between the root and them.
fn nodes(leaves: &[Leaf]) -> Vec<&[Leaf]> {
    match leaves.len() <= ROOT_ENTRIES {
        true => Vec::new(),
        false => leaves.chunks(NODE_ENTRIES).collect(),
    }
}

/// A block of records.
fn records_of<'a>(records: impl Iterator<Item = Record<'a>>, seed: u32) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let (room, tail) = block.split_at_mut(ROOM);
    let mut rest = &mut *room;
    let mut records = records.peekable();
    while let Some(record) = records.next() {
        // The last record takes what is left.
        let len = match records.peek() {
            Some(_) => len(record.name),
            None => rest.len(),
        };
        let (own, behind) = rest.split_at_mut(len);
        record.write(own);
        rest = behind;
    }
    if rest.len() == ROOM {
        Record::NOTHING.write(rest);
    }
    let tail_of = Tail {
        det_reserved_zero1: U32::ZERO,
        det_rec_len: U16::new(short(TAIL)),
        det_reserved_zero2: 0,
        det_reserved_ft: 0xde,
        det_checksum: U32::new(crc(seed, room)),
    };
    put(tail, tail_of.as_bytes());
    block
}

/// Root and nodes of an index.
fn index(dots: &[Record<'_>; 2], leaves: &[Leaf], seed: u32) -> Vec<[u8; BLOCK]> {
    let nodes = nodes(leaves);
    // Children lie behind the root in this order: nodes, leaves.
    let mut children = 1u32..;
    let mut root = [0; BLOCK];
    let [own, parent] = dots;
    let (first, rest) = root.split_at_mut(DOT);
    own.write(first);
    parent.write(rest);
    let info = IndexInfo {
        reserved_zero: U32::ZERO,
        hash_version: 1,
        info_length: 8,
        indirect_levels: u8::from(!nodes.is_empty()),
        unused_flags: 0,
    };
    put(root.split_at_mut(2 * DOT).1, info.as_bytes());
    match nodes.is_empty() {
        true => entries(&mut root, ROOT_AT, leaves.iter(), &mut children, seed),
        false => {
            let first = nodes.iter().filter_map(|node| node.first());
            entries(&mut root, ROOT_AT, first, &mut children, seed);
        }
    }
    let nodes = nodes.into_iter().map(|leaves| {
        let mut node = [0; BLOCK];
        Record::NOTHING.write(&mut node);
        entries(&mut node, NODE_AT, leaves.iter(), &mut children, seed);
        node
    });
    iter::once(root).chain(nodes).collect()
}

/// Fills an index block from `at` on with the entries of children that begin with `leaves`, and with its checksum.
fn entries<'a>(
    block: &mut [u8; BLOCK],
    at: usize,
    leaves: impl Iterator<Item = &'a Leaf>,
    children: &mut RangeFrom<u32>,
    seed: u32,
) {
    let (body, end) = block.split_at_mut(INDEX_ROOM);
    let (before, slots) = body.split_at_mut(at);
    let room = slots.chunks_exact(ENTRY).len();
    let entry = |(leaf, child): (&Leaf, u32)| IndexEntry {
        hash: U32::new(leaf.hash),
        block: U32::new(child),
    };
    let mut entries: Vec<IndexEntry> = leaves.zip(children).map(entry).collect();
    let limit_and_count = [room, entries.len()].map(|number| U16::new(short(number)));
    if let Some(first) = entries.first_mut() {
        first.hash = transmute!(limit_and_count);
    }
    let sum = crc(crc(seed, before), entries.as_bytes());
    let tail = IndexTail {
        dt_reserved: U32::ZERO,
        dt_checksum: U32::new(crc(sum, &[0; size_of::<IndexTail>()])),
    };
    put(slots, entries.as_bytes());
    put(end, tail.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_too_many_makes_an_index() {
        // 12 bytes each, and 24 for the dots: 4084 less 24 are 338 and 4 bytes more.
        let names: Vec<String> = (0..339).map(|n| format!("{n:04}")).collect();
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let shape = |count: usize| Shape::of(&names[..count], [1, 2, 3, 4], 1).unwrap();
        assert!(matches!(shape(338), Shape::Linear { blocks: 1 }));
        let Shape::Indexed(leaves) = shape(339) else {
            panic!("no index");
        };
        let records: Vec<usize> = leaves.iter().map(|leaf| leaf.records.len()).collect();
        assert_eq!((records.as_slice(), shape(339).blocks()), (&[339][..], 2));
    }
}
