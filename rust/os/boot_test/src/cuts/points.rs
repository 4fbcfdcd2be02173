//! Where the power can go, and what is on the disk then.

use anyhow::{bail, Context, Result};
use base::bounded::sum;
use grubenv::Slot;
use nbd::{Entry, Log, Overlay};
use plan::ReadAt;

use super::state::{Change, Disk, Numbers, Regions, SECTOR};

/// Sets of lost writes tried between two flushes, beside each write alone and all but it.
const SUBSETS: usize = 4;

/// What of the writes since the last flush is not on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Nothing.
    None,
    /// This one.
    One(usize),
    /// All but this one.
    AllBut(usize),
    /// These.
    These(Vec<usize>),
    /// Of the last one its first half, in whole sectors.
    Start(usize),
    /// Of the last one its second half.
    End(usize),
}

/// A moment at which the power goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    /// So many entries of the log were obeyed.
    upto: usize,
    /// So many before the last flush.
    sure: usize,
    lost: Lost,
}

/// Which slots may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Expected {
    A,
    B,
    Either,
}

impl Expected {
    /// The mark that says it.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::A => "slot A",
            Self::B => "slot B",
            Self::Either => "slot A or B",
        }
    }

    fn of(mark: &str) -> Result<Self> {
        let all = [Self::A, Self::B, Self::Either];
        let found = all.into_iter().find(|one| one.mark() == mark);
        found.with_context(|| format!("mark {mark:?} names no slot"))
    }

    pub(crate) fn allows(self, slot: Slot) -> bool {
        match self {
            Self::A => slot == Slot::A,
            Self::B => slot == Slot::B,
            Self::Either => true,
        }
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "after entry {} of the log", self.upto)?;
        match &self.lost {
            Lost::None => Ok(()),
            Lost::One(one) => write!(f, " without {one}"),
            Lost::AllBut(one) => write!(f, " with {one} alone since {}", self.sure),
            Lost::These(these) => write!(f, " without {these:?}"),
            Lost::Start(_) => write!(f, ", the last one's first half"),
            Lost::End(_) => write!(f, ", the last one's second half"),
        }
    }
}

impl Point {
    /// Nothing is lost after so many entries, of which so many came before the last flush.
    pub(super) fn whole(upto: usize, sure: usize) -> Self {
        let lost = Lost::None;
        Self { upto, sure, lost }
    }

    /// The same, but of the last entry there is only its first half.
    pub(super) fn torn(upto: usize, sure: usize) -> Self {
        let lost = Lost::Start(upto.saturating_sub(1));
        Self { upto, sure, lost }
    }

    /// So many entries came before the last flush.
    pub(super) fn since(&self) -> usize {
        self.sure
    }

    /// Which bytes of entry `index`, of `at` and `len`, are on the disk.
    fn survives(&self, index: usize, at: u64, len: u64) -> Option<(u64, u64)> {
        let half = half_of(at, len);
        let unsure = index >= self.sure;
        match &self.lost {
            Lost::One(one) if *one == index => None,
            Lost::AllBut(one) if unsure && *one != index => None,
            Lost::These(these) if these.contains(&index) => None,
            Lost::Start(one) if *one == index => Some((0, half)),
            Lost::End(one) if *one == index => Some((half, len.abs_diff(half))),
            _ => Some((0, len)),
        }
    }

    /// Makes the disk, of which only what `wanted` says is needed.
    pub(crate) fn replay<R: ReadAt>(
        &self,
        log: &Log,
        disk: &Overlay<R>,
        wanted: impl Fn(u64, u64) -> bool,
    ) -> Result<()> {
        for (index, entry) in log.entries().iter().enumerate().take(self.upto) {
            let (at, len, data_at) = match entry {
                Entry::Write { at, len, data_at } => (*at, *len, Some(*data_at)),
                Entry::Zero { at, len } => (*at, *len, None),
                Entry::Flush | Entry::Mark(_) => continue,
            };
            let Some((skip, len)) = self.survives(index, at, len) else {
                continue;
            };
            let at = sum(at, skip);
            match data_at {
                _ if !wanted(at, len) => {}
                Some(data_at) => {
                    let mut data = vec![0; base::as_usize(len)];
                    log.read_at(&mut data, sum(data_at, skip))?;
                    disk.write_at(&data, at)?;
                }
                None => disk.zero_at(at, len)?,
            }
        }
        Ok(())
    }
}

/// How many bytes of a write are its first half, up to the end of a sector.
fn half_of(at: u64, len: u64) -> u64 {
    let middle = sum(at, len / 2) / SECTOR;
    let middle = base::bounded::product(middle, SECTOR);
    middle.max(at).abs_diff(at).min(len)
}

/// Tells `each` of every point of a log: what the disk holds, and what may start.
pub(crate) fn walk(
    log: &Log,
    regions: &Regions,
    each: &mut dyn FnMut(Point, &Numbers, Expected) -> Result<()>,
) -> Result<()> {
    let mut disk = Disk::new(regions.zero());
    let mut expected = None;
    let mut unsure: Vec<(usize, Vec<Change>)> = Vec::new();
    let mut sure = 0;
    for (index, entry) in log.entries().iter().enumerate() {
        match entry {
            Entry::Mark(text) => expected = Some(Expected::of(text)?),
            Entry::Flush => {
                if let Some(expected) = expected {
                    reordered(index, sure, &disk, &unsure, &mut |point, numbers| {
                        each(point, numbers, expected)
                    })?;
                }
                disk.flush();
                unsure.clear();
                sure = index;
            }
            Entry::Write { at, len, .. } | Entry::Zero { at, len } => {
                let changes = regions.changes(log, entry)?;
                let Some(expected) = expected else {
                    bail!("the log begins without a mark");
                };
                let point = |lost| Point {
                    upto: index.saturating_add(1),
                    sure,
                    lost,
                };
                let first = half_of(*at, *len) / SECTOR;
                if changes.len() > 1 && first != 0 {
                    let border = sum(*at / SECTOR, first);
                    let middle = changes.partition_point(|change| change.sector < border);
                    let (start, end) = changes.split_at(middle);
                    each(point(Lost::Start(index)), &disk.with(start), expected)?;
                    each(point(Lost::End(index)), &disk.with(end), expected)?;
                }
                disk.apply(index, &changes);
                each(point(Lost::None), &disk.numbers, expected)?;
                if !changes.is_empty() {
                    unsure.push((index, changes));
                }
            }
        }
    }
    let Some(expected) = expected else {
        return Ok(());
    };
    let end = log.entries().len();
    reordered(end, sure, &disk, &unsure, &mut |point, numbers| {
        each(point, numbers, expected)
    })
}

/// What can be there before flush `upto` when the disk wrote what came since the one before it in any order: each write alone, all but
/// each, and a few other sets.
fn reordered(
    upto: usize,
    sure: usize,
    disk: &Disk,
    unsure: &[(usize, Vec<Change>)],
    each: &mut dyn FnMut(Point, &Numbers) -> Result<()>,
) -> Result<()> {
    if unsure.len() < 2 {
        return Ok(());
    }
    let point = |lost| Point { upto, sure, lost };
    for (index, changes) in unsure {
        each(point(Lost::One(*index)), &disk.without(*index, changes))?;
        each(point(Lost::AllBut(*index)), &disk.only(changes))?;
    }
    if unsure.len() < 4 {
        return Ok(());
    }
    // The same sets in every run.
    let mut dice: u64 = sum(0x9e37_79b9_7f4a_7c15, base::as_u64(upto));
    for _ in 0..SUBSETS {
        let mut lost = Vec::new();
        let mut kept = Vec::new();
        for (index, changes) in unsure {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            match dice & 1 {
                0 => lost.push(*index),
                _ => kept.push(changes.as_slice()),
            }
        }
        each(point(Lost::These(lost)), &disk.kept(kept.into_iter()))?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::super::state::Region;
    use super::*;
    use crate::image::Window;
    use nbd::{Event, Recorder};
    use plan::{Builder, Reader};
    use std::path::Path;
    use std::sync::Arc;

    const SECTORS: u64 = 64;
    const LEN: u64 = SECTORS * SECTOR;

    fn image() -> Reader {
        let mut builder = Builder::new(vec![]);
        builder.inline(&[7; 9000]).unwrap();
        builder.zero_to(LEN).unwrap();
        Reader::open::<&Path>(builder.finish().unwrap(), &[]).unwrap()
    }

    fn regions() -> Regions {
        let region = |number, from: u64, to: u64| Region {
            number,
            place: from * SECTOR..to * SECTOR,
        };
        let regions = vec![region(1, 20, 50), region(0, 0, 10), region(0, 60, 64)];
        Regions::new(image(), regions)
    }

    /// A log of writes that lie over each other, with flushes and marks between.
    fn log(path: &Path) -> Log {
        let recorder = Recorder::create(path, LEN, [0; 32]).unwrap();
        recorder.add(Event::Mark("slot A")).unwrap();
        let mut dice: u64 = 88_172_645_463_325_252;
        let mut roll = |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % sides
        };
        for round in 0..120u8 {
            let at = roll(SECTORS - 6);
            let (at, len) = (at * SECTOR, (1 + roll(6)) * SECTOR);
            let data = vec![round % 5; usize::try_from(len).unwrap()];
            let event = match roll(9) {
                0 | 1 => Event::Flush,
                2 => Event::Zero { at, len },
                3 => Event::Mark(["slot A", "slot A or B", "slot B"][usize::from(round / 40)]),
                _ => Event::Write { at, data: &data },
            };
            recorder.add(event).unwrap();
        }
        Log::open(path, LEN, [0; 32]).unwrap()
    }

    #[test]
    fn the_numbers_of_a_point_are_those_of_its_disk() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(&dir.path().join("log"));
        let regions = regions();
        let mut kinds = std::collections::BTreeMap::new();
        walk(&log, &regions, &mut |point, numbers, expected| {
            let disk = Overlay::throw_away(image()).unwrap();
            point.replay(&log, &disk, |_, _| true)?;
            let window = Window::of_disk(&Arc::new(disk));
            assert_eq!(regions.with(&window, 0, LEN)?, *numbers, "{point}");
            let kind = format!("{:?}", point.lost);
            let kind = kind.split('(').next().unwrap().to_owned();
            *kinds.entry(kind).or_insert(0) += 1;
            *kinds.entry(expected.mark().to_owned()).or_insert(0) += 1;
            Ok(())
        })
        .unwrap();
        // Every kind of loss was there, under every mark.
        assert_eq!(kinds.len(), 9, "{kinds:?}");
    }

    #[test]
    fn a_slot_is_expected_by_its_mark() {
        for (mark, a, b) in [
            ("slot A", true, false),
            ("slot B", false, true),
            ("slot A or B", true, true),
        ] {
            let expected = Expected::of(mark).unwrap();
            assert_eq!((expected.allows(Slot::A), expected.allows(Slot::B)), (a, b));
        }
        assert!(Expected::of("slot C").is_err());
    }

    #[test]
    fn a_log_without_a_mark_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let recorder = Recorder::create(&path, LEN, [0; 32]).unwrap();
        let event = Event::Zero { at: 0, len: SECTOR };
        recorder.add(event).unwrap();
        let log = Log::open(&path, LEN, [0; 32]).unwrap();
        walk(&log, &regions(), &mut |_, _, _| Ok(())).unwrap_err();
    }
}
