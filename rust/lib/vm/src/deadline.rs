//! Bounds on waiting, stretched for emulated guests.

use std::time::{Duration, Instant};

use crate::Accel;

/// How much longer things may take when the guest's processor is emulated. A boot that takes 6 s with KVM takes 40 s under
/// TCG on an idle machine and three times that on a busy one; a deadline only has to catch what would never end.
const TCG_FACTOR: u32 = 12;

/// A moment until which something may take, and how long that was from the start.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start: Instant,
    allowed: Duration,
}

impl Deadline {
    /// `allowed` from now on, whatever the guest runs on.
    pub fn after(allowed: Duration) -> Self {
        Self {
            start: Instant::now(),
            allowed,
        }
    }

    /// `with_kvm` from now on, or a multiple of it when `accel` is emulation.
    pub fn scaled(with_kvm: Duration, accel: Accel) -> Self {
        Self::after(match accel {
            Accel::Kvm => with_kvm,
            // Longer than all time is for ever.
            Accel::Tcg => with_kvm.saturating_mul(TCG_FACTOR),
        })
    }

    /// Time left; zero when it is over.
    pub fn remaining(&self) -> Duration {
        self.allowed.saturating_sub(self.start.elapsed())
    }

    /// Whether the time is over.
    pub fn expired(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The time allowed from the start, in seconds, for messages.
    pub fn seconds(&self) -> u64 {
        self.allowed.as_secs()
    }

    /// The shorter of this one and `limit` from now on.
    pub fn at_most(&self, limit: Duration) -> Self {
        Self::after(self.remaining().min(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_gets_more_time() {
        let kvm = Deadline::scaled(Duration::from_secs(10), Accel::Kvm);
        let tcg = Deadline::scaled(Duration::from_secs(10), Accel::Tcg);
        assert_eq!(kvm.seconds(), 10);
        assert_eq!(tcg.seconds(), 120);
        assert!(!tcg.expired());
        assert!(tcg.at_most(Duration::from_secs(3)).remaining() <= Duration::from_secs(3));
        assert!(Deadline::after(Duration::ZERO).expired());
    }
}
