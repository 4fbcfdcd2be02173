//! Numbered pieces of work on all processors.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does the pieces `0..count` and returns their results in this order, or the error of the first piece that has one.
///
/// Every thread makes itself a `state` (buffers) first. Pieces are begun in order, so whatever comes before a piece that
/// fails has been begun, is finished, and tells of its own failure: which error comes back depends on no schedule.
pub(crate) fn in_order<S, T: Send, E: Send>(
    count: u64,
    state: impl Fn() -> S + Sync,
    piece: impl Fn(&mut S, u64) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let results = Mutex::new(Vec::new());
    let work = || {
        let mut state = state();
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            let result = piece(&mut state, index);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            results
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((index, result));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(usize::try_from(count).unwrap_or(usize::MAX));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order() {
        let squares = in_order(1000, || (), |(), n| Ok::<_, ()>(n * n)).unwrap();
        assert_eq!(squares, (0..1000).map(|n| n * n).collect::<Vec<u64>>());
        assert_eq!(in_order(0, || (), |(), n| Ok::<_, ()>(n)), Ok(vec![]));
    }

    #[test]
    fn the_first_error_counts() {
        for _ in 0..100 {
            let result = in_order(100, || (), |(), n| if n % 7 == 6 { Err(n) } else { Ok(n) });
            assert_eq!(result, Err(6));
        }
    }
}
