//! `key=value` lines.
//!
//! UTF-8; what Windows' editors call Unicode is UTF-16, and refused by that name. Blank lines and lines that start with `#` or `;` say nothing. White space around key and value does not count. Line
//! ends may be CR LF and the file may start with a byte order mark: media are written on desktops. An empty value means
//! "not set". Sections, quotes and continuation lines do not exist.

use crate::error::Problem;

/// So many lines that are not text are named one by one.
const MOST_ODD_LINES: usize = 10;

/// One `key=value` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) value: String,
}

/// Splits `bytes` into lines; each one that is not printable UTF-8 is a problem instead.
pub(crate) fn lines(bytes: &[u8]) -> (Vec<(usize, &str)>, Vec<Problem>) {
    if is_utf16(bytes) {
        let text = "UTF-16 text (\"Unicode\"), want UTF-8: save it again with that encoding";
        return (Vec::new(), vec![Problem::new(0, text)]);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut out = Vec::new();
    let mut problems = Vec::new();
    for (number, raw) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        match printable(raw.strip_suffix(b"\r").unwrap_or(raw)) {
            Ok(text) => out.push((number, text.trim())),
            Err(text) => problems.push(Problem::new(number, text)),
        }
        // A file that is no text at all would say the same of every line.
        if problems.len() >= MOST_ODD_LINES {
            problems.push(Problem::new(number, "more such lines are not looked at"));
            break;
        }
    }
    (out, problems)
}

/// By its byte order mark, or by zeros where ASCII has them in one of the two orders.
fn is_utf16(bytes: &[u8]) -> bool {
    let zeros = |parity: usize| bytes.iter().skip(parity).step_by(2).all(|byte| *byte == 0);
    bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || (bytes.len() > 1 && (zeros(0) != zeros(1)))
}

fn printable(raw: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(raw).map_err(|_| "not UTF-8 text".to_owned())?;
    match text.chars().find(|c| c.is_control() && *c != '\t') {
        Some(bad) => Err(format!("control character {}", bad.escape_unicode())),
        None => Ok(text),
    }
}

/// Reads all pairs; each duplicate, each line without `=` and each odd key is a problem.
pub(crate) fn parse(bytes: &[u8]) -> (Vec<Pair>, Vec<Problem>) {
    let (lines, mut problems) = lines(bytes);
    let mut pairs: Vec<Pair> = Vec::new();
    for (line, text) in lines {
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        match pair(line, text) {
            Ok(new) => match pairs.iter().find(|old| old.key == new.key) {
                Some(old) => problems.push(Problem::new(
                    line,
                    format!("{} is already set in line {}", new.key, old.line),
                )),
                None => pairs.push(new),
            },
            Err(problem) => problems.push(problem),
        }
    }
    (pairs, problems)
}

fn pair(line: usize, text: &str) -> Result<Pair, Problem> {
    if text.starts_with('[') {
        return Err(Problem::new(
            line,
            format!("got {text:?}, want key=value (there are no sections)"),
        ));
    }
    let Some((key, value)) = text.split_once('=') else {
        return Err(Problem::new(line, format!("got {text:?}, want key=value")));
    };
    Ok(Pair {
        line,
        key: key.trim_end().to_owned(),
        value: value.trim_start().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn desktop_files_are_read() {
        let (pairs, problems) =
            parse(b"\xef\xbb\xbf# note\r\n; note\r\n\r\n hostname = a \r\ndomain=\r\nname_servers=a=b\r\n");
        assert_eq!(problems, []);
        let got: Vec<_> = pairs
            .iter()
            .map(|p| (p.line, p.key.as_str(), p.value.as_str()))
            .collect();
        assert_eq!(
            got,
            [
                (4, "hostname", "a"),
                (5, "domain", ""),
                (6, "name_servers", "a=b")
            ]
        );
    }

    #[test]
    fn every_problem_has_its_line() {
        let table: &[(&[u8], usize, &str)] = &[
            (b"a=1\nhello\n", 2, "got \"hello\", want key=value"),
            (
                b"[network]\n",
                1,
                "got \"[network]\", want key=value (there are no sections)",
            ),
            (b"a=1\n\na=2\n", 3, "a is already set in line 1"),
            (b"a=\xff\n", 1, "not UTF-8 text"),
            (b"a=1\nb=\x1b[31m\n", 2, "control character \\u{1b}"),
        ];
        for (bytes, line, text) in table {
            let (_, problems) = parse(bytes);
            assert_eq!(problems, [Problem::new(*line, *text)]);
        }
    }

    #[test]
    fn other_encodings_have_their_name() {
        let text = "hostname=a\r\n";
        let units = || text.encode_utf16();
        let marked = |mark: [u8; 2], bytes: Vec<u8>| [mark.to_vec(), bytes].concat();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            marked([0xff, 0xfe], little.clone()),
            marked([0xfe, 0xff], big.clone()),
            little,
            big,
        ] {
            let (pairs, problems) = parse(&bytes);
            assert_eq!(pairs, []);
            let want = "UTF-16 text (\"Unicode\"), want UTF-8: save it again with that encoding";
            assert_eq!(problems, [Problem::new(0, want)]);
        }
        for bytes in [&b""[..], b"\0", b"\0\0", b"a"] {
            assert!(!is_utf16(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn odd_lines_do_not_hide_the_others() {
        let (pairs, problems) = parse(b"a=\xff\nb=1\n\x01\nb=2\n");
        assert_eq!(pairs.len(), 1);
        let lines: Vec<_> = problems.iter().map(|p| p.line).collect();
        assert_eq!(lines, [1, 3, 4]);
        let (_, problems) = parse(&b"\xff\n".repeat(1000));
        assert_eq!(problems.len(), MOST_ODD_LINES + 1);
    }
}
