//! `guest_vm console`: shows what the guest printed.
//!
//! A guest may print what a terminal takes for orders. So on a terminal control characters are shown and not obeyed: `^G`, and
//! sequences of ECMA-48 (colours, moves of the cursor) are left out. Elsewhere the bytes come as they are.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::serial::numbered;

/// How often a followed log is looked at.
const POLL: Duration = Duration::from_millis(250);
/// So much of the end is searched for lines.
const MOST_TAIL: u64 = 1 << 20;

/// Prints the last `lines` lines of the log at `path`, and with `follow` what comes.
pub(crate) fn show(path: &Path, lines: usize, follow: bool) -> anyhow::Result<()> {
    let mut out = Screen::new(io::stdout().lock(), io::stdout().is_terminal());
    let file = File::open(path).with_context(|| {
        let path = path.display();
        format!("cannot read {path}: the guest was never started, or it is not yours to read")
    })?;
    let older = tail(&File::open(numbered(path, 1)).ok())?;
    let mut place = Place::of(file)?;
    let newer = tail(&Some(
        place.file.try_clone().context("cannot read the log")?,
    ))?;
    let mut text = older;
    text.extend(newer);
    out.print(last(&text, lines))?;
    place
        .file
        .seek(SeekFrom::End(0))
        .context("cannot read the log")?;
    if !follow {
        return Ok(());
    }
    loop {
        place.read_on(&mut out)?;
        if let Some(next) = place.moved(path) {
            // What was written between the last look and the change of names.
            place.read_on(&mut out)?;
            place = next;
        } else {
            std::thread::sleep(POLL);
        }
    }
}

/// An open log, and which file it is.
struct Place {
    file: File,
    number: (u64, u64),
}

impl Place {
    fn of(file: File) -> anyhow::Result<Self> {
        let meta = file.metadata().context("cannot read the log")?;
        Ok(Self {
            file,
            number: (meta.dev(), meta.ino()),
        })
    }

    /// The file that bears the name now, if it is another one.
    fn moved(&self, path: &Path) -> Option<Self> {
        // Between two names there may be none.
        let next = Self::of(File::open(path).ok()?).ok()?;
        (next.number != self.number).then_some(next)
    }

    fn read_on(&mut self, out: &mut Screen<impl Write>) -> anyhow::Result<()> {
        let mut buffer = [0; 8192];
        loop {
            let len = self.file.read(&mut buffer).context("cannot read the log")?;
            match buffer.get(..len) {
                Some([]) | None => return Ok(()),
                Some(bytes) => out.print(bytes)?,
            }
        }
    }
}

/// The end of a file; nothing of one that is not there.
fn tail(file: &Option<File>) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    if let Some(mut file) = file.as_ref() {
        let read = file.seek(SeekFrom::End(0)).and_then(|len| {
            // All of it, if it is short.
            file.seek(SeekFrom::Start(len.saturating_sub(MOST_TAIL)))?;
            file.take(MOST_TAIL).read_to_end(&mut text)
        });
        read.context("cannot read the log")?;
    }
    Ok(text)
}

/// The last `lines` lines of `text`.
fn last(text: &[u8], lines: usize) -> &[u8] {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let ends = body
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, byte)| **byte == b'\n');
    let start = match lines.checked_sub(1) {
        None => Some(text.len()),
        Some(before) => ends
            .map(|(at, _)| at)
            .nth(before)
            .and_then(|at| at.checked_add(1)),
    };
    start.and_then(|start| text.get(start..)).unwrap_or(text)
}

/// Where in an escape sequence the text is (ECMA-48, 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// In none.
    No,
    /// Behind ESC.
    Begun,
    /// In one that ends with a byte from `@` to `~`.
    Control,
    /// Behind the first byte of a character from U+0080 to U+00BF, half of which are controls too.
    Latin,
}

/// Where the text goes.
struct Screen<W> {
    out: W,
    is_terminal: bool,
    escape: Escape,
}

impl<W: Write> Screen<W> {
    fn new(out: W, is_terminal: bool) -> Self {
        Self {
            out,
            is_terminal,
            escape: Escape::No,
        }
    }

    fn print(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let shown = match self.is_terminal {
            true => self.harmless(bytes),
            false => bytes.to_vec(),
        };
        let written = self.out.write_all(&shown).and_then(|()| self.out.flush());
        written.context("cannot write to stdout")
    }

    fn harmless(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.escape = match (self.escape, byte) {
                (_, 0x1b) => Escape::Begun,
                (Escape::Latin, 0xa0..=0xbf) => {
                    shown.extend([0xc2, *byte]);
                    Escape::No
                }
                (Escape::Latin, 0x80..=0x9f) => Escape::No,
                (_, 0xc2) => Escape::Latin,
                (Escape::Begun, b'[') => Escape::Control,
                (Escape::Control, 0x20..=0x3f) => Escape::Control,
                (Escape::Begun | Escape::Control, 0x20..=0x7e) => Escape::No,
                (_, b'\n' | b'\t' | 0x20..=0x7e) => {
                    shown.push(*byte);
                    Escape::No
                }
                (_, b'\r') => Escape::No,
                (_, 0x00..=0x1f | 0x7f) => {
                    shown.extend([b'^', byte ^ 0x40]);
                    Escape::No
                }
                // Of other characters, or of none, which no terminal obeys.
                (_, 0x80..) => {
                    shown.push(*byte);
                    Escape::No
                }
            };
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines() {
        for (lines, want) in [
            (0, ""),
            (1, "c\n"),
            (2, "b\nc\n"),
            (3, "a\nb\nc\n"),
            (9, "a\nb\nc\n"),
        ] {
            assert_eq!(last(b"a\nb\nc\n", lines), want.as_bytes(), "{lines}");
        }
        assert_eq!(last(b"a\nb", 1), b"b");
        assert_eq!(last(b"", 5), b"");
    }

    #[test]
    fn a_terminal_is_given_no_orders() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, true);
        screen
            .print(b"\x1b[1;31mred\x1b[0m\r\nbell\x07 \x1b]0;title\x07 \x1b")
            .unwrap();
        screen
            .print(b"[2Jend\x00 \xc3\xa4\xc2\xa7\xc2\x9b1m\n")
            .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "red\nbell^G 0;title^G end^@ \u{e4}\u{a7}1m\n"
        );
        let mut out = Vec::new();
        Screen::new(&mut out, false).print(b"\x1b[0m").unwrap();
        assert_eq!(out, b"\x1b[0m");
    }

    #[test]
    fn a_log_that_moved_on_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serial.log");
        std::fs::write(&path, "one\n").unwrap();
        let mut place = Place::of(File::open(&path).unwrap()).unwrap();
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, false);
        place.read_on(&mut screen).unwrap();
        assert!(place.moved(&path).is_none());
        std::fs::rename(&path, numbered(&path, 1)).unwrap();
        assert!(place.moved(&path).is_none());
        std::fs::write(&path, "two\n").unwrap();
        let mut place = place.moved(&path).unwrap();
        place.read_on(&mut screen).unwrap();
        assert_eq!(out, b"one\ntwo\n");
    }
}
