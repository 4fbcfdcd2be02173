//! The superblock: bytes 1024 to 2047 of the image, and a copy at the start of some groups.

use std::mem::offset_of;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{transmute, FromZeros, Immutable, IntoBytes, Unaligned};

use crate::bytes::{crc, halves, halves16};
use crate::extents::ROOT;
use crate::geometry::Geometry;
use crate::model::{FIRST, JOURNAL};
use crate::num::narrow;
use crate::params::Checked;

/// Bytes of a superblock.
pub(crate) const SIZE: usize = size_of::<Superblock>();

const EXT_ATTR: u32 = 0x8;
const DIR_INDEX: u32 = 0x20;
const HAS_JOURNAL: u32 = 0x4;

const FILETYPE: u32 = 0x2;
const EXTENTS: u32 = 0x40;
const WIDE: u32 = 0x80;
const FLEX_BG: u32 = 0x200;

const SPARSE_SUPER: u32 = 0x1;
const LARGE_FILE: u32 = 0x2;
const HUGE_FILE: u32 = 0x8;
const DIR_NLINK: u32 = 0x20;
const EXTRA_ISIZE: u32 = 0x40;
const METADATA_CSUM: u32 = 0x400;
const READ_ONLY: u32 =
    SPARSE_SUPER | LARGE_FILE | HUGE_FILE | DIR_NLINK | EXTRA_ISIZE | METADATA_CSUM;

/// Fields have their names in the kernel's `filesystems/ext4/super` page; those that are always 0 here are gaps, named by their offset.
#[derive(FromZeros, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Superblock {
    /// 0.
    s_inodes_count: U32,
    /// 4: its high half at 0x150.
    s_blocks_count_lo: U32,
    _8: [u8; 4],
    /// 0xC: its high half at 0x158.
    s_free_blocks_count_lo: U32,
    /// 0x10.
    s_free_inodes_count: U32,
    _14: [u8; 4],
    /// 0x18: 2, 4096 bytes.
    s_log_block_size: U32,
    /// 0x1C: the same.
    s_log_cluster_size: U32,
    /// 0x20.
    s_blocks_per_group: U32,
    /// 0x24: the same.
    s_clusters_per_group: U32,
    /// 0x28.
    s_inodes_per_group: U32,
    _2c: [u8; 4],
    /// 0x30: time of creation.
    s_wtime: U32,
    _34: [u8; 2],
    /// 0x36: 0xFFFF, mounts are not counted.
    s_max_mnt_count: U16,
    /// 0x38: 0xEF53.
    s_magic: U16,
    /// 0x3A: 1, clean.
    s_state: U16,
    /// 0x3C: 1, go on.
    s_errors: U16,
    _3e: [u8; 2],
    /// 0x40: time of creation.
    s_lastcheck: U32,
    _44: [u8; 8],
    /// 0x4C: 1.
    s_rev_level: U32,
    _50: [u8; 4],
    /// 0x54: 11.
    s_first_ino: U32,
    /// 0x58: 256.
    s_inode_size: U16,
    /// 0x5A: group of this copy, its low 16 bits.
    s_block_group_nr: U16,
    /// 0x5C: ext_attr, dir_index; has_journal.
    s_feature_compat: U32,
    /// 0x60: filetype, extents, flex_bg; 64bit.
    s_feature_incompat: U32,
    /// 0x64: sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum.
    s_feature_ro_compat: U32,
    /// 0x68.
    s_uuid: [u8; 16],
    /// 0x78: zero-padded.
    s_volume_name: [u8; 16],
    _88: [u8; 0x58],
    /// 0xE0: 8 if there is a journal.
    s_journal_inum: U32,
    _e4: [u8; 8],
    /// 0xEC.
    s_hash_seed: [u8; 16],
    /// 0xFC: 1, half MD4.
    s_def_hash_version: u8,
    /// 0xFD: 1 if there is a journal: its inode is repeated below.
    s_jnl_backup_type: u8,
    /// 0xFE: 64 with 64bit.
    s_desc_size: U16,
    /// 0x100: 0xC, user_xattr and acl.
    s_default_mount_opts: U32,
    _104: [u8; 4],
    /// 0x108: time of creation.
    s_mkfs_time: U32,
    /// 0x10C: the journal's `i_block`.
    s_jnl_blocks: [u8; ROOT],
    /// 0x148: its length, the high half first.
    s_jnl_size: [U32; 2],
    /// 0x150.
    s_blocks_count_hi: U32,
    _154: [u8; 4],
    /// 0x158.
    s_free_blocks_count_hi: U32,
    /// 0x15C: 32.
    s_min_extra_isize: U16,
    /// 0x15E: 32.
    s_want_extra_isize: U16,
    /// 0x160: 1, the hash takes bytes as signed.
    s_flags: U32,
    _164: [u8; 16],
    /// 0x174: 4.
    s_log_groups_per_flex: u8,
    /// 0x175: 1, CRC-32C.
    s_checksum_type: u8,
    _176: [u8; 0xfe],
    /// 0x274: of the time of creation.
    s_wtime_hi: u8,
    _275: u8,
    /// 0x276: the same.
    s_mkfs_time_hi: u8,
    /// 0x277: the same.
    s_lastcheck_hi: u8,
    _278: [u8; 0x184],
    /// 0x3FC: of all before.
    s_checksum: U32,
}

const _: () = assert!(SIZE == 1024);
const _: () = assert!(offset_of!(Superblock, s_magic) == 0x38);
const _: () = assert!(offset_of!(Superblock, s_uuid) == 0x68);
const _: () = assert!(offset_of!(Superblock, s_hash_seed) == 0xec);
const _: () = assert!(offset_of!(Superblock, s_jnl_blocks) == 0x10c);
const _: () = assert!(offset_of!(Superblock, s_blocks_count_hi) == 0x150);
const _: () = assert!(offset_of!(Superblock, s_wtime_hi) == 0x274);
const _: () = assert!(offset_of!(Superblock, s_checksum) == 0x3fc);

/// What the superblock counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) free_blocks: u64,
    pub(crate) free_inodes: u32,
}

/// The journal, as the superblock repeats it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journal {
    pub(crate) block: [u8; ROOT],
    pub(crate) size: u64,
}

/// Fields that are the same in all our file systems; the others are 0.
fn the_same_in_all() -> Superblock {
    Superblock {
        s_log_block_size: U32::new(2),
        s_log_cluster_size: U32::new(2),
        s_max_mnt_count: U16::new(0xffff),
        s_magic: U16::new(0xef53),
        s_state: U16::new(1),
        s_errors: U16::new(1),
        s_rev_level: U32::new(1),
        s_first_ino: U32::new(FIRST.get()),
        s_inode_size: U16::new(256),
        s_feature_ro_compat: U32::new(READ_ONLY),
        s_def_hash_version: 1,
        s_default_mount_opts: U32::new(0xc),
        s_min_extra_isize: U16::new(32),
        s_want_extra_isize: U16::new(32),
        s_flags: U32::new(1),
        s_log_groups_per_flex: 4,
        s_checksum_type: 1,
        ..Superblock::new_zeroed()
    }
}

/// The superblock, or its copy for `group`.
pub(crate) fn render(
    params: &Checked,
    geometry: &Geometry,
    counts: Counts,
    journal: Option<Journal>,
    group: u64,
) -> [u8; SIZE] {
    let (blocks, blocks_hi) = halves(geometry.blocks);
    let (free_blocks, free_blocks_hi) = halves(counts.free_blocks);
    let per_group = U32::new(narrow(geometry.group));
    // The latest time has 34 bits.
    let [a, b, c, d, time_hi, ..] = params.mtime.to_le_bytes();
    let time = U32::from_bytes([a, b, c, d]);
    let size = halves(journal.map_or(0, |journal| journal.size));
    let (wide, desc_size) = match geometry.is_wide() {
        true => (WIDE, 64),
        false => (0, 0),
    };
    let mut superblock = Superblock {
        s_inodes_count: U32::new(geometry.inodes()),
        s_blocks_count_lo: blocks,
        s_free_blocks_count_lo: free_blocks,
        s_free_inodes_count: U32::new(counts.free_inodes),
        s_blocks_per_group: per_group,
        s_clusters_per_group: per_group,
        s_inodes_per_group: U32::new(narrow(geometry.inodes_per_group)),
        s_wtime: time,
        s_lastcheck: time,
        s_block_group_nr: halves16(narrow(group)).0,
        s_feature_compat: U32::new(EXT_ATTR | DIR_INDEX | journal.map_or(0, |_| HAS_JOURNAL)),
        s_feature_incompat: U32::new(FILETYPE | EXTENTS | FLEX_BG | wide),
        s_uuid: params.uuid,
        s_volume_name: params.label,
        s_journal_inum: U32::new(journal.map_or(0, |_| JOURNAL.get())),
        s_hash_seed: params.hash_seed,
        s_jnl_backup_type: journal.is_some().into(),
        s_desc_size: U16::new(desc_size),
        s_mkfs_time: time,
        s_jnl_blocks: journal.map_or([0; ROOT], |journal| journal.block),
        s_jnl_size: [size.1, size.0],
        s_blocks_count_hi: blocks_hi,
        s_free_blocks_count_hi: free_blocks_hi,
        s_wtime_hi: time_hi,
        s_mkfs_time_hi: time_hi,
        s_lastcheck_hi: time_hi,
        ..the_same_in_all()
    };
    let (summed, _) = superblock
        .as_bytes()
        .split_at(offset_of!(Superblock, s_checksum));
    superblock.s_checksum = U32::new(crc(!0, summed));
    transmute!(superblock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Size;

    /// An image of 16 TiB, a late time, a journal: numbers that need both halves of their fields.
    #[test]
    fn every_field_at_its_place() {
        let params = Checked {
            size: Size::Mib(1 << 24),
            uuid: [0x11; 16],
            hash_seed: [0x22; 16],
            label: [0x33; 16],
            mtime: 0x3_1122_3344,
            journal: true,
        };
        let geometry = Geometry {
            mib: 1 << 24,
            blocks: 1 << 32,
            group: 32768,
            groups: 1 << 17,
            inodes_per_group: 16,
            head: 2049,
            descriptors: 2048,
            descriptor: 64,
            journal: 1 << 18,
        };
        let counts = Counts {
            free_blocks: 0x2_3456_789a,
            free_inodes: 77,
        };
        let journal = Journal {
            block: [5; ROOT],
            size: 0x1_4000_0000,
        };
        let superblock = render(&params, &geometry, counts, Some(journal), 0x1_0003);
        let words = [
            (0x00, 1 << 21),
            (0x04, 0),
            (0x0c, 0x3456_789a),
            (0x10, 77),
            (0x20, 32768),
            (0x24, 32768),
            (0x28, 16),
            (0x30, 0x1122_3344),
            (0x40, 0x1122_3344),
            // ext_attr, dir_index, has_journal; filetype, extents, 64bit, flex_bg.
            (0x5c, 0x8 | 0x20 | 0x4),
            (0x60, 0x2 | 0x40 | 0x80 | 0x200),
            (0x68, 0x1111_1111),
            (0x78, 0x3333_3333),
            (0xe0, 8),
            (0xec, 0x2222_2222),
            (0x108, 0x1122_3344),
            (0x10c, 0x0505_0505),
            (0x144, 0x0505_0505),
            (0x148, 1),
            (0x14c, 0x4000_0000),
            (0x150, 1),
            (0x158, 2),
        ];
        for (at, want) in words {
            let word = u32::from_le_bytes(superblock[at..at + 4].try_into().unwrap());
            assert_eq!(word, want, "{at:#x}");
        }
        // The low half of the group, the kind of the journal's copy, the length of a descriptor, and the times' high bytes.
        assert_eq!(superblock[0x5a..0x5c], [3, 0]);
        assert_eq!(superblock[0xfd..0x100], [1, 64, 0]);
        assert_eq!(superblock[0x274..0x278], [3, 0, 3, 3]);
    }
}
