//! Digests of contents, by all cores.

use base::{as_u64, as_usize, Hasher, Sha256Digest};

use crate::bounds::WHOLE;
use crate::bytes::{is_zero, Number};
use crate::error::{damage, damaged, Error, Fault};
use crate::image::{Go, Window, CHUNK};
use crate::model::{BytesDigest, File, Node};
use crate::names::Name;
use crate::span::{mapped, pieces, Run, Span};
use crate::{grubenv, model::Entry};

/// Pieces of a sparse digest.
const UNIT: u64 = 4096;

/// Digest of `span`: of all bytes, or of those that are not zero if it reaches beyond what is hashed as a whole.
pub(crate) fn range(window: Window<'_>, span: Span) -> Result<BytesDigest, Error> {
    let file = File {
        size: span.len(),
        runs: vec![Run::whole(span)],
        ..File::default()
    };
    let digest = match reaches_beyond(window, &file) {
        true => sparse(window, &file).map(BytesDigest::Sparse),
        false => whole(window, &file).map(|(digest, _)| BytesDigest::Whole(digest)),
    };
    digest.map_err(|fault| fault.of_ours(span, window.len()))
}

/// Whether bytes of `file` lie where zeros are not hashed any more. That is the same however the image is stored.
fn reaches_beyond(window: Window<'_>, file: &File) -> bool {
    let hashed = Span::up_to(WHOLE).from(window.place().start()).len();
    file.runs.iter().any(|run| run.from().end() > hashed)
}

/// A digest of pieces: of every one its position and length as eight bytes each, little-endian, then its bytes.
#[derive(Default)]
struct Pieces(Hasher);

impl Pieces {
    fn add(&mut self, at: u64, piece: &[u8]) {
        self.0.update(&at.to_le_bytes());
        self.0.update(&as_u64(piece.len()).to_le_bytes());
        self.0.update(piece);
    }

    fn digest(self) -> Sha256Digest {
        self.0.finish()
    }
}

/// Digest of what is not zero up to `end` but outside of `taken` (sorted): of every piece, cut at multiples of 4096.
fn outside(window: Window<'_>, taken: &[Span], end: u64) -> Result<Sha256Digest, Error> {
    let mut hash = Pieces::default();
    let mut add = |span: Span| {
        window.each_nonzero::<UNIT>(span, |at, piece| {
            hash.add(at, piece);
            Ok(Go::On)
        })
    };
    let mut rest = Span::up_to(end);
    for place in taken {
        add(rest.until(place.start()))?;
        rest = rest.from(place.end());
    }
    add(rest)?;
    Ok(hash.digest())
}

/// SHA-256 of a file, and the file itself if it is as long as an environment block.
fn whole(window: Window<'_>, file: &File) -> Result<(Sha256Digest, Option<Vec<u8>>), Fault> {
    let mut hash = Hasher::new();
    let mut kept = (file.size == as_u64(grubenv::SIZE)).then(Vec::new);
    read(window, file, |bytes| {
        hash.update(bytes);
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(bytes);
        }
        Ok(())
    })?;
    Ok((hash.finish(), kept))
}

/// Hands all bytes of a file to `body`, in order.
pub(crate) fn read(
    window: Window<'_>,
    file: &File,
    mut body: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Fault> {
    let mut buffer = Vec::new();
    let mut rest = Span::up_to(file.size);
    for run in &file.runs {
        let outside = || {
            damage!(
                "bytes of a file of {} bytes that are not inside it",
                file.size
            )
        };
        let hole = Span::between(rest.start(), run.at().start()).ok_or_else(outside)?;
        if run.at().end() > file.size {
            return Err(outside());
        }
        zeros(window, hole, &mut buffer, &mut body)?;
        for piece in run.pieces(CHUNK) {
            let from = piece.from();
            if window.zeros(from.start()) >= from.len() {
                zeros(window, from, &mut buffer, &mut body)?;
            } else {
                buffer.resize(as_usize(from.len()), 0);
                window.read(&mut buffer, from.start())?;
                body(&buffer)?;
            }
        }
        rest = rest.from(run.at().end());
    }
    Ok(zeros(window, rest, &mut buffer, &mut body)?)
}

/// Hands as many zeros as `span` is long to `body`.
fn zeros(
    window: Window<'_>,
    span: Span,
    buffer: &mut Vec<u8>,
    body: &mut impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    for piece in Run::whole(span).pieces(CHUNK) {
        window.source().hash_zeros(piece.len())?;
        buffer.clear();
        buffer.resize(as_usize(piece.len()), 0);
        body(buffer)?;
    }
    Ok(())
}

/// Digest of the bytes of a file that are not zero: like [`outside`], with positions in the file.
fn sparse(window: Window<'_>, file: &File) -> Result<Sha256Digest, Fault> {
    let mut hash = Pieces::default();
    nonzero(window, file, |at, piece| {
        hash.add(at, piece);
        Ok(())
    })?;
    Ok(hash.digest())
}

/// Hands every piece of a file that is not all zero to `body`, in order, with its position in the file: cut at multiples of [`UNIT`]
/// there, and where a run ends. What is known to be zero is not read.
pub(crate) fn nonzero(
    window: Window<'_>,
    file: &File,
    mut body: impl FnMut(u64, &[u8]) -> Result<(), Error>,
) -> Result<(), Fault> {
    let mut buffer = Vec::new();
    for run in &file.runs {
        let mut rest = *run;
        while !rest.is_empty() {
            let from = rest.from().start();
            // Whole pieces only, so that they don't depend on which zeros are known.
            let known = rest.at().whole::<UNIT>(window.zeros(from));
            if !known.is_empty() {
                rest = rest.skip(known.len());
                continue;
            }
            // Up to a multiple in the file, which is not one in the image if the run begins inside of a piece.
            let next = rest.at().whole::<UNIT>(CHUNK);
            buffer.resize(as_usize(next.len()), 0);
            window.read(&mut buffer, from)?;
            for (at, piece) in pieces::<UNIT>(next.start(), &buffer) {
                if !is_zero(piece) {
                    body(at, piece)?;
                }
            }
            rest = rest.skip(next.len());
        }
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
    Rest(Sha256Digest),
}

/// Gives every file of `entries` its digest and returns that of everything else in the file system, if its length is given.
pub(crate) fn all(
    window: Window<'_>,
    entries: &mut [Entry],
    len: Option<u64>,
) -> Result<Option<Sha256Digest>, Error> {
    let tasks = tasks(window, entries);
    let (mut tasks, taken) = tasks.map_err(|fault| fault.of_ours(window.place(), window.len()))?;
    tasks.extend(len.map(|len| (len, Task::Rest(len))));
    let outcomes = base::parallel::map_longest_first(
        &tasks,
        |(len, _)| *len,
        |(_, task)| match task {
            Task::Rest(len) => outside(window, &taken, *len).map(Outcome::Rest),
            Task::Whole(at) => one(entries, *at, |file| {
                let (digest, kept) = whole(window, file)?;
                let variables = kept.as_deref().and_then(grubenv::variables);
                Ok((BytesDigest::Whole(digest), variables))
            }),
            Task::Sparse(at) => one(entries, *at, |file| {
                Ok((BytesDigest::Sparse(sparse(window, file)?), None))
            }),
        },
    )?;
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

/// What to do for each file; and where files lie, sorted.
fn tasks(window: Window<'_>, entries: &[Entry]) -> Result<(Vec<Weighed>, Vec<Span>), Fault> {
    // Holes cost time without taking room in the image: so many zeros are hashed, in the order of paths, and no more.
    let mut zeros = window.len().min(WHOLE).plus(1 << 30)?;
    let (mut tasks, mut taken) = (Vec::new(), Vec::new());
    for (at, entry) in entries.iter().enumerate() {
        let Node::File(file) = &entry.node else {
            continue;
        };
        if entry.lost().is_some() {
            continue;
        }
        taken.extend(file.runs.iter().map(|run| run.from()));
        let mapped = mapped(&file.runs)?;
        let left = zeros.checked_sub(file.size.minus(mapped)?);
        match left.filter(|_| !reaches_beyond(window, file)) {
            Some(left) => {
                zeros = left;
                tasks.push((file.size, Task::Whole(at)));
            }
            None => tasks.push((mapped, Task::Sparse(at))),
        }
    }
    taken.sort_unstable();
    Ok((tasks, taken))
}
