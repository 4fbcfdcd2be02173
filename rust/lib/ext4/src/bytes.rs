//! Putting numbers into blocks, and checksums over them. All integers of ext4 are little-endian.

/// Bytes in a block, as an index.
pub(crate) const BLOCK: usize = 4096;

/// Puts `bytes` at `at`. Offsets are constants of the format or were counted before, so there is room.
pub(crate) fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    let end = at.saturating_add(bytes.len());
    if let Some(slot) = out.get_mut(at..end) {
        slot.copy_from_slice(bytes);
    }
}

pub(crate) fn put16(out: &mut [u8], at: usize, value: u16) {
    put(out, at, &value.to_le_bytes());
}

pub(crate) fn put32(out: &mut [u8], at: usize, value: u32) {
    put(out, at, &value.to_le_bytes());
}

/// The low 16 bits.
pub(crate) fn low16(value: u32) -> u16 {
    u16::try_from(value & 0xffff).unwrap_or(0)
}

/// The high 16 bits.
pub(crate) fn high16(value: u32) -> u16 {
    low16(value >> 16)
}

/// The low 32 bits.
pub(crate) fn low32(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(0)
}

/// The high 32 bits.
pub(crate) fn high32(value: u64) -> u32 {
    low32(value >> 32)
}

pub(crate) fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

pub(crate) fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A length or number that was checked to fit before.
pub(crate) fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
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
pub(crate) fn inode_seed(seed: u32, number: u32) -> u32 {
    crc(crc(seed, &number.to_le_bytes()), &[0; 4])
}

/// Sets bits `from..to` of a bitmap.
pub(crate) fn set_bits(bitmap: &mut [u8], from: u64, to: u64) {
    each_byte(bitmap, from, to, |byte, mask| *byte |= mask);
}

/// Clears bits `from..to` of a bitmap.
pub(crate) fn clear_bits(bitmap: &mut [u8], from: u64, to: u64) {
    each_byte(bitmap, from, to, |byte, mask| *byte &= !mask);
}

fn each_byte(bitmap: &mut [u8], from: u64, to: u64, change: impl Fn(&mut u8, u8)) {
    let mut at = from;
    while at < to {
        let start = at / 8;
        let next = start.saturating_add(1).saturating_mul(8).min(to);
        let mut mask = 0u8;
        for bit in at..next {
            mask |= 1 << (bit % 8);
        }
        if let Some(byte) = bitmap.get_mut(index(start)) {
            change(byte, mask);
        }
        at = next;
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
        set_bits(&mut map, 3, 21);
        assert_eq!(map, [0xf8, 0xff, 0x1f, 0]);
        clear_bits(&mut map, 8, 9);
        assert_eq!(map, [0xf8, 0xfe, 0x1f, 0]);
        set_bits(&mut map, 30, 99);
        assert_eq!(map, [0xf8, 0xfe, 0x1f, 0xc0]);
    }
}
