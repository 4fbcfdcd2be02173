//! Extents that an image shares with its inputs, on file systems that can (XFS, btrfs and others).

use std::fs::File;
use std::ops::Range;

use base::as_usize;
use plan::{Piece, Reader};

use crate::error::Error;
use crate::jobs::{down, Job, BLOCK};

/// Sharing costs a transaction of the file system each time, and an extent more: not worth it below this.
const LEAST: u64 = 64 << 10;

/// Of each input, by position, whether a file can share extents with it.
pub(crate) struct Sharing(Vec<bool>);

impl Sharing {
    /// Finds out by trying: `file` shares all of an input, and is empty again afterwards.
    ///
    /// What a file system's name promises may not hold (XFS without reflink), and where extents cannot be shared, copying in
    /// the kernel is no faster than through our memory, where zeros are found.
    pub(crate) fn probe(reader: &Reader, file: &File) -> Result<Self, Error> {
        let mut inputs = vec![false; reader.inputs().len()];
        for extent in reader.plan().extents() {
            let Piece::Source { input, offset } = extent.piece else {
                continue;
            };
            if let Some(known @ false) = inputs.get_mut(as_usize(input)) {
                *known = aligned(extent.start, extent.end(), offset).is_some();
            }
        }
        for (wanted, (_, input)) in inputs.iter_mut().zip(reader.inputs()) {
            let share = |input| rustix::fs::ioctl_ficlone(file, input).is_ok();
            // One that cannot be opened now is an error when it is read.
            *wanted = *wanted && input.file().is_ok_and(share);
        }
        if inputs.contains(&true) {
            // Not otherwise: ext4 writes a file that was truncated to nothing to the disk when it is closed.
            file.set_len(0).map_err(Error::write(0))?;
        }
        Ok(Self(inputs))
    }

    /// Shares what can be shared of `job`, and says what that was. Whatever fails here is left to be copied.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "what is shared lies within the extent, and that within the input"
    )]
    pub(crate) fn share(
        &self,
        reader: &Reader,
        file: &File,
        job: Job,
    ) -> Result<Vec<Range<u64>>, Error> {
        let mut shared = Vec::new();
        if !self.0.contains(&true) {
            return Ok(shared);
        }
        let len = job.end.abs_diff(job.start);
        for extent in reader.plan().extents_in(job.start, len)? {
            let Piece::Source { input, offset } = extent.piece else {
                continue;
            };
            let index = as_usize(input);
            let (Some(true), Some((_, input))) = (self.0.get(index), reader.inputs().get(index))
            else {
                continue;
            };
            if let Some(range) = aligned(extent.start, extent.end(), offset) {
                let Ok(input) = input.file() else { continue };
                let offset = offset + (range.start - extent.start);
                let end = share_range(&input, offset, file, &range);
                shared.push(range.start..end);
            }
        }
        Ok(shared)
    }
}

/// What of an extent lies in the image as it lies in the input, block by block, if that is worth sharing.
fn aligned(start: u64, end: u64, offset: u64) -> Option<Range<u64>> {
    if start % BLOCK != offset % BLOCK {
        return None;
    }
    let range = start.next_multiple_of(BLOCK)..down(end, BLOCK);
    let len = range.end.checked_sub(range.start)?;
    (len >= LEAST).then_some(range)
}

/// Where sharing stopped: the end of `range`, unless something was in the way.
fn share_range(input: &File, mut offset: u64, file: &File, range: &Range<u64>) -> u64 {
    let mut at = range.start;
    while at < range.end {
        let left = as_usize(range.end.abs_diff(at));
        let mut to = at;
        match rustix::fs::copy_file_range(input, Some(&mut offset), file, Some(&mut to), left) {
            Ok(moved) if moved > 0 => at = to,
            _ => break,
        }
    }
    // The rest is copied from a block's start on.
    down(at, BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared() {
        let k = 1024;
        assert_eq!(aligned(0, 64 * k, 8 * k), Some(0..64 * k));
        assert_eq!(aligned(0, 63 * k, 8 * k), None);
        assert_eq!(aligned(1, 128 * k + 5, 1), Some(4 * k..128 * k));
        assert_eq!(aligned(1, 128 * k, 2), None);
        assert_eq!(aligned(1, 5, 1), None);
    }
}
