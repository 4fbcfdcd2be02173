//! The file's plan, front to back.

use std::ops::Range;

use base::{as_u64, as_usize};
use plan::{Builder, Plan};
use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{Immutable, IntoBytes};

use crate::error::Error;
use crate::layout::{count, tables, Layout, CLUSTER, CLUSTER_BITS, ENTRIES, MAX_LEN};

/// The header, as QEMU's document names its fields; no extensions follow.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Header {
    magic: [u8; 4],
    version: U32,
    backing_file_offset: U64,
    backing_file_size: U32,
    cluster_bits: U32,
    /// Of the disk, up to the next multiple of 512.
    size: U64,
    crypt_method: U32,
    l1_size: U32,
    l1_table_offset: U64,
    refcount_table_offset: U64,
    refcount_table_clusters: U32,
    nb_snapshots: U32,
    snapshots_offset: U64,
    incompatible_features: U64,
    compatible_features: U64,
    autoclear_features: U64,
    /// 4: 16 bits.
    refcount_order: U32,
    header_length: U32,
}

/// An entry of the refcount table, or of a level 1 or 2 table: where a cluster lies; 0: nowhere.
#[derive(IntoBytes, Immutable)]
#[repr(transparent)]
struct Entry(U64);

const _: () = {
    assert!(size_of::<Header>() == HEADER_LEN && size_of::<Entry>() == 8);
};
const HEADER_LEN: usize = 104;

impl Entry {
    /// Of a level 1 or 2 table, whose bit 63 says: the refcount of the cluster is 1.
    fn copied(cluster: u64) -> Self {
        Self((offset(cluster) | (1 << 63)).into())
    }
}

/// Refcounts of 1, 16 bits each.
const ONES: [u8; 32] = [
    0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
];

/// The plan of the qcow2 image of `disk`, over the same inputs.
pub fn image(disk: &Plan) -> Result<Plan, Error> {
    let layout = Layout::of(disk)?;
    let mut out = Builder::new(disk.inputs().to_vec());
    out.inline(header(&layout, disk.len())?.as_bytes())?;
    out.zero_to(CLUSTER)?;

    let blocks = layout.refcount_blocks.clone();
    entries(&mut out, blocks.map(|block| Entry(offset(block).into())))?;
    fill(&mut out)?;
    out.repeat(&ONES, layout.clusters() << 1)?;
    fill(&mut out)?;

    let l2_tables = || tables(&layout.runs).zip(layout.l2_tables.clone());
    for (table, place) in l2_tables() {
        zero_to_entry(&mut out, layout.l1_table.start, table)?;
        out.inline(Entry::copied(place).as_bytes())?;
    }
    out.zero_to(offset(layout.l2_tables.start))?;

    let mut places = layout.data.clone();
    for (table, at) in l2_tables() {
        l2_table(&mut out, &layout, table, at, &mut places)?;
    }
    for run in &layout.runs {
        let start = offset(run.start);
        let end = offset(run.end).min(disk.len());
        for extent in disk.extents_in(start, end.abs_diff(start))? {
            out.extent(extent)?;
        }
        fill(&mut out)?;
    }
    Ok(out.finish()?)
}

fn header(layout: &Layout, len: u64) -> Result<Header, Error> {
    // The largest disk has 2^22 entries of level 1.
    let small = |n| match u32::try_from(n) {
        Ok(n) => Ok(U32::from(n)),
        Err(_) => Err(Error::TooLarge { len, max: MAX_LEN }),
    };
    Ok(Header {
        magic: *b"QFI\xfb",
        version: 3.into(),
        backing_file_offset: U64::ZERO,
        backing_file_size: U32::ZERO,
        cluster_bits: CLUSTER_BITS.into(),
        size: (len.div_ceil(512) << 9).into(),
        crypt_method: U32::ZERO,
        l1_size: small(layout.l1_entries)?,
        l1_table_offset: offset(layout.l1_table.start).into(),
        refcount_table_offset: offset(layout.refcount_table.start).into(),
        refcount_table_clusters: small(count(&layout.refcount_table))?,
        nb_snapshots: U32::ZERO,
        snapshots_offset: U64::ZERO,
        incompatible_features: U64::ZERO,
        compatible_features: U64::ZERO,
        autoclear_features: U64::ZERO,
        refcount_order: 4.into(),
        header_length: small(as_u64(HEADER_LEN))?,
    })
}

/// Appends level 2 table number `table`, at cluster `at`; its clusters are the next of `places`.
fn l2_table(
    out: &mut Builder,
    layout: &Layout,
    table: u64,
    at: u64,
    places: &mut Range<u64>,
) -> Result<(), Error> {
    let first = table.checked_mul(ENTRIES).ok_or(plan::Error::TooLong)?;
    let end = first.checked_add(ENTRIES).ok_or(plan::Error::TooLong)?;
    let before = layout.runs.partition_point(|run| run.end <= first);
    let (_, runs) = layout.runs.split_at(before);
    for run in runs.iter().take_while(|run| run.start < end) {
        let here = run.start.max(first)..run.end.min(end);
        zero_to_entry(out, at, here.start.abs_diff(first))?;
        let here = places.take(as_usize(count(&here)));
        entries(out, here.map(Entry::copied))?;
    }
    fill(out)
}

/// Appends zeros up to an entry of the table at cluster `table`.
fn zero_to_entry(out: &mut Builder, table: u64, entry: u64) -> Result<(), Error> {
    let at = entry.checked_mul(8);
    let at = at.and_then(|at| offset(table).checked_add(at));
    Ok(out.zero_to(at.ok_or(plan::Error::TooLong)?)?)
}

fn entries(out: &mut Builder, entries: impl Iterator<Item = Entry>) -> Result<(), Error> {
    let entries: Vec<Entry> = entries.collect();
    Ok(out.inline(entries.as_bytes())?)
}

/// Appends zeros up to the end of a cluster.
fn fill(out: &mut Builder) -> Result<(), Error> {
    let end = out.position().checked_next_multiple_of(CLUSTER);
    Ok(out.zero_to(end.ok_or(plan::Error::TooLong)?)?)
}

/// Where a cluster starts. A file has less than 2^36 of them: those of the largest disk, and what is said of them.
fn offset(cluster: u64) -> u64 {
    cluster << CLUSTER_BITS
}
