//! Digests of contents, by all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};

use crate::bytes::{index, is_zero, long};
use crate::error::{damaged, Error, Fault};
use crate::image::{Go, Window, CHUNK};
use crate::model::{Digest, File, FileDigest, Node, Run};
use crate::names::Name;
use crate::{grubenv, model::Entry};

/// Pieces of a sparse digest.
const UNIT: u64 = 4096;

/// Plain SHA-256 of `start..end`.
pub(crate) fn range(window: Window<'_>, start: u64, end: u64) -> Result<Digest, Error> {
    let file = File {
        size: end.saturating_sub(start),
        runs: vec![Run {
            at: 0,
            len: end.saturating_sub(start),
            from: start,
        }],
        ..File::default()
    };
    match whole(window, &file) {
        Ok((digest, _)) => Ok(digest),
        Err(Fault::Failed(error)) => Err(error),
        Err(Fault::Damage(_)) => Err(Error::Outside {
            at: start,
            len: file.size,
            have: window.len(),
        }),
    }
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
            let len = index(CHUNK.min(run.at.saturating_sub(at)));
            let zeros = buffer.get_mut(..len).unwrap_or_default();
            zeros.fill(0);
            body(zeros)?;
            at = at.saturating_add(long(len));
        }
        let mut done = 0;
        while done < run.len {
            let len = index(CHUNK.min(run.len.saturating_sub(done)));
            let part = buffer.get_mut(..len).unwrap_or_default();
            window.read(part, run.from.saturating_add(done))?;
            body(part)?;
            done = done.saturating_add(long(len));
        }
        at = at.saturating_add(run.len);
    }
    Ok(())
}

/// Digest of the bytes of a file that are not zero: like [`outside`], with positions in the file.
fn sparse(window: Window<'_>, file: &File) -> Result<Digest, Fault> {
    let mut hash = Sha256::new();
    for run in &file.runs {
        let mut done = 0;
        while done < run.len {
            // Runs begin at blocks, which are multiples of 512; pieces end at multiples of 4096 of the file.
            let at = run.at.saturating_add(done);
            let next = (at / UNIT).saturating_add(1).saturating_mul(UNIT);
            let len = next.saturating_sub(at).min(run.len.saturating_sub(done));
            let bytes = window.bytes(run.from.saturating_add(done), index(len))?;
            if !is_zero(&bytes) {
                hash.update(at.to_le_bytes());
                hash.update(len.to_le_bytes());
                hash.update(&bytes);
            }
            done = done.saturating_add(len);
        }
    }
    Ok(Digest(hash.finalize().into()))
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
    File(usize, FileDigest, Option<Vec<(Name, Name)>>),
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
            Ok((FileDigest::Whole(digest), variables))
        }),
        Task::Sparse(at) => one(entries, *at, |file| {
            Ok((FileDigest::Sparse(sparse(window, file)?), None))
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
    hash: impl FnOnce(&File) -> Result<(FileDigest, Option<Vec<(Name, Name)>>), Fault>,
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
    let mut zeros = window.len().saturating_add(1 << 30);
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
        match zeros.checked_sub(file.size.saturating_sub(mapped)) {
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
            scope.spawn(worker);
        }
        worker();
    });
    done.into_inner().unwrap_or_else(|_| Ok(Vec::new()))
}
