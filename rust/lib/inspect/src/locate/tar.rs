//! Members of an archive in tar's format, as update bundles are.
//!
//! Spec: POSIX.1-2001, "ustar Interchange Format" and "pax Header Block". Only what says where members lie is read.

use super::map::{Region, Regions, Stored};
use super::What;
use crate::bytes::{is_zero, part, Fields, Number};
use crate::error::{damage, damaged, Error, Fault};
use crate::image::Window;
use crate::names::Name;
use crate::span::{Run, Span};
use base::as_usize;

const BLOCK: u64 = 512;
/// A longer record is not read.
const MAX_RECORD: u64 = 1 << 20;

/// Adds what is where; whether this is an archive.
pub(super) fn regions(window: Window<'_>, regions: &mut Regions<'_>) -> Result<bool, Error> {
    match damaged(header(window, 0))? {
        Ok(Some(_)) => {}
        _ => return Ok(false),
    }
    let mut reader = Reader {
        window,
        at: 0,
        start: 0,
        name: None,
    };
    // Damage ends what is known of the archive.
    while let Ok(true) = damaged(reader.member(regions))? {}
    Ok(true)
}

/// The header at `at`; none where the archive ends.
fn header(window: Window<'_>, at: u64) -> Result<Option<[u8; 512]>, Fault> {
    let header: [u8; 512] = window.array(at)?;
    if is_zero(&header) {
        return Ok(None);
    }
    match header.field::<257, 5>() {
        b"ustar" => Ok(Some(header)),
        _ => Err(damage!("no header at byte {at}")),
    }
}

struct Reader<'a> {
    window: Window<'a>,
    at: u64,
    /// Where the records of the next member begin.
    start: u64,
    /// Its name, if a record has said it.
    name: Option<Vec<u8>>,
}

impl Reader<'_> {
    /// Reads a header and what follows it; whether there may be more.
    fn member(&mut self, regions: &mut Regions<'_>) -> Result<bool, Fault> {
        let Some(header) = header(self.window, self.at)? else {
            let rest = Span::up_to(self.window.len()).from(self.at);
            regions.push(Region::is(rest, What::End));
            return Ok(false);
        };
        let kind = header.u8::<156>();
        let has_data = !matches!(kind, b'1'..=b'6');
        let size = if has_data {
            number(header.field::<124, 12>())?
        } else {
            0
        };
        let data = Span::new(self.at.plus(BLOCK)?, size)?;
        self.at = data
            .end()
            .checked_next_multiple_of(BLOCK)
            .ok_or_else(|| damage!("no end"))?;
        if matches!(kind, b'x' | b'L' | b'g' | b'K') {
            if matches!(kind, b'x' | b'L') {
                self.name = self.record(kind, data)?.or(self.name.take());
            }
            return Ok(true);
        }
        let path = Name(self.name.take().unwrap_or_else(|| short_name(&header)));
        let head = Span::up_to(data.start()).from(self.start);
        self.start = self.at;
        let header = What::MemberHeader { path: path.clone() };
        let mut goes_on = regions.push(Region::is(head, header));
        if size > 0 {
            let runs = vec![Run::whole(data)];
            goes_on &= regions.file(Stored { path, size, runs });
        }
        Ok(goes_on)
    }

    /// The name that a record says.
    fn record(&self, kind: u8, data: Span) -> Result<Option<Vec<u8>>, Fault> {
        if data.len() > MAX_RECORD {
            return Err(damage!("a record of {} bytes", data.len()));
        }
        let bytes = self.window.bytes(data.start(), as_usize(data.len()))?;
        if kind == b'L' {
            return Ok(Some(until_zero(&bytes)));
        }
        let mut rest = bytes.as_slice();
        let mut name = None;
        // `LENGTH KEY=VALUE\n`, the length being that of all of it.
        while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
            let digits = std::str::from_utf8(part(rest, 0, space)?).ok();
            let len: usize = digits
                .and_then(|digits| digits.parse().ok())
                .filter(|len| *len > space)
                .ok_or_else(|| damage!("a record without its length"))?;
            let (record, after) = rest
                .split_at_checked(len)
                .ok_or_else(|| damage!("a record that is cut off"))?;
            let text = record
                .get(space..)
                .and_then(|text| text.strip_prefix(b" path="));
            if let Some(value) = text {
                name = Some(value.strip_suffix(b"\n").unwrap_or(value).to_vec());
            }
            rest = after;
        }
        Ok(name)
    }
}

fn until_zero(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .take_while(|byte| *byte != 0)
        .collect()
}

/// The name in a header.
fn short_name(header: &[u8; 512]) -> Vec<u8> {
    let mut name = until_zero(header.field::<345, 155>());
    if !name.is_empty() {
        name.push(b'/');
    }
    name.extend(until_zero(header.field::<0, 100>()));
    name
}

/// A size: octal digits, or a binary number if the first bit is set.
fn number(field: &[u8; 12]) -> Result<u64, Fault> {
    if field.u8::<0>() & 0x80 != 0 {
        let low: [u8; 8] = *field.field::<4, 8>();
        return match field.field::<0, 4>() {
            [0x80, 0, 0, 0] => Ok(u64::from_be_bytes(low)),
            _ => Err(damage!("a member of more bytes than an image can have")),
        };
    }
    let text = std::str::from_utf8(field).map_err(|_| damage!("a size that is no number"))?;
    let digits = text.trim_matches([' ', '\0']);
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| damage!("a size that is no number"))
}
