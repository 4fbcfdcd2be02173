//! One start of the boot loader, with all that can be missing or broken on a disk.

use crate::boot::{found, BootState, Limit, Slot, ALTERNATIVE, CYCLE, SPARE, SPARE_OF, TRIES};
use crate::{Bar, Block};

/// A file with an environment block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    /// What is in it; `None`: the file is missing or its bytes are no block.
    pub block: Option<Block>,
    /// Whether GRUB can write it.
    pub writable: bool,
}

impl Env {
    /// A file that can be written.
    pub fn new(block: Block) -> Self {
        Self {
            block: Some(block),
            writable: true,
        }
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.block.as_ref().and_then(|block| block.get(name))
    }

    /// As `save_env`: all of it or nothing.
    fn save(&mut self, values: &[(&str, &[u8])]) -> bool {
        let Some(block) = self.block.as_ref().filter(|_| self.writable) else {
            return false;
        };
        let mut new = block.clone();
        if !values
            .iter()
            .all(|(name, value)| new.set(name, value).is_ok())
        {
            return false;
        }
        self.block = Some(new);
        true
    }
}

/// What is in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Nothing, or an upgrade that did not come to its end.
    Absent,
    /// Files that do not load: damaged, or signed by nobody that is trusted.
    Refused,
    /// A system that is started.
    Loads,
}

/// What GRUB finds at a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// `grubenv` on GRUB's partition, which the running system writes, too.
    pub main: Env,
    /// `grubenv` on the EFI system partition, which only GRUB writes: what the running system decides is so written that this one is not in force.
    pub spare: Env,
    /// Slot A.
    pub a: System,
    /// Slot B.
    pub b: System,
}

impl Disk {
    /// What is in `slot`.
    pub fn system(&self, slot: Slot) -> System {
        match slot {
            Slot::A => self.a,
            Slot::B => self.b,
        }
    }

    /// One start: the slot whose system runs then, or nothing if GRUB restarts the machine. Both blocks are left as GRUB leaves them.
    pub fn start(&mut self, limit: Limit) -> Option<Slot> {
        // As it is found: the boot loader never writes it.
        let barred = Bar::of(self.main.block.as_ref()).slot();
        let usable =
            |disk: &Self, slot| disk.system(slot) != System::Absent && barred != Some(slot);
        let found = found(self.main.block.as_ref());
        let state = self.state();
        let mut after = state.after_start(limit, usable(self, state.alternative.other()));
        // An upgrade that can't be counted could be tried for ever.
        if !self.save(after, &found) && after.is_trial() {
            after = after.fallen();
        }
        if self.system(after.alternative) == System::Loads {
            return Some(after.alternative);
        }
        let fallen = after.fallen();
        if !usable(self, fallen.alternative) {
            return None;
        }
        self.save(fallen, &found);
        (self.system(fallen.alternative) == System::Loads).then_some(fallen.alternative)
    }

    /// The state that GRUB starts from.
    pub fn state(&self) -> BootState {
        let [main, spare] = [&self.main, &self.spare].map(|env| env.block.as_ref());
        BootState::in_force(main, spare).unwrap_or_default()
    }

    /// Whether `state` is on the disk now.
    fn save(&mut self, state: BootState, found: &[u8]) -> bool {
        let tries = state.tries.to_string();
        let values = [
            state.alternative.as_str().as_bytes(),
            state.cycle.as_str().as_bytes(),
            tries.as_bytes(),
        ];
        let [alternative, cycle, tries] = values;
        if self
            .main
            .save(&[(ALTERNATIVE, alternative), (CYCLE, cycle), (TRIES, tries)])
        {
            if self
                .spare
                .get(SPARE_OF)
                .is_some_and(|value| !value.is_empty())
            {
                // Should this fail: the main block has other values now, so the spare one says nothing. Unless it was written for just these, a while
                // ago: then it is in force again, as long as it can't be written and these stay. That takes a main block that could not be written
                // once, and a spare one that can't be now.
                self.spare.save(&[(SPARE_OF, b"")]);
            }
            return true;
        }
        let [spare_alternative, spare_cycle, spare_tries] = SPARE;
        self.spare.save(&[
            (SPARE_OF, found),
            (spare_alternative, alternative),
            (spare_cycle, cycle),
            (spare_tries, tries),
        ])
    }
}
