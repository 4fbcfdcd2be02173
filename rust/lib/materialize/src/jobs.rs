//! An image in ranges that one thread writes at a time.

use base::as_usize;
use plan::{Extent, Piece, Plan};

/// The unit of holes, and of what file systems share between files.
pub(crate) const BLOCK: u64 = 4096;
/// Zeros of the plan shorter than this go through memory with what surrounds them. They stay holes, but are found by looking.
const GAP: u64 = 64 << 10;

/// A range of the image that holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Job {
    pub(crate) fn len(self) -> usize {
        as_usize(self.end.abs_diff(self.start))
    }
}

/// What of `plan` is to be written: sorted, disjoint ranges that start and end on multiples of [`BLOCK`] (the image's end
/// aside), none of them crossing a multiple of `chunk`, which is a multiple of [`BLOCK`].
#[expect(
    clippy::arithmetic_side_effects,
    reason = "an image has less than 2^63 bytes, and a chunk is far from as many"
)]
pub(crate) fn jobs(plan: &Plan, chunk: u64) -> impl Iterator<Item = Job> + Send + '_ {
    let image = plan.len();
    let mut extents = plan.extents().filter(holds).peekable();
    let mut at = 0;
    std::iter::from_fn(move || {
        while extents.next_if(|extent| extent.end() <= at).is_some() {}
        let start = down(extents.peek()?.start, BLOCK).max(at);
        let limit = down(start, chunk) + chunk;
        let mut end = start;
        while let Some(extent) = extents.peek() {
            if extent.start >= limit || extent.start >= end + GAP {
                break;
            }
            end = extent.end().min(limit);
            if extent.end() > limit {
                break;
            }
            extents.next();
        }
        at = end.next_multiple_of(BLOCK).min(image);
        Some(Job { start, end: at })
    })
}

fn holds(extent: &Extent<'_>) -> bool {
    !matches!(extent.piece, Piece::Zero)
}

/// `n` rounded down to a multiple of `to`, which is not 0.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the remainder is at most `n`"
)]
pub(crate) fn down(n: u64, to: u64) -> u64 {
    n - n % to
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Builder, Input};

    fn ranges(plan: &Plan, chunk: u64) -> Vec<(u64, u64)> {
        jobs(plan, chunk).map(|job| (job.start, job.end)).collect()
    }

    #[test]
    fn small_pieces_are_one_job() {
        let mut builder = Builder::new(vec![Input::of_len(1 << 30)]);
        builder.zero(1 << 40).unwrap();
        let base = builder.position();
        builder.zero(100).unwrap();
        for file in 0..10 {
            builder.source(0, file << 20, 5000).unwrap();
            builder.zero(8192 - 5000).unwrap();
        }
        builder.zero(GAP).unwrap();
        builder.inline(b"tail").unwrap();
        builder.zero(1 << 50).unwrap();
        builder.inline(b"end").unwrap();
        let plan = builder.finish().unwrap();
        let tail = base + 10 * 8192 + GAP;
        assert_eq!(
            ranges(&plan, 1 << 20),
            [
                (base, base + 9 * 8192 + 8192),
                (tail, tail + 4096),
                (plan.len() - 107, plan.len())
            ]
        );
    }

    #[test]
    fn large_pieces_are_several() {
        let mut builder = Builder::new(vec![Input::of_len(20_000)]);
        builder.zero(6000).unwrap();
        builder.source(0, 0, 20_000).unwrap();
        let plan = builder.finish().unwrap();
        assert_eq!(
            ranges(&plan, 8192),
            [(4096, 8192), (8192, 16384), (16384, 24576), (24576, 26000)]
        );
        let empty = Builder::new(Vec::new()).finish().unwrap();
        assert_eq!(ranges(&empty, 8192), []);
    }
}
