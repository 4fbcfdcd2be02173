//! Who uses which block: finds blocks that two files have, and bounds the work on hostile images by their size.

use std::collections::BTreeMap;

use crate::error::{damage, Fault};

/// Blocks or clusters of a file system that are in use. Takes memory for what was claimed, not for what there is.
pub(crate) struct Claims {
    /// First block of each stretch and the one behind its last; no two touch.
    taken: BTreeMap<u64, u64>,
    count: u64,
}

impl Claims {
    /// `count` free ones.
    pub(crate) fn new(count: u64) -> Self {
        Self {
            taken: BTreeMap::new(),
            count,
        }
    }

    /// A block that is not there is damage; the end of those that are.
    pub(crate) fn check(&self, first: u64, len: u64) -> Result<u64, Fault> {
        let count = self.count;
        let end = first.checked_add(len).filter(|end| *end <= count);
        end.ok_or_else(|| damage!("{len} blocks from {first} on go beyond the last of {count}"))
    }

    /// Takes `len` blocks from `first` on; a block that is taken or not there is damage.
    pub(crate) fn take(&mut self, first: u64, len: u64) -> Result<(), Fault> {
        let end = self.check(first, len)?;
        if let Some(block) = self.conflict(first, end) {
            // Those before it were free.
            self.insert(first, block);
            return Err(damage!("block {block} is in use elsewhere, too"));
        }
        self.insert(first, end);
        Ok(())
    }

    /// The first block of a stretch that is taken.
    fn conflict(&self, first: u64, end: u64) -> Option<u64> {
        if first >= end {
            return None;
        }
        let before = self.taken.range(..=first).next_back();
        if before.is_some_and(|(_, stop)| *stop > first) {
            return Some(first);
        }
        let next = self.taken.range(first..end).next();
        next.map(|(start, _)| *start)
    }

    /// Adds a free stretch, joined with those that it touches.
    fn insert(&mut self, first: u64, end: u64) {
        if first >= end {
            return;
        }
        let end = self.taken.remove(&end).unwrap_or(end);
        match self.taken.range_mut(..first).next_back() {
            Some((_, stop)) if *stop == first => *stop = end,
            _ => {
                self.taken.insert(first, end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// As a list of all blocks would have it.
        #[test]
        fn each_block_is_taken_once(wishes in prop::collection::vec((0u64..120, 0u64..9), 0..60)) {
            let mut claims = Claims::new(100);
            let mut list = [false; 100];
            for (first, len) in wishes {
                let wanted = first..first.saturating_add(len);
                let got = claims.take(first, len);
                if wanted.end > 100 {
                    prop_assert!(got.is_err());
                    continue;
                }
                let mut conflict = None;
                for block in wanted {
                    let at = usize::try_from(block).unwrap();
                    if list[at] {
                        conflict = Some(block);
                        break;
                    }
                    list[at] = true;
                }
                match (got, conflict) {
                    (Ok(()), None) => {}
                    (Err(Fault::Damage(text)), Some(block)) => {
                        prop_assert_eq!(text, format!("block {block} is in use elsewhere, too"));
                    }
                    (got, conflict) => prop_assert!(false, "{got:?} {conflict:?}"),
                }
            }
            let stretches: Vec<(u64, u64)> = claims.taken.into_iter().collect();
            prop_assert!(stretches.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }

    #[test]
    fn numbers_at_the_end_of_all_numbers() {
        let mut claims = Claims::new(u64::MAX);
        claims.take(1, u64::MAX - 1).unwrap();
        assert!(claims.take(u64::MAX, 1).is_err());
        assert!(claims.take(5, 1).is_err());
        claims.take(0, 1).unwrap();
    }
}
