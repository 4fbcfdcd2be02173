//! Numbers out of bytes. A field beyond the end reads as zero: callers have checked the length of what they parse.

/// `N` bytes at `at`.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let found = bytes.get(at..at.saturating_add(N));
    found.and_then(|b| b.try_into().ok()).unwrap_or([0; N])
}

/// A byte.
pub(crate) fn u8_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// Little-endian.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

/// Little-endian.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

/// Little-endian.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

/// `len` bytes at `at`, fewer at the end.
pub(crate) fn part(bytes: &[u8], at: usize, len: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.get(..len).unwrap_or(rest)
}

/// As an index; what no memory can hold becomes the largest.
pub(crate) fn index(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// A length as a position.
pub(crate) fn long(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// How many times `part` goes into `whole`; nothing goes by zero.
pub(crate) fn times(whole: u64, part: u64) -> u64 {
    whole.checked_div(part).unwrap_or(0)
}

/// The last multiple of `unit` up to `number`.
pub(crate) fn round_down(number: u64, unit: u64) -> u64 {
    times(number, unit).saturating_mul(unit)
}

/// Two halves of a number.
pub(crate) fn joined(high: impl Into<u64>, low: u32) -> u64 {
    (high.into() << 32) | u64::from(low)
}

/// Whether all of `bytes` are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let mut words = bytes.chunks_exact(16);
    words
        .by_ref()
        .all(|word| u128::from_le_bytes(array(word, 0)) == 0)
        && words.remainder().iter().all(|byte| *byte == 0)
}
