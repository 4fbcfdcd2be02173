//! Handing out blocks, front to back.

use std::collections::VecDeque;
use std::iter;
use std::ops::Range;

use crate::num::{product, sum, without};

/// A run of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u64,
    pub(crate) len: u64,
}

impl Run {
    pub(crate) fn end(self) -> u64 {
        sum(self.start, self.len)
    }
}

/// The blocks of an image whose end is not known yet. What begins each group with a copy of the superblock is left out.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    /// Blocks in a group.
    group: u64,
    /// Blocks set aside at the start of a group with a copy.
    head: u64,
    /// The next block.
    at: u64,
    /// The first group with a copy that is not passed yet.
    next: u64,
    /// Runs that are free: left out because something wanted more blocks in one piece, or given back.
    gaps: VecDeque<Run>,
}

impl Space {
    pub(crate) fn new(group: u64, head: u64) -> Self {
        Self {
            group,
            head,
            at: head,
            next: 1,
            gaps: VecDeque::new(),
        }
    }

    /// The block after the last one handed out.
    pub(crate) fn end(&self) -> u64 {
        self.at
    }

    /// Gives back blocks that were handed out.
    pub(crate) fn leave(&mut self, run: Run) {
        self.gaps.push_back(run);
    }

    pub(crate) fn gaps(&self) -> &VecDeque<Run> {
        &self.gaps
    }

    /// Sorts the gaps, when nothing more is handed out.
    pub(crate) fn settle(&mut self) {
        let gaps = self.gaps.make_contiguous();
        gaps.sort_unstable_by_key(|gap| gap.start);
    }

    /// The gaps that reach into `range`, of a space that is settled.
    pub(crate) fn gaps_in(&self, range: Range<u64>) -> impl Iterator<Item = &Run> {
        let first = self.gaps.partition_point(|gap| gap.end() <= range.start);
        let rest = self.gaps.range(first..);
        rest.take_while(move |gap| gap.start < range.end)
    }

    /// The next `len` blocks, in as many runs as it takes; gaps are filled first.
    pub(crate) fn take(&mut self, len: u64, mut each: impl FnMut(Run)) {
        let mut left = len;
        while left > 0 {
            let Some(gap) = self.gaps.front_mut() else {
                break;
            };
            let take = left.min(gap.len);
            each(Run {
                start: gap.start,
                len: take,
            });
            gap.start = sum(gap.start, take);
            gap.len = without(gap.len, take);
            left = without(left, take);
            if gap.len == 0 {
                self.gaps.pop_front();
            }
        }
        while left > 0 {
            let take = left.min(self.room());
            each(Run {
                start: self.at,
                len: take,
            });
            self.at = sum(self.at, take);
            left = without(left, take);
        }
    }

    /// One block.
    pub(crate) fn one(&mut self) -> u64 {
        let mut block = 0;
        self.take(1, |run| block = run.start);
        block
    }

    /// `len` blocks in one piece. There are ever more groups between two copies, so it fits somewhere.
    pub(crate) fn piece(&mut self, len: u64) -> u64 {
        loop {
            let room = self.room();
            let start = self.at;
            if room >= len {
                self.at = sum(start, len);
                return start;
            }
            self.leave(Run { start, len: room });
            self.at = sum(start, room);
        }
    }

    /// Blocks before the next copy, at least one.
    fn room(&mut self) -> u64 {
        loop {
            let stop = product(self.next, self.group);
            if self.at < stop {
                return without(stop, self.at);
            }
            self.at = self.at.max(sum(stop, self.head));
            self.next = next_copy(self.next);
        }
    }
}

/// The groups that have a copy of superblock and descriptors are 0, 1 and the powers of these.
const BASES: [u64; 3] = [3, 5, 7];

fn powers(base: u64) -> impl Iterator<Item = u64> {
    iter::successors(Some(base), move |power| power.checked_mul(base))
}

/// Whether `group` has a copy.
pub(crate) fn has_copy(group: u64) -> bool {
    let reaches = |base| powers(base).find(|power| *power >= group) == Some(group);
    group <= 1 || BASES.into_iter().any(reaches)
}

/// The first group after `group` that has a copy.
#[expect(clippy::expect_used, reason = "groups are fewer than 2^60")]
pub(crate) fn next_copy(group: u64) -> u64 {
    let next = BASES
        .into_iter()
        .filter_map(|base| powers(base).find(|power| *power > group));
    match group {
        0 => 1,
        _ => next.min().expect("a power of 3 behind it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies() {
        let mut groups = vec![0];
        while *groups.last().unwrap() < 100 {
            groups.push(next_copy(*groups.last().unwrap()));
        }
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
        let all: Vec<u64> = (0..126).filter(|g| has_copy(*g)).collect();
        assert_eq!(all, groups);
    }

    #[test]
    fn copies_are_stepped_over() {
        let mut space = Space::new(100, 3);
        let mut runs = Vec::new();
        space.take(250, |run| runs.push((run.start, run.len)));
        assert_eq!(runs, [(3, 97), (103, 153)]);
        assert_eq!(space.piece(50), 303);
        assert_eq!(
            *space.gaps(),
            [Run {
                start: 256,
                len: 44
            }]
        );
        assert_eq!(space.end(), 353);
        runs.clear();
        space.take(45, |run| runs.push((run.start, run.len)));
        assert_eq!(runs, [(256, 44), (353, 1)]);
        assert_eq!(*space.gaps(), []);
    }

    #[test]
    fn gaps_of_a_range() {
        let mut space = Space::new(1000, 0);
        for start in [40, 10, 30, 20] {
            space.leave(Run { start, len: 5 });
        }
        // What was given back first is filled first, wherever it lies.
        assert_eq!(space.one(), 40);
        space.settle();
        let starts = |range| -> Vec<u64> { space.gaps_in(range).map(|gap| gap.start).collect() };
        assert_eq!(starts(0..100), [10, 20, 30, 41]);
        assert_eq!(starts(14..30), [10, 20]);
        assert_eq!(starts(15..31), [20, 30]);
        assert_eq!(starts(45..100), [0; 0]);
    }
}
