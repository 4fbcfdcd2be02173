//! An installation, as the disk heard of it: is there a moment at which half of it looks whole?
//!
//! The disk's second sector has the header of a partition table, or the mark of an installation that is under way, and a disk writes a sector
//! whole. So what the disk was told needs no more than an order, and then every cut is covered, also one that loses or tears any of the writes since the last
//! flush:
//!
//! 1. The first thing written is the mark, and it is flushed before anything else is written.
//! 2. Until the last write that sector stays the mark.
//! 3. The last write is the header, and all that came before it is flushed.
//! 4. What else these two write, being longer than a sector, is what is there already.
//!
//! The disk is then as it was (before 1), marked (before 3), or whole.

use anyhow::{bail, ensure, Result};
use base::bounded::sum;
use nbd::{Entry, Log, Overlay};

use super::points::Point;
use super::state::SECTOR;
use crate::shown::zeros;

/// How the mark begins, and how a header does.
pub(super) const MARK: &[u8] = b"IC-OS installation under way\n";
const HEADER: &[u8] = b"EFI PART";

/// An installation in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Which entry writes the mark.
    pub(super) mark: usize,
    /// Which one writes the header.
    pub(super) header: usize,
    writes: u64,
    flushes: u64,
    bytes: u64,
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            writes,
            flushes,
            bytes,
            ..
        } = self;
        write!(
            f,
            "{writes} writes of {} MiB with {flushes} flushes",
            bytes >> 20
        )
    }
}

/// How far an installation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    /// With the mark, written by that entry.
    Marked(usize),
    Whole,
}

/// Looks at the installation that begins with entry `from` of `log` and ends with it; an error says which entry breaks the order.
pub(crate) fn check(log: &Log, from: usize) -> Result<Order> {
    let mut stage = Stage::Before;
    let mut order = Order {
        mark: 0,
        header: 0,
        writes: 0,
        flushes: 0,
        bytes: 0,
    };
    let mut mark = None;
    // How many entries came up to the last flush, and whether something was written since.
    let (mut sure, mut unsure) = (from, false);
    for (index, entry) in log.entries().iter().enumerate().skip(from) {
        let (at, len) = match entry {
            Entry::Mark(_) => continue,
            Entry::Flush => {
                order.flushes = sum(order.flushes, 1);
                (sure, unsure) = (index, false);
                continue;
            }
            Entry::Write { at, len, .. } | Entry::Zero { at, len } => (*at, *len),
        };
        order.writes = sum(order.writes, 1);
        order.bytes = sum(order.bytes, len);
        let second = second(log, entry)?;
        let says = |text: &str| format!("entry {index}, {len} bytes at {at}: {text}");
        match (stage, second.as_deref()) {
            (Stage::Before, Some(sector)) if sector.starts_with(MARK) => {
                changes_nothing_else(log, index, index, entry)?;
                order.mark = index;
                mark.clone_from(&second);
                stage = Stage::Marked(index);
            }
            (Stage::Before, _) => bail!(says("written before the mark")),
            (Stage::Marked(at), _) if sure <= at => {
                bail!(says("written before the mark was flushed"))
            }
            (Stage::Marked(_), None) => {}
            // What goes through a cache comes in whole pages: the mark once more.
            (Stage::Marked(_), _) if second == mark => {}
            (Stage::Marked(_), Some(sector)) if sector.starts_with(HEADER) => {
                ensure!(
                    !unsure,
                    says("the header, and what was written before it is not flushed")
                );
                changes_nothing_else(log, sure, index, entry)?;
                order.header = index;
                stage = Stage::Whole;
            }
            (Stage::Marked(_), Some(_)) => bail!(says("neither mark nor header")),
            (Stage::Whole, _) => bail!(says("written after the header")),
        }
        unsure = true;
    }
    ensure!(
        stage == Stage::Whole && !unsure,
        "the log ends without a header that is flushed"
    );
    Ok(order)
}

/// What a write makes of the disk's second sector, if it touches that.
fn second(log: &Log, entry: &Entry) -> Result<Option<Vec<u8>>> {
    let (at, len, data_at) = match entry {
        Entry::Write { at, len, data_at } => (*at, *len, Some(*data_at)),
        Entry::Zero { at, len } => (*at, *len, None),
        Entry::Flush | Entry::Mark(_) => return Ok(None),
    };
    if at >= sum(SECTOR, SECTOR) || sum(at, len) <= SECTOR {
        return Ok(None);
    }
    ensure!(
        at <= SECTOR && sum(at, len) >= sum(SECTOR, SECTOR),
        "{len} bytes written at {at} are a part of a sector"
    );
    let mut sector = vec![0; base::as_usize(SECTOR)];
    if let Some(data_at) = data_at {
        log.read_at(&mut sector, sum(data_at, SECTOR.abs_diff(at)))?;
    }
    Ok(Some(sector))
}

/// Entry `index` leaves what `sure` entries of the log made of all sectors but the second.
fn changes_nothing_else(log: &Log, sure: usize, index: usize, entry: &Entry) -> Result<()> {
    let Entry::Write { at, len, data_at } = entry else {
        bail!("entry {index} writes nothing");
    };
    let end = sum(*at, *len);
    let touches = |other: u64, len: u64| other < end && sum(other, len) > *at;
    let disk = Overlay::throw_away(zeros(length(log))?)?;
    Point::whole(sure, sure).replay(log, &disk, touches)?;
    let mut old = vec![0; base::as_usize(*len)];
    let mut new = old.clone();
    disk.read_at(&mut old, *at)?;
    log.read_at(&mut new, *data_at)?;
    let sectors = old
        .chunks(base::as_usize(SECTOR))
        .zip(new.chunks(base::as_usize(SECTOR)));
    for (sector, (old, new)) in (at / SECTOR..).zip(sectors) {
        ensure!(
            sector == 1 || old == new,
            "entry {index}, {len} bytes at {at}: changes sector {sector}, too"
        );
    }
    Ok(())
}

/// Where the last write of a log ends.
fn length(log: &Log) -> u64 {
    let ends = log.entries().iter().map(|entry| match entry {
        Entry::Write { at, len, .. } | Entry::Zero { at, len } => sum(*at, *len),
        Entry::Flush | Entry::Mark(_) => 0,
    });
    ends.max().unwrap_or(0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use nbd::{Event, Recorder};

    pub(crate) const LEN: u64 = 1 << 20;

    fn sector(text: &[u8]) -> Vec<u8> {
        let mut sector = vec![0; 512];
        sector[..text.len()].copy_from_slice(text);
        sector
    }

    /// What is written where; `None` is a flush.
    type Step<'a> = Option<(u64, &'a [u8])>;

    pub(crate) fn log(dir: &tempfile::TempDir, steps: &[Step<'_>]) -> Log {
        let path = dir.path().join("log");
        let recorder = Recorder::create(&path, LEN, [0; 32]).unwrap();
        for step in steps {
            let event = match *step {
                None => Event::Flush,
                Some((at, [])) => Event::Zero { at, len: 4096 },
                Some((at, data)) => Event::Write { at, data },
            };
            recorder.add(event).unwrap();
        }
        Log::open(&path, LEN, [0; 32]).unwrap()
    }

    #[test]
    fn an_installation_in_order() {
        let (mark, header) = (sector(MARK), sector(HEADER));
        // The header's page has the table's first entries, which are there already.
        let mut page = vec![7; 4096];
        page[512..1024].copy_from_slice(&header);
        // The boot sector's has the mark.
        let mut start = vec![7; 512];
        start.extend_from_slice(&mark);
        let steps: &[Step<'_>] = &[
            Some((512, &mark)),
            None,
            Some((8192, &[])),
            Some((0, &start)),
            Some((1024, &[7; 3072])),
            None,
            None,
            Some((0, &page)),
            None,
        ];
        let dir = tempfile::tempdir().unwrap();
        let order = check(&log(&dir, steps), 0).unwrap();
        assert_eq!((order.mark, order.header), (0, 7));
        assert_eq!(order.to_string(), "5 writes of 0 MiB with 4 flushes");
        // One after another, whose mark takes the header's place.
        let twice = [steps, steps].concat();
        let dir = tempfile::tempdir().unwrap();
        let order = check(&log(&dir, &twice), steps.len()).unwrap();
        assert_eq!((order.mark, order.header), (9, 16));
    }

    #[test]
    fn what_breaks_the_order() {
        let (mark, header) = (sector(MARK), sector(HEADER));
        let mark: Step<'_> = Some((512, &mark));
        let header: Step<'_> = Some((512, &header));
        let data: Step<'_> = Some((8192, &[1; 512]));
        let mut page = vec![7; 1024];
        page[512..].copy_from_slice(&sector(HEADER));
        let page: Step<'_> = Some((0, &page));
        let flush: Step<'_> = None;
        for (steps, want) in [
            (vec![data, flush, mark, flush], "entry 0, 512 bytes at 8192: written before the mark"),
            (vec![mark, data, flush], "entry 1, 512 bytes at 8192: written before the mark was flushed"),
            (vec![mark, flush, data, header, flush], "entry 3, 512 bytes at 512: the header, and what was written before it is not flushed"),
            (vec![mark, flush, data, flush, Some((0, &[])), flush], "entry 4, 4096 bytes at 0: neither mark nor header"),
            (vec![mark, flush, data, flush, header, flush, data, flush], "entry 6, 512 bytes at 8192: written after the header"),
            (vec![mark, flush, data, flush, page, flush], "entry 4, 1024 bytes at 0: changes sector 0, too"),
            (vec![mark, flush, data, flush, header], "the log ends without a header that is flushed"),
            (vec![mark, flush, data, flush], "the log ends without a header that is flushed"),
            (vec![mark, flush, Some((600, &[1; 512]))], "512 bytes written at 600 are a part of a sector"),
            (vec![], "the log ends without a header that is flushed"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let error = check(&log(&dir, &steps), 0).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }
}
