//! How long to wait before the next start: doubling, bounded, and forgotten after a run that lasted.

use std::time::Duration;

/// The waits.
#[derive(Debug, Clone)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    stable_after: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits `initial`, then twice as long each time, at most `max`; after a run of `stable_after` it begins anew.
    pub fn new(initial: Duration, max: Duration, stable_after: Duration) -> Self {
        Self {
            initial,
            max: max.max(initial),
            stable_after,
            next: initial,
        }
    }

    /// The wait after a run that took `ran`.
    pub fn after(&mut self, ran: Duration) -> Duration {
        if ran >= self.stable_after {
            self.next = self.initial;
        }
        let delay = self.next;
        // Saturates on purpose: it ends at the largest wait.
        self.next = delay.saturating_mul(2).min(self.max);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_most_and_starts_anew() {
        let s = Duration::from_secs;
        let mut backoff = Backoff::new(s(1), s(10), s(60));
        let short: Vec<_> = (0..6).map(|_| backoff.after(s(0)).as_secs()).collect();
        assert_eq!(short, [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.after(s(59)), s(10));
        assert_eq!(backoff.after(s(60)), s(1));
        assert_eq!(backoff.after(s(0)), s(2));
    }

    #[test]
    fn odd_limits() {
        let s = Duration::from_secs;
        let mut backoff = Backoff::new(s(5), s(1), s(60));
        assert_eq!(backoff.after(s(0)), s(5));
        assert_eq!(backoff.after(s(0)), s(5));
        let mut backoff = Backoff::new(s(1), Duration::MAX, s(60));
        for _ in 0..200 {
            backoff.after(s(0));
        }
        assert_eq!(backoff.after(s(0)), Duration::MAX);
    }
}
