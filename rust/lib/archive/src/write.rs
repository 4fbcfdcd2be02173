//! Writing archives.

use std::io::{self, Read, Write};

use base::{as_u64, as_usize, past};

use crate::entry::{Entry, Kind};
use crate::error::{show, Error, Reason};
use crate::header::{self, Ustar, BLOCK_LEN};
use crate::members::padding;
use crate::names::{normal, MAX_PATH};
use crate::pax;
use crate::sparse;

/// Where the data of files begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alignment {
    /// Right behind the header: at a multiple of 512 bytes, as everything in an archive.
    #[default]
    Block,
    /// At a multiple of 4096 bytes, the block of file systems, so that blocks of files can be used where they lie.
    ///
    /// A `comment` in the extended header is as long as it takes; readers pass over it. Files without data have none.
    Page,
}

const PAGE: usize = 4096;

/// Writes members in the order given. The same entries and data give the same bytes.
///
/// Order, and that no path occurs twice, are the caller's business; each path is checked by itself.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    at: u64,
    alignment: Alignment,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        Self::aligned(out, Alignment::Block)
    }

    /// Begins an archive whose files' data lies as `alignment` says.
    pub fn aligned(out: W, alignment: Alignment) -> Self {
        Self {
            out,
            at: 0,
            alignment,
        }
    }

    /// Bytes written so far.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Writes a member. `data` must yield exactly the `len` bytes of a [`Kind::File`], or those of all pieces of a
    /// [`Kind::Sparse`], and is not read for other kinds ([`std::io::empty`] will do). The entry's own offsets are not used.
    /// Returns the offset of the data.
    pub fn append(&mut self, entry: &Entry, data: impl Read) -> Result<u64, Error> {
        let head = Head::new(entry, self.at, self.alignment)?;
        self.put(&head.bytes)?;
        let offset = self.at;
        if let Some(len) = head.data {
            self.copy(data, len, &entry.path)?;
            self.put(&vec![0; as_usize(padding(len))])?;
        }
        Ok(offset)
    }

    /// Ends the archive and gives back what it was written to, flushed.
    pub fn finish(mut self) -> Result<W, Error> {
        self.put(&END)?;
        self.out.flush().map_err(|source| Error::Write {
            offset: self.at,
            source,
        })?;
        Ok(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(|source| Error::Write {
            offset: self.at,
            source,
        })?;
        self.at = past(self.at, bytes.len());
        Ok(())
    }

    fn copy(&mut self, mut data: impl Read, len: u64, path: &[u8]) -> Result<(), Error> {
        let mut buffer = vec![0; 1 << 16];
        let mut done = 0;
        loop {
            let got = match data.read(&mut buffer) {
                Ok(got) => got,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(Error::Source {
                        path: std::path::PathBuf::from(show(path)),
                        source,
                    })
                }
            };
            done = past(done, got);
            match got {
                0 if done == len => return Ok(()),
                1.. if done <= len => self.put(buffer.get(..got).unwrap_or(&buffer))?,
                _ => {
                    return Err(Error::Unwritable {
                        path: show(path),
                        reason: Reason::Length {
                            want: len,
                            got: done,
                        },
                    })
                }
            }
        }
    }
}

/// The bytes of a member that begins at `at`, a multiple of 512, up to its data: the extended header if one is needed, the
/// header, and the map of a file with holes. After the data come zeros up to a multiple of 512; after the last member, [`END`].
pub fn head(entry: &Entry, at: u64, alignment: Alignment) -> Result<Vec<u8>, Error> {
    Head::new(entry, at, alignment).map(|head| head.bytes)
}

/// What stands before a member's data.
struct Head {
    bytes: Vec<u8>,
    /// How much data follows the head of a regular file; nothing else has any.
    data: Option<u64>,
}

impl Head {
    fn new(entry: &Entry, at: u64, alignment: Alignment) -> Result<Self, Error> {
        Self::checked(entry, at, alignment).map_err(|reason| Error::Unwritable {
            path: show(&entry.path),
            reason,
        })
    }

    fn checked(entry: &Entry, at: u64, alignment: Alignment) -> Result<Self, Reason> {
        check(entry)?;
        let (map, data) = match &entry.kind {
            Kind::File { len, .. } => (Vec::new(), Some(*len)),
            Kind::Sparse { len, pieces } => {
                let (map, data) = sparse::encode(*len, pieces)?;
                (map, Some(data))
            }
            _ => (Vec::new(), None),
        };
        // What the header calls the member's size: map and data.
        let size = match data {
            Some(data) => as_u64(map.len()).checked_add(data),
            None => Some(0),
        };
        let size = size.ok_or(Reason::Number { field: "size" })?;
        let (header, mut records) = header(entry, size)?;
        if let (Alignment::Page, Some(1..)) = (alignment, data) {
            align(&mut records, at, map.len());
        }
        let mut bytes = Vec::new();
        if !records.is_empty() {
            bytes.extend_from_slice(&records_header(records.len())?);
            bytes.append(&mut records);
            bytes.resize(bytes.len().next_multiple_of(BLOCK_LEN), 0);
        }
        bytes.extend_from_slice(&header.encode());
        bytes.extend_from_slice(&map);
        Ok(Self { bytes, data })
    }
}

/// The header of an extended header of so many bytes.
fn records_header(len: usize) -> Result<header::Block, Reason> {
    let mut header = Ustar::new(b'x');
    header.name = header::cut(b"././@PaxHeader");
    header.mode = *b"0000644\0";
    header.size = header::octal(as_u64(len)).ok_or(Reason::Extended("over 8 GiB long"))?;
    Ok(header.encode())
}

/// As GNU tar calls them, which has a process number for the zero.
const SPARSE_NAME: &[u8] = b"GNUSparseFile.0";

/// What ends an archive.
pub const END: [u8; 2 * BLOCK_LEN] = [0; 2 * BLOCK_LEN];

/// Adds a comment to `records`, those of a member that begins at `at`, so that its data begins on a page. Between header
/// and data are `map` bytes.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "places within a page and lengths of what is in memory; what is missing is a block at least, which has room for a comment"
)]
fn align(records: &mut Vec<u8>, at: u64, map: usize) {
    let at = as_usize(at) % PAGE;
    // From the data, with that much of an extended header before it, to the next page.
    let gap = |extended: usize| {
        let data = at + extended + BLOCK_LEN + map;
        data.next_multiple_of(PAGE) - data
    };
    let missing = if records.is_empty() {
        if gap(0) == 0 {
            return;
        }
        // A header for the records, and a block of them at least.
        gap(2 * BLOCK_LEN) + BLOCK_LEN
    } else {
        let held = records.len().next_multiple_of(BLOCK_LEN);
        match gap(held + BLOCK_LEN) {
            0 => return,
            gap => held + gap - records.len(),
        }
    };
    records.extend(pax::comment(missing).expect("room for a comment"));
}

/// As other programs expect it: the root as `./`, directories with a slash.
fn stored_path(entry: &Entry) -> Vec<u8> {
    match (&entry.kind, entry.path.is_empty()) {
        (_, true) => b"./".to_vec(),
        (Kind::Dir, false) => [&entry.path[..], b"/"].concat(),
        (_, false) => entry.path.clone(),
    }
}

/// Refuses what no reader of ours would take back.
fn check(entry: &Entry) -> Result<(), Reason> {
    if entry.path.is_empty() {
        if !entry.kind.is_dir() {
            return Err(Reason::BadPath);
        }
    } else if normal(&entry.path)? != entry.path {
        return Err(Reason::BadPath);
    }
    match &entry.kind {
        Kind::HardLink { target } if normal(target) != Ok(target.clone()) => {
            return Err(Reason::HardLink(show(target)))
        }
        Kind::Symlink { target }
            if target.is_empty() || target.len() > MAX_PATH || target.contains(&0) =>
        {
            return Err(Reason::BadTarget)
        }
        _ => {}
    }
    if entry.mode > 0o7777 {
        return Err(Reason::Number { field: "mode" });
    }
    if entry.mtime_nanos >= 1_000_000_000 {
        return Err(Reason::Number { field: "mtime" });
    }
    if entry.xattrs.keys().any(|k| k.is_empty() || k.contains(&0)) {
        return Err(Reason::Extended("bad name of an extended attribute"));
    }
    Ok(())
}

fn typeflag(kind: &Kind) -> u8 {
    match kind {
        Kind::File { .. } | Kind::Sparse { .. } => b'0',
        Kind::HardLink { .. } => b'1',
        Kind::Symlink { .. } => b'2',
        Kind::Char { .. } => b'3',
        Kind::Block { .. } => b'4',
        Kind::Dir => b'5',
        Kind::Fifo => b'6',
    }
}

/// The header of a member, and pax records for what does not fit there, in a fixed order.
fn header(entry: &Entry, size: u64) -> Result<(Ustar, Vec<u8>), Reason> {
    let mut header = Ustar::new(typeflag(&entry.kind));
    let mut records = Vec::new();
    let path = stored_path(entry);
    if let Kind::Sparse { len, .. } = &entry.kind {
        // The path is in a record; who does not know it gets the map and the pieces, and should not take them for the file.
        header.name = header::cut(SPARSE_NAME);
        pax::push_record(&mut records, b"GNU.sparse.major", b"1");
        pax::push_record(&mut records, b"GNU.sparse.minor", b"0");
        pax::push_record(&mut records, b"GNU.sparse.name", &path);
        let len = len.to_string();
        pax::push_record(&mut records, b"GNU.sparse.realsize", len.as_bytes());
    } else if !header.set_path(&path) {
        pax::push_record(&mut records, b"path", &path);
    }
    if let Kind::Symlink { target } | Kind::HardLink { target } = &entry.kind {
        header.linkname = header::text(target).unwrap_or_else(|| {
            pax::push_record(&mut records, b"linkpath", target);
            header::cut(target)
        });
    }
    header.mode = header::octal(entry.mode.into()).ok_or(Reason::Number { field: "mode" })?;
    set(&mut header.uid, &mut records, b"uid", entry.uid.into());
    set(&mut header.gid, &mut records, b"gid", entry.gid.into());
    set(&mut header.size, &mut records, b"size", size);
    if let Kind::Char { major, minor } | Kind::Block { major, minor } = entry.kind {
        let (to_major, to_minor) = (&mut header.devmajor, &mut header.devminor);
        set(to_major, &mut records, b"SCHILY.devmajor", major.into());
        set(to_minor, &mut records, b"SCHILY.devminor", minor.into());
    }
    let mtime = u64::try_from(entry.mtime).ok();
    let whole = mtime.filter(|_| entry.mtime_nanos == 0);
    header.mtime = whole.and_then(header::octal).unwrap_or_else(|| {
        let text = pax::format_time(entry.mtime, entry.mtime_nanos);
        pax::push_record(&mut records, b"mtime", text.as_bytes());
        header::LONG_ZERO
    });
    for (name, value) in &entry.xattrs {
        pax::push_xattr(&mut records, name, value);
    }
    Ok((header, records))
}

/// Sets a number of a header; one that is too large is in a record, and the header keeps its 0.
fn set<const N: usize>(field: &mut [u8; N], records: &mut Vec<u8>, keyword: &[u8], value: u64) {
    match header::octal(value) {
        Some(digits) => *field = digits,
        None => pax::push_record(records, keyword, value.to_string().as_bytes()),
    }
}
