//! A plan front to back. The canonical form is made here and nowhere else.

use crate::error::Error;
use crate::plan::{
    Extent, Input, Kind, Piece, Plan, Stored, MAX_LEN, PERIOD, UNIT, UNIT_LEN, ZERO_RUN,
};
use crate::repeats::{repeated, Search};

/// Zeros that are too few for an extent of their own.
const ZEROS: [u8; 511] = [0; 511];
const _: () = assert!(ZERO_RUN == 512);

/// Writes a plan from its first byte to its last, whatever pieces it is given in.
#[derive(Clone, Debug)]
pub struct Builder {
    inputs: Vec<Input>,
    extents: Vec<Stored>,
    blob: Vec<u8>,
    /// Where the next extent starts: what is pending lies behind it.
    at: u64,
    /// Zeros at the end of the known run that are not decided yet: a zero extent, or bytes that the plan holds.
    zeros: u64,
    /// Whether the known run has a byte that is not zero.
    known: bool,
    repeats: Search,
}

impl Builder {
    /// An empty image over `inputs`.
    pub fn new(inputs: Vec<Input>) -> Self {
        Self {
            inputs,
            extents: Vec::new(),
            blob: Vec::new(),
            at: 0,
            zeros: 0,
            known: false,
            repeats: Search::default(),
        }
    }

    /// Adds an input and returns its position.
    pub fn add_input(&mut self, input: Input) -> u32 {
        let position = u32::try_from(self.inputs.len()).unwrap_or(u32::MAX);
        self.inputs.push(input);
        position
    }

    /// How long the image is so far.
    pub fn position(&self) -> u64 {
        self.at.saturating_add(self.zeros)
    }

    /// Appends `len` zeros.
    pub fn zero(&mut self, len: u64) -> Result<(), Error> {
        self.check(len)?;
        self.zeros = self.zeros.saturating_add(len);
        Ok(())
    }

    /// Appends zeros until the image is `position` bytes long, which it must not exceed yet.
    pub fn zero_to(&mut self, position: u64) -> Result<(), Error> {
        let have = self.position();
        let len = position.checked_sub(have).ok_or(Error::Overlap {
            first_start: 0,
            first_len: have,
            second_start: position,
            second_len: 0,
        })?;
        self.zero(len)
    }

    /// Appends bytes that the plan is to hold.
    pub fn inline(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.check(length(bytes))?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let zeros = leading_zeros(rest);
            self.zeros = self
                .zeros
                .saturating_add(u64::try_from(zeros).unwrap_or(u64::MAX));
            rest = rest.get(zeros..).unwrap_or_default();
            let data = until_zero_run(rest);
            if data > 0 {
                self.hold(rest.get(..data).unwrap_or_default());
            }
            rest = rest.get(data..).unwrap_or_default();
        }
        Ok(())
    }

    /// Appends `len` bytes that are `pattern` again and again. This does not take longer the longer it is.
    pub fn repeat(&mut self, pattern: &[u8; 32], len: u64) -> Result<(), Error> {
        self.repeat_unit(&pattern.repeat(UNIT / PERIOD), len)
    }

    /// Appends `len` bytes that are `unit`, which has the period, again and again.
    pub(crate) fn repeat_unit(&mut self, unit: &[u8], len: u64) -> Result<(), Error> {
        self.check(len)?;
        if unit.iter().all(|b| *b == 0) {
            return self.zero(len);
        }
        let mut rest = len;
        // What stood before may take part of the first one; behind the second one the last extent is a repeat.
        for _ in 0..2 {
            let take = rest.min(UNIT_LEN);
            self.inline(first(unit, take))?;
            rest = rest.saturating_sub(take);
        }
        let tail = rest.checked_rem(UNIT_LEN).unwrap_or(0);
        let units = rest.saturating_sub(tail);
        if let Some(Stored {
            len,
            kind: Kind::Repeat { .. },
            ..
        }) = self.extents.last_mut()
        {
            *len = len.saturating_add(units);
            self.at = self.at.saturating_add(units);
        }
        self.inline(first(unit, tail))
    }

    /// Appends `len` bytes of `input` from `offset` on.
    pub fn source(&mut self, input: u32, offset: u64, len: u64) -> Result<(), Error> {
        self.check(len)?;
        let have = usize::try_from(input)
            .ok()
            .and_then(|index| self.inputs.get(index))
            .ok_or(Error::MissingInput {
                input,
                have: self.inputs.len(),
            })?
            .len;
        if offset.checked_add(len).is_none_or(|end| end > have) {
            return Err(Error::OutsideInput {
                input,
                offset,
                len,
                have,
            });
        }
        if len == 0 {
            return Ok(());
        }
        self.end_known_run();
        if let Some(Stored {
            len: before,
            kind:
                Kind::Source {
                    input: same,
                    offset: from,
                },
            ..
        }) = self.extents.last_mut()
        {
            if *same == input && from.saturating_add(*before) == offset {
                *before = before.saturating_add(len);
                self.at = self.at.saturating_add(len);
                return Ok(());
            }
        }
        self.push(len, Kind::Source { input, offset });
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

    /// Appends all of `plan`; `map` has, for each of its inputs, the position here.
    pub fn plan(&mut self, plan: &Plan, map: &[u32]) -> Result<(), Error> {
        for stored in &plan.extents {
            if let Kind::Repeat { at } = stored.kind {
                self.repeat_unit(plan.held(at, UNIT), stored.len)?;
                continue;
            }
            for extent in plan.pieces(*stored, 0, u64::MAX) {
                self.extent(mapped(extent, map)?)?;
            }
        }
        Ok(())
    }

    /// The plan.
    pub fn finish(mut self) -> Result<Plan, Error> {
        self.end_known_run();
        Ok(Plan {
            inputs: self.inputs,
            extents: self.extents,
            blob: self.blob,
            len: self.at,
        })
    }

    /// Refuses an image that would become too long.
    fn check(&self, len: u64) -> Result<(), Error> {
        match self.position().checked_add(len) {
            Some(end) if end <= MAX_LEN => Ok(()),
            _ => Err(Error::TooLong),
        }
    }

    /// Bytes of the known run, the first of them not zero.
    fn hold(&mut self, bytes: &[u8]) {
        if self.zeros >= ZERO_RUN {
            self.push_zeros();
        } else {
            self.hold_zeros();
        }
        self.hold_bytes(bytes);
        self.known = true;
    }

    fn end_known_run(&mut self) {
        if self.known && self.zeros < ZERO_RUN {
            self.hold_zeros();
        } else {
            self.push_zeros();
        }
        self.known = false;
    }

    fn hold_zeros(&mut self) {
        // Fewer than ZERO_RUN.
        let len = usize::try_from(std::mem::take(&mut self.zeros)).unwrap_or(0);
        self.hold_bytes(ZEROS.get(..len).unwrap_or_default());
    }

    /// Bytes of the known run that are decided: no zero extent takes them.
    fn hold_bytes(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if let Some(Stored {
            len,
            kind: Kind::Repeat { at },
            ..
        }) = self.extents.last_mut()
        {
            let unit = self.blob.get(*at..).unwrap_or_default();
            let more = repeated(unit, *len, bytes);
            let more_len = length(bytes.get(..more).unwrap_or_default());
            *len = len.saturating_add(more_len);
            self.at = self.at.saturating_add(more_len);
            bytes = bytes.get(more..).unwrap_or_default();
        }
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(UNIT));
            self.append(now);
            bytes = rest;
            if self.close_repeat() {
                // It ends where the appended bytes end, or before.
                return self.hold_bytes(bytes);
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let at = self.blob.len();
        self.blob.extend_from_slice(bytes);
        match self.extents.last_mut() {
            Some(Stored {
                len,
                kind: Kind::Inline { .. },
                ..
            }) => {
                *len = len.saturating_add(length(bytes));
                self.at = self.at.saturating_add(length(bytes));
            }
            _ => {
                self.repeats = Search::default();
                self.push(length(bytes), Kind::Inline { at });
            }
        }
    }

    /// Makes the end of the inline extent a repeat, if it became one; what stands behind it is appended anew.
    fn close_repeat(&mut self) -> bool {
        let Some(last) = self.extents.last_mut() else {
            return false;
        };
        let Kind::Inline { at } = last.kind else {
            return false;
        };
        let bytes = self.blob.get(at..).unwrap_or_default();
        let Some((start, end)) = self.repeats.find(bytes) else {
            return false;
        };
        let behind = bytes.get(end..).unwrap_or_default().to_vec();
        let before = bytes.get(..start).unwrap_or_default();
        let (before_len, len) = (
            length(before),
            length(bytes.get(start..end).unwrap_or_default()),
        );
        let unit_at = at.saturating_add(start);
        self.blob.truncate(unit_at.saturating_add(UNIT));
        self.at = last.start.saturating_add(before_len);
        last.len = before_len;
        if before_len == 0 {
            self.extents.pop();
        }
        self.push(len, Kind::Repeat { at: unit_at });
        self.hold_bytes(&behind);
        true
    }

    fn push_zeros(&mut self) {
        let len = std::mem::take(&mut self.zeros);
        if len > 0 {
            self.push(len, Kind::Zero);
        }
    }

    fn push(&mut self, len: u64, kind: Kind) {
        let start = self.at;
        self.extents.push(Stored { start, len, kind });
        self.at = self.at.saturating_add(len);
    }
}

/// `extent` over other inputs.
pub(crate) fn mapped<'a>(extent: Extent<'a>, map: &[u32]) -> Result<Extent<'a>, Error> {
    let Piece::Source { input, offset } = extent.piece else {
        return Ok(extent);
    };
    let position = usize::try_from(input).ok().and_then(|i| map.get(i));
    let input = *position.ok_or(Error::MissingInput {
        input,
        have: map.len(),
    })?;
    let piece = Piece::Source { input, offset };
    Ok(Extent { piece, ..extent })
}

/// The first `len` of `bytes`.
fn first(bytes: &[u8], len: u64) -> &[u8] {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    bytes.get(..len).unwrap_or(bytes)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// How many of `bytes` come before ZERO_RUN zeros, or before the zeros at the end, which the next piece may continue.
fn until_zero_run(bytes: &[u8]) -> usize {
    // A run that is long enough fills one of these.
    const STEP: usize = 256;
    let run = usize::try_from(ZERO_RUN).unwrap_or(usize::MAX);
    let back = |end: usize| {
        let before = bytes.get(..end).unwrap_or_default().iter().rev();
        end.saturating_sub(before.take_while(|b| **b == 0).count())
    };
    for (index, chunk) in bytes.chunks_exact(STEP).enumerate() {
        if leading_zeros(chunk) < STEP {
            continue;
        }
        let at = index.saturating_mul(STEP);
        let start = back(at);
        let behind = bytes.get(at..).unwrap_or_default();
        let end = at.saturating_add(leading_zeros(behind));
        if end.saturating_sub(start) >= run {
            return start;
        }
    }
    back(bytes.len())
}

/// How many zeros `bytes` begin with.
fn leading_zeros(bytes: &[u8]) -> usize {
    const STEP: usize = 256;
    let steps = bytes.chunks_exact(STEP);
    let whole = steps
        .take_while(|chunk| chunk.first() == Some(&0) && ZEROS.get(..STEP) == Some(chunk))
        .count()
        .saturating_mul(STEP);
    let rest = bytes.iter().skip(whole);
    whole.saturating_add(rest.take_while(|b| **b == 0).count())
}
