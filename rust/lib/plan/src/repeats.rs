//! Held bytes that repeat: hash trees over zeros, bitmaps that are full.

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
    /// Start and end of the first stretch of at least [`UNIT`] bytes that repeats; it may go on behind the end of `bytes`.
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        while bytes.len() >= self.from && self.at.saturating_add(PERIOD) <= bytes.len() {
            let start = self.at.saturating_sub(before(bytes, self.at));
            let end = self.at.saturating_add(behind(bytes, self.at));
            if end > self.at {
                // The first period is what the others repeat.
                let start = start.saturating_sub(PERIOD);
                let full = start.saturating_add(UNIT);
                if end >= full {
                    return Some((start, end));
                }
                if end == bytes.len() {
                    self.from = full;
                    return None;
                }
            }
            self.at = self.at.saturating_add(STRIDE);
        }
        None
    }
}

/// How many bytes from `at` on are the same as those a period before them.
fn behind(bytes: &[u8], at: usize) -> usize {
    let new = bytes.get(at..).unwrap_or_default();
    let old = bytes.get(at.saturating_sub(PERIOD)..).unwrap_or_default();
    common(new, old)
}

/// How many bytes right before `at` are the same as those a period before them.
fn before(bytes: &[u8], at: usize) -> usize {
    let new = bytes.get(..at).unwrap_or_default();
    let old = bytes.get(..at.saturating_sub(PERIOD)).unwrap_or_default();
    let pairs = new.iter().rev().zip(old.iter().rev());
    pairs.take_while(|(a, b)| a == b).count()
}

/// How many of `bytes` continue a repeat of `unit` that has `len` bytes already.
pub(crate) fn repeated(unit: &[u8], len: u64, bytes: &[u8]) -> usize {
    let phase = len.checked_rem(UNIT_LEN).unwrap_or(0);
    let mut phase = usize::try_from(phase).unwrap_or(0);
    let mut done = 0usize;
    loop {
        let rest = bytes.get(done..).unwrap_or_default();
        let unit = unit.get(phase..UNIT).unwrap_or_default();
        let same = common(rest, unit);
        done = done.saturating_add(same);
        if same < unit.len() || unit.is_empty() {
            return done;
        }
        phase = 0;
    }
}

/// Length of what two slices both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = 256;
    let steps = a.chunks_exact(STEP).zip(b.chunks_exact(STEP));
    let whole = steps
        .take_while(|(a, b)| a == b)
        .count()
        .saturating_mul(STEP);
    let rest = a.iter().skip(whole).zip(b.iter().skip(whole));
    whole.saturating_add(rest.take_while(|(a, b)| a == b).count())
}
