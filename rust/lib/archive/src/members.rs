//! Reading members one after another from a stream.

use std::io::{self, Read};

use base::{as_u64, past};

use crate::entry::{Entry, Kind};
use crate::error::{show, Error, Reason};
use crate::foreign;
use crate::header::{self, Block, Header, BLOCK, BLOCK_LEN};
use crate::names::{normal, Admitted, Names, Seen, MAX_PATH};
use crate::records::{Extended, MAX_EXTENDED};
use crate::sparse::{self, Form, MapText};

/// How members pass over data: by reading it or by seeking.
pub(crate) trait Skip: Read {
    /// Moves `len` bytes on; false if the archive ends before.
    fn skip(&mut self, len: u64) -> io::Result<bool>;
}

/// What is kept of an earlier member for hard links to it.
#[derive(Debug)]
enum Original {
    /// A file, or another name of one: its place among the members.
    File(u64),
    Special(Kind),
}

/// A member, and how it stands to those before it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) entry: Entry,
    pub(crate) admitted: Admitted,
    /// The member, counted from 0, whose file a hard link names.
    pub(crate) original: Option<u64>,
}

/// The members of an archive. After each [`Members::next`] the reader stands at the member's data.
#[derive(Debug)]
pub(crate) struct Members<R> {
    reader: R,
    /// Offset of the next byte to read.
    at: u64,
    /// Where the data and padding of what the last header was about end; a place further up if they have been read.
    next: u64,
    /// What global headers said.
    global: Extended,
    names: Names<Original>,
    /// Members so far.
    count: u64,
}

/// What precedes a member's header.
#[derive(Debug)]
struct Preceding {
    extended: Extended,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    /// Bytes of it that are in memory or were.
    len: u64,
}

impl<R: Skip> Members<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            at: 0,
            next: 0,
            global: Extended::default(),
            names: Names::default(),
            count: 0,
        }
    }

    /// The next member, or none at the end of the archive.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, Error> {
        loop {
            self.skip_rest()?;
            let mut preceding = Preceding {
                extended: self.global.clone(),
                name: None,
                link: None,
                len: 0,
            };
            let member = loop {
                let offset = self.at;
                let Some(block) = self.header_block()? else {
                    return Ok(None);
                };
                let header = header::parse(&block).map_err(|r| refused(offset, b"", r));
                let header = match header {
                    Err(error) if offset == 0 => return Err(foreign(&block).unwrap_or(error)),
                    other => other?,
                };
                if self.precedes(&header, offset, &mut preceding)? {
                    continue;
                }
                break self.member(header, &block, preceding, offset)?;
            };
            if member.is_some() {
                return Ok(member);
            }
        }
    }

    /// Takes what stands before a member's header; false if this is one.
    fn precedes(
        &mut self,
        header: &Header,
        offset: u64,
        preceding: &mut Preceding,
    ) -> Result<bool, Error> {
        if !matches!(header.typeflag, b'x' | b'X' | b'g' | b'L' | b'K' | b'V') {
            return Ok(false);
        }
        let fail = |reason| refused(offset, &header.name, reason);
        let data = self.record(header, offset, &mut preceding.len)?;
        match header.typeflag {
            // `X` is what Solaris calls it.
            b'x' | b'X' => preceding.extended.read(&data).map_err(fail)?,
            b'g' => {
                self.global.read_global(&data).map_err(fail)?;
                preceding.extended.read_global(&data).map_err(fail)?;
            }
            b'L' => preceding.name = Some(gnu_text(data)),
            b'K' => preceding.link = Some(gnu_text(data)),
            // The name of the archive.
            _ => {}
        }
        Ok(true)
    }

    /// Whether the block of zeros that ends an archive was read.
    pub(crate) fn at_end(&self) -> bool {
        self.at > self.next
    }

    /// Offset of the next byte to read.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    pub(crate) fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The current member's data: a reader of exactly that data.
    pub(crate) fn data(&mut self, len: u64) -> MemberData<'_, R> {
        MemberData {
            data: (&mut self.reader).take(len),
            at: &mut self.at,
        }
    }

    /// One header block, or none at a zero block or at a clean end.
    fn header_block(&mut self) -> Result<Option<Block>, Error> {
        let offset = self.at;
        let start = self.read(BLOCK)?;
        let Ok(block) = Block::try_from(start.as_slice()) else {
            return match start.as_slice() {
                start if offset == 0 => {
                    Err(foreign(start).unwrap_or_else(|| self.truncated("a header")))
                }
                [] => Ok(None),
                _ => Err(self.truncated("a header")),
            };
        };
        // One zero block ends an archive for every reader in use.
        if block == [0; BLOCK_LEN] {
            self.nothing_follows(offset)?;
            return Ok(None);
        }
        Ok(Some(block))
    }

    /// Behind the end are zeros, up to what a tape wanted; another archive would be lost silently.
    fn nothing_follows(&mut self, end: u64) -> Result<(), Error> {
        loop {
            let at = self.at;
            let read = self.read(1 << 16)?;
            if read.is_empty() {
                return Ok(());
            }
            if let Some(first) = read.iter().position(|b| *b != 0) {
                let at = past(at, first);
                return Err(Error::Trailing { end, at });
            }
        }
    }

    /// Reads `len` bytes, or fewer where the archive ends.
    fn read(&mut self, len: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(BLOCK_LEN);
        let done = (&mut self.reader).take(len).read_to_end(&mut bytes);
        self.at = past(self.at, bytes.len());
        match done {
            Ok(_) => Ok(bytes),
            Err(e) if e.kind() == io::ErrorKind::IsADirectory => {
                Err(Error::NotTar(foreign::FOLDER))
            }
            Err(source) => Err(Error::Read {
                offset: self.at,
                source,
            }),
        }
    }

    /// A block of a map of holes.
    fn map_block(&mut self) -> Result<Block, Error> {
        let read = self.read(BLOCK)?;
        Block::try_from(read.as_slice()).map_err(|_| self.truncated("a map of holes"))
    }

    /// The data of an extended header or long name; `held` counts those of the member.
    fn record(&mut self, header: &Header, offset: u64, held: &mut u64) -> Result<Vec<u8>, Error> {
        let fail = |reason| refused(offset, &header.name, reason);
        let size = match u64::try_from(header.size) {
            Ok(size) if size <= MAX_EXTENDED => size,
            _ => return Err(fail(Reason::Extended("over 1 MiB long"))),
        };
        *held = held
            .checked_add(size)
            .filter(|held| *held <= MAX_EXTENDED)
            .ok_or_else(|| fail(Reason::Extended("over 1 MiB long with those before it")))?;
        self.next = self.end_of(size).ok_or_else(|| fail(number("size")))?;
        let data = self.read(size)?;
        if as_u64(data.len()) < size {
            return Err(self.truncated("an extended header"));
        }
        self.skip_rest()?;
        Ok(data)
    }

    /// Where `size` bytes of data that begin here end, with their padding.
    fn end_of(&self, size: u64) -> Option<u64> {
        self.at.checked_add(size)?.checked_add(padding(size))
    }

    fn skip_rest(&mut self) -> Result<(), Error> {
        let rest = match self.next.checked_sub(self.at) {
            None | Some(0) => return Ok(()),
            Some(rest) => rest,
        };
        match self.reader.skip(rest) {
            Ok(true) => {
                self.at = self.next;
                Ok(())
            }
            Ok(false) => Err(self.truncated("a member's data")),
            Err(source) => Err(Error::Read {
                offset: self.at,
                source,
            }),
        }
    }

    pub(crate) fn truncated(&self, what: &'static str) -> Error {
        Error::Truncated { at: self.at, what }
    }

    /// Turns headers into a member and checks it against the earlier ones; none for a link of a name to itself.
    fn member(
        &mut self,
        mut header: Header,
        block: &Block,
        preceding: Preceding,
        offset: u64,
    ) -> Result<Option<Member>, Error> {
        let mut ext = preceding.extended;
        let name = ext.sparse.name.take().or(ext.path.take());
        if let Some(name) = name.or(preceding.name) {
            header.name = name;
        }
        if let Some(link) = ext.link.take().or(preceding.link) {
            header.link = link;
        }
        let fail = |reason| refused(offset, &header.name, reason);
        if let Some(reason) = ext.refused.take() {
            return Err(fail(reason));
        }
        let path = normal(&header.name).map_err(fail)?;
        let header_size = u64::try_from(header.size).map_err(|_| fail(number("size")))?;
        let size = ext.size.unwrap_or(header_size);
        let mut original = None;
        let form = ext.sparse.form().map_err(fail)?;
        let kind = if is_file(&header) {
            self.file(&header, block, &path, size, form, offset)?
        } else {
            if form.is_some() {
                return Err(fail(Reason::Map("belongs to a file only")));
            }
            self.kind(&header, &ext, &path, size, &mut original)
                .map_err(fail)?
        };
        if matches!(&kind, Kind::HardLink { target } if *target == path) {
            return Ok(None);
        }
        let seen = match &kind {
            Kind::Dir => Seen::Dir,
            Kind::File { .. } | Kind::Sparse { .. } => Seen::Other(Original::File(self.count)),
            Kind::HardLink { .. } => Seen::Other(Original::File(original.unwrap_or(self.count))),
            special => Seen::Other(Original::Special(special.clone())),
        };
        let admitted = self.names.admit(&path, seen).map_err(fail)?;
        self.count = past(self.count, 1);
        let entry = entry(&header, ext, path, kind).map_err(fail)?;
        Ok(Some(Member {
            entry,
            admitted,
            original,
        }))
    }

    /// A regular file of `size` bytes in the archive; the reader comes to stand at its data.
    fn file(
        &mut self,
        header: &Header,
        block: &Block,
        path: &[u8],
        size: u64,
        form: Option<Form>,
        offset: u64,
    ) -> Result<Kind, Error> {
        let fail = |reason| refused(offset, &header.name, reason);
        if path.is_empty() {
            return Err(fail(Reason::BadPath));
        }
        let form = match header.typeflag {
            b'S' => Some(self.old_map(block, &header.name, offset)?),
            _ => form,
        };
        let end = self.at.checked_add(size);
        let (end, next) = end
            .zip(self.end_of(size))
            .ok_or_else(|| fail(number("size")))?;
        let (len, runs) = match form {
            None => {
                self.next = next;
                let offset = self.at;
                return Ok(Kind::File { offset, len: size });
            }
            Some(Form::Known(len, runs)) => (len, runs),
            Some(Form::InData(len)) => (len, self.map_in_data(size, &header.name, offset)?),
        };
        self.next = next;
        // A map in the data has been read by now.
        let stored = end
            .checked_sub(self.at)
            .ok_or_else(|| fail(number("size")))?;
        sparse::kind(len, &runs, self.at, stored).map_err(fail)
    }

    /// The map of an old GNU member, of which more blocks may follow its header.
    fn old_map(&mut self, block: &Block, name: &[u8], offset: u64) -> Result<Form, Error> {
        let fail = |reason| refused(offset, name, reason);
        let mut runs = Vec::new();
        let (len, mut more) = sparse::old_header(block, &mut runs).map_err(fail)?;
        while more {
            let block = self.map_block()?;
            more = sparse::old_block(&block, &mut runs).map_err(fail)?;
        }
        Ok(Form::Known(len, runs))
    }

    /// The map that stands before the data of a member of `size` bytes.
    fn map_in_data(
        &mut self,
        size: u64,
        name: &[u8],
        offset: u64,
    ) -> Result<Vec<(u64, u64)>, Error> {
        let fail = |reason| refused(offset, name, reason);
        let mut text = MapText::default();
        let mut left = size;
        loop {
            left = left
                .checked_sub(BLOCK)
                .ok_or_else(|| fail(Reason::Map("is longer than its data")))?;
            let block = self.map_block()?;
            if let Some(runs) = text.block(&block).map_err(fail)? {
                return Ok(runs);
            }
        }
    }

    /// What is no regular file.
    fn kind(
        &self,
        header: &Header,
        ext: &Extended,
        path: &[u8],
        size: u64,
        original: &mut Option<u64>,
    ) -> Result<Kind, Reason> {
        let kind = match header.typeflag {
            // Before ustar, a directory was a file with a slash at its end.
            b'0' | 0 | b'5' => Kind::Dir,
            b'1' => self.hard_link(&header.link, original)?,
            b'2' if header.link.is_empty()
                || header.link.len() > MAX_PATH
                || header.link.contains(&0) =>
            {
                return Err(Reason::BadTarget)
            }
            b'2' => Kind::Symlink {
                target: header.link.clone(),
            },
            b'3' | b'4' => {
                let device = |ext: Option<u32>, raw, field| match ext {
                    Some(number) => Ok(number),
                    None => u32::try_from(raw).map_err(|_| number(field)),
                };
                let major = device(ext.major, header.major, "devmajor")?;
                let minor = device(ext.minor, header.minor, "devminor")?;
                if header.typeflag == b'3' {
                    Kind::Char { major, minor }
                } else {
                    Kind::Block { major, minor }
                }
            }
            b'6' => Kind::Fifo,
            other => return Err(Reason::Type(show(&[other]), type_of(other))),
        };
        // The size of a directory is room to keep for it, says POSIX, and of devices and pipes not specified. A link may
        // have data or not, and readers differ.
        let may_have = matches!(header.typeflag, b'3'..=b'6');
        if size != 0 && !may_have {
            return Err(Reason::UnexpectedData(size));
        }
        if path.is_empty() && !kind.is_dir() {
            return Err(Reason::BadPath);
        }
        Ok(kind)
    }

    /// A link to a file; a link to a link or device is that link or device again.
    fn hard_link(&self, raw: &[u8], original: &mut Option<u64>) -> Result<Kind, Reason> {
        let unknown = || Reason::HardLink(show(raw));
        let target = normal(raw).map_err(|_| unknown())?;
        match self.names.get(&target) {
            Some(Seen::Other(Original::File(at))) => {
                *original = Some(*at);
                Ok(Kind::HardLink { target })
            }
            Some(Seen::Other(Original::Special(kind))) => Ok(kind.clone()),
            Some(Seen::Dir) | None => Err(unknown()),
        }
    }
}

/// Whether data follows a header of that kind.
fn is_file(header: &Header) -> bool {
    match header.typeflag {
        b'0' | 0 => !header.name.ends_with(b"/"),
        b'7' | b'S' => true,
        _ => false,
    }
}

fn entry(header: &Header, ext: Extended, path: Vec<u8>, kind: Kind) -> Result<Entry, Reason> {
    // The file type bits some writers add say nothing the type flag doesn't.
    let mode = u32::try_from(header.mode & 0o7777).map_err(|_| number("mode"))?;
    if ext.acl.is_some_and(|acl| acl.mode() != mode & 0o777) {
        return Err(Reason::Record {
            keyword: "SCHILY.acl.access".to_owned(),
            why: "contradicts the mode",
        });
    }
    let (mtime, mtime_nanos) = match ext.mtime {
        Some(time) => time,
        None => (i64::try_from(header.mtime).map_err(|_| number("mtime"))?, 0),
    };
    let owner = |ext: Option<u32>, raw: i128, field| match ext {
        Some(id) => Ok(id),
        None => u32::try_from(raw).map_err(|_| number(field)),
    };
    Ok(Entry {
        mode,
        uid: owner(ext.uid, header.uid, "uid")?,
        gid: owner(ext.gid, header.gid, "gid")?,
        mtime,
        mtime_nanos,
        xattrs: ext.xattrs,
        path,
        kind,
    })
}

/// What a type is that is refused.
fn type_of(flag: u8) -> &'static str {
    match flag {
        b'D' => ": GNU tar's list of a folder (--listed-incremental)",
        b'M' => ": the rest of a file of another volume",
        b'N' => ": long names in GNU tar's first form",
        b'A' => ": an access list of Solaris",
        b'E' => ": an attribute of Solaris",
        b'I' => ": an inode of star without its file",
        _ => "",
    }
}

/// The data of one member, counted so that members stay in step whatever the consumer reads.
#[derive(Debug)]
pub(crate) struct MemberData<'a, R> {
    data: io::Take<&'a mut R>,
    at: &'a mut u64,
}

impl<R: Skip> Read for MemberData<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.data.read(buffer)?;
        *self.at = past(*self.at, n);
        Ok(n)
    }
}

/// Bytes from the end of `len` bytes of data to the next block.
pub(crate) fn padding(len: u64) -> u64 {
    len.wrapping_neg() % BLOCK
}

fn number(field: &'static str) -> Reason {
    Reason::Number { field }
}

fn refused(offset: u64, path: &[u8], reason: Reason) -> Error {
    Error::Refused {
        offset,
        path: show(path),
        reason,
    }
}

/// That the file is something else, if it begins so.
fn foreign(start: &[u8]) -> Option<Error> {
    foreign::what(start).map(Error::NotTar)
}

/// A GNU long name ends at its NUL.
fn gnu_text(mut data: Vec<u8>) -> Vec<u8> {
    if let Some(end) = data.iter().position(|b| *b == 0) {
        data.truncate(end);
    }
    data
}
