//! The plan itself: a list of extents, and what may be asked of it.

use crate::builder::Builder;
use crate::error::Error;

/// Zeros of this length or more within bytes that a plan holds are a zero extent of their own.
pub const ZERO_RUN: u64 = 512;

/// The longest image: what file offsets reach.
pub(crate) const MAX_LEN: u64 = i64::MAX.unsigned_abs();

/// An input of a plan. Which file it is, the plan does not say: inputs are known by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its length in bytes.
    pub len: u64,
    /// Its SHA-256, where somebody took it.
    pub sha256: Option<[u8; 32]>,
}

impl Input {
    /// An input without a digest.
    pub fn of_len(len: u64) -> Self {
        Self { len, sha256: None }
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
    pub fn end(&self) -> u64 {
        // Both came from a plan, whose length is checked.
        self.start.saturating_add(self.len)
    }
}

/// An extent as it is kept; inline bytes lie in the plan's blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Zero,
    Inline { at: usize },
    Source { input: u32, offset: u64 },
}

/// An image as extents over its inputs. See the crate's page for what holds of every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(crate) inputs: Vec<Input>,
    pub(crate) extents: Vec<Stored>,
    pub(crate) blob: Vec<u8>,
    pub(crate) len: u64,
}

impl Plan {
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
        u64::try_from(self.blob.len()).unwrap_or(u64::MAX)
    }

    /// All extents: sorted, without gaps, canonical.
    pub fn extents(&self) -> impl Iterator<Item = Extent<'_>> + Clone {
        self.extents.iter().map(|stored| self.extent(*stored))
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
        let first = self
            .extents
            .partition_point(|e| e.start.saturating_add(e.len) <= start);
        let rest = self.extents.get(first..).unwrap_or_default().iter();
        let within = rest.take_while(move |e| e.start < end);
        Ok(within.map(move |stored| cut(self.extent(*stored), start, end)))
    }

    /// The plan of `len` bytes from `start` on, over the same inputs.
    pub fn slice(&self, start: u64, len: u64) -> Result<Self, Error> {
        let mut builder = Builder::new(self.inputs.clone());
        for extent in self.extents_in(start, len)? {
            builder.extent(extent)?;
        }
        builder.finish()
    }

    pub(crate) fn extent(&self, stored: Stored) -> Extent<'_> {
        let Stored { start, len, kind } = stored;
        let piece = match kind {
            Kind::Zero => Piece::Zero,
            Kind::Source { input, offset } => Piece::Source { input, offset },
            Kind::Inline { at } => {
                let end = usize::try_from(len).map_or(usize::MAX, |len| at.saturating_add(len));
                // The builder put exactly these bytes there.
                Piece::Inline(self.blob.get(at..end).unwrap_or_default())
            }
        };
        Extent { start, len, piece }
    }
}

/// `extent` without what lies outside `start..end`, which it overlaps.
fn cut(extent: Extent<'_>, start: u64, end: u64) -> Extent<'_> {
    let from = extent.start.max(start);
    let to = extent.end().min(end);
    let skip = from.saturating_sub(extent.start);
    let len = to.saturating_sub(from);
    let piece = match extent.piece {
        Piece::Zero => Piece::Zero,
        Piece::Source { input, offset } => Piece::Source {
            input,
            offset: offset.saturating_add(skip),
        },
        Piece::Inline(bytes) => {
            let at = usize::try_from(skip).unwrap_or(usize::MAX);
            let to = usize::try_from(len).map_or(usize::MAX, |len| at.saturating_add(len));
            Piece::Inline(bytes.get(at..to).unwrap_or_default())
        }
    };
    Extent {
        start: from,
        len,
        piece,
    }
}
