//! Reading members one after another from a stream.

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::entry::{Entry, Kind};
use crate::error::{show, Error, Reason};
use crate::header::{self, Block, Header, BLOCK, BLOCK_LEN};
use crate::names::{normal, Names};
use crate::pax::{Extended, MAX_EXTENDED};

/// How members pass over data: by reading it or by seeking.
pub(crate) trait Skip: Read {
    /// Moves `len` bytes on; false if the archive ends before.
    fn skip(&mut self, len: u64) -> io::Result<bool>;
}

/// What is kept of an earlier member for hard links to it.
#[derive(Debug)]
enum Original {
    File,
    Special(Kind),
}

/// The members of an archive. After each [`Members::next`] the reader stands at the member's data.
#[derive(Debug)]
pub(crate) struct Members<R> {
    reader: R,
    /// Offset of the next byte to read.
    at: u64,
    /// Data and padding of the last member not yet read.
    pending: u64,
    names: Names,
    originals: BTreeMap<Vec<u8>, Original>,
}

impl<R: Skip> Members<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            at: 0,
            pending: 0,
            names: Names::default(),
            originals: BTreeMap::new(),
        }
    }

    /// The next member, or none at the end of the archive.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, Error> {
        self.skip_pending()?;
        let mut extended = Extended::default();
        let mut long_name = None;
        let mut long_link = None;
        loop {
            let offset = self.at;
            let Some(block) = self.header_block()? else {
                return Ok(None);
            };
            let header = header::parse(&block).map_err(|r| refused(offset, b"", r))?;
            let fail = |reason| refused(offset, &header.name, reason);
            match header.typeflag {
                b'x' => {
                    let data = self.record(&header, offset)?;
                    extended.read(&data).map_err(fail)?;
                }
                // Global headers carry comments in practice; any other keyword would change what follows unseen.
                b'g' => {
                    let data = self.record(&header, offset)?;
                    check_global(&data).map_err(fail)?;
                }
                b'L' => long_name = Some(gnu_text(self.record(&header, offset)?)),
                b'K' => long_link = Some(gnu_text(self.record(&header, offset)?)),
                _ => {
                    let header = Header {
                        name: extended.path.take().or(long_name).unwrap_or(header.name),
                        link: extended.link.take().or(long_link).unwrap_or(header.link),
                        ..header
                    };
                    return self.member(header, extended, offset).map(Some);
                }
            }
        }
    }

    /// Reads the current member's data through to `copy`, which gets a reader of exactly that data.
    pub(crate) fn data(&mut self, len: u64) -> MemberData<'_, R> {
        MemberData {
            members: self,
            left: len,
        }
    }

    /// One header block, or none at two zero blocks or at a clean end.
    fn header_block(&mut self) -> Result<Option<Block>, Error> {
        let mut block = [0; BLOCK_LEN];
        let got = self.fill(&mut block)?;
        if got == 0 {
            return Ok(None);
        }
        if got < BLOCK_LEN {
            return Err(self.truncated("a header"));
        }
        // One zero block ends an archive for every reader in use; what follows it is padding.
        Ok((block != [0; BLOCK_LEN]).then_some(block))
    }

    /// Reads until `buffer` is full or the archive ends.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut filled: usize = 0;
        loop {
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(filled);
            }
            match self.reader.read(rest) {
                Ok(0) => return Ok(filled),
                Ok(n) => {
                    filled = filled.saturating_add(n);
                    self.at = self.at.saturating_add(u64::try_from(n).unwrap_or(0));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Read {
                        offset: self.at,
                        source,
                    })
                }
            }
        }
    }

    /// The data of an extended header or long name.
    fn record(&mut self, header: &Header, offset: u64) -> Result<Vec<u8>, Error> {
        let fail = |reason| refused(offset, &header.name, reason);
        let size = match u64::try_from(header.size) {
            Ok(size) if size <= MAX_EXTENDED => size,
            _ => return Err(fail(Reason::Extended("over 1 MiB long"))),
        };
        // At most 1 MiB, checked above.
        let mut data = vec![0; usize::try_from(size).unwrap_or(0)];
        if self.fill(&mut data)? < data.len() {
            return Err(self.truncated("an extended header"));
        }
        self.pending = padding(size);
        self.skip_pending()?;
        Ok(data)
    }

    fn skip_pending(&mut self) -> Result<(), Error> {
        let pending = std::mem::take(&mut self.pending);
        if pending == 0 {
            return Ok(());
        }
        match self.reader.skip(pending) {
            Ok(true) => {
                self.at = self.at.saturating_add(pending);
                Ok(())
            }
            Ok(false) => Err(self.truncated("a member's data")),
            Err(source) => Err(Error::Read {
                offset: self.at,
                source,
            }),
        }
    }

    fn truncated(&self, what: &'static str) -> Error {
        Error::Truncated { at: self.at, what }
    }

    /// Turns headers into an entry and checks it against the earlier ones.
    fn member(&mut self, header: Header, ext: Extended, offset: u64) -> Result<Entry, Error> {
        let fail = |reason| refused(offset, &header.name, reason);
        let path = normal(&header.name).map_err(fail)?;
        let header_size = u64::try_from(header.size).map_err(|_| fail(number("size")))?;
        let size = ext.size.unwrap_or(header_size);
        let kind = self.kind(&header, &path, size).map_err(fail)?;
        let len = match &kind {
            Kind::File { len, .. } => *len,
            _ => 0,
        };
        self.pending = len
            .checked_add(padding(len))
            .filter(|n| self.at.checked_add(*n).is_some())
            .ok_or_else(|| fail(number("size")))?;
        self.names.admit(&path, kind.is_dir()).map_err(fail)?;
        match &kind {
            Kind::Dir => {}
            Kind::File { .. } | Kind::HardLink { .. } => {
                self.originals.insert(path.clone(), Original::File);
            }
            other => {
                let original = Original::Special(other.clone());
                self.originals.insert(path.clone(), original);
            }
        }
        let (mtime, mtime_nanos) = match ext.mtime {
            Some(time) => time,
            None => (
                i64::try_from(header.mtime).map_err(|_| fail(number("mtime")))?,
                0,
            ),
        };
        let owner = |ext: Option<u32>, raw: i128, field| match ext {
            Some(id) => Ok(id),
            None => u32::try_from(raw).map_err(|_| fail(number(field))),
        };
        Ok(Entry {
            // The file type bits some writers add say nothing the type flag doesn't.
            mode: u32::try_from(header.mode & 0o7777).unwrap_or(0),
            uid: owner(ext.uid, header.uid, "uid")?,
            gid: owner(ext.gid, header.gid, "gid")?,
            mtime,
            mtime_nanos,
            xattrs: ext.xattrs,
            path,
            kind,
        })
    }

    fn kind(&self, header: &Header, path: &[u8], size: u64) -> Result<Kind, Reason> {
        let kind = match header.typeflag {
            // Before ustar, a directory was a file with a slash at its end.
            b'0' | 0 if header.name.ends_with(b"/") => Kind::Dir,
            b'0' | 0 | b'7' if path.is_empty() => return Err(Reason::BadPath),
            b'0' | 0 | b'7' => {
                return Ok(Kind::File {
                    offset: self.at,
                    len: size,
                })
            }
            b'1' => self.hard_link(&header.link)?,
            b'2' if header.link.is_empty() || header.link.contains(&0) => {
                return Err(Reason::BadPath)
            }
            b'2' => Kind::Symlink {
                target: header.link.clone(),
            },
            b'3' | b'4' => {
                let device = |raw, field| u32::try_from(raw).map_err(|_| number(field));
                let major = device(header.major, "devmajor")?;
                let minor = device(header.minor, "devminor")?;
                if header.typeflag == b'3' {
                    Kind::Char { major, minor }
                } else {
                    Kind::Block { major, minor }
                }
            }
            b'5' => Kind::Dir,
            b'6' => Kind::Fifo,
            b'S' => return Err(Reason::Type("GNU sparse file".to_owned())),
            other => return Err(Reason::Type(show(&[other]))),
        };
        if size != 0 {
            return Err(Reason::UnexpectedData(size));
        }
        if path.is_empty() && !kind.is_dir() {
            return Err(Reason::BadPath);
        }
        Ok(kind)
    }

    /// A link to a file; a link to a link or device is that link or device again.
    fn hard_link(&self, raw: &[u8]) -> Result<Kind, Reason> {
        let unknown = || Reason::HardLink(show(raw));
        let target = normal(raw).map_err(|_| unknown())?;
        match self.originals.get(&target) {
            Some(Original::File) => Ok(Kind::HardLink { target }),
            Some(Original::Special(kind)) => Ok(kind.clone()),
            None => Err(unknown()),
        }
    }
}

/// The data of one member, counted so that members stay in step whatever the consumer reads.
#[derive(Debug)]
pub(crate) struct MemberData<'a, R> {
    members: &'a mut Members<R>,
    left: u64,
}

impl<R: Skip> Read for MemberData<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let want = buffer.len().min(most);
        let Some(buffer) = buffer.get_mut(..want) else {
            return Ok(0);
        };
        let n = self.members.reader.read(buffer)?;
        let n64 = u64::try_from(n).unwrap_or(0);
        self.left = self.left.saturating_sub(n64);
        self.members.at = self.members.at.saturating_add(n64);
        self.members.pending = self.members.pending.saturating_sub(n64);
        Ok(n)
    }
}

/// Bytes from the end of `len` bytes of data to the next block.
pub(crate) fn padding(len: u64) -> u64 {
    len.wrapping_neg() & BLOCK.saturating_sub(1)
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

/// A GNU long name ends at its NUL.
fn gnu_text(mut data: Vec<u8>) -> Vec<u8> {
    if let Some(end) = data.iter().position(|b| *b == 0) {
        data.truncate(end);
    }
    data
}

fn check_global(data: &[u8]) -> Result<(), Reason> {
    let mut extended = Extended::default();
    extended.read(data)?;
    let touched = extended.path.is_some()
        || extended.link.is_some()
        || extended.size.is_some()
        || extended.uid.is_some()
        || extended.gid.is_some()
        || extended.mtime.is_some()
        || !extended.xattrs.is_empty();
    if touched {
        return Err(Reason::Extended("global header that changes later members"));
    }
    Ok(())
}
