//! Reading and writing.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use plan::ReadAt;

use crate::error::Error;
use crate::handshake::{Session, ALLOCATION_ID};
use crate::overlay::Overlay;
use crate::proto::{self, chunk, command, errno, flag, Request};

/// The longest read or write; what clients that did not ask may rely on.
pub(crate) const MAX_LEN: u32 = 32 << 20;

/// Reads and writes are made in pieces of this size, so this is what a connection takes of memory.
const PIECE: u32 = 1 << 20;

/// A shorter hole, or data before one, is not worth a chunk of its own.
const WORTH: u64 = 64 << 10;

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
        let (mut at, mut rest) = (request.offset, request.len);
        while rest > 0 {
            if refusal.is_some() {
                // The data comes all the same.
                proto::skip(self.input, rest.into())?;
                break;
            }
            let take = rest.min(PIECE);
            self.buffer.clear();
            self.buffer.resize(usize::try_from(take).unwrap_or(0), 0);
            self.input
                .read_exact(&mut self.buffer)
                .map_err(Error::io("read from the client"))?;
            let done = self.disk.write_at(&self.buffer, at);
            refusal = done.err().map(|error| refusal_of(&error));
            at = at.saturating_add(take.into());
            rest = rest.saturating_sub(take);
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
        let mut header = simple(request, 0);
        for (index, (at, len)) in pieces(request).enumerate() {
            let start = header.len();
            self.buffer.clear();
            self.buffer.append(&mut header);
            let end = start.saturating_add(usize::try_from(len).unwrap_or(0));
            self.buffer.resize(end, 0);
            let data = self.buffer.get_mut(start..).unwrap_or_default();
            match self.disk.read_at(data, at) {
                Ok(()) => self.send_buffer()?,
                Err(error) if index == 0 => return self.refuse(request, refusal_of(&error)),
                // Success was promised before: there is no other way to take that back.
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Chunks with data and holes; an error may come as any of them.
    fn read_in_chunks(&mut self, request: &Request) -> Result<(), Error> {
        let end = request.offset.saturating_add(request.len.into());
        let whole = request.flags & flag::DONT_FRAGMENT != 0;
        let mut at = request.offset;
        while at < end {
            let rest = end.saturating_sub(at);
            let (len, hole) = self.next_chunk(at, rest, whole);
            let done = if len == rest { chunk::DONE } else { 0 };
            let short = u32::try_from(len).unwrap_or(u32::MAX);
            if hole {
                let mut payload = at.to_be_bytes().to_vec();
                payload.extend_from_slice(&short.to_be_bytes());
                self.send_chunk(request, done, chunk::OFFSET_HOLE, &payload)?;
            } else if let Err(error) = self.read_chunk(request, done, at, short) {
                return self.refuse(request, refusal_of(&error));
            } else {
                self.send_buffer()?;
            }
            at = at.saturating_add(len);
        }
        if request.len == 0 {
            self.send_chunk(request, chunk::DONE, chunk::NONE, &[])?;
        }
        Ok(())
    }

    /// How long the chunk at `at` is, and whether it is a hole.
    fn next_chunk(&self, at: u64, rest: u64, whole: bool) -> (u64, bool) {
        let first = self.disk.stretches(at, rest, 1);
        let first = first.unwrap_or_default().first().copied();
        let piece = PIECE.into();
        match first {
            Some(first) if first.hole && (first.len == rest || (!whole && first.len >= WORTH)) => {
                (first.len, true)
            }
            _ if whole => (rest, false),
            Some(first) if first.len >= WORTH => (first.len.min(piece), false),
            _ => (rest.min(piece), false),
        }
    }

    /// Makes a chunk with data in the buffer.
    fn read_chunk(&mut self, request: &Request, done: u16, at: u64, len: u32) -> Result<(), Error> {
        let mut header = structured(request, done, chunk::OFFSET_DATA, len.saturating_add(8));
        header.extend_from_slice(&at.to_be_bytes());
        let start = header.len();
        self.buffer.clear();
        self.buffer.append(&mut header);
        let end = start.saturating_add(usize::try_from(len).unwrap_or(0));
        self.buffer.resize(end, 0);
        let data = self.buffer.get_mut(start..).unwrap_or_default();
        self.disk.read_at(data, at)
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
            // The request's length is a u32, too.
            let len = u32::try_from(stretch.len).unwrap_or(u32::MAX);
            let status = if stretch.hole {
                proto::HOLE_AND_ZERO
            } else {
                0
            };
            payload.extend_from_slice(&len.to_be_bytes());
            payload.extend_from_slice(&status.to_be_bytes());
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
            Ok(()) => self.send(&simple(request, 0)),
            Err(error) => self.refuse(request, refusal_of(&error)),
        }
    }

    fn refuse(&mut self, request: &Request, (number, text): Refusal) -> Result<(), Error> {
        let chunks = matches!(request.command, command::READ | command::BLOCK_STATUS);
        if !(self.session.structured && chunks) {
            return self.send(&simple(request, number));
        }
        let text: String = text.chars().take(512).collect();
        let len = u16::try_from(text.len()).unwrap_or(0);
        let mut payload = number.to_be_bytes().to_vec();
        payload.extend_from_slice(&len.to_be_bytes());
        payload.extend_from_slice(text.as_bytes());
        self.send_chunk(request, chunk::DONE, chunk::ERROR, &payload)
    }

    fn send_chunk(
        &mut self,
        request: &Request,
        done: u16,
        kind: u16,
        payload: &[u8],
    ) -> Result<(), Error> {
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut bytes = structured(request, done, kind, len);
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

fn simple(request: &Request, error: u32) -> Vec<u8> {
    let mut bytes = proto::SIMPLE_REPLY.to_be_bytes().to_vec();
    bytes.extend_from_slice(&error.to_be_bytes());
    bytes.extend_from_slice(&request.cookie);
    bytes
}

fn structured(request: &Request, done: u16, kind: u16, len: u32) -> Vec<u8> {
    let mut bytes = proto::STRUCTURED_REPLY.to_be_bytes().to_vec();
    bytes.extend_from_slice(&done.to_be_bytes());
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&request.cookie);
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes
}

/// A request's range in pieces: start and length of each. There is one even when the range is empty.
fn pieces(request: &Request) -> impl Iterator<Item = (u64, u32)> + '_ {
    let count = request.len.div_ceil(PIECE).max(1);
    (0..count).map(|index| {
        let skip = index.saturating_mul(PIECE);
        let at = request.offset.saturating_add(skip.into());
        (at, request.len.saturating_sub(skip).min(PIECE))
    })
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
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    (number, format!("{error}{}", cause.unwrap_or_default()))
}
