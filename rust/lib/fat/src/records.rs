//! Directory records (sections 6 and 7 of the specification), 32 bytes each.
//!
//! | offset | size | short record           | offset | size | long-name record       |
//! |-------:|-----:|------------------------|-------:|-----:|------------------------|
//! |      0 |   11 | name                   |      0 |    1 | number, last one + 64  |
//! |     11 |    1 | attributes             |      1 |   10 | characters 1 to 5      |
//! |     14 |    4 | time and date of birth |     11 |    1 | attributes: 15         |
//! |     18 |    2 | date of last reading   |     13 |    1 | sum of the short name  |
//! |     20 |    2 | high half of cluster   |     14 |   12 | characters 6 to 11     |
//! |     22 |    4 | time and date          |     28 |    4 | characters 12 and 13   |
//! |     26 |    2 | low half of cluster    |        |      |                        |
//! |     28 |    4 | length                 |        |      |                        |

use crate::bytes::{high16, low16, Block};
use crate::short::{checksum, Names, Short};
use crate::time::Moment;

/// Bytes of a record.
pub(crate) const RECORD: u64 = 32;
const RECORD_LEN: usize = 32;
/// UTF-16 units in a long-name record.
const UNITS: usize = 13;
/// Volume label.
pub(crate) const LABEL: u8 = 0x08;
/// Directory.
pub(crate) const DIRECTORY: u8 = 0x10;
/// File that no backup has seen.
pub(crate) const ARCHIVE: u8 = 0x20;

/// What a short record says besides the name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) attributes: u8,
    pub(crate) cluster: u32,
    pub(crate) len: u32,
    pub(crate) time: Moment,
}

/// How many records `name` takes.
pub(crate) fn count(name: &str, long: bool) -> u64 {
    let units = name.encode_utf16().count();
    let long = if long { units.div_ceil(UNITS) } else { 0 };
    u64::try_from(long).unwrap_or(u64::MAX).saturating_add(1)
}

/// The short record.
pub(crate) fn short(name: &Short, facts: Facts) -> Block {
    let mut b = Block::new(RECORD_LEN);
    let (time, date) = (facts.time.time.to_le_bytes(), facts.time.date.to_le_bytes());
    b.put(0, name);
    b.put(11, &[facts.attributes]);
    b.put(14, &time);
    b.put(16, &date);
    b.put(18, &date);
    b.put(20, &high16(facts.cluster));
    b.put(22, &time);
    b.put(24, &date);
    b.put(26, &low16(facts.cluster));
    b.put(28, &facts.len.to_le_bytes());
    b
}

/// All records of an entry: its long name from the end, if it needs one, then the short record.
pub(crate) fn entry(out: &mut Vec<u8>, name: &str, names: &Names, facts: Facts) {
    if names.long {
        let mut units: Vec<u16> = name.encode_utf16().collect();
        let parts = units.len().div_ceil(UNITS);
        // A name that does not fill its last record ends in a zero; the rest is all ones.
        if units.len() % UNITS != 0 {
            units.push(0);
        }
        units.resize(parts.saturating_mul(UNITS), 0xffff);
        let sum = checksum(&names.short);
        let numbered = (1u8..).zip(units.chunks(UNITS)).collect::<Vec<_>>();
        for (position, (number, part)) in numbered.iter().rev().enumerate() {
            let last = if position == 0 { 0x40 } else { 0 };
            out.extend_from_slice(long(number | last, sum, part).bytes());
        }
    }
    out.extend_from_slice(short(&names.short, facts).bytes());
}

fn long(number: u8, sum: u8, units: &[u16]) -> Block {
    let mut b = Block::new(RECORD_LEN);
    b.put(0, &[number]);
    b.put(11, &[0x0f, 0, sum]);
    let places = [1usize, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
    for (place, unit) in places.into_iter().zip(units) {
        b.put(place, &unit.to_le_bytes());
    }
    b
}
