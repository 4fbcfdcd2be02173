//! A plan front to back. The canonical form is made here and nowhere else.

use std::sync::Arc;

use base::{as_u64, as_usize};

use crate::error::Error;
use crate::plan::{
    after, Extent, Input, Kind, Piece, Plan, Stored, PERIOD, UNIT, UNIT_LEN, ZERO_RUN,
};
use crate::repeats::{repeated, Search};

/// More zeros than are too few for an extent of their own.
const ZEROS: [u8; 512] = [0; 512];
const _: () = assert!(as_u64(ZEROS.len()) == ZERO_RUN);

/// Writes a plan from its first byte to its last, whatever pieces it is given in.
#[derive(Clone, Debug)]
pub struct Builder {
    inputs: Arc<[Input]>,
    extents: Vec<Stored>,
    blob: Vec<u8>,
    /// Where the next extent starts: what is pending lies behind it.
    at: u64,
    /// Where the image ends so far. Between `at` and here lie zeros at the end of the known run that are not decided yet: a zero
    /// extent, or bytes that the plan holds.
    end: u64,
    /// Whether the known run has a byte that is not zero.
    known: bool,
    repeats: Search,
}

impl Builder {
    /// An empty image over `inputs`.
    pub fn new(inputs: impl Into<Arc<[Input]>>) -> Self {
        Self {
            inputs: inputs.into(),
            extents: Vec::new(),
            blob: Vec::new(),
            at: 0,
            end: 0,
            known: false,
            repeats: Search::default(),
        }
    }

    /// How long the image is so far.
    pub fn position(&self) -> u64 {
        self.end
    }

    /// Appends `len` zeros.
    pub fn zero(&mut self, len: u64) -> Result<(), Error> {
        self.end = after(self.end, len)?;
        Ok(())
    }

    /// Appends zeros until the image is `position` bytes long, which it must not exceed yet.
    pub fn zero_to(&mut self, position: u64) -> Result<(), Error> {
        if position < self.end {
            return Err(Error::Overlap {
                first_start: 0,
                first_len: self.end,
                second_start: position,
                second_len: 0,
            });
        }
        self.end = after(position, 0)?;
        Ok(())
    }

    /// Appends bytes that the plan is to hold.
    pub fn inline(&mut self, bytes: &[u8]) -> Result<(), Error> {
        // All of them or none.
        after(self.end, as_u64(bytes.len()))?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (zeros, behind) = rest.split_at(leading_zeros(rest));
            self.zero(as_u64(zeros.len()))?;
            let (data, behind) = behind.split_at(until_zero_run(behind));
            if !data.is_empty() {
                self.hold(data)?;
            }
            rest = behind;
        }
        Ok(())
    }

    /// Appends `len` bytes that are `pattern` again and again. This does not take longer the longer it is.
    pub fn repeat(&mut self, pattern: &[u8; 32], len: u64) -> Result<(), Error> {
        self.repeat_unit(&pattern.repeat(UNIT / PERIOD), len)
    }

    /// Appends `len` bytes that are `unit`, which has the period, again and again.
    pub(crate) fn repeat_unit(&mut self, unit: &[u8], len: u64) -> Result<(), Error> {
        let end = after(self.end, len)?;
        if unit.iter().all(|b| *b == 0) {
            self.end = end;
            return Ok(());
        }
        let (units, tail) = (len / UNIT_LEN, len % UNIT_LEN);
        for left in (0..units).rev() {
            self.inline(unit)?;
            // Behind the first or the second one, for what stood before may take part of the first one. A repeat that ends where a unit
            // ends has all of its period.
            if self.lengthen_repeat(left)? {
                break;
            }
        }
        let (tail, _) = unit.split_at(as_usize(tail));
        self.inline(tail)
    }

    /// Makes the last extent so many units longer, if it is a repeat; zeros that are pending stay behind it.
    fn lengthen_repeat(&mut self, units: u64) -> Result<bool, Error> {
        let Some(Stored {
            end,
            kind: Kind::Repeat { .. },
            ..
        }) = self.extents.last_mut()
        else {
            return Ok(false);
        };
        let more = units.checked_mul(UNIT_LEN).ok_or(Error::TooLong)?;
        self.end = after(self.end, more)?;
        self.at = after(self.at, more)?;
        *end = self.at;
        Ok(true)
    }

    /// Appends `len` bytes of `input` from `offset` on.
    pub fn source(&mut self, input: u32, offset: u64, len: u64) -> Result<(), Error> {
        let end = after(self.end, len)?;
        let Some(Input { len: have, .. }) = self.inputs.get(as_usize(input)) else {
            let have = self.inputs.len();
            return Err(Error::MissingInput { input, have });
        };
        if offset.checked_add(len).is_none_or(|end| end > *have) {
            return Err(Error::OutsideInput {
                input,
                offset,
                len,
                have: *have,
            });
        }
        if len == 0 {
            return Ok(());
        }
        self.end_known_run()?;
        self.end = end;
        match self.extents.last_mut() {
            Some(last) if last.goes_on(input, offset) => {
                last.end = end;
                self.at = end;
            }
            _ => self.push(end, Kind::Source { input, offset }),
        }
        Ok(())
    }

    /// Appends one extent of a plan over the same inputs; where it started does not count.
    pub fn extent(&mut self, extent: Extent<'_>) -> Result<(), Error> {
        match extent.piece {
            Piece::Zero => self.zero(extent.len),
            Piece::Inline(bytes) => self.inline(bytes),
            Piece::Source { input, offset } => self.source(input, offset, extent.len),
        }
    }

    /// Appends all of `plan`, which is over the same inputs, or over the first of them.
    pub fn plan(&mut self, plan: &Plan) -> Result<(), Error> {
        plan.check_inputs(&self.inputs)?;
        for stored in &plan.extents {
            if let Kind::Repeat { at } = stored.kind {
                self.repeat_unit(plan.held(at, 0, UNIT_LEN), stored.len())?;
                continue;
            }
            for extent in plan.pieces(*stored, 0, u64::MAX) {
                self.extent(extent)?;
            }
        }
        Ok(())
    }

    /// Appends `len` bytes of `plan` from `start` on; its inputs are as for [`Builder::plan`].
    pub fn range(&mut self, plan: &Plan, start: u64, len: u64) -> Result<(), Error> {
        plan.check_inputs(&self.inputs)?;
        for extent in plan.extents_in(start, len)? {
            self.extent(extent)?;
        }
        Ok(())
    }

    /// The plan.
    pub fn finish(mut self) -> Result<Plan, Error> {
        self.end_known_run()?;
        if u32::try_from(self.inputs.len()).is_err() {
            return Err(Error::TooManyInputs);
        }
        Ok(Plan {
            inputs: self.inputs,
            extents: self.extents,
            blob: self.blob,
            len: self.at,
        })
    }

    /// Bytes of the known run, the first of them not zero.
    fn hold(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.decide_zeros(true)?;
        self.hold_bytes(bytes)?;
        self.end = self.at;
        self.known = true;
        Ok(())
    }

    fn end_known_run(&mut self) -> Result<(), Error> {
        self.decide_zeros(self.known)?;
        self.known = false;
        Ok(())
    }

    /// Makes the pending zeros an extent; or, if the run they are in has `other` bytes and they are few, bytes that the plan holds.
    fn decide_zeros(&mut self, other: bool) -> Result<(), Error> {
        let zeros = self.end.abs_diff(self.at);
        match ZEROS.get(..as_usize(zeros)) {
            Some(few) if other && zeros < ZERO_RUN => self.hold_bytes(few)?,
            _ if zeros > 0 => self.push(self.end, Kind::Zero),
            _ => {}
        }
        Ok(())
    }

    /// Bytes of the known run that are decided: no zero extent takes them.
    fn hold_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut bytes = bytes;
        if let Some(last) = self.extents.last_mut() {
            if let Kind::Repeat { at } = last.kind {
                let (_, unit) = self.blob.split_at(at);
                let (more, rest) = bytes.split_at(repeated(unit, last.len(), bytes));
                self.at = after(self.at, as_u64(more.len()))?;
                last.end = self.at;
                bytes = rest;
            }
        }
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(UNIT));
            self.append(now)?;
            bytes = rest;
            if self.close_repeat()? {
                // It ends where the appended bytes end, or before.
                return self.hold_bytes(bytes);
            }
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let at = self.blob.len();
        self.blob.extend_from_slice(bytes);
        let end = after(self.at, as_u64(bytes.len()))?;
        match self.extents.last_mut() {
            Some(Stored {
                end: last,
                kind: Kind::Inline { .. },
                ..
            }) => {
                *last = end;
                self.at = end;
            }
            _ => {
                self.repeats = Search::default();
                self.push(end, Kind::Inline { at });
            }
        }
        Ok(())
    }

    /// Makes the end of the inline extent a repeat, if it became one; what stands behind it is appended anew.
    fn close_repeat(&mut self) -> Result<bool, Error> {
        let Some(last) = self.extents.last_mut() else {
            return Ok(false);
        };
        let Kind::Inline { at } = last.kind else {
            return Ok(false);
        };
        let (before, held) = self.blob.split_at(at);
        let Some(run) = self.repeats.find(held) else {
            return Ok(false);
        };
        let (rest, behind) = held.split_at(run.end);
        let (front, run) = rest.split_at(run.start);
        let (unit, _) = run.split_at(UNIT);
        let unit_at = [before, front].map(<[u8]>::len).into_iter().sum();
        let len = [before, front, unit].map(<[u8]>::len).into_iter().sum();
        let start = after(last.start, as_u64(front.len()))?;
        let end = after(start, as_u64(run.len()))?;
        let behind = behind.to_vec();
        self.blob.truncate(len);
        last.end = start;
        if last.len() == 0 {
            self.extents.pop();
        }
        self.at = start;
        self.push(end, Kind::Repeat { at: unit_at });
        self.hold_bytes(&behind)?;
        Ok(true)
    }

    /// Adds an extent from what there is to `end`.
    fn push(&mut self, end: u64, kind: Kind) {
        let start = std::mem::replace(&mut self.at, end);
        self.extents.push(Stored { start, end, kind });
    }
}

/// How many of `bytes` come before ZERO_RUN zeros, or before the zeros at the end, which the next piece may continue.
fn until_zero_run(bytes: &[u8]) -> usize {
    // A run that is long enough fills one of these.
    const STEP: usize = 256;
    for (at, chunk) in (0..).step_by(STEP).zip(bytes.chunks_exact(STEP)) {
        if leading_zeros(chunk) < STEP {
            continue;
        }
        let (before, _) = bytes.split_at(at);
        let data = without_zeros(before);
        let (_, run) = bytes.split_at(data);
        if as_u64(leading_zeros(run)) >= ZERO_RUN {
            return data;
        }
    }
    without_zeros(bytes)
}

/// How many of `bytes` come before the zeros at their end.
fn without_zeros(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((0, before)) = rest.split_last() {
        rest = before;
    }
    rest.len()
}

/// How many zeros `bytes` begin with.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "both together are at most `bytes`"
)]
fn leading_zeros(bytes: &[u8]) -> usize {
    const STEP: usize = 256;
    let steps = bytes.chunks_exact(STEP);
    let zeros = steps.take_while(|c| c.starts_with(&[0]) && ZEROS.get(..STEP) == Some(c));
    let whole: usize = zeros.map(<[u8]>::len).sum();
    let rest = bytes.iter().skip(whole);
    whole + rest.take_while(|b| **b == 0).count()
}
