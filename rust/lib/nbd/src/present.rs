//! Which blocks of an image have been written.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bits of a word.
pub(crate) const WORD: u64 = 64;

/// A set of block numbers; takes memory for what it holds only.
#[derive(Debug, Default)]
pub(crate) struct Present {
    words: BTreeMap<u64, u64>,
}

impl Present {
    /// The set's words that are not zero, by position.
    pub(crate) fn from_words(words: BTreeMap<u64, u64>) -> Self {
        Self { words }
    }

    pub(crate) fn contains(&self, block: u64) -> bool {
        self.word(block / WORD) & bit(block) != 0
    }

    pub(crate) fn word(&self, index: u64) -> u64 {
        self.words.get(&index).copied().unwrap_or(0)
    }

    /// Adds all of `blocks`; gives back the words that changed.
    pub(crate) fn add(&mut self, blocks: Range<u64>) -> Option<Range<u64>> {
        if blocks.is_empty() {
            return None;
        }
        let last = blocks.end.saturating_sub(1);
        let mut changed: Option<Range<u64>> = None;
        for index in blocks.start / WORD..=last / WORD {
            let first = index.saturating_mul(WORD);
            let from = blocks.start.max(first).saturating_sub(first);
            let to = last.saturating_sub(first).min(WORD.saturating_sub(1));
            let mask = mask(from, to);
            let word = self.words.entry(index).or_insert(0);
            if *word & mask != mask {
                *word |= mask;
                let start = changed.map_or(index, |c| c.start);
                changed = Some(start..index.saturating_add(1));
            }
        }
        changed
    }

    /// Whether the first of `blocks` is in the set, and where in `blocks` that changes.
    pub(crate) fn run(&self, blocks: Range<u64>) -> (bool, u64) {
        let is = self.contains(blocks.start);
        let mut at = blocks.start;
        while at < blocks.end {
            let index = at / WORD;
            let word = if is {
                self.word(index)
            } else {
                // Long stretches without a word are passed in one step.
                match self.words.range(index..).next() {
                    None => return (is, blocks.end),
                    Some((found, _)) if *found > index => {
                        at = found.saturating_mul(WORD);
                        continue;
                    }
                    Some((_, word)) => !word,
                }
            };
            let low = at.wrapping_rem(WORD);
            // Bits below `at` do not matter.
            let other = !word & mask(low, WORD.saturating_sub(1));
            if other != 0 {
                let bit = u64::from(other.trailing_zeros());
                let found = index.saturating_mul(WORD).saturating_add(bit);
                return (is, found.min(blocks.end));
            }
            at = index.saturating_add(1).saturating_mul(WORD);
        }
        (is, blocks.end)
    }
}

fn bit(block: u64) -> u64 {
    mask(block.wrapping_rem(WORD), block.wrapping_rem(WORD))
}

/// The bits `from..=to`, both below 64.
fn mask(from: u64, to: u64) -> u64 {
    let shift = |by: u64| u32::try_from(by).unwrap_or(u32::MAX);
    let up = u64::MAX.checked_shl(shift(from)).unwrap_or(0);
    let down = WORD.saturating_sub(1).saturating_sub(to);
    let down = u64::MAX.checked_shr(shift(down)).unwrap_or(0);
    up & down
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "tests"
    )]

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_a_plain_list(ranges in prop::collection::vec((0u64..600, 0u64..200), 0..12), from in 0u64..800) {
            let mut set = Present::default();
            let mut list = [false; 1000];
            for (start, len) in ranges {
                let fresh = (start..start + len).any(|b| !list[b as usize]);
                let changed = set.add(start..start + len);
                prop_assert_eq!(changed.is_some(), fresh);
                if let Some(words) = changed {
                    prop_assert!(words.start >= start / 64 && words.end <= (start + len - 1) / 64 + 1);
                }
                (start..start + len).for_each(|b| list[b as usize] = true);
            }
            for (block, is) in list.iter().enumerate() {
                prop_assert_eq!(set.contains(block as u64), *is);
            }
            let want = list[from as usize..].iter().position(|is| *is != list[from as usize]);
            let want = want.map_or(1000, |n| n as u64 + from);
            prop_assert_eq!(set.run(from..1000), (list[from as usize], want));
        }
    }
}
