//! `usize` and `u64`, which are one here: lengths in memory become positions in images and the other way round without a case that
//! cannot be.
//!
//! The standard library converts neither way without saying that it might fail, because there are machines of 16 and 32 bits. These
//! tools are for none of them, and do not compile there.

const _: () = assert!(
    usize::BITS == 64,
    "lengths in memory and in images are the same numbers: only machines of 64 bits are supported"
);

/// A length or an index as a position in an image.
#[expect(
    clippy::as_conversions,
    reason = "usize has the 64 bits of u64, as asserted above"
)]
pub const fn as_u64(number: usize) -> u64 {
    number as u64
}

/// A position in an image, or any smaller number, as a length or an index.
#[expect(
    clippy::as_conversions,
    reason = "usize has the 64 bits of u64, as asserted above"
)]
pub fn as_usize(number: impl Into<u64>) -> usize {
    let number: u64 = number.into();
    number as usize
}

/// The place `more` behind `at`, where both count what was read, written or made here, one after another. Nothing that an input
/// claims belongs here: that is added with `checked_add`.
#[expect(
    clippy::expect_used,
    reason = "nobody reads, writes or makes 2^64 of anything: bytes at 10 GB a second would take 58 years"
)]
pub fn past(at: u64, more: usize) -> u64 {
    at.checked_add(as_u64(more))
        .expect("a count of what was done")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        for number in [0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            assert_eq!(as_u64(as_usize(number)), number);
        }
        assert_eq!(as_u64(usize::MAX), u64::MAX);
        assert_eq!(as_usize(7u8), 7);
        assert_eq!(past(1 << 40, 2), (1 << 40) + 2);
    }
}
