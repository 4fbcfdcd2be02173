//! The superblock: bytes 1024 to 2047 of the image, and a copy at the start of some groups.
//!
//! Spec: the kernel's `filesystems/ext4/super` page. Fields that are not here are 0.
//!
//! | offset | size | field                    | we write                                                     |
//! |-------:|-----:|--------------------------|--------------------------------------------------------------|
//! |   0x00 |    4 | `s_inodes_count`         |                                                              |
//! |   0x04 |    4 | `s_blocks_count_lo`      | and its high half at 0x150                                   |
//! |   0x0C |    4 | `s_free_blocks_count_lo` | and its high half at 0x158                                   |
//! |   0x10 |    4 | `s_free_inodes_count`    |                                                              |
//! |   0x18 |    8 | `s_log_block_size`, `_cluster_size` | 2: 4096 bytes                                     |
//! |   0x20 |    8 | `s_blocks_per_group`, `s_clusters_` |                                                   |
//! |   0x28 |    4 | `s_inodes_per_group`     |                                                              |
//! |   0x30 |    4 | `s_wtime`                | time of creation; likewise `s_lastcheck` 0x40, `s_mkfs_time` 0x108 |
//! |   0x36 |    2 | `s_max_mnt_count`        | 0xFFFF: mounts are not counted                               |
//! |   0x38 |    2 | `s_magic`                | 0xEF53                                                       |
//! |   0x3A |    2 | `s_state`                | 1: clean                                                     |
//! |   0x3C |    2 | `s_errors`               | 1: go on                                                     |
//! |   0x4C |    4 | `s_rev_level`            | 1                                                            |
//! |   0x54 |    4 | `s_first_ino`            | 11                                                           |
//! |   0x58 |    2 | `s_inode_size`           | 256                                                          |
//! |   0x5A |    2 | `s_block_group_nr`       | group of this copy                                           |
//! |   0x5C |    4 | `s_feature_compat`       | ext_attr, dir_index; has_journal                             |
//! |   0x60 |    4 | `s_feature_incompat`     | filetype, extents, flex_bg; 64bit                            |
//! |   0x64 |    4 | `s_feature_ro_compat`    | sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum |
//! |   0x68 |   16 | `s_uuid`                 |                                                              |
//! |   0x78 |   16 | `s_volume_name`          |                                                              |
//! |   0xE0 |    4 | `s_journal_inum`         | 8 if there is a journal; then at 0xFD 1, and its inode's `i_block` and size at 0x10C |
//! |   0xEC |   16 | `s_hash_seed`            |                                                              |
//! |   0xFC |    1 | `s_def_hash_version`     | 1: half MD4                                                  |
//! |   0xFE |    2 | `s_desc_size`            | 64 with 64bit                                                |
//! |  0x100 |    4 | `s_default_mount_opts`   | 0xC: user_xattr, acl                                         |
//! |  0x15C |    4 | `s_min_extra_isize`, `s_want_` | 32                                                     |
//! |  0x160 |    4 | `s_flags`                | 1: the hash takes bytes as signed                            |
//! |  0x174 |    1 | `s_log_groups_per_flex`  | 4                                                            |
//! |  0x175 |    1 | `s_checksum_type`        | 1: CRC-32C                                                   |
//! |  0x274 |    4 | `s_wtime_hi`, `s_mkfs_time_hi` +2, `s_lastcheck_hi` +3 |                                |
//! |  0x3FC |    4 | `s_checksum`             |                                                              |

use crate::bytes::{crc, high32, low16, low32, narrow, put, put16, put32};
use crate::extents::ROOT;
use crate::geometry::Geometry;
use crate::model::{FIRST, JOURNAL};
use crate::params::Checked;

/// Bytes of a superblock.
pub(crate) const SIZE: usize = 1024;

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

/// The superblock, or its copy for `group`.
pub(crate) fn render(
    params: &Checked,
    geometry: &Geometry,
    counts: Counts,
    journal: Option<Journal>,
    group: u64,
) -> Vec<u8> {
    let mut out = vec![0; SIZE];
    let per_group = narrow(geometry.group);
    let compat = EXT_ATTR | DIR_INDEX | if journal.is_some() { HAS_JOURNAL } else { 0 };
    let incompat = FILETYPE | EXTENTS | FLEX_BG | if geometry.is_wide() { WIDE } else { 0 };
    let read_only = [
        SPARSE_SUPER,
        LARGE_FILE,
        HUGE_FILE,
        DIR_NLINK,
        EXTRA_ISIZE,
        METADATA_CSUM,
    ];
    let numbers = [
        (0x0, geometry.inodes()),
        (0x4, low32(geometry.blocks)),
        (0xc, low32(counts.free_blocks)),
        (0x10, counts.free_inodes),
        (0x18, 2),
        (0x1c, 2),
        (0x20, per_group),
        (0x24, per_group),
        (0x28, narrow(geometry.inodes_per_group)),
        (0x4c, 1),
        (0x54, FIRST),
        (0x5c, compat),
        (0x60, incompat),
        (0x64, read_only.into_iter().fold(0, |all, one| all | one)),
        (0x100, 0xc),
        (0x150, high32(geometry.blocks)),
        (0x158, high32(counts.free_blocks)),
        (0x160, 1),
    ];
    for (at, value) in numbers {
        put32(&mut out, at, value);
    }
    let short = [
        (0x36, 0xffff),
        (0x38, 0xef53),
        (0x3a, 1),
        (0x3c, 1),
        (0x58, 256),
        (0x5a, low16(low32(group))),
        (0xfe, if geometry.is_wide() { 64 } else { 0 }),
        (0x15c, 32),
        (0x15e, 32),
    ];
    for (at, value) in short {
        put16(&mut out, at, value);
    }
    let seconds = u64::try_from(params.mtime).unwrap_or(0);
    let high = low32(seconds >> 32).to_le_bytes();
    for (at, high_at) in [(0x30, 0x274), (0x40, 0x277), (0x108, 0x276)] {
        put32(&mut out, at, low32(seconds));
        put(&mut out, high_at, high.get(..1).unwrap_or_default());
    }
    put(&mut out, 0x68, &params.uuid);
    put(&mut out, 0x78, &params.label);
    put(&mut out, 0xec, &params.hash_seed);
    put(&mut out, 0xfc, &[1]);
    put(&mut out, 0x174, &[4, 1]);
    if let Some(journal) = journal {
        put32(&mut out, 0xe0, JOURNAL);
        put(&mut out, 0xfd, &[1]);
        put(&mut out, 0x10c, &journal.block);
        put32(&mut out, 0x148, high32(journal.size));
        put32(&mut out, 0x14c, low32(journal.size));
    }
    let sum = crc(!0, out.get(..0x3fc).unwrap_or_default());
    put32(&mut out, 0x3fc, sum);
    out
}
