//! What comes before reading and writing: which image, and how.

use std::io::{Read, Write};

use base::as_usize;
use zerocopy::byteorder::big_endian::U32;
use zerocopy::IntoBytes;

use crate::error::Error;
use crate::proto::{
    self, answer, handshake, info, option, BlockSizes, Export, Fields, Greeting, OptionHead,
    OptionReply,
};

/// The longest data of an option: names are at most 4096 bytes long.
const MAX_OPTION: u32 = 64 << 10;

/// The one metadata context that there is.
const ALLOCATION: &[u8] = b"base:allocation";

/// What is told about the image that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) len: u64,
    pub(crate) features: u16,
    /// The longest read or write.
    pub(crate) max_len: u32,
}

impl Offer {
    fn export(&self) -> Export {
        Export {
            len: self.len.into(),
            features: self.features.into(),
        }
    }
}

/// What client and server agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    /// Whether reads are answered in chunks.
    pub(crate) structured: bool,
    /// Whether the client may ask for `base:allocation`.
    pub(crate) allocation: bool,
}

/// The number that `base:allocation` goes by in a session.
pub(crate) const ALLOCATION_ID: u32 = 1;

/// Talks to a client until it wants to read and write; None when it wants to go.
pub(crate) fn negotiate(
    input: &mut impl Read,
    output: &mut impl Write,
    offer: &Offer,
) -> Result<Option<Session>, Error> {
    let mut talk = Talk {
        input,
        output,
        offer,
        session: Session::default(),
        zeroes: true,
    };
    talk.greet()?;
    loop {
        let Some((option, data)) = talk.next()? else {
            return Ok(None);
        };
        match talk.answer(option, &data)? {
            Next::More => {}
            Next::Transmit => return Ok(Some(talk.session)),
            Next::Leave => return Ok(None),
        }
    }
}

enum Next {
    More,
    Transmit,
    Leave,
}

struct Talk<'a, R, W> {
    input: &'a mut R,
    output: &'a mut W,
    offer: &'a Offer,
    session: Session,
    /// Whether the old answer to EXPORT_NAME ends with 124 zeros.
    zeroes: bool,
}

impl<R: Read, W: Write> Talk<'_, R, W> {
    fn greet(&mut self) -> Result<(), Error> {
        let ours = handshake::FIXED_NEWSTYLE | handshake::NO_ZEROES;
        let greeting = Greeting {
            magic: proto::NBDMAGIC.into(),
            option_magic: proto::IHAVEOPT.into(),
            flags: ours.into(),
        };
        self.send(greeting.as_bytes())?;
        let theirs = proto::read::<U32>(self.input)?.get();
        if theirs & !u32::from(ours) != 0 {
            let reason = format!("it greets with flags {theirs:#x}, but there are only {ours:#x}");
            return Err(Error::protocol(reason));
        }
        self.zeroes = theirs & u32::from(handshake::NO_ZEROES) == 0;
        Ok(())
    }

    /// The next option that is not too long; None when the client hung up.
    fn next(&mut self) -> Result<Option<(u32, Vec<u8>)>, Error> {
        loop {
            let mut magic = [0; 8];
            if !proto::read_or_end(self.input, &mut magic)? {
                return Ok(None);
            }
            let magic = u64::from_be_bytes(magic);
            if magic != proto::IHAVEOPT {
                let reason = format!("an option starts with {magic:#x}");
                return Err(Error::protocol(reason));
            }
            let OptionHead { option, len } = proto::read(self.input)?;
            let (option, len) = (option.get(), len.get());
            if len > MAX_OPTION {
                proto::skip(self.input, len.into())?;
                self.refuse(option, answer::TOO_BIG, "the option is too long")?;
                continue;
            }
            let mut data = vec![0; as_usize(len)];
            self.input
                .read_exact(&mut data)
                .map_err(Error::io("read from the client"))?;
            return Ok(Some((option, data)));
        }
    }

    fn answer(&mut self, option: u32, data: &[u8]) -> Result<Next, Error> {
        match option {
            option::EXPORT_NAME => self.export_name(data),
            option::ABORT => {
                // It need not wait for the answer.
                let _ = self.reply(option, answer::ACK, &[]);
                Ok(Next::Leave)
            }
            option::LIST if data.is_empty() => {
                let name = self.offer.name.as_bytes();
                let server = [&short(name.len())?.to_be_bytes(), name].concat();
                self.reply(option, answer::SERVER, &server)?;
                self.reply(option, answer::ACK, &[])
            }
            option::STRUCTURED_REPLY if data.is_empty() => {
                self.session.structured = true;
                self.reply(option, answer::ACK, &[])
            }
            option::LIST | option::STRUCTURED_REPLY => {
                self.refuse(option, answer::INVALID, "the option takes no data")
            }
            option::INFO | option::GO => self.info(option, data),
            option::LIST_META_CONTEXT | option::SET_META_CONTEXT => self.meta(option, data),
            _ => self.refuse(option, answer::UNSUPPORTED, "there is no such option here"),
        }
    }

    /// Whether a client may mean the image by `name`: by default names are empty.
    fn knows(&self, name: &[u8]) -> bool {
        name.is_empty() || name == self.offer.name.as_bytes()
    }

    /// The oldest way to choose an image; there is no way to say no.
    fn export_name(&mut self, name: &[u8]) -> Result<Next, Error> {
        if !self.knows(name) {
            let name = String::from_utf8_lossy(name);
            let reason = format!("there is no image {name:?} here");
            return Err(Error::protocol(reason));
        }
        let mut reply = self.offer.export().as_bytes().to_vec();
        if self.zeroes {
            reply.extend_from_slice(&[0; 124]);
        }
        self.send(&reply)?;
        Ok(Next::Transmit)
    }

    fn info(&mut self, option: u32, data: &[u8]) -> Result<Next, Error> {
        let Some((name, wanted)) = parse_info(data) else {
            return self.refuse(option, answer::INVALID, "the option's data is cut off");
        };
        if !self.knows(name) {
            return self.refuse(option, answer::UNKNOWN, "there is no such image here");
        }
        let about = |kind: u16, what: &[u8]| [&kind.to_be_bytes(), what].concat();
        let export = about(info::EXPORT, self.offer.export().as_bytes());
        self.reply(option, answer::INFO, &export)?;
        if wanted.contains(&info::NAME) {
            let name = about(info::NAME, self.offer.name.as_bytes());
            self.reply(option, answer::INFO, &name)?;
        }
        if wanted.contains(&info::BLOCK_SIZE) {
            let sizes = BlockSizes {
                kind: info::BLOCK_SIZE.into(),
                least: 1.into(),
                best: 4096.into(),
                most: self.offer.max_len.into(),
            };
            self.reply(option, answer::INFO, sizes.as_bytes())?;
        }
        self.reply(option, answer::ACK, &[])?;
        Ok(match option {
            option::GO => Next::Transmit,
            _ => Next::More,
        })
    }

    fn meta(&mut self, option: u32, data: &[u8]) -> Result<Next, Error> {
        if !self.session.structured {
            let reason = "metadata needs structured replies, which were not asked for";
            return self.refuse(option, answer::INVALID, reason);
        }
        let Some((name, queries)) = parse_meta(data) else {
            return self.refuse(option, answer::INVALID, "the option's data is cut off");
        };
        if !self.knows(name) {
            return self.refuse(option, answer::UNKNOWN, "there is no such image here");
        }
        let list = option == option::LIST_META_CONTEXT;
        let exact = queries.contains(&ALLOCATION);
        let found = exact || (list && (queries.is_empty() || queries.contains(&&b"base:"[..])));
        if !list {
            self.session.allocation = found;
        }
        if found {
            let id = if list { 0 } else { ALLOCATION_ID };
            let mut context = id.to_be_bytes().to_vec();
            context.extend_from_slice(ALLOCATION);
            self.reply(option, answer::META_CONTEXT, &context)?;
        }
        self.reply(option, answer::ACK, &[])
    }

    fn refuse(&mut self, option: u32, kind: u32, reason: &str) -> Result<Next, Error> {
        self.reply(option, kind, reason.as_bytes())
    }

    fn reply(&mut self, option: u32, kind: u32, data: &[u8]) -> Result<Next, Error> {
        let head = OptionReply {
            magic: proto::OPTION_REPLY.into(),
            option: option.into(),
            kind: kind.into(),
            len: short(data.len())?.into(),
        };
        self.send(&[head.as_bytes(), data].concat())?;
        Ok(Next::More)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.output
            .write_all(bytes)
            .map_err(Error::io("write to the client"))
    }
}

/// A length as answers have it.
fn short(len: usize) -> Result<u32, Error> {
    u32::try_from(len).map_err(|_| Error::too_long(len))
}

/// Name, and what the client wants to know.
fn parse_info(data: &[u8]) -> Option<(&[u8], Vec<u16>)> {
    let mut fields = Fields(data);
    let name = fields.string()?;
    let count = fields.u16()?;
    let wanted: Option<Vec<u16>> = (0..count).map(|_| fields.u16()).collect();
    fields.0.is_empty().then_some((name, wanted?))
}

/// Name and queries.
fn parse_meta(data: &[u8]) -> Option<(&[u8], Vec<&[u8]>)> {
    let mut fields = Fields(data);
    let name = fields.string()?;
    let count = fields.u32()?;
    let mut queries = Vec::new();
    // Each takes four bytes, so a great number ends soon.
    for _ in 0..count {
        queries.push(fields.string()?);
    }
    fields.0.is_empty().then_some((name, queries))
}
