//! A partition table on a disk that is larger than its image: the copy at the end goes to where the disk ends.

use plan::ReadAt;
use zerocopy::{FromBytes, IntoBytes};

use partitions::SECTOR;

use crate::table::{protective, summed, Header, Mbr, BEYOND, HEADER_SIZE};
use crate::Error;

/// The longest table that is taken, in bytes; the usual one has 16 KiB.
const LONGEST: u64 = 1 << 20;

/// What is written otherwise than in the image, by place in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTable {
    /// Protective MBR and header at the beginning.
    pub head: [(u64, Vec<u8>); 2],
    /// Entries and header at the end.
    pub tail: [(u64, Vec<u8>); 2],
    /// Where the image has the copy, which on the disk is none.
    pub old: std::ops::Range<u64>,
}

/// The table of the image of `image_len` bytes for a disk of `disk_len`, which is no smaller: headers that know each other's place and how
/// far partitions may reach, and a protective MBR over all of it. Partitions stay as they are.
pub fn moved_table(image: &dyn ReadAt, image_len: u64, disk_len: u64) -> Result<MovedTable, Error> {
    let bad = |reason: String| Error::Table { reason };
    let read = |at: u64, len: u64| -> Result<Vec<u8>, Error> {
        let inside = at.checked_add(len).is_some_and(|end| end <= image_len);
        let len = usize::try_from(len).ok().filter(|_| inside);
        let len =
            len.ok_or_else(|| bad(format!("the image has {image_len} bytes, which is no disk")))?;
        let mut bytes = vec![0; len];
        let read = image.read_exact_at(&mut bytes, at);
        read.map_err(|error| bad(format!("cannot read byte {at} of the image: {error}")))?;
        Ok(bytes)
    };
    let mbr = read(0, SECTOR)?;
    let (header, rest) = parse(&read(SECTOR, SECTOR)?)?;
    let entries = entries(&header, read)?;
    let last_old = header.other_sector.get();
    let size = as_sectors(entries.len());
    let last = (disk_len / SECTOR).checked_sub(1);
    let copy = last.and_then(|last| last.checked_sub(size));
    let usable = copy.and_then(|copy| copy.checked_sub(1));
    let usable = usable.filter(|usable| *usable >= header.last_usable.get());
    let old = last_old.checked_sub(size).zip(last_old.checked_add(1));
    let old = old.filter(|(_, end)| end.checked_mul(SECTOR).is_some_and(|end| end <= image_len));
    let (Some(last), Some(copy), Some(usable)) = (last, copy, usable) else {
        return Err(bad(format!(
            "a disk of {disk_len} bytes has no room for an image of {image_len}"
        )));
    };
    let (start, end) = old.ok_or_else(|| {
        bad(format!(
            "its copy is said to be in sector {last_old}, beyond the image"
        ))
    })?;
    let first = Header {
        other_sector: last.into(),
        last_usable: usable.into(),
        ..header
    };
    let second = Header {
        own_sector: last.into(),
        other_sector: 1.into(),
        entries_sector: copy.into(),
        ..first.clone()
    };
    let with_rest = |header| -> Vec<u8> {
        let mut bytes = summed(header);
        bytes.extend_from_slice(&rest);
        bytes
    };
    let at = |sector: u64| sector << SECTOR.ilog2();
    Ok(MovedTable {
        head: [(0, cover(&mbr, last)?), (at(1), with_rest(first))],
        tail: [(at(copy), entries), (at(last), with_rest(second))],
        old: at(start)..at(end),
    })
}

/// The header of its sector, if it is right, and what follows it there.
fn parse(sector: &[u8]) -> Result<(Header, Vec<u8>), Error> {
    let bad = |reason: &str| Error::Table {
        reason: format!("{reason}; want a GPT with sectors of {SECTOR} bytes"),
    };
    let (header, rest) = Header::read_from_prefix(sector).map_err(|_| bad("the image has none"))?;
    if header.signature != *b"EFI PART" {
        return Err(bad("the image has none"));
    }
    if header.header_size.get() != HEADER_SIZE {
        return Err(bad("its header has another length"));
    }
    let own = summed(header.clone());
    if sector.get(..own.len()) != Some(&own[..]) {
        return Err(bad("the checksum of its header is wrong"));
    }
    if header.own_sector.get() != 1 {
        return Err(bad("its header is not meant for the second sector"));
    }
    Ok((header, rest.to_vec()))
}

/// The entries, if they are right: whole sectors.
fn entries(
    header: &Header,
    read: impl Fn(u64, u64) -> Result<Vec<u8>, Error>,
) -> Result<Vec<u8>, Error> {
    let bad = |reason: String| Error::Table { reason };
    let (count, size) = (header.entries.get(), header.entry_size.get());
    let len = u64::from(count).checked_mul(size.into());
    let len = len.filter(|len| (1..=LONGEST).contains(len));
    let len = len.ok_or_else(|| bad(format!("it has {count} entries of {size} bytes")))?;
    let start = header.entries_sector.get().checked_mul(SECTOR);
    let start = start.ok_or_else(|| bad("its entries lie beyond the image".to_owned()))?;
    let mut bytes = read(start, len)?;
    if crc32fast::hash(&bytes) != header.entries_crc.get() {
        return Err(bad("the checksum of its entries is wrong".to_owned()));
    }
    let whole = bytes.len().next_multiple_of(SECTOR_LEN);
    bytes.resize(whole, 0);
    Ok(bytes)
}

/// Length of a sector in memory.
const SECTOR_LEN: usize = 512;
const _: () = assert!(SECTOR == 512);

fn as_sectors(len: usize) -> u64 {
    base::as_u64(len) / SECTOR
}

/// The image's MBR, its one protective partition reaching up to the sector `last`.
fn cover(mbr: &[u8], last: u64) -> Result<Vec<u8>, Error> {
    let bad = |reason: &str| Error::Table {
        reason: reason.to_owned(),
    };
    let mut mbr = Mbr::read_from_bytes(mbr).map_err(|_| bad("the image has no MBR"))?;
    if mbr.signature != [0x55, 0xaa] || mbr.protective.kind != 0xee {
        return Err(bad("the image has no protective MBR"));
    }
    if mbr.protective.sectors.get() != BEYOND {
        mbr.protective.sectors = protective(last).protective.sectors;
    }
    Ok(mbr.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A disk of `len` bytes by crate `gpt`, with a partition.
    fn image(len: usize) -> Vec<u8> {
        let mut disk = Cursor::new(vec![0; len]);
        let sectors = u32::try_from(len / 512).unwrap();
        let mbr = gpt::mbr::ProtectiveMBR::with_lb_size(sectors.checked_sub(1).unwrap());
        mbr.overwrite_lba0(&mut disk).unwrap();
        let mut table = gpt::GptConfig::new()
            .writable(true)
            .logical_block_size(gpt::disk::LogicalBlockSize::Lb512)
            .create_from_device(&mut disk, None)
            .unwrap();
        table
            .add_partition("config", 1 << 20, gpt::partition_types::LINUX_FS, 0, None)
            .unwrap();
        table.write().unwrap();
        disk.into_inner()
    }

    /// The bytes of a disk of `len`.
    fn written(image: &[u8], moved: &MovedTable, len: usize) -> Vec<u8> {
        let mut disk = image.to_vec();
        let place = |at: u64| usize::try_from(at).unwrap();
        disk[place(moved.old.start)..place(moved.old.end)].fill(0);
        disk.resize(len, 0);
        for (at, bytes) in moved.head.iter().chain(&moved.tail) {
            disk[place(*at)..][..bytes.len()].copy_from_slice(bytes);
        }
        disk
    }

    #[test]
    fn another_reader_finds_it_at_both_ends() {
        let small = image(4 << 20);
        for len in [4 << 20, 64 << 20, (5 << 20) + 512 * 7 + 100] {
            let moved = moved_table(&small, 4 << 20, base::as_u64(len)).unwrap();
            let disk = written(&small, &moved, len);
            let whole = len / 512 * 512;
            let open = |bytes: Vec<u8>| {
                gpt::GptConfig::new()
                    .open_from_device(Cursor::new(bytes))
                    .map(|table| {
                        let (first, second) = (
                            table.primary_header().is_ok(),
                            table.backup_header().is_ok(),
                        );
                        let parts = table
                            .partitions()
                            .values()
                            .map(|p| p.name.clone())
                            .collect::<Vec<_>>();
                        (first, second, parts)
                    })
            };
            let found = open(disk[..whole].to_vec()).unwrap();
            assert_eq!(found, (true, true, vec!["config".to_owned()]), "{len}");
            assert_eq!(&disk[1 << 20..3 << 20], &small[1 << 20..3 << 20]);
            let covered = u32::from_le_bytes(disk[458..462].try_into().unwrap());
            assert_eq!(usize::try_from(covered).unwrap(), whole / 512 - 1);
            if len == 4 << 20 {
                assert!(disk == small);
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let small = image(4 << 20);
        let refused = |change: &dyn Fn(&mut Vec<u8>), len: u64| {
            let mut image = small.clone();
            change(&mut image);
            moved_table(&image, base::as_u64(image.len()), len)
                .unwrap_err()
                .to_string()
        };
        let same = |_: &mut Vec<u8>| ();
        type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
        let table: [(Change<'_>, u64, &str); 7] = [
            (
                &same,
                3 << 20,
                "a disk of 3145728 bytes has no room for an image of 4194304",
            ),
            (
                &|image| image[512] = 0,
                8 << 20,
                "the image has none; want a GPT with sectors of 512 bytes",
            ),
            (
                &|image| image[570] ^= 1,
                8 << 20,
                "the checksum of its header is wrong",
            ),
            (
                &|image| image[1030] ^= 1,
                8 << 20,
                "the checksum of its entries is wrong",
            ),
            (
                &|image| image[450] = 0x0c,
                8 << 20,
                "the image has no protective MBR",
            ),
            (
                &|image| image.truncate(600),
                8 << 20,
                "the image has 600 bytes, which is no disk",
            ),
            (
                &|image| image.truncate(2 << 20),
                8 << 20,
                "its copy is said to be in sector 8191, beyond the image",
            ),
        ];
        for (change, len, reason) in table {
            let said = refused(change, len);
            assert!(said.contains(reason), "{said}");
        }
    }
}
