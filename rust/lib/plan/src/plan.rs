//! The plan itself: a list of extents, and what may be asked of it.

use std::sync::Arc;

use base::{as_u64, as_usize};

use crate::builder::Builder;
use crate::error::Error;

/// Zeros of this length or more within bytes that a plan holds are a zero extent of their own.
pub const ZERO_RUN: u64 = 512;

/// Held bytes that repeat every so many bytes ...
pub(crate) const PERIOD: usize = 32;

/// [`PERIOD`] as a length in an image.
pub(crate) const PERIOD_LEN: u64 = as_u64(PERIOD);

/// ... over at least this length are held once. A multiple of the period.
pub(crate) const UNIT: usize = 16 << 10;

/// [`UNIT`] as a length in an image.
pub(crate) const UNIT_LEN: u64 = as_u64(UNIT);

/// The longest image: what file offsets reach.
pub(crate) const MAX_LEN: u64 = i64::MAX.unsigned_abs();

/// An input of a plan. Which file it is, the plan does not say: inputs are known by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its length in bytes.
    pub len: u64,
}

impl Input {
    /// An input of `len` bytes.
    pub fn of_len(len: u64) -> Self {
        Self { len }
    }
}

/// Where the bytes of an extent come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// They are zero.
    Zero,
    /// The plan holds them: as many as the extent is long.
    Inline(&'a [u8]),
    /// They are a range of an input.
    Source {
        /// The input's position.
        input: u32,
        /// Where in the input the range starts.
        offset: u64,
    },
}

/// A stretch of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent<'a> {
    /// Where in the image it starts.
    pub start: u64,
    /// How long it is; never 0.
    pub len: u64,
    /// Where its bytes come from.
    pub piece: Piece<'a>,
}

impl Extent<'_> {
    /// The byte after it.
    #[expect(
        clippy::expect_used,
        reason = "an extent of a plan lies within it, and a plan has at most 2^63-1 bytes"
    )]
    pub fn end(&self) -> u64 {
        let end = self.start.checked_add(self.len);
        end.expect("an extent of a plan")
    }
}

/// An extent as it is kept; inline bytes lie in the plan's blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) start: u64,
    /// The byte after it, behind `start`.
    pub(crate) end: u64,
    pub(crate) kind: Kind,
}

impl Stored {
    pub(crate) fn len(&self) -> u64 {
        self.end.abs_diff(self.start)
    }

    /// Whether `offset` of `input` is the byte after it.
    pub(crate) fn goes_on(&self, input: u32, offset: u64) -> bool {
        let Kind::Source {
            input: same,
            offset: from,
        } = self.kind
        else {
            return false;
        };
        same == input && from.checked_add(self.len()) == Some(offset)
    }
}

/// The place `len` bytes behind `at` of an image that gets longer.
pub(crate) fn after(at: u64, len: u64) -> Result<u64, Error> {
    let end = at.checked_add(len).filter(|end| *end <= MAX_LEN);
    end.ok_or(Error::TooLong)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Zero,
    Inline {
        at: usize,
    },
    /// [`UNIT`] bytes with the [`PERIOD`], again and again.
    Repeat {
        at: usize,
    },
    Source {
        input: u32,
        offset: u64,
    },
}

/// An image as extents over its inputs. See the crate's page for what holds of every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Shared: the images of a set are all over the same inputs, which may be thousands.
    pub(crate) inputs: Arc<[Input]>,
    pub(crate) extents: Vec<Stored>,
    pub(crate) blob: Vec<u8>,
    pub(crate) len: u64,
}

impl Plan {
    /// The image that is an input of `len` bytes, all of it.
    pub fn whole(len: u64) -> Result<Self, Error> {
        let mut builder = Builder::new([Input::of_len(len)]);
        builder.source(0, 0, len)?;
        builder.finish()
    }

    /// Length of the image in bytes.
    #[allow(
        clippy::len_without_is_empty,
        reason = "an image is measured, not asked for being empty"
    )]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The inputs, by position.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// How many bytes the plan holds itself.
    pub fn inline_len(&self) -> u64 {
        as_u64(self.blob.len())
    }

    /// All extents: sorted and without gaps. Bytes that repeat come in pieces of some KB, all other extents whole.
    pub fn extents(&self) -> impl Iterator<Item = Extent<'_>> + Clone {
        let all = self.extents.iter();
        all.flat_map(|stored| self.pieces(*stored, 0, u64::MAX))
    }

    /// The extents of `len` bytes from `start` on, the outer ones cut to them. Starts are those of the whole image.
    ///
    /// A range beyond the image is an error.
    pub fn extents_in(
        &self,
        start: u64,
        len: u64,
    ) -> Result<impl Iterator<Item = Extent<'_>> + Clone, Error> {
        let end = start
            .checked_add(len)
            .filter(|end| *end <= self.len)
            .ok_or_else(|| Error::outside_image(start, len, self.len))?;
        let first = self.extents.partition_point(|e| e.end <= start);
        let (_, rest) = self.extents.split_at(first);
        let within = rest.iter().take_while(move |e| e.start < end);
        Ok(within.flat_map(move |stored| self.pieces(*stored, start, end)))
    }

    /// The plan of `len` bytes from `start` on, over the same inputs.
    pub fn slice(&self, start: u64, len: u64) -> Result<Self, Error> {
        let mut builder = Builder::new(Arc::clone(&self.inputs));
        builder.range(self, start, len)?;
        builder.finish()
    }

    /// The same image over `inputs`, among which its input n is number `places[n]`. No two have the same place, so nothing
    /// that was apart becomes one extent.
    pub(crate) fn moved(mut self, places: &[u32], inputs: &Arc<[Input]>) -> Result<Self, Error> {
        for stored in &mut self.extents {
            if let Kind::Source { input, .. } = &mut stored.kind {
                let have = places.len();
                let missing = Error::MissingInput {
                    input: *input,
                    have,
                };
                *input = *places.get(as_usize(*input)).ok_or(missing)?;
            }
        }
        self.inputs = Arc::clone(inputs);
        Ok(self)
    }

    /// Refuses this plan as a part of an image over `inputs`, unless those begin with its own.
    pub(crate) fn check_inputs(&self, inputs: &Arc<[Input]>) -> Result<(), Error> {
        if Arc::ptr_eq(&self.inputs, inputs) || inputs.starts_with(&self.inputs) {
            return Ok(());
        }
        let (own, have) = (self.inputs.len(), inputs.len());
        let reason = format!("a plan over {own} inputs is put into an image over {have} others");
        Err(Error::Inputs { reason })
    }

    /// What of `stored` lies in `start..end`.
    pub(crate) fn pieces(&self, stored: Stored, start: u64, end: u64) -> Pieces<'_> {
        Pieces {
            plan: self,
            stored,
            at: stored.start.max(start),
            end: stored.end.min(end),
        }
    }

    /// Bytes that the plan holds.
    #[expect(
        clippy::expect_used,
        reason = "extents are made by Builder and Canvas, which put into the blob what they hold"
    )]
    pub(crate) fn held(&self, at: usize, skip: u64, len: u64) -> &[u8] {
        let bytes = self.blob.get(at..).and_then(|b| b.get(as_usize(skip)..));
        let bytes = bytes.and_then(|bytes| bytes.get(..as_usize(len)));
        bytes.expect("held bytes")
    }
}

/// Parts of one stored extent.
#[derive(Clone, Debug)]
pub(crate) struct Pieces<'a> {
    plan: &'a Plan,
    stored: Stored,
    at: u64,
    end: u64,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Extent<'a>;

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "start <= at < end <= 2^63 and phase < UNIT_LEN; that a range lies within its input, and held bytes within the \
                  blob, was checked when they were put into the plan"
    )]
    fn next(&mut self) -> Option<Extent<'a>> {
        let Self { at: start, end, .. } = *self;
        if start >= end {
            return None;
        }
        let skip = start - self.stored.start;
        let len = end - start;
        let (len, piece) = match self.stored.kind {
            Kind::Zero => (len, Piece::Zero),
            Kind::Source { input, offset } => {
                let offset = offset + skip;
                (len, Piece::Source { input, offset })
            }
            Kind::Inline { at } => (len, Piece::Inline(self.plan.held(at, skip, len))),
            Kind::Repeat { at } => {
                let phase = skip % UNIT_LEN;
                let len = len.min(UNIT_LEN - phase);
                (len, Piece::Inline(self.plan.held(at, phase, len)))
            }
        };
        self.at = start + len;
        Some(Extent { start, len, piece })
    }
}
