//! Stretches of bytes: of an image, of a file, and of a file in an image.

use base::as_usize;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::bytes::Number;
use crate::error::{damage, Fault};

/// From a first position up to another one that is not before it. All arithmetic on positions is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    start: u64,
    end: u64,
}

impl Span {
    /// `len` bytes from `start` on. Behind the largest position there is is damage.
    pub(crate) fn new(start: u64, len: u64) -> Result<Self, Fault> {
        match start.checked_add(len) {
            Some(end) => Ok(Self { start, end }),
            None => Err(damage!(
                "{len} bytes from byte {start} on are more than an image can have"
            )),
        }
    }

    /// From `start` up to `end`; nothing if that is before it.
    pub(crate) fn between(start: u64, end: u64) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// The first `len` bytes.
    pub(crate) fn up_to(len: u64) -> Self {
        Self { start: 0, end: len }
    }

    pub(crate) fn start(self) -> u64 {
        self.start
    }

    pub(crate) fn end(self) -> u64 {
        self.end
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    #[expect(
        clippy::expect_used,
        reason = "every constructor sees to it that the end is not before the start"
    )]
    pub(crate) fn len(self) -> u64 {
        self.end.checked_sub(self.start).expect("start <= end")
    }

    /// The part from `at` on: all of it if that is before it, nothing if behind.
    pub(crate) fn from(self, at: u64) -> Self {
        Self {
            start: at.clamp(self.start, self.end),
            ..self
        }
    }

    /// The part up to `at`: all of it if that is behind it, nothing if before.
    pub(crate) fn until(self, at: u64) -> Self {
        Self {
            end: at.clamp(self.start, self.end),
            ..self
        }
    }

    /// Without its first `len` bytes.
    pub(crate) fn skip(self, len: u64) -> Self {
        // What is beyond all numbers is beyond the end.
        match self.start.checked_add(len) {
            Some(at) => self.from(at),
            None => self.from(self.end),
        }
    }

    /// Its first `len` bytes.
    pub(crate) fn first(self, len: u64) -> Self {
        self.until(self.skip(len).start)
    }

    /// Of its first `len` bytes those up to the last multiple of `UNIT`; all of them if nothing follows.
    pub(crate) fn whole<const UNIT: u64>(self, len: u64) -> Self {
        let first = self.first(len);
        match first == self {
            true => first,
            false => first.until(round_down::<UNIT>(first.end)),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Span", 2)?;
        fields.serialize_field("start", &self.start)?;
        fields.serialize_field("size", &self.len())?;
        fields.end()
    }
}

/// The last multiple of `UNIT`, a power of two, up to `number`.
pub(crate) fn round_down<const UNIT: u64>(number: u64) -> u64 {
    const { assert!(UNIT.is_power_of_two()) };
    number & const { !(UNIT - 1) }
}

/// `bytes`, which begin at position `start`, cut at multiples of `UNIT`: each piece with its position.
pub(crate) fn pieces<const UNIT: u64>(
    start: u64,
    bytes: &[u8],
) -> impl Iterator<Item = (u64, &[u8])> {
    let (mut at, mut rest) = (start, bytes);
    std::iter::from_fn(move || {
        let place = at;
        let next = round_down::<UNIT>(at).checked_add(UNIT);
        // Without a multiple before the end of all numbers there is no cut, either.
        let to_next = next.and_then(|next| next.checked_sub(at)).map(as_usize);
        let (piece, after) = to_next
            .and_then(|len| rest.split_at_checked(len))
            .unwrap_or((rest, &[]));
        rest = after;
        if let (false, Some(next)) = (after.is_empty(), next) {
            at = next;
        }
        (!piece.is_empty()).then_some((place, piece))
    })
}

/// Bytes of a file that lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// In the file.
    at: Span,
    /// In the file system, as many.
    from: Span,
}

impl Run {
    /// `len` bytes that are at `at` in the file and at `from` in the file system.
    pub(crate) fn new(at: u64, len: u64, from: u64) -> Result<Self, Fault> {
        Ok(Self {
            at: Span::new(at, len)?,
            from: Span::new(from, len)?,
        })
    }

    /// All of a file that lies in one place.
    pub(crate) fn whole(from: Span) -> Self {
        Self {
            at: Span::up_to(from.len()),
            from,
        }
    }

    /// Position in the file.
    pub(crate) fn at(self) -> Span {
        self.at
    }

    /// Position in the file system.
    pub(crate) fn from(self) -> Span {
        self.from
    }

    pub(crate) fn len(self) -> u64 {
        self.at.len()
    }

    pub(crate) fn is_empty(self) -> bool {
        self.at.is_empty()
    }

    /// Without its first `len` bytes.
    pub(crate) fn skip(self, len: u64) -> Self {
        Self {
            at: self.at.skip(len),
            from: self.from.skip(len),
        }
    }

    /// In pieces of `len` bytes, the last one perhaps shorter.
    pub(crate) fn pieces(self, len: u64) -> impl Iterator<Item = Self> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let first = Self {
                at: rest.at.first(len),
                from: rest.from.first(len),
            };
            rest = rest.skip(len);
            (!first.is_empty()).then_some(first)
        })
    }

    /// Both as one, if `next` follows in the file as well as in the file system.
    fn with(self, next: Self) -> Option<Self> {
        let follows = self.at.end == next.at.start && self.from.end == next.from.start;
        follows.then_some(Self {
            at: Span {
                end: next.at.end,
                ..self.at
            },
            from: Span {
                end: next.from.end,
                ..self.from
            },
        })
    }
}

/// Appends `run`, joined with the last one if it goes on where that ends.
pub(crate) fn append(runs: &mut Vec<Run>, run: Run) {
    if let Some(last) = runs.last_mut() {
        if let Some(both) = last.with(run) {
            *last = both;
            return;
        }
    }
    runs.push(run);
}

/// How many bytes `runs` have together.
pub(crate) fn mapped(runs: &[Run]) -> Result<u64, Fault> {
    runs.iter().try_fold(0u64, |sum, run| sum.plus(run.len()))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use base::as_u64;
    use proptest::prelude::*;

    #[test]
    fn the_ends_of_all_numbers() {
        assert!(Span::new(u64::MAX, 1).is_err());
        let all = Span::up_to(u64::MAX);
        assert_eq!(all.skip(1).skip(u64::MAX).len(), 0);
        assert_eq!(all.skip(5).first(u64::MAX), all.from(5));
        assert_eq!(Span::between(2, 1), None);
        assert!(Run::new(0, 2, u64::MAX - 1).is_err());
        let (one, two) = (Run::new(0, 2, 7).unwrap(), Run::new(2, 3, 9).unwrap());
        let mut runs = vec![one];
        append(&mut runs, two);
        append(&mut runs, two);
        assert_eq!(runs, [Run::new(0, 5, 7).unwrap(), two]);
        assert_eq!(mapped(&runs).unwrap(), 8);
    }

    proptest! {
        /// Every byte comes once, in order, and no piece crosses a multiple.
        #[test]
        fn pieces_are_all_of_it(start in 0u64..40, len in 0usize..60) {
            let bytes: Vec<u8> = (0u8..).take(len).collect();
            let (mut at, mut all) = (start, Vec::new());
            for (position, piece) in pieces::<8>(start, &bytes) {
                prop_assert_eq!(position, at);
                prop_assert!(!piece.is_empty() && position / 8 == (position + as_u64(piece.len()) - 1) / 8);
                all.extend_from_slice(piece);
                at += as_u64(piece.len());
            }
            prop_assert_eq!(all, bytes);
            let run = Run::new(start, as_u64(len), 100).unwrap();
            let lens: Vec<u64> = run.pieces(7).map(Run::len).collect();
            prop_assert_eq!(lens.iter().sum::<u64>(), as_u64(len));
            prop_assert!(lens.iter().rev().skip(1).all(|len| *len == 7));
        }
    }
}
