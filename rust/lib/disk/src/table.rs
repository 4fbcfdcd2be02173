//! The partition table of a layout: UEFI 2.10, sections 5.2 and 5.3. All integers little-endian.

use partitions::{Layout, Placed, SECTOR};
use uuid::Uuid;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::Error;

/// The protective MBR.
#[derive(FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Mbr {
    pub(crate) code: [u8; 440],
    pub(crate) disk_signature: [u8; 4],
    pub(crate) unknown: [u8; 2],
    pub(crate) protective: MbrRecord,
    pub(crate) others: [[u8; 16]; 3],
    pub(crate) signature: [u8; 2],
}

/// The one partition of the MBR.
#[derive(FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct MbrRecord {
    pub(crate) boot: u8,
    /// By cylinders: that of sector 1.
    pub(crate) start: [u8; 3],
    pub(crate) kind: u8,
    /// By cylinders: all ones, since no disk of ours is that small.
    pub(crate) end: [u8; 3],
    pub(crate) first: U32,
    pub(crate) sectors: U32,
}

/// The header; zeros follow up to the end of its sector.
#[derive(Clone, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) signature: [u8; 8],
    pub(crate) revision: U32,
    pub(crate) header_size: U32,
    /// Of these 92 bytes, while this is 0.
    pub(crate) crc: U32,
    pub(crate) reserved: U32,
    pub(crate) own_sector: U64,
    pub(crate) other_sector: U64,
    pub(crate) first_usable: U64,
    pub(crate) last_usable: U64,
    pub(crate) disk_guid: [u8; 16],
    pub(crate) entries_sector: U64,
    pub(crate) entries: U32,
    pub(crate) entry_size: U32,
    pub(crate) entries_crc: U32,
}

/// A partition.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Entry {
    kind: [u8; 16],
    guid: [u8; 16],
    first: U64,
    /// Its last sector.
    last: U64,
    flags: U64,
    name: [U16; 36],
}

const _: () = {
    assert!(size_of::<Mbr>() == 512 && size_of::<MbrRecord>() == 16);
    assert!(size_of::<Header>() == 92 && size_of::<Entry>() == 128);
};

pub(crate) const HEADER_SIZE: u32 = 92;
const ENTRIES: u32 = 128;
const ENTRY_SIZE: u32 = 128;
/// Sectors of all entries.
const TABLE: u64 = 32;
/// What stands for a size that 32 bits do not hold.
pub(crate) const BEYOND: u32 = 0xffff_ffff;

/// What of a disk is its table, by the place in bytes: protective MBR, header and entries, and the copies of both at the end. All else
/// of the sectors they are in is zero.
pub fn table(layout: &Layout, disk_guid: Uuid) -> Result<[(u64, Vec<u8>); 5], Error> {
    let sectors = layout.disk_size / SECTOR;
    let small = || Error::Table {
        reason: format!("a disk of {} bytes has no room for it", layout.disk_size),
    };
    // MBR, header and entries, at least one sector, entries, header.
    let first = 2 + TABLE;
    let last = sectors.checked_sub(1).ok_or_else(small)?;
    let copy = last.checked_sub(TABLE).ok_or_else(small)?;
    let usable = first..copy;
    if usable.is_empty() {
        return Err(small());
    }

    let entries = entries(layout)?;
    let header = Header {
        signature: *b"EFI PART",
        revision: 0x0001_0000.into(),
        header_size: HEADER_SIZE.into(),
        crc: U32::ZERO,
        reserved: U32::ZERO,
        own_sector: 1.into(),
        other_sector: last.into(),
        first_usable: usable.start.into(),
        last_usable: usable.last().ok_or_else(small)?.into(),
        disk_guid: disk_guid.to_bytes_le(),
        entries_sector: 2.into(),
        entries: ENTRIES.into(),
        entry_size: ENTRY_SIZE.into(),
        entries_crc: crc32fast::hash(&entries).into(),
    };
    let backup = Header {
        own_sector: header.other_sector,
        other_sector: header.own_sector,
        entries_sector: copy.into(),
        ..header.clone()
    };
    let mbr = protective(last).as_bytes().to_vec();
    let parts = [
        (0, mbr),
        (1, summed(header)),
        (2, entries.clone()),
        (copy, entries),
        (last, summed(backup)),
    ];
    // The number of a sector of the disk, in bytes: no more than the disk has.
    Ok(parts.map(|(sector, bytes)| (sector << SECTOR.ilog2(), bytes)))
}

/// The MBR of a disk whose last sector is `last`: a partition over all of it but the MBR.
pub(crate) fn protective(last: u64) -> Mbr {
    let sectors = u32::try_from(last).unwrap_or(BEYOND);
    Mbr {
        code: [0; 440],
        disk_signature: [0; 4],
        unknown: [0; 2],
        protective: MbrRecord {
            boot: 0,
            start: [0, 2, 0],
            kind: 0xee,
            end: [0xff; 3],
            first: 1.into(),
            sectors: sectors.into(),
        },
        others: [[0; 16]; 3],
        signature: [0x55, 0xaa],
    }
}

/// A header's bytes with its checksum.
pub(crate) fn summed(mut header: Header) -> Vec<u8> {
    // It is not part of its own sum.
    header.crc = U32::ZERO;
    header.crc = crc32fast::hash(header.as_bytes()).into();
    header.as_bytes().to_vec()
}

/// All entries, in the order of the layout.
fn entries(layout: &Layout) -> Result<Vec<u8>, Error> {
    const LEN: usize = 128 * size_of::<Entry>();
    let mut bytes = Vec::with_capacity(LEN);
    for placed in &layout.partitions {
        bytes.extend_from_slice(entry(placed)?.as_bytes());
    }
    if bytes.len() > LEN {
        return Err(Error::Table {
            reason: format!("it has {ENTRIES} entries, not {}", layout.partitions.len()),
        });
    }
    bytes.resize(LEN, 0);
    Ok(bytes)
}

fn entry(placed: &Placed) -> Result<Entry, Error> {
    let partition = &placed.partition;
    let refuse = |what: &str| Error::Table {
        reason: format!("partition {:?} {what}", partition.name),
    };
    let first = placed.start / SECTOR;
    let last = (first..placed.end() / SECTOR).last();
    let mut units = partition.name.encode_utf16();
    let mut name = [U16::ZERO; 36];
    for (to, unit) in name.iter_mut().zip(&mut units) {
        *to = unit.into();
    }
    if units.next().is_some() {
        return Err(refuse("has a name of more than 36 UTF-16 units"));
    }
    Ok(Entry {
        kind: partition.type_guid.to_bytes_le(),
        guid: partition.uuid.to_bytes_le(),
        first: first.into(),
        last: last.ok_or_else(|| refuse("has no sector"))?.into(),
        flags: U64::ZERO,
        name,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Cursor;

    use gpt::disk::LogicalBlockSize;
    use gpt::mbr::ProtectiveMBR;
    use gpt::partition_types::{OperatingSystem, Type};
    use partitions::{Partition, Table};

    use super::*;

    const GUID: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

    /// The disk's bytes as crate `gpt` writes them.
    #[allow(clippy::arithmetic_side_effects, reason = "test code")]
    fn theirs(layout: &Layout) -> Vec<u8> {
        let mut disk = Cursor::new(vec![0; layout.disk_size.try_into().unwrap()]);
        let last = layout.disk_size / SECTOR - 1;
        let mbr = ProtectiveMBR::with_lb_size(last.try_into().unwrap());
        mbr.overwrite_lba0(&mut disk).unwrap();
        let entry = |placed: &Placed| gpt::partition::Partition {
            part_type_guid: Type {
                guid: placed.partition.type_guid,
                os: OperatingSystem::None,
            },
            part_guid: placed.partition.uuid,
            first_lba: placed.start / SECTOR,
            last_lba: placed.end() / SECTOR - 1,
            flags: 0,
            name: placed.partition.name.clone(),
        };
        let entries = layout.partitions.iter();
        let entries: BTreeMap<u32, _> = entries.map(|p| (p.number, entry(p))).collect();
        let mut table = gpt::GptConfig::new()
            .writable(true)
            .logical_block_size(LogicalBlockSize::Lb512)
            .create_from_device(&mut disk, Some(GUID))
            .unwrap();
        table.update_partitions(entries).unwrap();
        table.write().unwrap();
        disk.into_inner()
    }

    #[test]
    #[allow(clippy::arithmetic_side_effects, reason = "test code")]
    fn as_another_writer_has_it() {
        let rows: Vec<String> = (0..128_u32)
            .map(|n| {
                let uuid = format!("b1a0a1c2-0000-4000-8000-{n:012x}");
                format!("\"ä{n} 😀\",,{}K,esp,{uuid},\n", 4 * (n + 1))
            })
            .collect();
        for (count, size) in [(1, None), (3, Some(9 << 20)), (128, None)] {
            let csv = format!("{}\n{}", partitions::COLUMNS, rows[..count].concat());
            let layout = Table::parse(&csv).unwrap().layout(size).unwrap();
            let mut ours = vec![0; layout.disk_size.try_into().unwrap()];
            for (at, bytes) in table(&layout, GUID).unwrap() {
                let at = usize::try_from(at).unwrap();
                ours[at..at + bytes.len()].copy_from_slice(&bytes);
            }
            assert!(ours == theirs(&layout), "{count}");
        }
    }

    #[test]
    #[allow(clippy::arithmetic_side_effects, reason = "test code")]
    fn refused() {
        let layout = |disk_size, partitions| Layout {
            disk_size,
            partitions,
        };
        let error = |layout: &Layout| table(layout, GUID).unwrap_err().to_string();
        for sectors in [0, 1, 33, 67] {
            let size = sectors * SECTOR;
            let want = format!(
                "cannot write the partition table: a disk of {size} bytes has no room for it"
            );
            assert_eq!(error(&layout(size, Vec::new())), want);
        }
        assert!(table(&layout(68 * SECTOR, Vec::new()), GUID).is_ok());
        let csv = format!("{}\nx,,4K,esp,{GUID},\n", partitions::COLUMNS);
        let good = Table::parse(&csv).unwrap().layout(None).unwrap().partitions;
        let changed = |change: fn(&mut Partition)| {
            let mut placed = good[0].clone();
            change(&mut placed.partition);
            error(&layout(4 << 20, vec![placed]))
        };
        let long = changed(|p| p.name = "x".repeat(37));
        assert!(long.ends_with("has a name of more than 36 UTF-16 units"));
        assert!(changed(|p| p.size = 0).ends_with("\"x\" has no sector"));
        let many = error(&layout(4 << 20, vec![good[0].clone(); 129]));
        assert!(many.ends_with("it has 128 entries, not 129"), "{many}");
    }
}
