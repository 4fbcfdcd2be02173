//! What a disk holds after any part of what was written to it, as one number for each region.
//!
//! A sector counts 0 when it holds what the image has there, else the sum (exclusive or) of a hash of what it holds and of what the image
//! has. A region's number is the sum of its sectors: a write changes it by what it does to its own sectors, whatever the region's size.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{ensure, Context, Result};
use base::bounded::{product, sum};
use base::{as_usize, Hasher};
use nbd::{Entry, Log};
use plan::Reader;

use crate::image::Window;

/// A disk writes one whole or not at all.
pub(crate) const SECTOR: u64 = 512;

/// So much of a write is looked at at once.
const PIECE: u64 = 1 << 20;

/// A part of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    /// Which number it is counted in.
    pub(crate) number: usize,
    pub(crate) place: Range<u64>,
}

/// What a write makes of one sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) sector: u64,
    pub(crate) number: usize,
    /// What the sector counts after it.
    pub(crate) count: u128,
}

/// The numbers of a disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Numbers(pub(crate) Vec<u128>);

impl Numbers {
    /// Lets a sector count `to` that counted `from`.
    pub(crate) fn swap(&mut self, number: usize, from: u128, to: u128) {
        if let Some(found) = self.0.get_mut(number) {
            *found ^= from ^ to;
        }
    }
}

/// The image, and which parts of it are looked at.
#[derive(Debug)]
pub(crate) struct Regions {
    image: Reader,
    regions: Vec<Region>,
}

impl Regions {
    /// Regions of whole sectors, no two of which share one.
    pub(crate) fn new(image: Reader, mut regions: Vec<Region>) -> Self {
        regions.sort_by_key(|region| region.place.start);
        Self { image, regions }
    }

    /// The numbers of the image itself.
    pub(crate) fn zero(&self) -> Numbers {
        let highest = self.regions.iter().map(|region| region.number).max();
        let count = highest.map_or(0, |number| number.saturating_add(1));
        Numbers(vec![0; count])
    }

    /// What an entry of a log does to the sectors of the regions.
    pub(crate) fn changes(&self, log: &Log, entry: &Entry) -> Result<Vec<Change>> {
        let (at, len, data_at) = match entry {
            Entry::Write { at, len, data_at } => (*at, *len, Some(*data_at)),
            Entry::Zero { at, len } => (*at, *len, None),
            Entry::Flush | Entry::Mark(_) => return Ok(Vec::new()),
        };
        ensure!(
            at % SECTOR == 0 && len % SECTOR == 0,
            "{len} bytes written at {at} are no whole sectors"
        );
        let read = |bytes: &mut [u8], place: u64| match data_at {
            Some(data_at) => Ok(log.read_at(bytes, sum(data_at, place.abs_diff(at)))?),
            None => {
                bytes.fill(0);
                Ok(())
            }
        };
        let mut changes = Vec::new();
        for region in &self.regions {
            let from = region.place.start.max(at);
            let to = region.place.end.min(sum(at, len));
            self.compare(region.number, from..to, &read, &mut changes)?;
        }
        Ok(changes)
    }

    /// The numbers of a disk whose bytes from `at` on are those of `window`.
    pub(crate) fn with(&self, window: &Window, at: u64, len: u64) -> Result<Numbers> {
        let mut numbers = self.zero();
        let read = |bytes: &mut [u8], place: u64| window.read_at(bytes, place.abs_diff(at));
        let mut changes = Vec::new();
        for region in &self.regions {
            let from = region.place.start.max(at);
            let to = region.place.end.min(sum(at, len));
            self.compare(region.number, from..to, &read, &mut changes)?;
        }
        for change in changes {
            numbers.swap(change.number, 0, change.count);
        }
        Ok(numbers)
    }

    /// What the sectors of `place` count when they hold what `read` says.
    fn compare(
        &self,
        number: usize,
        place: Range<u64>,
        read: &dyn Fn(&mut [u8], u64) -> Result<()>,
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        let mut at = place.start;
        while at < place.end {
            let end = sum(at, PIECE).min(place.end);
            let mut new = vec![0; as_usize(at.abs_diff(end))];
            let mut old = new.clone();
            read(&mut new, at)?;
            self.image.read_at(&mut old, at)?;
            let size = as_usize(SECTOR);
            let pairs = new.chunks(size).zip(old.chunks(size));
            for (sector, (new, old)) in (at / SECTOR..).zip(pairs) {
                let count = match new == old {
                    true => 0,
                    false => hash(sector, new)? ^ hash(sector, old)?,
                };
                changes.push(Change {
                    sector,
                    number,
                    count,
                });
            }
            at = end;
        }
        Ok(())
    }
}

/// Half of a digest of a sector's place and bytes: two that differ have different ones. Zeros are 0 everywhere.
fn hash(sector: u64, bytes: &[u8]) -> Result<u128> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(0);
    }
    let mut hasher = Hasher::new();
    hasher.update(&product(sector, SECTOR).to_le_bytes());
    hasher.update(bytes);
    let digest = hasher.finish();
    let (half, _) = digest
        .as_bytes()
        .split_first_chunk::<16>()
        .context("a digest has 32 bytes")?;
    Ok(u128::from_le_bytes(*half))
}

/// A disk while things are written to it: what is there when all was, and what is sure to be there.
#[derive(Debug)]
pub(crate) struct Disk {
    /// What sectors count that ever changed.
    now: BTreeMap<u64, u128>,
    pub(crate) numbers: Numbers,
    /// The numbers when it was flushed last.
    sure: Numbers,
    /// What sectors written since counted then.
    before: BTreeMap<u64, u128>,
    /// What was written to sectors since, by which entry.
    since: BTreeMap<u64, Vec<(usize, u128)>>,
}

impl Disk {
    pub(crate) fn new(numbers: Numbers) -> Self {
        Self {
            now: BTreeMap::new(),
            sure: numbers.clone(),
            numbers,
            before: BTreeMap::new(),
            since: BTreeMap::new(),
        }
    }

    /// The numbers if these changes were made, too.
    pub(crate) fn with(&self, changes: &[Change]) -> Numbers {
        let mut numbers = self.numbers.clone();
        for change in changes {
            let now = self.now.get(&change.sector).copied();
            numbers.swap(change.number, now.unwrap_or(0), change.count);
        }
        numbers
    }

    /// Makes the changes of entry `index`.
    pub(crate) fn apply(&mut self, index: usize, changes: &[Change]) {
        self.numbers = self.with(changes);
        for change in changes {
            let old = self.now.insert(change.sector, change.count);
            self.before.entry(change.sector).or_insert(old.unwrap_or(0));
            let written = self.since.entry(change.sector).or_default();
            written.push((index, change.count));
        }
    }

    /// All is sure to be there.
    pub(crate) fn flush(&mut self) {
        self.sure = self.numbers.clone();
        self.before.clear();
        self.since.clear();
    }

    fn before(&self, sector: u64) -> u128 {
        self.before.get(&sector).copied().unwrap_or(0)
    }

    /// The numbers if of what was written since the last flush entry `index` alone, with these changes, is there.
    pub(crate) fn only(&self, changes: &[Change]) -> Numbers {
        let mut numbers = self.sure.clone();
        for change in changes {
            numbers.swap(change.number, self.before(change.sector), change.count);
        }
        numbers
    }

    /// The numbers if of what was written since the last flush entry `index`, with these changes, is lost.
    pub(crate) fn without(&self, index: usize, changes: &[Change]) -> Numbers {
        let mut numbers = self.numbers.clone();
        for change in changes {
            let written = self.since.get(&change.sector);
            let mut written = written.map(Vec::as_slice).unwrap_or_default().iter().rev();
            // Lost under a later write it makes no difference.
            let Some((_, count)) = written.next().filter(|(by, _)| *by == index) else {
                continue;
            };
            let below = written
                .next()
                .map_or(self.before(change.sector), |found| found.1);
            numbers.swap(change.number, *count, below);
        }
        numbers
    }

    /// The numbers if of what was written since the last flush only what `kept` says is there.
    pub(crate) fn kept<'a>(&self, kept: impl Iterator<Item = &'a [Change]>) -> Numbers {
        let mut last = BTreeMap::new();
        for change in kept.flatten() {
            last.insert(change.sector, change);
        }
        let mut numbers = self.sure.clone();
        for change in last.values() {
            numbers.swap(change.number, self.before(change.sector), change.count);
        }
        numbers
    }
}
