//! GRUB's script and the simulation of it do the same on every disk. The script is run by a small interpreter of what it uses.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod interpreter;

use grubenv::{grub_script, Bar, Block, BootState, Cycle, Disk, Env, Limit, Slot, System, Tries};
use interpreter::run;
use proptest::prelude::*;
use std::path::Path;

fn block(values: &[(&str, &str)]) -> Block {
    let mut block = Block::new();
    for (name, value) in values {
        block.set(name, value.as_bytes()).unwrap();
    }
    block
}

fn stored(state: BootState) -> Block {
    let mut block = Block::new();
    state.store(&mut block).unwrap();
    block
}

fn disk(state: BootState) -> Disk {
    Disk {
        main: Env::new(stored(state)),
        spare: Env::new(Block::new()),
        a: System::Loads,
        b: System::Loads,
    }
}

/// The slots of some starts, nobody confirming; `-` is a restart.
fn starts(disk: &mut Disk, count: usize) -> String {
    (0..count)
        .map(|_| disk.start(three()).map_or("-", Slot::as_str))
        .collect()
}

#[test]
fn an_env_that_cannot_be_saved() {
    // The spare one counts, and says nothing any more as soon as the main one changed.
    let mut on_spare = disk(BootState::confirmed(Slot::A));
    on_spare.main.writable = false;
    assert_eq!(starts(&mut on_spare, 7), "AAABBBA");
    on_spare.main = Env::new(stored(BootState::confirmed(Slot::B)));
    assert_eq!(starts(&mut on_spare, 4), "BBBA");
    assert_eq!(
        on_spare.spare.block.unwrap().get("spare_of"),
        Some(&b""[..])
    );

    let mut trial = disk(BootState::trial(Slot::B));
    trial.main.writable = false;
    assert_eq!(starts(&mut trial.clone(), 6), "BBBAAA");
    // Nothing can be saved: an upgrade is not tried, unless there is nothing else.
    trial.spare.writable = false;
    assert_eq!(starts(&mut trial, 4), "AAAA");
    trial.a = System::Refused;
    assert_eq!(starts(&mut trial, 2), "BB");
}

/// Who runs sees what is counted on the spare block, and decides by the main one.
#[test]
fn the_running_system_and_the_spare_block() {
    let mut disk = disk(BootState::trial(Slot::B));
    disk.main.writable = false;
    let decide = |disk: &mut Disk, state: BootState| {
        let spare = disk.spare.block.clone();
        let main = disk.main.block.as_mut().unwrap();
        state.decide(main, spare.as_ref()).unwrap();
        assert_eq!(disk.state(), state);
    };
    let counted = |alternative, cycle, tries| BootState {
        alternative,
        cycle,
        tries: Tries::new(tries).unwrap(),
    };
    // A trial that nobody confirms: the main block says for ever that it was not tried.
    let main = disk.main.clone();
    for tries in 1..=3 {
        assert_eq!(starts(&mut disk, 1), "B");
        assert_eq!(disk.state(), counted(Slot::B, Cycle::FailsafeCheck, tries));
        assert!(disk.state().is_trial_of(Slot::B) && !disk.state().is_trial_of(Slot::A));
    }
    assert_eq!(starts(&mut disk, 1), "A");
    assert_eq!(disk.state(), counted(Slot::A, Cycle::Stable, 1));
    assert_eq!(disk.main, main);
    // Committed again, those are the values that the spare one was written for.
    let mut again = disk.clone();
    decide(&mut again, BootState::trial(Slot::B));
    assert_eq!(starts(&mut again, 4), "BBBA");
    // Confirmed at every start, it stays; by the same values each time it would not.
    let mut plain = disk.clone();
    let [mut all, mut without] = [String::new(), String::new()];
    for _ in 0..9 {
        decide(&mut disk, BootState::confirmed(Slot::A));
        all += &starts(&mut disk, 1);
        let main = plain.main.block.as_mut().unwrap();
        BootState::confirmed(Slot::A).store(main).unwrap();
        without += &starts(&mut plain, 1);
    }
    assert_eq!(all, "AAAAAAAAA");
    assert_eq!(without, "AAABBBAAA");
    // And as soon as the main one can be written, the spare one is out of it.
    disk.main.writable = true;
    assert_eq!(starts(&mut disk, 4), "AABB");
}

#[test]
fn no_env_at_all() {
    let none = Env {
        block: None,
        writable: true,
    };
    let mut damaged = disk(BootState::default());
    damaged.main = none.clone();
    assert_eq!(starts(&mut damaged.clone(), 5), "AAABB");
    damaged.spare = none;
    assert_eq!(starts(&mut damaged, 5), "AAAAA");
    damaged.a = System::Refused;
    assert_eq!(starts(&mut damaged, 2), "BB");
}

#[test]
fn a_slot_that_does_not_load() {
    for refused in [System::Absent, System::Refused] {
        for state in [BootState::confirmed(Slot::A), BootState::trial(Slot::A)] {
            let mut disk = disk(state);
            disk.a = refused;
            assert_eq!(starts(&mut disk, 2), "BB", "{state:?}");
        }
    }
    // The other slot is empty: this one again and again, until it can be read.
    let mut alone = disk(BootState::confirmed(Slot::A));
    alone.b = System::Absent;
    assert_eq!(starts(&mut alone.clone(), 8), "AAAAAAAA");
    alone.a = System::Refused;
    assert_eq!(starts(&mut alone, 5), "-----");
    alone.a = System::Loads;
    assert_eq!(starts(&mut alone, 5), "AAAAA");
    // Neither loads: each is tried at every start.
    let mut neither = disk(BootState::trial(Slot::B));
    (neither.a, neither.b) = (System::Refused, System::Refused);
    assert_eq!(starts(&mut neither, 5), "-----");
    neither.b = System::Loads;
    assert_eq!(starts(&mut neither, 2), "BB");
}

/// The slots of eight starts of each state in which a slot that works is named: by what is barred, and whether what is named loads.
#[test]
fn a_barred_slot_is_not_fallen_back_to() {
    use System::{Absent, Loads, Refused};
    let (none, a, b) = (Bar::None, Bar::Now(Slot::A), Bar::Now(Slot::B));
    for (barred, named, other, want) in [
        (none, Loads, Loads, "AAABBBAA"),
        (Bar::OnceConfirmed(Slot::B), Loads, Loads, "AAABBBAA"),
        (b, Loads, Loads, "AAAAAAAA"),
        // Barred is the one that is named: it says nothing of that, and something as soon as that is the other one.
        (a, Loads, Loads, "AAABBBBB"),
        (none, Refused, Loads, "BBBBBBBB"),
        (b, Refused, Loads, "--------"),
        (b, Absent, Loads, "--------"),
        (b, Loads, Absent, "AAAAAAAA"),
        (b, Loads, Refused, "AAAAAAAA"),
    ] {
        for slot in [Slot::A, Slot::B] {
            for cycle in [Cycle::Install, Cycle::Stable] {
                let mut disk = disk(BootState {
                    cycle,
                    ..BootState::confirmed(slot)
                });
                let main = disk.main.block.as_mut().unwrap();
                let of_b = slot == Slot::B;
                let turned = match barred {
                    Bar::Now(it) => Bar::Now(it.other()),
                    Bar::OnceConfirmed(it) => Bar::OnceConfirmed(it.other()),
                    Bar::None => Bar::None,
                };
                if of_b { turned } else { barred }.store(main).unwrap();
                (disk.a, disk.b) = if of_b { (other, named) } else { (named, other) };
                compare(disk.clone(), three());
                let got = starts(&mut disk, 8);
                let want: String = match of_b {
                    false => want.to_owned(),
                    true => want
                        .chars()
                        .map(|c| match c {
                            'A' => 'B',
                            'B' => 'A',
                            c => c,
                        })
                        .collect(),
                };
                assert_eq!(got, want, "{barred:?} {named:?} {other:?} {slot} {cycle}");
            }
        }
    }
    // On trial nothing is barred: what was left is what is fallen back to.
    let mut trial = disk(BootState::trial(Slot::B));
    a.store(trial.main.block.as_mut().unwrap()).unwrap();
    compare(trial.clone(), three());
    assert_eq!(starts(&mut trial, 4), "BBBA");
}

fn env() -> impl Strategy<Value = Env> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "A",
            "B",
            "install",
            "first_boot",
            "failsafe_check",
            "stable",
            "",
            "0",
            "1",
            "2",
            "3",
            "4",
            "9",
            "10",
            "-n",
            "!",
            "=",
            "a b",
            "$x",
            "\"",
            "C",
            "]",
            "B_once_confirmed",
            "A stable 1",
            "A stable 0",
            "B first_boot 0",
            "B stable 0",
            "  ",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,6}",
    ];
    let name = prop::sample::select(vec![
        "boot_alternative",
        "boot_cycle",
        "boot_tries",
        "spare_of",
        "spare_alternative",
        "spare_cycle",
        "spare_tries",
        "boot_barred",
        "other",
    ]);
    let block = prop::collection::vec((name, word), 0..8).prop_map(|values| {
        let mut block = Block::new();
        for (name, value) in values {
            block.set(name, value.as_bytes()).unwrap();
        }
        block
    });
    (prop::option::weighted(0.9, block), any::<bool>())
        .prop_map(|(block, writable)| Env { block, writable })
}

fn system() -> impl Strategy<Value = System> {
    prop::sample::select(vec![System::Absent, System::Refused, System::Loads])
}

fn three() -> Limit {
    Limit::new(3).unwrap()
}

/// Starts of both until they have gone apart, or not.
fn compare(mut disk: Disk, limit: Limit) {
    let script = grub_script();
    for _ in 0..4 {
        let before = disk.clone();
        let (slot, after) = run(&script, disk.clone(), limit);
        let simulated = disk.start(limit);
        assert_eq!((slot, &after), (simulated, &disk), "{before:?}");
    }
}

proptest! {
    #[test]
    fn script_and_simulation_agree(main in env(), spare in env(), a in system(), b in system(), limit in 1_u8..=9) {
        compare(Disk { main, spare, a, b }, Limit::new(limit).unwrap());
    }

    /// Whatever both blocks say, a decision is what the script finds.
    #[test]
    fn decisions_are_found(main in env(), spare in env(), slot in prop::sample::select(vec![Slot::A, Slot::B]), trial in any::<bool>()) {
        let state = if trial { BootState::trial(slot) } else { BootState::confirmed(slot) };
        let mut block = main.block.unwrap_or_default();
        state.decide(&mut block, spare.block.as_ref()).unwrap();
        let disk = Disk { main: Env::new(block), spare, a: System::Loads, b: System::Loads };
        prop_assert_eq!(disk.state(), state);
        let left = state.after_start(three(), true);
        let text = format!("{} {} {}", left.alternative, left.cycle, left.tries);
        // One that can't be written and was written for what is left now is in force again: see `Disk::start`.
        let stale = !disk.spare.writable && disk.spare.block.as_ref().and_then(|block| block.get("spare_of")) == Some(text.as_bytes());
        let (started, after) = run(&grub_script(), disk, three());
        prop_assert_eq!(started, Some(slot));
        prop_assume!(!stale);
        prop_assert_eq!(after.state(), state.after_start(three(), true));
    }
}

#[test]
fn script_and_simulation_agree_on_every_state() {
    let systems = [System::Absent, System::Refused, System::Loads];
    for cycle in Cycle::ALL {
        for tries in 0..=9 {
            for (alternative, writable) in [
                (Slot::A, [true, true]),
                (Slot::B, [true, true]),
                (Slot::B, [false, true]),
                (Slot::B, [true, false]),
                (Slot::A, [false, false]),
            ] {
                for (a, b) in systems.iter().flat_map(|a| systems.map(|b| (*a, b))) {
                    let tries = Tries::new(tries).unwrap();
                    let mut disk = disk(BootState {
                        alternative,
                        cycle,
                        tries,
                    });
                    [disk.main.writable, disk.spare.writable] = writable;
                    (disk.a, disk.b) = (a, b);
                    compare(disk, three());
                }
            }
        }
    }
}

#[test]
fn a_full_block_is_not_saved() {
    let mut full = disk(BootState::default());
    let room = 1024 - 25 - "x=\n".len() - "boot_cycle=\n".len();
    full.main = Env::new(block(&[("x", &"v".repeat(room)), ("boot_cycle", "")]));
    compare(full.clone(), three());
    assert_eq!(starts(&mut full, 4), "AAAB");
}

/// `UPDATE_GOLDEN=1 cargo test -p grubenv` writes the file.
#[test]
fn the_script_is_the_one_in_the_tree() {
    let path = Path::new("tests/data/slots.cfg.template");
    #[expect(clippy::disallowed_methods, reason = "asked for by a person")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, grub_script()).unwrap();
    }
    let path = if path.exists() {
        path.to_owned()
    } else {
        Path::new("rust/lib/grubenv").join(path)
    };
    assert!(
        std::fs::read_to_string(path).unwrap() == grub_script(),
        "tests/data/slots.cfg.template is not what the crate writes: UPDATE_GOLDEN=1 cargo test -p grubenv"
    );
}
