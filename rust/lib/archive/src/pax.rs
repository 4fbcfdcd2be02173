//! Writing pax extended headers: records `LENGTH KEYWORD=VALUE\n`, the length counting the whole record and its own digits.

pub(crate) const XATTR: &[u8] = b"SCHILY.xattr.";

/// One record of a header.
pub(crate) fn push_record(out: &mut Vec<u8>, keyword: &[u8], value: &[u8]) {
    let record = [b" ", keyword, b"=", value, b"\n"].concat();
    out.extend_from_slice(total(record.len()).as_bytes());
    out.extend_from_slice(&record);
}

/// The length, with its own digits, of a record of which `rest` bytes follow them.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of what is in memory are below 2^63, and digits are fewer than 20"
)]
fn total(rest: usize) -> String {
    let mut digits = 1;
    loop {
        let text = (rest + digits).to_string();
        if text.len() == digits {
            return text;
        }
        digits = text.len();
    }
}

/// A record of exactly `len` bytes that readers pass over; nothing if that is too short for one.
pub(crate) fn comment(len: usize) -> Option<Vec<u8>> {
    let mut record = format!("{len} comment=").into_bytes();
    if record.len() >= len {
        return None;
    }
    record.resize(len, b' ');
    *record.last_mut()? = b'\n';
    Some(record)
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

/// Nanoseconds of a second.
const NANOS: u32 = 1_000_000_000;

/// A time as pax writes it: seconds, then a fraction if there is one.
pub(crate) fn format_time(seconds: i64, nanos: u32) -> String {
    if nanos == 0 {
        return seconds.to_string();
    }
    // Times before 1970 count down: -0.25 s is second -1 and 750 million nanoseconds.
    let (sign, whole, fraction) = match seconds.checked_add(1) {
        Some(next) if seconds < 0 => ("-", next, NANOS.abs_diff(nanos)),
        _ => ("", seconds, nanos),
    };
    let whole = whole.unsigned_abs();
    let text = format!("{sign}{whole}.{fraction:09}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{next_record, parse_time};

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
        for len in (13..1200).chain([4096, 100_000]) {
            let out = comment(len).unwrap();
            assert_eq!(out.len(), len);
            let (record, rest) = next_record(&out).unwrap();
            assert!(record.starts_with(b"comment=") && rest.is_empty());
        }
        assert_eq!(comment(12).unwrap(), b"12 comment=\n");
        assert_eq!(comment(11), None);
        assert_eq!(comment(0), None);
    }

    #[test]
    fn times() {
        for (seconds, nanos, text) in [
            (0, 0, "0"),
            (5, 250_000_000, "5.25"),
            (0, 500_000_000, "0.5"),
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
}
