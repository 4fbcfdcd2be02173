//! The steps of writing: see the crate's page for their order.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use base::{as_u64, as_usize};
use disk::{moved_table, MovedTable};
use materialize::{compare, data_len, write_over, Aligned, Target, CHUNK};
use plan::Reader;

use crate::error::Error;

/// The beginning that is written last, and the end that is zeroed first.
const EDGE: u64 = CHUNK;
/// Protective MBR and header: a sector each, and the block that they are in.
const FIRST: u64 = 4096;

/// What is being done, of how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The image is written.
    Writing(u64),
    /// It is read back and compared.
    Reading(u64),
}

/// The image as it is on a disk of `len` bytes, its table moved; nothing if they are equally long. What is at the end says [`tail`].
pub fn on_disk(reader: Reader, len: u64) -> Result<(Reader, MovedTable), Error> {
    let moved = moved_table(&reader, reader.len(), len)?;
    let mut pieces: BTreeMap<u64, Vec<u8>> = moved.head.iter().cloned().collect();
    let old = as_usize(moved.old.end.abs_diff(moved.old.start));
    pieces.insert(moved.old.start, vec![0; old]);
    let plan = reader.plan().replaced(&pieces)?;
    Ok((reader.with_plan(plan)?, moved))
}

/// What is written at the end of the disk: its start, and the bytes up to the end of the table.
pub fn tail(moved: &MovedTable) -> (u64, Vec<u8>) {
    // Entries first.
    let [(start, _), ..] = &moved.tail;
    let bytes = moved
        .tail
        .iter()
        .flat_map(|(_, bytes)| bytes.iter().copied());
    // Entries and header lie one behind the other.
    (*start, bytes.collect())
}

/// Writes the image over a disk of `len` bytes, and reads it back if `verify` says so. `flush` makes sure that what was written stays
/// written; `progress` is told how much of a stage is done.
///
/// On an error the disk has no partition table, unless the very last step failed.
pub fn write(
    reader: Reader,
    target: &dyn Target,
    len: u64,
    verify: bool,
    flush: &dyn Fn() -> io::Result<()>,
    progress: &(dyn Fn(Stage, u64) + Sync),
) -> Result<(), Error> {
    let image = reader.len();
    let (reader, moved) = on_disk(reader, len)?;
    let flush = || flush().map_err(|source| Error::Flush { source });
    for edge in edges(len) {
        let failed = |source| materialize::Error::Write {
            at: edge.start,
            source,
        };
        target.zero(edge.clone()).map_err(failed)?;
    }
    flush()?;
    let body = EDGE.min(image)..image;
    let total = data_len(reader.plan(), &body);
    write_over(&reader, target, body.clone(), &|done| {
        progress(Stage::Writing(total), done)
    })?;
    flush()?;
    if verify {
        compare(&reader, target, body, &|done| {
            progress(Stage::Reading(total), done)
        })?;
    }
    let (at, bytes) = tail(&moved);
    put(target, at, &bytes, verify)?;
    flush()?;
    let mut memory = Aligned::default();
    let head = memory.get(as_usize(EDGE.min(image)));
    reader.read_at(head, 0)?;
    let (first, rest) = head.split_at(as_usize(FIRST).min(head.len()));
    put(target, FIRST, rest, verify)?;
    flush()?;
    put(target, 0, first, verify)?;
    flush()
}

/// What is zeroed first: the beginning and the end of a disk of `len` bytes, which has room for a table, so for more than that.
fn edges(len: u64) -> impl Iterator<Item = Range<u64>> {
    let end = len.checked_sub(EDGE).map(|start| start.max(EDGE));
    let end = end.and_then(|start| start.checked_next_multiple_of(FIRST));
    let end = end.filter(|start| *start < len).map(|start| start..len);
    [Some(0..EDGE.min(len)), end].into_iter().flatten()
}

/// Writes a few bytes, and reads them back.
fn put(target: &dyn Target, at: u64, bytes: &[u8], verify: bool) -> Result<(), Error> {
    let write = |source| materialize::Error::Write { at, source };
    target.write_at(bytes, at).map_err(write)?;
    if !verify {
        return Ok(());
    }
    let mut memory = Aligned::default();
    let have = memory.get(bytes.len());
    let read = |source| materialize::Error::ReadBack { at, source };
    target.read_at(have, at).map_err(read)?;
    let same = bytes
        .iter()
        .zip(have.iter())
        .take_while(|(a, b)| a == b)
        .count();
    match same == bytes.len() {
        true => Ok(()),
        // It was written there, so there is such a place.
        false => {
            let at = at.checked_add(as_u64(same)).ok_or(plan::Error::TooLong)?;
            Err(materialize::Error::Differs { at }.into())
        }
    }
}
