//! Structures as bytes of blocks, and checksums over them. All integers of ext4 are little-endian.

use std::ops::Range;

use base::as_usize;
use zerocopy::little_endian::{U16, U32};

use crate::model::InodeNumber;

/// Bytes in a block, as a length in memory.
pub(crate) const BLOCK: usize = 4096;

/// Puts `bytes` at the beginning of `out`, where there must be room for them, and returns what is behind.
pub(crate) fn put<'a>(out: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let (place, behind) = out.split_at_mut(bytes.len());
    place.copy_from_slice(bytes);
    behind
}

/// Low and high half.
pub(crate) fn halves(value: u64) -> (U32, U32) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    (U32::from_bytes([a, b, c, d]), U32::from_bytes([e, f, g, h]))
}

/// Low and high half.
pub(crate) fn halves16(value: u32) -> (U16, U16) {
    let [a, b, c, d] = value.to_le_bytes();
    (U16::from_bytes([a, b]), U16::from_bytes([c, d]))
}

/// The number of a block, or of sectors in a file, where the format has 48 bits for it.
#[expect(
    clippy::expect_used,
    reason = "an image has at most 2^32 blocks, and a file at most twice as many times 8 sectors"
)]
pub(crate) fn low_and_high(value: u64) -> (U32, U16) {
    let (low, high) = halves(value);
    let high = u16::try_from(high.get()).expect("below 2^48");
    (low, U16::new(high))
}

/// CRC-32C as ext4 uses it: from a seed on, without the last inversion.
pub(crate) fn crc(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// The seed of all checksums but the superblock's.
pub(crate) fn file_system_seed(uuid: &[u8; 16]) -> u32 {
    crc(!0, uuid)
}

/// The seed of checksums of what belongs to an inode; its generation is 0 here.
pub(crate) fn inode_seed(seed: u32, number: InodeNumber) -> u32 {
    crc(crc(seed, &number.get().to_le_bytes()), &[0; 4])
}

/// Sets bits of a bitmap.
pub(crate) fn set_bits(bitmap: &mut [u8], bits: Range<u64>) {
    each_byte(bitmap, bits, |byte, mask| *byte |= mask);
}

/// Clears bits of a bitmap.
pub(crate) fn clear_bits(bitmap: &mut [u8], bits: Range<u64>) {
    each_byte(bitmap, bits, |byte, mask| *byte &= !mask);
}

fn each_byte(bitmap: &mut [u8], bits: Range<u64>, change: impl Fn(&mut u8, u8)) {
    let (_, from) = bitmap.split_at_mut(as_usize(bits.start / 8));
    for (byte, number) in from.iter_mut().zip(bits.start / 8..bits.end.div_ceil(8)) {
        let mut mask = 0xff;
        if number == bits.start / 8 {
            mask &= 0xff << (bits.start % 8);
        }
        if number == bits.end / 8 {
            mask &= !(0xff << (bits.end % 8));
        }
        change(byte, mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_catalogue() {
        // CRC-32/ISCSI's check value, its last inversion undone.
        assert_eq!(crc(!0, b"123456789"), !0xe306_9283);
    }

    #[test]
    fn bits() {
        let mut map = [0u8; 4];
        set_bits(&mut map, 3..21);
        assert_eq!(map, [0xf8, 0xff, 0x1f, 0]);
        clear_bits(&mut map, 8..9);
        assert_eq!(map, [0xf8, 0xfe, 0x1f, 0]);
        clear_bits(&mut map, 16..16);
        set_bits(&mut map, 30..32);
        assert_eq!(map, [0xf8, 0xfe, 0x1f, 0xc0]);
        clear_bits(&mut map, 4..6);
        assert_eq!(map, [0xc8, 0xfe, 0x1f, 0xc0]);
    }

    #[test]
    fn parts_of_numbers() {
        assert_eq!(
            halves(0x1122_3344_5566_7788),
            (0x5566_7788.into(), 0x1122_3344.into())
        );
        assert_eq!(halves16(0x1122_3344), (0x3344.into(), 0x1122.into()));
        assert_eq!(
            low_and_high(0x1122_3344_5566),
            (0x3344_5566.into(), 0x1122.into())
        );
    }
}
