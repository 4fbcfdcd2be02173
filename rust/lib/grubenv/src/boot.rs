//! Which slot is booted.

use std::fmt;
use std::str::FromStr;

use crate::{Bar, Block, Error};

/// Variable with the slot.
pub const ALTERNATIVE: &str = "boot_alternative";
/// Variable with the state of an upgrade.
pub const CYCLE: &str = "boot_cycle";
/// Variable with how often the slot named was started since it was confirmed: a digit, and 0 if missing.
pub const TRIES: &str = "boot_tries";

/// Of the spare block: the values of the main one from which it was written. It holds as long as those are what the main one has.
pub(crate) const SPARE_OF: &str = "spare_of";
/// Of the spare block: the three variables of the state.
pub(crate) const SPARE: [&str; 3] = ["spare_alternative", "spare_cycle", "spare_tries"];

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

impl Slot {
    /// The one that the boot loader started, by the kernel's command line: the last word counts, as for the kernel.
    pub fn started(command_line: &str) -> Option<Self> {
        let words = command_line.split_ascii_whitespace();
        let mut slots = words.filter_map(|word| word.strip_prefix(ALTERNATIVE)?.strip_prefix('='));
        slots.next_back()?.parse().ok()
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

/// How often a slot was started since it was last confirmed: one decimal digit, as GRUB's scripts can't count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tries(u8);

impl Tries {
    /// Not since.
    pub const NONE: Self = Self(0);
    /// Once.
    pub const FIRST: Self = Self(1);

    /// `count`, if it is a digit.
    pub fn new(count: u8) -> Option<Self> {
        (count <= 9).then_some(Self(count))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }

    /// The value as the boot loader takes it: what is no digit is 0.
    fn of(value: Option<&[u8]>) -> Self {
        match value {
            Some([digit @ b'1'..=b'9']) => Self(digit.abs_diff(b'0')),
            _ => Self::NONE,
        }
    }

    /// One more, unless `limit` were had.
    fn more(self, limit: Limit) -> Option<Self> {
        let next = self.0.checked_add(1)?;
        (next <= limit.0).then_some(Self(next))
    }
}

impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many starts a slot gets to be confirmed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u8);

impl Limit {
    /// `starts`, from 1 to 9.
    pub fn new(starts: u8) -> Option<Self> {
        (1..=9).contains(&starts).then_some(Self(starts))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The three variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootState {
    /// `boot_alternative`.
    pub alternative: Slot,
    /// `boot_cycle`.
    pub cycle: Cycle,
    /// `boot_tries`.
    pub tries: Tries,
}

impl Default for BootState {
    /// What the boot loader starts from when the block can't be read.
    fn default() -> Self {
        Self::confirmed(Slot::A)
    }
}

impl BootState {
    /// `slot` works: it is the one to boot from now on.
    pub fn confirmed(slot: Slot) -> Self {
        Self {
            alternative: slot,
            cycle: Cycle::Stable,
            tries: Tries::NONE,
        }
    }

    /// `slot` is an upgrade, to be tried next.
    pub fn trial(slot: Slot) -> Self {
        Self {
            cycle: Cycle::FirstBoot,
            ..Self::confirmed(slot)
        }
    }

    /// The state in `block`, as the boot loader takes it: a missing or unknown value is the default one.
    pub fn of(block: &Block) -> Self {
        Self::of_values([ALTERNATIVE, CYCLE, TRIES].map(|name| block.get(name)))
    }

    pub(crate) fn of_values([alternative, cycle, tries]: [Option<&[u8]>; 3]) -> Self {
        let known = |known: &Cycle| cycle == Some(known.as_str().as_bytes());
        Self {
            alternative: match alternative {
                Some(b"B") => Slot::B,
                _ => Slot::A,
            },
            cycle: Cycle::ALL.into_iter().find(known).unwrap_or(Cycle::Stable),
            tries: Tries::of(tries),
        }
    }

    /// The state that the boot loader starts from: that of the spare block while it is in force ([`spare_holds`]), else that of the main
    /// one. `None` is a file that is missing or whose bytes are no block; a state that neither says is [`BootState::default`] to it.
    pub fn in_force(main: Option<&Block>, spare: Option<&Block>) -> Option<Self> {
        match spare.filter(|spare| spare_holds(main, spare)) {
            Some(spare) => Some(Self::of_values(SPARE.map(|name| spare.get(name)))),
            None => main.map(Self::of),
        }
    }

    /// Makes this the state in force by changing the main block alone, whatever the spare one says. It starts from no tries.
    ///
    /// The spare one could have been written for the very values that come now: a slot that is confirmed at each start, while the boot
    /// loader can't write the main block, has the same ones each time. Then the number of tries is written as `00`, which is 0 to the boot
    /// loader as well, and is other text.
    pub fn decide(self, main: &mut Block, spare: Option<&Block>) -> Result<(), Error> {
        let fresh = Self {
            tries: Tries::NONE,
            ..self
        };
        fresh.store(main)?;
        if spare.is_some_and(|spare| spare_holds(Some(main), spare)) {
            main.set(TRIES, b"00")?;
        }
        Ok(())
    }

    /// Writes all variables into `block`.
    pub fn store(self, block: &mut Block) -> Result<(), Error> {
        block.set(ALTERNATIVE, self.alternative.as_str().as_bytes())?;
        block.set(CYCLE, self.cycle.as_str().as_bytes())?;
        block.set(TRIES, self.tries.to_string().as_bytes())
    }

    /// What the boot loader makes of this state; the slot it boots is the one named afterwards.
    ///
    /// `other_usable`: the slot that is not named holds a system, and is not barred ([`crate::BARRED`]).
    pub fn after_start(self, limit: Limit, other_usable: bool) -> Self {
        let more = self.tries.more(limit);
        let row = TABLE.iter().find(|row| {
            row.cycle == self.cycle
                && row.more.is_none_or(|wanted| wanted == more.is_some())
                && row.other.is_none_or(|wanted| wanted == other_usable)
        });
        // The table has a row for every state: `every_state_has_a_row`. Without one, the state stays.
        row.map_or(self, |row| Self {
            alternative: match row.boots {
                Pick::Named => self.alternative,
                Pick::Other => self.alternative.other(),
            },
            cycle: row.left,
            tries: match (row.count, more) {
                (Count::Next, Some(next)) => next,
                _ => Tries::FIRST,
            },
        })
    }

    /// The same, having tried the slot in vain: the other one, as a system that works.
    pub fn fallen(self) -> Self {
        Self {
            tries: Tries::FIRST,
            ..Self::confirmed(self.alternative.other())
        }
    }

    /// Whether the slot named is an upgrade that nobody confirmed.
    pub fn is_trial(self) -> bool {
        matches!(self.cycle, Cycle::FirstBoot | Cycle::FailsafeCheck)
    }

    /// Whether `slot`, which runs, is that upgrade.
    ///
    /// One that was committed and waits for the next start is the other slot. `first_boot` for the slot that runs is what a boot loader leaves
    /// that could save the state nowhere, and that started the upgrade because the other slot does not load.
    pub fn is_trial_of(self, slot: Slot) -> bool {
        self.is_trial() && self.alternative == slot
    }
}

/// The values of the main block, as one text.
pub(crate) fn found(main: Option<&Block>) -> Vec<u8> {
    [ALTERNATIVE, CYCLE, TRIES]
        .map(|name| main.and_then(|block| block.get(name)).unwrap_or_default())
        .join(&b' ')
}

/// Whether the spare block is in force: it was written for the values that the main one has.
pub fn spare_holds(main: Option<&Block>, spare: &Block) -> bool {
    spare.get(SPARE_OF) == Some(&found(main))
}

/// Which slot a row boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    Named,
    Other,
}

/// What a row leaves as number of tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    First,
    Next,
}

/// A row of the table: what is found, `None` being anything, and what follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) cycle: Cycle,
    /// A try is left.
    pub(crate) more: Option<bool>,
    /// The other slot holds a system, and is not barred.
    pub(crate) other: Option<bool>,
    pub(crate) boots: Pick,
    pub(crate) left: Cycle,
    pub(crate) count: Count,
}

const fn row(
    cycle: Cycle,
    more: Option<bool>,
    other: Option<bool>,
    (boots, left, count): (Pick, Cycle, Count),
) -> Row {
    Row {
        cycle,
        more,
        other,
        boots,
        left,
        count,
    }
}

/// The table of the crate's documentation. [`BootState::after_start`] looks into it, and GRUB's script is written from it.
pub(crate) const TABLE: [Row; 7] = {
    use Count::{First, Next};
    use Cycle::{FailsafeCheck, FirstBoot, Install, Stable};
    use Pick::{Named, Other};
    let (yes, no) = (Some(true), Some(false));
    [
        row(Install, None, None, (Named, Stable, First)),
        row(FirstBoot, None, None, (Named, FailsafeCheck, First)),
        row(FailsafeCheck, yes, None, (Named, FailsafeCheck, Next)),
        row(FailsafeCheck, no, None, (Other, Stable, First)),
        row(Stable, yes, None, (Named, Stable, Next)),
        row(Stable, no, yes, (Other, Stable, First)),
        row(Stable, no, no, (Named, Stable, First)),
    ]
};

/// The slot that the boot loader boots next, and the block that it leaves, when it can save it and both slots load.
pub fn next_boot(
    block: &Block,
    limit: Limit,
    other_complete: bool,
) -> Result<(Slot, Block), Error> {
    let state = BootState::of(block);
    let barred = Bar::of(Some(block)).slot();
    let other_usable = other_complete && barred != Some(state.alternative.other());
    let after = state.after_start(limit, other_usable);
    let mut left = block.clone();
    after.store(&mut left)?;
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
        for (line, slot) in [
            (
                "quiet boot_alternative=A boot_alternative=B\n",
                Some(Slot::B),
            ),
            ("boot_alternative=B xboot_alternative=A", Some(Slot::B)),
            ("boot_alternative=C", None),
            ("boot_alternative", None),
            ("", None),
        ] {
            assert_eq!(Slot::started(line), slot, "{line}");
        }
    }

    #[test]
    fn the_spare_block_is_in_force_for_its_values_alone() {
        let state = |main: &[_], spare: &[_]| {
            BootState::in_force(Some(&block(main)), Some(&block(spare))).unwrap()
        };
        let main = [(ALTERNATIVE, "B"), (CYCLE, "first_boot"), (TRIES, "0")];
        let spare = |of| [(SPARE_OF, of), ("spare_tries", "2")];
        let counted = BootState {
            tries: Tries(2),
            ..BootState::default()
        };
        assert_eq!(state(&main, &spare("B first_boot 0")), counted);
        for of in ["", "B first_boot", "B first_boot 00", "A first_boot 0"] {
            assert_eq!(state(&main, &spare(of)), BootState::trial(Slot::B));
        }
        assert_eq!(state(&main, &[]), BootState::trial(Slot::B));
        // Nothing and two blanks is what the script makes of a main one that is missing or empty.
        assert_eq!(state(&[], &spare("  ")), counted);
        let (none, of_none) = (block(&[]), block(&spare("  ")));
        assert_eq!(BootState::in_force(None, Some(&of_none)), Some(counted));
        assert_eq!(BootState::in_force(None, Some(&none)), None);
        assert_eq!(BootState::in_force(None, None), None);
        let main = block(&main);
        let alone = BootState::in_force(Some(&main), None);
        assert_eq!(alone, Some(BootState::trial(Slot::B)));
    }

    #[test]
    fn the_table() {
        // found; the other slot is complete; slot started and what is left. The limit is 3.
        let rows = [
            ("A", "install", "0", true, "A", "stable", "1"),
            ("B", "install", "7", false, "B", "stable", "1"),
            ("A", "first_boot", "0", true, "A", "failsafe_check", "1"),
            ("B", "first_boot", "9", true, "B", "failsafe_check", "1"),
            ("B", "failsafe_check", "1", true, "B", "failsafe_check", "2"),
            ("B", "failsafe_check", "2", true, "B", "failsafe_check", "3"),
            ("B", "failsafe_check", "3", true, "A", "stable", "1"),
            ("B", "failsafe_check", "9", false, "A", "stable", "1"),
            ("A", "failsafe_check", "3", true, "B", "stable", "1"),
            ("A", "stable", "0", true, "A", "stable", "1"),
            ("A", "stable", "1", true, "A", "stable", "2"),
            ("A", "stable", "2", true, "A", "stable", "3"),
            ("A", "stable", "3", true, "B", "stable", "1"),
            ("A", "stable", "4", true, "B", "stable", "1"),
            ("A", "stable", "3", false, "A", "stable", "1"),
            ("B", "stable", "3", true, "A", "stable", "1"),
            ("B", "stable", "3", false, "B", "stable", "1"),
            // Values that the boot loader does not know are A, stable and 0 to it.
            ("B", "odd", "1", true, "B", "stable", "2"),
            ("C", "failsafe_check", "3", true, "B", "stable", "1"),
            ("C", "stable", "10", true, "A", "stable", "1"),
            ("A", "stable", "-1", true, "A", "stable", "1"),
            ("A", "stable", "03", true, "A", "stable", "1"),
            ("", "", "", true, "A", "stable", "1"),
        ];
        for (alternative, cycle, tries, other, slot, cycle_after, tries_after) in rows {
            let found = block(&[
                (ALTERNATIVE, alternative),
                ("x", "1"),
                (CYCLE, cycle),
                (TRIES, tries),
            ]);
            let (booted, left) = next_boot(&found, Limit(3), other).unwrap();
            assert_eq!(booted.as_str(), slot, "{alternative} {cycle} {tries}");
            let want = block(&[
                (ALTERNATIVE, slot),
                ("x", "1"),
                (CYCLE, cycle_after),
                (TRIES, tries_after),
            ]);
            assert_eq!(left, want, "{alternative} {cycle} {tries}");
        }
        let (booted, left) = next_boot(&Block::new(), Limit(3), true).unwrap();
        assert_eq!(booted, Slot::A);
        assert_eq!(
            left,
            block(&[(ALTERNATIVE, "A"), (CYCLE, "stable"), (TRIES, "1")])
        );
    }

    #[test]
    fn every_state_has_one_row() {
        for cycle in Cycle::ALL {
            for more in [true, false] {
                for other in [true, false] {
                    let rows = TABLE.iter().filter(|row| {
                        row.cycle == cycle
                            && row.more.is_none_or(|wanted| wanted == more)
                            && row.other.is_none_or(|wanted| wanted == other)
                    });
                    assert_eq!(rows.count(), 1, "{cycle} {more} {other}");
                }
            }
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(Tries::new(9).map(Tries::get), Some(9));
        assert_eq!(Tries::new(10), None);
        assert_eq!(Limit::new(1).map(Limit::get), Some(1));
        assert_eq!(
            Limit::new(9).map(|limit| limit.to_string()),
            Some("9".to_owned())
        );
        assert_eq!([Limit::new(0), Limit::new(10)], [None, None]);
    }

    /// The slots of the next starts, nobody confirming.
    fn starts(mut env: Block, limit: Limit, count: usize) -> String {
        (0..count)
            .map(|_| {
                let (slot, left) = next_boot(&env, limit, true).unwrap();
                env = left;
                slot.as_str()
            })
            .collect()
    }

    #[test]
    fn an_unconfirmed_slot_is_left() {
        let state = |state: BootState| {
            let mut block = Block::new();
            state.store(&mut block).unwrap();
            block
        };
        let trial = state(BootState::trial(Slot::B));
        assert_eq!(starts(trial.clone(), Limit(3), 10), "BBBAAABBBA");
        assert_eq!(starts(trial, Limit::new(1).unwrap(), 4), "BABA");
        let stable = state(BootState::confirmed(Slot::A));
        assert_eq!(starts(stable.clone(), Limit(3), 8), "AAABBBAA");
        assert_eq!(starts(stable, Limit::new(9).unwrap(), 10), "AAAAAAAAAB");
    }

    #[test]
    fn slots_are_read_strictly() {
        assert_eq!("B".parse(), Ok(Slot::B));
        assert!("b".parse::<Slot>().is_err());
    }
}
