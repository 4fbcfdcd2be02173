//! Arithmetic on numbers whose bounds somebody has stated.
//!
//! For a crate that refuses at its door what would get too large: its own page says which bounds hold, and why what is added and
//! multiplied within them fits. A number that does not is a bug of that crate, and ends the program where it was made. Nothing that was not
//! bounded before belongs here: that is added with `checked_add`.

const FITS: &str = "within the bounds that the crate states";

/// Both together.
#[track_caller]
#[expect(clippy::expect_used, reason = "the caller's crate states the bounds")]
pub fn sum(a: u64, b: u64) -> u64 {
    a.checked_add(b).expect(FITS)
}

/// `from` without `what`, which is a part of it.
#[track_caller]
#[expect(clippy::expect_used, reason = "the caller's crate states the bounds")]
pub fn without(from: u64, what: u64) -> u64 {
    from.checked_sub(what).expect(FITS)
}

/// So many times the other.
#[track_caller]
#[expect(clippy::expect_used, reason = "the caller's crate states the bounds")]
pub fn product(a: u64, b: u64) -> u64 {
    a.checked_mul(b).expect(FITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn what_fits_is_right_and_what_does_not_ends_the_program() {
        assert_eq!((sum(7, 3), without(7, 3), product(7, 3)), (10, 4, 21));
        assert_eq!(sum(u64::MAX - 1, 1), u64::MAX);
        assert_eq!(without(3, 3), 0);
        assert!(catch_unwind(|| sum(u64::MAX, 1)).is_err());
        assert!(catch_unwind(|| without(3, 4)).is_err());
        assert!(catch_unwind(|| product(1 << 32, 1 << 32)).is_err());
    }
}
