//! The encoding of a plan: `docs/formats/plan.md`.
//!
//! All integers little-endian.
//!
//! | offset | size            | field                                                    |
//! |-------:|----------------:|----------------------------------------------------------|
//! |      0 |               8 | magic `IMGPLAN\0`                                        |
//! |      8 |               4 | version, 1                                               |
//! |     12 |               4 | number of inputs, i                                      |
//! |     16 |               8 | length of the image                                      |
//! |     24 |               8 | number of extents, e                                     |
//! |     32 |               8 | number of held bytes, b                                  |
//! |     40 |            48 i | inputs: length (8), has a digest: 0 or 1 (8), SHA-256    |
//! |        |            24 e | extents: length (8), kind (4), input (4), offset (8)     |
//! |        |               b | bytes of extents that hold some, one after another       |
//! |        |              32 | SHA-256 of everything before it                          |

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::builder::Builder;
use crate::error::Error;
use crate::plan::{Input, Kind, Plan, PERIOD, UNIT_LEN};

/// The first bytes of every plan.
pub const MAGIC: [u8; 8] = *b"IMGPLAN\0";
/// The version written and read here.
pub const VERSION: u32 = 1;

const HEADER: u64 = 40;
const INPUT: u64 = 48;
const EXTENT: u64 = 24;
const DIGEST: u64 = 32;

const ZERO: u32 = 0;
const INLINE: u32 = 1;
const SOURCE: u32 = 2;
const REPEAT: u32 = 3;

impl Plan {
    /// The encoding: equal plans are equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Memory takes everything.
        let _ = self.write(&mut out);
        out
    }

    /// Writes the encoding.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        let mut digest = Sha256::new();
        let head = self.head();
        for part in std::iter::once(head.as_slice()).chain(self.held_parts()) {
            digest.update(part);
            out.write_all(part)?;
        }
        out.write_all(&digest.finalize())
    }

    /// All of the encoding before the bytes that the plan holds.
    fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        // An encoding of more inputs or bytes would not fit into memory before this did not hold.
        let inputs = u32::try_from(self.inputs.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&inputs.to_le_bytes());
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX).to_le_bytes();
        out.extend_from_slice(&self.len.to_le_bytes());
        out.extend_from_slice(&number(self.extents.len()));
        out.extend_from_slice(&number(self.held_parts().map(<[u8]>::len).sum()));
        for input in &self.inputs {
            out.extend_from_slice(&input.len.to_le_bytes());
            out.extend_from_slice(&u64::from(input.sha256.is_some()).to_le_bytes());
            out.extend_from_slice(&input.sha256.unwrap_or_default());
        }
        for extent in &self.extents {
            let (kind, input, offset) = match extent.kind {
                Kind::Zero => (ZERO, 0, 0),
                Kind::Inline { .. } => (INLINE, 0, 0),
                Kind::Source { input, offset } => (SOURCE, input, offset),
                Kind::Repeat { .. } => (REPEAT, 0, 0),
            };
            out.extend_from_slice(&extent.len.to_le_bytes());
            out.extend_from_slice(&kind.to_le_bytes());
            out.extend_from_slice(&input.to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
        }
        out
    }

    /// The bytes that the plan holds, as they stand in the encoding.
    fn held_parts(&self) -> impl Iterator<Item = &[u8]> {
        self.extents.iter().filter_map(|extent| match extent.kind {
            Kind::Inline { at } => {
                let len = usize::try_from(extent.len).unwrap_or(usize::MAX);
                Some(self.held(at, len))
            }
            Kind::Repeat { at } => Some(self.held(at, PERIOD)),
            _ => None,
        })
    }

    /// Reads an encoding that anybody may have made: nothing is allocated because it claims a size, every range is checked,
    /// and what is not the canonical form is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Cursor { bytes, at: 0 };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(reader.fault_at(0, "it does not begin with IMGPLAN"));
        }
        let version = reader.u32()?;
        if version != VERSION {
            let reason = format!("version {version}, want {VERSION}");
            return Err(reader.fault_at(8, reason));
        }
        let inputs = u64::from(reader.u32()?);
        let len = reader.u64()?;
        let extents = reader.u64()?;
        let inline = reader.u64()?;
        let have = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let want = inputs
            .checked_mul(INPUT)
            .zip(extents.checked_mul(EXTENT))
            .and_then(|(i, e)| i.checked_add(e)?.checked_add(inline))
            .and_then(|rest| rest.checked_add(HEADER)?.checked_add(DIGEST));
        if want != Some(have) {
            let reason =
                format!("{inputs} inputs, {extents} extents and {inline} inline bytes don't make up {have} bytes");
            return Err(reader.fault_at(12, reason));
        }
        let (body, digest) = bytes.split_at(
            bytes
                .len()
                .saturating_sub(usize::try_from(DIGEST).unwrap_or(0)),
        );
        if Sha256::digest(body).as_slice() != digest {
            return Err(reader.fault_at(
                have.saturating_sub(DIGEST),
                "the digest is another one: damaged",
            ));
        }
        let mut builder = Builder::new(Vec::new());
        for _ in 0..inputs {
            builder.add_input(reader.input()?);
        }
        let inline_at = HEADER
            .saturating_add(inputs.saturating_mul(INPUT))
            .saturating_add(extents.saturating_mul(EXTENT));
        let mut blob = Cursor {
            bytes: body,
            at: usize::try_from(inline_at).unwrap_or(usize::MAX),
        };
        for _ in 0..extents {
            reader.extent(&mut blob, &mut builder)?;
        }
        if blob.at != body.len() {
            return Err(blob.fault("inline bytes that no extent takes"));
        }
        let plan = builder.finish()?;
        if plan.len != len {
            return Err(reader.fault_at(16, format!("the extents make up {} bytes", plan.len)));
        }
        // The builder joins and splits as it must be.
        let mut rest = body.strip_prefix(plan.head().as_slice());
        for part in plan.held_parts() {
            rest = rest.and_then(|rest| rest.strip_prefix(part));
        }
        match rest {
            Some([]) => Ok(plan),
            _ => Err(reader.fault_at(HEADER, "the extents are not in canonical form")),
        }
    }
}

/// A position in an encoding.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let end = self.at.saturating_add(len);
        let Some(taken) = self.bytes.get(self.at..end) else {
            return Err(self.fault("it ends too early"));
        };
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn input(&mut self) -> Result<Input, Error> {
        let len = self.u64()?;
        let known = self.u64()?;
        let sha256 = self.array()?;
        match known {
            0 if sha256 == [0; 32] => Ok(Input { len, sha256: None }),
            1 => Ok(Input {
                len,
                sha256: Some(sha256),
            }),
            _ => Err(self.fault("an input's digest that is neither there nor not there")),
        }
    }

    fn extent(&mut self, blob: &mut Self, builder: &mut Builder) -> Result<(), Error> {
        let len = self.u64()?;
        let kind = self.u32()?;
        let input = self.u32()?;
        let offset = self.u64()?;
        if len == 0 {
            return Err(self.fault("an extent of no bytes"));
        }
        match kind {
            ZERO if (input, offset) == (0, 0) => builder.zero(len),
            INLINE if (input, offset) == (0, 0) => {
                builder.inline(blob.take(usize::try_from(len).unwrap_or(usize::MAX))?)
            }
            SOURCE => builder.source(input, offset, len),
            REPEAT if (input, offset) == (0, 0) && len >= UNIT_LEN => {
                let pattern = blob.array()?;
                if pattern == [0; PERIOD] {
                    return Err(blob.fault("zeros that are repeated"));
                }
                builder.repeat(&pattern, len)
            }
            _ => Err(self.fault(format!("an extent of kind {kind}"))),
        }
    }

    fn fault(&self, reason: impl Into<String>) -> Error {
        self.fault_at(u64::try_from(self.at).unwrap_or(u64::MAX), reason)
    }

    fn fault_at(&self, at: u64, reason: impl Into<String>) -> Error {
        Error::Format {
            at,
            reason: reason.into(),
        }
    }
}
