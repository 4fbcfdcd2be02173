//! Pax extended headers: records `LENGTH KEYWORD=VALUE\n`, the length counting the whole record and its own digits.

use std::collections::BTreeMap;

use crate::error::Reason;

/// The most an extended header may hold: names are at most 4 KiB, an attribute's value at most 64 KiB.
pub(crate) const MAX_EXTENDED: u64 = 1 << 20;

const XATTR: &[u8] = b"SCHILY.xattr.";

/// What extended headers said about a member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extended {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) mtime: Option<(i64, u32)>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// One record of a header.
pub(crate) fn push_record(out: &mut Vec<u8>, keyword: &[u8], value: &[u8]) {
    // ` `, `=` and `\n`.
    let rest = keyword.len().saturating_add(value.len()).saturating_add(3);
    let mut total = rest;
    loop {
        let with_digits = rest.saturating_add(total.to_string().len());
        if with_digits == total {
            break;
        }
        total = with_digits;
    }
    out.extend_from_slice(total.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(keyword);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Makes `records` exactly `len` bytes long by a comment, which readers pass over; at least 13 bytes must be missing.
pub(crate) fn fill(records: &mut Vec<u8>, len: usize) {
    let missing = len.saturating_sub(records.len());
    let start = records.len();
    records.extend_from_slice(format!("{missing} comment=").as_bytes());
    let text = records.len().saturating_sub(start).saturating_add(1);
    let blanks = missing.saturating_sub(text);
    records.resize(records.len().saturating_add(blanks), b' ');
    records.push(b'\n');
}

/// The record of an extended attribute. `=` would end the keyword, so it and `%` are escaped as GNU tar does.
pub(crate) fn push_xattr(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let mut keyword = XATTR.to_vec();
    for byte in name {
        match byte {
            b'%' => keyword.extend_from_slice(b"%25"),
            b'=' => keyword.extend_from_slice(b"%3D"),
            other => keyword.push(*other),
        }
    }
    push_record(out, &keyword, value);
}

fn unescape(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, tail)) = rest.split_first() {
        let (byte, next) = match (tail.strip_prefix(b"25"), tail.strip_prefix(b"3D")) {
            (Some(next), _) if *first == b'%' => (b'%', next),
            (_, Some(next)) if *first == b'%' => (b'=', next),
            _ => (*first, tail),
        };
        out.push(byte);
        rest = next;
    }
    out
}

/// A time as pax writes it: seconds, then a fraction if there is one.
pub(crate) fn format_time(seconds: i64, nanos: u32) -> String {
    if nanos == 0 {
        return seconds.to_string();
    }
    // Times before 1970 count down: -0.25 s is second -1 and 750 million nanoseconds.
    let (sign, whole, fraction) = if seconds < 0 {
        let whole = seconds.unsigned_abs().saturating_sub(1);
        ("-", whole, 1_000_000_000_u32.saturating_sub(nanos))
    } else {
        ("", seconds.unsigned_abs(), nanos)
    };
    let text = format!("{sign}{whole}.{fraction:09}");
    text.trim_end_matches('0').to_owned()
}

fn parse_time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nine: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanos: u32 = nine.parse().ok()?;
    let whole = i64::try_from(parse_number(whole.as_bytes())?).ok()?;
    match (negative, nanos) {
        (false, _) => Some((whole, nanos)),
        (true, 0) => Some((whole.checked_neg()?, 0)),
        (true, _) => Some((
            whole.checked_neg()?.checked_sub(1)?,
            1_000_000_000_u32.checked_sub(nanos)?,
        )),
    }
}

/// Decimal digits only: `parse` alone would take a `+`.
fn parse_number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn owner(value: &[u8], field: &'static str) -> Result<u32, Reason> {
    parse_number(value)
        .and_then(|n| u32::try_from(n).ok())
        .ok_or(Reason::Number { field })
}

impl Extended {
    /// Adds the records of one extended header.
    pub(crate) fn read(&mut self, mut data: &[u8]) -> Result<(), Reason> {
        while !data.is_empty() {
            let (record, rest) = next_record(data)?;
            let equals = record
                .iter()
                .position(|b| *b == b'=')
                .ok_or(Reason::Extended("record without `=`"))?;
            let (keyword, value) = record.split_at(equals);
            self.set(keyword, value.get(1..).unwrap_or_default())?;
            data = rest;
        }
        Ok(())
    }

    fn set(&mut self, keyword: &[u8], value: &[u8]) -> Result<(), Reason> {
        if let Some(name) = keyword.strip_prefix(XATTR) {
            let name = unescape(name);
            if name.is_empty() || name.contains(&0) {
                return Err(Reason::Extended("bad name of an extended attribute"));
            }
            self.xattrs.insert(name, value.to_vec());
            return Ok(());
        }
        if keyword.starts_with(b"GNU.sparse.") {
            return Err(Reason::Type("GNU sparse file".to_owned()));
        }
        match keyword {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => {
                let size = parse_number(value).ok_or(Reason::Number { field: "size" })?;
                self.size = Some(size);
            }
            b"uid" => self.uid = Some(owner(value, "uid")?),
            b"gid" => self.gid = Some(owner(value, "gid")?),
            b"mtime" => {
                let time = parse_time(value).ok_or(Reason::Number { field: "mtime" })?;
                self.mtime = Some(time);
            }
            // Names of owners, other times, comments, and what vendors add: POSIX lets a reader pass over them.
            _ => {}
        }
        Ok(())
    }
}

/// Splits off the first record: `KEYWORD=VALUE` without its frame, and what follows.
fn next_record(data: &[u8]) -> Result<(&[u8], &[u8]), Reason> {
    let space = data
        .iter()
        .take(20)
        .position(|b| *b == b' ')
        .ok_or(Reason::Extended("record without length"))?;
    let digits = data.get(..space).unwrap_or_default();
    let len = parse_number(digits)
        .and_then(|n| usize::try_from(n).ok())
        .ok_or(Reason::Extended("length of a record is no number"))?;
    let record = data
        .get(space.saturating_add(1)..len)
        .ok_or(Reason::Extended("record longer than its header"))?;
    let record = record
        .strip_suffix(b"\n")
        .ok_or(Reason::Extended("record without line end"))?;
    Ok((record, data.get(len..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_their_own_digits() {
        let mut out = Vec::new();
        push_record(&mut out, b"path", b"ab");
        assert_eq!(out, b"11 path=ab\n");
        out.clear();
        push_record(&mut out, b"a", b"12345");
        assert_eq!(out, b"11 a=12345\n");
        for len in 80..110 {
            out.clear();
            push_record(&mut out, b"path", &vec![b'x'; len]);
            assert_eq!(next_record(&out).unwrap().0.len(), len + 5);
        }
    }

    #[test]
    fn comments_of_any_length() {
        for have in [0, 17] {
            for len in (13..1200).chain([4096, 100_000]) {
                let mut out = vec![b'x'; have];
                fill(&mut out, have + len);
                assert_eq!(out.len(), have + len);
                let (record, rest) = next_record(&out[have..]).unwrap();
                assert!(record.starts_with(b"comment=") && rest.is_empty());
            }
        }
    }

    #[test]
    fn times() {
        for (seconds, nanos, text) in [
            (0, 0, "0"),
            (5, 250_000_000, "5.25"),
            (-1, 750_000_000, "-0.25"),
            (-2, 0, "-2"),
            (-3, 1, "-2.999999999"),
        ] {
            assert_eq!(format_time(seconds, nanos), text);
            assert_eq!(
                parse_time(text.as_bytes()),
                Some((seconds, nanos)),
                "{text}"
            );
        }
        assert_eq!(parse_time(b"1.1234567899"), Some((1, 123_456_789)));
        for bad in [
            &b""[..],
            b"x",
            b"1.x",
            b"+1",
            b"--1",
            b"99999999999999999999",
        ] {
            assert_eq!(parse_time(bad), None);
        }
    }

    #[test]
    fn names_of_attributes_are_escaped() {
        let mut out = Vec::new();
        push_xattr(&mut out, b"user.a=%b", b"=\n\0");
        let mut extended = Extended::default();
        extended.read(&out).unwrap();
        assert_eq!(extended.xattrs[&b"user.a=%b"[..]], b"=\n\0");
    }

    #[test]
    fn malformed_records() {
        for bad in [
            &b"x"[..],
            b"5 a=b",
            b"99 a=b\n",
            b"6 a:bc\n",
            b"1 a=b\n",
            b"0 a=b\n",
            b"30 GNU.sparse.realsize=1234567\n",
        ] {
            assert!(
                Extended::default().read(bad).is_err(),
                "{}",
                bad.escape_ascii()
            );
        }
    }
}
