//! Group descriptors and bitmaps.
//!
//! Spec: the kernel's `filesystems/ext4/group_descr` and `bitmaps` pages. A descriptor of 32 bytes; with 64bit another 32
//! follow with the high halves, in the order of the low ones:
//!
//! | offset | size | field                      | we write                                                  |
//! |-------:|-----:|----------------------------|-----------------------------------------------------------|
//! |   0x00 |    4 | `bg_block_bitmap_lo`       |                                                           |
//! |   0x04 |    4 | `bg_inode_bitmap_lo`       |                                                           |
//! |   0x08 |    4 | `bg_inode_table_lo`        |                                                           |
//! |   0x0C |    2 | `bg_free_blocks_count_lo`  |                                                           |
//! |   0x0E |    2 | `bg_free_inodes_count_lo`  |                                                           |
//! |   0x10 |    2 | `bg_used_dirs_count_lo`    |                                                           |
//! |   0x12 |    2 | `bg_flags`                 | 1: no inode in use; 2: no block; 4: the table is zeroed   |
//! |   0x18 |    2 | `bg_block_bitmap_csum_lo`  | CRC-32C of the bitmap                                     |
//! |   0x1A |    2 | `bg_inode_bitmap_csum_lo`  |                                                           |
//! |   0x1C |    2 | `bg_itable_unused_lo`      | inodes never used, at the end of the table                |
//! |   0x1E |    2 | `bg_checksum`              | low half of the CRC-32C of the group's number and this    |
//!
//! Bitmaps of groups without inodes or blocks in use (but a copy of the superblock) are not written; nobody reads them.

use crate::bytes::{
    crc, high16, high32, index, low16, low32, narrow, put16, put32, set_bits, wide, BLOCK,
};
use crate::model::Model;
use crate::place::Placement;
use crate::superblock::Counts;

const NO_INODES: u16 = 1;
const NO_BLOCKS: u16 = 2;
const ZEROED: u16 = 4;

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
    let before = group.saturating_mul(per_group);
    u64::from(model.last_number())
        .saturating_sub(before)
        .min(per_group)
}

/// Whether the bitmap of blocks of `group` says nothing that everybody knows.
pub(crate) fn no_blocks(placement: &Placement, group: u64) -> bool {
    let last = group.saturating_add(1) == placement.geometry.groups;
    !last && placement.geometry.bounds(group).0 >= placement.space.end()
}

/// The bitmap of inodes of a group.
pub(crate) fn inode_bits(placement: &Placement, used: u64, bits: &mut [u8]) {
    bits.fill(0);
    set_bits(bits, 0, used);
    let end = wide(bits.len()).saturating_mul(8);
    set_bits(bits, placement.geometry.inodes_per_group, end);
}

impl Groups {
    pub(crate) fn of(placement: &Placement, model: &Model<'_>, seed: u32) -> Self {
        let geometry = &placement.geometry;
        let dirs = dirs_of_groups(placement, model);
        let mut bits = vec![0; BLOCK];
        let len = geometry.descriptors.saturating_mul(wide(BLOCK));
        let mut descriptors = vec![0; index(len)];
        let mut counts = Counts {
            free_blocks: 0,
            free_inodes: 0,
        };
        let slots = descriptors.chunks_exact_mut(index(geometry.descriptor));
        let places = placement.tables.iter().zip(&placement.inode_bitmaps);
        let places = places.zip(&placement.block_bitmaps);
        for (((group, slot), dirs), ((table, inodes), blocks)) in
            (0..).zip(slots).zip(dirs).zip(places)
        {
            let used = inodes_in_use(placement, model, group);
            let mut one = Descriptor {
                blocks_at: *blocks,
                inodes_at: *inodes,
                table_at: *table,
                dirs,
                flags: ZEROED,
                free_inodes: narrow(geometry.inodes_per_group.saturating_sub(used)),
                ..Descriptor::default()
            };
            placement.block_bits(group, &mut bits);
            let bitmap = bits.get(..index(geometry.group / 8)).unwrap_or_default();
            one.free_blocks = bitmap.iter().map(|byte| byte.count_zeros()).sum();
            if no_blocks(placement, group) {
                one.flags |= NO_BLOCKS;
            } else {
                one.blocks_sum = crc(seed, bitmap);
            }
            if used == 0 {
                one.flags |= NO_INODES;
            } else {
                inode_bits(placement, used, &mut bits);
                let bitmap = bits.get(..index(geometry.inodes_per_group / 8));
                one.inodes_sum = crc(seed, bitmap.unwrap_or_default());
            }
            one.render(slot, seed, group);
            counts.free_blocks = counts
                .free_blocks
                .saturating_add(u64::from(one.free_blocks));
            counts.free_inodes = counts.free_inodes.saturating_add(one.free_inodes);
        }
        Self {
            descriptors,
            counts,
        }
    }
}

/// How many directories have their inode in each group.
fn dirs_of_groups(placement: &Placement, model: &Model<'_>) -> Vec<u32> {
    let mut dirs = vec![0u32; index(placement.geometry.groups)];
    let per_group = placement.geometry.inodes_per_group;
    for inode in model.inodes.iter().filter(|inode| inode.dir.is_some()) {
        let group = u64::from(inode.number.saturating_sub(1)).checked_div(per_group);
        if let Some(count) = group.and_then(|group| dirs.get_mut(index(group))) {
            *count = count.saturating_add(1);
        }
    }
    dirs
}

#[derive(Clone, Copy, Debug, Default)]
struct Descriptor {
    blocks_at: u64,
    inodes_at: u64,
    table_at: u64,
    free_blocks: u32,
    free_inodes: u32,
    dirs: u32,
    flags: u16,
    blocks_sum: u32,
    inodes_sum: u32,
}

impl Descriptor {
    fn render(&self, out: &mut [u8], seed: u32, group: u64) {
        let places = [self.blocks_at, self.inodes_at, self.table_at];
        // Inodes that were never used stand at the end: all that are free.
        let counts = [
            self.free_blocks,
            self.free_inodes,
            self.dirs,
            self.free_inodes,
        ];
        let sums = [self.blocks_sum, self.inodes_sum];
        for ((at, high), place) in [(0x0, 0x20), (0x4, 0x24), (0x8, 0x28)]
            .into_iter()
            .zip(places)
        {
            put32(out, at, low32(place));
            put32(out, high, high32(place));
        }
        let at = [(0xc, 0x2c), (0xe, 0x2e), (0x10, 0x30), (0x1c, 0x32)];
        for ((at, high), count) in at.into_iter().zip(counts) {
            put16(out, at, low16(count));
            put16(out, high, high16(count));
        }
        put16(out, 0x12, self.flags);
        for ((at, high), sum) in [(0x18, 0x38), (0x1a, 0x3a)].into_iter().zip(sums) {
            put16(out, at, low16(sum));
            put16(out, high, high16(sum));
        }
        let sum = crc(crc(seed, &narrow(group).to_le_bytes()), out);
        put16(out, 0x1e, low16(sum));
    }
}
