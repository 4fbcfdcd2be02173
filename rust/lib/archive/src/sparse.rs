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

use base::{as_usize, past};

use crate::entry::{Kind, Piece};
use crate::error::Reason;
use crate::header::{number, Block, OldGnu, OldGnuMore, OldRun, BLOCK_LEN};

/// The longest map as text. A map is held in memory, and this one has 100,000 entries or more.
pub(crate) const MAX_MAP: usize = 1 << 20;

/// Entries of an old map of that length.
const MAX_RUNS: usize = MAX_MAP / size_of::<OldRun>();

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
    let header = OldGnu::of(block);
    old_entries(&header.map, runs)?;
    Ok((old_number(&header.realsize)?, header.more != 0))
}

/// The entries of a block behind an old GNU header, and whether another one follows.
pub(crate) fn old_block(block: &Block, runs: &mut Vec<Run>) -> Result<bool, Reason> {
    let block = OldGnuMore::of(block);
    old_entries(&block.map, runs)?;
    Ok(block.more != 0)
}

fn old_entries(entries: &[OldRun], runs: &mut Vec<Run>) -> Result<(), Reason> {
    // What is not used begins with a zero byte.
    for entry in entries.iter().take_while(|entry| entry.offset[0] != 0) {
        runs.push((old_number(&entry.offset)?, old_number(&entry.numbytes)?));
    }
    if runs.len() > MAX_RUNS {
        return Err(bad("has more than 1 MiB"));
    }
    Ok(())
}

fn old_number(field: &[u8]) -> Result<u64, Reason> {
    let value = number(field, "sparse map")?;
    u64::try_from(value).map_err(|_| Reason::Number {
        field: "sparse map",
    })
}

/// A map of the form 1.0 that is being read, block by block.
#[derive(Debug, Default)]
pub(crate) struct MapText {
    text: Vec<u8>,
    /// Lines so far.
    lines: u64,
    /// Numbers that there must be behind the first line.
    numbers: Option<u64>,
}

impl MapText {
    /// Takes one more block; the entries, when the map is complete.
    pub(crate) fn block(&mut self, block: &Block) -> Result<Option<Vec<Run>>, Reason> {
        self.text.extend_from_slice(block);
        if self.text.len() > MAX_MAP {
            return Err(bad("has more than 1 MiB"));
        }
        let ends = block.iter().filter(|b| **b == b'\n').count();
        self.lines = past(self.lines, ends);
        let mut lines = self.text.split(|b| *b == b'\n');
        let first = lines.next();
        if self.numbers.is_none() && self.lines > 0 {
            let entries = first.and_then(decimal);
            // Two for each entry.
            let numbers = entries.and_then(|entries| entries.checked_mul(2));
            self.numbers = Some(numbers.ok_or(bad("does not begin with a number of entries"))?);
        }
        match self.numbers {
            Some(numbers) if numbers < self.lines => {
                runs(lines.map(decimal).take(as_usize(numbers))).map(Some)
            }
            _ => Ok(None),
        }
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
    let mut runs: Vec<Run> = Vec::new();
    for piece in pieces {
        if piece.len == 0 || piece.at < end {
            return Err(bad("is not in order"));
        }
        end = end_of(piece.at, piece.len, len).ok_or(bad("reaches beyond the file"))?;
        stored = stored
            .checked_add(piece.len)
            .ok_or(bad("reaches beyond the file"))?;
        runs.push((piece.at, piece.len));
    }
    if end < len {
        // As GNU tar does, which makes the file as long as its last entry says.
        runs.push((len, 0));
    }
    let mut map = format!("{}\n", runs.len()).into_bytes();
    for (at, len) in runs {
        map.extend_from_slice(format!("{at}\n{len}\n").as_bytes());
    }
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

#[cfg(test)]
mod tests {
    use zerocopy::FromBytes;

    use super::*;

    fn piece(at: u64, len: u64, offset: u64) -> Piece {
        Piece { at, len, offset }
    }

    #[test]
    fn records_of_a_map_want_the_files_length() {
        for said in [
            &[("offset", "0")][..],
            &[("offset", "0"), ("numbytes", "5")],
            &[("map", "0,5")],
            &[("major", "1")],
            &[("major", "1"), ("minor", "0")],
        ] {
            let mut records = Records::default();
            for (field, value) in said {
                records.set(field.as_bytes(), value.as_bytes()).unwrap();
            }
            let reason = records.form().unwrap_err();
            assert_eq!(
                reason,
                bad("comes without the length of the file"),
                "{said:?}"
            );
        }
        assert!(Records::default().form().unwrap().is_none());
    }

    #[test]
    fn maps_of_a_mebibyte() {
        let entries = vec![b'1'; 43_691 * size_of::<OldRun>()];
        let entries = <[OldRun]>::ref_from_bytes(&entries).unwrap();
        assert_eq!(old_entries(&entries[..43_690], &mut Vec::new()), Ok(()));
        let more = old_entries(entries, &mut Vec::new());
        assert_eq!(more, Err(bad("has more than 1 MiB")));

        let mut text = MapText::default();
        for _ in 0..2048 {
            assert_eq!(text.block(&[b'1'; BLOCK_LEN]), Ok(None));
        }
        let more = text.block(&[b'1'; BLOCK_LEN]);
        assert_eq!(more, Err(bad("has more than 1 MiB")));

        let pieces = |n: u64| (0..n).map(|n| piece(1_000_000 + 2 * n, 1, 0)).collect();
        let encoded = |pieces: Vec<Piece>| encode(pieces.last().unwrap().at + 1, &pieces);
        let (map, stored) = encoded(pieces(104_850)).unwrap();
        assert_eq!((map.len(), stored), (MAX_MAP, 104_850));
        let more = encoded(pieces(104_857));
        assert_eq!(more, Err(bad("has more than 1 MiB")));
    }

    /// A number may go on in the next block.
    #[test]
    fn a_number_in_two_blocks() {
        let mut block = [b'0'; BLOCK_LEN];
        block[..4].copy_from_slice(b"1\n0\n");
        let mut text = MapText::default();
        assert_eq!(text.block(&block), Ok(None));
        let mut block = [0; BLOCK_LEN];
        block[..2].copy_from_slice(b"5\n");
        assert_eq!(text.block(&block), Ok(Some(vec![(0, 5)])));
    }

    #[test]
    fn pieces_have_holes_between_them() {
        let of = |size, runs: &[Run]| {
            let stored = runs.iter().map(|(_, len)| len).sum();
            kind(size, runs, 512, stored).unwrap()
        };
        let file = |len| Kind::File { offset: 512, len };
        assert_eq!(of(0, &[]), file(0));
        assert_eq!(of(5, &[(0, 5)]), file(5));
        assert_eq!(of(5, &[(0, 2), (2, 3), (5, 0)]), file(5));
        let pieces = vec![piece(1, 5, 512), piece(8, 1, 517)];
        assert_eq!(
            of(9, &[(1, 2), (3, 3), (8, 1)]),
            Kind::Sparse { len: 9, pieces }
        );
    }

    /// A last entry without bytes stands for a hole at the end, and for nothing else.
    #[test]
    fn a_hole_at_the_end_is_an_entry() {
        for (len, want) in [(10, &b"1\n4\n6\n\0"[..]), (11, b"2\n4\n6\n11\n0\n\0")] {
            let (map, stored) = encode(len, &[piece(4, 6, 0)]).unwrap();
            assert_eq!(stored, 6);
            assert!(map.starts_with(want), "{}", map.escape_ascii());
        }
    }
}
