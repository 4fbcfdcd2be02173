//! Headers of `ar`'s members.
//!
//! | offset | size | field   | here                                     |
//! |-------:|-----:|---------|------------------------------------------|
//! |      0 |   16 | name    | padded with blanks; `/` may end it       |
//! |     16 |   32 | date, user, group, mode | passed over: deb(5) gives them no meaning |
//! |     48 |   10 | size    | decimal, padded with blanks              |
//! |     58 |    2 | end     | `` `\n ``                                |
//!
//! Members begin at even offsets.

use std::io::{self, Read, Seek, SeekFrom};

use crate::error::Error;

/// What an archive begins with.
pub(crate) const MAGIC: &[u8; 8] = b"!<arch>\n";
/// Bytes of a header.
const HEADER: u64 = 60;

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Where its header begins.
    pub(crate) offset: u64,
    pub(crate) name: String,
    /// Where its data begins.
    pub(crate) at: u64,
    pub(crate) len: u64,
    /// Where the next header would begin.
    pub(crate) next: u64,
}

/// The member whose header is at `offset`; none at the end of the file, which is `len` bytes long.
pub(crate) fn member(
    reader: &mut (impl Read + Seek),
    offset: u64,
    len: u64,
) -> Result<Option<Member>, Error> {
    // The last member may lack what pads it.
    if offset >= len {
        return Ok(None);
    }
    let header = header(reader, offset, len)?;
    let (name, rest) = header.split_at(16);
    let (_, rest) = rest.split_at(32);
    let (size, mark) = rest.split_at(10);
    let bad = |field, got: &[u8], want| Error::Header {
        offset,
        field,
        got: got.escape_ascii().to_string(),
        want,
    };
    if mark != b"`\n" {
        return Err(bad("its end", mark, "a backquote and a newline"));
    }
    let name = name.trim_ascii_end();
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let is_plain = |b: &u8| b.is_ascii_graphic() && *b != b'/';
    if name.is_empty() || !name.iter().all(is_plain) {
        return Err(bad("its name", name, "letters, digits and marks"));
    }
    let bad_size = || bad("its size", size, "a number");
    let number = number(size).ok_or_else(bad_size)?;
    let at = end(offset, HEADER).ok_or_else(bad_size)?;
    let stop = end(at, number).ok_or_else(bad_size)?;
    let name = String::from_utf8_lossy(name).into_owned();
    if stop > len {
        return Err(Error::Truncated {
            member: name,
            end: stop,
            len,
        });
    }
    Ok(Some(Member {
        offset,
        name,
        at,
        len: number,
        next: stop.checked_next_multiple_of(2).ok_or_else(bad_size)?,
    }))
}

/// The bytes of the header at `offset`.
fn header(reader: &mut (impl Read + Seek), offset: u64, len: u64) -> Result<[u8; 60], Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::UnexpectedEof => Error::Truncated {
            member: "header".to_owned(),
            end: end(offset, HEADER).unwrap_or(offset),
            len,
        },
        _ => Error::Io {
            what: "the header of a member",
            source,
        },
    };
    let mut bytes = [0; 60];
    reader.seek(SeekFrom::Start(offset)).map_err(failed)?;
    reader.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A decimal number, padded with blanks.
fn number(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_end();
    let all = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| all)?
        .parse()
        .ok()
}

fn end(at: u64, len: u64) -> Option<u64> {
    at.checked_add(len)
}
