//! Images on their way to the disk and back: reading, hashing and writing at the same time.
//!
//! A chunk is checked before it is handed to the thread that writes, so nothing unchecked is ever written. Of an image that comes as a
//! difference, only the blocks that the disk does not have already are written.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::mpsc::{sync_channel, Receiver};
use std::thread::{self, ScopedJoinHandle};

use anyhow::{bail, Context};
use base::{as_u64, as_usize, past, Sha256Digest};
use update::{Item, Member, ReadAt};

use crate::mark::{Mark, MARK};
use crate::medium::Medium;

/// Chunks between two threads.
const DEPTH: usize = 4;
/// Written between two flushes: so the disk works while the next chunks are read and hashed, and little of the machine's memory is taken.
const FLUSH_EVERY: u64 = 64 << 20;
/// Compared at a time, where only what differs is written.
const BLOCK: usize = 4096;

/// Bytes and where they belong.
type Piece = (u64, Vec<u8>);

/// The chunks of a member, of which the first was read.
pub(crate) struct Chunks<'a, 'b, R: Read, B> {
    item: &'a mut Item<'b, R>,
    base: &'a B,
    first: Vec<u8>,
}

impl<'a, 'b, R: Read, B: ReadAt> Chunks<'a, 'b, R, B> {
    pub(crate) fn start(item: &'a mut Item<'b, R>, base: &'a B) -> anyhow::Result<Self> {
        let first = item.next_chunk(base)?;
        let first = first.map_or_else(Vec::new, |chunk| chunk.bytes.to_vec());
        Ok(Self { item, base, first })
    }

    /// What the member begins with.
    pub(crate) fn first(&self) -> &[u8] {
        &self.first
    }

    /// Zeros in place of the bytes `range` of the first chunk.
    pub(crate) fn blank(&mut self, range: &Range<usize>) -> anyhow::Result<()> {
        let bytes = self.first.get_mut(range.clone());
        bytes.context("the first chunk is too short")?.fill(0);
        Ok(())
    }
}

/// Writes a member to `medium`, called `name`, and flushes.
pub(crate) fn copy<M: Medium + Send, R: Read>(
    chunks: Chunks<'_, '_, R, impl ReadAt>,
    medium: &mut M,
    name: &str,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<()> {
    let Chunks { item, base, first } = chunks;
    let sparing = item.delta().is_some();
    thread::scope(|scope| {
        let (send, receive) = sync_channel::<Piece>(DEPTH);
        let writer = scope.spawn(move || write(medium, &receive, sparing));
        let mut piece = Some((0, first));
        while let Some((offset, bytes)) = piece {
            progress(as_u64(bytes.len()));
            if send.send((offset, bytes)).is_err() {
                // The writer failed, and says why.
                break;
            }
            let next = item.next_chunk(base)?;
            piece = next.map(|chunk| (chunk.offset, chunk.bytes.to_vec()));
        }
        drop(send);
        joined(writer).with_context(|| format!("cannot write {name}"))
    })
}

fn joined<T>(thread: ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    let panicked = |_| Err(io::Error::other("a thread panicked"));
    thread.join().unwrap_or_else(panicked)
}

fn write<M: Medium>(medium: &mut M, pieces: &Receiver<Piece>, sparing: bool) -> io::Result<()> {
    let mut there = Vec::new();
    let mut flushed = 0;
    for (offset, bytes) in pieces {
        if offset.abs_diff(flushed) >= FLUSH_EVERY {
            medium.flush()?;
            flushed = offset;
        }
        if !sparing {
            medium.write_all_at(&bytes, offset)?;
            continue;
        }
        there.resize(bytes.len(), 0);
        medium.read_exact_at(&mut there, offset)?;
        for range in differences(&there, &bytes) {
            let at = past(offset, range.start);
            let bytes = bytes.get(range).unwrap_or_default();
            medium.write_all_at(bytes, at)?;
        }
    }
    medium.flush()
}

/// The blocks in which `new` differs from `old`, which is as long; neighbours together.
fn differences(old: &[u8], new: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut at: usize = 0;
    for (old, new) in old.chunks(BLOCK).zip(new.chunks(BLOCK)) {
        // Within a chunk of the bundle, 16 MiB at most.
        let end = at.saturating_add(new.len());
        if old != new {
            match ranges.last_mut() {
                Some(last) if last.end == at => last.end = end,
                _ => ranges.push(at..end),
            }
        }
        at = end;
    }
    ranges
}

/// Reads an image back, its [`MARK`] replaced by `mark` if given, and compares the digests of its chunks.
pub(crate) fn verify<M: Medium + Send>(
    medium: &mut M,
    image: &Member,
    mark: Option<&Mark>,
    name: &str,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<()> {
    let size = image.size;
    let step = u64::from(image.chunk_size);
    thread::scope(|scope| {
        let (send, receive) = sync_channel::<Piece>(DEPTH);
        let reader = scope.spawn(move || {
            let mut offset = 0;
            while let Some(left @ 1..) = size.checked_sub(offset) {
                let mut bytes = vec![0; as_usize(left.min(step))];
                medium.read_exact_at(&mut bytes, offset)?;
                let next = past(offset, bytes.len());
                if send.send((offset, bytes)).is_err() {
                    break;
                }
                offset = next;
            }
            Ok(())
        });
        let mut good = Ok(());
        for ((offset, mut bytes), want) in receive.iter().zip(&image.chunks) {
            if let Some(mark) = mark.filter(|_| offset == 0) {
                let place = bytes
                    .get_mut(MARK)
                    .context("the first chunk is too short")?;
                place.copy_from_slice(mark);
            }
            progress(as_u64(bytes.len()));
            let got = Sha256Digest::of(&bytes);
            if got != *want {
                good = bad(name, offset, got, *want);
                break;
            }
        }
        drop(receive);
        joined(reader).with_context(|| format!("cannot read {name} back"))?;
        good
    })
}

fn bad(name: &str, offset: u64, got: Sha256Digest, want: Sha256Digest) -> anyhow::Result<()> {
    bail!("{name} reads back as SHA-256 {got} at byte {offset}, {want} was written: the disk may be failing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs() {
        let old = vec![0; 5 * BLOCK + 10];
        assert_eq!(differences(&old, &old), []);
        let mut new = old.clone();
        new[BLOCK] = 1;
        new[3 * BLOCK - 1] = 1;
        new[5 * BLOCK + 9] = 1;
        let ranges = [BLOCK..3 * BLOCK, 5 * BLOCK..5 * BLOCK + 10];
        assert_eq!(differences(&old, &new), ranges);
        let all = differences(&old, &vec![1; old.len()]);
        assert_eq!((all.len(), all[0].clone()), (1, 0..old.len()));
    }
}
