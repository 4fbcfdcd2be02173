//! The file's plan, front to back.

use plan::{Builder, Plan};

use crate::error::Error;
use crate::layout::{tables, Layout, CLUSTER, ENTRIES, REFCOUNTS};

/// In an entry: the refcount of what it points to is 1.
const COPIED: u64 = 1 << 63;

/// The plan of the qcow2 image of `disk`, over the same inputs.
pub fn image(disk: &Plan) -> Result<Plan, Error> {
    let layout = Layout::of(disk)?;
    let mut out = Builder::new(disk.inputs().to_vec());
    out.inline(&header(&layout, disk.len()))?;
    out.zero_to(CLUSTER)?;

    let blocks = layout.refcount_blocks_at()..layout.l1_table_at();
    entries(&mut out, blocks.map(offset))?;
    for block in 0..layout.refcount_blocks {
        let before = block.saturating_mul(REFCOUNTS);
        let counted = layout.clusters().saturating_sub(before).min(REFCOUNTS);
        let counts: Vec<u8> = (0..counted).flat_map(|_| 1u16.to_be_bytes()).collect();
        out.inline(&counts)?;
        fill(&mut out)?;
    }

    let mut place = layout.l2_tables_at()..layout.data_at();
    let mut next = 0u64;
    for table in tables(&layout.runs) {
        out.zero(table.saturating_sub(next).saturating_mul(8))?;
        next = table.saturating_add(1);
        // As many as there are tables.
        let at = place.next().unwrap_or_default();
        out.inline(&(offset(at) | COPIED).to_be_bytes())?;
    }
    out.zero_to(offset(layout.l2_tables_at()))?;

    l2_tables(&mut out, &layout)?;
    for run in &layout.runs {
        let start = offset(run.first);
        let end = offset(run.end).min(disk.len());
        for extent in disk.extents_in(start, end.saturating_sub(start))? {
            out.extent(extent)?;
        }
        fill(&mut out)?;
    }
    Ok(out.finish()?)
}

fn header(layout: &Layout, len: u64) -> Vec<u8> {
    // At most 32 MiB of entries, and a table that counts those.
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    let size = len.div_ceil(512).saturating_mul(512);
    let mut header = Vec::with_capacity(104);
    header.extend_from_slice(b"QFI\xfb");
    header.extend_from_slice(&small(3));
    header.extend_from_slice(&[0; 12]);
    header.extend_from_slice(&small(16));
    header.extend_from_slice(&size.to_be_bytes());
    header.extend_from_slice(&small(0));
    header.extend_from_slice(&small(layout.l1_entries));
    header.extend_from_slice(&offset(layout.l1_table_at()).to_be_bytes());
    header.extend_from_slice(&CLUSTER.to_be_bytes());
    header.extend_from_slice(&small(layout.refcount_table));
    header.extend_from_slice(&[0; 12]);
    header.extend_from_slice(&[0; 24]);
    header.extend_from_slice(&small(4));
    header.extend_from_slice(&small(104));
    header
}

/// Appends all level 2 tables.
fn l2_tables(out: &mut Builder, layout: &Layout) -> Result<(), Error> {
    let mut host = layout.data_at();
    let mut runs = layout.runs.iter().peekable();
    for table in tables(&layout.runs) {
        let start = table.saturating_mul(ENTRIES);
        let end = start.saturating_add(ENTRIES);
        let mut next = start;
        while let Some(run) = runs.peek().filter(|run| run.first < end) {
            let first = run.first.max(start);
            let until = run.end.min(end);
            out.zero(first.saturating_sub(next).saturating_mul(8))?;
            let places = host..host.saturating_add(until.saturating_sub(first));
            host = places.end;
            let bytes = places.flat_map(|at| (offset(at) | COPIED).to_be_bytes());
            out.inline(&bytes.collect::<Vec<u8>>())?;
            next = until;
            if run.end > end {
                break;
            }
            runs.next();
        }
        fill(out)?;
    }
    Ok(())
}

/// Appends a table of entries, up to the end of its last cluster.
fn entries(out: &mut Builder, entries: impl Iterator<Item = u64>) -> Result<(), Error> {
    let bytes: Vec<u8> = entries.flat_map(u64::to_be_bytes).collect();
    out.inline(&bytes)?;
    fill(out)
}

/// Appends zeros up to the end of a cluster.
fn fill(out: &mut Builder) -> Result<(), Error> {
    let end = offset(out.position().div_ceil(CLUSTER));
    Ok(out.zero_to(end)?)
}

/// Where a cluster starts. A file has less than 2^36 of them: those of the largest disk, and what is said of them.
fn offset(cluster: u64) -> u64 {
    cluster.saturating_mul(CLUSTER)
}
