//! What boots after the power went, at any write of any verb.
//!
//! A [`Disk`] records writes and flushes. After a cut, what was flushed is there; of what was not, any set of sectors may be:
//! none, all, or some drawn from a fixed sequence. Then GRUB's table decides for four boots, and each slot that it picks must be
//! complete.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use grubenv::{next_boot, Bar, Block, BootState, Cycle, Limit, Slot, Tries, SIZE};

use crate::envfile::EnvFile;
use crate::mark::MARK;
use crate::testing::{bundle_of, install, no_spare};
use crate::upgrade::{cancel, commit, confirm, rollback, SlotMedia};
use direct::Medium;

const SECTOR: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Env,
    Boot,
    Root,
}

#[derive(Debug)]
enum Op {
    Write(Place, usize, Vec<u8>),
    Flush(Place),
}

type Log = Arc<Mutex<Vec<Op>>>;

struct Disk {
    place: Place,
    now: Mutex<Vec<u8>>,
    log: Log,
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
struct State {
    env: Vec<u8>,
    boot: Vec<u8>,
    root: Vec<u8>,
}

impl State {
    fn at(&mut self, place: Place) -> &mut Vec<u8> {
        match place {
            Place::Env => &mut self.env,
            Place::Boot => &mut self.boot,
            Place::Root => &mut self.root,
        }
    }

    fn disk(&self, place: Place, log: &Log) -> Disk {
        Disk {
            place,
            now: Mutex::new(self.clone().at(place).clone()),
            log: Arc::clone(log),
        }
    }

    /// Runs `verb` and returns the state after it and what it wrote.
    fn run(&self, verb: &dyn Fn(&mut EnvFile<Disk>, &mut SlotMedia<Disk>)) -> (State, Vec<Op>) {
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
    fn cut(&self, ops: &[Op]) -> Vec<State> {
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
    fn boots(&self, current: Slot) -> Vec<Slot> {
        self.starts(current, true)
    }

    /// The same, if nothing ever confirms itself.
    fn failing_boots(&self, current: Slot) -> Vec<Slot> {
        self.starts(current, false)
    }

    fn starts(&self, current: Slot, confirms: bool) -> Vec<Slot> {
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

fn env(slot: Slot, cycle: Cycle) -> Vec<u8> {
    env_with(slot, cycle, Bar::None)
}

fn env_with(slot: Slot, cycle: Cycle, bar: Bar) -> Vec<u8> {
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

fn image(len: usize, fill: u8) -> Vec<u8> {
    (0..len)
        .map(|at| fill ^ u8::try_from(at / SECTOR % 251).unwrap())
        .collect()
}

/// An image that begins like ext4.
fn boot_image(len: usize, fill: u8) -> Vec<u8> {
    let mut image = image(len, fill);
    image[1080..1082].copy_from_slice(&[0x53, 0xef]);
    image
}

fn is_marked(boot: &[u8]) -> bool {
    boot[MARK].iter().any(|byte| *byte != 0)
}

const BOOT_SIZE: usize = 40 << 10;
const ROOT_SIZE: usize = (1 << 20) + (64 << 10);

fn new_boot() -> Vec<u8> {
    boot_image(30_000, 7)
}

fn new_root() -> Vec<u8> {
    image((1 << 20) + 5000, 9)
}

fn bundle() -> update::Bundle<io::Cursor<Vec<u8>>> {
    bundle_of(&new_boot(), &new_root())
}

fn has_new(state: &State) -> bool {
    state.boot.starts_with(&new_boot()) && state.root.starts_with(&new_root())
}

/// A machine that runs `current`, with something in the other slot.
fn machines(current: Slot) -> Vec<State> {
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

#[test]
fn cut_while_installing() {
    for current in [Slot::A, Slot::B] {
        for start in machines(current) {
            let old = start.clone();
            let (end, ops) = start.run(&|env, slot| {
                install(env, slot, current, &mut bundle()).unwrap();
            });
            assert!(has_new(&end));
            let other = current.other();
            assert_eq!(end.env, env_with(current, Cycle::Stable, Bar::Now(other)));
            // It is there, and nobody decided for it.
            assert_eq!(end.failing_boots(current), [current; 4]);
            for at in 0..=ops.len() {
                for state in start.cut(&ops[..at]) {
                    let untouched = state.boot == old.boot && state.root == old.root;
                    for slot in state.boots(current) {
                        assert!(slot == current || untouched, "op {at} of {}", ops.len());
                    }
                    for slot in state.failing_boots(current) {
                        assert!(slot == current || untouched, "op {at} of {}", ops.len());
                    }
                    // What looks complete is.
                    if is_marked(&state.boot) && !untouched {
                        assert!(has_new(&state), "op {at} of {}", ops.len());
                    }
                    // And the next try succeeds.
                    if at % 3 == 0 {
                        let (end, _) = state.run(&|env, slot| {
                            install(env, slot, current, &mut bundle()).unwrap();
                        });
                        assert!(has_new(&end));
                    }
                }
            }
        }
    }
}

#[test]
fn cut_while_committing() {
    for current in [Slot::A, Slot::B] {
        for start in machines(current) {
            let (installed, _) = start.run(&|env, slot| {
                install(env, slot, current, &mut bundle()).unwrap();
            });
            let (end, ops) = installed.run(&|env, slot| {
                commit(env, slot, current, false, || Ok(false)).unwrap();
            });
            let target = current.other();
            assert_eq!(end.boots(current), [target, current, current, current]);
            let mut outcomes = [0, 0];
            for at in 0..=ops.len() {
                for state in installed.cut(&ops[..at]) {
                    assert!(has_new(&state));
                    let boots = state.boots(current);
                    assert_eq!(boots[1..], [current; 3]);
                    outcomes[usize::from(boots[0] == target)] += 1;
                }
            }
            assert!(outcomes[0] > 0 && outcomes[1] > 0);
        }
    }
}

/// Nothing is committed if the boot loader that came with it is not in place.
#[test]
fn a_commit_without_its_loader_is_none() {
    let start = State {
        env: env(Slot::A, Cycle::Stable),
        boot: boot_image(BOOT_SIZE, 1),
        root: image(ROOT_SIZE, 2),
    };
    let (_, ops) = start.run(&|env, slot| {
        let place = || anyhow::bail!("no loader");
        let error = commit(env, slot, Slot::A, false, place).unwrap_err();
        assert_eq!(error.to_string(), "no loader");
    });
    assert!(ops.is_empty());
}

#[test]
fn cut_while_taking_a_commit_back() {
    for current in [Slot::A, Slot::B] {
        let other = current.other();
        let committed = State {
            env: env_with(other, Cycle::FirstBoot, Bar::OnceConfirmed(current)),
            boot: boot_image(BOOT_SIZE, 1),
            root: image(ROOT_SIZE, 2),
        };
        let (end, ops) = committed.run(&|env, _| assert!(cancel(env, current, || Ok(())).unwrap()));
        assert_eq!(end.boots(current), [current; 4]);
        assert_eq!(end.failing_boots(current), [current; 4]);
        for at in 0..=ops.len() {
            for state in committed.cut(&ops[..at]) {
                // It holds, or it does not.
                let boots = state.boots(current);
                assert!([current, other].contains(&boots[0]));
                assert_eq!(boots[1..], [current; 3]);
            }
        }
        // Again: nothing is written, and a commit is one again.
        let (_, ops) = end.run(&|env, _| {
            let place = || panic!("the loader stays");
            assert!(!cancel(env, current, place).unwrap());
        });
        assert!(ops.is_empty());
        let (again, _) = end.run(&|env, slot| {
            commit(env, slot, current, true, || Ok(false)).unwrap();
        });
        assert_eq!(again, committed);
        // What runs without having been confirmed keeps its tries.
        let tried = State {
            env: {
                let mut block = Block::parse(&env(current, Cycle::Stable)).unwrap();
                block.set(grubenv::TRIES, b"2").unwrap();
                block.to_bytes().unwrap().to_vec()
            },
            ..committed.clone()
        };
        let (_, ops) = tried.run(&|env, _| assert!(!cancel(env, current, || Ok(())).unwrap()));
        assert!(ops.is_empty());
        // Gone back from for good is no commit.
        let gone = State {
            env: env(other, Cycle::Stable),
            ..committed
        };
        let (_, ops) = gone.run(&|env, _| {
            let error = cancel(env, current, || Ok(())).unwrap_err().to_string();
            assert!(error.contains("boots next for good"), "{error}");
        });
        assert!(ops.is_empty());
    }
}

/// A system that writes data which the other one can't read: once it is confirmed, the other one is not fallen back to; until then it is.
#[test]
fn what_is_too_old_for_the_data_is_no_fallback() {
    for too_old in [false, true] {
        let start = State {
            env: env_with(Slot::A, Cycle::Stable, Bar::Now(Slot::B)),
            boot: boot_image(BOOT_SIZE, 1),
            root: image(ROOT_SIZE, 2),
        };
        let (committed, _) = start.run(&|env, slot| {
            commit(env, slot, Slot::A, too_old, || Ok(false)).unwrap();
        });
        // Not confirmed: back to A, and then to and fro.
        let (a, b) = (Slot::A, Slot::B);
        assert_eq!(committed.failing_boots(a), [b, a, b, a]);
        // B runs on trial.
        let mut block = Block::parse(&committed.env).unwrap();
        let trial = BootState {
            tries: Tries::FIRST,
            cycle: Cycle::FailsafeCheck,
            alternative: b,
        };
        trial.store(&mut block).unwrap();
        let running = State {
            env: block.to_bytes().unwrap().to_vec(),
            ..committed
        };
        let (confirmed, ops) = running.run(&|env, _| assert!(confirm(env, b).unwrap()));
        let want = if too_old { [b; 4] } else { [b, a, b, a] };
        assert_eq!(confirmed.failing_boots(b), want);
        for at in 0..=ops.len() {
            for state in running.cut(&ops[..at]) {
                // Confirmed and barred, or neither.
                let block = Block::parse(&state.env).unwrap();
                let done = BootState::of(&block) == BootState::confirmed(b);
                let barred = Bar::of(Some(&block)) == Bar::Now(a);
                assert_eq!(done && too_old, barred);
            }
        }
        let (_, ops) = confirmed.run(&|env, _| assert!(!confirm(env, b).unwrap()));
        assert!(ops.is_empty());
        // Who goes there all the same has the newer one to fall back to.
        let (back, _) = confirmed.run(&|env, slot| {
            rollback(env, slot, b, false).unwrap();
        });
        assert_eq!(back.failing_boots(b), [a, b, a, b]);
    }
}

#[test]
fn cut_while_confirming() {
    for current in [Slot::A, Slot::B] {
        // The new slot runs on trial; both are complete.
        let start = State {
            env: env(current, Cycle::FailsafeCheck),
            boot: boot_image(BOOT_SIZE, 1),
            root: image(ROOT_SIZE, 2),
        };
        let (end, ops) = start.run(&|env, _| assert!(confirm(env, current).unwrap()));
        assert_eq!(end.boots(current), [current; 4]);
        for at in 0..=ops.len() {
            for state in start.cut(&ops[..at]) {
                let boots = state.boots(current);
                assert!(boots.iter().all(|slot| *slot == boots[0]), "{boots:?}");
            }
        }
        // Again: nothing is written.
        let (_, ops) = end.run(&|env, _| assert!(!confirm(env, current).unwrap()));
        assert!(ops.is_empty());
    }
}

#[test]
fn a_trial_keeps_its_way_back() {
    for cycle in [Cycle::FirstBoot, Cycle::FailsafeCheck] {
        let start = State {
            env: env(Slot::B, cycle),
            boot: boot_image(BOOT_SIZE, 1),
            root: image(ROOT_SIZE, 2),
        };
        let (end, ops) = start.run(&|env, slot| {
            let error = install(env, slot, Slot::B, &mut bundle()).unwrap_err();
            assert!(error.to_string().contains("confirm first"), "{error}");
            let place = || panic!("the loader stays");
            assert!(commit(env, slot, Slot::B, false, place).is_err());
            let error = cancel(env, Slot::B, || panic!("the loader stays")).unwrap_err();
            assert!(error.to_string().contains("rollback goes back"), "{error}");
        });
        assert!(ops.is_empty() && end == start);
    }
}

#[test]
fn an_incomplete_slot_is_not_committed() {
    let start = State {
        env: env(Slot::A, Cycle::Stable),
        boot: vec![0; BOOT_SIZE],
        root: image(ROOT_SIZE, 2),
    };
    let (_, ops) = start.run(&|env, slot| {
        let place = || panic!("the loader stays");
        let error = commit(env, slot, Slot::A, false, place);
        let error = error.unwrap_err().to_string();
        assert_eq!(
            error,
            "slot B holds no complete system: run upgrade-install first"
        );
    });
    assert!(ops.is_empty());
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let start = State {
        env: env(Slot::A, Cycle::Install),
        boot: boot_image(BOOT_SIZE, 1),
        root: image(ROOT_SIZE, 2),
    };
    for (boot, root, want) in [
        (
            BOOT_SIZE + 3,
            5,
            "boot.img of 40963 bytes is 3 bytes larger than partition B_boot of 40960 bytes",
        ),
        (
            9000,
            ROOT_SIZE + 1,
            "root.img of 1114113 bytes is 1 bytes larger than partition B_root of 1114112 bytes",
        ),
        (
            1535,
            5,
            "member boot.img is no ext4 file system: have the bundle made anew",
        ),
    ] {
        let (_, ops) = start.run(&|env, slot| {
            let mut bundle = bundle_of(&boot_image(boot, 4), &image(root, 5));
            let error = install(env, slot, Slot::A, &mut bundle).unwrap_err();
            assert_eq!(error.to_string(), want);
        });
        assert!(ops.is_empty());
    }
    // Two right bytes make no file system.
    let mut junk = vec![0; 4096];
    junk[1080..1082].copy_from_slice(&[0x53, 0xef]);
    let (_, ops) = start.run(&|env, slot| {
        let error = install(env, slot, Slot::A, &mut bundle_of(&junk, b"root")).unwrap_err();
        assert!(error.to_string().contains("no ext4 file system"), "{error}");
    });
    assert!(ops.is_empty());
}

#[test]
fn cut_while_going_back() {
    for current in [Slot::A, Slot::B] {
        let target = current.other();
        for (cycle, last) in [(Cycle::FailsafeCheck, target), (Cycle::Stable, current)] {
            let start = State {
                env: env(current, cycle),
                boot: boot_image(BOOT_SIZE, 1),
                root: image(ROOT_SIZE, 2),
            };
            let (end, ops) = start.run(&|env, slot| {
                let state = rollback(env, slot, current, false).unwrap();
                assert_eq!(state.is_trial(), cycle == Cycle::Stable);
            });
            assert_eq!(end.boots(current), [target, last, last, last]);
            // From a trial for good: the one that was tried is not started again.
            if cycle == Cycle::FailsafeCheck {
                assert_eq!(end.failing_boots(current), [target; 4]);
            }
            for at in 0..=ops.len() {
                for state in start.cut(&ops[..at]) {
                    // Before and after: a slot that is complete, and the same one from the second start on, or the one that was left.
                    assert!(state.boots(current)[1..]
                        .iter()
                        .all(|slot| *slot == last || *slot == target));
                }
            }
            // To nothing nobody goes back.
            let empty = State {
                boot: vec![0; BOOT_SIZE],
                ..start
            };
            let (_, ops) = empty.run(&|env, slot| {
                let error = rollback(env, slot, current, false);
                let error = error.unwrap_err().to_string();
                assert!(error.contains("holds no complete system"), "{error}");
            });
            assert!(ops.is_empty());
        }
    }
}

#[test]
fn damaged_grubenv_is_mended() {
    for (current, damage) in [(Slot::A, 0), (Slot::B, b'x')] {
        let start = State {
            env: vec![damage; SIZE],
            boot: boot_image(BOOT_SIZE, 1),
            root: image(ROOT_SIZE, 2),
        };
        let (end, _) = start.run(&|env, _| assert!(confirm(env, current).unwrap()));
        assert_eq!(end.env, env(current, Cycle::Stable));
    }
}

#[test]
fn grubenv_changes_in_one_sector_or_not_at_all() {
    let mut block = Block::new();
    block.set("long", &[b'v'; 600]).unwrap();
    let start = State {
        env: block.to_bytes().unwrap().to_vec(),
        boot: vec![],
        root: vec![],
    };
    let (_, ops) = start.run(&|env, _| {
        let error = confirm(env, Slot::A).unwrap_err().to_string();
        assert!(error.contains("beyond its first 512 bytes"), "{error}");
    });
    assert!(ops.is_empty());
}
