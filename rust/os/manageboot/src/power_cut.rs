//! What boots after the power went, at any write of any verb.
//!
//! A [`Disk`] records writes and flushes. After a cut, what was flushed is there; of what was not, any set of sectors may be:
//! none, all, or some drawn from a fixed sequence. Then GRUB's table decides for four boots, and each slot that it picks must be
//! complete.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]

mod model;

use grubenv::{Bar, Block, BootState, Cycle, Slot, Tries, SIZE};

use self::model::*;
use crate::testing::{bundle_of, install};
use crate::upgrade::{cancel, commit, confirm, rollback};

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
