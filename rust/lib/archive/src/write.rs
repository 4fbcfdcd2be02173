//! Writing archives.

use std::io::{self, Read, Write};

use crate::entry::{Entry, Kind};
use crate::error::{show, Error, Reason};
use crate::header::{self, Fields, BLOCK, BLOCK_LEN, MAX_LONG, MAX_OWNER};
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

const PAGE: u64 = 4096;

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
        let head = head(entry, self.at, self.alignment)?;
        self.put(&head)?;
        let offset = self.at;
        if let Some(len) = stored(&entry.kind) {
            self.copy(data, len, &entry.path)?;
            let zeros = [0; BLOCK_LEN];
            let pad = usize::try_from(padding(len)).unwrap_or(0);
            self.put(zeros.get(..pad).unwrap_or_default())?;
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
        self.at = self
            .at
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        Ok(())
    }

    fn copy(&mut self, mut data: impl Read, len: u64, path: &[u8]) -> Result<(), Error> {
        let mut buffer = vec![0; 1 << 16];
        let mut left = len;
        loop {
            // One byte more than is left shows data that is too long.
            let most = usize::try_from(left.saturating_add(1)).unwrap_or(usize::MAX);
            let want = buffer.len().min(most);
            let got = match data.read(buffer.get_mut(..want).unwrap_or_default()) {
                Ok(got) => got,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(Error::Source {
                        path: std::path::PathBuf::from(show(path)),
                        source,
                    })
                }
            };
            let got64 = u64::try_from(got).unwrap_or(u64::MAX);
            if got == 0 && left == 0 {
                return Ok(());
            }
            if got == 0 || got64 > left {
                return Err(Error::Unwritable {
                    path: show(path),
                    reason: Reason::Length {
                        want: len,
                        got: len.saturating_sub(left).saturating_add(got64),
                    },
                });
            }
            left = left.saturating_sub(got64);
            self.put(buffer.get(..got).unwrap_or_default())?;
        }
    }
}

/// The bytes of a member that begins at `at`, a multiple of 512, up to its data: the extended header if one is needed, the
/// header, and the map of a file with holes. After the data come zeros up to a multiple of 512; after the last member, [`END`].
pub fn head(entry: &Entry, at: u64, alignment: Alignment) -> Result<Vec<u8>, Error> {
    let unwritable = |reason| Error::Unwritable {
        path: show(&entry.path),
        reason,
    };
    check(entry).map_err(unwritable)?;
    let path = stored_path(entry);
    let map = match &entry.kind {
        Kind::Sparse { len, pieces } => sparse::encode(*len, pieces).map_err(unwritable)?.0,
        _ => Vec::new(),
    };
    let (mut fields, mut records) = fields(entry, &path, wide(map.len()));
    if let (Alignment::Page, Some(1..)) = (alignment, stored(&entry.kind)) {
        align(&mut records, at, wide(map.len()));
    }
    let mut out = Vec::new();
    if !records.is_empty() {
        let len = u64::try_from(records.len()).unwrap_or(u64::MAX);
        out.extend_from_slice(&header::encode(&Fields {
            name: b"././@PaxHeader",
            typeflag: b'x',
            mode: 0o644,
            size: len,
            ..Fields::default()
        }));
        out.extend_from_slice(&records);
        let pad = usize::try_from(padding(len)).unwrap_or(0);
        out.resize(out.len().saturating_add(pad), 0);
    }
    if !map.is_empty() {
        // The path is in a record; who does not know it gets the map and the pieces, and should not take them for the file.
        fields.name = SPARSE_NAME;
    } else if let Some((prefix, name)) = header::split(&path) {
        fields.prefix = prefix;
        fields.name = name;
    } else {
        // Readers without pax see a shortened name.
        fields.name = path.get(..100).unwrap_or(&path);
    }
    out.extend_from_slice(&header::encode(&fields));
    out.extend_from_slice(&map);
    Ok(out)
}

/// As GNU tar calls them, which has a process number for the zero.
const SPARSE_NAME: &[u8] = b"GNUSparseFile.0";

/// How much data follows the head of a regular file.
fn stored(kind: &Kind) -> Option<u64> {
    match kind {
        Kind::File { len, .. } => Some(*len),
        // In range: the pieces were checked when the head was made.
        Kind::Sparse { pieces, .. } => Some(pieces.iter().map(|piece| piece.len).sum()),
        _ => None,
    }
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// What ends an archive.
pub const END: [u8; 2 * BLOCK_LEN] = [0; 2 * BLOCK_LEN];

/// Adds a comment to `records`, those of a member that begins at `at`, so that its data begins on a page. Between header
/// and data are `map` bytes.
fn align(records: &mut Vec<u8>, at: u64, map: u64) {
    let gap = |extended: u64| {
        let data = at.saturating_add(extended).saturating_add(BLOCK);
        let data = data.saturating_add(map);
        data.wrapping_neg() & PAGE.saturating_sub(1)
    };
    let held = u64::try_from(records.len()).unwrap_or(u64::MAX);
    let held = held.saturating_add(padding(held));
    let whole = if records.is_empty() {
        if gap(0) == 0 {
            return;
        }
        // A header for the records, and a block of them at least.
        let least = BLOCK.saturating_mul(2);
        gap(least).saturating_add(BLOCK)
    } else {
        match gap(held.saturating_add(BLOCK)) {
            0 => return,
            gap => held.saturating_add(gap),
        }
    };
    // Records are at most a few hundred KiB long.
    pax::fill(records, usize::try_from(whole).unwrap_or(0));
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

/// The header's values, and pax records for those that don't fit, in a fixed order.
fn fields<'a>(entry: &'a Entry, path: &[u8], map: u64) -> (Fields<'a>, Vec<u8>) {
    let mut fields = Fields {
        mode: entry.mode,
        ..Fields::default()
    };
    let mut records = Vec::new();
    let target = match &entry.kind {
        Kind::Symlink { target } | Kind::HardLink { target } => target.as_slice(),
        _ => b"",
    };
    if let Kind::Sparse { len, .. } = &entry.kind {
        pax::push_record(&mut records, b"GNU.sparse.major", b"1");
        pax::push_record(&mut records, b"GNU.sparse.minor", b"0");
        pax::push_record(&mut records, b"GNU.sparse.name", path);
        pax::push_record(
            &mut records,
            b"GNU.sparse.realsize",
            len.to_string().as_bytes(),
        );
    } else if header::split(path).is_none() {
        pax::push_record(&mut records, b"path", path);
    }
    if header::link_fits(target) {
        fields.link = target;
    } else {
        pax::push_record(&mut records, b"linkpath", target);
        fields.link = target.get(..100).unwrap_or_default();
    }
    let mut number = |key: &[u8], value: u64, max: u64| {
        if value <= max {
            return value;
        }
        pax::push_record(&mut records, key, value.to_string().as_bytes());
        0
    };
    fields.uid = number(b"uid", u64::from(entry.uid), MAX_OWNER);
    fields.gid = number(b"gid", u64::from(entry.gid), MAX_OWNER);
    fields.typeflag = typeflag(&entry.kind);
    match entry.kind {
        Kind::File { len, .. } => fields.size = number(b"size", len, MAX_LONG),
        Kind::Sparse { .. } => {
            let data = stored(&entry.kind).unwrap_or(0).saturating_add(map);
            fields.size = number(b"size", data, MAX_LONG);
        }
        Kind::Char { major, minor } | Kind::Block { major, minor } => {
            fields.device = Some((major, minor))
        }
        _ => {}
    }
    match u64::try_from(entry.mtime) {
        Ok(mtime) if mtime <= MAX_LONG && entry.mtime_nanos == 0 => fields.mtime = mtime,
        _ => {
            let text = pax::format_time(entry.mtime, entry.mtime_nanos);
            pax::push_record(&mut records, b"mtime", text.as_bytes());
        }
    }
    for (name, value) in &entry.xattrs {
        pax::push_xattr(&mut records, name, value);
    }
    (fields, records)
}
