//! Directory entries.

use base::date::{Civil, DAY};

use crate::bytes::{array, Fields};
use crate::error::Fault;
use crate::names::from_utf16_field;
use crate::time::Time;

const ATTR_READ_ONLY: u8 = 0x01;
const ATTR_HIDDEN: u8 = 0x02;
const ATTR_SYSTEM: u8 = 0x04;
const ATTR_VOLUME_ID: u8 = 0x08;
const ATTR_DIRECTORY: u8 = 0x10;
const ATTR_ARCHIVE: u8 = 0x20;
const ATTR_LONG_NAME: u8 = 0x0f;

/// An entry as it is in the image.
type Raw = [u8; 32];

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
pub(super) fn entries(bytes: &[u8], wide: bool) -> Result<(Vec<Child>, bool), Fault> {
    let mut children = Vec::new();
    let mut parts: Vec<Raw> = Vec::new();
    let mut orphans = false;
    for raw in bytes.chunks_exact(32) {
        let raw: Raw = array(raw, 0)?;
        match raw.u8::<0>() {
            0 => break,
            0xe5 => {
                // A deleted entry; what stood before it went with it.
                parts.clear();
                continue;
            }
            _ => {}
        }
        if raw.u8::<11>() & 0x3f == ATTR_LONG_NAME {
            parts.push(raw);
            continue;
        }
        let long = long_name(&parts, raw.field::<0, 11>());
        orphans |= long.is_none() && !parts.is_empty();
        parts.clear();
        if matches!(raw.field::<0, 11>(), b".          " | b"..         ") {
            continue;
        }
        children.push(child(&raw, long, wide));
    }
    Ok((children, orphans))
}

fn child(raw: &Raw, long: Option<Vec<u8>>, wide: bool) -> Child {
    let attr = raw.u8::<11>();
    let is_label = attr & ATTR_VOLUME_ID != 0;
    let short = if is_label {
        raw.field::<0, 11>().trim_ascii_end().to_vec()
    } else {
        short_name(raw)
    };
    let high = if wide { raw.u16::<20>() } else { 0 };
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
        cluster: (u64::from(high) << 16) | u64::from(raw.u16::<26>()),
        size: raw.u32::<28>().into(),
        modified: time(raw.u16::<24>(), raw.u16::<22>(), 0),
        created: time(raw.u16::<16>(), raw.u16::<14>(), raw.u8::<13>()),
    }
}

/// `NAME.EXT` in the case that Windows notes for the two parts. Bytes beyond ASCII are of a code page that nobody noted.
fn short_name(raw: &Raw) -> Vec<u8> {
    let lower = raw.u8::<12>();
    let mut name = raw.field::<0, 8>().trim_ascii_end().to_vec();
    if let Some(first @ 0x05) = name.first_mut() {
        *first = 0xe5;
    }
    if lower & 0x08 != 0 {
        name.make_ascii_lowercase();
    }
    let mut extension = raw.field::<8, 3>().trim_ascii_end().to_vec();
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
fn long_name(parts: &[Raw], short: &[u8; 11]) -> Option<Vec<u8>> {
    let first = parts.first()?;
    if usize::from(first.u8::<0>() ^ 0x40) != parts.len() {
        return None;
    }
    let sum = checksum(short);
    let mut units = Vec::new();
    for (order, raw) in (1u8..).zip(parts.iter().rev()) {
        if raw.u8::<0>() & 0x3f != order || raw.u8::<13>() != sum {
            return None;
        }
        units.extend_from_slice(raw.field::<1, 10>());
        units.extend_from_slice(raw.field::<14, 12>());
        units.extend_from_slice(raw.field::<28, 4>());
    }
    Some(from_utf16_field(&units))
}

fn checksum(short: &[u8; 11]) -> u8 {
    short
        .iter()
        .fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// Date and time of nobody knows which zone. What is beyond a month or a day counts on from there, as Linux has it; an empty date is the
/// first that there can be. A month beyond December is to Linux a January, in a leap year of a day later, for it comes after February.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "seconds of the years 1980 to 2108 and a few days more"
)]
fn time(date: u16, time: u16, centiseconds: u8) -> Time {
    let (year, number) = (i64::from(date >> 9) + 1980, low(date >> 5, 15));
    let beyond = number > 12;
    let month = Civil {
        year,
        month: if beyond { 1 } else { number.max(1) },
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
    };
    let late = beyond && year % 4 == 0 && year != 2100;
    let days = i64::from(low(date, 31).max(1)) - 1 + i64::from(late);
    let minutes = i64::from(time >> 11) * 60 + i64::from(low(time >> 5, 63));
    let seconds = minutes * 60 + i64::from(low(time, 31)) * 2 + i64::from(centiseconds / 100);
    Time {
        seconds: start_of(&month) + days * DAY + seconds,
        nanoseconds: u32::from(centiseconds % 100) * 10_000_000,
        local: true,
    }
}

/// The lowest bits of `number`.
fn low(number: u16, mask: u8) -> u8 {
    let [low, _] = number.to_le_bytes();
    low & mask
}

#[expect(clippy::expect_used, reason = "the first day of a month from 1 to 12")]
fn start_of(month: &Civil) -> i64 {
    month.seconds().expect("a date")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let date = |year: u16, month: u16, day: u16| ((year - 1980) << 9) | (month << 5) | day;
        let at = |hour: u16, minute: u16, second: u16| (hour << 11) | (minute << 5) | (second / 2);
        for (date, time_of_day, hundredths, want) in [
            (
                date(2024, 2, 29),
                at(23, 59, 58),
                150,
                "2024-02-29T23:59:59.500000000",
            ),
            (0, 0, 0, "1980-01-01T00:00:00"),
            (date(2023, 2, 30), at(24, 0, 0), 0, "2023-03-03T00:00:00"),
            (date(2023, 13, 1), 0, 0, "2023-01-01T00:00:00"),
            (date(2024, 14, 1), 0, 0, "2024-01-02T00:00:00"),
            (date(2100, 15, 1), 0, 0, "2100-01-01T00:00:00"),
            (
                date(2107, 12, 31),
                u16::MAX,
                255,
                "2108-01-01T08:04:04.550000000",
            ),
            (u16::MAX, u16::MAX, 255, "2107-02-01T08:04:04.550000000"),
        ] {
            assert_eq!(time(date, time_of_day, hundredths).to_string(), want);
        }
    }
}
