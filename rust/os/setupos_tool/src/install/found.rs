//! What is on a drive before anything is written to it, and whether that may go.
//!
//! | found                                   | `erase=no`, `keep_data=no` | `keep_data=yes`                                  | `erase=yes` |
//! |-----------------------------------------|----------------------------|--------------------------------------------------|-------------|
//! | nothing: first and last MiB are zero    | taken                      | taken, with a remark                             | taken       |
//! | the mark of an installation             | taken; refused if it keeps | what it keeps stays kept                         | taken       |
//! | an installation of ours                 | refused                    | its data stay; refused if its places are others  | taken       |
//! | anything else                           | refused                    | refused                                          | taken       |
//!
//! With both, `keep_data=yes` counts where there is something of ours, and `erase=yes` elsewhere. An installation of ours is known by
//! the GUID of its table or of its partition `guestos`, as the medium's image has them.

use std::ops::Range;

use ::inspect::{Gpt, Image, Volume};
use base::{as_u64, as_usize};
use direct::Medium;

use super::layout::{length, Layout};
use super::marker::{self, Marker};
use super::table::{Table, FIRST};

/// What is on a drive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// An installation is under way.
    UnderWay(Marker),
    /// A whole one; its data, or why they can't be kept.
    Ours(Result<Vec<Range<u64>>, String>),
    /// Something else: what.
    Foreign(String),
}

/// What the settings allow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// `erase=yes`
    pub(crate) erase: bool,
    /// `keep_data=yes`
    pub(crate) keep_data: bool,
}

/// What becomes of what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    /// What is kept.
    pub(crate) keep: Vec<Range<u64>>,
    /// For people.
    pub(crate) note: String,
}

/// A part of a drive as an image.
struct Part<'a, M> {
    medium: &'a M,
    range: Range<u64>,
}

impl<M: Medium> Image for Part<'_, M> {
    fn len(&self) -> u64 {
        length(&self.range)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), ::inspect::Error> {
        let outside = || ::inspect::Error::Outside {
            at,
            len: as_u64(buffer.len()),
            have: length(&self.range),
        };
        let end = at.checked_add(as_u64(buffer.len())).ok_or_else(outside)?;
        if end > length(&self.range) {
            return Err(outside());
        }
        let from = self.range.start.checked_add(at).ok_or_else(outside)?;
        let read = self.medium.read_exact_at(buffer, from);
        read.map_err(|source| ::inspect::Error::Read {
            at,
            source: Box::new(plan::Error::Io {
                what: "the drive".to_owned(),
                source,
            }),
        })
    }
}

/// What is on `drive`. `host` and `guest` are the tables of this medium's images, `layout` is what they would become there.
pub(crate) fn look(
    drive: &impl Medium,
    layout: &Layout,
    host: &Table,
    guest: &Table,
) -> Result<Found, String> {
    let all = Part {
        medium: drive,
        range: 0..layout.size,
    };
    let read = |at: u64, len: usize| {
        let mut bytes = vec![0; len];
        let cannot = |error| format!("cannot read at byte {at}: {error}");
        drive
            .read_exact_at(&mut bytes, at)
            .map_err(cannot)
            .map(|()| bytes)
    };
    let mebi = as_usize(FIRST);
    let start = read(0, mebi)?;
    let sector = start.get(as_usize(marker::AT)..);
    if let Some(mark) = sector
        .and_then(|rest| rest.get(..as_usize(partitions::SECTOR)))
        .and_then(Marker::parse)
    {
        return Ok(Found::UnderWay(mark));
    }
    // A layout that fits is several MiB long.
    let end = read(base::bounded::without(layout.size, FIRST), mebi)?;
    if start.iter().chain(&end).all(|byte| *byte == 0) {
        return Ok(Found::Nothing);
    }
    let gpt = ::inspect::table(&all).map_err(|error| cli::chain(&error))?;
    let Some(gpt) = gpt else {
        let volume = ::inspect::volume(&all).map_err(|error| cli::chain(&error))?;
        return Ok(Found::Foreign(match volume {
            Volume::Fat(_) => "a FAT file system".to_owned(),
            Volume::Other(Some(what)) => what.to_owned(),
            Volume::Other(None) => "data of an unknown kind".to_owned(),
        }));
    };
    match is_ours(&gpt, host) {
        true => Ok(Found::Ours(data(drive, &gpt, layout, host, guest))),
        false => Ok(Found::Foreign(partitions_text(&gpt))),
    }
}

/// Whether `drive`, of `size` bytes and not the one that is installed to, has an installation of ours, or one under way: what it is, for
/// people. Its partitions have the same identifiers as those on the drive that is installed to.
pub(crate) fn installation(
    drive: &impl Medium,
    size: u64,
    host: &Table,
) -> Result<Option<&'static str>, String> {
    let mut sector = vec![0; base::as_usize(partitions::SECTOR)];
    let least = marker::AT.checked_add(partitions::SECTOR);
    if least.is_none_or(|least| size < least) {
        return Ok(None);
    }
    let read = drive.read_exact_at(&mut sector, marker::AT);
    read.map_err(|error| format!("cannot read it: {error}"))?;
    if Marker::parse(&sector).is_some() {
        return Ok(Some("an installation that was cut off"));
    }
    let all = Part {
        medium: drive,
        range: 0..size,
    };
    let gpt = ::inspect::table(&all).map_err(|error| cli::chain(&error))?;
    let ours = gpt.is_some_and(|gpt| is_ours(&gpt, host));
    Ok(ours.then_some("an installation of ours"))
}

fn is_ours(gpt: &Gpt, host: &Table) -> bool {
    let guestos = host
        .layout
        .get("guestos")
        .map(|p| p.partition.uuid.to_string());
    let mut partitions = gpt.partitions.iter();
    gpt.guid == host.guid.to_string()
        || partitions.any(|partition| Some(&partition.uuid) == guestos.as_ref())
}

fn partitions_text(gpt: &Gpt) -> String {
    let names = gpt.partitions.iter().take(6).map(|partition| {
        let name = partition.name.word();
        match name.is_empty() {
            true => partition.number.to_string(),
            false => name,
        }
    });
    let names: Vec<String> = names.collect();
    match gpt.partitions.len() {
        0 => "an empty partition table".to_owned(),
        n if n > names.len() => format!("{n} partitions: {}, ...", names.join(", ")),
        n => format!("{n} partitions: {}", names.join(", ")),
    }
}

/// Where the data are of the installation that `gpt` is the table of, if they can stay where they are.
fn data(
    drive: &impl Medium,
    gpt: &Gpt,
    layout: &Layout,
    host: &Table,
    guest: &Table,
) -> Result<Vec<Range<u64>>, String> {
    if let Some(problem) = gpt.problems.first() {
        return Err(format!("its table is damaged: {problem}"));
    }
    let old = Table::of(gpt, layout.size)?;
    host.same_places(&old)?;
    let range = old.place("guestos")?;
    let inner = Part {
        medium: drive,
        range: range.clone(),
    };
    let of_guest = |error: String| format!("the virtual machine's disk in guestos: {error}");
    let table = ::inspect::table(&inner).map_err(|error| of_guest(cli::chain(&error)))?;
    let table = table.ok_or_else(|| of_guest("no partition table".to_owned()))?;
    let table = Table::of(&table, length(&range)).map_err(of_guest)?;
    guest.same_places(&table).map_err(of_guest)?;
    let new = layout.data()?;
    let kept = table.place("data")?.end.checked_add(range.start);
    match (kept, new.last()) {
        (Some(old), Some(new)) if old <= new.end => {}
        _ => {
            return Err(of_guest(
                "its data reach farther than they would".to_owned(),
            ))
        }
    }
    Ok(new)
}

/// What becomes of `found`; an error says what to do.
pub(crate) fn decide(found: Found, allowed: Allowed, layout: &Layout) -> Result<Decision, String> {
    let taken = |note: &str| {
        Ok(Decision {
            keep: Vec::new(),
            note: note.to_owned(),
        })
    };
    let kept = |keep, note: &str| {
        Ok(Decision {
            keep,
            note: note.to_owned(),
        })
    };
    match found {
        Found::Nothing if allowed.keep_data => {
            taken("it is empty: there is no data to keep")
        }
        Found::Nothing => taken("it is empty"),
        Found::UnderWay(mark) if allowed.keep_data && !mark.keep.is_empty() => {
            let same = mark.table == layout.digest()? && mark.keep == layout.data()?;
            match same {
                true => kept(
                    mark.keep,
                    "an installation was cut off: it is done again, and the data stay",
                ),
                false => Err(
                    "an installation that keeps data was cut off, and it was of other images: use its medium again, or give up the data with erase=yes and keep_data=no"
                        .to_owned(),
                ),
            }
        }
        Found::UnderWay(mark) if mark.keep.is_empty() || allowed.erase => {
            taken("an installation was cut off: it is done again")
        }
        Found::UnderWay(_) => Err(
            "an installation that keeps data was cut off: go on with keep_data=yes, or give up the data with erase=yes"
                .to_owned(),
        ),
        Found::Ours(Ok(data)) if allowed.keep_data => kept(
            data,
            "it has an installation of ours: partition data of HostOS and that of GuestOS stay, all else is written anew",
        ),
        Found::Ours(Err(why)) if allowed.keep_data => Err(format!(
            "it has an installation of ours whose data can't be kept: {why}; give them up with erase=yes and keep_data=no"
        )),
        Found::Ours(_) if allowed.erase => {
            taken("it has an installation of ours: all of it is erased (erase=yes)")
        }
        Found::Ours(_) => Err(
            "it has an installation of ours: keep its data with keep_data=yes, or erase all of it with erase=yes"
                .to_owned(),
        ),
        Found::Foreign(what) if allowed.erase => taken(&format!(
            "it holds {what}: all of it is erased (erase=yes)"
        )),
        Found::Foreign(what) => Err(format!(
            "it holds {what}, which is not ours: erase=yes erases all of it"
        )),
    }
}
