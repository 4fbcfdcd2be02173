//! The power goes in the middle of an installation, and the same stick is started again: it ends with the same disk.

use std::ops::Range;

use anyhow::{ensure, Result};
use base::bounded::{product, sum};
use base::{as_u64, as_usize};
use nbd::{Entry, Log, Overlay};

use super::order::{Order, MARK};
use super::points::Point;
use super::state::SECTOR;
use super::Count;
use crate::image::Window;
use crate::report::Report;
use crate::shown::{zeros, Shown};
use crate::stick::Machine;
use crate::Setting;

/// So much is compared at once.
const PIECE: u64 = 1 << 20;

/// Installs on the disks that cuts of the installation in `log` left, as many as are wanted.
pub(crate) fn run(
    log: &Log,
    order: &Order,
    machine: &Machine<'_>,
    setting: &Setting,
    report: &mut Report,
) -> Result<()> {
    let Some(count) = setting.cuts else {
        return Ok(());
    };
    let (points, all) = points(log, order, count);
    let wanted = points.len();
    let whole = machine.disk.all();
    for (number, point) in points.iter().enumerate() {
        let disk = Overlay::throw_away(zeros(whole.len())?)?;
        point.replay(log, &disk, |_, _| true)?;
        let socket = setting.scratch.path().join(format!("again-{number}.sock"));
        let disk = Shown::share(disk, None, &socket)?;
        report.stage(&format!("the power went {point}"));
        report.check("what is left has the mark", has_mark(&disk));
        let vm = machine.with_stick_on(&disk).start()?;
        machine.installs(&vm, report)?;
        drop(vm);
        let same = same(log, order, &whole, &disk);
        report.check("installed again, the disk is the same", same);
    }
    report.stage(&format!(
        "power cuts: {wanted} of {all} moments of an installation, each installed again"
    ));
    Ok(())
}

/// Where a table's header would be, the disk has the mark.
fn has_mark(disk: &Shown) -> Result<()> {
    let mut sector = vec![0; as_usize(SECTOR)];
    disk.all().read_at(&mut sector, SECTOR)?;
    ensure!(sector.starts_with(MARK), "it has something else");
    Ok(())
}

/// The moments at which the power goes, evenly over the writes between the mark and the table's copy, in every other one the last write torn; and how many there are.
fn points(log: &Log, order: &Order, count: Count) -> (Vec<Point>, usize) {
    let mut sure = order.mark;
    let mut all = Vec::new();
    // With each entry, how many came up to it.
    let entries = (0..).zip((1..).zip(log.entries()));
    for (index, (upto, entry)) in entries.take(order.header).skip(order.mark) {
        match entry {
            Entry::Flush => sure = index,
            Entry::Mark(_) => {}
            Entry::Write { .. } | Entry::Zero { .. } => all.push((upto, sure)),
        }
    }
    // Beside the table's copy all is whole, and firmware writes the header from it: nothing is left to install.
    if let Some((_, last)) = all.last().copied() {
        all.retain(|(_, sure)| *sure != last);
    }
    let count_all = all.len();
    let len = as_u64(count_all);
    let most = match count {
        Count::All => len,
        Count::Most(most) => as_u64(most).min(len),
    };
    let chosen = (0..most).filter_map(|number| {
        // The first write, which is the mark, the last one, and what lies between.
        let last = most.saturating_sub(1).max(1);
        let at = product(number, len.saturating_sub(1)).checked_div(last)?;
        let (upto, sure) = *all.get(as_usize(at))?;
        Some(match number % 2 {
            0 => Point::whole(upto, sure),
            _ => Point::torn(upto, sure),
        })
    });
    (chosen.collect(), count_all)
}

/// What the first installation wrote is on both disks, but for what has times in it: the file system of `config`.
fn same(log: &Log, order: &Order, first: &Window, second: &Shown) -> Result<()> {
    let config = second.partition("config")?;
    let config = config.locate(0, config.len())?..config.locate(config.len(), 0)?;
    let second = second.all();
    let entries = log.entries().iter().enumerate().skip(order.mark);
    for (_, entry) in entries.take_while(|(index, _)| *index <= order.header) {
        let (Entry::Write { at, len, .. } | Entry::Zero { at, len }) = entry else {
            continue;
        };
        let end = sum(*at, *len);
        for range in [*at..end.min(config.start), (*at).max(config.end)..end] {
            same_bytes(first, &second, range)?;
        }
    }
    Ok(())
}

fn same_bytes(first: &Window, second: &Window, range: Range<u64>) -> Result<()> {
    let mut at = range.start;
    while at < range.end {
        let next = sum(at, PIECE).min(range.end);
        let mut one = vec![0; as_usize(at.abs_diff(next))];
        let mut other = one.clone();
        first.read_at(&mut one, at)?;
        second.read_at(&mut other, at)?;
        ensure!(one == other, "bytes {at} to {next} differ");
        at = next;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::super::order::{check, tests::log};
    use super::*;

    #[test]
    fn cuts_are_even_from_the_mark_to_the_copy() {
        let mut mark = vec![0; 512];
        mark[..MARK.len()].copy_from_slice(MARK);
        let mut header = vec![0; 512];
        header[..8].copy_from_slice(b"EFI PART");
        let data: &[u8] = &[1; 512];
        let places: Vec<u64> = (0..9).map(|number| 8192 + 512 * number).collect();
        let mut steps = vec![Some((512, &mark[..])), None];
        steps.extend(places.iter().map(|at| Some((*at, data))));
        let copy = Some((65536, data));
        steps.extend([None, copy, None, Some((512, &header[..])), None]);
        let dir = tempfile::tempdir().unwrap();
        let log = log(&dir, &steps);
        let order = check(&log, 0).unwrap();
        let chosen = |count| {
            let (points, all) = points(&log, &order, count);
            assert_eq!(all, 10);
            points
        };
        let all = chosen(Count::All);
        assert_eq!(all.len(), 10);
        assert_eq!(all[0], Point::whole(1, 0));
        assert_eq!(all[9], Point::torn(11, 1));
        let some = chosen(Count::Most(3));
        // Entry 1 is the flush of the mark.
        let want = [Point::whole(1, 0), Point::torn(6, 1), Point::whole(11, 1)];
        assert_eq!(some, want);
        assert_eq!(chosen(Count::Most(1)), [Point::whole(1, 0)]);
        assert_eq!(chosen(Count::Most(0)), []);
    }
}
