//! Where everything lies in the file, in clusters.

use plan::{Piece, Plan};

use crate::error::Error;

/// Bytes of a cluster.
pub(crate) const CLUSTER: u64 = 1 << 16;
/// Entries of 8 bytes in a cluster.
pub(crate) const ENTRIES: u64 = CLUSTER / 8;
/// Refcounts of 2 bytes in a cluster.
pub(crate) const REFCOUNTS: u64 = CLUSTER / 2;
/// What a level 2 table stands for, in bytes of the disk.
const TABLE: u64 = ENTRIES * CLUSTER;

/// The largest disk: QEMU reads level 1 tables of up to 32 MiB.
pub const MAX_LEN: u64 = (32 << 20) / 8 * TABLE;

/// Clusters of the disk that are in the file, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first one, in the disk.
    pub(crate) first: u64,
    /// The one after the last, in the disk.
    pub(crate) end: u64,
}

/// The sizes of all parts of the file, which follow each other in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) refcount_table: u64,
    pub(crate) refcount_blocks: u64,
    /// Entries, not clusters.
    pub(crate) l1_entries: u64,
    pub(crate) l1_table: u64,
    pub(crate) l2_tables: u64,
    /// What of the disk is in the file: sorted, not touching each other.
    pub(crate) runs: Vec<Run>,
    pub(crate) data: u64,
}

impl Layout {
    pub(crate) fn of(disk: &Plan) -> Result<Self, Error> {
        let len = disk.len();
        if len > MAX_LEN {
            return Err(Error::TooLarge { len, max: MAX_LEN });
        }
        let runs = runs(disk);
        let data = runs.iter().map(|run| run.end.saturating_sub(run.first));
        let l1_entries = len.div_ceil(TABLE).max(1);
        let mut layout = Self {
            refcount_table: 0,
            refcount_blocks: 0,
            l1_entries,
            l1_table: l1_entries.div_ceil(ENTRIES),
            l2_tables: tables(&runs).fold(0, |count: u64, _| count.saturating_add(1)),
            data: data.fold(0, u64::saturating_add),
            runs,
        };
        // Refcounts count themselves, too: more of them until they suffice.
        loop {
            let blocks = layout.clusters().div_ceil(REFCOUNTS);
            let table = blocks.div_ceil(ENTRIES);
            if (blocks, table) == (layout.refcount_blocks, layout.refcount_table) {
                return Ok(layout);
            }
            (layout.refcount_blocks, layout.refcount_table) = (blocks, table);
        }
    }

    /// First cluster of the refcount blocks.
    pub(crate) fn refcount_blocks_at(&self) -> u64 {
        self.refcount_table.saturating_add(1)
    }

    pub(crate) fn l1_table_at(&self) -> u64 {
        let at = self.refcount_blocks_at();
        at.saturating_add(self.refcount_blocks)
    }

    pub(crate) fn l2_tables_at(&self) -> u64 {
        self.l1_table_at().saturating_add(self.l1_table)
    }

    pub(crate) fn data_at(&self) -> u64 {
        self.l2_tables_at().saturating_add(self.l2_tables)
    }

    /// Clusters of the file.
    pub(crate) fn clusters(&self) -> u64 {
        self.data_at().saturating_add(self.data)
    }
}

/// The clusters that have something in them.
fn runs(disk: &Plan) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for extent in disk.extents().filter(|e| e.piece != Piece::Zero) {
        let first = extent.start.checked_div(CLUSTER).unwrap_or(0);
        let end = extent.end().div_ceil(CLUSTER);
        match runs.last_mut() {
            Some(last) if first <= last.end => last.end = end.max(last.end),
            _ => runs.push(Run { first, end }),
        }
    }
    runs
}

/// The level 2 tables that `runs` need, by the position in the level 1 table, in order and each once.
pub(crate) fn tables(runs: &[Run]) -> impl Iterator<Item = u64> + '_ {
    let mut next = 0;
    runs.iter().flat_map(move |run| {
        let first = run.first.checked_div(ENTRIES).unwrap_or(0).max(next);
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
        let run = |first, end| Run { first, end };
        let last = run(ENTRIES * 3 - 1, ENTRIES * 5);
        assert_eq!(layout.runs, [run(0, 1), run(2, 5), last]);
        assert_eq!(tables(&layout.runs).collect::<Vec<_>>(), [0, 2, 3, 4]);
        assert_eq!(
            (layout.l1_entries, layout.l1_table, layout.l2_tables),
            (5, 1, 4)
        );
        assert_eq!(layout.data, 1 + 3 + 2 * ENTRIES + 1);
        assert_eq!((layout.refcount_table, layout.refcount_blocks), (1, 1));
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
            assert_eq!(layout.data, data);
            assert_eq!(
                layout.refcount_blocks,
                clusters.div_ceil(REFCOUNTS),
                "{data}"
            );
        }
    }
}
