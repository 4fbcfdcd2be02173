//! The machine whose power goes: its disks, what it boots after a cut, and what may be on it before.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use direct::Medium;
use grubenv::{next_boot, Bar, Block, BootState, Cycle, Limit, Slot, Tries};

use crate::envfile::EnvFile;
use crate::mark::MARK;
use crate::testing::{bundle_of, no_spare};
use crate::upgrade::SlotMedia;

pub(super) const SECTOR: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Env,
    Boot,
    Root,
}

#[derive(Debug)]
pub(super) enum Op {
    Write(Place, usize, Vec<u8>),
    Flush(Place),
}

pub(super) type Log = Arc<Mutex<Vec<Op>>>;

pub(super) struct Disk {
    pub(super) place: Place,
    pub(super) now: Mutex<Vec<u8>>,
    pub(super) log: Log,
}

impl Medium for Disk {
    fn size(&self) -> io::Result<u64> {
        Ok(self.now.lock().unwrap().len().try_into().unwrap())
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let now = self.now.lock().unwrap();
        buffer.copy_from_slice(&now[offset..offset + buffer.len()]);
        Ok(())
    }
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.now.lock().unwrap()[offset..offset + data.len()].copy_from_slice(data);
        let op = Op::Write(self.place, offset, data.to_vec());
        self.log.lock().unwrap().push(op);
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        self.log.lock().unwrap().push(Op::Flush(self.place));
        Ok(())
    }
}

/// grubenv and the target's partitions. The running slot is never written: rule 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub(super) env: Vec<u8>,
    pub(super) boot: Vec<u8>,
    pub(super) root: Vec<u8>,
}

impl State {
    pub(super) fn at(&mut self, place: Place) -> &mut Vec<u8> {
        match place {
            Place::Env => &mut self.env,
            Place::Boot => &mut self.boot,
            Place::Root => &mut self.root,
        }
    }

    pub(super) fn disk(&self, place: Place, log: &Log) -> Disk {
        Disk {
            place,
            now: Mutex::new(self.clone().at(place).clone()),
            log: Arc::clone(log),
        }
    }

    /// Runs `verb` and returns the state after it and what it wrote.
    pub(super) fn run(
        &self,
        verb: &dyn Fn(&mut EnvFile<Disk>, &mut SlotMedia<Disk>),
    ) -> (State, Vec<Op>) {
        let log = Log::default();
        let mut env = EnvFile::load(
            self.disk(Place::Env, &log),
            Path::new("grubenv"),
            no_spare(),
        )
        .unwrap();
        let mut slot = SlotMedia {
            boot: self.disk(Place::Boot, &log),
            root: self.disk(Place::Root, &log),
        };
        verb(&mut env, &mut slot);
        drop((env, slot));
        let ops = Arc::try_unwrap(log).unwrap().into_inner().unwrap();
        let mut after = self.clone();
        for op in &ops {
            if let Op::Write(place, offset, data) = op {
                after.at(*place)[*offset..offset + data.len()].copy_from_slice(data);
            }
        }
        (after, ops)
    }

    /// The states that a cut after `ops` can leave.
    pub(super) fn cut(&self, ops: &[Op]) -> Vec<State> {
        let mut random: u64 = 88_172_645_463_325_252;
        let mut next = move || {
            // xorshift64, Marsaglia 2003.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let keep_none = |_: u64| false;
        let keep_all = |_: u64| true;
        let keep_half = |r: u64| r % 2 == 0;
        let keep_few = |r: u64| r % 16 == 0;
        let mut states = Vec::new();
        let choices: [&dyn Fn(u64) -> bool; 4] = [&keep_none, &keep_all, &keep_half, &keep_few];
        for keep in choices {
            let mut state = self.clone();
            for (index, op) in ops.iter().enumerate() {
                let Op::Write(place, offset, data) = op else {
                    continue;
                };
                let flushed = ops[index..]
                    .iter()
                    .any(|later| matches!(later, Op::Flush(p) if p == place));
                for (sector, bytes) in data.chunks(SECTOR).enumerate() {
                    if flushed || keep(next()) {
                        let at = offset + sector * SECTOR;
                        state.at(*place)[at..at + bytes.len()].copy_from_slice(bytes);
                    }
                }
            }
            states.push(state);
        }
        states
    }

    /// The slots of the next four boots: an upgrade gets one try and fails, every other system confirms itself.
    pub(super) fn boots(&self, current: Slot) -> Vec<Slot> {
        self.starts(current, true)
    }

    /// The same, if nothing ever confirms itself.
    pub(super) fn failing_boots(&self, current: Slot) -> Vec<Slot> {
        self.starts(current, false)
    }

    pub(super) fn starts(&self, current: Slot, confirms: bool) -> Vec<Slot> {
        let limit = Limit::new(1).unwrap();
        let mut env = Block::parse(&self.env);
        (0..4)
            .map(|_| match &env {
                Ok(block) => {
                    let other = BootState::of(block).alternative.other();
                    let complete = other == current || is_marked(&self.boot);
                    let (slot, mut left) = next_boot(block, limit, complete).unwrap();
                    if confirms && BootState::of(&left).cycle == Cycle::Stable {
                        BootState::confirmed(slot).store(&mut left).unwrap();
                        let bar = Bar::of(Some(&left)).confirmed(slot);
                        bar.store(&mut left).unwrap();
                    }
                    env = Ok(left);
                    slot
                }
                // GRUB starts from its defaults and can't write.
                Err(_) => BootState::default().alternative,
            })
            .collect()
    }
}

pub(super) fn env(slot: Slot, cycle: Cycle) -> Vec<u8> {
    env_with(slot, cycle, Bar::None)
}

pub(super) fn env_with(slot: Slot, cycle: Cycle, bar: Bar) -> Vec<u8> {
    let mut block = Block::new();
    let alternative = slot;
    let tries = if cycle == Cycle::FailsafeCheck {
        Tries::FIRST
    } else {
        Tries::NONE
    };
    let state = BootState {
        alternative,
        cycle,
        tries,
    };
    state.store(&mut block).unwrap();
    bar.store(&mut block).unwrap();
    block.to_bytes().unwrap().to_vec()
}

pub(super) fn image(len: usize, fill: u8) -> Vec<u8> {
    (0..len)
        .map(|at| fill ^ u8::try_from(at / SECTOR % 251).unwrap())
        .collect()
}

/// An image that begins like ext4.
pub(super) fn boot_image(len: usize, fill: u8) -> Vec<u8> {
    let mut image = image(len, fill);
    image[1080..1082].copy_from_slice(&[0x53, 0xef]);
    image
}

pub(super) fn is_marked(boot: &[u8]) -> bool {
    boot[MARK].iter().any(|byte| *byte != 0)
}

pub(super) const BOOT_SIZE: usize = 40 << 10;
pub(super) const ROOT_SIZE: usize = (1 << 20) + (64 << 10);

pub(super) fn new_boot() -> Vec<u8> {
    boot_image(30_000, 7)
}

pub(super) fn new_root() -> Vec<u8> {
    image((1 << 20) + 5000, 9)
}

pub(super) fn bundle() -> update::Bundle<io::Cursor<Vec<u8>>> {
    bundle_of(&new_boot(), &new_root())
}

pub(super) fn has_new(state: &State) -> bool {
    state.boot.starts_with(&new_boot()) && state.root.starts_with(&new_root())
}

/// A machine that runs `current`, with something in the other slot.
pub(super) fn machines(current: Slot) -> Vec<State> {
    let old = (boot_image(BOOT_SIZE, 1), image(ROOT_SIZE, 2));
    let empty = (vec![0; BOOT_SIZE], vec![0; ROOT_SIZE]);
    let half = (empty.0.clone(), image(ROOT_SIZE, 3));
    let mut states = Vec::new();
    for (boot, root) in [old, empty, half] {
        for (alternative, cycle) in [
            (current, Cycle::Stable),
            (current, Cycle::Install),
            // Committed before, and not booted.
            (current.other(), Cycle::FirstBoot),
        ] {
            if alternative == current || is_marked(&boot) {
                states.push(State {
                    env: env(alternative, cycle),
                    boot: boot.clone(),
                    root: root.clone(),
                });
            }
        }
    }
    states
}
