//! Reading a manifest, trusting nothing in it.

use std::collections::BTreeMap;
use std::io::BufRead;

use base::{base64, past};
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::entry::{Entry, Input, Kind, Source, Sparse, Stamp};
use crate::error::Error;
use crate::links::{check_hard_link, Names};
use crate::manifest::{Head, Line, LinePiece, VERSION};
use crate::name;
use crate::scan;
use crate::tree::Tree;

impl Tree {
    /// Reads a manifest and checks everything that the crate's page promises.
    pub fn read(mut reader: impl BufRead) -> Result<Self, Error> {
        let mut lines = Lines {
            reader: &mut reader,
            number: 0,
            text: Vec::new(),
        };
        let mut reading = Reading {
            inputs: head(&mut lines)?,
            entries: Vec::new(),
            open: Vec::new(),
        };
        while lines.next()? {
            let (path, entry) = match lines.text.strip_suffix(b"\n").and_then(scan::line) {
                Some(known) => known,
                // Rare fields, odd names, and whatever is wrong.
                None => entry(lines.parse()?).map_err(|reason| lines.refuse(reason))?,
            };
            reading.enter(path, entry, &lines)?;
        }
        if reading.entries.is_empty() {
            return Err(lines.refuse("the root directory is missing"));
        }
        let tree = Self {
            inputs: reading.inputs,
            entries: reading.entries.into_iter().collect(),
            origins: BTreeMap::new(),
            names: Names::default(),
        };
        tree.check_sources()?;
        Ok(tree)
    }

    /// One source against the length of its input.
    pub(crate) fn check_source(&self, path: &[u8], source: Source) -> Result<(), Error> {
        check_source(&self.inputs, path, source)
    }

    /// All sources against each other: equal or apart.
    pub(crate) fn check_sources(&self) -> Result<(), Error> {
        let mut ranges = Vec::with_capacity(self.entries.len());
        for (path, entry) in &self.entries {
            for source in sources(entry) {
                self.check_source(path, source)?;
                if source.len > 0 {
                    ranges.push((source, path));
                }
            }
        }
        ranges.sort_unstable();
        for ((a, first), (b, second)) in ranges.iter().zip(ranges.iter().skip(1)) {
            // It has an end: it lies in its input.
            let end = a.offset.checked_add(a.len);
            if a != b && a.input == b.input && end > Some(b.offset) {
                return Err(Error::SourceOverlap {
                    first: name::shown(first),
                    second: name::shown(second),
                    input: b.input,
                    offset: b.offset,
                });
            }
        }
        Ok(())
    }
}

fn check_source(inputs: &[Input], path: &[u8], source: Source) -> Result<(), Error> {
    // An input that is not there has no bytes.
    let have = inputs.get(source.input).map_or(0, |input| input.len);
    match source.offset.checked_add(source.len) {
        Some(end) if end <= have && source.input < inputs.len() => Ok(()),
        _ => Err(Error::SourceOutside {
            path: name::shown(path),
            input: source.input,
            offset: source.offset,
            len: source.len,
            have,
        }),
    }
}

/// All ranges that an entry names.
fn sources(entry: &Entry) -> impl Iterator<Item = Source> + '_ {
    let empty = match entry.kind {
        Kind::File(source) if source.len == 0 => Some(source),
        _ => None,
    };
    let pieces = entry.kind.pieces().map(|(_, source)| source);
    let over = entry.over.filter(|over| over.len > 0);
    empty.into_iter().chain(pieces).chain(over)
}

/// A tree that is being read. Entries come in order, so a list will do until all are there.
struct Reading {
    inputs: Vec<Input>,
    entries: Vec<(Vec<u8>, Entry)>,
    /// Directories whose path is how the last path begins, text being compared, not components. Everything that sorts
    /// between a directory and what lies in it begins like the directory, so that the parent is always among them.
    open: Vec<usize>,
}

impl Reading {
    fn enter<R: BufRead>(
        &mut self,
        path: Vec<u8>,
        entry: Entry,
        lines: &Lines<'_, R>,
    ) -> Result<(), Error> {
        self.check_line(&path, &entry)
            .map_err(|reason| lines.refuse(reason))?;
        if let Kind::HardLink { target } = &entry.kind {
            let found = self.entries.binary_search_by(|(at, _)| at.cmp(target));
            let file = found.ok().and_then(|at| self.entries.get(at));
            let file = file.map(|(_, entry)| entry);
            check_hard_link(&path, target, file)?;
            if file.is_some_and(|file| file.layer > entry.layer) {
                return Err(lines.refuse("the file of the link has a later layer"));
            }
        }
        for source in sources(&entry) {
            check_source(&self.inputs, &path, source)?;
        }
        if entry.kind == Kind::Dir {
            self.open.push(self.entries.len());
        }
        self.entries.push((path, entry));
        Ok(())
    }

    /// The order of paths and the parent; links follow.
    fn check_line(&mut self, path: &[u8], entry: &Entry) -> Result<(), &'static str> {
        match self.entries.last() {
            None if !path.is_empty() => return Err("the first entry is not the root directory"),
            None if entry.kind != Kind::Dir => return Err("the root is not a directory"),
            Some((last, _)) if last.as_slice() >= path => return Err("paths are not sorted"),
            _ => {}
        }
        let Some(parent) = name::parent(path) else {
            return Ok(());
        };
        let entries = &self.entries;
        let begins = |at: &usize| {
            entries
                .get(*at)
                .is_some_and(|(dir, _)| path.starts_with(dir))
        };
        while self.open.last().is_some_and(|at| !begins(at)) {
            self.open.pop();
        }
        let open = self.open.iter().rev().filter_map(|at| entries.get(*at));
        let mut parents = open.filter(|(dir, _)| dir.len() == parent.len());
        match parents.next() {
            None if entries
                .binary_search_by(|(at, _)| at.as_slice().cmp(parent))
                .is_ok() =>
            {
                Err("the parent is no directory")
            }
            None => Err("the parent directory is missing"),
            Some((_, parent)) if parent.layer > entry.layer => Err("the parent has a later layer"),
            Some(_) => Ok(()),
        }
    }
}

/// Lines of the manifest with their numbers.
struct Lines<'a, R> {
    reader: &'a mut R,
    number: u64,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<'_, R> {
    fn next(&mut self) -> Result<bool, Error> {
        self.text.clear();
        let got = self
            .reader
            .read_until(b'\n', &mut self.text)
            .map_err(Error::io("read the manifest"))?;
        self.number = past(self.number, 1);
        Ok(got > 0)
    }

    fn parse<T: DeserializeOwned + Serialize>(&self) -> Result<T, Error> {
        let Some(text) = self.text.strip_suffix(b"\n") else {
            return Err(self.refuse("the line is cut off"));
        };
        let value: T = serde_json::from_slice(text).map_err(|e| {
            // Each line is a document, so the position in it is its column.
            let text = e.to_string();
            let reason = text.split(" at line ").next().unwrap_or(&text);
            self.refuse(&format!("{reason} (column {})", e.column()))
        })?;
        // Order of fields, spaces, repeated keys: one spelling only, so that equal manifests are equal bytes.
        match serde_json::to_vec(&value) {
            Ok(written) if written == text => Ok(value),
            _ => Err(self.refuse("not in the one spelling that the format has")),
        }
    }

    fn refuse(&self, reason: &str) -> Error {
        Error::Manifest {
            line: self.number,
            reason: reason.to_owned(),
        }
    }
}

fn head<R: BufRead>(lines: &mut Lines<'_, R>) -> Result<Vec<Input>, Error> {
    if !lines.next()? {
        return Err(lines.refuse("the manifest is empty"));
    }
    let head: Head = lines.parse()?;
    if head.tree != VERSION {
        let reason = format!("version {}, but only {VERSION} is known", head.tree);
        return Err(lines.refuse(&reason));
    }
    let inputs = head.inputs.into_iter();
    Ok(inputs.map(|input| Input { len: input.len }).collect())
}

/// One line as path and entry, each field checked by itself.
fn entry(line: Line) -> Result<(Vec<u8>, Entry), &'static str> {
    let path = name::parse(&line.path).ok_or("bad escape in 'path'")?;
    let kind = kind(&line)?;
    let mut xattrs = BTreeMap::new();
    for (key, value) in &line.xattrs {
        let key = name::parse(key).ok_or("bad escape in the name of an xattr")?;
        if key.is_empty() || key.contains(&0) || key.len() > 255 {
            return Err("bad name of an xattr");
        }
        let value = base64::decode(value).ok_or("an xattr's value is not base64")?;
        xattrs.insert(key, value);
    }
    let entry = Entry {
        kind,
        stamp: Stamp {
            mode: mode(line.mode.as_bytes()).ok_or("'mode' is not four octal digits")?,
            uid: line.uid,
            gid: line.gid,
            mtime: line.mtime,
            mtime_nanos: line.mtime_nanos,
        },
        xattrs,
        layer: line.layer,
        over: line.over.map(source),
    };
    check(&path, &entry)?;
    Ok((path, entry))
}

/// What is wrong with an entry, whatever else there is in the tree.
pub(crate) fn check(path: &[u8], entry: &Entry) -> Result<(), &'static str> {
    if let Some(fault) = name::fault(path) {
        return Err(fault);
    }
    if let Kind::Symlink { target } = &entry.kind {
        if let Some(fault) = name::link_fault(target) {
            return Err(fault);
        }
    }
    if entry.layer > 1 {
        return Err("'layer' is neither 0 nor 1");
    }
    if entry.stamp.mtime_nanos > 999_999_999 {
        return Err("'mtime_nanos' is a second or more");
    }
    let replaces = entry.layer == 1 && !matches!(entry.kind, Kind::Dir | Kind::HardLink { .. });
    match entry.over {
        Some(_) if !replaces => Err("'over' belongs to what can replace a file of the base"),
        Some(Source {
            input,
            offset,
            len: 0,
        }) if (input, offset) != (0, 0) => Err("'over' names no bytes"),
        _ => Ok(()),
    }
}

pub(crate) fn mode(text: &[u8]) -> Option<u32> {
    let mut mode = 0u32;
    for digit in text {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        mode = (mode << 3) | u32::from(digit);
    }
    (text.len() == 4).then_some(mode)
}

fn source((input, offset, len): (usize, u64, u64)) -> Source {
    Source { input, offset, len }
}

/// A file with holes: its pieces in order, with holes between them and somewhere in all.
fn sparse(len: u64, pieces: &[LinePiece]) -> Result<Sparse, &'static str> {
    let mut end = None;
    let mut out = Vec::with_capacity(pieces.len());
    for (at, input, offset, piece) in pieces {
        if *piece == 0 || end.is_some_and(|end| *at <= end) {
            return Err("the pieces of 'sparse' are not in order, or one has no hole before it");
        }
        end = at.checked_add(*piece);
        if end.is_none_or(|end| end > len) {
            return Err("a piece of 'sparse' reaches beyond the file");
        }
        out.push((*at, source((*input, *offset, *piece))));
    }
    let whole = matches!(out.as_slice(), [(_, all)] if all.len == len);
    if whole || len == 0 {
        return Err("'sparse' has no hole");
    }
    Ok(Sparse { len, pieces: out })
}

/// The kind, from exactly the fields that belong to its word.
fn kind(line: &Line) -> Result<Kind, &'static str> {
    let target = || match &line.target {
        Some(text) => name::parse(text).ok_or("bad escape in 'target'"),
        None => Err("'target' is missing"),
    };
    let rdev = || {
        line.rdev
            .ok_or("'rdev' belongs to devices, and to all of them")
    };
    let kind = match line.word.as_str() {
        "file" => match (line.source, &line.sparse) {
            (Some(range), None) => Kind::File(source(range)),
            (None, Some((len, pieces))) => Kind::Sparse(sparse(*len, pieces)?),
            (None, None) => return Err("'source' or 'sparse' is missing"),
            (Some(_), Some(_)) => return Err("'source' and 'sparse' exclude each other"),
        },
        "dir" => Kind::Dir,
        "symlink" => Kind::Symlink { target: target()? },
        "hardlink" => Kind::HardLink { target: target()? },
        "char" => {
            let (major, minor) = rdev()?;
            Kind::Char { major, minor }
        }
        "block" => {
            let (major, minor) = rdev()?;
            Kind::Block { major, minor }
        }
        "fifo" => Kind::Fifo,
        _ => return Err("unknown 'type'"),
    };
    let file = kind.file_len().is_some();
    let link = matches!(kind, Kind::Symlink { .. } | Kind::HardLink { .. });
    let device = matches!(kind, Kind::Char { .. } | Kind::Block { .. });
    if (line.source.is_some() || line.sparse.is_some()) != file {
        return Err("'source' and 'sparse' belong to files only");
    }
    if line.target.is_some() != link {
        return Err("'target' belongs to links only");
    }
    if line.rdev.is_some() != device {
        return Err("'rdev' belongs to devices, and to all of them");
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the quick way takes, the slow way takes for the same.
    #[test]
    fn two_ways_one_meaning() {
        let stamp = r#""mode":"0755","uid":0,"gid":7,"mtime":-5"#;
        let texts = [
            format!(r#"{{"path":"","type":"dir",{stamp},"layer":0}}"#),
            format!(
                r#"{{"path":"a/é","type":"file",{stamp},"mtime_nanos":7,"source":[0,1,2],"layer":1}}"#
            ),
            format!(
                r#"{{"path":"a","type":"file",{stamp},"source":[0,1,2],"over":[3,0,9],"layer":1}}"#
            ),
            format!(r#"{{"path":"l","type":"symlink",{stamp},"target":"../x","layer":0}}"#),
            format!(r#"{{"path":"h","type":"hardlink",{stamp},"target":"a","layer":0}}"#),
            format!(r#"{{"path":"c","type":"char",{stamp},"rdev":[1,3],"layer":0}}"#),
            format!(r#"{{"path":"a b","type":"block",{stamp},"rdev":[1,3],"layer":0}}"#),
            format!(r#"{{"path":"f","type":"fifo",{stamp},"layer":0}}"#),
        ];
        let slow = |text: &[u8]| {
            let lines = Lines {
                reader: &mut &b""[..],
                number: 1,
                text: [text, b"\n"].concat(),
            };
            entry(lines.parse().ok()?).ok()
        };
        let odd = b"\"\\,:{}[]0123456789-xyz\x00\x1f\x7f\x80\xc3\xa9 /.";
        for text in &texts {
            let text = text.as_bytes();
            assert!(scan::line(text).is_some(), "{}", text.escape_ascii());
            assert_eq!(scan::line(text), slow(text));
            for at in 0..text.len() {
                let mut shorter = text.to_vec();
                shorter.remove(at);
                let mut changed = vec![shorter];
                for byte in odd {
                    let mut other = text.to_vec();
                    other[at] = *byte;
                    let mut longer = text.to_vec();
                    longer.insert(at, *byte);
                    changed.extend([other, longer]);
                }
                for text in changed {
                    if let Some(taken) = scan::line(&text) {
                        assert_eq!(Some(taken), slow(&text), "{}", text.escape_ascii());
                    }
                }
            }
        }
    }
}
