//! Positions and lengths in images and inputs.
//!
//! Two bounds hold throughout. A position in an image is below 2^63: [`crate::Layout`] and plans refuse what would end behind it. A
//! range of an input ends within that input. So sums and products of them fit, and a panic here is a bug in this crate.

const FITS: &str = "positions end before 2^63, and ranges within their input";

#[expect(clippy::expect_used, reason = "the bounds of this module's page")]
pub(crate) fn sum(a: u64, b: u64) -> u64 {
    a.checked_add(b).expect(FITS)
}

/// `from` without `what`, which is a part of it.
#[expect(clippy::expect_used, reason = "the bounds of this module's page")]
pub(crate) fn without(from: u64, what: u64) -> u64 {
    from.checked_sub(what).expect(FITS)
}

#[expect(clippy::expect_used, reason = "the bounds of this module's page")]
pub(crate) fn product(a: u64, b: u64) -> u64 {
    a.checked_mul(b).expect(FITS)
}
