//! Directory entries.

use crate::bytes::{part, u16_at, u32_at, u8_at};
use crate::names::from_utf16;
use crate::time::Time;

const ATTR_READ_ONLY: u8 = 0x01;
const ATTR_HIDDEN: u8 = 0x02;
const ATTR_SYSTEM: u8 = 0x04;
const ATTR_VOLUME_ID: u8 = 0x08;
const ATTR_DIRECTORY: u8 = 0x10;
const ATTR_ARCHIVE: u8 = 0x20;
const ATTR_LONG_NAME: u8 = 0x0f;

/// An entry with its long name.
pub(super) struct Child {
    pub(super) name: Vec<u8>,
    pub(super) short: Vec<u8>,
    pub(super) is_dir: bool,
    pub(super) is_label: bool,
    pub(super) flags: String,
    pub(super) cluster: u64,
    pub(super) size: u64,
    pub(super) modified: Time,
    pub(super) created: Time,
}

/// All entries of a directory but `.` and `..`; whether some long name belonged to nothing.
pub(super) fn entries(bytes: &[u8], wide: bool) -> (Vec<Child>, bool) {
    let mut children = Vec::new();
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut orphans = false;
    for raw in bytes.chunks_exact(32) {
        match u8_at(raw, 0) {
            0 => break,
            0xe5 => {
                // A deleted entry; what stood before it went with it.
                parts.clear();
                continue;
            }
            _ => {}
        }
        let attr = u8_at(raw, 11);
        if attr & 0x3f == ATTR_LONG_NAME {
            parts.push(raw);
            continue;
        }
        let long = long_name(&parts, part(raw, 0, 11));
        orphans |= long.is_none() && !parts.is_empty();
        parts.clear();
        if matches!(part(raw, 0, 11), b".          " | b"..         ") {
            continue;
        }
        children.push(child(raw, long, wide));
    }
    (children, orphans)
}

fn child(raw: &[u8], long: Option<Vec<u8>>, wide: bool) -> Child {
    let attr = u8_at(raw, 11);
    let is_label = attr & ATTR_VOLUME_ID != 0;
    let short = if is_label {
        part(raw, 0, 11).trim_ascii_end().to_vec()
    } else {
        short_name(raw)
    };
    let high = if wide { u16_at(raw, 20) } else { 0 };
    let letters = [
        (ATTR_READ_ONLY, 'r'),
        (ATTR_HIDDEN, 'h'),
        (ATTR_SYSTEM, 's'),
        (ATTR_ARCHIVE, 'a'),
    ];
    let set = letters.into_iter().filter(|(bit, _)| attr & bit != 0);
    Child {
        name: long.unwrap_or_else(|| short.clone()),
        short,
        is_dir: attr & ATTR_DIRECTORY != 0,
        is_label,
        flags: set.map(|(_, letter)| letter).collect(),
        cluster: (u64::from(high) << 16) | u64::from(u16_at(raw, 26)),
        size: u32_at(raw, 28).into(),
        modified: time(u16_at(raw, 24), u16_at(raw, 22), 0),
        created: time(u16_at(raw, 16), u16_at(raw, 14), u8_at(raw, 13)),
    }
}

/// `NAME.EXT` in the case that Windows notes for the two parts. Bytes beyond ASCII are of a code page that nobody noted.
fn short_name(raw: &[u8]) -> Vec<u8> {
    let lower = u8_at(raw, 12);
    let mut name = part(raw, 0, 8).trim_ascii_end().to_vec();
    if let Some(first @ 0x05) = name.first_mut() {
        *first = 0xe5;
    }
    if lower & 0x08 != 0 {
        name.make_ascii_lowercase();
    }
    let mut extension = part(raw, 8, 3).trim_ascii_end().to_vec();
    if lower & 0x10 != 0 {
        extension.make_ascii_lowercase();
    }
    if !extension.is_empty() {
        name.push(b'.');
        name.extend(extension);
    }
    name
}

/// The name in the entries in front of the one with `short`, if they are those of one name and belong to it.
fn long_name(parts: &[&[u8]], short: &[u8]) -> Option<Vec<u8>> {
    let first = parts.first()?;
    if usize::from(u8_at(first, 0) ^ 0x40) != parts.len() {
        return None;
    }
    let sum = checksum(short);
    let mut units: Vec<u16> = Vec::new();
    for (order, raw) in (1u8..).zip(parts.iter().rev()) {
        if u8_at(raw, 0) & 0x3f != order || u8_at(raw, 13) != sum {
            return None;
        }
        for (at, len) in [(1, 10), (14, 12), (28, 4)] {
            units.extend(
                part(raw, at, len)
                    .chunks_exact(2)
                    .map(|pair| u16_at(pair, 0)),
            );
        }
    }
    let end = units.iter().position(|unit| *unit == 0);
    let units = units.get(..end.unwrap_or(units.len()));
    Some(from_utf16(units.unwrap_or_default()))
}

fn checksum(short: &[u8]) -> u8 {
    short
        .iter()
        .fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// Date and time of nobody knows which zone; an empty date is the first that there can be.
fn time(date: u16, time: u16, centiseconds: u8) -> Time {
    let date = i64::from(date);
    let days = Time::days(
        (date >> 9).saturating_add(1980),
        ((date >> 5) & 15).clamp(1, 12),
        (date & 31).max(1),
    );
    let time = i64::from(time);
    let more = i64::from(centiseconds);
    let seconds = days
        .saturating_mul(86_400)
        .saturating_add((time >> 11).saturating_mul(3600))
        .saturating_add(((time >> 5) & 63).saturating_mul(60))
        .saturating_add((time & 31).saturating_mul(2))
        .saturating_add(more / 100);
    Time {
        seconds,
        nanoseconds: u32::from(centiseconds % 100).saturating_mul(10_000_000),
        local: true,
    }
}
