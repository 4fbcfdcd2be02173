//! Members one after another from something that cannot seek.

use std::io::{self, Read};

use base::as_u64;

use crate::entry::{Entry, Kind};
use crate::error::Error;
use crate::members::{Members, Skip};

/// A stream that cannot seek.
#[derive(Debug)]
pub(crate) struct Streaming<R>(pub(crate) R);

impl<R: Read> Read for Streaming<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Skip for Streaming<R> {
    fn skip(&mut self, len: u64) -> io::Result<bool> {
        Ok(io::copy(&mut (&mut self.0).take(len), &mut io::sink())? == len)
    }
}

/// An archive that is read front to back, with the data of its files: for who takes each as it comes and keeps none.
///
/// Unlike other readers it wants the archive's end (a block of zeros) to be there: whoever hands a stream on may have lost the rest.
#[derive(Debug)]
pub struct Stream<R> {
    members: Members<Streaming<R>>,
    /// What is left of the current file's data.
    left: u64,
}

impl<R: Read> Stream<R> {
    /// Begins to read an archive.
    pub fn new(reader: R) -> Self {
        Self {
            members: Members::new(Streaming(reader)),
            left: 0,
        }
    }

    /// The next member; what is left of the one before is passed over. None once the archive's end was seen and only zeros follow.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        let Some(member) = self.members.next()? else {
            return match self.members.at_end() {
                true => Ok(None),
                false => Err(self.members.truncated("its last blocks")),
            };
        };
        self.left = match member.entry.kind {
            Kind::File { len, .. } => len,
            _ => 0,
        };
        Ok(Some(member.entry))
    }

    /// Where in the archive the next byte comes from.
    pub fn position(&self) -> u64 {
        self.members.position()
    }

    /// What the archive is read from.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.members.get_mut().0
    }
}

/// The data of the current regular file; of a file with holes, and of what is no file, none.
impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.members.data(self.left).read(buffer)?;
        self.left = self.left.abs_diff(as_u64(got));
        Ok(got)
    }
}
