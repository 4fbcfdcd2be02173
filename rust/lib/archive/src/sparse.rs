//! Files with holes: the maps that say where their bytes belong.
//!
//! GNU tar has written four forms, all of which are read (its manual, "Storing Sparse Files"; `tar(5)` of libarchive):
//!
//! | form    | where the map is                                                                             |
//! |---------|----------------------------------------------------------------------------------------------|
//! | old GNU | type `S`: four entries in the header at byte 386, 21 in each block that may follow it        |
//! | pax 0.0 | records `GNU.sparse.offset` and `GNU.sparse.numbytes`, again and again                       |
//! | pax 0.1 | record `GNU.sparse.map`, numbers with commas                                                 |
//! | pax 1.0 | before the data: numbers, each ended by `\n`, how many entries first; zeros up to a block    |
//!
//! We write pax 1.0, as GNU tar does: bsdtar, Go and Python read it.

use crate::entry::{Kind, Piece};
use crate::error::Reason;
use crate::header::{field, number, Block, BLOCK_LEN};

/// The longest map as text. A map is held in memory, and this one has 100,000 entries or more.
pub(crate) const MAX_MAP: usize = 1 << 20;

/// An entry: where in the file, and how many bytes.
type Run = (u64, u64);

/// What the records of an extended header say about holes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    major: Option<u64>,
    minor: Option<u64>,
    size: Option<u64>,
    pub(crate) name: Option<Vec<u8>>,
    runs: Vec<Run>,
    /// Offset whose length has not come yet.
    open: Option<u64>,
}

/// Where a member's map is to be found.
#[derive(Debug)]
pub(crate) enum Form {
    /// It is known: the file's length and its runs.
    Known(u64, Vec<Run>),
    /// It stands before the data of a file of that length.
    InData(u64),
}

impl Records {
    /// Takes the record `GNU.sparse.FIELD`.
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8]) -> Result<(), Reason> {
        let value_of = || decimal(value).ok_or(bad("has a record that is no number"));
        match field {
            b"major" => self.major = Some(value_of()?),
            b"minor" => self.minor = Some(value_of()?),
            b"size" | b"realsize" => self.size = Some(value_of()?),
            b"name" => self.name = Some(value.to_vec()),
            // How many there are, they tell themselves.
            b"numblocks" => drop(value_of()?),
            b"offset" => match self.open.replace(value_of()?) {
                None => {}
                Some(_) => return Err(bad("has an offset without a length")),
            },
            b"numbytes" => {
                let at = self.open.take();
                let at = at.ok_or(bad("has a length without an offset"))?;
                self.runs.push((at, value_of()?));
            }
            b"map" => {
                let numbers = value.split(|b| *b == b',');
                self.runs = runs(numbers.map(decimal))?;
            }
            _ => return Err(bad("has a record that is not known")),
        }
        Ok(())
    }

    /// The form of the map, if there is one.
    pub(crate) fn form(&mut self) -> Result<Option<Form>, Reason> {
        let nothing = self.runs.is_empty() && self.open.is_none() && self.major.is_none();
        match (self.major.zip(self.minor), self.size) {
            (None, None) if nothing => Ok(None),
            (None | Some((0, _)), Some(size)) => {
                if self.open.is_some() {
                    return Err(bad("has an offset without a length"));
                }
                Ok(Some(Form::Known(size, std::mem::take(&mut self.runs))))
            }
            (Some((1, 0)), Some(size)) => Ok(Some(Form::InData(size))),
            (Some((1, 0)) | None | Some((0, _)), None) => {
                Err(bad("comes without the length of the file"))
            }
            (Some(_), _) => Err(bad(
                "is of a version that is not known: want 0.0, 0.1 or 1.0",
            )),
        }
    }
}

/// The entries of an old GNU header, and whether a block of more follows; the file's length.
pub(crate) fn old_header(block: &Block, runs: &mut Vec<Run>) -> Result<(u64, bool), Reason> {
    old_entries(block, 386, 4, runs)?;
    let size = old_number(block, 483)?;
    Ok((size, block.get(482).is_some_and(|b| *b != 0)))
}

/// The entries of a block behind an old GNU header, and whether another one follows.
pub(crate) fn old_block(block: &Block, runs: &mut Vec<Run>) -> Result<bool, Reason> {
    old_entries(block, 0, 21, runs)?;
    Ok(block.get(504).is_some_and(|b| *b != 0))
}

fn old_entries(
    block: &Block,
    start: usize,
    count: usize,
    runs: &mut Vec<Run>,
) -> Result<(), Reason> {
    for at in (start..).step_by(24).take(count) {
        // What is not used begins with a zero byte.
        if block.get(at).is_none_or(|b| *b == 0) {
            return Ok(());
        }
        let len = old_number(block, at.saturating_add(12))?;
        runs.push((old_number(block, at)?, len));
        if runs.len() > MAX_MAP / 24 {
            return Err(bad("has more than 1 MiB"));
        }
    }
    Ok(())
}

fn old_number(block: &Block, at: usize) -> Result<u64, Reason> {
    let value = number(field(block, (at, 12)), "sparse map")?;
    u64::try_from(value).map_err(|_| Reason::Number {
        field: "sparse map",
    })
}

/// A map of the form 1.0 that is being read, block by block.
#[derive(Debug, Default)]
pub(crate) struct MapText {
    text: Vec<u8>,
    /// Lines so far.
    lines: usize,
    /// Lines that there must be.
    wanted: Option<usize>,
}

impl MapText {
    /// Takes one more block; whether the map is complete.
    pub(crate) fn block(&mut self, block: &Block) -> Result<bool, Reason> {
        if self
            .text
            .len()
            .checked_add(BLOCK_LEN)
            .is_none_or(|len| len > MAX_MAP)
        {
            return Err(bad("has more than 1 MiB"));
        }
        self.text.extend_from_slice(block);
        let ends = block.iter().filter(|b| **b == b'\n').count();
        self.lines = self.lines.saturating_add(ends);
        if self.wanted.is_none() && self.lines > 0 {
            let first = self.text.split(|b| *b == b'\n').next().unwrap_or_default();
            let entries = decimal(first).and_then(|n| usize::try_from(n).ok());
            // A line for how many there are, and two for each.
            let lines = entries.and_then(|n| n.checked_mul(2)?.checked_add(1));
            self.wanted = Some(lines.ok_or(bad("does not begin with a number of entries"))?);
        }
        Ok(self.wanted.is_some_and(|wanted| self.lines >= wanted))
    }

    /// The entries.
    pub(crate) fn runs(self) -> Result<Vec<Run>, Reason> {
        let wanted = self.wanted.unwrap_or(1);
        let lines = self.text.split(|b| *b == b'\n');
        let numbers = lines.take(wanted).skip(1);
        runs(numbers.map(decimal))
    }
}

/// Numbers in pairs.
fn runs(numbers: impl Iterator<Item = Option<u64>>) -> Result<Vec<Run>, Reason> {
    let mut out = Vec::new();
    let mut open = None;
    for number in numbers {
        let number = number.ok_or(bad("has an entry that is no number"))?;
        match open.take() {
            None => open = Some(number),
            Some(at) => out.push((at, number)),
        }
    }
    match open {
        None => Ok(out),
        Some(_) => Err(bad("has an offset without a length")),
    }
}

/// A file of `size` bytes whose runs lie one behind the other, `stored` bytes long, from `offset` on.
pub(crate) fn kind(size: u64, runs: &[Run], offset: u64, stored: u64) -> Result<Kind, Reason> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut end = 0;
    let mut used = 0_u64;
    for (at, len) in runs {
        if *at < end {
            return Err(bad("is not in order"));
        }
        let Some(past) = end_of(*at, *len, size) else {
            return Err(bad("reaches beyond the file"));
        };
        end = past;
        let from = offset
            .checked_add(used)
            .ok_or(bad("is longer than its data"))?;
        used = used
            .checked_add(*len)
            .ok_or(bad("is longer than its data"))?;
        match pieces.last_mut() {
            _ if *len == 0 => {}
            Some(last) if last.at.checked_add(last.len) == Some(*at) => {
                last.len = past.checked_sub(last.at).ok_or(bad("is not in order"))?;
            }
            _ => pieces.push(Piece {
                at: *at,
                len: *len,
                offset: from,
            }),
        }
    }
    if used != stored {
        return Err(bad("does not fit the length of its data"));
    }
    Ok(match pieces.as_slice() {
        [] if size == 0 => Kind::File { offset, len: 0 },
        [all] if all.len == size => Kind::File { offset, len: size },
        _ => Kind::Sparse { len: size, pieces },
    })
}

fn end_of(at: u64, len: u64, size: u64) -> Option<u64> {
    at.checked_add(len).filter(|end| *end <= size)
}

/// The map of the form 1.0, filled up to a block, and how many bytes the pieces have; or what is wrong with them.
pub(crate) fn encode(len: u64, pieces: &[Piece]) -> Result<(Vec<u8>, u64), Reason> {
    let mut end = 0;
    let mut stored = 0_u64;
    let mut lines = Vec::new();
    let mut entries = pieces.len();
    for piece in pieces {
        if piece.len == 0 || piece.at < end {
            return Err(bad("is not in order"));
        }
        end = end_of(piece.at, piece.len, len).ok_or(bad("reaches beyond the file"))?;
        stored = stored
            .checked_add(piece.len)
            .ok_or(bad("reaches beyond the file"))?;
        lines.extend_from_slice(format!("{}\n{}\n", piece.at, piece.len).as_bytes());
    }
    if end < len {
        // As GNU tar does, which makes the file as long as its last entry says.
        lines.extend_from_slice(format!("{len}\n0\n").as_bytes());
        entries = entries.saturating_add(1);
    }
    let mut map = format!("{entries}\n").into_bytes();
    map.append(&mut lines);
    map.resize(map.len().next_multiple_of(BLOCK_LEN), 0);
    if map.len() > MAX_MAP {
        return Err(bad("has more than 1 MiB"));
    }
    Ok((map, stored))
}

/// Decimal digits only.
fn decimal(text: &[u8]) -> Option<u64> {
    crate::records::parse_number(text)
}

fn bad(what: &'static str) -> Reason {
    Reason::Map(what)
}
