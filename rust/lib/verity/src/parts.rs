//! Digests one after another, and where each of them comes from.

use base::as_usize;

use crate::hash::{Digest, DIGEST, DIGEST_LEN};
use crate::num::{product, sum};

/// Some digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those of so many blocks of an input, from one on, by the place of its block hashes.
    Known {
        place: usize,
        first: u64,
        count: u64,
    },
    /// One again and again.
    Same(Digest, u64),
    /// So many that stand nowhere else.
    Own(u64),
}

/// Digests as parts; neighbours that continue each other are one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts(Vec<Part>);

impl Parts {
    /// So many digests of their own.
    pub(crate) fn own(count: u64) -> Self {
        Self(vec![Part::Own(count)])
    }

    /// The parts of `digests`, none of which is known: what is the same over whole blocks of `block` bytes, and all else.
    pub(crate) fn of(digests: &[u8], block: usize) -> Self {
        let mut parts = Self::default();
        for digests in digests.chunks(block) {
            let count = base::as_u64(digests.chunks(DIGEST).count());
            match digests.split_first_chunk() {
                Some((first, rest)) if rest.chunks(DIGEST).all(|digest| digest == first) => {
                    parts.push(Part::Same(*first, count));
                }
                _ => parts.push(Part::Own(count)),
            }
        }
        parts
    }

    pub(crate) fn push(&mut self, part: Part) {
        match (self.0.last_mut(), part) {
            (
                Some(Part::Known {
                    place,
                    first,
                    count,
                }),
                Part::Known {
                    place: same,
                    first: next,
                    count: more,
                },
            ) if *place == same && sum(*first, *count) == next => *count = sum(*count, more),
            (Some(Part::Same(digest, count)), Part::Same(same, more)) if *digest == same => {
                *count = sum(*count, more);
            }
            (Some(Part::Own(count)), Part::Own(more)) => *count = sum(*count, more),
            (_, part) => self.0.push(part),
        }
    }

    pub(crate) fn extend(&mut self, more: Self) {
        more.iter().for_each(|part| self.push(part));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Part> + '_ {
        self.0.iter().copied()
    }

    /// Of all the digests those that stand nowhere else.
    pub(crate) fn own_bytes(&self, digests: &[u8]) -> Vec<u8> {
        let mut own = Vec::new();
        let mut rest = digests;
        for part in self.iter() {
            let (these, behind) = rest.split_at(as_usize(part.len()));
            rest = behind;
            if let Part::Own(_) = part {
                own.extend_from_slice(these);
            }
        }
        own
    }
}

impl Part {
    /// How many bytes the digests have.
    pub(crate) fn len(self) -> u64 {
        let (Self::Known { count, .. } | Self::Same(_, count) | Self::Own(count)) = self;
        product(count, DIGEST_LEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_if_they_continue_each_other() {
        let known = |place, first, count| Part::Known {
            place,
            first,
            count,
        };
        let same = |byte, count| Part::Same([byte; DIGEST], count);
        let cases = [
            (known(0, 3, 2), known(0, 5, 1), Some(known(0, 3, 3))),
            (known(0, 3, 2), known(0, 6, 1), None),
            (known(0, 3, 2), known(0, 3, 2), None),
            (known(0, 3, 2), known(1, 5, 1), None),
            (same(1, 2), same(1, 3), Some(same(1, 5))),
            (same(1, 2), same(2, 3), None),
            (Part::Own(2), Part::Own(3), Some(Part::Own(5))),
            (Part::Own(2), same(1, 3), None),
        ];
        for (first, second, one) in cases {
            let mut parts = Parts::default();
            parts.push(first);
            parts.push(second);
            assert_eq!(parts.0, one.map_or(vec![first, second], |one| vec![one]));
        }
    }
}
