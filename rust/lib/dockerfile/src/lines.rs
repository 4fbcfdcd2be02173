//! Logical lines: a Dockerfile without comments, continuations and here-documents taken apart.
//!
//! Reference: Docker's "Dockerfile reference", sections "Format", "Parser directives" and "Here-documents".
//! A line whose first non-blank is `#` is a comment, also between continuation lines; a line that ends in the
//! escape character (blanks may follow) goes on in the next one; blank lines within a continuation are skipped.
//! Only COPY and RUN take here-documents, and not in their JSON form.

use std::iter::{Peekable, Zip};
use std::ops::RangeFrom;
use std::str::SplitInclusive;
use std::sync::Arc;

use crate::error::{At, Error, Result};
use crate::heredocs::{self, Start};
use crate::ir::HereDoc;
use crate::words::{is_blank, Template};

/// One instruction with everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) at: At,
    /// In capitals.
    pub(crate) keyword: String,
    /// What follows the keyword, continuations joined, trimmed.
    pub(crate) rest: String,
    pub(crate) found: Found,
}

/// The lines of a file, and its escape character.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) escape: char,
    pub(crate) lines: Vec<Line>,
}

/// Splits `text` of the Dockerfile called `file`.
pub(crate) fn split(file: &str, text: &[u8]) -> Result<Lines> {
    let file: Arc<str> = Arc::from(file);
    let text = decode(&file, text)?;
    let mut reader = Reader {
        file,
        lines: (1_usize..).zip(text.split_inclusive('\n')).peekable(),
        number: 0,
        escape: '\\',
    };
    let mut first = reader.directives()?;
    let mut lines = Vec::new();
    while let Some(line) = first.take().or_else(|| reader.next_line()) {
        if let Some(line) = reader.instruction(line)? {
            lines.push(line);
        }
    }
    Ok(Lines {
        escape: reader.escape,
        lines,
    })
}

fn decode<'a>(file: &Arc<str>, text: &'a [u8]) -> Result<&'a str> {
    let at = |valid: &[u8]| At {
        file: Arc::clone(file),
        line: valid.split(|byte| *byte == b'\n').count(),
    };
    let text = std::str::from_utf8(text).map_err(|error| Error::NotText {
        at: at(text.get(..error.valid_up_to()).unwrap_or(text)),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((before, _)) = text.split_once('\0') {
        return Err(Error::Nul {
            at: at(before.as_bytes()),
        });
    }
    Ok(text)
}

struct Reader<'a> {
    file: Arc<str>,
    /// What has not been read, with numbers.
    lines: Peekable<Zip<RangeFrom<usize>, SplitInclusive<'a, char>>>,
    /// Of the last line read.
    number: usize,
    escape: char,
}

impl<'a> Reader<'a> {
    fn at(&self) -> At {
        At {
            file: Arc::clone(&self.file),
            line: self.number,
        }
    }

    /// The next line of the file with its end (`\n`, `\r\n` or nothing at the end of the file).
    fn next_raw(&mut self) -> Option<&'a str> {
        let (number, line) = self.lines.next()?;
        self.number = number;
        Some(line)
    }

    fn next_line(&mut self) -> Option<&'a str> {
        self.next_raw().map(trim_newline)
    }

    /// Reads the parser directives at the top; returns the first line that is none.
    fn directives(&mut self) -> Result<Option<&'a str>> {
        let mut seen: Vec<String> = Vec::new();
        while let Some(line) = self.next_line() {
            let Some((name, value)) = directive(line) else {
                return Ok(Some(line));
            };
            let refuse = |wanted| Error::Directive {
                at: self.at(),
                name: name.clone(),
                value: value.to_owned(),
                wanted,
            };
            if seen.contains(&name) {
                return Err(refuse("each directive once"));
            }
            match (name.as_str(), value) {
                ("escape", "\\") => self.escape = '\\',
                ("escape", "`") => self.escape = '`',
                ("escape", _) => return Err(refuse("\\ or `")),
                // The frontend that this directive asks for is what this crate implements.
                ("syntax", value) if is_stock_frontend(value) => {}
                ("syntax", _) => return Err(refuse("docker/dockerfile:1")),
                // Settings of Docker's linter; no effect on the image.
                _ => {}
            }
            seen.push(name);
        }
        Ok(None)
    }

    fn instruction(&mut self, first: &'a str) -> Result<Option<Line>> {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with('#') {
            return Ok(None);
        }
        let at = self.at();
        let (mut text, mut goes_on) = self.strip_continuation(first);
        while goes_on {
            let Some(next) = self.next_line() else { break };
            let trimmed = next.trim_start_matches(is_blank);
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let (part, more) = self.strip_continuation(next);
            text.push_str(&part);
            goes_on = more;
        }
        let text = text.trim_matches(is_blank);
        if text.is_empty() {
            return Ok(None);
        }
        let (keyword, rest) = text.split_once(is_blank).unwrap_or((text, ""));
        let rest = rest.trim_start_matches(is_blank);
        let keyword = keyword.to_uppercase();
        let found = match keyword.as_str() {
            "RUN" => self.heredocs(&at, rest, true)?,
            "COPY" => self.heredocs(&at, rest, false)?,
            _ => Found::default(),
        };
        Ok(Some(Line {
            at,
            keyword,
            rest: rest.to_owned(),
            found,
        }))
    }

    /// `line` without its final escape character, and whether it had one. A doubled one is a literal.
    fn strip_continuation(&self, line: &str) -> (String, bool) {
        let trimmed = line.trim_end_matches([' ', '\t']);
        match trimmed.strip_suffix(self.escape) {
            Some(kept) if !kept.ends_with(self.escape) => (kept.to_owned(), true),
            _ => (line.to_owned(), false),
        }
    }

    /// Reads the here-documents of `rest`, the arguments of the COPY or RUN at `at`.
    fn heredocs(&mut self, at: &At, rest: &str, is_run: bool) -> Result<Found> {
        if !rest.contains("<<") || crate::words::json_array(rest).is_some() {
            return Ok(Found::default());
        }
        let (_, words) = crate::words::flags(rest);
        let starts = heredocs::starts(words, self.escape, is_run).map_err(|bad| Error::Word {
            at: at.clone(),
            word: bad.word,
            problem: bad.problem,
        })?;
        let mut found = Found {
            alone: starts.alone,
            near_miss: starts.near_miss,
            heredocs: Vec::new(),
        };
        for start in starts.found {
            found.heredocs.push(self.heredoc(at, start, is_run)?);
        }
        Ok(found)
    }

    fn heredoc(&mut self, at: &At, start: Start, is_run: bool) -> Result<HereDoc> {
        let body_at = At {
            file: Arc::clone(&self.file),
            // Without a next line there is no body, and an error below.
            line: self.lines.peek().map_or(self.number, |(number, _)| *number),
        };
        let mut body = String::new();
        let mut raw = String::new();
        loop {
            let Some(line) = self.next_raw() else {
                return Err(Error::OpenHereDoc {
                    at: at.clone(),
                    name: start.name,
                });
            };
            let stripped = if start.strip_tabs {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if trim_newline(stripped) == start.name {
                break;
            }
            if line.ends_with("\r\n") {
                return Err(Error::CarriageReturn {
                    at: self.at(),
                    name: start.name,
                });
            }
            body.push_str(stripped);
            raw.push_str(line);
        }
        // What RUN reads is the shell's to expand.
        let template = if is_run || !start.expand {
            None
        } else {
            Some(Template::heredoc(&body).map_err(|problem| Error::Word {
                at: body_at.clone(),
                word: format!("here-document {}", start.name),
                problem,
            })?)
        };
        Ok(HereDoc {
            at: body_at,
            template,
            name: start.name,
            body,
            raw,
        })
    }
}

/// The here-documents of one instruction.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) heredocs: Vec<HereDoc>,
    /// One here-document is the whole of the arguments.
    pub(crate) alone: bool,
    /// A word that a shell, but no builder, takes for the start of one.
    pub(crate) near_miss: Option<String>,
}

fn trim_newline(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// `# name = value` with a name that Docker knows.
fn directive(line: &str) -> Option<(String, &str)> {
    let text = line.trim_start_matches(is_blank).strip_prefix('#')?;
    let (name, value) = text.split_once('=')?;
    let name = name.trim_matches(is_blank).to_ascii_lowercase();
    let value = value.trim_matches(is_blank);
    let known = matches!(name.as_str(), "escape" | "syntax" | "check");
    (known && !value.is_empty()).then_some((name, value))
}

fn is_stock_frontend(value: &str) -> bool {
    value
        .strip_prefix("docker.io/")
        .unwrap_or(value)
        .strip_prefix("docker/dockerfile:")
        .is_some_and(|tag| {
            tag == "1"
                || (tag.starts_with("1.") && tag.bytes().all(|b| b == b'.' || b.is_ascii_digit()))
        })
}
