//! Making the new image from the old one and a difference.

use std::io::{self, BufReader, Read};

use base::bounded::{sum, without};
use base::{as_u64, as_usize, past};
use zstd::Decoder;

use super::{Error, Head, BASE, BLOCK, HELD, ZERO};
use crate::input::WINDOW_LOG;
use crate::ReadAt;

/// Where the bytes of the operation that is being done come from.
#[derive(Clone, Copy, Debug)]
enum From {
    Zero,
    /// A place in the old image.
    Base(u64),
    Held,
}

/// A difference that is being applied.
pub struct Apply<R: Read> {
    head: Head,
    operations: Decoder<'static, BufReader<Kept<R>>>,
    from: From,
    /// Bytes of the operation that are left.
    left: u64,
    /// Bytes of operations that were read.
    at: u64,
    /// Bytes of the new image that were made.
    made: u64,
}

/// A reader that keeps the error that it had: the decompressor's own errors look alike.
struct Kept<R> {
    reader: R,
    failed: bool,
}

impl<R: Read> Read for Kept<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(buffer);
        let passing = io::ErrorKind::Interrupted;
        self.failed |= got.as_ref().is_err_and(|error| error.kind() != passing);
        got
    }
}

impl<R: Read> Apply<R> {
    /// Reads the head of a difference that is to make `target_len` bytes.
    pub fn open(mut reader: R, target_len: u64) -> Result<Self, Error> {
        let mut head = Vec::new();
        let limited = (&mut reader).take(as_u64(Head::LEN));
        { limited }.read_to_end(&mut head).map_err(Error::Read)?;
        let head = Head::decode(&head)?;
        if head.target_len != target_len {
            let reason = format!("it makes {} bytes, want {target_len}", head.target_len);
            return Err(Error::fault(56, reason));
        }
        let kept = Kept {
            reader,
            failed: false,
        };
        let mut operations = Decoder::new(kept).map_err(Error::Read)?;
        operations.window_log_max(WINDOW_LOG).map_err(Error::Read)?;
        Ok(Self {
            head,
            operations: operations.single_frame(),
            from: From::Zero,
            left: 0,
            at: 0,
            made: 0,
        })
    }

    /// What it is a difference to.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Fills `buffer` with the next bytes of the new image.
    pub fn fill(&mut self, buffer: &mut [u8], base: &impl ReadAt) -> Result<(), Error> {
        let mut rest = buffer;
        while !rest.is_empty() {
            if self.left == 0 {
                self.next()?;
            }
            let len = as_usize(self.left).min(rest.len());
            let (part, after) = rest.split_at_mut(len);
            let done = as_u64(len);
            match &mut self.from {
                From::Zero => part.fill(0),
                From::Held => self.held(part)?,
                From::Base(at) => {
                    let from = *at;
                    // Within the old image: see `next`.
                    *at = sum(from, done);
                    let read = base.read_exact_at(part, from);
                    read.map_err(|source| Error::Base { at: from, source })?;
                }
            }
            self.left = without(self.left, done);
            self.made = sum(self.made, done);
            rest = after;
        }
        Ok(())
    }

    /// Nothing may follow once the image is whole.
    pub fn end(&mut self) -> Result<(), Error> {
        let mut more = [0];
        let got = self.read(&mut more)?;
        // The frame may be whole and other bytes stand behind it.
        let behind = self.operations.get_mut();
        let after = behind.read(&mut more).map_err(Error::Read)?;
        match (self.left, got, after) {
            (0, 0, 0) => Ok(()),
            _ => Err(Error::fault(
                self.at,
                "it goes on behind the end of the image",
            )),
        }
    }

    /// Reads the next operation.
    fn next(&mut self) -> Result<(), Error> {
        let start = self.at;
        let mut kind = [0];
        self.held(&mut kind)?;
        let [kind] = kind;
        let from = match kind {
            ZERO => From::Zero,
            BASE => From::Base(self.number()?),
            HELD => From::Held,
            other => {
                return Err(Error::fault(
                    start,
                    format!("operation {other}, want 1, 2 or 3"),
                ))
            }
        };
        let count = self.number()?;
        let len = count.checked_mul(as_u64(BLOCK)).filter(|len| *len > 0);
        let len = len.ok_or_else(|| Error::fault(start, format!("{count} blocks")))?;
        // The last block may be shorter than the others.
        let left = without(self.head.target_len, self.made);
        if len
            .checked_sub(left)
            .is_some_and(|over| over >= as_u64(BLOCK))
        {
            return Err(Error::fault(
                start,
                "it goes on behind the end of the image",
            ));
        }
        self.left = len.min(left);
        self.from = match from {
            From::Base(block) => {
                let at = block.checked_mul(as_u64(BLOCK));
                let end = at.and_then(|at| at.checked_add(self.left));
                let inside = at.zip(end).filter(|(_, end)| *end <= self.head.base_len);
                let (at, _) = inside.ok_or_else(|| {
                    let have = self.head.base_len;
                    let reason =
                        format!("blocks {block}+{count} lie outside the old image of {have} bytes");
                    Error::fault(start, reason)
                })?;
                From::Base(at)
            }
            other => other,
        };
        Ok(())
    }

    /// 8 bytes, little-endian: how little they say, compression takes care of.
    fn number(&mut self) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.held(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Fills `part` from the operations.
    fn held(&mut self, part: &mut [u8]) -> Result<(), Error> {
        let mut rest = part;
        while !rest.is_empty() {
            let got = self.read(rest)?;
            if got == 0 {
                return Err(Error::fault(self.at, "it ends too early"));
            }
            let (_, after) = rest.split_at_mut(got);
            rest = after;
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.operations.read(buffer) {
                Ok(got) => {
                    self.at = past(self.at, got);
                    return Ok(got);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.operations.get_ref().get_ref().failed => {
                    return Err(Error::Read(error))
                }
                Err(error) => return Err(Error::fault(self.at, error.to_string())),
            }
        }
    }
}
