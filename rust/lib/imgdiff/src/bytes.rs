//! Bytes against bytes.

use base::{as_u64, as_usize, past};
use inspect::{Error, Image, Locator};

use crate::model::{Bytes, Stretch};

/// How much is compared at once.
const CHUNK: u64 = 1 << 20;
/// What is told apart within.
const BLOCK: usize = 4096;

/// Stretches of blocks in which bytes differ, the first of them.
pub(crate) type Places = Vec<(u64, u64)>;

/// Where two images differ, with the first `most` stretches; `None`: nowhere.
pub(crate) fn compare(
    old: &dyn Image,
    new: &dyn Image,
    most: usize,
) -> Result<Option<(Bytes, Places)>, Error> {
    let len = old.len().min(new.len());
    let (mut bytes, mut places) = (Bytes::default(), Places::new());
    // Where the last stretch ends, whether or not it is among the first.
    let mut last = None;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let mut at = 0u64;
    while at < len {
        let rest = len.abs_diff(at);
        let zeros = old.zeros(at).min(new.zeros(at)).min(rest);
        if zeros > 0 {
            at = past(at, as_usize(zeros));
            continue;
        }
        let part = as_usize(rest.min(CHUNK));
        a.resize(part, 0);
        b.resize(part, 0);
        old.read_at(&mut a, at)?;
        new.read_at(&mut b, at)?;
        if a != b {
            let mut block = at;
            for (x, y) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
                let end = past(block, x.len());
                if x != y {
                    note(
                        &mut bytes,
                        &mut places,
                        &mut last,
                        (x, y),
                        (block, end),
                        most,
                    );
                }
                block = end;
            }
        }
        at = past(at, part);
    }
    let same = bytes.count == 0 && old.len() == new.len();
    Ok((!same).then_some((bytes, places)))
}

/// Notes a block in which bytes differ.
fn note(
    bytes: &mut Bytes,
    places: &mut Places,
    last: &mut Option<u64>,
    (x, y): (&[u8], &[u8]),
    (block, end): (u64, u64),
    most: usize,
) {
    let pairs = || x.iter().zip(y);
    let count = pairs().filter(|(x, y)| x != y).count();
    let first = pairs().position(|(x, y)| x != y).unwrap_or_default();
    let first = past(block, first);
    bytes.count = past(bytes.count, count);
    bytes.first.get_or_insert(first);
    let goes_on = *last == Some(block);
    *last = Some(end);
    if goes_on {
        if as_u64(places.len()) == bytes.stretches {
            if let Some((start, len)) = places.last_mut() {
                *len = end.abs_diff(*start);
            }
        }
        return;
    }
    bytes.stretches = past(bytes.stretches, 1);
    if places.len() < most {
        places.push((first, end.abs_diff(first)));
    }
}

/// What the bytes of these stretches are.
pub(crate) fn located(
    old: &dyn Image,
    new: &dyn Image,
    places: &[(u64, u64)],
) -> Result<Vec<Stretch>, Error> {
    let (mut old, mut new) = (Locator::new(old), Locator::new(new));
    let steps = |locator: &mut Locator<'_>, at: u64| -> Result<Vec<String>, Error> {
        let found = locator.at(at)?;
        Ok(found
            .steps
            .iter()
            .map(|step| step.what.to_string())
            .collect())
    };
    let places = places.iter().map(|(start, size)| {
        Ok(Stretch {
            start: *start,
            size: *size,
            old: steps(&mut old, *start)?,
            new: steps(&mut new, *start)?,
        })
    });
    places.collect()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    fn ask(old: Vec<u8>, new: Vec<u8>) -> Option<(Option<u64>, u64, u64, Places)> {
        let found = compare(&old, &new, 2).unwrap();
        found.map(|(bytes, places)| (bytes.first, bytes.count, bytes.stretches, places))
    }

    #[test]
    fn stretches() {
        let old = vec![0; 3 << 20];
        assert_eq!(ask(old.clone(), old.clone()), None);
        let mut new = old.clone();
        for at in [5, 4096, 20_000, (1 << 20) - 1, 1 << 20, 2 << 20] {
            new[at] = 1;
        }
        let third = ((1 << 20) - 1, 4097);
        let places = vec![(5, 8187), (20_000, 480)];
        assert_eq!(ask(old.clone(), new.clone()), Some((Some(5), 6, 4, places)));
        new[5] = 0;
        new[4096] = 0;
        let places = vec![(20_000, 480), third];
        assert_eq!(ask(old.clone(), new), Some((Some(20_000), 4, 3, places)));
        // One byte more.
        let mut longer = old.clone();
        longer.push(0);
        assert_eq!(ask(old, longer), Some((None, 0, 0, vec![])));
    }
}
