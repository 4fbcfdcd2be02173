//! The allocation table of a volume that is there, in all its copies.

use base::as_usize;

use super::error::EditError;
use super::head::Head;
use super::{Place, Write};
use crate::geometry::{offset, FIRST_CLUSTER};

/// An entry has 28 bits; the others stay as they are (section 4 of the specification).
const MASK: u32 = 0x0fff_ffff;
/// A cluster that can't be used.
const BAD: u32 = 0x0fff_fff7;
/// The last cluster of a chain; anything from [`END_FROM`] on is one.
pub(crate) const END: u32 = 0x0fff_ffff;
const END_FROM: u32 = 0x0fff_fff8;

/// What a reader takes from the first copy, and what the copies are.
pub(crate) struct Table {
    /// Raw, by copy, a whole number of sectors each.
    copies: Vec<Vec<u8>>,
    /// Entries of the first copy by cluster, 28 bits.
    entries: Vec<u32>,
    /// Which clusters belong to a file or folder.
    claimed: Vec<bool>,
}

impl Table {
    pub(crate) fn read(place: &Place<'_>, head: &Head) -> Result<Self, EditError> {
        let mut copies = Vec::new();
        for number in 0..head.copies {
            let mut copy = vec![0; as_usize(offset(head.table))];
            place.read(&mut copy, start(head, number))?;
            copies.push(copy);
        }
        let first = copies.first().map(Vec::as_slice).unwrap_or_default();
        let all = as_usize(u64::from(head.end()));
        let entries: Vec<u32> = words(first).take(all).map(|word| word & MASK).collect();
        Ok(Self {
            claimed: vec![false; entries.len()],
            copies,
            entries,
        })
    }

    /// The chain that begins with `first`, which nobody else has then.
    pub(crate) fn claim(&mut self, first: u32, whose: &str) -> Result<Vec<u32>, EditError> {
        let mut chain = Vec::new();
        let mut at = first;
        loop {
            let next = self.entries.get(index(at)).copied();
            let next = next.filter(|_| at >= FIRST_CLUSTER).ok_or_else(|| {
                EditError::damaged(format!(
                    "the chain of {whose} leads to cluster {at}, which there is not"
                ))
            })?;
            match self.claimed.get_mut(index(at)) {
                Some(claimed @ false) => *claimed = true,
                _ => {
                    return Err(EditError::damaged(format!(
                        "cluster {at} of {whose} belongs to something else, too"
                    )));
                }
            }
            chain.push(at);
            match next {
                END_FROM.. => return Ok(chain),
                BAD | 0 | 1 => {
                    return Err(EditError::damaged(format!(
                        "the chain of {whose} breaks off at cluster {at}"
                    )));
                }
                _ => at = next,
            }
        }
    }

    /// Clusters that no file has, in order.
    pub(crate) fn free(&self) -> impl Iterator<Item = u32> + '_ {
        let unclaimed =
            |(number, _): &(u32, bool)| self.claimed.get(index(*number)) == Some(&false);
        self.usable().filter(unclaimed).map(|(number, _)| number)
    }

    /// All clusters that can be used, each with whether the first copy says that it is.
    pub(crate) fn usable(&self) -> impl Iterator<Item = (u32, bool)> + '_ {
        let all = (0u32..).zip(&self.entries).skip(index(FIRST_CLUSTER));
        let usable = all.filter(|(_, entry)| **entry != BAD);
        usable.map(|(number, entry)| (number, *entry != 0))
    }

    /// Sets entries in all copies, where `all`, every other sector that is not as in the first copy, too. What has to be written for it.
    pub(crate) fn set(&mut self, head: &Head, changes: &[(u32, u32)], all: bool) -> Vec<Write> {
        let before = self.copies.clone();
        let mut target = before.first().cloned().unwrap_or_default();
        let mut touched = Vec::new();
        for (cluster, value) in changes {
            let at = index(*cluster).checked_mul(4);
            let word = at.and_then(|at| target.get_mut(at..)?.first_chunk_mut::<4>());
            // There is one: Head found that the table has an entry for every cluster.
            if let Some(word) = word {
                let rest = u32::from_le_bytes(*word) & !MASK;
                *word = (rest | (value & MASK)).to_le_bytes();
            }
            touched.push(index(*cluster) >> 7);
        }
        touched.sort_unstable();
        touched.dedup();
        let mut writes = Vec::new();
        for (number, copy) in (0u32..).zip(&mut self.copies) {
            let sectors = copy.chunks_mut(512).zip(target.chunks(512)).enumerate();
            for (sector, (have, want)) in sectors {
                if have != want && (all || touched.binary_search(&sector).is_ok()) {
                    have.copy_from_slice(want);
                    let at = u32::try_from(sector).ok().map(offset);
                    let at = at.and_then(|at| start(head, number).checked_add(at));
                    // Sectors of a table are as many as 32 bits hold.
                    writes.extend(at.map(|at| (at, want.to_vec())));
                }
            }
        }
        writes
    }
}

/// Offset in bytes of a copy.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "Head found that all tables lie within a number of sectors that 32 bits hold"
)]
fn start(head: &Head, copy: u32) -> u64 {
    offset(head.reserved + copy * head.table)
}

fn index(cluster: u32) -> usize {
    as_usize(u64::from(cluster))
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let words = bytes.chunks_exact(4).filter_map(<[u8]>::first_chunk);
    words.map(|word| u32::from_le_bytes(*word))
}
