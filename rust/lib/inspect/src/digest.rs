//! Digests of contents, by all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};

use crate::bounds::WHOLE;
use crate::bytes::{index, is_zero, long, round_down};
use crate::error::{damaged, Error, Fault};
use crate::image::{Go, Window, CHUNK};
use crate::model::{BytesDigest, Digest, File, Node, Run};
use crate::names::Name;
use crate::{grubenv, model::Entry};

/// Pieces of a sparse digest.
const UNIT: u64 = 4096;

/// Digest of `start..end`: of all bytes, or of those that are not zero if it reaches beyond what is hashed as a whole.
pub(crate) fn range(window: Window<'_>, start: u64, end: u64) -> Result<BytesDigest, Error> {
    let file = File {
        size: end.saturating_sub(start),
        runs: vec![Run {
            at: 0,
            len: end.saturating_sub(start),
            from: start,
        }],
        ..File::default()
    };
    let digest = match reaches_beyond(window, &file) {
        true => sparse(window, &file).map(BytesDigest::Sparse),
        false => whole(window, &file).map(|(digest, _)| BytesDigest::Whole(digest)),
    };
    match digest {
        Ok(digest) => Ok(digest),
        Err(Fault::Failed(error)) => Err(error),
        Err(Fault::Damage(_)) => Err(Error::Outside {
            at: start,
            len: file.size,
            have: window.len(),
        }),
    }
}

/// Whether bytes of `file` lie where zeros are not hashed any more. That is the same however the image is stored.
fn reaches_beyond(window: Window<'_>, file: &File) -> bool {
    let mut ends = file.runs.iter().map(|run| run.from.saturating_add(run.len));
    ends.any(|end| window.position(end) > WHOLE)
}

/// Digest of what is not zero between `start` and `end` but outside of `taken` (sorted, not overlapping): of every piece, cut at
/// multiples of 4096, its position and length as eight bytes each, little-endian, then its bytes.
fn outside(window: Window<'_>, taken: &[(u64, u64)], end: u64) -> Result<Digest, Error> {
    let mut hash = Sha256::new();
    let mut at = 0;
    let ends = taken.iter().copied().chain([(end, end)]);
    for (from, to) in ends {
        window.each_nonzero(at, from.min(end), UNIT, |position, bytes| {
            hash.update(position.to_le_bytes());
            hash.update(long(bytes.len()).to_le_bytes());
            hash.update(bytes);
            Ok(Go::On)
        })?;
        at = to.max(at);
    }
    Ok(Digest(hash.finalize().into()))
}

/// SHA-256 of a file, and the file itself if it is as long as an environment block.
fn whole(window: Window<'_>, file: &File) -> Result<(Digest, Option<Vec<u8>>), Fault> {
    let mut hash = Sha256::new();
    let mut kept = (file.size == long(grubenv::SIZE)).then(Vec::new);
    read(window, file, |bytes| {
        hash.update(bytes);
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(bytes);
        }
        Ok(())
    })?;
    Ok((Digest(hash.finalize().into()), kept))
}

/// Hands all bytes of a file to `body`, in order.
pub(crate) fn read(
    window: Window<'_>,
    file: &File,
    mut body: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Fault> {
    let mut buffer = vec![0; index(CHUNK.min(file.size))];
    let mut at = 0u64;
    let end = Run {
        at: file.size,
        len: 0,
        from: 0,
    };
    for run in file.runs.iter().chain([&end]) {
        while at < run.at {
            let len = CHUNK.min(run.at.saturating_sub(at));
            body(zeros(window, &mut buffer, len)?)?;
            at = at.saturating_add(len);
        }
        let mut done = 0;
        while done < run.len {
            let len = CHUNK.min(run.len.saturating_sub(done));
            let from = run.from.saturating_add(done);
            if window.zeros(from) >= len {
                body(zeros(window, &mut buffer, len)?)?;
            } else {
                let part = buffer.get_mut(..index(len)).unwrap_or_default();
                window.read(part, from)?;
                body(part)?;
            }
            done = done.saturating_add(len);
        }
        at = at.saturating_add(run.len);
    }
    Ok(())
}

/// `len` zeros, at most a chunk.
fn zeros<'a>(window: Window<'_>, buffer: &'a mut [u8], len: u64) -> Result<&'a [u8], Error> {
    window.source().hash_zeros(len)?;
    let zeros = buffer.get_mut(..index(len)).unwrap_or_default();
    zeros.fill(0);
    Ok(zeros)
}

/// Digest of the bytes of a file that are not zero: like [`outside`], with positions in the file.
fn sparse(window: Window<'_>, file: &File) -> Result<Digest, Fault> {
    let mut hash = Sha256::new();
    nonzero(window, file, |at, piece| {
        hash.update(at.to_le_bytes());
        hash.update(long(piece.len()).to_le_bytes());
        hash.update(piece);
        Ok(())
    })?;
    Ok(Digest(hash.finalize().into()))
}

/// Hands every piece of a file that is not all zero to `body`, in order, with its position in the file: cut at multiples of [`UNIT`]
/// there, and where a run ends. What is known to be zero is not read.
pub(crate) fn nonzero(
    window: Window<'_>,
    file: &File,
    mut body: impl FnMut(u64, &[u8]) -> Result<(), Error>,
) -> Result<(), Fault> {
    let mut buffer = vec![0; index(CHUNK)];
    for run in &file.runs {
        let mut done = 0;
        while done < run.len {
            let (at, from) = (run.at.saturating_add(done), run.from.saturating_add(done));
            let rest = run.len.saturating_sub(done);
            let known = window.zeros(from).min(rest);
            // Whole pieces only, so that they don't depend on which zeros are known.
            let pass = match known == rest {
                true => rest,
                false => round_down(at.saturating_add(known), UNIT).saturating_sub(at),
            };
            if pass > 0 {
                done = done.saturating_add(pass);
                continue;
            }
            // Up to a multiple in the file, which is not one in the image if the run begins inside of a piece.
            let stop = round_down(at.saturating_add(CHUNK), UNIT);
            let len = stop.saturating_sub(at).min(rest);
            let bytes = buffer.get_mut(..index(len)).unwrap_or_default();
            window.read(bytes, from)?;
            pieces(at, bytes, &mut body)?;
            done = done.saturating_add(len);
        }
    }
    Ok(())
}

/// The pieces of `bytes`, whose position is `at`.
fn pieces(
    at: u64,
    bytes: &[u8],
    body: &mut impl FnMut(u64, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut at, mut rest) = (at, bytes);
    while !rest.is_empty() {
        let next = round_down(at, UNIT).saturating_add(UNIT);
        let take = index(next.saturating_sub(at)).min(rest.len());
        let (piece, after) = rest.split_at_checked(take).unwrap_or((rest, &[]));
        if !is_zero(piece) {
            body(at, piece)?;
        }
        at = at.saturating_add(long(piece.len()));
        rest = after;
    }
    Ok(())
}

/// What is to be hashed.
enum Task {
    /// All of the entry at this position.
    Whole(usize),
    /// What is not zero of it.
    Sparse(usize),
    /// What no file has of a file system of this length.
    Rest(u64),
}

/// What came out.
enum Outcome {
    File(usize, BytesDigest, Option<Vec<(Name, Name)>>),
    Damage(usize, String),
    Rest(Digest),
}

/// Gives every file of `entries` its digest and returns that of everything else in the file system, if its length is given.
pub(crate) fn all(
    window: Window<'_>,
    entries: &mut [Entry],
    len: Option<u64>,
) -> Result<Option<Digest>, Error> {
    let (mut tasks, taken) = tasks(window, entries);
    tasks.extend(len.map(|len| (len, Task::Rest(len))));
    // The longest first, so that no core is left with it at the end.
    tasks.sort_by_key(|(len, _)| std::cmp::Reverse(*len));
    let outcomes = parallel(&tasks, |(_, task)| match task {
        Task::Rest(len) => outside(window, &taken, *len).map(Outcome::Rest),
        Task::Whole(at) => one(entries, *at, |file| {
            let (digest, kept) = whole(window, file)?;
            let variables = kept.as_deref().and_then(grubenv::variables);
            Ok((BytesDigest::Whole(digest), variables))
        }),
        Task::Sparse(at) => one(entries, *at, |file| {
            Ok((BytesDigest::Sparse(sparse(window, file)?), None))
        }),
    })?;
    let mut rest = None;
    for outcome in outcomes {
        match outcome {
            Outcome::Rest(digest) => rest = Some(digest),
            Outcome::File(at, digest, variables) => {
                if let Some(Node::File(file)) = entries.get_mut(at).map(|entry| &mut entry.node) {
                    file.digest = Some(digest);
                    file.grubenv = variables;
                }
            }
            Outcome::Damage(at, problem) => {
                if let Some(entry) = entries.get_mut(at) {
                    entry.damage.get_or_insert(problem);
                }
            }
        }
    }
    Ok(rest)
}

/// A file's digest by `hash`.
fn one(
    entries: &[Entry],
    at: usize,
    hash: impl FnOnce(&File) -> Result<(BytesDigest, Option<Vec<(Name, Name)>>), Fault>,
) -> Result<Outcome, Error> {
    let Some(Node::File(file)) = entries.get(at).map(|entry| &entry.node) else {
        return Ok(Outcome::Damage(at, "no file".to_owned()));
    };
    Ok(match damaged(hash(file))? {
        Ok((digest, variables)) => Outcome::File(at, digest, variables),
        Err(problem) => Outcome::Damage(at, problem),
    })
}

/// A task with the number of bytes that it reads.
type Weighed = (u64, Task);
/// First byte and the one behind the last.
type Ends = (u64, u64);

/// What to do for each file; and where files lie, sorted.
fn tasks(window: Window<'_>, entries: &[Entry]) -> (Vec<Weighed>, Vec<Ends>) {
    // Holes cost time without taking room in the image: so many zeros are hashed, in the order of paths, and no more.
    let mut zeros = window.len().min(WHOLE).saturating_add(1 << 30);
    let (mut tasks, mut taken) = (Vec::new(), Vec::new());
    for (at, entry) in entries.iter().enumerate() {
        let Node::File(file) = &entry.node else {
            continue;
        };
        if entry.lost().is_some() {
            continue;
        }
        let ends = file
            .runs
            .iter()
            .map(|run| (run.from, run.from.saturating_add(run.len)));
        taken.extend(ends);
        let mapped = file
            .runs
            .iter()
            .fold(0u64, |sum, run| sum.saturating_add(run.len));
        let left = zeros.checked_sub(file.size.saturating_sub(mapped));
        match left.filter(|_| !reaches_beyond(window, file)) {
            Some(left) => {
                zeros = left;
                tasks.push((file.size, Task::Whole(at)));
            }
            None => tasks.push((mapped, Task::Sparse(at))),
        }
    }
    taken.sort_unstable();
    (tasks, taken)
}

/// `work` on all of `tasks`, by all cores.
pub(crate) fn parallel<T: Sync, R: Send>(
    tasks: &[T],
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Ok(Vec::with_capacity(tasks.len())));
    let worker = || {
        let mut mine = Vec::new();
        let mut failed = None;
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            match work(task) {
                Ok(result) => mine.push(result),
                Err(error) => {
                    failed = Some(error);
                    next.store(tasks.len(), Ordering::Relaxed);
                }
            }
        }
        // A poisoned lock would mean a panic, which the scope passes on.
        if let Ok(mut done) = done.lock() {
            match (&mut *done, failed) {
                (Ok(_), Some(error)) => *done = Err(error),
                (Ok(all), None) => all.append(&mut mine),
                (Err(_), _) => {}
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..cores.min(tasks.len()).min(16) {
            // Where no more threads can be had, those that are there do it.
            let _ = std::thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
    done.into_inner().unwrap_or_else(|_| Ok(Vec::new()))
}
