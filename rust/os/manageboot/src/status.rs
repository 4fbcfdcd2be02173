//! What the two slots hold and which one boots next.

use std::fs::File;

use base::as_u64;
use grubenv::{Bar, BootState, Limit, Slot};
use serde_json::{json, Value};
use update::Identity;

use crate::root::read_file;
use crate::upgrade::{is_complete, SlotMedia};

/// Where a system says what it is.
pub(crate) const IDENTITY: &str = "/opt/ic/share/os.json";

/// A slot.
pub(crate) struct SlotStatus {
    /// Whether it can boot.
    complete: Option<bool>,
    /// What its root says that it is. Nobody vouches for it until it runs.
    identity: anyhow::Result<Identity>,
}

impl SlotStatus {
    /// Looks at the partitions.
    pub(crate) fn of(media: anyhow::Result<SlotMedia<File>>) -> Self {
        let media = match media {
            Ok(media) => media,
            Err(error) => {
                return Self {
                    complete: None,
                    identity: Err(error),
                }
            }
        };
        Self {
            complete: is_complete(&media).ok(),
            identity: identity(media.root),
        }
    }

    fn json(&self, confirmed: Option<bool>, barred: bool) -> Value {
        let identity = self.identity.as_ref().ok();
        json!({
            "barred": barred,
            "complete": self.complete,
            "confirmed": confirmed,
            "env": identity.map(|identity| &identity.env),
            "os": identity.map(|identity| &identity.os),
            "version": identity.map(|identity| identity.version.as_str()),
        })
    }

    fn text(&self) -> String {
        let complete = match self.complete {
            Some(true) => "complete",
            Some(false) => "not complete",
            None => "can't be read",
        };
        match &self.identity {
            Ok(identity) => format!("version {}, {complete}", identity.version),
            Err(_) => format!("version unknown, {complete}"),
        }
    }
}

/// What the system in a root partition is.
pub(crate) fn identity(root: File) -> anyhow::Result<Identity> {
    let text = read_file(root, IDENTITY, as_u64(Identity::MAX_LEN))?;
    Ok(Identity::parse(&text)?)
}

/// Both slots and grubenv.
pub(crate) struct Status {
    /// The running slot.
    pub(crate) running: Slot,
    /// What grubenv says.
    pub(crate) state: BootState,
    /// Whom it says that is not fallen back to.
    pub(crate) bar: Bar,
    /// How often an unconfirmed slot is started.
    pub(crate) limit: Limit,
    /// A and B.
    pub(crate) slots: [(Slot, SlotStatus); 2],
}

impl Status {
    /// The state that the next start leaves.
    pub(crate) fn next(&self) -> BootState {
        let other = self.state.alternative.other();
        let complete =
            |(slot, status): &(Slot, SlotStatus)| *slot == other && status.complete == Some(true);
        let usable = self.slots.iter().any(complete) && self.bar.slot() != Some(other);
        self.state.after_start(self.limit, usable)
    }

    /// Starts that the slot has until another one is tried; nothing while no start is counted.
    fn tries_left(&self) -> u8 {
        // More tries than there may be are none left.
        self.limit.get().saturating_sub(self.state.tries.get())
    }

    fn confirmed(&self, slot: Slot) -> Option<bool> {
        (slot == self.state.alternative).then(|| !self.state.is_trial())
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let slots = self.slots.iter().map(|(slot, status)| {
            let json = status.json(self.confirmed(*slot), self.bar.slot() == Some(*slot));
            (slot.to_string(), json)
        });
        json!({
            "boot_cycle": self.state.cycle.as_str(),
            "boot_tries": self.state.tries.get(),
            "next": self.next().alternative.as_str(),
            "running": self.running.as_str(),
            "slots": slots.collect::<serde_json::Map<_, _>>(),
            "tries_left": self.tries_left(),
        })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut lines = Vec::new();
        for (slot, status) in &self.slots {
            let mut line = format!("{slot}: {}", status.text());
            if *slot == self.running {
                line.push_str(", running");
            }
            if *slot == self.state.alternative {
                line.push_str(match self.state.is_trial() {
                    true => ", on trial",
                    false => ", confirmed",
                });
                line.push_str(&format!(
                    ", started {} times since it was confirmed, {} tries left",
                    self.state.tries.get(),
                    self.tries_left()
                ));
            }
            if self.bar.slot() == Some(*slot) {
                line.push_str(", not to be fallen back to");
            }
            if *slot == self.next().alternative {
                line.push_str(", boots next");
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use grubenv::{Cycle, Tries};

    use super::*;

    /// A runs, and has been started as often as is counted; B is complete or not, and barred or not.
    fn worn(b_complete: Option<bool>, barred: bool) -> Status {
        let slot = |slot, complete| {
            let identity = Err(anyhow::anyhow!("no root"));
            (slot, SlotStatus { complete, identity })
        };
        Status {
            running: Slot::A,
            state: BootState {
                alternative: Slot::A,
                cycle: Cycle::Stable,
                tries: Tries::new(3).unwrap(),
            },
            bar: match barred {
                true => Bar::Now(Slot::B),
                false => Bar::None,
            },
            limit: Limit::new(3).unwrap(),
            slots: [slot(Slot::A, Some(true)), slot(Slot::B, b_complete)],
        }
    }

    /// A slot that was confirmed, and does not get so far any more.
    #[test]
    fn the_other_slot_is_next_if_it_can_be() {
        for (complete, barred, next) in [
            (Some(true), false, Slot::B),
            (Some(true), true, Slot::A),
            (Some(false), false, Slot::A),
            (None, false, Slot::A),
        ] {
            let status = worn(complete, barred);
            assert_eq!(status.next().alternative, next, "{complete:?} {barred}");
        }
    }

    #[test]
    fn for_people_the_slot_that_boots_next_is_marked() {
        let text = worn(Some(true), false).text();
        let want = "A: version unknown, complete, running, confirmed, started 3 times since it was confirmed, 0 tries left\n\
                    B: version unknown, complete, boots next";
        assert_eq!(text, want);
        let text = worn(None, true).text();
        assert!(
            text.ends_with("\nB: version unknown, can't be read, not to be fallen back to"),
            "{text}"
        );
    }
}
