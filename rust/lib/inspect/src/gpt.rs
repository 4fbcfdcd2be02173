//! The partition table: protective MBR and GPT.
//!
//! Spec: UEFI 2.10, chapter 5; names of fields as there. A header counts if signature, size and both checksums are right; if the
//! first is damaged the backup at the end is taken, and that is said.

use base::{as_usize, Sha256Digest};
use std::collections::BTreeMap;

use crate::bytes::{array, is_zero, part, Fields, Number};
use crate::error::{damage, damaged, Error, Fault};
use crate::image::Window;
use crate::locate::{Region, RegionPart, Regions, What};
use crate::model::{Gpt, Mbr, MbrEntry, Partition};
use crate::names::{from_utf16_field, Name};
use crate::span::Span;

const SIGNATURE: &[u8] = b"EFI PART";
/// The specification has no bound for the entries of a table; so many bytes of them are read: 32768 of the usual ones.
const MAX_TABLE: u64 = 4 << 20;
/// Lengths of a sector, the usual one first.
const SECTORS: [u64; 4] = [512, 4096, 2048, 1024];

/// The table, and which bytes it takes itself.
pub(crate) struct Table {
    pub(crate) gpt: Gpt,
    pub(crate) own: Vec<Span>,
}

/// Length of a header's fields.
const HEADER: usize = 92;
/// Length of an entry's fields.
const ENTRY: usize = 128;

/// A header and its entries.
struct Header {
    fields: [u8; HEADER],
    entries: Vec<u8>,
    /// Length of one.
    entry_size: usize,
    /// From the first byte that a partition may have to the one behind the last.
    usable: (u64, u64),
    /// Where header and entries are.
    own: [Span; 2],
}

/// Reads the table; nothing if there is none.
pub(crate) fn read(window: Window<'_>) -> Result<Option<Table>, Error> {
    for sector in SECTORS {
        let (header, other) = match damaged(Header::read(window, sector, 1))? {
            Ok(header) => {
                let alternate = header.fields.u64::<32>();
                (header, damaged(Header::read(window, sector, alternate))?)
            }
            Err(problem) => {
                // The backup is in the last sector.
                let sectors = window.len().checked_div(sector);
                let Some(last) = sectors.and_then(|sectors| sectors.checked_sub(1)) else {
                    continue;
                };
                match damaged(Header::read(window, sector, last))? {
                    Ok(header) => (header, Err(problem)),
                    Err(_) => continue,
                }
            }
        };
        return table(window, sector, header, other).map(Some);
    }
    Ok(None)
}

/// Adds table and partitions; whether there are any.
pub(crate) fn regions(window: Window<'_>, regions: &mut Regions<'_>) -> Result<bool, Error> {
    let Some(Table { gpt, own }) = read(window)? else {
        return Ok(false);
    };
    let mut own = own.into_iter();
    if let Some(mbr) = own.next() {
        regions.push(Region::is(mbr, What::Mbr));
    }
    // Headers and entries in turn.
    let mut backup = false;
    for (number, place) in own.enumerate() {
        let what = match number % 2 {
            0 => {
                backup = place.start() != gpt.sector_size;
                What::GptHeader { backup }
            }
            _ => What::GptEntries { backup },
        };
        regions.push(Region::is(place, what));
    }
    for partition in &gpt.partitions {
        let (start, end) = (partition.start(), partition.place.end());
        let kind = partition.type_name.unwrap_or(&partition.type_guid);
        let what = What::Partition {
            number: partition.number,
            name: partition.name.clone(),
            slot: partition.slot.clone(),
            row: format!(
                "row {} of the partition table: {kind}, bytes {start} to {end}",
                partition.number
            ),
        };
        let place = partition.place.until(window.len());
        regions.push(Region::whole(place, RegionPart::Partition(what)));
    }
    Ok(true)
}

impl Header {
    /// The header in sector `lba`.
    fn read(window: Window<'_>, sector: u64, lba: u64) -> Result<Self, Fault> {
        let at = lba.times(sector)?;
        let bytes = window.bytes(at, as_usize(sector))?;
        if !bytes.starts_with(SIGNATURE) {
            return Err(damage!("no header at byte {at}"));
        }
        let fields: [u8; HEADER] = array(&bytes, 0)?;
        let size = as_usize(fields.u32::<12>());
        if size < HEADER || size > bytes.len() {
            return Err(damage!("the header at byte {at} has a size of {size}"));
        }
        let mut summed = part(&bytes, 0, size)?.to_vec();
        if let Some(sum) = summed.get_mut(16..20) {
            sum.fill(0);
        }
        let (want, found) = (fields.u32::<16>(), crc32fast::hash(&summed));
        if want != found {
            return Err(damage!(
                "the header at byte {at} has the checksum {want:08x}, its bytes have {found:08x}"
            ));
        }
        let my_lba = fields.u64::<24>();
        if my_lba != lba {
            return Err(damage!(
                "the header at byte {at} says it is in sector {my_lba}, which is not {lba}"
            ));
        }
        let (count, entry) = (fields.u32::<80>(), fields.u32::<84>());
        let entry_size = as_usize(entry);
        if entry_size < ENTRY {
            return Err(damage!("{count} partition entries of {entry} bytes"));
        }
        let len = u64::from(count).times(entry.into())?;
        if len > MAX_TABLE {
            let what = format!("a disk with a table of {count} partitions, {entry} bytes each");
            return Err(Error::Table { what }.into());
        }
        let own = Span::new(fields.u64::<72>().times(sector)?, len)?;
        let entries = window.bytes(own.start(), as_usize(len))?;
        let (want, found) = (fields.u32::<88>(), crc32fast::hash(&entries));
        if want != found {
            let start = own.start();
            return Err(damage!("the entries at byte {start} have the checksum {found:08x}, the header says {want:08x}"));
        }
        let last_usable = fields.u64::<48>();
        Ok(Self {
            fields,
            entries,
            entry_size,
            usable: (
                fields.u64::<40>().times(sector)?,
                last_usable.plus(1)?.times(sector)?,
            ),
            own: [Span::new(at, sector)?, own],
        })
    }

    /// What both headers must have in common: revision, the usable sectors and the GUID, number and length of entries.
    fn common(&self) -> (&[u8; 12], &[u8; 32], &[u8; 8], &[u8]) {
        let fields = &self.fields;
        (
            fields.field::<4, 12>(),
            fields.field::<40, 32>(),
            fields.field::<80, 8>(),
            &self.entries,
        )
    }
}

fn table(
    window: Window<'_>,
    sector: u64,
    header: Header,
    other: Result<Header, String>,
) -> Result<Table, Error> {
    let mut own = vec![Span::up_to(sector)];
    own.extend(header.own);
    let mut problems = Vec::new();
    match other {
        Ok(other) => {
            if other.common() != header.common() {
                problems.push("the two copies of the table differ".to_owned());
            }
            own.extend(other.own);
        }
        Err(problem) => problems.push(format!("only one copy of the table is good: {problem}")),
    }
    let mbr = damaged(mbr(window))?.unwrap_or_else(|problem| {
        problems.push(problem);
        Mbr::default()
    });
    let mut partitions: Vec<Partition> = Vec::new();
    for (number, entry) in (1u32..).zip(header.entries.chunks_exact(header.entry_size)) {
        match damaged(partition(number, entry, sector))? {
            Ok(Some(partition)) => {
                problems.extend(misplaced(&partition, &partitions, window.len()));
                partitions.push(partition);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    name_slots(&mut partitions);
    let gpt = Gpt {
        guid: guid(header.fields.field::<56, 16>()).to_string(),
        sector_size: sector,
        first_usable: header.usable.0,
        end_usable: header.usable.1,
        entries: header.fields.u32::<80>(),
        mbr,
        partitions,
        problems,
        gaps: Vec::new(),
    };
    Ok(Table { gpt, own })
}

/// The partition that `entry` has; none if it is not in use. One of which no bytes can be is damage.
fn partition(number: u32, entry: &[u8], sector: u64) -> Result<Option<Partition>, Fault> {
    let fields: [u8; ENTRY] = array(entry, 0)?;
    if is_zero(fields.field::<0, 16>()) {
        return Ok(None);
    }
    let (first, last) = (fields.u64::<32>(), fields.u64::<40>());
    let place = || {
        let start = first.checked_mul(sector)?;
        let end = last.checked_add(1)?.checked_mul(sector)?;
        Span::between(start, end).filter(|place| !place.is_empty())
    };
    let place = place().ok_or_else(|| {
        // Its digest stands for what is not shown of it.
        let digest = Sha256Digest::of(entry);
        damage!("partition {number} from sector {first} to {last} is not inside the disk and has no bytes: its entry has sha256:{digest}")
    })?;
    let type_guid = guid(fields.field::<0, 16>());
    Ok(Some(Partition {
        number,
        slot: String::new(),
        name: Name(from_utf16_field(fields.field::<56, 72>())),
        type_name: partitions::type_alias(type_guid),
        type_guid: type_guid.to_string(),
        uuid: guid(fields.field::<16, 16>()).to_string(),
        place,
        flags: fields.u64::<48>(),
        content: None,
    }))
}

/// What is wrong with the place of a partition, on a disk of `len` bytes with those `before` it.
fn misplaced(partition: &Partition, before: &[Partition], len: u64) -> Vec<String> {
    let (number, place) = (partition.number, partition.place);
    let mut problems = Vec::new();
    if place.end() > len {
        problems.push(format!(
            "partition {number} from byte {} to {} is not inside the disk",
            place.start(),
            place.end()
        ));
    }
    let mut others = before.iter();
    let within =
        |other: &&Partition| place.start() < other.place.end() && other.place.start() < place.end();
    if let Some(other) = others.find(within) {
        problems.push(format!("partitions {} and {number} overlap", other.number));
    }
    problems
}

/// Decides what each partition is called in front of a path.
fn name_slots(partitions: &mut [Partition]) {
    let mut names: BTreeMap<Name, bool> = BTreeMap::new();
    for partition in &*partitions {
        let unique = names.entry(partition.name.clone());
        unique.and_modify(|unique| *unique = false).or_insert(true);
    }
    for partition in partitions {
        let name = partition.name.word();
        let unique = names.get(&partition.name) == Some(&true);
        // Escapes and colons would need quoting, a number could be another partition's.
        let plain = !name.contains(['\\', '/', ':', '"', '\''])
            && !name.bytes().all(|b| b.is_ascii_digit());
        partition.slot = match unique && plain {
            true => name,
            false => partition.number.to_string(),
        };
    }
}

fn mbr(window: Window<'_>) -> Result<Mbr, Fault> {
    let sector: [u8; 512] = window.array(0)?;
    let mut entries = Vec::new();
    for (number, entry) in (1u32..).zip(sector.field::<446, 64>().chunks_exact(16)) {
        let fields: [u8; 16] = array(entry, 0)?;
        if !is_zero(entry) {
            entries.push(MbrEntry {
                number,
                status: fields.u8::<0>(),
                kind: fields.u8::<4>(),
                start: fields.u32::<8>(),
                sectors: fields.u32::<12>(),
            });
        }
    }
    let code = sector.field::<0, 440>();
    Ok(Mbr {
        signature: sector.u32::<440>(),
        code: (!is_zero(code)).then(|| Sha256Digest::of(code)),
        entries,
    })
}

/// A GUID: the first three fields are little-endian.
fn guid(bytes: &[u8; 16]) -> uuid::Uuid {
    uuid::Uuid::from_bytes_le(*bytes)
}
