//! Blocks, some at a time, on all cores.

use std::num::NonZeroUsize;
use std::ops::Range;

use base::{as_usize, parallel};

use crate::num::sum;

/// Does `work` on blocks `0..count`, `size` at a time, and `finish` on what came of it, in the order of the blocks.
///
/// Every thread makes itself a `state` (buffers) for it first. The error is that of the first blocks that have one.
pub(crate) fn in_order<S, T, A: Send, E: Send>(
    count: u64,
    size: u64,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, Range<u64>) -> Result<T, E> + Sync,
    all: A,
    finish: impl Fn(&mut A, T) -> Result<(), E> + Sync,
) -> Result<A, E> {
    let starts = (0..count).step_by(as_usize(size));
    let ranges = starts.map(|start| start..sum(start, size).min(count));
    // While one waits for its turn the others work.
    let threads = (0..=parallel::cores().get()).zip(ranges.clone()).count();
    let Some(threads) = NonZeroUsize::new(threads) else {
        return Ok(all);
    };
    parallel::in_order(
        threads,
        ranges,
        all,
        || Ok((state(), None)),
        |range, (state, done)| {
            *done = Some(work(state, range.clone())?);
            Ok(())
        },
        |all, _, (_, done)| done.take().map_or(Ok(()), |done| finish(all, done)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_in_order() {
        let pieces = |count, size| {
            let work = |(): &mut (), blocks| Ok::<_, ()>(blocks);
            let push = |all: &mut Vec<_>, blocks| {
                all.push(blocks);
                Ok(())
            };
            in_order(count, size, || (), work, Vec::new(), push).unwrap()
        };
        assert_eq!(pieces(10, 4), [0..4, 4..8, 8..10]);
        assert_eq!(pieces(8, 4), [0..4, 4..8]);
        assert_eq!(pieces(0, 4), []);
    }
}
