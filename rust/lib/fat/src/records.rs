//! Directory records (sections 6 and 7 of the specification), 32 bytes each.

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::short::{checksum, Names, Short};
use crate::time::Moment;

/// Bytes of a record.
pub(crate) const RECORD: u32 = 32;
/// Most records of a directory (section 6).
pub(crate) const MOST: u32 = 1 << 16;
/// UTF-16 units in a long-name record.
const UNITS: usize = 13;
/// Volume label.
pub(crate) const LABEL: u8 = 0x08;
/// Directory.
pub(crate) const DIRECTORY: u8 = 0x10;
/// File that no backup has seen.
pub(crate) const ARCHIVE: u8 = 0x20;
/// What marks a long-name record, and the one of them that comes first.
pub(crate) const LONG: u8 = 0x0f;
pub(crate) const FIRST: u8 = 0x40;

/// A short record.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct ShortRecord {
    pub(crate) name: Short,
    pub(crate) attributes: u8,
    pub(crate) reserved: u8,
    /// Hundredths of a second of birth.
    pub(crate) birth_fine: u8,
    pub(crate) birth_time: U16,
    pub(crate) birth_date: U16,
    pub(crate) read_date: U16,
    pub(crate) cluster_high: U16,
    pub(crate) time: U16,
    pub(crate) date: U16,
    pub(crate) cluster_low: U16,
    pub(crate) len: U32,
}

/// A part of a long name.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct LongRecord {
    /// From 1 on; the last part, which comes first, plus 64.
    pub(crate) number: u8,
    pub(crate) name_1: [U16; 5],
    pub(crate) attributes: u8,
    pub(crate) kind: u8,
    /// [`checksum`] of the short name.
    pub(crate) sum: u8,
    pub(crate) name_2: [U16; 6],
    pub(crate) cluster: U16,
    pub(crate) name_3: [U16; 2],
}

const _: () = assert!(size_of::<ShortRecord>() == 32 && size_of::<LongRecord>() == 32);

/// What a short record says besides the name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) attributes: u8,
    pub(crate) cluster: u32,
    pub(crate) len: u32,
    pub(crate) time: Moment,
}

/// How many long-name records `name` takes.
pub(crate) fn long_records(name: &str, names: &Names) -> usize {
    match names.long {
        true => name.encode_utf16().count().div_ceil(UNITS),
        false => 0,
    }
}

/// Adds the short record.
pub(crate) fn short(out: &mut Vec<u8>, name: &Short, facts: Facts) {
    let [a, b, c, d] = facts.cluster.to_le_bytes();
    let (time, date) = (facts.time.time.into(), facts.time.date.into());
    let record = ShortRecord {
        name: *name,
        attributes: facts.attributes,
        reserved: 0,
        birth_fine: 0,
        birth_time: time,
        birth_date: date,
        read_date: date,
        cluster_high: U16::from_bytes([c, d]),
        time,
        date,
        cluster_low: U16::from_bytes([a, b]),
        len: facts.len.into(),
    };
    out.extend_from_slice(record.as_bytes());
}

/// Adds all records of an entry: its long name from the end, if it needs one, then the short record.
pub(crate) fn entry(out: &mut Vec<u8>, name: &str, names: &Names, facts: Facts) {
    if names.long {
        let units: Vec<u16> = name.encode_utf16().collect();
        let sum = checksum(&names.short);
        let parts: Vec<(&[u16], u8)> = units.chunks(UNITS).zip(1..).collect();
        let mut first = FIRST;
        for (part, number) in parts.into_iter().rev() {
            out.extend_from_slice(long(number | first, sum, part).as_bytes());
            first = 0;
        }
    }
    short(out, &names.short, facts);
}

fn long(number: u8, sum: u8, part: &[u16]) -> LongRecord {
    const NONE: U16 = U16::new(0xffff);
    let mut record = LongRecord {
        number,
        name_1: [NONE; 5],
        attributes: LONG,
        kind: 0,
        sum,
        name_2: [NONE; 6],
        cluster: U16::ZERO,
        name_3: [NONE; 2],
    };
    let places = record.name_1.iter_mut().chain(&mut record.name_2);
    // A name that does not fill its last record ends in a zero; the rest is all ones.
    let units = part.iter().copied().chain([0]);
    for (place, unit) in places.chain(&mut record.name_3).zip(units) {
        *place = unit.into();
    }
    record
}
