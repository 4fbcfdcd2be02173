//! The power goes at any moment of an upgrade: which slot starts then?
//!
//! The log of what a node wrote ([`nbd::Log`]) says what the disk could have held at each moment: all that was written until then, or any
//! part of what was written since the last flush. Points are all prefixes; each write's first or second half alone; and between two flushes each write lost,
//! each write alone there, and a few sets. Two points whose disks hold the same in all that firmware, boot loader and kernel read before
//! they have chosen a slot (everything but the roots and what only a running system writes) are one state, and started once, as far as the kernel's
//! command line. Whether the chosen slot's root and boot partition are whole at a point is read, not started.
//!
//! A point is a brick when no kernel starts, when the slot is none that may start, or when it is not whole. And the boot loader is read
//! at every point: it must be the image's or the bundle's, all of it.

pub(crate) mod again;
mod loader;
pub(crate) mod order;
mod points;
mod sample;
mod state;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use anyhow::{ensure, Context, Result};
use base::bounded::sum;
use grubenv::Slot;
use nbd::{Log, Overlay, Server};
use vm::{Drive, VmConfig};

use crate::bundle::Bundle;
use crate::node::Base;
use crate::report::Report;
use crate::Setting;

pub(crate) use points::Expected;
use points::Point;
use sample::choose;
use state::{Numbers, Region, Regions};

/// How many states are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    All,
    Most(usize),
}

/// How many are started if nobody says how many: as many as the time between two commits allows.
pub(crate) const SOME: Count = Count::Most(24);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("all", _) => Ok(Self::All),
            (_, Ok(number)) => Ok(Self::Most(number)),
            _ => Err(format!("`{text}` is neither a number nor `all`")),
        }
    }
}

/// Memory of a machine that gets no further than its kernel's first lines.
const MEMORY_MIB: u32 = 768;
/// How long that may take, with KVM.
const START: u64 = 15;
/// Machines at a time: each has one processor.
const MACHINES: usize = 2;

// The numbers of a state. The first ones are what is read before a slot is chosen.
const TABLE: usize = 0;
const ESP: usize = 1;
const GRUB: usize = 2;
const BOOT_A: usize = 3;
const BOOT_B: usize = 4;
const READ_EARLY: usize = 5;
const ROOT_A: usize = 5;
const ROOT_B: usize = 6;

/// Which numbers say what a disk has where a slot is chosen.
const CHOOSES: [usize; 3] = [TABLE, ESP, GRUB];

/// What may start at a point, and whether A and B are whole there.
type Verdict = (Expected, bool, bool);

/// Points that are the same to whoever chooses a slot.
#[derive(Debug)]
struct State {
    numbers: Vec<u128>,
    first: Point,
    verdicts: BTreeMap<Verdict, (Point, usize)>,
}

/// Starts what the power could have left of the disk whose log is at `path`, after an upgrade to `bundle`.
pub(crate) fn run(
    path: &Path,
    bundle: &Bundle,
    base: &Base,
    count: Count,
    setting: &Setting,
    report: &mut Report,
) -> Result<()> {
    let log = Log::open(path, base.len, base.identity)?;
    let states = states(&log, bundle, base)?;
    let points: usize = states.iter().map(points_of).sum();
    let loaders = loader::loaders(&log, bundle, base, &states)?;
    loader::judge(&loaders, &states, report);
    let chosen = choose(&states, count);
    report.stage(&format!(
        "power cuts: {points} points, {} states, {} to start",
        states.len(),
        chosen.len()
    ));
    let jobs: Vec<(usize, &State)> = chosen.into_iter().enumerate().collect();
    let share = jobs.len().div_ceil(MACHINES).max(1);
    let found: Vec<Outcome<'_>> = std::thread::scope(|scope| {
        let workers = jobs.chunks(share).map(|jobs| {
            scope.spawn(|| {
                let starts = |(number, state): &(usize, &'_ State)| {
                    // The console of a busy machine can lose the very words that are waited for: a brick is one twice.
                    let started = || started(&log, base, &state.first, *number, setting);
                    let started = started().or_else(|_| started());
                    started.map_err(|error| format!("{error:#}"))
                };
                jobs.iter().map(|job| (job.1, starts(job))).collect()
            })
        });
        // All are started before the first is waited for.
        let workers: Vec<_> = workers.collect();
        workers.into_iter().flat_map(join).collect()
    });
    judge(&found, points, states.len(), report);
    Ok(())
}

/// A state, and the slot that started in it.
type Outcome<'a> = (&'a State, Result<Slot, String>);

fn join<'a>(worker: std::thread::ScopedJoinHandle<'_, Vec<Outcome<'a>>>) -> Vec<Outcome<'a>> {
    worker
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn points_of(state: &State) -> usize {
    state.verdicts.values().map(|(_, count)| count).sum()
}

/// Tells which points are bricks.
fn judge(outcomes: &[Outcome<'_>], points: usize, states: usize, report: &mut Report) {
    let started = outcomes.len();
    let decided: usize = outcomes.iter().map(|(state, _)| points_of(state)).sum();
    let mut bricks = Vec::new();
    for (state, outcome) in outcomes {
        for ((expected, a, b), (point, count)) in &state.verdicts {
            let good = match outcome {
                Ok(slot) if !expected.allows(*slot) => {
                    Err(format!("slot {slot} starts, want {}", expected.mark()))
                }
                Ok(Slot::A) if !a => Err("slot A starts and is not whole".to_owned()),
                Ok(Slot::B) if !b => Err("slot B starts and is not whole".to_owned()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.clone()),
            };
            if good.is_err() {
                bricks.push(*count);
                report.check(&format!("the power goes {point}"), good);
            }
        }
    }
    let bricks: usize = bricks.into_iter().sum();
    let count = |slot| {
        let there = |(_, outcome): &&Outcome<'_>| *outcome == Ok(slot);
        outcomes.iter().filter(there).count()
    };
    report.stage(&format!(
        "power cuts: {points} points, {states} states, {started} started ({} A, {} B), {decided} points decided by them, {bricks} bricks",
        count(Slot::A),
        count(Slot::B)
    ));
    let all_good = match (started, bricks) {
        (0, _) => Err("nothing was started".to_owned()),
        (_, 0) => Ok(()),
        _ => Err(format!("{bricks} of {decided} points are bricks")),
    };
    report.check("no power cut leaves the machine without a system", all_good);
}

/// All states, in the order in which they come first.
fn states(log: &Log, bundle: &Bundle, base: &Base) -> Result<Vec<State>> {
    let regions = regions(base)?;
    let installed = installed(&regions, bundle, base)?;
    let mut known: BTreeMap<Vec<u128>, usize> = BTreeMap::new();
    let mut states: Vec<State> = Vec::new();
    points::walk(log, &regions, &mut |point, numbers, expected| {
        let early = numbers.0.get(..READ_EARLY).unwrap_or_default();
        let is = |number: usize| {
            let want = installed.0.get(number);
            want.is_some() && numbers.0.get(number) == want
        };
        let whole = |boot, root| is(boot) && is(root);
        let verdict = (expected, whole(BOOT_A, ROOT_A), whole(BOOT_B, ROOT_B));
        let at = *known.entry(early.to_vec()).or_insert(states.len());
        if at == states.len() {
            states.push(State {
                numbers: early.to_vec(),
                first: point.clone(),
                verdicts: BTreeMap::new(),
            });
        }
        let state = states.get_mut(at).context("a state has been found")?;
        let (_, count) = state.verdicts.entry(verdict).or_insert((point, 0));
        *count = count.saturating_add(1);
        Ok(())
    })?;
    Ok(states)
}

/// What of the disk is looked at: all but what a running system alone reads.
fn regions(base: &Base) -> Result<Regions> {
    let mut regions = read_early(base)?;
    for (number, name) in [(ROOT_A, "A_root"), (ROOT_B, "B_root")] {
        let place = base.place(name)?;
        regions.push(Region { number, place });
    }
    Ok(Regions::new(base.reader()?, regions))
}

/// What is read before a slot is chosen, and of the chosen one before its kernel runs.
fn read_early(base: &Base) -> Result<Vec<Region>> {
    let mut regions = Vec::new();
    for (number, name) in [
        (ESP, "esp"),
        (GRUB, "grub"),
        (BOOT_A, "A_boot"),
        (BOOT_B, "B_boot"),
    ] {
        let place = base.place(name)?;
        regions.push(Region { number, place });
    }
    // The partition table, and its copy at the end.
    let first = regions.iter().map(|region| region.place.start).min();
    let first = first.context("there are partitions")?;
    let copy = base
        .len
        .checked_sub(TABLE_COPY)
        .context("a disk is longer")?;
    regions.push(Region {
        number: TABLE,
        place: 0..first,
    });
    regions.push(Region {
        number: TABLE,
        place: copy..base.len,
    });
    Ok(regions)
}

/// As long is the copy of a table of 128 entries.
const TABLE_COPY: u64 = 33 * 512;

/// The numbers of a disk that has the bundle in slot B.
fn installed(regions: &Regions, bundle: &Bundle, base: &Base) -> Result<Numbers> {
    let boot = regions.with(&bundle.boot, base.place("B_boot")?.start, bundle.boot.len())?;
    let root = regions.with(&bundle.root, base.place("B_root")?.start, bundle.root.len())?;
    let both = boot.0.iter().zip(&root.0).map(|(boot, root)| boot ^ root);
    Ok(Numbers(both.collect()))
}

/// Starts the disk of a point, and says which slot its kernel has.
fn started(
    log: &Log,
    base: &Base,
    point: &Point,
    number: usize,
    setting: &Setting,
) -> Result<Slot> {
    let disk = Overlay::throw_away(base.reader()?)?;
    let places = read_early(base)?;
    point.replay(log, &disk, |at, len| {
        let end = sum(at, len);
        let mut places = places.iter().map(|region| &region.place);
        places.any(|place| at < place.end && place.start < end)
    })?;
    let socket = setting.scratch.path().join(format!("cut{number}.sock"));
    let server = Server::start(disk, false, &socket)?;
    let machine = VmConfig::new(&setting.firmware, setting.accel)
        .memory_mib(MEMORY_MIB)
        .cpus(1)
        .without_network()
        .vsock_cid(None)
        .drive(Drive::nbd(server.path()));
    let vm = machine.start()?;
    let slot = base.slot(&vm, setting.within(START));
    vm.kill();
    slot.with_context(|| format!("the console ends with:\n{}", vm.console().tail()))
}

/// Starts what a log that was kept says, without an upgrade before.
pub(crate) fn replay(setting: &Setting) -> Result<()> {
    let log = setting.writes.as_deref();
    let log = log.context("cuts: --writes says where the log is")?;
    ensure!(log.is_file(), "{} is no log", log.display());
    let mut report = Report::new();
    let base = Base::open(&crate::scenario::disk_path(setting)?)?;
    let bundle = Bundle::open(setting)?;
    run(
        log,
        &bundle,
        &base,
        setting.cuts.unwrap_or(SOME),
        setting,
        &mut report,
    )?;
    report.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_parsed() {
        assert_eq!("all".parse(), Ok(Count::All));
        assert_eq!("7".parse(), Ok(Count::Most(7)));
        "few".parse::<Count>().unwrap_err();
    }
}
