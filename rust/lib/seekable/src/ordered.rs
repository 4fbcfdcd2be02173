//! Work by all cores whose results are taken in order.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Does `work` on each job by `threads` threads, and then `finish` on it: by one thread at a time, in the order of the jobs.
///
/// Each thread has a `local` of its own, which carries what `work` made to `finish`, so memory is bounded by their number.
/// The first job that fails, in order, is the one whose error is returned; no job after it is finished.
pub fn run<J, L, T, E>(
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
    let one = || {
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
    };
    thread::scope(|scope| {
        for _ in 1..threads.get() {
            scope.spawn(one);
        }
        one();
    });
    turns.into_result()
}

/// As many threads as there are cores, and one more: while one waits for its turn, another works.
pub fn threads() -> NonZeroUsize {
    thread::available_parallelism()
        .unwrap_or(NonZeroUsize::MIN)
        .saturating_add(1)
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
        Self {
            closed: AtomicBool::new(false),
            state: Mutex::new(State {
                next: 0,
                shared,
                error: None,
            }),
            moved: Condvar::new(),
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits for the turn of `number`, then acts. Does nothing if there are no more turns.
    fn take(&self, number: u64, act: impl FnOnce(&mut T) -> Result<(), E>) {
        let waiting = |state: &mut State<T, E>| !self.is_closed() && state.next != number;
        let state = self.moved.wait_while(lock(&self.state), waiting);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if self.is_closed() {
            return;
        }
        match act(&mut state.shared) {
            Ok(()) => {
                state.next = number.saturating_add(1);
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

    fn order(threads: usize, fail_at: Option<u64>) -> (Result<Vec<u64>, u64>, u64) {
        let seen = Mutex::new(0u64);
        let result = run(
            NonZeroUsize::new(threads).unwrap(),
            0u64..1000,
            Vec::new(),
            || Ok(0),
            |job, local| {
                *local = job.wrapping_mul(3);
                // Late jobs fail first, where there are threads to do so.
                match fail_at {
                    Some(at) if *job >= at => Err(*job),
                    _ => Ok(()),
                }
            },
            |all, _, local| {
                let mut seen = seen.lock().unwrap();
                *seen = seen.saturating_add(1);
                all.push(*local);
                Ok(())
            },
        );
        (result, seen.into_inner().unwrap())
    }

    #[test]
    fn results_are_in_order() {
        for threads in [1, 2, 7] {
            let all: Vec<u64> = (0..1000).map(|job| job * 3).collect();
            assert_eq!(order(threads, None), (Ok(all), 1000));
            assert_eq!(order(threads, Some(500)), (Err(500), 500));
        }
    }

    #[test]
    fn a_thread_that_cannot_start_ends_all() {
        let result = run(
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
