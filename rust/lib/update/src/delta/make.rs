//! Finding what a new image has of an old one.
//!
//! Numbers of blocks are those of what was read here: as bytes they fit.

use std::collections::BTreeMap;
use std::io::{self, Write};

use base::bounded::{product, sum};
use base::{as_u64, as_usize, parallel, Hasher, Sha256Digest};
use zstd::Encoder;

use super::{Head, BASE, BLOCK, HELD, ZERO};
use crate::input::WINDOW_LOG;
use crate::ReadAt;

/// Hashed at a time.
const PART: u64 = 1 << 20;
/// Half a SHA-256 tells blocks apart as well, and all of them are in memory.
type Key = [u8; 16];

/// An image, and how long it is.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// Its bytes.
    pub reader: &'a (dyn ReadAt + Sync),
    /// How many.
    pub len: u64,
}

/// What became of the blocks of the new image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Zeros.
    pub zero: u64,
    /// Blocks that the old image has in the same place.
    pub same: u64,
    /// Blocks that the old image has in another place.
    pub moved: u64,
    /// Blocks that the difference holds.
    pub held: u64,
}

/// Blocks of one kind that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Zero,
    /// From this block of the old image on.
    Base(u64),
    /// From this block of the new image on.
    Held(u64),
}

/// Writes to `out` what makes `new` of `old`, compressed by zstd's `level`. The same images and level give the same bytes, whatever the
/// number of cores.
pub fn make(old: Image<'_>, new: Image<'_>, level: i32, mut out: impl Write) -> io::Result<Made> {
    let (old_keys, new_keys) = (keys(old)?, keys(new)?);
    let head = Head {
        base_len: old.len,
        base_sha256: digest(old)?,
        target_len: new.len,
    };
    out.write_all(&head.encode())?;
    let mut encoder = Encoder::new(out, level)?;
    encoder.include_checksum(true)?;
    encoder.window_log(WINDOW_LOG)?;
    // With one worker at least, their number does not show in what they make.
    let workers = u32::try_from(parallel::cores().get()).unwrap_or(1);
    encoder.multithread(workers)?;
    let mut made = Made::default();
    for (run, count) in runs(&old_keys, &new_keys, &mut made) {
        operation(&mut encoder, run, count, new)?;
    }
    encoder.finish()?.flush()?;
    Ok(made)
}

/// The runs that make up the new image.
fn runs(old: &[Option<Key>], new: &[Option<Key>], made: &mut Made) -> Vec<(Run, u64)> {
    let mut first: BTreeMap<Key, u64> = BTreeMap::new();
    for (at, key) in (0..).zip(old) {
        if let Some(key) = key {
            first.entry(*key).or_insert(at);
        }
    }
    let mut runs: Vec<(Run, u64)> = Vec::new();
    for (at, key) in (0..).zip(new) {
        let has = |block: u64| old.get(as_usize(block)).is_some_and(|old| old == key);
        // What goes on is cheaper than what begins.
        let following = runs.last().and_then(|(run, count)| match run {
            Run::Base(from) => from.checked_add(*count),
            _ => None,
        });
        let run = match key {
            None => Run::Zero,
            Some(key) => {
                let following = following.filter(|block| has(*block));
                let there = following.or_else(|| has(at).then_some(at));
                match there.or_else(|| first.get(key).copied()) {
                    Some(block) => Run::Base(block),
                    None => Run::Held(at),
                }
            }
        };
        let counted = match run {
            Run::Zero => &mut made.zero,
            Run::Base(block) if block == at => &mut made.same,
            Run::Base(_) => &mut made.moved,
            Run::Held(_) => &mut made.held,
        };
        *counted = sum(*counted, 1);
        match runs.last_mut() {
            Some((last, count)) if last.goes_on(*count, run) => *count = sum(*count, 1),
            _ => runs.push((run, 1)),
        }
    }
    runs
}

impl Run {
    /// Whether `next` is what stands behind so many blocks of this run.
    fn goes_on(self, count: u64, next: Self) -> bool {
        match (self, next) {
            (Self::Zero, Self::Zero) => true,
            (Self::Base(from), Self::Base(next)) | (Self::Held(from), Self::Held(next)) => {
                from.checked_add(count) == Some(next)
            }
            _ => false,
        }
    }
}

fn operation(out: &mut impl Write, run: Run, count: u64, new: Image<'_>) -> io::Result<()> {
    let kind = match run {
        Run::Zero => ZERO,
        Run::Base(_) => BASE,
        Run::Held(_) => HELD,
    };
    out.write_all(&[kind])?;
    if let Run::Base(block) = run {
        out.write_all(&block.to_le_bytes())?;
    }
    out.write_all(&count.to_le_bytes())?;
    let Run::Held(from) = run else {
        return Ok(());
    };
    let start = product(from, as_u64(BLOCK));
    let end = sum(start, product(count, as_u64(BLOCK)));
    let mut buffer = vec![0; as_usize(PART)];
    for at in (start..end.min(new.len)).step_by(as_usize(PART)) {
        let len = PART.min(end.min(new.len).abs_diff(at));
        let (part, _) = buffer.split_at_mut(as_usize(len));
        new.reader.read_exact_at(part, at)?;
        out.write_all(part)?;
    }
    Ok(())
}

/// A key for each block; none for one of zeros. The last block counts as filled up: its key is that of no whole block.
fn keys(image: Image<'_>) -> io::Result<Vec<Option<Key>>> {
    let parts: Vec<u64> = (0..image.len).step_by(as_usize(PART)).collect();
    let keys = parallel::map_with(
        &parts,
        || vec![0; as_usize(PART)],
        |buffer, at| {
            let len = PART.min(image.len.abs_diff(*at));
            let (part, _) = buffer.split_at_mut(as_usize(len));
            image.reader.read_exact_at(part, *at)?;
            Ok::<_, io::Error>(part.chunks(BLOCK).map(key).collect::<Vec<_>>())
        },
    )?;
    Ok(keys.into_iter().flatten().collect())
}

fn key(block: &[u8]) -> Option<Key> {
    if block.iter().all(|byte| *byte == 0) {
        return None;
    }
    // A short block has another length, and so another digest.
    let digest = Sha256Digest::of(block);
    digest.as_bytes().first_chunk().copied()
}

fn digest(image: Image<'_>) -> io::Result<Sha256Digest> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; as_usize(PART)];
    for at in (0..image.len).step_by(as_usize(PART)) {
        let (part, _) = buffer.split_at_mut(as_usize(PART.min(image.len.abs_diff(at))));
        image.reader.read_exact_at(part, at)?;
        hasher.update(part);
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_blocks() {
        let key = |byte: u8| (byte != 0).then_some([byte; 16]);
        let keys = |bytes: &[u8]| bytes.iter().map(|byte| key(*byte)).collect::<Vec<_>>();
        let mut made = Made::default();
        // Old: a b c b. New: a b b c, zeros, b c b from another place, new ones, the last block in its place.
        let (old, new) = (
            keys(&[1, 2, 3, 2]),
            keys(&[1, 2, 2, 3, 0, 0, 2, 3, 2, 9, 8]),
        );
        let got = runs(&old, &new, &mut made);
        let want = [
            (Run::Base(0), 2),
            (Run::Base(1), 2),
            (Run::Zero, 2),
            (Run::Base(1), 3),
            (Run::Held(9), 2),
        ];
        assert_eq!(got, want);
        let want = Made {
            zero: 2,
            same: 2,
            moved: 5,
            held: 2,
        };
        assert_eq!(made, want);
    }
}
