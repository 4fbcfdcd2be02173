//! Where everything lies in the file, in clusters.

use std::ops::Range;

use plan::{Piece, Plan};

use crate::error::Error;

/// Bytes of a cluster, as a power of two.
pub(crate) const CLUSTER_BITS: u32 = 16;
/// Bytes of a cluster.
pub(crate) const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Entries of 8 bytes in a cluster.
pub(crate) const ENTRIES: u64 = CLUSTER / 8;
/// Refcounts of 2 bytes in a cluster.
pub(crate) const REFCOUNTS: u64 = CLUSTER / 2;
/// What a level 2 table stands for, in bytes of the disk.
const TABLE: u64 = ENTRIES * CLUSTER;

/// The largest disk: QEMU reads level 1 tables of up to 32 MiB.
pub const MAX_LEN: u64 = (32 << 20) / 8 * TABLE;

/// The parts of the file in clusters, which follow each other in this order behind the header's one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) refcount_table: Range<u64>,
    pub(crate) refcount_blocks: Range<u64>,
    pub(crate) l1_table: Range<u64>,
    pub(crate) l2_tables: Range<u64>,
    pub(crate) data: Range<u64>,
    /// Entries, not clusters.
    pub(crate) l1_entries: u64,
    /// What of the disk is in the file: sorted, not touching each other.
    pub(crate) runs: Vec<Range<u64>>,
}

impl Layout {
    pub(crate) fn of(disk: &Plan) -> Result<Self, Error> {
        let len = disk.len();
        if len > MAX_LEN {
            return Err(Error::TooLarge { len, max: MAX_LEN });
        }
        let runs = runs(disk);
        let l1_entries = len.div_ceil(TABLE).max(1);
        let l1_table = l1_entries.div_ceil(ENTRIES);
        let l2_tables = tables(&runs).map(|_| 1).sum();
        let data = runs.iter().map(count).sum();
        let (mut refcount_table, mut refcount_blocks) = (0, 0);
        // Refcounts count themselves, too: more of them until they suffice.
        loop {
            let [a, b, c, d, e] =
                parts([refcount_table, refcount_blocks, l1_table, l2_tables, data])?;
            let blocks = e.end.div_ceil(REFCOUNTS);
            let table = blocks.div_ceil(ENTRIES);
            if (blocks, table) == (refcount_blocks, refcount_table) {
                return Ok(Self {
                    refcount_table: a,
                    refcount_blocks: b,
                    l1_table: c,
                    l2_tables: d,
                    data: e,
                    l1_entries,
                    runs,
                });
            }
            (refcount_blocks, refcount_table) = (blocks, table);
        }
    }

    /// Clusters of the file.
    pub(crate) fn clusters(&self) -> u64 {
        self.data.end
    }
}

/// Where parts of so many clusters lie.
fn parts<const N: usize>(lens: [u64; N]) -> Result<[Range<u64>; N], Error> {
    let mut at = 1u64;
    let mut parts = [const { 0..0 }; N];
    for (part, len) in parts.iter_mut().zip(lens) {
        let end = at.checked_add(len).ok_or(plan::Error::TooLong)?;
        *part = at..end;
        at = end;
    }
    Ok(parts)
}

/// How many clusters a run has.
pub(crate) fn count(run: &Range<u64>) -> u64 {
    run.end.abs_diff(run.start)
}

/// The clusters that have something in them.
fn runs(disk: &Plan) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for extent in disk.extents().filter(|e| e.piece != Piece::Zero) {
        let start = extent.start / CLUSTER;
        let end = extent.end().div_ceil(CLUSTER);
        match runs.last_mut() {
            Some(last) if start <= last.end => last.end = end.max(last.end),
            _ => runs.push(start..end),
        }
    }
    runs
}

/// The level 2 tables that `runs` need, by the position in the level 1 table, in order and each once.
pub(crate) fn tables(runs: &[Range<u64>]) -> impl Iterator<Item = u64> + '_ {
    let mut next = 0;
    runs.iter().flat_map(move |run| {
        let first = (run.start / ENTRIES).max(next);
        next = run.end.div_ceil(ENTRIES).max(first);
        first..next
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Builder, Input};

    #[test]
    fn what_is_in_the_file() {
        let mut builder = Builder::new(vec![Input::of_len(1 << 40)]);
        builder.inline(b"boot").unwrap();
        builder.zero_to(CLUSTER * 2 + 5).unwrap();
        builder.source(0, 0, CLUSTER).unwrap();
        builder.zero_to(CLUSTER * 4).unwrap();
        builder.inline(b"x").unwrap();
        builder.zero_to(TABLE * 3 - 1).unwrap();
        builder.source(0, 0, TABLE * 2).unwrap();
        let layout = Layout::of(&builder.finish().unwrap()).unwrap();
        let last = ENTRIES * 3 - 1..ENTRIES * 5;
        assert_eq!(layout.runs, [0..1, 2..5, last]);
        assert_eq!(tables(&layout.runs).collect::<Vec<_>>(), [0, 2, 3, 4]);
        assert_eq!(
            (layout.refcount_table, layout.refcount_blocks),
            (1..2, 2..3)
        );
        assert_eq!((layout.l1_entries, layout.l1_table), (5, 3..4));
        assert_eq!(layout.l2_tables, 4..8);
        assert_eq!(layout.data, 8..8 + 1 + 3 + 2 * ENTRIES + 1);
    }

    #[test]
    fn refcounts_count_themselves() {
        for data in [
            0,
            REFCOUNTS - 6,
            REFCOUNTS - 5,
            REFCOUNTS * 9 - 14,
            REFCOUNTS * 9 - 13,
        ] {
            let mut builder = Builder::new(vec![Input::of_len(1 << 40)]);
            builder.source(0, 0, data * CLUSTER).unwrap();
            let layout = Layout::of(&builder.finish().unwrap()).unwrap();
            let clusters = layout.clusters();
            assert_eq!(count(&layout.data), data);
            let blocks = count(&layout.refcount_blocks);
            assert_eq!(blocks, clusters.div_ceil(REFCOUNTS), "{data}");
        }
    }
}
