//! The partition table: protective MBR and GPT.
//!
//! Spec: UEFI 2.10, chapter 5; names of fields as there. A header counts if signature, size and both checksums are right; if the
//! first is damaged the backup at the end is taken, and that is said.

use std::collections::BTreeMap;

use crate::bytes::{array, index, part, times, u16_at, u32_at, u64_at, u8_at};
use crate::error::{damage, damaged, Error, Fault};
use crate::image::Window;
use crate::model::{Digest, Gpt, Mbr, MbrEntry, Partition};
use crate::names::Name;

const SIGNATURE: &[u8] = b"EFI PART";
/// The specification has no bound for the entries of a table; so many bytes of them are read: 32768 of the usual ones.
const MAX_TABLE: u64 = 4 << 20;
/// Lengths of a sector, the usual one first.
const SECTORS: [u64; 4] = [512, 4096, 2048, 1024];

/// The table, and which bytes it takes itself, as start and end.
pub(crate) struct Table {
    pub(crate) gpt: Gpt,
    pub(crate) own: Vec<(u64, u64)>,
}

/// A header and its entries.
struct Header {
    bytes: Vec<u8>,
    entries: Vec<u8>,
    /// Where they are.
    own: [(u64, u64); 2],
}

/// Reads the table; nothing if there is none.
pub(crate) fn read(window: Window<'_>) -> Result<Option<Table>, Error> {
    for sector in SECTORS {
        let first = damaged(Header::read(window, sector, sector))?;
        let last = times(window.len(), sector).saturating_sub(1);
        let (header, other) = match first {
            Ok(header) => {
                let alternate = u64_at(&header.bytes, 32).saturating_mul(sector);
                (header, damaged(Header::read(window, sector, alternate))?)
            }
            Err(problem) => {
                match damaged(Header::read(window, sector, last.saturating_mul(sector)))? {
                    Ok(header) => (header, Err(problem)),
                    Err(_) => continue,
                }
            }
        };
        return table(window, sector, header, other).map(Some);
    }
    Ok(None)
}

impl Header {
    fn read(window: Window<'_>, sector: u64, at: u64) -> Result<Self, Fault> {
        let bytes = window.bytes(at, index(sector))?;
        if !bytes.starts_with(SIGNATURE) {
            return Err(damage!("no header at byte {at}"));
        }
        let size = index(u32_at(&bytes, 12));
        if size < 92 || size > bytes.len() {
            return Err(damage!("the header at byte {at} has a size of {size}"));
        }
        let mut summed = part(&bytes, 0, size).to_vec();
        if let Some(sum) = summed.get_mut(16..20) {
            sum.fill(0);
        }
        let (want, found) = (u32_at(&bytes, 16), crc32fast::hash(&summed));
        if want != found {
            return Err(damage!(
                "the header at byte {at} has the checksum {want:08x}, its bytes have {found:08x}"
            ));
        }
        let my_lba = u64_at(&bytes, 24).saturating_mul(sector);
        if my_lba != at {
            return Err(damage!("the header at byte {at} says it is at {my_lba}"));
        }
        let (count, entry) = (u32_at(&bytes, 80), u32_at(&bytes, 84));
        if entry < 128 {
            return Err(damage!("{count} partition entries of {entry} bytes"));
        }
        let start = u64_at(&bytes, 72).saturating_mul(sector);
        let len = u64::from(count).saturating_mul(entry.into());
        if len > MAX_TABLE {
            let what = format!("a disk with a table of {count} partitions, {entry} bytes each");
            return Err(Error::Table { what }.into());
        }
        let entries = window.bytes(start, index(len))?;
        let (want, found) = (u32_at(&bytes, 88), crc32fast::hash(&entries));
        if want != found {
            return Err(damage!("the entries at byte {start} have the checksum {found:08x}, the header says {want:08x}"));
        }
        let own = [
            (at, at.saturating_add(sector)),
            (start, start.saturating_add(len)),
        ];
        Ok(Self {
            bytes,
            entries,
            own,
        })
    }

    /// The bytes that both headers must have in common.
    fn common(&self) -> (&[u8], &[u8], &[u8], &[u8]) {
        let b = &self.bytes;
        (
            part(b, 0, 16),
            part(b, 40, 32),
            part(b, 80, 8),
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
    let b = &header.bytes;
    let mut own = vec![(0, sector)];
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
    let entry_size = index(u32_at(b, 84));
    let bytes = |at: usize| u64_at(b, at).saturating_mul(sector);
    let gpt = Gpt {
        guid: guid(b, 56),
        sector_size: sector,
        first_usable: bytes(40),
        end_usable: bytes(48).saturating_add(sector),
        entries: u32_at(b, 80),
        mbr: mbr(window)?,
        partitions: partitions(
            &header.entries,
            entry_size,
            sector,
            window.len(),
            &mut problems,
        ),
        problems,
        gaps: Vec::new(),
    };
    Ok(Table { gpt, own })
}

fn partitions(
    entries: &[u8],
    size: usize,
    sector: u64,
    len: u64,
    problems: &mut Vec<String>,
) -> Vec<Partition> {
    let mut found: Vec<Partition> = Vec::new();
    for (number, entry) in (1u32..).zip(entries.chunks_exact(size.max(1))) {
        if part(entry, 0, 16).iter().all(|b| *b == 0) {
            continue;
        }
        let type_guid = uuid(entry, 0);
        let start = u64_at(entry, 32).saturating_mul(sector);
        let end = u64_at(entry, 40).saturating_add(1).saturating_mul(sector);
        if end > len || end <= start {
            problems.push(format!(
                "partition {number} from byte {start} to {end} is not inside the disk"
            ));
        }
        let within = |other: &&Partition| {
            start < other.start.saturating_add(other.size) && other.start < end
        };
        if let Some(other) = found.iter().find(within) {
            problems.push(format!("partitions {} and {number} overlap", other.number));
        }
        let units: Vec<u16> = part(entry, 56, 72)
            .chunks_exact(2)
            .map(|pair| u16_at(pair, 0))
            .collect();
        let end_of_name = units
            .iter()
            .position(|unit| *unit == 0)
            .unwrap_or(units.len());
        let name = crate::names::from_utf16(units.get(..end_of_name).unwrap_or_default());
        found.push(Partition {
            number,
            slot: String::new(),
            name: Name(name),
            type_name: partitions::type_alias(type_guid),
            type_guid: type_guid.to_string(),
            uuid: guid(entry, 16),
            start,
            size: end.saturating_sub(start),
            flags: u64_at(entry, 48),
            content: None,
        });
    }
    name_slots(&mut found);
    found
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

fn mbr(window: Window<'_>) -> Result<Mbr, Error> {
    // A header was found behind it.
    let bytes = damaged(window.bytes(0, 512))?.unwrap_or_default();
    let code = part(&bytes, 0, 440);
    let mut entries = Vec::new();
    for (number, entry) in (1u32..).zip(part(&bytes, 446, 64).chunks_exact(16)) {
        if entry.iter().any(|b| *b != 0) {
            entries.push(MbrEntry {
                number,
                status: u8_at(entry, 0),
                kind: u8_at(entry, 4),
                start: u32_at(entry, 8),
                sectors: u32_at(entry, 12),
            });
        }
    }
    let digest = || Digest(<sha2::Sha256 as sha2::Digest>::digest(code).into());
    Ok(Mbr {
        signature: u32_at(&bytes, 440),
        code: code.iter().any(|b| *b != 0).then(digest),
        entries,
    })
}

/// A GUID: the first three fields are little-endian.
fn uuid(bytes: &[u8], at: usize) -> uuid::Uuid {
    uuid::Uuid::from_bytes_le(array(bytes, at))
}

fn guid(bytes: &[u8], at: usize) -> String {
    uuid(bytes, at).to_string()
}
