//! Which slot is booted.

use std::fmt;
use std::str::FromStr;

use crate::{Block, Error};

/// Variable with the slot.
pub const ALTERNATIVE: &str = "boot_alternative";
/// Variable with the state of an upgrade.
pub const CYCLE: &str = "boot_cycle";

/// One of the two systems on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

/// Text that names no slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("slot {0:?}, want A or B")]
pub struct UnknownSlot(pub String);

impl Slot {
    /// The one that this is not.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// `A` or `B`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Slot {
    type Err = UnknownSlot;

    fn from_str(text: &str) -> Result<Self, UnknownSlot> {
        match text {
            "A" => Ok(Self::A),
            "B" => Ok(Self::B),
            _ => Err(UnknownSlot(text.to_owned())),
        }
    }
}

/// Where an upgrade stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cycle {
    /// Never booted.
    Install,
    /// The slot named is an upgrade that was not tried yet.
    FirstBoot,
    /// The slot named was tried and has not been confirmed.
    FailsafeCheck,
    /// The slot named works.
    Stable,
}

impl Cycle {
    /// Every state.
    pub const ALL: [Self; 4] = [
        Self::Install,
        Self::FirstBoot,
        Self::FailsafeCheck,
        Self::Stable,
    ];

    /// The variable's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::FirstBoot => "first_boot",
            Self::FailsafeCheck => "failsafe_check",
            Self::Stable => "stable",
        }
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The two variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootState {
    /// `boot_alternative`.
    pub alternative: Slot,
    /// `boot_cycle`.
    pub cycle: Cycle,
}

impl Default for BootState {
    /// What the boot loader starts from when the block can't be read.
    fn default() -> Self {
        Self {
            alternative: Slot::A,
            cycle: Cycle::Stable,
        }
    }
}

impl BootState {
    /// The state in `block`, as the boot loader takes it: a missing or unknown value is the default one.
    pub fn of(block: &Block) -> Self {
        let alternative = match block.get(ALTERNATIVE) {
            Some(b"B") => Slot::B,
            _ => Slot::A,
        };
        let cycle = Cycle::ALL
            .into_iter()
            .find(|cycle| block.get(CYCLE) == Some(cycle.as_str().as_bytes()))
            .unwrap_or(Cycle::Stable);
        Self { alternative, cycle }
    }

    /// Writes both variables into `block`.
    pub fn store(self, block: &mut Block) -> Result<(), Error> {
        block.set(ALTERNATIVE, self.alternative.as_str().as_bytes())?;
        block.set(CYCLE, self.cycle.as_str().as_bytes())
    }

    /// What the boot loader makes of this state; the slot it boots is the one named afterwards.
    pub fn after_boot(self) -> Self {
        let (alternative, cycle) = match self.cycle {
            Cycle::Install | Cycle::Stable => (self.alternative, Cycle::Stable),
            Cycle::FirstBoot => (self.alternative, Cycle::FailsafeCheck),
            Cycle::FailsafeCheck => (self.alternative.other(), Cycle::Stable),
        };
        Self { alternative, cycle }
    }
}

/// The slot that the boot loader boots next, and the block that it leaves.
pub fn next_boot(block: &Block) -> Result<(Slot, Block), Error> {
    let after = BootState::of(block).after_boot();
    let mut left = block.clone();
    // The boot loader writes only when the cycle changes, as to `stable` from a value that it does not know.
    let found = block
        .get(CYCLE)
        .unwrap_or(BootState::default().cycle.as_str().as_bytes());
    if found != after.cycle.as_str().as_bytes() {
        after.store(&mut left)?;
    }
    Ok((after.alternative, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(variables: &[(&str, &str)]) -> Block {
        let mut block = Block::new();
        for (name, value) in variables {
            block.set(name, value.as_bytes()).unwrap();
        }
        block
    }

    #[test]
    fn names() {
        for (slot, name) in [(Slot::A, "A"), (Slot::B, "B")] {
            assert_eq!(slot.to_string(), name);
            assert_eq!(name.parse::<Slot>(), Ok(slot));
        }
        for other in ["", "a", "C", "A "] {
            assert_eq!(other.parse::<Slot>(), Err(UnknownSlot(other.to_owned())));
        }
        let names = Cycle::ALL.map(|cycle| cycle.to_string());
        assert_eq!(names, ["install", "first_boot", "failsafe_check", "stable"]);
        assert_eq!(BootState::of(&Block::new()), BootState::default());
    }

    #[test]
    fn the_table() {
        // found, then slot booted and what is left
        let rows = [
            ("A", "install", "A", "A", "stable"),
            ("A", "first_boot", "A", "A", "failsafe_check"),
            ("A", "failsafe_check", "B", "B", "stable"),
            ("A", "stable", "A", "A", "stable"),
            ("B", "install", "B", "B", "stable"),
            ("B", "first_boot", "B", "B", "failsafe_check"),
            ("B", "failsafe_check", "A", "A", "stable"),
            ("B", "stable", "B", "B", "stable"),
            // Values that the boot loader does not know are A and stable to it.
            ("B", "odd", "B", "B", "stable"),
            ("C", "stable", "A", "C", "stable"),
            ("C", "failsafe_check", "B", "B", "stable"),
            ("", "", "A", "A", "stable"),
        ];
        for (alternative, cycle, slot, alternative_after, cycle_after) in rows {
            let found = block(&[(ALTERNATIVE, alternative), ("x", "1"), (CYCLE, cycle)]);
            let (booted, left) = next_boot(&found).unwrap();
            assert_eq!(booted.as_str(), slot, "{alternative} {cycle}");
            let want = block(&[
                (ALTERNATIVE, alternative_after),
                ("x", "1"),
                (CYCLE, cycle_after),
            ]);
            assert_eq!(left, want, "{alternative} {cycle}");
        }
        assert_eq!(next_boot(&Block::new()).unwrap(), (Slot::A, Block::new()));
    }

    #[test]
    fn an_unconfirmed_upgrade_ends_where_it_began() {
        let mut env = block(&[(ALTERNATIVE, "B"), (CYCLE, "first_boot")]);
        let mut booted = Vec::new();
        for _ in 0..4 {
            let (slot, left) = next_boot(&env).unwrap();
            booted.push(slot);
            env = left;
        }
        assert_eq!(booted, [Slot::B, Slot::A, Slot::A, Slot::A]);
    }

    #[test]
    fn slots_are_read_strictly() {
        assert_eq!("B".parse(), Ok(Slot::B));
        assert!("b".parse::<Slot>().is_err());
    }
}
