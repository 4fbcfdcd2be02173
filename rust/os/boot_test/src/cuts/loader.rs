//! The boot loader at a point: whatever slot is to start, firmware starts this first, and it must be a whole one.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use base::bounded::sum;
use base::Sha256Digest;
use nbd::{Log, Overlay};

use crate::bundle::Bundle;
use crate::esp;
use crate::image::Window;
use crate::node::Base;
use crate::report::Report;

use super::{points_of, State, ESP};

/// The loader that is in place: of the image or of the bundle; else what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loader {
    Old,
    New,
    Bad(String),
}

/// The loaders in place, by the number of what the partition holds.
pub(super) type Loaders = BTreeMap<u128, Loader>;

/// Reads the loader of each content that the EFI system partition has at any point.
pub(super) fn loaders(
    log: &Log,
    bundle: &Bundle,
    base: &Base,
    states: &[State],
) -> Result<Loaders> {
    let place = base.place("esp")?;
    let len = place.start.abs_diff(place.end);
    let image = Window::of_disk(&Arc::new(Overlay::throw_away(base.reader()?)?));
    let old = esp::digest(image.part(place.start, len)?, esp::IN_PLACE)?;
    let new = Sha256Digest::of_reader(bundle.loader.clone())?;
    let mut loaders = Loaders::new();
    for state in states {
        let number = number(state)?;
        if loaders.contains_key(&number) {
            continue;
        }
        let disk = Overlay::throw_away(base.reader()?)?;
        state.first.replay(log, &disk, |at, len| {
            at < place.end && place.start < sum(at, len)
        })?;
        let partition = Window::of_disk(&Arc::new(disk)).part(place.start, len)?;
        let loader = match esp::digest(partition, esp::IN_PLACE) {
            Ok(digest) if digest == old => Loader::Old,
            Ok(digest) if digest == new => Loader::New,
            Ok(digest) => Loader::Bad(format!(
                "the boot loader has SHA-256 {digest}: it is neither the image's, {old}, nor the bundle's, {new}"
            )),
            Err(error) => Loader::Bad(format!("no boot loader: {error:#}")),
        };
        loaders.insert(number, loader);
    }
    Ok(loaders)
}

/// The number of what the EFI system partition holds.
fn number(state: &State) -> Result<u128> {
    let number = state.numbers.get(ESP).copied();
    number.context("a state has a number for the EFI system partition")
}

/// Tells at which points no whole loader is in place, and that both were in place at some.
pub(super) fn judge(loaders: &Loaders, states: &[State], report: &mut Report) {
    let mut counts = [0_usize; 3];
    for state in states {
        // One that was never looked at counts as none, which is told below.
        let found = number(state).ok().and_then(|number| loaders.get(&number));
        let kind = match found {
            Some(Loader::Old) => 0,
            Some(Loader::New) => 1,
            Some(Loader::Bad(_)) | None => 2,
        };
        if let Some(count) = counts.get_mut(kind) {
            *count = count.saturating_add(points_of(state));
        }
        if let Some(Loader::Bad(why)) = found {
            let what = format!("the power goes {}", state.first);
            report.check(&what, Err::<(), _>(why.clone()));
        }
    }
    let [old, new, bad] = counts;
    report.stage(&format!(
        "boot loader: in {} contents of its partition; at {old} points the old one, at {new} the new one, at {bad} none",
        loaders.len()
    ));
    let outcome = match (old, new, bad) {
        (_, _, 1..) => Err(format!("at {bad} points there is none")),
        (1.., 1.., _) => Ok(()),
        _ => Err("one of the two was never in place: nothing was proved".to_owned()),
    };
    report.check("a whole boot loader is in place at every point", outcome);
}

#[cfg(test)]
mod tests {
    use super::super::points::{Expected, Point};
    use super::*;

    /// Points with these loaders in place, one each.
    fn verdict(loaders: &[Loader]) -> Result<()> {
        let numbered = (0..).zip(loaders.iter().cloned());
        let states: Vec<State> = (0..)
            .zip(loaders)
            .map(|(number, _)| State {
                numbers: vec![0, number],
                first: Point::whole(1, 0),
                verdicts: BTreeMap::from([((Expected::A, true, true), (Point::whole(1, 0), 1))]),
            })
            .collect();
        let mut report = Report::new();
        judge(&numbered.collect(), &states, &mut report);
        report.finish()
    }

    #[test]
    fn both_loaders_are_wanted_and_nothing_else() {
        let bad = Loader::Bad("half".to_owned());
        verdict(&[Loader::Old, Loader::New]).unwrap();
        verdict(&[Loader::Old, Loader::New, Loader::Old]).unwrap();
        verdict(&[Loader::Old, bad, Loader::New]).unwrap_err();
        verdict(&[Loader::Old]).unwrap_err();
        verdict(&[Loader::New]).unwrap_err();
        verdict(&[]).unwrap_err();
    }
}
