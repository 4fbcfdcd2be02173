//! Numbers of the protocol, and its messages as bytes. See the crate's page.

use std::io::{self, Read};

use base::as_usize;
use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, Unaligned};

use crate::error::Error;

pub(crate) const NBDMAGIC: u64 = 0x4e42_444d_4147_4943;
pub(crate) const IHAVEOPT: u64 = 0x4948_4156_454f_5054;
pub(crate) const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
pub(crate) const REQUEST: u32 = 0x2560_9513;
pub(crate) const SIMPLE_REPLY: u32 = 0x6744_6698;
pub(crate) const STRUCTURED_REPLY: u32 = 0x668e_33ef;

/// Flags of the handshake, the same in both directions.
pub(crate) mod handshake {
    pub(crate) const FIXED_NEWSTYLE: u16 = 1;
    pub(crate) const NO_ZEROES: u16 = 2;
}

/// Options: what a client asks for before it reads and writes.
pub(crate) mod option {
    pub(crate) const EXPORT_NAME: u32 = 1;
    pub(crate) const ABORT: u32 = 2;
    pub(crate) const LIST: u32 = 3;
    pub(crate) const INFO: u32 = 6;
    pub(crate) const GO: u32 = 7;
    pub(crate) const STRUCTURED_REPLY: u32 = 8;
    pub(crate) const LIST_META_CONTEXT: u32 = 9;
    pub(crate) const SET_META_CONTEXT: u32 = 10;
}

/// Answers to options.
pub(crate) mod answer {
    pub(crate) const ACK: u32 = 1;
    pub(crate) const SERVER: u32 = 2;
    pub(crate) const INFO: u32 = 3;
    pub(crate) const META_CONTEXT: u32 = 4;
    pub(crate) const UNSUPPORTED: u32 = 0x8000_0001;
    pub(crate) const INVALID: u32 = 0x8000_0003;
    pub(crate) const UNKNOWN: u32 = 0x8000_0006;
    pub(crate) const TOO_BIG: u32 = 0x8000_0009;
}

/// What is told about an export.
pub(crate) mod info {
    pub(crate) const EXPORT: u16 = 0;
    pub(crate) const NAME: u16 = 1;
    pub(crate) const BLOCK_SIZE: u16 = 3;
}

/// What an export can do.
pub(crate) mod feature {
    pub(crate) const HAS_FLAGS: u16 = 1;
    pub(crate) const READ_ONLY: u16 = 1 << 1;
    pub(crate) const SEND_FLUSH: u16 = 1 << 2;
    pub(crate) const SEND_FUA: u16 = 1 << 3;
    pub(crate) const SEND_TRIM: u16 = 1 << 5;
    pub(crate) const SEND_WRITE_ZEROES: u16 = 1 << 6;
    pub(crate) const SEND_DF: u16 = 1 << 7;
    pub(crate) const CAN_MULTI_CONN: u16 = 1 << 8;
    pub(crate) const SEND_CACHE: u16 = 1 << 10;
}

/// Commands.
pub(crate) mod command {
    pub(crate) const READ: u16 = 0;
    pub(crate) const WRITE: u16 = 1;
    pub(crate) const DISCONNECT: u16 = 2;
    pub(crate) const FLUSH: u16 = 3;
    pub(crate) const TRIM: u16 = 4;
    pub(crate) const CACHE: u16 = 5;
    pub(crate) const WRITE_ZEROES: u16 = 6;
    pub(crate) const BLOCK_STATUS: u16 = 7;
}

/// Flags of commands.
pub(crate) mod flag {
    pub(crate) const FUA: u16 = 1;
    pub(crate) const NO_HOLE: u16 = 1 << 1;
    pub(crate) const DONT_FRAGMENT: u16 = 1 << 2;
    pub(crate) const ONE: u16 = 1 << 3;
}

/// Chunks of structured replies.
pub(crate) mod chunk {
    /// The flag of the last one.
    pub(crate) const DONE: u16 = 1;
    pub(crate) const NONE: u16 = 0;
    pub(crate) const OFFSET_DATA: u16 = 1;
    pub(crate) const OFFSET_HOLE: u16 = 2;
    pub(crate) const BLOCK_STATUS: u16 = 5;
    pub(crate) const ERROR: u16 = 0x8001;
}

/// Bits of a descriptor of `base:allocation`: no room is taken, and it reads as zeros.
pub(crate) const HOLE_AND_ZERO: u32 = 1 | 2;

/// Error numbers, which are those of Linux.
pub(crate) mod errno {
    pub(crate) const EPERM: u32 = 1;
    pub(crate) const EIO: u32 = 5;
    pub(crate) const EINVAL: u32 = 22;
    pub(crate) const ENOSPC: u32 = 28;
    pub(crate) const EOVERFLOW: u32 = 75;
}

/// What the server says first.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Greeting {
    pub(crate) magic: U64,
    pub(crate) option_magic: U64,
    pub(crate) flags: U16,
}

/// An option of a client, behind its magic; `len` bytes of data follow.
#[derive(FromBytes, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct OptionHead {
    pub(crate) option: U32,
    pub(crate) len: U32,
}

/// An answer to an option; `len` bytes of data follow.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct OptionReply {
    pub(crate) magic: U64,
    pub(crate) option: U32,
    pub(crate) kind: U32,
    pub(crate) len: U32,
}

/// What an image is: the answer to EXPORT_NAME, and part of that to INFO and GO.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Export {
    pub(crate) len: U64,
    pub(crate) features: U16,
}

/// The data of an answer INFO about block sizes.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct BlockSizes {
    pub(crate) kind: U16,
    pub(crate) least: U32,
    pub(crate) best: U32,
    pub(crate) most: U32,
}

/// A command of a client, as it follows its magic.
#[derive(FromBytes, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct RequestHead {
    flags: U16,
    command: U16,
    cookie: [u8; 8],
    offset: U64,
    len: U32,
}

/// A simple reply.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct SimpleReply {
    magic: U32,
    error: U32,
    cookie: [u8; 8],
}

/// How a chunk of a structured reply begins; `len` bytes of payload follow.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct ChunkHead {
    magic: U32,
    flags: U16,
    kind: U16,
    cookie: [u8; 8],
    len: U32,
}

/// The payload of a chunk OFFSET_HOLE.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Hole {
    pub(crate) offset: U64,
    pub(crate) len: U32,
}

/// A descriptor of a chunk BLOCK_STATUS, whose payload is the context's number (4) and some of them.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Descriptor {
    pub(crate) len: U32,
    pub(crate) status: U32,
}

/// How the payload of a chunk ERROR begins; `len` bytes of text follow.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct ErrorHead {
    pub(crate) number: U32,
    pub(crate) len: U16,
}

const _: () = {
    assert!(size_of::<Greeting>() == 18 && size_of::<OptionHead>() == 8);
    assert!(size_of::<OptionReply>() == 20 && size_of::<Export>() == 10);
    assert!(size_of::<BlockSizes>() == 14 && size_of::<RequestHead>() == 24);
    assert!(size_of::<SimpleReply>() == 16 && size_of::<ChunkHead>() == 20);
    assert!(size_of::<Hole>() == 12 && size_of::<Descriptor>() == 8);
    assert!(size_of::<ErrorHead>() == 6);
};

/// A command of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) flags: u16,
    pub(crate) command: u16,
    pub(crate) cookie: [u8; 8],
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

impl Request {
    /// The next one; None when the client hung up in between.
    pub(crate) fn read(input: &mut impl Read) -> Result<Option<Self>, Error> {
        let mut magic = [0; 4];
        if !read_or_end(input, &mut magic)? {
            return Ok(None);
        }
        let magic = u32::from_be_bytes(magic);
        if magic != REQUEST {
            return Err(Error::protocol(format!(
                "a request starts with {magic:#x}, not {REQUEST:#x}"
            )));
        }
        let head: RequestHead = read(input)?;
        Ok(Some(Self {
            flags: head.flags.get(),
            command: head.command.get(),
            cookie: head.cookie,
            offset: head.offset.get(),
            len: head.len.get(),
        }))
    }

    /// The simple reply with error number `error`, or 0.
    pub(crate) fn simple_reply(&self, error: u32) -> Vec<u8> {
        let reply = SimpleReply {
            magic: SIMPLE_REPLY.into(),
            error: error.into(),
            cookie: self.cookie,
        };
        reply.as_bytes().to_vec()
    }

    /// How a chunk of the structured reply begins.
    pub(crate) fn chunk(&self, flags: u16, kind: u16, len: u32) -> Vec<u8> {
        let head = ChunkHead {
            magic: STRUCTURED_REPLY.into(),
            flags: flags.into(),
            kind: kind.into(),
            cookie: self.cookie,
            len: len.into(),
        };
        head.as_bytes().to_vec()
    }
}

/// The next bytes as what they are.
pub(crate) fn read<T: FromBytes + IntoBytes>(input: &mut impl Read) -> Result<T, Error> {
    let mut value = T::new_zeroed();
    input
        .read_exact(value.as_mut_bytes())
        .map_err(Error::io("read from the client"))?;
    Ok(value)
}

/// Fills `bytes`; false when the input ended before the first one.
pub(crate) fn read_or_end(input: &mut impl Read, bytes: &mut [u8]) -> Result<bool, Error> {
    let reading = Error::io("read from the client");
    let (first, rest) = match bytes.split_first_mut() {
        Some((first, rest)) => (std::slice::from_mut(first), rest),
        None => return Ok(true),
    };
    match input.read_exact(first) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(reading(error)),
        Ok(()) => input.read_exact(rest).map(|()| true).map_err(reading),
    }
}

/// Reads `len` bytes and forgets them.
pub(crate) fn skip(input: &mut impl Read, len: u64) -> Result<(), Error> {
    let reading = "read from the client";
    let copied = io::copy(&mut input.take(len), &mut io::sink()).map_err(Error::io(reading))?;
    if copied < len {
        let end = io::ErrorKind::UnexpectedEof.into();
        return Err(Error::io(reading)(end));
    }
    Ok(())
}

/// Fields taken one after another from bytes that somebody else made; None when they are too few.
#[derive(Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A length (4 bytes) and as many bytes.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let len = as_usize(self.u32()?);
        let (string, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(string)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }
}
