//! Reading and writing.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use base::as_usize;
use plan::ReadAt;
use zerocopy::IntoBytes;

use crate::error::Error;
use crate::handshake::{Session, ALLOCATION_ID};
use crate::overlay::Overlay;
use crate::proto::{self, chunk, command, errno, flag, Descriptor, ErrorHead, Hole, Request};

/// The longest read or write; what clients that did not ask may rely on.
pub(crate) const MAX_LEN: u32 = 32 << 20;

/// Reads and writes are made in pieces of this size, so this is what a connection takes of memory.
const PIECE: u32 = 1 << 20;

/// A shorter hole, or data before one, is not worth a chunk of its own.
const WORTH: u32 = 64 << 10;

/// Most descriptors in an answer about allocation; the client asks again for the rest.
const MAX_STRETCHES: usize = 4096;

/// Does what a client says until it leaves. An error means that the connection is of no more use; what goes wrong with
/// a command is told to the client.
pub(crate) fn transmit<R: ReadAt>(
    input: &mut impl Read,
    output: &mut impl Write,
    disk: &Overlay<R>,
    read_only: bool,
    session: Session,
) -> Result<(), Error> {
    let mut connection = Connection {
        input,
        output,
        disk,
        read_only,
        session,
        buffer: Vec::new(),
    };
    while let Some(request) = Request::read(connection.input)? {
        if connection.obey(&request)?.is_break() {
            break;
        }
    }
    Ok(())
}

struct Connection<'a, I, O, R> {
    input: &'a mut I,
    output: &'a mut O,
    disk: &'a Overlay<R>,
    read_only: bool,
    session: Session,
    /// A reply being made, or data being written.
    buffer: Vec<u8>,
}

/// How a command failed: number and words.
type Refusal = (u32, String);

impl<I: Read, O: Write, R: ReadAt> Connection<'_, I, O, R> {
    fn obey(&mut self, request: &Request) -> Result<ControlFlow<()>, Error> {
        if request.command == command::DISCONNECT {
            return Ok(ControlFlow::Break(()));
        }
        if request.command == command::WRITE {
            self.write(request)?;
            return Ok(ControlFlow::Continue(()));
        }
        if let Err(refusal) = self.check(request) {
            self.refuse(request, refusal)?;
            return Ok(ControlFlow::Continue(()));
        }
        let Request { offset, len, .. } = *request;
        match request.command {
            command::READ => self.read(request)?,
            command::BLOCK_STATUS => self.block_status(request)?,
            command::TRIM | command::WRITE_ZEROES => {
                let done = self.disk.zero_at(offset, len.into());
                self.finish(request, done)?;
            }
            command::FLUSH => {
                let done = self.disk.flush();
                self.finish(request, done)?;
            }
            // CACHE: the kernel reads ahead well enough.
            _ => self.finish(request, Ok(()))?,
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether the command may be obeyed at all.
    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let refuse = |number, text: &str| Err((number, text.to_owned()));
        let (flags, changes) = match request.command {
            command::READ => (flag::DONT_FRAGMENT, false),
            command::WRITE | command::TRIM => (flag::FUA, true),
            command::WRITE_ZEROES => (flag::FUA | flag::NO_HOLE, true),
            command::FLUSH | command::CACHE => (0, false),
            command::BLOCK_STATUS if self.session.allocation => (flag::ONE, false),
            command::BLOCK_STATUS => {
                return refuse(errno::EINVAL, "no metadata context was chosen")
            }
            other => return refuse(errno::EINVAL, &format!("there is no command {other}")),
        };
        // Clients set FUA where it has no meaning.
        if request.flags & !(flags | flag::FUA) != 0 {
            return refuse(errno::EINVAL, "the command has flags that it does not know");
        }
        if changes && self.read_only {
            return refuse(errno::EPERM, "the image is served for reading only");
        }
        let (have, len) = (self.disk.len(), u64::from(request.len));
        let end = request.offset.checked_add(len);
        if request.command != command::FLUSH && end.is_none_or(|end| end > have) {
            let number = match changes {
                true => errno::ENOSPC,
                false => errno::EINVAL,
            };
            return refuse(number, "the range lies outside the image");
        }
        let moves_data = matches!(request.command, command::READ | command::WRITE);
        if moves_data && request.len > MAX_LEN {
            return refuse(errno::EINVAL, "the range is longer than 32 MiB");
        }
        if request.command == command::BLOCK_STATUS && request.len == 0 {
            return refuse(errno::EINVAL, "the range is empty");
        }
        let whole = request.flags & flag::DONT_FRAGMENT != 0;
        if whole && request.len > PIECE {
            return refuse(errno::EOVERFLOW, "the range is too long for one chunk");
        }
        Ok(())
    }

    fn write(&mut self, request: &Request) -> Result<(), Error> {
        let mut refusal = self.check(request).err();
        for (skip, len) in pieces(request) {
            if refusal.is_some() {
                // The data comes all the same.
                proto::skip(self.input, len.into())?;
                continue;
            }
            let data = room(&mut self.buffer, &[], len);
            self.input
                .read_exact(data)
                .map_err(Error::io("read from the client"))?;
            let done = place(request, skip).and_then(|at| self.disk.write_at(data, at));
            refusal = done.err().map(|error| refusal_of(&error));
        }
        match refusal {
            Some(refusal) => self.refuse(request, refusal),
            None => self.finish(request, Ok(())),
        }
    }

    fn read(&mut self, request: &Request) -> Result<(), Error> {
        if self.session.structured {
            self.read_in_chunks(request)
        } else {
            self.read_at_once(request)
        }
    }

    /// One header, then all data.
    fn read_at_once(&mut self, request: &Request) -> Result<(), Error> {
        let mut header = request.simple_reply(0);
        for (skip, len) in pieces(request) {
            let data = room(&mut self.buffer, &std::mem::take(&mut header), len);
            match place(request, skip).and_then(|at| self.disk.read_at(data, at)) {
                Ok(()) => self.send_buffer()?,
                Err(error) if skip == 0 => return self.refuse(request, refusal_of(&error)),
                // Success was promised before: there is no other way to take that back.
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Chunks with data and holes; an error may come as any of them.
    fn read_in_chunks(&mut self, request: &Request) -> Result<(), Error> {
        let mut rest = request.len;
        while rest > 0 {
            let skip = request.len.abs_diff(rest);
            let chunk = place(request, skip).and_then(|at| self.make_chunk(request, at, rest));
            match chunk {
                Ok(len) => rest = rest.abs_diff(len),
                Err(error) => return self.refuse(request, refusal_of(&error)),
            }
            self.send_buffer()?;
        }
        if request.len == 0 {
            self.send_chunk(request, chunk::DONE, chunk::NONE, &[])?;
        }
        Ok(())
    }

    /// How long the next chunk of the `rest` bytes at `at` is, and whether it is a hole.
    fn next_chunk(&self, at: u64, rest: u32, whole: bool) -> Result<(u32, bool), Error> {
        let first = self.disk.stretches(at, rest.into(), 1)?;
        let first = first.first().map(|first| (at_most(first.len, rest), first));
        Ok(match first {
            Some((len, first)) if first.hole && (len == rest || (!whole && len >= WORTH)) => {
                (len, true)
            }
            _ if whole => (rest, false),
            Some((len, _)) if len >= WORTH => (len.min(PIECE), false),
            _ => (rest.min(PIECE), false),
        })
    }

    /// Makes the next chunk of the `rest` bytes at `at` in the buffer, and says how many of them it has: no more than `rest`.
    fn make_chunk(&mut self, request: &Request, at: u64, rest: u32) -> Result<u32, Error> {
        let whole = request.flags & flag::DONT_FRAGMENT != 0;
        let (len, hole) = self.next_chunk(at, rest, whole)?;
        let done = if len == rest { chunk::DONE } else { 0 };
        if hole {
            let hole = Hole {
                offset: at.into(),
                len: len.into(),
            };
            let hole = hole.as_bytes();
            let mut bytes = request.chunk(done, chunk::OFFSET_HOLE, payload_len(hole.len())?);
            bytes.extend_from_slice(hole);
            self.buffer = bytes;
        } else {
            let offset = at.to_be_bytes();
            let payload = payload_len([offset.len(), as_usize(len)].into_iter().sum())?;
            let mut header = request.chunk(done, chunk::OFFSET_DATA, payload);
            header.extend_from_slice(&offset);
            self.disk
                .read_at(room(&mut self.buffer, &header, len), at)?;
        }
        Ok(len)
    }

    fn block_status(&mut self, request: &Request) -> Result<(), Error> {
        let most = match request.flags & flag::ONE {
            0 => MAX_STRETCHES,
            _ => 1,
        };
        let stretches = self
            .disk
            .stretches(request.offset, request.len.into(), most);
        let stretches = match stretches {
            Ok(stretches) => stretches,
            Err(error) => return self.refuse(request, refusal_of(&error)),
        };
        let mut payload = ALLOCATION_ID.to_be_bytes().to_vec();
        for stretch in stretches {
            let status = if stretch.hole {
                proto::HOLE_AND_ZERO
            } else {
                0
            };
            let descriptor = Descriptor {
                len: at_most(stretch.len, request.len).into(),
                status: status.into(),
            };
            payload.extend_from_slice(descriptor.as_bytes());
        }
        self.send_chunk(request, chunk::DONE, chunk::BLOCK_STATUS, &payload)
    }

    /// Tells how a command without an answer of its own went.
    fn finish(&mut self, request: &Request, done: Result<(), Error>) -> Result<(), Error> {
        let forced = request.flags & flag::FUA != 0 && !self.read_only;
        let done = match done {
            Ok(()) if forced => self.disk.flush(),
            done => done,
        };
        match done {
            Ok(()) => self.send(&request.simple_reply(0)),
            Err(error) => self.refuse(request, refusal_of(&error)),
        }
    }

    fn refuse(&mut self, request: &Request, (number, text): Refusal) -> Result<(), Error> {
        let chunks = matches!(request.command, command::READ | command::BLOCK_STATUS);
        if !(self.session.structured && chunks) {
            return self.send(&request.simple_reply(number));
        }
        let text: String = text.chars().take(512).collect();
        let head = |len: u16| ErrorHead {
            number: number.into(),
            len: len.into(),
        };
        let payload = match u16::try_from(text.len()) {
            Ok(len) => [head(len).as_bytes(), text.as_bytes()].concat(),
            Err(_) => head(0).as_bytes().to_vec(),
        };
        self.send_chunk(request, chunk::DONE, chunk::ERROR, &payload)
    }

    fn send_chunk(
        &mut self,
        request: &Request,
        done: u16,
        kind: u16,
        payload: &[u8],
    ) -> Result<(), Error> {
        let mut bytes = request.chunk(done, kind, payload_len(payload.len())?);
        bytes.extend_from_slice(payload);
        self.send(&bytes)
    }

    fn send_buffer(&mut self) -> Result<(), Error> {
        self.output
            .write_all(&self.buffer)
            .map_err(Error::io("write to the client"))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.output
            .write_all(bytes)
            .map_err(Error::io("write to the client"))
    }
}

/// Puts `header` into `buffer` and zeros behind it, which are given back.
fn room<'b>(buffer: &'b mut Vec<u8>, header: &[u8], len: u32) -> &'b mut [u8] {
    buffer.clear();
    buffer.extend_from_slice(header);
    buffer.extend(std::iter::repeat_n(0, as_usize(len)));
    buffer.split_at_mut(header.len()).1
}

/// The length of a chunk's payload as its head has it.
fn payload_len(len: usize) -> Result<u32, Error> {
    u32::try_from(len).map_err(|_| Error::too_long(len))
}

/// The smaller one.
fn at_most(len: u64, most: u32) -> u32 {
    u32::try_from(len).map_or(most, |len| len.min(most))
}

/// A place of the image that lies so many bytes behind the start of a request's range.
fn place(request: &Request, skip: u32) -> Result<u64, Error> {
    let at = request.offset.checked_add(skip.into());
    at.ok_or_else(|| Error::protocol(format!("there is nothing at {}+{skip}", request.offset)))
}

/// A request's range in pieces: how far behind its start each is, and how long. There is one even when the range is empty.
fn pieces(request: &Request) -> impl Iterator<Item = (u32, u32)> {
    let len = request.len;
    let starts = (0..len.max(1)).step_by(as_usize(PIECE));
    starts.map(move |skip| (skip, len.abs_diff(skip).min(PIECE)))
}

/// What a client is told of an error.
fn refusal_of(error: &Error) -> Refusal {
    let number = match error {
        Error::Io { source, .. } => match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => errno::ENOSPC,
            _ => errno::EIO,
        },
        _ => errno::EIO,
    };
    let text = match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    (number, text)
}
