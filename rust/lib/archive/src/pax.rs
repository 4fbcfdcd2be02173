//! Writing pax extended headers: records `LENGTH KEYWORD=VALUE\n`, the length counting the whole record and its own digits.

pub(crate) const XATTR: &[u8] = b"SCHILY.xattr.";

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
}
