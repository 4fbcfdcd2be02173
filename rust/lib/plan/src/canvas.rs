//! A plan from pieces in any order.

use std::sync::Arc;

use base::as_u64;

use crate::builder::Builder;
use crate::error::Error;
use crate::plan::{Extent, Input, Kind, Piece, Plan, Stored, MAX_LEN, UNIT_LEN};

/// An image of fixed length, zero where nothing is put. Two pieces on one byte are an error, found by [`Canvas::finish`].
#[derive(Clone, Debug)]
pub struct Canvas {
    len: u64,
    pieces: Plan,
}

impl Canvas {
    /// `len` zeros over `inputs`.
    pub fn new(len: u64, inputs: impl Into<Arc<[Input]>>) -> Result<Self, Error> {
        if len > MAX_LEN {
            return Err(Error::TooLong);
        }
        // Its extents are neither sorted nor gap-free; it never leaves this type.
        let pieces = Plan {
            inputs: inputs.into(),
            extents: Vec::new(),
            blob: Vec::new(),
            len,
        };
        Ok(Self { len, pieces })
    }

    /// Length of the image.
    #[allow(
        clippy::len_without_is_empty,
        reason = "an image is measured, not asked for being empty"
    )]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Puts bytes at `start`.
    pub fn inline(&mut self, start: u64, bytes: &[u8]) -> Result<(), Error> {
        let at = self.pieces.blob.len();
        self.put(start, as_u64(bytes.len()), Kind::Inline { at })?;
        self.pieces.blob.extend_from_slice(bytes);
        Ok(())
    }

    /// Puts `len` bytes of `input` from `offset` on at `start`. That they are there is checked by [`Canvas::finish`].
    pub fn source(&mut self, start: u64, input: u32, offset: u64, len: u64) -> Result<(), Error> {
        self.put(start, len, Kind::Source { input, offset })
    }

    /// Puts all of `plan` at `start`. It is over the same inputs, or over the first of them. Its zeros count as pieces.
    pub fn plan(&mut self, start: u64, plan: &Plan) -> Result<(), Error> {
        plan.check_inputs(&self.pieces.inputs)?;
        for stored in &plan.extents {
            let start = self.shifted(start, stored.start, stored.len())?;
            if let Kind::Repeat { at } = stored.kind {
                self.repeat(start, stored.len(), plan.held(at, 0, UNIT_LEN))?;
                continue;
            }
            for extent in plan.pieces(*stored, 0, u64::MAX) {
                self.extent(start, extent)?;
            }
        }
        Ok(())
    }

    /// Puts `len` bytes of `plan` from `offset` on at `start`, as [`Canvas::plan`] does.
    pub fn range(&mut self, start: u64, plan: &Plan, offset: u64, len: u64) -> Result<(), Error> {
        plan.check_inputs(&self.pieces.inputs)?;
        for extent in plan.extents_in(offset, len)? {
            let into = extent.start.abs_diff(offset);
            self.extent(self.shifted(start, into, extent.len)?, extent)?;
        }
        Ok(())
    }

    fn repeat(&mut self, start: u64, len: u64, unit: &[u8]) -> Result<(), Error> {
        let at = self.pieces.blob.len();
        self.put(start, len, Kind::Repeat { at })?;
        self.pieces.blob.extend_from_slice(unit);
        Ok(())
    }

    /// Puts one extent of a plan over the same inputs at `start`.
    pub fn extent(&mut self, start: u64, extent: Extent<'_>) -> Result<(), Error> {
        match extent.piece {
            Piece::Zero => self.put(start, extent.len, Kind::Zero),
            Piece::Inline(bytes) => self.inline(start, bytes),
            Piece::Source { input, offset } => self.source(start, input, offset, extent.len),
        }
    }

    /// The plan.
    pub fn finish(mut self) -> Result<Plan, Error> {
        let mut stored = std::mem::take(&mut self.pieces.extents);
        stored.sort_by_key(|piece| piece.start);
        let mut builder = Builder::new(Arc::clone(&self.pieces.inputs));
        let mut last = (0, 0);
        for piece in stored {
            if piece.start < builder.position() {
                return Err(Error::Overlap {
                    first_start: last.0,
                    first_len: last.1,
                    second_start: piece.start,
                    second_len: piece.len(),
                });
            }
            builder.zero_to(piece.start)?;
            if let Kind::Repeat { at } = piece.kind {
                builder.repeat_unit(self.pieces.held(at, 0, UNIT_LEN), piece.len())?;
            } else {
                for extent in self.pieces.pieces(piece, 0, u64::MAX) {
                    builder.extent(extent)?;
                }
            }
            last = (piece.start, piece.len());
        }
        builder.zero_to(self.len)?;
        builder.finish()
    }

    fn put(&mut self, start: u64, len: u64, kind: Kind) -> Result<(), Error> {
        match start.checked_add(len) {
            Some(end) if end <= self.len => {
                if len > 0 {
                    self.pieces.extents.push(Stored { start, end, kind });
                }
                Ok(())
            }
            _ => Err(Error::outside_image(start, len, self.len)),
        }
    }

    /// Where what lies at `into` of an image goes that is put at `start`.
    fn shifted(&self, start: u64, into: u64, len: u64) -> Result<u64, Error> {
        let at = start.checked_add(into);
        at.ok_or_else(|| Error::outside_image(start, len, self.len))
    }
}
