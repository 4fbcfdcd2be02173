//! Who uses which block: finds blocks that two files have, and bounds the work on hostile images by their size.

use crate::error::{damage, Fault};

/// One bit for each block or cluster of a file system.
pub(crate) struct Claims {
    taken: Vec<u64>,
    count: u64,
}

impl Claims {
    /// `count` free ones, of which the caller knows that the image is long enough to have them.
    pub(crate) fn new(count: u64) -> Self {
        let words = usize::try_from(count.div_ceil(64)).unwrap_or(0);
        Self {
            taken: vec![0; words],
            count,
        }
    }

    /// Takes `len` blocks from `first` on; a block that is taken or not there is damage.
    pub(crate) fn take(&mut self, first: u64, len: u64) -> Result<(), Fault> {
        let count = self.count;
        let end = first.saturating_add(len);
        if end > count {
            return Err(damage!(
                "block {} is beyond the last of {count}",
                end.saturating_sub(1)
            ));
        }
        for block in first..end {
            let bit = 1u64 << (block % 64);
            let word = usize::try_from(block / 64)
                .ok()
                .and_then(|word| self.taken.get_mut(word));
            match word {
                Some(word) if *word & bit == 0 => *word |= bit,
                _ => return Err(damage!("block {block} is in use elsewhere, too")),
            }
        }
        Ok(())
    }
}
