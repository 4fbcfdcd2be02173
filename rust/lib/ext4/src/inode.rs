//! Inodes: 256 bytes each.
//!
//! Spec: the kernel's `filesystems/ext4/inodes` page. Fields that are not here are 0.
//!
//! | offset | size | field            | we write                                                                |
//! |-------:|-----:|------------------|-------------------------------------------------------------------------|
//! |   0x00 |    2 | `i_mode`         | type and permissions                                                    |
//! |   0x02 |    2 | `i_uid`          | and its high half at 0x78; group at 0x18 and 0x7A                       |
//! |   0x04 |    4 | `i_size_lo`      | length, high half at 0x6C; of a link that of its text                   |
//! |   0x08 |   12 | times            | access, change, modification: the file's time                           |
//! |   0x1A |    2 | `i_links_count`  | names; 1 for a directory of more than 64,998 directories                |
//! |   0x1C |    4 | `i_blocks_lo`    | 512-byte sectors of data, tree and attributes; high half at 0x74        |
//! |   0x20 |    4 | `i_flags`        | extents, index                                                          |
//! |   0x28 |   60 | `i_block`        | root of the extent tree, text of a link of up to 59 bytes, or a device  |
//! |   0x68 |    4 | `i_file_acl_lo`  | block of attributes, high half at 0x76                                  |
//! |   0x7C |    2 | `i_checksum_lo`  | CRC-32C of number, generation and the inode; high half at 0x82          |
//! |   0x80 |    2 | `i_extra_isize`  | 32                                                                      |
//! |   0x84 |   12 | times            | change, modification, access: nanoseconds << 2, two more bits of seconds |
//! |   0x90 |    8 | time             | creation: the image's, and its more bits                                |
//! |   0xA0 |   96 | attributes       | see `xattr`                                                             |

use tree::{Kind, Stamp};

use crate::bytes::{crc, high16, high32, inode_seed, low16, low32, put, put16, put32, wide};
use crate::extents::ROOT;
use crate::params::LAST_TIME;

/// Bytes of an inode.
pub(crate) const SIZE: usize = 256;
/// Links whose text is shorter lie in the inode.
pub(crate) const FAST_LINK: usize = 60;

const EXTENTS: u32 = 0x8_0000;
const INDEX: u32 = 0x1000;
const EXTRA: u16 = 32;
const FIRST_TIME: i64 = -(1 << 31);

/// Everything that an inode says.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) number: u32,
    /// Type and permissions.
    pub(crate) mode: u16,
    pub(crate) stamp: Stamp,
    pub(crate) size: u64,
    pub(crate) links: u32,
    /// Blocks, all told.
    pub(crate) blocks: u64,
    pub(crate) block: [u8; ROOT],
    /// Whether that is an extent tree.
    pub(crate) extents: bool,
    /// Whether it is a directory with an index.
    pub(crate) indexed: bool,
    pub(crate) attributes: &'a [u8],
    /// Block of further attributes, or 0.
    pub(crate) attributes_at: u64,
}

impl Fields<'_> {
    /// Writes the inode into `out`, [`SIZE`] zeros. Times are cut to what ext4 holds and to `latest`, which is also the
    /// time of creation.
    pub(crate) fn render(&self, out: &mut [u8], latest: i64, seed: u32) {
        let Stamp { uid, gid, .. } = self.stamp;
        put16(out, 0, self.mode);
        put16(out, 2, low16(uid));
        put16(out, 0x78, high16(uid));
        put16(out, 0x18, low16(gid));
        put16(out, 0x7a, high16(gid));
        put32(out, 0x4, low32(self.size));
        put32(out, 0x6c, high32(self.size));
        put16(out, 0x1a, low16(self.links));
        let sectors = self.blocks.saturating_mul(8);
        put32(out, 0x1c, low32(sectors));
        put16(out, 0x74, low16(high32(sectors)));
        let extents = if self.extents { EXTENTS } else { 0 };
        let index = if self.indexed { INDEX } else { 0 };
        put32(out, 0x20, extents | index);
        put(out, 0x28, &self.block);
        put32(out, 0x68, low32(self.attributes_at));
        put16(out, 0x76, low16(high32(self.attributes_at)));
        put16(out, 0x80, EXTRA);
        let (seconds, more) = time(self.stamp, latest);
        for (at, more_at) in [(0x8, 0x8c), (0xc, 0x84), (0x10, 0x88)] {
            put32(out, at, seconds);
            put32(out, more_at, more);
        }
        let made = Stamp {
            mtime: latest,
            mtime_nanos: 0,
            ..self.stamp
        };
        let (seconds, more) = time(made, latest);
        put32(out, 0x90, seconds);
        put32(out, 0x94, more);
        put(out, 0xa0, self.attributes);
        let sum = crc(inode_seed(seed, self.number), out);
        put16(out, 0x7c, low16(sum));
        put16(out, 0x82, high16(sum));
    }
}

/// A time as 32 bits of seconds, and nanoseconds with two more bits.
fn time(stamp: Stamp, latest: i64) -> (u32, u32) {
    let latest = latest.min(LAST_TIME);
    let (seconds, nanos) = if stamp.mtime >= latest {
        (latest, 0)
    } else if stamp.mtime < FIRST_TIME {
        (FIRST_TIME, 0)
    } else {
        (stamp.mtime, stamp.mtime_nanos)
    };
    // From -2^31: what is above 32 bits counts how often 2^32 was passed.
    let passed = seconds.saturating_sub(FIRST_TIME) >> 32;
    let passed = u32::try_from(passed & 3).unwrap_or(0);
    let low = low32(u64::from_le_bytes(seconds.to_le_bytes()));
    (low, (nanos.min(999_999_999) << 2) | passed)
}

/// `i_mode`.
pub(crate) fn mode(kind: &Kind, permissions: u32) -> u16 {
    let kind = match kind {
        Kind::Fifo => 0x1000,
        Kind::Char { .. } => 0x2000,
        Kind::Dir => 0x4000,
        Kind::Block { .. } => 0x6000,
        Kind::File(_) | Kind::Sparse(_) | Kind::HardLink { .. } => 0x8000,
        Kind::Symlink { .. } => 0xa000,
    };
    kind | low16(permissions & 0o7777)
}

/// `i_block` of a device: in the old form if it has room for the numbers, else in the new one.
pub(crate) fn device(major: u32, minor: u32) -> [u8; ROOT] {
    let mut block = [0; ROOT];
    if major < 256 && minor < 256 {
        put32(&mut block, 0, (major << 8) | minor);
    } else {
        let low = minor & 0xff;
        put32(&mut block, 4, low | (major << 8) | ((minor & !0xff) << 12));
    }
    block
}

/// `i_block` of a link whose text is shorter than [`FAST_LINK`].
pub(crate) fn fast_link(target: &[u8]) -> [u8; ROOT] {
    let mut block = [0; ROOT];
    put(&mut block, 0, target);
    block
}

/// The length that an inode says.
pub(crate) fn size(kind: &Kind, dir_bytes: u64) -> u64 {
    match kind {
        Kind::File(source) => source.len,
        Kind::Sparse(sparse) => sparse.len,
        Kind::Dir => dir_bytes,
        Kind::Symlink { target } => wide(target.len()),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mtime: i64, mtime_nanos: u32) -> Stamp {
        Stamp {
            mode: 0,
            uid: 0,
            gid: 0,
            mtime,
            mtime_nanos,
        }
    }

    #[test]
    fn times() {
        // The kernel page's table of extra bits.
        let cases = [
            (-0x8000_0000, 0x8000_0000, 0),
            (-1, 0xffff_ffff, 0),
            (0, 0, 0),
            (0x7fff_ffff, 0x7fff_ffff, 0),
            (0x8000_0000, 0x8000_0000, 1),
            (0xffff_ffff, 0xffff_ffff, 1),
            (0x1_0000_0000, 0, 1),
            (0x1_7fff_ffff, 0x7fff_ffff, 1),
            (0x1_8000_0000, 0x8000_0000, 2),
            (0x3_7fff_ffff, 0x7fff_ffff, 3),
        ];
        for (seconds, low, more) in cases {
            assert_eq!(time(at(seconds, 0), LAST_TIME), (low, more), "{seconds:#x}");
        }
        assert_eq!(time(at(-0x8000_0001, 9), 50), (0x8000_0000, 0));
        assert_eq!(time(at(40, 9), 50), (40, 36));
        assert_eq!(time(at(50, 9), 50), (50, 0));
        assert_eq!(time(at(51, 9), 50), (50, 0));
        assert_eq!(time(at(i64::MAX, 9), i64::MAX), (0x7fff_ffff, 3));
    }

    #[test]
    fn devices() {
        assert_eq!(device(1, 3)[..8], [3, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(device(259, 0x12345)[..8], [0, 0, 0, 0, 0x45, 3, 0x31, 0x12]);
    }
}
