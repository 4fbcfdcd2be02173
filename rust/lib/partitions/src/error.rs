//! What can be wrong with a table.

use crate::csv::COLUMNS;
use crate::layout::{MIB, SECTOR};
use crate::types::TYPES;

/// A table that was refused: which line, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Error {
    /// Line of the table, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// Why a line was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The first line that is no comment is not the header.
    #[error("header is {got:?}, want {COLUMNS:?}")]
    Header {
        /// The line found.
        got: String,
    },
    /// A line has too few or too many fields.
    #[error(
        "{got} fields, want 6 ({COLUMNS}); a description with a comma goes into double quotes"
    )]
    Fields {
        /// How many were found.
        got: usize,
    },
    /// A quote that is not closed, or text beside a quoted field.
    #[error("bad quoting in field {field}: a quoted field starts and ends with \" and doubles each \" inside")]
    Quoting {
        /// Number of the field from 1.
        field: usize,
    },
    /// A tab or another control character, such as the carriage return of a Windows line end.
    #[error("control character U+{code:04X}")]
    Control {
        /// The character.
        code: u32,
    },
    /// The name is empty.
    #[error("name is empty")]
    NoName,
    /// The name can't be given to `--image NAME=FILE` or be a file name under `/dev/disk/by-partlabel`.
    #[error("name {name:?} contains {bad:?}")]
    NameCharacter {
        /// The name.
        name: String,
        /// The character refused.
        bad: char,
    },
    /// The name does not fit into the table.
    #[error("name {name:?} has {units} UTF-16 units, a partition name holds 36")]
    NameTooLong {
        /// The name.
        name: String,
        /// Its length.
        units: usize,
    },
    /// Two partitions have one name.
    #[error("name {name:?} was given on line {first} already")]
    DuplicateName {
        /// The name.
        name: String,
        /// Where it was first.
        first: usize,
    },
    /// The type is no alias and no GUID.
    #[error("unknown type {got:?}, want a GUID or one of {}", aliases())]
    UnknownType {
        /// The field.
        got: String,
    },
    /// The PARTUUID is not one.
    #[error("uuid {got:?} is no GUID, want 8-4-4-4-12 hex digits, not all zero")]
    BadUuid {
        /// The field.
        got: String,
    },
    /// Two partitions have one PARTUUID.
    #[error("uuid {uuid} was given on line {first} already")]
    DuplicateUuid {
        /// The PARTUUID.
        uuid: uuid::Uuid,
        /// Where it was first.
        first: usize,
    },
    /// `start` or `size` is not a number with a unit.
    #[error("{field} {got:?} is no size, want a number with K, M, G, T or s (512-byte sectors), such as 64M")]
    BadSize {
        /// Which field.
        field: &'static str,
        /// Its text.
        got: String,
    },
    /// The size is 0.
    #[error("size is 0")]
    ZeroSize,
    /// The size of a partition that a file system of whole MiB is to fill.
    #[error("{name} has {size} bytes, want whole MiB for a file system")]
    Uneven {
        /// The partition.
        name: String,
        /// Its size in bytes.
        size: u64,
    },
    /// A start that is not on a MiB.
    #[error("start {got} is not a multiple of 1 MiB ({MIB}), the next one is {next}M; to mean it, write sectors: {}s", got / SECTOR)]
    Misaligned {
        /// The start in bytes.
        got: u64,
        /// The MiB after it.
        next: u64,
    },
    /// A start inside the primary table.
    #[error("start {got} lies inside the partition table, the first usable byte is {first}")]
    InsideTable {
        /// The start in bytes.
        got: u64,
        /// First byte that a partition may have.
        first: u64,
    },
    /// Two partitions share bytes.
    #[error("partition {name:?} ({start} to {end}) overlaps {other:?} of line {other_line} ({other_start} to {other_end}) by {by} bytes")]
    Overlap {
        /// This partition.
        name: String,
        /// Its first byte.
        start: u64,
        /// The byte after its last.
        end: u64,
        /// The other partition.
        other: String,
        /// Line of the other.
        other_line: usize,
        /// First byte of the other.
        other_start: u64,
        /// The byte after the other's last.
        other_end: u64,
        /// How many bytes they share.
        by: u64,
    },
    /// A partition does not end before the end of the disk.
    #[error("partition {name:?} ends at {end}, {by} bytes after the last usable byte of a disk of {disk} bytes")]
    DoesNotFit {
        /// The partition.
        name: String,
        /// The byte after its last.
        end: u64,
        /// How much is missing.
        by: u64,
        /// Size of the disk.
        disk: u64,
    },
    /// A disk size that is not a whole number of sectors.
    #[error("disk size {got} is not a multiple of {SECTOR}")]
    DiskSize {
        /// The size asked for.
        got: u64,
    },
    /// A disk size beyond the offsets of files, which are signed.
    #[error("disk size {got} is 2^63 bytes or more, which no file has")]
    DiskTooLarge {
        /// The size asked for.
        got: u64,
    },
    /// An offset that no file or disk can have.
    #[error("partition {name:?} would end after 2^63 bytes")]
    TooLarge {
        /// The partition.
        name: String,
    },
    /// More entries than a table holds.
    #[error("more than {max} partitions")]
    TooMany {
        /// Size of the table.
        max: usize,
    },
    /// No partition at all.
    #[error("the table has no partition")]
    Empty,
}

impl Problem {
    /// This problem on line `line`.
    pub(crate) fn at(self, line: usize) -> Error {
        Error {
            line,
            problem: self,
        }
    }
}

fn aliases() -> String {
    let names: Vec<&str> = TYPES.iter().map(|(alias, _)| *alias).collect();
    names.join(", ")
}
