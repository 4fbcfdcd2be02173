//! A slot that the boot loader must not fall back to.
//!
//! `boot_barred` in the main block says it. It is written by who runs, together with the state, and only read by the boot loader: to that a
//! barred slot is like one that is not complete. It says nothing of the slot that is named, which is started whatever is said of it, and
//! nothing while a slot is on trial: the slot that was left is what a trial falls back to, so a commit takes the bar away.
//!
//! | value           | the slot that is barred                                                                       |
//! |-----------------|-----------------------------------------------------------------------------------------------|
//! | `A`, `B`        | that one                                                                                      |
//! | `A_once_confirmed`, `B_once_confirmed` | none yet: that one as soon as the other one is confirmed, for it can't read what that will write. The boot loader takes it for none |
//! | anything else   | none                                                                                          |
//!
//! | who writes it           | which slot              | because                                         |
//! |-------------------------|-------------------------|-------------------------------------------------|
//! | an installation         | the one that is written | nobody decided yet that it is to run            |
//! | a commit taken back     | the one committed       | somebody decided that it is not to run          |
//! | a way back from a trial | the one that was tried  | the same                                        |
//! | a commit                | the running one, once the other is confirmed, or none | data in a newer format     |
//! | a confirmation          | the one that was to be barred once that happened | the same                   |
//!
//! The spare block has no such variable: while the main one can be read, it says what who runs decided last; while it can't, nothing is barred.

use crate::{Block, Error, Slot};

/// Variable with the slot that is not fallen back to.
pub const BARRED: &str = "boot_barred";

/// What a value ends in that is for later.
const LATER: &str = "_once_confirmed";

/// What is said of slots that are not to be fallen back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bar {
    /// Each may be.
    #[default]
    None,
    /// This one may not.
    Now(Slot),
    /// This one may not once the other one is confirmed.
    OnceConfirmed(Slot),
}

impl Bar {
    /// What the main block says; `None` is a file that is missing or damaged.
    pub fn of(main: Option<&Block>) -> Self {
        let value = main.and_then(|block| block.get(BARRED));
        let Some(value) = value.and_then(|value| std::str::from_utf8(value).ok()) else {
            return Self::None;
        };
        match (value.parse(), value.strip_suffix(LATER).map(str::parse)) {
            (Ok(slot), _) => Self::Now(slot),
            (_, Some(Ok(slot))) => Self::OnceConfirmed(slot),
            _ => Self::None,
        }
    }

    /// The slot that is barred already.
    pub fn slot(self) -> Option<Slot> {
        match self {
            Self::Now(slot) => Some(slot),
            Self::None | Self::OnceConfirmed(_) => None,
        }
    }

    /// What follows when `slot`, which runs, is confirmed.
    pub fn confirmed(self, slot: Slot) -> Self {
        match self {
            Self::OnceConfirmed(other) if other != slot => Self::Now(other),
            // It runs, and works.
            Self::Now(barred) if barred == slot => Self::None,
            // After a trial that failed, the upgrade may still be fallen back to; then this counts again.
            bar => bar,
        }
    }

    /// Writes it into the main block.
    pub fn store(self, main: &mut Block) -> Result<(), Error> {
        let value = match self {
            Self::None => {
                main.unset(BARRED);
                return Ok(());
            }
            Self::Now(slot) => slot.to_string(),
            Self::OnceConfirmed(slot) => format!("{slot}{LATER}"),
        };
        main.set(BARRED, value.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let mut block = Block::new();
        assert_eq!(Bar::of(Some(&block)), Bar::None);
        assert_eq!(Bar::of(None), Bar::None);
        for slot in [Slot::A, Slot::B] {
            for (bar, value, now) in [
                (Bar::Now(slot), slot.to_string(), Some(slot)),
                (
                    Bar::OnceConfirmed(slot),
                    format!("{slot}_once_confirmed"),
                    None,
                ),
            ] {
                bar.store(&mut block).unwrap();
                assert_eq!(block.get(BARRED), Some(value.as_bytes()));
                assert_eq!((Bar::of(Some(&block)), bar.slot()), (bar, now));
            }
        }
        Bar::None.store(&mut block).unwrap();
        assert_eq!(block, Block::new());
        for other in ["", "C", "a", "B ", "A B", "_once_confirmed", "A_once"] {
            block.set(BARRED, other.as_bytes()).unwrap();
            assert_eq!(Bar::of(Some(&block)), Bar::None, "{other}");
        }
    }

    #[test]
    fn a_confirmation_bars_what_was_to_be_barred() {
        use Bar::{None, Now, OnceConfirmed};
        let (a, b) = (Slot::A, Slot::B);
        for (before, after_a, after_b) in [
            (None, None, None),
            (Now(a), None, Now(a)),
            (Now(b), Now(b), None),
            (OnceConfirmed(a), OnceConfirmed(a), Now(a)),
            (OnceConfirmed(b), Now(b), OnceConfirmed(b)),
        ] {
            assert_eq!(before.confirmed(a), after_a, "{before:?}");
            assert_eq!(before.confirmed(b), after_b, "{before:?}");
        }
    }
}
