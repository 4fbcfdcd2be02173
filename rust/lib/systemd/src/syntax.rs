//! Unit files (systemd.syntax(7)): sections of `key=value` lines.

use crate::lookup::{trim, SPACE};

/// A line of a unit file that is neither empty nor a comment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number from 1; of a continued one, the last.
    pub(crate) number: usize,
    /// The section it stands in, or opens; empty before the first.
    pub(crate) section: String,
    /// What it says.
    pub(crate) content: Content,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// `[Section]`
    Header,
    /// `Key=Value`
    Assignment(String, String),
    /// None of both: systemd warns and passes over it.
    Other(String),
}

/// An assignment of the `[Install]` section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Number of its last line, from 1.
    pub(crate) line: usize,
    /// Left of the `=`.
    pub(crate) key: String,
    /// Right of it.
    pub(crate) value: String,
}

/// A line that makes systemd refuse the whole file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its number from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) reason: String,
}

/// All lines in order.
pub(crate) fn lines(text: &str) -> Result<Vec<Line>, Refused> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut out = Vec::new();
    let mut section = String::new();
    for (number, text) in joined(text) {
        let text = trim(&text);
        let content = if let Some(header) = text.strip_prefix('[') {
            let Some(name) = header.strip_suffix(']') else {
                let reason = format!("'{text}' is no section header");
                return Err(Refused {
                    line: number,
                    reason,
                });
            };
            name.clone_into(&mut section);
            Content::Header
        } else if let Some((key, value)) = text.split_once('=') {
            Content::Assignment(trim(key).to_owned(), trim(value).to_owned())
        } else if text.is_empty() {
            continue;
        } else {
            Content::Other(text.to_owned())
        };
        out.push(Line {
            number,
            section: section.clone(),
            content,
        });
    }
    Ok(out)
}

/// The assignments of `[Install]` in order.
pub(crate) fn install(text: &str) -> Result<Vec<Assignment>, Refused> {
    let lines = lines(text)?.into_iter();
    Ok(lines
        .filter(|line| line.section == "Install")
        .filter_map(|line| match line.content {
            Content::Assignment(key, value) => Some(Assignment {
                line: line.number,
                key,
                value,
            }),
            _ => None,
        })
        .collect())
}

/// Lines with their numbers: comments dropped, a line that ends in a backslash joined to the next by a space.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    let mut whole = String::new();
    let mut is_open = false;
    let mut last = 0;
    for (number, raw) in (1..).zip(text.split('\n')) {
        last = number;
        let line = raw.trim_start_matches(SPACE);
        // A comment within a continued line does not end it.
        if line.starts_with(['#', ';']) {
            continue;
        }
        let slashes = line.bytes().rev().take_while(|b| *b == b'\\').count();
        is_open = slashes % 2 == 1;
        match line.strip_suffix('\\').filter(|_| is_open) {
            Some(line) => {
                whole.push_str(line);
                whole.push(' ');
            }
            None => {
                whole.push_str(line);
                out.push((number, std::mem::take(&mut whole)));
            }
        }
    }
    if is_open {
        out.push((last, whole));
    }
    out
}

/// The words of a value: quotes group and go, backslashes mean nothing. Nothing if a quote is not closed.
pub(crate) fn words(value: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in value.chars() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_with(String::new);
            }
            (None, c) if SPACE.contains(&c) => out.extend(word.take()),
            (_, c) => word.get_or_insert_with(String::new).push(c),
        }
    }
    out.extend(word);
    quote.is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_lines() {
        let text = "\u{feff}A=0\n[Install]\n  WantedBy = a.target  \nB=x \\\n# comment\\\n ; more\n y\nC=1 \\\n\n[x]\nD=4\n\
                    [Install]\nno sign\n=e\nF=\\\\\nG=end\\";
        let got: Vec<(usize, String, String)> = install(text)
            .unwrap()
            .into_iter()
            .map(|a| (a.line, a.key, a.value))
            .collect();
        let want = [
            (3, "WantedBy", "a.target"),
            (7, "B", "x  y"),
            (9, "C", "1"),
            (14, "", "e"),
            (15, "F", "\\\\"),
            (16, "G", "end"),
        ];
        let want: Vec<_> = want.map(|(n, k, v)| (n, k.to_owned(), v.to_owned())).into();
        assert_eq!(got, want);
        assert_eq!(install("[Unit]\n[Install\n").unwrap_err().line, 2);
    }

    #[test]
    fn words_and_quotes() {
        let cases: [(&str, Option<&[&str]>); 8] = [
            ("", Some(&[])),
            (" a  b\tc ", Some(&["a", "b", "c"])),
            ("\"a b\" 'c'", Some(&["a b", "c"])),
            ("a\"b\".target", Some(&["ab.target"])),
            ("a\\x2db c\\ d", Some(&["a\\x2db", "c\\", "d"])),
            ("a\\\"b", None),
            ("a \"b", None),
            ("''", Some(&[""])),
        ];
        for (value, want) in cases {
            let want = want.map(|w| w.iter().map(|s| s.to_string()).collect::<Vec<_>>());
            assert_eq!(words(value), want, "{value}");
        }
    }
}
