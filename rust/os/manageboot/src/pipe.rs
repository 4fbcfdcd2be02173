//! Images on their way to the disk and back.
//!
//! | step                            | done by                                                             |
//! |---------------------------------|---------------------------------------------------------------------|
//! | a chunk is read                 | one thread at a time, in order                                      |
//! | it is compared with its digest  | all threads, each a chunk of its own: hashing takes longest         |
//! | it is written                   | one thread at a time, in order, and only if all before it are right |
//!
//! So nothing unchecked is ever written, nothing behind a bad chunk is, and of several errors the one that comes first in the image is told,
//! whatever the threads' speed. Of an image that comes as a difference, only the blocks that the disk does not have already are written.
//!
//! Reading back begins when all is written and flushed, not a window behind the writer. By then the disk's own memory holds other chunks, and a
//! disk for which two places are one (a stick that claims to be larger than it is begins at its start again) has lost what it loses. Behind the
//! writer it was no faster, where it was tried (docs/performance.md).

use std::io::{self, Read};
use std::iter::from_fn;
use std::ops::Range;

use anyhow::{anyhow, bail, Context};
use base::parallel::{cores, in_order};
use base::{as_u64, past, Sha256Digest};
use update::{Error, Item, Member, Place, ReadAt};

use crate::buffers::{self, Lent, Pool};
use crate::mark::{Mark, MARK};
use direct::Buffer;
use direct::Medium;

/// Compared at a time, where only what differs is written.
const BLOCK: usize = 4096;

/// Hears how many more bytes are done.
pub(crate) type Heard<'a> = &'a mut (dyn FnMut(u64) + Send);

/// The chunks of a member, of which the first was read and checked.
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

/// A chunk on its way, and the buffer that it is in.
struct Piece<'a> {
    place: Place,
    buffer: Lent<'a>,
}

impl Piece<'_> {
    fn bytes(&self) -> anyhow::Result<&[u8]> {
        let bytes = self.buffer.get(..self.place.len);
        bytes.context("a chunk is longer than its buffer")
    }
}

/// Writes a member to `medium`, called `name`, and flushes.
pub(crate) fn copy<M: Medium, R: Read + Send>(
    chunks: Chunks<'_, '_, R, impl ReadAt + Sync>,
    medium: &M,
    name: &str,
    heard: Heard<'_>,
) -> anyhow::Result<()> {
    let Chunks { item, base, first } = chunks;
    let image = item.member().clone();
    let sparing = item.delta().is_some();
    let room = buffers::room(&image);
    let pool = Pool::new(room);
    let mut broken: anyhow::Result<()> = Ok(());
    in_order(
        buffers::threads(room, cores()),
        pieces(item, base, first, &pool, &mut broken),
        heard,
        || Ok(Buffer::new(if sparing { room } else { 0 })),
        |piece, _| check(&image, piece),
        |heard, piece, there| {
            let (bytes, offset) = (piece.bytes()?, piece.place.offset);
            let written = match sparing {
                false => medium.write_all_at(bytes, offset),
                true => write_differences(medium, bytes, offset, there),
            };
            written.with_context(|| format!("cannot write {name}"))?;
            heard(as_u64(bytes.len()));
            Ok(())
        },
    )?;
    // What was read before it broke was looked at first.
    broken?;
    let flushed = medium.flush();
    flushed.with_context(|| format!("cannot write {name}"))
}

/// The chunks as they come, `first` first; what ends them too early is left in `broken`.
fn pieces<'p, 'b, R: Read, B: ReadAt>(
    item: &'p mut Item<'b, R>,
    base: &'p B,
    first: Vec<u8>,
    pool: &'p Pool,
    broken: &'p mut anyhow::Result<()>,
) -> impl Iterator<Item = Piece<'p>> + use<'p, 'b, R, B> {
    let mut first = Some(first);
    from_fn(move || {
        let mut buffer = pool.take();
        if let Some(first) = first.take() {
            let len = first.len();
            let Some(room) = buffer.get_mut(..len) else {
                *broken = Err(anyhow!(
                    "the first chunk of {} has {len} bytes, more than its buffer",
                    item.member().name
                ));
                return None;
            };
            room.copy_from_slice(&first);
            let place = Place { offset: 0, len };
            return Some(Piece { place, buffer });
        }
        match item.read_chunk(base, &mut buffer) {
            Ok(place) => Some(Piece {
                place: place?,
                buffer,
            }),
            Err(error) => {
                *broken = Err(error.into());
                None
            }
        }
    })
}

/// Whether a chunk is the right one.
fn check(image: &Member, piece: &Piece<'_>) -> anyhow::Result<()> {
    match piece.place.offset {
        // It was checked before it lost its mark.
        0 => Ok(()),
        offset => {
            let checked = image.check_chunk(offset, piece.bytes()?);
            Ok(checked.map_err(Error::from)?)
        }
    }
}

/// Writes those blocks that are not `there` yet.
fn write_differences<M: Medium>(
    medium: &M,
    bytes: &[u8],
    offset: u64,
    there: &mut [u8],
) -> io::Result<()> {
    let Some(there) = there.get_mut(..bytes.len()) else {
        return Err(io::Error::other("a chunk is longer than its buffer"));
    };
    medium.read_exact_at(there, offset)?;
    for range in differences(there, bytes) {
        let at = past(offset, range.start);
        let Some(bytes) = bytes.get(range) else {
            return Err(io::Error::other("a difference beyond its chunk"));
        };
        medium.write_all_at(bytes, at)?;
    }
    Ok(())
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

/// Reads an image back, its [`MARK`] replaced by `mark` if given, and compares the digests of its chunks, on all cores.
pub(crate) fn verify<M: Medium>(
    medium: &M,
    image: &Member,
    mark: Option<&Mark>,
    name: &str,
    heard: Heard<'_>,
) -> anyhow::Result<()> {
    let room = buffers::room(image);
    in_order(
        buffers::threads(room, cores()),
        (0u64..).zip(image.places()),
        heard,
        || Ok(Buffer::new(room)),
        |(number, (place, want)), buffer| {
            let bytes = buffer.get_mut(..place.len);
            let bytes = bytes.context("a chunk is longer than its buffer")?;
            let read = medium.read_exact_at(bytes, place.offset);
            read.with_context(|| format!("cannot read {name} back"))?;
            if let Some(mark) = mark.filter(|_| place.offset == 0) {
                let marked = bytes.get_mut(MARK);
                let marked = marked.context("the first chunk is too short")?;
                marked.copy_from_slice(mark);
            }
            let got = Sha256Digest::of(bytes);
            if got == *want {
                return Ok(());
            }
            let (offset, member) = (place.offset, &image.name);
            bail!("{name} reads back as SHA-256 {got} at byte {offset} (chunk {number} of {member}), {want} was written: the disk may be failing")
        },
        |heard, (_, (place, _)), _| {
            heard(as_u64(place.len));
            Ok(())
        },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bundle_of;

    /// What ends the chunks early is an error, not an end.
    #[test]
    fn a_chunk_without_room_is_told() {
        let mut bundle = bundle_of(&[7; 9000], b"root");
        let mut item = loop {
            let item = bundle.next_member().unwrap().unwrap();
            if item.member().name == update::BOOT {
                break item;
            }
        };
        let base = Vec::new();
        let mut broken = Ok(());
        let pool = Pool::new(4096);
        let first = item.next_chunk(&base).unwrap().unwrap().bytes.to_vec();
        let count = pieces(&mut item, &base, first, &pool, &mut broken).count();
        assert_eq!(count, 0);
        assert_eq!(
            broken.unwrap_err().to_string(),
            "the first chunk of boot.img has 9000 bytes, more than its buffer"
        );
    }

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
