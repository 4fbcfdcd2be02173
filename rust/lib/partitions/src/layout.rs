//! Where each partition starts and how large the disk is.
//!
//! | bytes                  | what                                                          |
//! |------------------------|---------------------------------------------------------------|
//! | 0                      | protective MBR                                                |
//! | 512                    | GPT header                                                    |
//! | 1024                   | 128 entries of 128 bytes                                      |
//! | 17408 (sector 34)      | first byte that a stated start may name                       |
//! | 1 MiB                  | first computed start                                          |
//! | size of disk − 33 × 512| backup entries and header (UEFI 2.10, section 5.3)            |

use crate::csv::{Partition, Table};
use crate::error::{Error, Problem};

/// One MiB in bytes; computed starts are multiples of it.
pub const MIB: u64 = 1 << 20;
/// Bytes in a logical block of the disks we make.
pub const SECTOR: u64 = 512;
/// MBR, header and 128 entries.
const TABLE: u64 = 34 * SECTOR;
/// 128 entries and header.
const BACKUP: u64 = 33 * SECTOR;
/// Offsets of files are signed; behind the last partition is the backup table, and the disk is rounded up to a MiB.
const MAX_END: u64 = i64::MAX.unsigned_abs() - 2 * MIB;

/// A partition and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Number in the table, from 1.
    pub number: u32,
    /// First byte.
    pub start: u64,
    /// The line of the table.
    pub partition: Partition,
}

impl Placed {
    /// The byte after the last one.
    #[expect(
        clippy::expect_used,
        reason = "`place`, which makes them, refuses an end near 2^63"
    )]
    pub fn end(&self) -> u64 {
        let end = self.start.checked_add(self.partition.size);
        end.expect("a partition that was placed")
    }
}

/// A disk: its size and its partitions in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Size of the disk in bytes.
    pub disk_size: u64,
    /// Partitions, none overlapping another.
    pub partitions: Vec<Placed>,
}

impl Layout {
    /// The partition called `name`.
    pub fn get(&self, name: &str) -> Option<&Placed> {
        self.partitions
            .iter()
            .find(|placed| placed.partition.name == name)
    }
}

impl Table {
    /// Places every partition. Without a disk size, the disk is as small as the table allows, in whole MiB.
    pub fn layout(&self, disk_size: Option<u64>) -> Result<Layout, Error> {
        let mut partitions: Vec<Placed> = Vec::with_capacity(self.entries.len());
        let mut next = MIB;
        for (number, entry) in (1_u32..).zip(&self.entries) {
            let placed = place(number, entry, next)?;
            for other in &partitions {
                check_overlap(&placed, other)?;
            }
            next = placed.end();
            partitions.push(placed);
        }
        let disk_size = disk_size_of(&partitions, disk_size)?;
        Ok(Layout {
            disk_size,
            partitions,
        })
    }
}

fn place(number: u32, entry: &Partition, next: u64) -> Result<Placed, Error> {
    let start = match entry.start {
        Some(start) if start < TABLE => {
            return Err(Problem::InsideTable {
                got: start,
                first: TABLE,
            }
            .at(entry.line))
        }
        Some(start) => start,
        None => next
            .checked_next_multiple_of(MIB)
            .ok_or_else(|| too_large(entry))?
            .max(MIB),
    };
    start
        .checked_add(entry.size)
        .filter(|end| *end <= MAX_END)
        .ok_or_else(|| too_large(entry))?;
    Ok(Placed {
        number,
        start,
        partition: entry.clone(),
    })
}

fn too_large(entry: &Partition) -> Error {
    let name = entry.name.clone();
    Problem::TooLarge { name }.at(entry.line)
}

fn check_overlap(placed: &Placed, other: &Placed) -> Result<(), Error> {
    let from = placed.start.max(other.start);
    let to = placed.end().min(other.end());
    match to.checked_sub(from) {
        None | Some(0) => Ok(()),
        Some(by) => Err(Problem::Overlap {
            name: placed.partition.name.clone(),
            start: placed.start,
            end: placed.end(),
            other: other.partition.name.clone(),
            other_line: other.partition.line,
            other_start: other.start,
            other_end: other.end(),
            by,
        }
        .at(placed.partition.line)),
    }
}

fn disk_size_of(partitions: &[Placed], wanted: Option<u64>) -> Result<u64, Error> {
    let Some(last) = partitions.iter().max_by_key(|placed| placed.end()) else {
        return Ok(wanted.unwrap_or(2 * MIB));
    };
    let line = last.partition.line;
    let Some(disk) = wanted else {
        let disk = last.end().checked_add(BACKUP);
        let disk = disk.and_then(|disk| disk.checked_next_multiple_of(MIB));
        return disk.ok_or_else(|| too_large(&last.partition));
    };
    if disk % SECTOR != 0 {
        return Err(Problem::DiskSize { got: disk }.at(line));
    }
    if i64::try_from(disk).is_err() {
        return Err(Problem::DiskTooLarge { got: disk }.at(line));
    }
    let end = last.end().checked_add(BACKUP);
    let end = end.ok_or_else(|| too_large(&last.partition))?;
    match end.checked_sub(disk) {
        None | Some(0) => Ok(disk),
        Some(by) => Err(Problem::DoesNotFit {
            name: last.partition.name.clone(),
            end: last.end(),
            by,
            disk,
        }
        .at(line)),
    }
}
