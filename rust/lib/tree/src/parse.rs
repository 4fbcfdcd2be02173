//! Reading a manifest, trusting nothing in it.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::base64;
use crate::entry::{Entry, Input, Kind, Source, Stamp};
use crate::error::Error;
use crate::manifest::{Head, Line, VERSION};
use crate::name;
use crate::tree::Tree;

impl Tree {
    /// Reads a manifest and checks everything that the crate's page promises.
    pub fn read(mut reader: impl BufRead) -> Result<Self, Error> {
        let mut lines = Lines {
            reader: &mut reader,
            number: 0,
            text: Vec::new(),
        };
        let mut tree = Self {
            inputs: head(&mut lines)?,
            entries: BTreeMap::new(),
            origins: BTreeMap::new(),
        };
        while lines.next()? {
            let line: Line = lines.parse()?;
            let (path, entry) = entry(line).map_err(|reason| lines.refuse(reason))?;
            tree.check_line(&path, &entry)
                .map_err(|reason| lines.refuse(reason))?;
            if let Kind::HardLink { target } = &entry.kind {
                tree.check_hard_link(&path, target)?;
                if tree
                    .get(target)
                    .is_some_and(|file| file.layer > entry.layer)
                {
                    return Err(lines.refuse("the file of the link has a later layer"));
                }
            }
            if let Kind::File(source) = entry.kind {
                tree.check_source(&path, source)?;
            }
            tree.entries.insert(path, entry);
        }
        if tree.entries.is_empty() {
            return Err(lines.refuse("the root directory is missing"));
        }
        tree.check_sources()?;
        Ok(tree)
    }

    /// The order of paths and the parent; links follow.
    fn check_line(&self, path: &[u8], entry: &Entry) -> Result<(), &'static str> {
        match self.entries.last_key_value() {
            None if !path.is_empty() => return Err("the first entry is not the root directory"),
            None if entry.kind != Kind::Dir => return Err("the root is not a directory"),
            Some((last, _)) if last.as_slice() >= path => return Err("paths are not sorted"),
            _ => {}
        }
        match name::parent(path).map(|parent| self.entries.get(parent)) {
            Some(None) => Err("the parent directory is missing"),
            Some(Some(parent)) if parent.kind != Kind::Dir => Err("the parent is no directory"),
            Some(Some(parent)) if parent.layer > entry.layer => Err("the parent has a later layer"),
            _ => Ok(()),
        }
    }

    /// One source against the length of its input.
    pub(crate) fn check_source(&self, path: &[u8], source: Source) -> Result<(), Error> {
        let have = self.inputs.get(source.input).map(|input| input.len);
        match (have, source.offset.checked_add(source.len)) {
            (Some(have), Some(end)) if end <= have => Ok(()),
            _ => Err(Error::SourceOutside {
                path: name::display(path),
                input: source.input,
                offset: source.offset,
                len: source.len,
                have: have.unwrap_or(0),
            }),
        }
    }

    /// All sources against each other: equal or apart.
    pub(crate) fn check_sources(&self) -> Result<(), Error> {
        let mut ranges = Vec::with_capacity(self.entries.len());
        for (path, entry) in &self.entries {
            if let Some(source) = entry.source() {
                self.check_source(path, source)?;
                if source.len > 0 {
                    ranges.push((source, path));
                }
            }
        }
        ranges.sort_unstable();
        for ((a, first), (b, second)) in ranges.iter().zip(ranges.iter().skip(1)) {
            let end = a.offset.saturating_add(a.len);
            if a != b && a.input == b.input && end > b.offset {
                return Err(Error::SourceOverlap {
                    first: name::display(first),
                    second: name::display(second),
                    input: b.input,
                    offset: b.offset,
                });
            }
        }
        Ok(())
    }
}

/// Lines of the manifest with their numbers.
struct Lines<'a, R> {
    reader: &'a mut R,
    number: usize,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<'_, R> {
    fn next(&mut self) -> Result<bool, Error> {
        self.text.clear();
        let got = self
            .reader
            .read_until(b'\n', &mut self.text)
            .map_err(Error::io("read the manifest"))?;
        self.number = self.number.saturating_add(1);
        Ok(got > 0)
    }

    fn parse<T: DeserializeOwned + Serialize>(&self) -> Result<T, Error> {
        let Some(text) = self.text.strip_suffix(b"\n") else {
            return Err(self.refuse("the line is cut off"));
        };
        let value: T = serde_json::from_slice(text).map_err(|e| {
            // Each line is a document, so the position in it is its column.
            let text = e.to_string();
            let reason = text.split(" at line ").next().unwrap_or_default();
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
    if let Some(fault) = name::fault(&path) {
        return Err(fault);
    }
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
    if line.layer > 1 {
        return Err("'layer' is neither 0 nor 1");
    }
    if line.mtime_nanos > 999_999_999 {
        return Err("'mtime_nanos' is a second or more");
    }
    let stamp = Stamp {
        mode: mode(&line.mode).ok_or("'mode' is not four octal digits")?,
        uid: line.uid,
        gid: line.gid,
        mtime: line.mtime,
        mtime_nanos: line.mtime_nanos,
    };
    let entry = Entry {
        kind,
        stamp,
        xattrs,
        layer: line.layer,
    };
    Ok((path, entry))
}

fn mode(text: &str) -> Option<u32> {
    let octal = text.len() == 4 && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    octal.then(|| u32::from_str_radix(text, 8).ok()).flatten()
}

/// The kind, from exactly the fields that belong to its word.
fn kind(line: &Line) -> Result<Kind, &'static str> {
    let target = || match &line.target {
        Some(text) => name::parse(text).ok_or("bad escape in 'target'"),
        None => Err("'target' is missing"),
    };
    let (major, minor) = line.rdev.unwrap_or_default();
    let kind = match line.word.as_str() {
        "file" => {
            let (input, offset, len) = line.source.ok_or("'source' is missing")?;
            Kind::File(Source { input, offset, len })
        }
        "dir" => Kind::Dir,
        "symlink" => Kind::Symlink { target: target()? },
        "hardlink" => Kind::HardLink { target: target()? },
        "char" => Kind::Char { major, minor },
        "block" => Kind::Block { major, minor },
        "fifo" => Kind::Fifo,
        _ => return Err("unknown 'type'"),
    };
    let file = matches!(kind, Kind::File(_));
    let link = matches!(kind, Kind::Symlink { .. } | Kind::HardLink { .. });
    let device = matches!(kind, Kind::Char { .. } | Kind::Block { .. });
    if line.source.is_some() != file {
        return Err("'source' belongs to files only");
    }
    if line.target.is_some() != link {
        return Err("'target' belongs to links only");
    }
    if line.rdev.is_some() != device {
        return Err("'rdev' belongs to devices, and to all of them");
    }
    if let Kind::Symlink { target } = &kind {
        if let Some(fault) = name::link_fault(target) {
            return Err(fault);
        }
    }
    Ok(kind)
}
