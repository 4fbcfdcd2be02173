//! Work on all cores whose outcome depends on no schedule: results in the order of the jobs, and of several errors that of the first
//! job that has one.
//!
//! | to …                                                                  | use                   |
//! |-----------------------------------------------------------------------|-----------------------|
//! | have the results of all jobs                                          | [`map`], [`map_with`] |
//! | likewise, of jobs of which a few are much longer than others          | [`map_longest_first`] |
//! | write what jobs make, in their order, with a few of them in memory    | [`in_order`]          |

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// How many threads can work at the same time.
pub fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// `work` on each of `jobs`.
pub fn map<J: Sync, T: Send, E: Send>(
    jobs: &[J],
    work: impl Fn(&J) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    map_with(jobs, || (), |(), job| work(job))
}

/// `work` on each of `jobs`; each thread makes itself a `state` (a buffer) for it first.
pub fn map_with<J: Sync, S, T: Send, E: Send>(
    jobs: &[J],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &J) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    all(&jobs.iter().enumerate().collect::<Vec<_>>(), state, work)
}

/// As [`map`], where the longest jobs, by `len`, are begun first, so that no core is left alone with one at the end.
pub fn map_longest_first<J: Sync, T: Send, E: Send>(
    jobs: &[J],
    len: impl Fn(&J) -> u64,
    work: impl Fn(&J) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let mut queue: Vec<(usize, &J)> = jobs.iter().enumerate().collect();
    queue.sort_by_key(|(_, job)| std::cmp::Reverse(len(job)));
    all(&queue, || (), |(), job| work(job))
}

/// Work on the numbered jobs of `queue`, begun in its order.
fn all<J: Sync, S, T: Send, E: Send>(
    queue: &[(usize, &J)],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &J) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    // The lowest number of a job that failed. What comes before it is done all the same: it may have an error that counts more.
    let failed = AtomicUsize::new(usize::MAX);
    let done = Mutex::new(Vec::with_capacity(queue.len()));
    let one = || {
        let mut state = state();
        while let Some((number, job)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            if *number > failed.load(Ordering::Relaxed) {
                continue;
            }
            let result = work(&mut state, job);
            if result.is_err() {
                failed.fetch_min(*number, Ordering::Relaxed);
            }
            lock(&done).push((*number, result));
        }
    };
    on_threads(cores().get().min(queue.len()), one);
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Does `one` by so many threads, this one among them, and passes on if one of them panics.
fn on_threads(count: usize, one: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 1..count {
            // Where no more threads can be had, those that are there do it.
            let _ = thread::Builder::new().spawn_scoped(scope, &one);
        }
        one();
    });
}

/// Does `work` on each job by `threads` threads, and then `finish` on it: by one thread at a time, in the order of the jobs.
///
/// Each thread has a `local` of its own, which carries what `work` made to `finish`, so memory is bounded by their number. While one
/// thread waits for its turn another can work: one more than [`cores`] keeps all of them busy.
/// The first job that fails, in order, is the one whose error is returned; no job after it is finished.
pub fn in_order<J, L, T, E>(
    threads: NonZeroUsize,
    jobs: impl Iterator<Item = J> + Send,
    shared: T,
    local: impl Fn() -> Result<L, E> + Sync,
    work: impl Fn(&J, &mut L) -> Result<(), E> + Sync,
    finish: impl Fn(&mut T, &J, &mut L) -> Result<(), E> + Sync,
) -> Result<T, E>
where
    T: Send,
    E: Send,
{
    let jobs = Mutex::new((0u64..).zip(jobs).fuse());
    let turns = Turns::new(shared);
    on_threads(threads.get(), || {
        let _close = CloseOnPanic(&turns);
        let mut local = match local() {
            Ok(local) => local,
            Err(error) => return turns.close(lock(&turns.state), Some(error)),
        };
        loop {
            // Taken under the lock: numbers are handed out without gaps.
            let next = lock(&jobs).next();
            let Some((number, job)) = next.filter(|_| !turns.is_closed()) else {
                return;
            };
            let result = work(&job, &mut local);
            turns.take(number, |shared| {
                result.and_then(|()| finish(shared, &job, &mut local))
            });
        }
    });
    turns.into_result()
}

struct Turns<T, E> {
    /// No more turns. Not under the lock, which is held while somebody acts.
    closed: AtomicBool,
    state: Mutex<State<T, E>>,
    moved: Condvar,
}

struct State<T, E> {
    /// Whose turn it is.
    next: u64,
    shared: T,
    error: Option<E>,
}

impl<T, E> Turns<T, E> {
    fn new(shared: T) -> Self {
        let state = Mutex::new(State {
            next: 0,
            shared,
            error: None,
        });
        Self {
            closed: AtomicBool::new(false),
            state,
            moved: Condvar::new(),
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits for the turn of `number`, then acts. Does nothing if there are no more turns.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "numbers are below those of a range of u64 that gave them"
    )]
    fn take(&self, number: u64, act: impl FnOnce(&mut T) -> Result<(), E>) {
        let waiting = |state: &mut State<T, E>| !self.is_closed() && state.next != number;
        let state = self.moved.wait_while(lock(&self.state), waiting);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if self.is_closed() {
            return;
        }
        match act(&mut state.shared) {
            Ok(()) => {
                state.next = number + 1;
                self.moved.notify_all();
            }
            Err(error) => self.close(state, Some(error)),
        }
    }

    fn close(&self, mut state: MutexGuard<'_, State<T, E>>, error: Option<E>) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            state.error = error;
        }
        self.moved.notify_all();
    }

    fn into_result(self) -> Result<T, E> {
        let state = self.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        match state.error {
            Some(error) => Err(error),
            None => Ok(state.shared),
        }
    }
}

/// Lets nobody wait for a thread that panicked.
struct CloseOnPanic<'a, T, E>(&'a Turns<T, E>);

impl<T, E> Drop for CloseOnPanic<'_, T, E> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.close(lock(&self.0.state), None);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order() {
        let jobs: Vec<u64> = (0..1000).collect();
        let square = |job: &u64| Ok::<_, ()>(job * job);
        let squares: Vec<u64> = jobs.iter().map(|job| job * job).collect();
        assert_eq!(map(&jobs, square).unwrap(), squares);
        let length = |job: &u64| job % 10;
        assert_eq!(map_longest_first(&jobs, length, square).unwrap(), squares);
        assert_eq!(map(&[], square), Ok(vec![]));
        let sums = map_with(&jobs, || 7, |seven, job| Ok::<_, ()>(*seven + job));
        assert_eq!(sums.unwrap(), (7..1007).collect::<Vec<u64>>());
    }

    #[test]
    fn the_first_error_counts() {
        let jobs: Vec<u64> = (0..100).collect();
        let work = |job: &u64| if job % 7 == 6 { Err(*job) } else { Ok(()) };
        for _ in 0..100 {
            assert_eq!(map(&jobs, work), Err(6));
            // The last are begun first here, and fail first.
            assert_eq!(map_longest_first(&jobs, |job| *job, work), Err(6));
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        let work = |job: &u8| {
            if *job == 3 {
                panic!("three")
            } else {
                Ok::<_, ()>(())
            }
        };
        let result = std::panic::catch_unwind(|| map(&[1, 2, 3, 4], work));
        assert!(result.is_err());
    }

    #[test]
    fn nothing_is_begun_behind_an_error() {
        let begun = AtomicUsize::new(0);
        let jobs: Vec<u64> = (0..10_000).collect();
        let work = |job: &u64| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *job == 0 {
                return Err(());
            }
            thread::sleep(std::time::Duration::from_millis(1));
            Ok(())
        };
        assert_eq!(map(&jobs, work), Err(()));
        assert!(begun.into_inner() < 10_000);
    }

    fn finished(threads: usize, fail_at: Option<u64>) -> (Result<Vec<u64>, u64>, usize) {
        let finishes = AtomicUsize::new(0);
        let result = in_order(
            NonZeroUsize::new(threads).unwrap(),
            0u64..1000,
            Vec::new(),
            || Ok(0),
            |job, local| {
                // Where there are threads, all others are done before it.
                if *job == 0 {
                    thread::sleep(std::time::Duration::from_millis(20));
                }
                *local = job.wrapping_mul(3);
                // Late jobs fail first, where there are threads to do so.
                match fail_at {
                    Some(at) if *job >= at => Err(*job),
                    _ => Ok(()),
                }
            },
            |all, _, local| {
                finishes.fetch_add(1, Ordering::Relaxed);
                all.push(*local);
                Ok(())
            },
        );
        (result, finishes.into_inner())
    }

    #[test]
    fn jobs_are_finished_in_order() {
        for threads in [1, 2, 7] {
            let all: Vec<u64> = (0..1000).map(|job| job * 3).collect();
            assert_eq!(finished(threads, None), (Ok(all), 1000));
            assert_eq!(finished(threads, Some(500)), (Err(500), 500));
        }
    }

    #[test]
    fn nobody_waits_for_a_thread_that_panicked() {
        let work = |job: &u64, (): &mut ()| match job {
            5 => panic!("five"),
            _ => Ok::<_, ()>(()),
        };
        let all = || {
            let threads = NonZeroUsize::new(3).unwrap();
            in_order(threads, 0..1000, (), || Ok(()), work, |(), _, ()| Ok(()))
        };
        assert!(std::panic::catch_unwind(all).is_err());
    }

    #[test]
    fn a_thread_that_cannot_start_ends_all() {
        let result = in_order(
            NonZeroUsize::new(3).unwrap(),
            0u64..,
            (),
            || Err::<(), _>("no memory"),
            |_, ()| Ok(()),
            |(), _, ()| Ok(()),
        );
        assert_eq!(result, Err("no memory"));
    }
}
