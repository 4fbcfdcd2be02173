//! Numbers out of bytes, and arithmetic on numbers that an image says. A field beyond the end does not read as zero and a number beyond
//! 64 bits not as the largest: both are damage.

use crate::error::{damage, Fault};

/// Fields of a structure of fixed length. That they lie in it is checked when this is compiled.
pub(crate) trait Fields {
    /// `LEN` bytes at `AT`.
    fn field<const AT: usize, const LEN: usize>(&self) -> &[u8; LEN];

    /// A byte.
    fn u8<const AT: usize>(&self) -> u8 {
        u8::from_le_bytes(*self.field::<AT, 1>())
    }

    /// Little-endian.
    fn u16<const AT: usize>(&self) -> u16 {
        u16::from_le_bytes(*self.field::<AT, 2>())
    }

    /// Little-endian.
    fn u32<const AT: usize>(&self) -> u32 {
        u32::from_le_bytes(*self.field::<AT, 4>())
    }

    /// Little-endian.
    fn u64<const AT: usize>(&self) -> u64 {
        u64::from_le_bytes(*self.field::<AT, 8>())
    }
}

impl<const N: usize> Fields for [u8; N] {
    #[expect(clippy::expect_used, reason = "asserted when this is compiled")]
    fn field<const AT: usize, const LEN: usize>(&self) -> &[u8; LEN] {
        const { assert!(AT + LEN <= N, "the field ends behind its structure") };
        let rest = self.get(AT..).and_then(|rest| rest.first_chunk());
        rest.expect("the structure has the field")
    }
}

/// `N` bytes at `at` of a structure whose length is known only now.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Fault> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.copied().ok_or_else(|| beyond(bytes, at, N))
}

/// `len` bytes at `at`.
pub(crate) fn part(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], Fault> {
    let found = bytes.get(at..).and_then(|rest| rest.get(..len));
    found.ok_or_else(|| beyond(bytes, at, len))
}

fn beyond(bytes: &[u8], at: usize, len: usize) -> Fault {
    let have = bytes.len();
    damage!("a field of {len} bytes at byte {at} of a structure of {have} bytes")
}

/// Arithmetic on numbers that an image says.
pub(crate) trait Number: Sized {
    fn plus(self, other: u64) -> Result<u64, Fault>;
    fn minus(self, other: u64) -> Result<u64, Fault>;
    fn times(self, other: u64) -> Result<u64, Fault>;
}

impl Number for u64 {
    fn plus(self, other: u64) -> Result<u64, Fault> {
        let sum = self.checked_add(other);
        sum.ok_or_else(|| damage!("{self} + {other} is more than an image can have"))
    }

    fn minus(self, other: u64) -> Result<u64, Fault> {
        let difference = self.checked_sub(other);
        difference.ok_or_else(|| damage!("{self} is less than {other}"))
    }

    fn times(self, other: u64) -> Result<u64, Fault> {
        let product = self.checked_mul(other);
        product.ok_or_else(|| damage!("{self} times {other} is more than an image can have"))
    }
}

/// Two halves of a number.
pub(crate) fn joined(high: impl Into<u64>, low: u32) -> u64 {
    (high.into() << 32) | u64::from(low)
}

/// Whether all of `bytes` are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // Whole words at once: all of an image goes through here.
    let mut words = bytes.chunks_exact(16);
    let is_zero = |word: &[u8]| {
        let word = word.first_chunk();
        word.is_some_and(|word| u128::from_le_bytes(*word) == 0)
    };
    words.by_ref().all(is_zero) && words.remainder().iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(bytes.u8::<8>(), 9);
        assert_eq!(bytes.u16::<0>(), 0x0201);
        assert_eq!(bytes.u32::<5>(), 0x0908_0706);
        assert_eq!(bytes.u64::<1>(), 0x0908_0706_0504_0302);
        assert_eq!(array(&bytes, 7).unwrap(), [8, 9]);
        assert!(part(&bytes, 9, 0).unwrap().is_empty());
    }

    #[test]
    fn nothing_reads_as_zero() {
        let text = |fault| match fault {
            Fault::Damage(text) => text,
            Fault::Failed(error) => error.to_string(),
        };
        assert_eq!(
            text(array::<2>(&[1, 2, 3], 2).unwrap_err()),
            "a field of 2 bytes at byte 2 of a structure of 3 bytes"
        );
        assert_eq!(
            text(part(&[], usize::MAX, 1).unwrap_err()),
            format!(
                "a field of 1 bytes at byte {} of a structure of 0 bytes",
                usize::MAX
            )
        );
        for (fault, want) in [
            (
                u64::MAX.plus(1),
                "18446744073709551615 + 1 is more than an image can have",
            ),
            (1.minus(2), "1 is less than 2"),
            (
                u64::MAX.times(2),
                "18446744073709551615 times 2 is more than an image can have",
            ),
        ] {
            assert_eq!(text(fault.unwrap_err()), want);
        }
    }
}
