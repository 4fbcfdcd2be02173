//! Reading `partitions.csv`.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::error::{Error, Problem};
use crate::layout::{MIB, SECTOR};
use crate::types::{parse_guid, type_guid};

/// The header line.
pub const COLUMNS: &str = "name,start,size,type,uuid,description";
/// How many entries the partition table has.
pub const MAX_PARTITIONS: usize = 128;
/// UEFI 2.10, table 5.6: PartitionName is 72 bytes.
const NAME_UNITS: usize = 36;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// PARTLABEL.
    pub name: String,
    /// First byte as stated; `None`: computed.
    pub start: Option<u64>,
    /// Size in bytes, a multiple of 512, never 0.
    pub size: u64,
    /// Partition type.
    pub type_guid: Uuid,
    /// PARTUUID.
    pub uuid: Uuid,
    /// Text for people.
    pub description: String,
    /// Line in the CSV file, from 1.
    pub line: usize,
}

impl Partition {
    /// MiB of an image that fills it.
    pub fn mib(&self) -> Result<u64, Error> {
        match self.size % MIB {
            0 => Ok(self.size / MIB),
            _ => Err(Problem::Uneven {
                name: self.name.clone(),
                size: self.size,
            }
            .at(self.line)),
        }
    }
}

/// A table that passed every check that does not need the size of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Partitions in the order of the file, which is the order of the partition numbers.
    pub entries: Vec<Partition>,
}

impl Table {
    /// Reads the text of a `partitions.csv`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut entries: Vec<Partition> = Vec::new();
        let mut names = BTreeMap::new();
        let mut uuids = BTreeMap::new();
        let mut header = false;
        let mut last = 1;
        // Not `str::lines`: a carriage return is to be seen and refused.
        for (line, content) in (1_usize..).zip(text.split('\n')) {
            last = line;
            let trimmed = content.trim_matches(' ');
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            if let Some(bad) = content.chars().find(|c| c.is_control()) {
                return Err(Problem::Control { code: bad.into() }.at(line));
            }
            if !header {
                check_header(trimmed).map_err(|p| p.at(line))?;
                header = true;
                continue;
            }
            let entry = parse_entry(trimmed, line).map_err(|p| p.at(line))?;
            if let Some(first) = names.insert(entry.name.clone(), line) {
                let name = entry.name;
                return Err(Problem::DuplicateName { name, first }.at(line));
            }
            if let Some(first) = uuids.insert(entry.uuid, line) {
                let uuid = entry.uuid;
                return Err(Problem::DuplicateUuid { uuid, first }.at(line));
            }
            if entries.len() == MAX_PARTITIONS {
                let max = MAX_PARTITIONS;
                return Err(Problem::TooMany { max }.at(line));
            }
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err(Problem::Empty.at(last));
        }
        let table = Self { entries };
        // Overlaps don't depend on the disk: report them to whoever reads the table, not only to who makes a disk.
        table.layout(None)?;
        Ok(table)
    }

    /// The partition called `name`.
    pub fn get(&self, name: &str) -> Option<&Partition> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

fn check_header(line: &str) -> Result<(), Problem> {
    let got: Vec<&str> = line.split(',').map(str::trim).collect();
    if got.join(",") == COLUMNS {
        Ok(())
    } else {
        Err(Problem::Header {
            got: line.to_owned(),
        })
    }
}

fn parse_entry(text: &str, line: usize) -> Result<Partition, Problem> {
    let fields = split(text)?;
    let got = fields.len();
    let [name, start, size, kind, uuid, description] =
        <[String; 6]>::try_from(fields).map_err(|_| Problem::Fields { got })?;
    check_name(&name)?;
    let size = parse_size("size", &size)?;
    if size == 0 {
        return Err(Problem::ZeroSize);
    }
    Ok(Partition {
        start: parse_start(&start)?,
        size,
        type_guid: type_guid(&kind).ok_or(Problem::UnknownType { got: kind })?,
        uuid: parse_guid(&uuid).ok_or(Problem::BadUuid { got: uuid })?,
        name,
        description,
        line,
    })
}

fn check_name(name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err(Problem::NoName);
    }
    if let Some(bad) = name.chars().find(|c| matches!(c, '/' | '=' | '"')) {
        return Err(Problem::NameCharacter {
            name: name.to_owned(),
            bad,
        });
    }
    let units = name.encode_utf16().count();
    if units > NAME_UNITS {
        return Err(Problem::NameTooLong {
            name: name.to_owned(),
            units,
        });
    }
    Ok(())
}

fn parse_start(text: &str) -> Result<Option<u64>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let start = parse_size("start", text)?;
    if !text.ends_with('s') && start % MIB != 0 {
        return Err(Problem::Misaligned {
            got: start,
            next: start.div_ceil(MIB),
        });
    }
    Ok(Some(start))
}

/// A number with its unit, in bytes. A bare number is refused: bytes, sectors and MiB are all in use elsewhere.
fn parse_size(field: &'static str, text: &str) -> Result<u64, Problem> {
    let bad = || Problem::BadSize {
        field,
        got: text.to_owned(),
    };
    let unit = text.chars().next_back().ok_or_else(bad)?;
    let digits = text.strip_suffix(unit).ok_or_else(bad)?;
    // `u64::from_str` would also take a plus sign.
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let factor = match unit {
        's' => SECTOR,
        'K' => 1 << 10,
        'M' => 1 << 20,
        'G' => 1 << 30,
        'T' => 1 << 40,
        _ => return Err(bad()),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .ok_or_else(bad)
}

/// The fields of a line: separated by commas, trimmed of spaces, or quoted as in RFC 4180.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "each field but one takes a byte of the line"
)]
fn split(line: &str) -> Result<Vec<String>, Problem> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let field = fields.len() + 1;
        let start = rest.trim_start_matches(' ');
        let after = if let Some(quoted) = start.strip_prefix('"') {
            let (text, after) = unquote(quoted).ok_or(Problem::Quoting { field })?;
            fields.push(text);
            after.trim_start_matches(' ')
        } else {
            let end = start.find(',').unwrap_or(start.len());
            let (text, after) = start.split_at_checked(end).unwrap_or((start, ""));
            fields.push(text.trim_end_matches(' ').to_owned());
            after
        };
        if after.is_empty() {
            return Ok(fields);
        }
        rest = after.strip_prefix(',').ok_or(Problem::Quoting { field })?;
    }
}

/// The text up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        out.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                out.push('"');
                rest = more;
            }
            None => return Some((out, after)),
        }
    }
}
