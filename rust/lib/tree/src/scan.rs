//! The quick way to read a line of a manifest.
//!
//! A manifest has one spelling, so a line can be compared piece by piece with what is expected: ten times as fast as JSON in
//! general, and most of a layout's time otherwise. Whatever is rare (escapes, extended attributes) or wrong is left to the
//! slow way, which also knows what to say about it.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::entry::{Entry, Kind, Source, Stamp};
use crate::parse::{check, mode};

/// The entry of a line without its end.
pub(crate) fn line(text: &[u8]) -> Option<(Vec<u8>, Entry)> {
    let mut scan = Scan { rest: text };
    scan.word(b"{\"path\":\"")?;
    let path = scan.text()?;
    scan.word(b",\"type\":\"")?;
    let word = scan.text()?;
    let stamp = scan.stamp()?;
    let kind = scan.kind(word)?;
    let over = match scan.word(b",\"over\":[") {
        Some(()) => Some(scan.source()?),
        None => None,
    };
    scan.word(b",\"layer\":")?;
    let layer = scan.number()?;
    scan.word(b"}")?;
    let entry = Entry {
        kind,
        stamp,
        xattrs: BTreeMap::new(),
        layer,
        over,
    };
    let good = scan.rest.is_empty() && check(path, &entry).is_ok();
    good.then(|| (path.to_vec(), entry))
}

struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// Text up to its closing quote, nothing in it that JSON or a name would escape.
    fn text(&mut self) -> Option<&'a [u8]> {
        let special = |b: &u8| *b < 0x20 || *b == b'"' || *b == b'\\';
        let end = self.rest.iter().position(special)?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.strip_prefix(b"\"")?;
        std::str::from_utf8(text).ok().map(str::as_bytes)
    }

    fn number<T: FromStr>(&mut self) -> Option<T> {
        let of_number = |b: &u8| b.is_ascii_digit() || *b == b'-';
        let end = self.rest.iter().position(|b| !of_number(b))?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        match text {
            [b'-', b'0', ..] => return None,
            [b'0', _, ..] => return None,
            _ => {}
        }
        self.rest = rest;
        std::str::from_utf8(text).ok()?.parse().ok()
    }

    fn stamp(&mut self) -> Option<Stamp> {
        self.word(b",\"mode\":\"")?;
        let mode = mode(self.text()?)?;
        self.word(b",\"uid\":")?;
        let uid = self.number()?;
        self.word(b",\"gid\":")?;
        let gid = self.number()?;
        self.word(b",\"mtime\":")?;
        let mtime = self.number()?;
        let mtime_nanos = match self.word(b",\"mtime_nanos\":") {
            // It is left out then.
            Some(()) => self.number().filter(|nanos| *nanos > 0)?,
            None => 0,
        };
        Some(Stamp {
            mode,
            uid,
            gid,
            mtime,
            mtime_nanos,
        })
    }

    fn kind(&mut self, word: &[u8]) -> Option<Kind> {
        Some(match word {
            b"file" => {
                self.word(b",\"source\":[")?;
                Kind::File(self.source()?)
            }
            b"dir" => Kind::Dir,
            b"symlink" => Kind::Symlink {
                target: self.target()?,
            },
            b"hardlink" => Kind::HardLink {
                target: self.target()?,
            },
            b"char" => {
                let (major, minor) = self.device()?;
                Kind::Char { major, minor }
            }
            b"block" => {
                let (major, minor) = self.device()?;
                Kind::Block { major, minor }
            }
            b"fifo" => Kind::Fifo,
            _ => return None,
        })
    }

    fn source(&mut self) -> Option<Source> {
        let input = self.number()?;
        self.word(b",")?;
        let offset = self.number()?;
        self.word(b",")?;
        let len = self.number()?;
        self.word(b"]")?;
        Some(Source { input, offset, len })
    }

    fn target(&mut self) -> Option<Vec<u8>> {
        self.word(b",\"target\":\"")?;
        self.text().map(<[u8]>::to_vec)
    }

    fn device(&mut self) -> Option<(u32, u32)> {
        self.word(b",\"rdev\":[")?;
        let major = self.number()?;
        self.word(b",")?;
        let minor = self.number()?;
        self.word(b"]")?;
        Some((major, minor))
    }
}
