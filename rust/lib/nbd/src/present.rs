//! Which blocks of an image have been written.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

/// Bits of a word.
const WORD: u64 = 64;
/// The last of them.
const TOP: u64 = WORD - 1;

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
        match self.words.get(&index) {
            Some(word) => *word,
            // None of its blocks is in the set.
            None => 0,
        }
    }

    /// Adds all of `blocks`; gives back the words from the first to the last one that changed.
    pub(crate) fn add(&mut self, blocks: Range<u64>) -> Option<RangeInclusive<u64>> {
        let (first, last) = (blocks.start, blocks.last()?);
        let words = first / WORD..=last / WORD;
        let mut changed: Option<RangeInclusive<u64>> = None;
        for index in words.clone() {
            let from = if index == *words.start() { first } else { 0 };
            let to = if index == *words.end() { last } else { TOP };
            let mask = mask(from, to);
            let word = self.words.entry(index).or_insert(0);
            if *word & mask != mask {
                *word |= mask;
                let start = changed.map_or(index, |changed| *changed.start());
                changed = Some(start..=index);
            }
        }
        changed
    }

    /// Whether the first of `blocks` is in the set, and where in `blocks` that changes.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "blocks of an image of less than 2^63 bytes, and the 64 of the word behind it"
    )]
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
                        at = found * WORD;
                        continue;
                    }
                    Some((_, word)) => !word,
                }
            };
            // Bits below `at` do not matter.
            let other = !word & mask(at, TOP);
            if other != 0 {
                let found = index * WORD + u64::from(other.trailing_zeros());
                return (is, found.min(blocks.end));
            }
            at = (index + 1) * WORD;
        }
        (is, blocks.end)
    }
}

fn bit(block: u64) -> u64 {
    mask(block, block)
}

/// The bits from that of block `from` to that of block `to`, which lie in one word.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "remainders of 64 are numbers of bits"
)]
fn mask(from: u64, to: u64) -> u64 {
    let (from, to) = (from % WORD, to % WORD);
    (u64::MAX << from) & (u64::MAX >> (TOP - to))
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
                    prop_assert!(*words.start() >= start / 64 && *words.end() <= (start + len - 1) / 64);
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
