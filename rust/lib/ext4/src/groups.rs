//! Group descriptors and bitmaps.
//!
//! Spec: the kernel's `filesystems/ext4/group_descr` and `bitmaps` pages. Bitmaps of groups without inodes or blocks in use (but a
//! copy of the superblock) are not written; nobody reads them.

use base::{as_u64, as_usize};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromZeros, Immutable, IntoBytes, Unaligned};

use crate::bytes::{crc, halves, halves16, set_bits, BLOCK};
use crate::model::Model;
use crate::num::{narrow, nth, nth_mut, part, product, sum, without};
use crate::place::Placement;
use crate::superblock::Counts;

const NO_INODES: u16 = 1;
const NO_BLOCKS: u16 = 2;
const ZEROED: u16 = 4;

/// A descriptor, fields named as in the kernel's page. Without 64bit the second half of it is left out.
#[derive(FromZeros, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Descriptor {
    /// 0.
    bg_block_bitmap_lo: U32,
    /// 4.
    bg_inode_bitmap_lo: U32,
    /// 8.
    bg_inode_table_lo: U32,
    /// 0xC.
    bg_free_blocks_count_lo: U16,
    /// 0xE.
    bg_free_inodes_count_lo: U16,
    /// 0x10.
    bg_used_dirs_count_lo: U16,
    /// 0x12: 1, no inode in use; 2, no block; 4, the table is zeroed.
    bg_flags: U16,
    _14: [u8; 4],
    /// 0x18: CRC-32C of the bitmap.
    bg_block_bitmap_csum_lo: U16,
    /// 0x1A: the same.
    bg_inode_bitmap_csum_lo: U16,
    /// 0x1C: inodes never used, at the end of the table: all that are free.
    bg_itable_unused_lo: U16,
    /// 0x1E: low half of the CRC-32C of the group's number and of this.
    bg_checksum: U16,
    /// 0x20.
    bg_block_bitmap_hi: U32,
    /// 0x24.
    bg_inode_bitmap_hi: U32,
    /// 0x28.
    bg_inode_table_hi: U32,
    /// 0x2C.
    bg_free_blocks_count_hi: U16,
    /// 0x2E.
    bg_free_inodes_count_hi: U16,
    /// 0x30.
    bg_used_dirs_count_hi: U16,
    /// 0x32.
    bg_itable_unused_hi: U16,
    _34: [u8; 4],
    /// 0x38.
    bg_block_bitmap_csum_hi: U16,
    /// 0x3A.
    bg_inode_bitmap_csum_hi: U16,
    _3c: [u8; 4],
}

const _: () = assert!(size_of::<Descriptor>() == 64);

/// All descriptors.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Their bytes, one after another, in whole blocks.
    pub(crate) descriptors: Vec<u8>,
    pub(crate) counts: Counts,
}

/// Inodes of `group` in use: they are numbered without gaps.
pub(crate) fn inodes_in_use(placement: &Placement, model: &Model<'_>, group: u64) -> u64 {
    let per_group = placement.geometry.inodes_per_group;
    let before = product(group, per_group);
    let last = u64::from(model.last_number().get());
    // None, if all of them are in groups before.
    without(last.max(before), before).min(per_group)
}

/// Whether the bitmap of blocks of `group` says nothing that everybody knows.
pub(crate) fn no_blocks(placement: &Placement, group: u64) -> bool {
    let last = sum(group, 1) == placement.geometry.groups;
    !last && placement.geometry.bounds(group).start >= placement.space.end()
}

/// The bitmap of inodes of a group.
pub(crate) fn inode_bits(placement: &Placement, used: u64, bits: &mut [u8]) {
    bits.fill(0);
    set_bits(bits, 0..used);
    let end = product(as_u64(bits.len()), 8);
    set_bits(bits, placement.geometry.inodes_per_group..end);
}

impl Groups {
    pub(crate) fn of(placement: &Placement, model: &Model<'_>, seed: u32) -> Self {
        let geometry = &placement.geometry;
        let len = product(geometry.descriptors, as_u64(BLOCK));
        let mut descriptors = vec![0; as_usize(len)];
        let mut counts = Counts {
            free_blocks: 0,
            free_inodes: 0,
        };
        let mut bits = vec![0; BLOCK];
        let slots = descriptors.chunks_exact_mut(as_usize(geometry.descriptor));
        let dirs = dirs_of_groups(placement, model);
        for ((group, slot), dirs) in (0..geometry.groups).zip(slots).zip(dirs) {
            let mut one = place(placement, group);
            (one.bg_used_dirs_count_lo, one.bg_used_dirs_count_hi) = halves16(dirs);
            let free_blocks = blocks(&mut one, placement, group, seed, &mut bits);
            let free_inodes = inodes(&mut one, placement, model, group, seed, &mut bits);
            counts.free_blocks = sum(counts.free_blocks, free_blocks);
            counts.free_inodes = narrow(sum(counts.free_inodes.into(), free_inodes));
            let number = narrow(group).to_le_bytes();
            let (bytes, _) = one.as_bytes().split_at(slot.len());
            one.bg_checksum = halves16(crc(crc(seed, &number), bytes)).0;
            let (bytes, _) = one.as_bytes().split_at(slot.len());
            slot.copy_from_slice(bytes);
        }
        Self {
            descriptors,
            counts,
        }
    }
}

/// Where a group's table and bitmaps lie.
fn place(placement: &Placement, group: u64) -> Descriptor {
    let at = |list: &[u64]| halves(*nth(list, as_usize(group)));
    let (blocks, blocks_hi) = at(&placement.block_bitmaps);
    let (inodes, inodes_hi) = at(&placement.inode_bitmaps);
    let (table, table_hi) = at(&placement.tables);
    Descriptor {
        bg_block_bitmap_lo: blocks,
        bg_block_bitmap_hi: blocks_hi,
        bg_inode_bitmap_lo: inodes,
        bg_inode_bitmap_hi: inodes_hi,
        bg_inode_table_lo: table,
        bg_inode_table_hi: table_hi,
        bg_flags: U16::new(ZEROED),
        ..Descriptor::new_zeroed()
    }
}

/// Enters what is free of a group's blocks, and how many those are.
fn blocks(
    one: &mut Descriptor,
    placement: &Placement,
    group: u64,
    seed: u32,
    bits: &mut [u8],
) -> u64 {
    placement.block_bits(group, bits);
    let bitmap = part(bits, 0..as_usize(placement.geometry.group / 8));
    let free = bitmap.iter().map(|byte| byte.count_zeros()).sum();
    (one.bg_free_blocks_count_lo, one.bg_free_blocks_count_hi) = halves16(free);
    if no_blocks(placement, group) {
        one.bg_flags |= NO_BLOCKS;
    } else {
        (one.bg_block_bitmap_csum_lo, one.bg_block_bitmap_csum_hi) = halves16(crc(seed, bitmap));
    }
    free.into()
}

/// Enters what is free of a group's inodes, and how many those are.
fn inodes(
    one: &mut Descriptor,
    placement: &Placement,
    model: &Model<'_>,
    group: u64,
    seed: u32,
    bits: &mut [u8],
) -> u64 {
    let per_group = placement.geometry.inodes_per_group;
    let used = inodes_in_use(placement, model, group);
    let free = without(per_group, used);
    (one.bg_free_inodes_count_lo, one.bg_free_inodes_count_hi) = halves16(narrow(free));
    (one.bg_itable_unused_lo, one.bg_itable_unused_hi) = halves16(narrow(free));
    if used == 0 {
        one.bg_flags |= NO_INODES;
    } else {
        inode_bits(placement, used, bits);
        let bitmap = part(bits, 0..as_usize(per_group / 8));
        (one.bg_inode_bitmap_csum_lo, one.bg_inode_bitmap_csum_hi) = halves16(crc(seed, bitmap));
    }
    free
}

/// How many directories have their inode in each group.
fn dirs_of_groups(placement: &Placement, model: &Model<'_>) -> Vec<u32> {
    let mut dirs = vec![0u64; as_usize(placement.geometry.groups)];
    for inode in model.inodes.iter().filter(|inode| inode.dir.is_some()) {
        let group = placement.geometry.group_of(inode.number);
        let count = nth_mut(&mut dirs, as_usize(group));
        *count = sum(*count, 1);
    }
    dirs.into_iter().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Frame, Geometry};
    use crate::place::Places;
    use crate::space::Space;

    /// No image of ours has blocks of such numbers, but its descriptors have room for them.
    #[test]
    fn where_a_group_says_that_things_lie() {
        let frame = Frame {
            group: 32768,
            descriptors: 1,
        };
        let placement = Placement {
            geometry: Geometry::new(frame, 128, 16, false).unwrap(),
            places: Places::default(),
            space: Space::new(32768, 2),
            tables: vec![0x1122_3344_5566],
            inode_bitmaps: vec![0x2233_4455_6677],
            block_bitmaps: vec![0x3344_5566_7788],
            journal: Default::default(),
        };
        let one = place(&placement, 0);
        let word = |at: usize| u32::from_le_bytes(one.as_bytes()[at..at + 4].try_into().unwrap());
        assert_eq!([0x0, 0x20].map(word), [0x5566_7788, 0x3344]);
        assert_eq!([0x4, 0x24].map(word), [0x4455_6677, 0x2233]);
        assert_eq!([0x8, 0x28].map(word), [0x3344_5566, 0x1122]);
        assert_eq!(one.bg_flags.get(), 4);
    }
}
