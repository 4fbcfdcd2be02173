//! Listing an archive without reading its data.

use std::io::{self, Read, Seek, SeekFrom};

use crate::entry::{Entry, Kind};
use crate::error::Error;
use crate::members::{Members, Skip};

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
        self.at = self.at.saturating_add(u64::try_from(n).unwrap_or(0));
        Ok(n)
    }
}

impl<R: Read + Seek> Skip for Seeking<R> {
    fn skip(&mut self, len: u64) -> io::Result<bool> {
        // Seeking past the end succeeds, so the length is checked first.
        let to = self.at.saturating_add(len);
        if to > self.len {
            return Ok(false);
        }
        self.at = self.reader.seek(SeekFrom::Start(to))?;
        Ok(true)
    }
}

/// Lists the members of the archive that starts at the reader's beginning, in their order.
///
/// File contents are not read, but are known to be there: each [`Kind::File`]'s offset and length lie within the archive.
pub fn index(mut reader: impl Read + Seek) -> Result<Vec<Entry>, Error> {
    let start = |source| Error::Read { offset: 0, source };
    let len = reader.seek(SeekFrom::End(0)).map_err(start)?;
    reader.rewind().map_err(start)?;
    // Headers of small files lie close together, but a buffer would be thrown away by each seek.
    let mut members = Members::new(Seeking { reader, at: 0, len });
    let mut entries = Vec::new();
    while let Some(entry) = members.next()? {
        if let Kind::File { offset, len: size } = &entry.kind {
            let end = offset.saturating_add(*size);
            if end > len {
                return Err(Error::Truncated {
                    at: len,
                    what: "a member's data",
                });
            }
        }
        entries.push(entry);
    }
    Ok(entries)
}
