//! The encoding of a plan: `docs/formats/plan.md`.
//!
//! All integers little-endian. [`Head`]; the body, which is the inputs, the extents and the bytes of extents that hold some, one after
//! another; then the SHA-256 of everything before it. The body stands there as it is or, if that is shorter, as a zstd frame ([`pack`]).

use std::borrow::Cow;
use std::io::{self, Write};

use base::{as_u64, as_usize, past};
use sha2::{Digest, Sha256};
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, Unaligned};

use crate::builder::Builder;
use crate::error::Error;
use crate::pack;
use crate::plan::{Input, Kind, Plan, PERIOD, PERIOD_LEN, UNIT_LEN};

/// The first bytes of every plan.
pub const MAGIC: [u8; 8] = *b"IMGPLAN\0";
/// The version written and read here.
pub const VERSION: u32 = 3;

/// How an encoding begins.
#[derive(FromBytes, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Head {
    magic: [u8; 8],
    version: U32,
    counts: Counts,
}

#[derive(FromBytes, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Counts {
    inputs: U32,
    /// Length of the image.
    len: U64,
    extents: U64,
    /// Bytes that the plan holds.
    held: U64,
}

/// An input.
#[derive(FromBytes, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct InputRow {
    len: U64,
}

/// An extent.
#[derive(FromBytes, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct ExtentRow {
    len: U64,
    kind: U32,
    /// 0 in all but sources, likewise `offset`.
    input: U32,
    offset: U64,
}

const HEAD: u64 = as_u64(size_of::<Head>());
const INPUT: u64 = as_u64(size_of::<InputRow>());
const EXTENT: u64 = as_u64(size_of::<ExtentRow>());
const _: () = assert!(HEAD == 40 && INPUT == 8 && EXTENT == 24);

const ZERO: u32 = 0;
const INLINE: u32 = 1;
const SOURCE: u32 = 2;
const REPEAT: u32 = 3;

impl Plan {
    /// The encoding: equal plans are equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (head, body) = (self.head(), self.body());
        let packed = pack::pack(&body);
        let mut out = [head.as_bytes(), packed.as_deref().unwrap_or(&body)].concat();
        let digest = Sha256::digest(&out);
        out.extend_from_slice(&digest);
        out
    }

    /// Writes the encoding.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(&self.encode())
    }

    #[expect(
        clippy::expect_used,
        reason = "a plan has at most 2^32-1 inputs: Builder::finish refuses more"
    )]
    fn head(&self) -> Head {
        let inputs = u32::try_from(self.inputs.len());
        Head {
            magic: MAGIC,
            version: VERSION.into(),
            counts: Counts {
                inputs: inputs.expect("at most 2^32-1 inputs").into(),
                len: self.len.into(),
                extents: as_u64(self.extents.len()).into(),
                held: as_u64(self.held_parts().map(<[u8]>::len).sum()).into(),
            },
        }
    }

    /// What stands behind the head, before it is packed.
    fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.each_part(|part| out.extend_from_slice(part));
        out
    }

    /// Whether that is what stands behind the head; a copy of it, as long as what the plan holds, is not made.
    fn has_body(&self, body: &[u8]) -> bool {
        let mut rest = Some(body);
        self.each_part(|part| rest = rest.and_then(|rest| rest.strip_prefix(part)));
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// The body's parts, one after another.
    fn each_part(&self, mut take: impl FnMut(&[u8])) {
        for input in self.inputs.iter() {
            let len = input.len.into();
            take(InputRow { len }.as_bytes());
        }
        for extent in &self.extents {
            let (kind, input, offset) = match extent.kind {
                Kind::Zero => (ZERO, 0, 0),
                Kind::Inline { .. } => (INLINE, 0, 0),
                Kind::Source { input, offset } => (SOURCE, input, offset),
                Kind::Repeat { .. } => (REPEAT, 0, 0),
            };
            let row = ExtentRow {
                len: extent.len().into(),
                kind: kind.into(),
                input: input.into(),
                offset: offset.into(),
            };
            take(row.as_bytes());
        }
        self.held_parts().for_each(take);
    }

    /// The bytes that the plan holds, as they stand in the encoding.
    fn held_parts(&self) -> impl Iterator<Item = &[u8]> {
        self.extents.iter().filter_map(|extent| match extent.kind {
            Kind::Inline { at } => Some(self.held(at, 0, extent.len())),
            Kind::Repeat { at } => Some(self.held(at, 0, PERIOD_LEN)),
            _ => None,
        })
    }

    /// Reads an encoding that anybody may have made: nothing is allocated because it claims a size, every range is checked,
    /// and what is not the canonical form is refused. Positions in errors are those of an encoding whose body is not packed.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut head = Cursor::new(bytes);
        if head.take::<[u8; 8]>()? != MAGIC {
            return Err(fault_at(0, "it does not begin with IMGPLAN"));
        }
        let version: U32 = head.take()?;
        if version != VERSION {
            let reason = format!("version {version}, want {VERSION}");
            return Err(fault_at(8, reason));
        }
        let counts: Counts = head.take()?;
        let body = counts.body(bytes, head.rest)?;
        let (mut rows, mut held) = counts.split(&body)?;
        let mut inputs = Vec::new();
        for _ in 0..counts.inputs.get() {
            inputs.push(rows.input()?);
        }
        let mut builder = Builder::new(inputs);
        for _ in 0..counts.extents.get() {
            rows.extent(&mut held, &mut builder)?;
        }
        if !held.rest.is_empty() {
            return Err(held.fault("inline bytes that no extent takes"));
        }
        let plan = builder.finish()?;
        if plan.len != counts.len.get() {
            let reason = format!("the extents make up {} bytes", plan.len);
            return Err(fault_at(16, reason));
        }
        // The builder joins and splits as it must be.
        if !plan.has_body(&body) {
            return Err(fault_at(HEAD, "the extents are not in canonical form"));
        }
        Ok(plan)
    }
}

impl Counts {
    /// How long inputs and extents are, and how long the body is.
    fn lens(&self) -> Option<(u64, u64)> {
        let inputs = u64::from(self.inputs).checked_mul(INPUT)?;
        let extents = self.extents.get().checked_mul(EXTENT)?;
        let rows = inputs.checked_add(extents)?;
        Some((rows, rows.checked_add(self.held.get())?))
    }

    fn no_fit(&self, have: usize) -> Error {
        let Self {
            inputs,
            extents,
            held,
            ..
        } = self;
        let reason = format!(
            "{inputs} inputs, {extents} extents and {held} inline bytes don't make up {have} bytes"
        );
        fault_at(12, reason)
    }

    /// The body of an encoding, of which `rest` begins behind the head. The digest is checked before anything is unpacked.
    fn body<'a>(&self, bytes: &'a [u8], rest: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
        let no_fit = || self.no_fit(bytes.len());
        let (_, want) = self.lens().ok_or_else(no_fit)?;
        let (stored, _) = rest.split_last_chunk::<32>().ok_or_else(no_fit)?;
        let (sealed, digest) = bytes.split_last_chunk::<32>().ok_or_else(no_fit)?;
        let have = as_u64(stored.len());
        if have > want {
            return Err(no_fit());
        }
        if Sha256::digest(sealed).as_slice() != digest {
            let at = as_u64(sealed.len());
            return Err(fault_at(at, "the digest is another one: damaged"));
        }
        if have == want {
            return Ok(stored.into());
        }
        let body = pack::unpack(stored, want).map_err(|reason| fault_at(HEAD, reason))?;
        Ok(body.into())
    }

    /// Inputs and extents of a body, and the held bytes.
    fn split<'a>(&self, body: &'a [u8]) -> Result<(Cursor<'a>, Cursor<'a>), Error> {
        let rows = self.lens().map(|(rows, _)| as_usize(rows));
        let parts = rows.and_then(|rows| body.split_at_checked(rows));
        let (rows, held) = parts.ok_or_else(|| self.no_fit(body.len()))?;
        let cursor = |rest, upto: &[u8]| Cursor {
            end: as_usize(past(HEAD, upto.len())),
            rest,
        };
        Ok((cursor(rows, rows), cursor(held, body)))
    }
}

/// A position in an encoding.
struct Cursor<'a> {
    /// The position behind `rest`.
    end: usize,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (end, rest) = (bytes.len(), bytes);
        Self { end, rest }
    }

    fn take<T: FromBytes>(&mut self) -> Result<T, Error> {
        let taken = T::read_from_prefix(self.rest);
        let (taken, rest) = taken.map_err(|_| self.fault("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn bytes(&mut self, len: u64) -> Result<&'a [u8], Error> {
        let taken = self.rest.split_at_checked(as_usize(len));
        let (taken, rest) = taken.ok_or_else(|| self.fault("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn input(&mut self) -> Result<Input, Error> {
        let row: InputRow = self.take()?;
        Ok(Input::of_len(row.len.get()))
    }

    fn extent(&mut self, held: &mut Self, builder: &mut Builder) -> Result<(), Error> {
        let row: ExtentRow = self.take()?;
        let (len, input, offset) = (row.len.get(), row.input.get(), row.offset.get());
        if len == 0 {
            return Err(self.fault("an extent of no bytes"));
        }
        match row.kind.get() {
            ZERO if (input, offset) == (0, 0) => builder.zero(len),
            INLINE if (input, offset) == (0, 0) => builder.inline(held.bytes(len)?),
            SOURCE => builder.source(input, offset, len),
            REPEAT if (input, offset) == (0, 0) && len >= UNIT_LEN => {
                let pattern = held.take()?;
                if pattern == [0; PERIOD] {
                    return Err(held.fault("zeros that are repeated"));
                }
                builder.repeat(&pattern, len)
            }
            kind => Err(self.fault(format!("an extent of kind {kind}"))),
        }
    }

    fn fault(&self, reason: impl Into<String>) -> Error {
        // What is left is the end of what there is.
        fault_at(as_u64(self.end.abs_diff(self.rest.len())), reason)
    }
}

fn fault_at(at: u64, reason: impl Into<String>) -> Error {
    Error::Format {
        at,
        reason: reason.into(),
    }
}
