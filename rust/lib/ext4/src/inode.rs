//! Inodes: 256 bytes each.

use base::as_u64;
use tree::{Kind, Stamp};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromZeros, Immutable, IntoBytes, Unaligned};

use crate::bytes::{crc, halves, halves16, inode_seed, low_and_high, put};
use crate::extents::ROOT;
use crate::model::InodeNumber;
use crate::num::product;
use crate::params::LAST_TIME;
use crate::xattr::BODY;

/// Bytes of an inode.
pub(crate) const SIZE: usize = size_of::<Inode>();
/// Links whose text is shorter lie in the inode.
pub(crate) const FAST_LINK: usize = 60;

const EXTENTS: u32 = 0x8_0000;
const INDEX: u32 = 0x1000;
const EXTRA: u16 = 32;
const FIRST_TIME: i64 = -(1 << 31);

/// Fields have their names in the kernel's `filesystems/ext4/inodes` page; those that are always 0 here are gaps, named by their
/// offset.
#[derive(FromZeros, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Inode {
    /// 0: type and permissions.
    i_mode: U16,
    /// 2.
    i_uid: U16,
    /// 4: of a link that of its text.
    i_size_lo: U32,
    /// 8: the file's time, as the two that follow.
    i_atime: U32,
    /// 0xC.
    i_ctime: U32,
    /// 0x10.
    i_mtime: U32,
    _14: [u8; 4],
    /// 0x18.
    i_gid: U16,
    /// 0x1A: names; 1 for a directory of more than 64,998 directories.
    i_links_count: U16,
    /// 0x1C: 512-byte sectors of data, tree and attributes.
    i_blocks_lo: U32,
    /// 0x20: extents, index.
    i_flags: U32,
    _24: [u8; 4],
    /// 0x28: root of the extent tree, text of a link of up to 59 bytes, or a device.
    i_block: [u8; ROOT],
    _64: [u8; 4],
    /// 0x68: block of attributes.
    i_file_acl_lo: U32,
    /// 0x6C.
    i_size_high: U32,
    _70: [u8; 4],
    /// 0x74.
    i_blocks_high: U16,
    /// 0x76.
    i_file_acl_high: U16,
    /// 0x78.
    i_uid_high: U16,
    /// 0x7A.
    i_gid_high: U16,
    /// 0x7C: CRC-32C of number, generation and the inode.
    i_checksum_lo: U16,
    _7e: [u8; 2],
    /// 0x80: 32.
    i_extra_isize: U16,
    /// 0x82.
    i_checksum_hi: U16,
    /// 0x84: nanoseconds << 2, and two more bits of seconds; as the two that follow.
    i_ctime_extra: U32,
    /// 0x88.
    i_mtime_extra: U32,
    /// 0x8C.
    i_atime_extra: U32,
    /// 0x90: the image's time.
    i_crtime: U32,
    /// 0x94.
    i_crtime_extra: U32,
    _98: [u8; 8],
    /// 0xA0: see `xattr`.
    attributes: [u8; BODY],
}

const _: () = assert!(SIZE == 256);

/// Everything that an inode says.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(crate) number: InodeNumber,
    /// Type and permissions.
    pub(crate) mode: u16,
    pub(crate) stamp: Stamp,
    pub(crate) size: u64,
    pub(crate) links: u16,
    /// Blocks, all told.
    pub(crate) blocks: u64,
    pub(crate) block: [u8; ROOT],
    /// Whether that is an extent tree.
    pub(crate) extents: bool,
    /// Whether it is a directory with an index.
    pub(crate) indexed: bool,
    pub(crate) attributes: [u8; BODY],
    /// Block of further attributes, or 0.
    pub(crate) attributes_at: u64,
}

impl Fields {
    /// The inode, into `out`, which is as long as it. Times are cut to what ext4 holds and to `latest`, which is also the time of
    /// creation.
    pub(crate) fn render(&self, out: &mut [u8], latest: i64, seed: u32) {
        let (uid, uid_high) = halves16(self.stamp.uid);
        let (gid, gid_high) = halves16(self.stamp.gid);
        let (size, size_high) = halves(self.size);
        let (blocks, blocks_high) = low_and_high(product(self.blocks, 8));
        let (file_acl, file_acl_high) = low_and_high(self.attributes_at);
        let (time, time_extra) = on_disk(self.stamp.mtime, self.stamp.mtime_nanos, latest);
        let (made, made_extra) = on_disk(latest, 0, latest);
        let extents = if self.extents { EXTENTS } else { 0 };
        let index = if self.indexed { INDEX } else { 0 };
        let mut inode = Inode {
            i_mode: U16::new(self.mode),
            i_uid: uid,
            i_size_lo: size,
            i_atime: time,
            i_ctime: time,
            i_mtime: time,
            i_gid: gid,
            i_links_count: U16::new(self.links),
            i_blocks_lo: blocks,
            i_flags: U32::new(extents | index),
            i_block: self.block,
            i_file_acl_lo: file_acl,
            i_size_high: size_high,
            i_blocks_high: blocks_high,
            i_file_acl_high: file_acl_high,
            i_uid_high: uid_high,
            i_gid_high: gid_high,
            i_extra_isize: U16::new(EXTRA),
            i_ctime_extra: time_extra,
            i_mtime_extra: time_extra,
            i_atime_extra: time_extra,
            i_crtime: made,
            i_crtime_extra: made_extra,
            attributes: self.attributes,
            ..Inode::new_zeroed()
        };
        let sum = crc(inode_seed(seed, self.number), inode.as_bytes());
        (inode.i_checksum_lo, inode.i_checksum_hi) = halves16(sum);
        put(out, inode.as_bytes());
    }
}

/// A reserved inode: nothing but its checksum, of which there is half as the inode has no further fields.
pub(crate) fn reserved(number: InodeNumber, out: &mut [u8], seed: u32) {
    let mut inode = Inode::new_zeroed();
    let sum = crc(inode_seed(seed, number), inode.as_bytes());
    inode.i_checksum_lo = halves16(sum).0;
    put(out, inode.as_bytes());
}

/// A time as 32 bits of seconds, and nanoseconds with two more bits.
fn on_disk(seconds: i64, nanos: u32, latest: i64) -> (U32, U32) {
    let latest = latest.min(LAST_TIME);
    let (seconds, nanos) = if seconds >= latest {
        (latest, 0)
    } else if seconds < FIRST_TIME {
        (FIRST_TIME, 0)
    } else {
        (seconds, nanos)
    };
    let [a, b, c, d, ..] = seconds.to_le_bytes();
    // From -2^31: what is above 32 bits counts how often 2^32 was passed. From there to the last time it is 3 times.
    let [_, _, _, _, passed, ..] = seconds.wrapping_sub(FIRST_TIME).to_le_bytes();
    let extra = (nanos.min(999_999_999) << 2) | u32::from(passed & 3);
    (U32::from_bytes([a, b, c, d]), U32::new(extra))
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
    kind | halves16(permissions & 0o7777).0.get()
}

/// `i_block` of a device: in the old form if it has room for the numbers, else in the new one.
pub(crate) fn device(major: u32, minor: u32) -> [u8; ROOT] {
    let mut block = [0; ROOT];
    let forms = if major < 256 && minor < 256 {
        [(major << 8) | minor, 0]
    } else {
        let low = minor & 0xff;
        [0, low | (major << 8) | ((minor & !0xff) << 12)]
    };
    put(&mut block, forms.map(U32::new).as_bytes());
    block
}

/// `i_block` of a link whose text is shorter than [`FAST_LINK`].
pub(crate) fn fast_link(target: &[u8]) -> [u8; ROOT] {
    let mut block = [0; ROOT];
    put(&mut block, target);
    block
}

/// The length that an inode says.
pub(crate) fn size(kind: &Kind, dir_bytes: u64) -> u64 {
    match kind {
        Kind::File(source) => source.len,
        Kind::Sparse(sparse) => sparse.len,
        Kind::Dir => dir_bytes,
        Kind::Symlink { target } => as_u64(target.len()),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64, nanos: u32, latest: i64) -> (u32, u32) {
        let (low, extra) = on_disk(seconds, nanos, latest);
        (low.get(), extra.get())
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
            assert_eq!(time(seconds, 0, LAST_TIME), (low, more), "{seconds:#x}");
        }
        assert_eq!(time(-0x8000_0001, 9, 50), (0x8000_0000, 0));
        assert_eq!(time(-0x8000_0000, 9, 50), (0x8000_0000, 36));
        assert_eq!(time(40, 9, 50), (40, 36));
        assert_eq!(time(50, 9, 50), (50, 0));
        assert_eq!(time(51, 9, 50), (50, 0));
        assert_eq!(time(i64::MAX, 9, i64::MAX), (0x7fff_ffff, 3));
    }

    #[test]
    fn devices() {
        assert_eq!(device(1, 3)[..8], [3, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(device(259, 0x12345)[..8], [0, 0, 0, 0, 0x45, 3, 0x31, 0x12]);
        // The old form goes as far as either number has one byte.
        assert_eq!(device(255, 255)[..8], [255, 255, 0, 0, 0, 0, 0, 0]);
        assert_eq!(device(256, 0)[..8], [0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(device(0, 256)[..8], [0, 0, 0, 0, 0, 0, 0x10, 0]);
    }

    /// Numbers of which each byte is another one, also where a file or owner of a test has zeros.
    #[test]
    fn every_field_at_its_place() {
        let fields = Fields {
            number: InodeNumber::in_tables(11),
            mode: 0x81a4,
            stamp: Stamp {
                mode: 0o644,
                uid: 0x1122_3344,
                gid: 0x5566_7788,
                mtime: 0x1_8000_0001,
                mtime_nanos: 5,
            },
            size: 0x1_2345_6789,
            links: 7,
            blocks: 0x12_3456_789a,
            block: [9; ROOT],
            extents: true,
            indexed: false,
            attributes: [3; BODY],
            attributes_at: 0x1234_5678_9abc,
        };
        let mut inode = [0xa5; SIZE];
        fields.render(&mut inode, 0x3_0000_0000, 1);
        let time = [0x8000_0001, (5 << 2) | 2];
        let words = [
            (0x04, 0x2345_6789),
            (0x08, time[0]),
            (0x0c, time[0]),
            (0x10, time[0]),
            (0x14, 0),
            // 512-byte sectors.
            (0x1c, 0xa2b3_c4d0),
            (0x20, 0x8_0000),
            (0x28, 0x0909_0909),
            (0x60, 0x0909_0909),
            (0x68, 0x5678_9abc),
            (0x6c, 1),
            (0x84, time[1]),
            (0x88, time[1]),
            (0x8c, time[1]),
            (0x90, 0),
            (0x94, 3),
            (0xa0, 0x0303_0303),
            (0xfc, 0x0303_0303),
        ];
        for (at, want) in words {
            let word = u32::from_le_bytes(inode[at..at + 4].try_into().unwrap());
            assert_eq!(word, want, "{at:#x}");
        }
        let halves = [
            (0x00, 0x81a4),
            (0x02, 0x3344),
            (0x18, 0x7788),
            (0x1a, 7),
            (0x74, 0x91),
            (0x76, 0x1234),
            (0x78, 0x1122),
            (0x7a, 0x5566),
            (0x80, 32),
        ];
        for (at, want) in halves {
            let half = u16::from_le_bytes(inode[at..at + 2].try_into().unwrap());
            assert_eq!(half, want, "{at:#x}");
        }
    }
}
