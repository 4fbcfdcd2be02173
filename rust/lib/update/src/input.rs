//! The bytes of a bundle: plain, or compressed with zstd, and never more of them than its members need.

use std::io::{self, BufReader, Cursor, Read};

use base::as_u64;
use zstd::Decoder;

use crate::{Error, Refusal};

/// Frames of a larger window (as power of two) are refused: it is what a reader must keep in memory. zstd's levels up to 19 have it.
pub(crate) const WINDOW_LOG: u32 = 23;
/// What a zstd frame begins with.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BUFFER: usize = 64 << 10;

/// What somebody gave us, with its first bytes put back. Remembers whether reading it failed.
struct Source<R> {
    start: Cursor<Vec<u8>>,
    rest: R,
    failed: bool,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.start.read(buffer)? {
            0 => {
                let got = self.rest.read(buffer);
                let passing = io::ErrorKind::Interrupted;
                self.failed |= got.as_ref().is_err_and(|error| error.kind() != passing);
                got
            }
            got => Ok(got),
        }
    }
}

enum Form<R: Read> {
    Plain(BufReader<Source<R>>),
    Zstd(Box<Decoder<'static, BufReader<Source<R>>>>),
}

/// The bytes of the archive.
pub(crate) struct Input<R: Read> {
    form: Form<R>,
    /// How many it may still have.
    left: u64,
    most: u64,
    /// Whether it had more.
    over: bool,
}

impl<R: Read> Input<R> {
    /// Looks at the first bytes. There may be `most` of them in all, until [`Input::limit`] says otherwise.
    pub(crate) fn new(mut rest: R, most: u64) -> Result<Self, Error> {
        let mut start = Vec::new();
        let first = (&mut rest).take(as_u64(ZSTD.len()));
        { first }.read_to_end(&mut start).map_err(Error::Read)?;
        let is_zstd = start == ZSTD;
        let source = Source {
            start: Cursor::new(start),
            rest,
            failed: false,
        };
        let buffered = BufReader::with_capacity(BUFFER, source);
        let form = match is_zstd {
            false => Form::Plain(buffered),
            true => {
                let mut decoder = Decoder::with_buffer(buffered).map_err(Refusal::Zstd)?;
                decoder.window_log_max(WINDOW_LOG).map_err(Refusal::Zstd)?;
                Form::Zstd(Box::new(decoder))
            }
        };
        Ok(Self {
            form,
            left: most,
            most,
            over: false,
        })
    }

    /// Whether the archive is as long as the file.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.form, Form::Plain(_))
    }

    /// From now on, `left` more bytes.
    pub(crate) fn limit(&mut self, left: u64) {
        self.left = left;
        self.most = left;
    }

    /// What a failed read means.
    pub(crate) fn explain(&self, error: io::Error) -> Error {
        if self.over {
            return Refusal::TooLong { most: self.most }.into();
        }
        match &self.form {
            Form::Zstd(decoder) if !decoder.get_ref().get_ref().failed => {
                Refusal::Zstd(error).into()
            }
            _ => Error::Read(error),
        }
    }

    /// What it means that the archive can't be read on.
    pub(crate) fn explain_archive(&self, error: archive::Error) -> Error {
        match error {
            archive::Error::Read { source, .. } => self.explain(source),
            other => Refusal::Archive(other).into(),
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = match &mut self.form {
            Form::Plain(reader) => reader.read(buffer)?,
            Form::Zstd(reader) => reader.read(buffer)?,
        };
        let left = self.left.checked_sub(as_u64(got));
        self.over = left.is_none();
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(got)
    }
}
