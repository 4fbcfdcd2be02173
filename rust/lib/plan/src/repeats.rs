//! Held bytes that repeat: hash trees over zeros, bitmaps that are full.

use std::ops::Range;

use base::as_usize;

use crate::plan::{PERIOD, UNIT, UNIT_LEN};

/// Bytes between two places that are looked at. Whatever repeats over a [`UNIT`] covers one of them, and the period behind it.
const STRIDE: usize = UNIT / 2;

/// The search for the first repeat in bytes that grow.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// The next place to look at.
    at: usize,
    /// Below this length there is nothing to look for.
    from: usize,
}

impl Default for Search {
    fn default() -> Self {
        let (at, from) = (STRIDE, UNIT);
        Self { at, from }
    }
}

impl Search {
    /// The first stretch of at least [`UNIT`] bytes that repeats; it may go on behind the end of `bytes`.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "lengths of parts of `bytes`, and what is a little longer than it"
    )]
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Option<Range<usize>> {
        while bytes.len() >= self.from && self.at + PERIOD <= bytes.len() {
            let (before, tail) = bytes.split_at(self.at);
            let (_, last) = bytes.split_at(self.at - PERIOD);
            let end = self.at + common(tail, last);
            if end > self.at {
                // The first period is what the others repeat.
                let start = first_repeat(before);
                let full = start + UNIT;
                if end >= full {
                    return Some(start..end);
                }
                if end == bytes.len() {
                    self.from = full;
                    return None;
                }
            }
            self.at += STRIDE;
        }
        None
    }
}

/// From where on the end of `bytes` repeats every [`PERIOD`].
#[expect(
    clippy::arithmetic_side_effects,
    reason = "`bytes` ends where `Search::at` is, STRIDE or more, and no more of them are the same than `old` has"
)]
fn first_repeat(bytes: &[u8]) -> usize {
    let (old, _) = bytes.split_at(bytes.len() - PERIOD);
    let pairs = bytes.iter().rev().zip(old.iter().rev());
    old.len() - pairs.take_while(|(new, old)| new == old).count()
}

/// How many of `bytes` continue a repeat of `unit` that has `len` bytes already.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "no more than the length of `bytes`"
)]
pub(crate) fn repeated(unit: &[u8], len: u64, bytes: &[u8]) -> usize {
    let (unit, _) = unit.split_at(UNIT);
    let (_, mut unit_rest) = unit.split_at(as_usize(len % UNIT_LEN));
    let mut rest = bytes;
    loop {
        let same = common(rest, unit_rest);
        rest = rest.split_at(same).1;
        if same < unit_rest.len() {
            return bytes.len() - rest.len();
        }
        unit_rest = unit;
    }
}

/// Length of what two slices both begin with.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "both together are at most the length of either"
)]
fn common(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = 256;
    let steps = a.chunks_exact(STEP).zip(b.chunks_exact(STEP));
    let same = steps.take_while(|(a, b)| a == b);
    let whole: usize = same.map(|(a, _)| a.len()).sum();
    let rest = a.iter().skip(whole).zip(b.iter().skip(whole));
    whole + rest.take_while(|(a, b)| a == b).count()
}
