//! Listing an archive without reading its data.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use base::{as_usize, past};

use crate::entry::{Entry, Kind};
use crate::error::Error;
use crate::foreign::FOLDER;
use crate::members::{Member, Members, Skip};
use crate::names::Admitted;

/// A seekable archive of known length.
#[derive(Debug)]
struct Seeking<R> {
    reader: R,
    at: u64,
    len: u64,
}

impl<R: Read> Read for Seeking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.at = past(self.at, n);
        Ok(n)
    }
}

impl<R: Read + Seek> Skip for Seeking<R> {
    fn skip(&mut self, len: u64) -> io::Result<bool> {
        // Seeking past the end succeeds, so the length is checked first.
        let to = self.at.checked_add(len);
        let Some(to) = to.filter(|to| *to <= self.len) else {
            return Ok(false);
        };
        self.at = self.reader.seek(SeekFrom::Start(to))?;
        Ok(true)
    }
}

/// The members of an archive as they stand in it, one after another: for who knows which ones there may be, and stops at
/// the first other one.
#[derive(Debug)]
pub struct List<R> {
    members: Members<Seeking<R>>,
    len: u64,
    done: bool,
}

/// Begins to read the archive that starts at the reader's beginning.
///
/// File contents are not read, but are known to be there: the data of each file lies within the archive. A path may come
/// again, unless it is a folder one time and something else another time.
pub fn list<R: Read + Seek>(mut reader: R) -> Result<List<R>, Error> {
    let len = reader.seek(SeekFrom::End(0));
    let len = match len.and_then(|len| reader.rewind().map(|()| len)) {
        Ok(len) => len,
        // The end of a folder is far away, and only reading tells that it is one.
        Err(source) => return Err(unreadable(&mut reader, source)),
    };
    Ok(List {
        // Headers of small files lie close together, but a buffer would be thrown away by each seek.
        members: Members::new(Seeking { reader, at: 0, len }),
        len,
        done: false,
    })
}

fn unreadable(reader: &mut impl Read, source: io::Error) -> Error {
    match reader.read(&mut [0]) {
        Err(e) if e.kind() == io::ErrorKind::IsADirectory => Error::NotTar(FOLDER),
        _ => Error::Read { offset: 0, source },
    }
}

impl<R: Read + Seek> List<R> {
    fn member(&mut self) -> Result<Option<Member>, Error> {
        let member = self.members.next()?;
        let end = member.as_ref().and_then(|member| end(&member.entry.kind));
        match end {
            Some(end) if end > self.len => Err(Error::Truncated {
                at: self.len,
                what: "a member's data",
            }),
            _ => Ok(member),
        }
    }
}

/// Where a file's data ends. The reader has checked that the number exists.
fn end(kind: &Kind) -> Option<u64> {
    match kind {
        Kind::File { offset, len } => offset.checked_add(*len),
        Kind::Sparse { pieces, .. } => {
            let last = pieces.last()?;
            last.offset.checked_add(last.len)
        }
        _ => None,
    }
}

impl<R: Read + Seek> Iterator for List<R> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let member = self.member();
        self.done = !matches!(member, Ok(Some(_)));
        member.map(|member| Some(member?.entry)).transpose()
    }
}

/// What an archive unpacks to, without reading file contents: see [`list`].
///
/// Each path is there once. Of two members of one path the later one counts, as for every tar program; a file that was
/// replaced lives on under the names that were linked to it. The first name of a file in order is the file.
pub fn index(reader: impl Read + Seek) -> Result<Vec<Entry>, Error> {
    let mut list = list(reader)?;
    let mut all: Vec<Entry> = Vec::new();
    // For each member the one whose file it is.
    let mut files = Vec::new();
    let mut again = false;
    while let Some(member) = list.member()? {
        files.push(member.original.map_or(all.len(), as_usize));
        again |= member.admitted != Admitted::New;
        all.push(member.entry);
    }
    let linked = files.iter().enumerate().any(|(at, file)| at != *file);
    if again || linked {
        return Ok(settle(all, &files));
    }
    Ok(all)
}

/// What becomes of a member.
enum Fate {
    /// A later one has its path.
    Gone,
    Stays,
    /// It is the first name left of that member's file.
    Is(usize),
    /// It is another name of that member.
    Links(usize),
}

/// What is there when all members have been unpacked. `files` says for each the one whose file it is.
fn settle(all: Vec<Entry>, files: &[usize]) -> Vec<Entry> {
    let mut last: BTreeMap<&[u8], usize> = BTreeMap::new();
    for (at, entry) in all.iter().enumerate() {
        last.insert(&entry.path, at);
    }
    // For each file its first name that is left.
    let mut first: BTreeMap<usize, usize> = BTreeMap::new();
    let fates = all
        .iter()
        .zip(files)
        .enumerate()
        .map(|(at, (entry, file))| {
            if last.get(entry.path.as_slice()) != Some(&at) {
                return Fate::Gone;
            }
            match first.get(file) {
                Some(first) => return Fate::Links(*first),
                None => first.insert(*file, at),
            };
            match *file == at {
                true => Fate::Stays,
                false => Fate::Is(*file),
            }
        });
    let fates: Vec<Fate> = fates.collect();
    let mut settled = Vec::with_capacity(all.len());
    for (entry, fate) in all.iter().zip(fates) {
        settled.push(match fate {
            Fate::Gone => continue,
            Fate::Stays => entry.clone(),
            Fate::Is(file) => Entry {
                path: entry.path.clone(),
                ..nth(&all, file).clone()
            },
            Fate::Links(first) => {
                let target = nth(&all, first).path.clone();
                Entry {
                    kind: Kind::HardLink { target },
                    ..entry.clone()
                }
            }
        });
    }
    settled
}

#[expect(
    clippy::expect_used,
    reason = "the place of a member among `all`, which had it there"
)]
fn nth(all: &[Entry], at: usize) -> &Entry {
    all.get(at).expect("a member's place")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, offset: u64) -> Entry {
        Entry::new(path, Kind::File { offset, len: 1 }, 0o644)
    }

    fn link(path: &str, target: &str) -> Entry {
        let target = target.into();
        Entry::new(path, Kind::HardLink { target }, 0o600)
    }

    #[test]
    fn a_file_lives_on_under_its_other_names() {
        // a, b -> a, e -> a, a again, c -> b, d -> a.
        let all = vec![
            file("a", 1),
            link("b", "a"),
            link("e", "a"),
            file("a", 2),
            link("c", "b"),
            link("d", "a"),
        ];
        let settled = settle(all, &[0, 0, 0, 3, 0, 3]);
        let want = vec![
            file("b", 1),
            link("e", "b"),
            file("a", 2),
            link("c", "b"),
            link("d", "a"),
        ];
        assert_eq!(settled, want);
    }

    /// Neither seeks nor reads.
    struct Fails(io::ErrorKind);

    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
    }

    impl Seek for Fails {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    #[test]
    fn only_a_folder_is_called_one() {
        let error = index(Fails(io::ErrorKind::IsADirectory)).unwrap_err();
        assert!(matches!(error, Error::NotTar(FOLDER)), "{error}");
        let error = index(Fails(io::ErrorKind::TimedOut)).unwrap_err();
        assert!(matches!(error, Error::Read { offset: 0, .. }), "{error}");
    }
}
