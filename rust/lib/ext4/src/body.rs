//! Where the bytes of files come from.

use plan::{Body, Builder, Input, Piece};
use tree::{Kind, Source, Tree};

use crate::error::Error;
use crate::params::BLOCK_SIZE;

/// Whether `bodies` are those of `tree`, over `inputs`.
pub(crate) fn check(tree: &Tree, bodies: &[Body], inputs: &[Input]) -> Result<(), Error> {
    let wrong = |reason: String| Err(Error::Inputs { reason });
    let (have, want) = (bodies.len(), tree.inputs().len());
    if have != want {
        return wrong(format!("the tree has {want} inputs, but {have} are given"));
    }
    for (position, (body, input)) in bodies.iter().zip(tree.inputs()).enumerate() {
        if body.len() != input.len {
            let (len, want) = (body.len(), input.len);
            return wrong(format!(
                "input {position} of the tree has {want} bytes, but what is given for it has {len}"
            ));
        }
        let (raw, map) = match body {
            Body::Raw { input, .. } => (Some(*input), None),
            Body::Plan { map, .. } => (None, Some(map)),
        };
        let used = raw.iter().chain(map.into_iter().flatten());
        let known = |at: &u32| inputs.get(usize::try_from(*at).unwrap_or(usize::MAX));
        if let Some(missing) = used.clone().find(|at| known(at).is_none()) {
            let have = inputs.len();
            return wrong(format!(
                "input {position} of the tree lies in input {missing} of the image, which has {have}"
            ));
        }
        let real = raw.as_ref().and_then(known).map(|input| input.len);
        if real.is_some_and(|len| len != input.len) {
            let (len, want) = (real.unwrap_or(0), input.len);
            return wrong(format!(
                "input {position} of the tree has {want} bytes, but it is given as one of {len}"
            ));
        }
    }
    Ok(())
}

/// A run of blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Its first block within the file.
    pub(crate) start: u64,
    /// How many blocks.
    pub(crate) len: u64,
}

/// The blocks of the file `kind` that are not holes, in order, into `out`.
pub(crate) fn stretches(bodies: &[Body], kind: &Kind, out: &mut Vec<Stretch>) -> Result<(), Error> {
    out.clear();
    for (at, source) in kind.pieces() {
        piece(bodies, at, source, out)?;
    }
    Ok(())
}

/// The blocks that `source`, which lies at `at` in its file, is in.
fn piece(bodies: &[Body], at: u64, source: Source, out: &mut Vec<Stretch>) -> Result<(), Error> {
    let Some(Body::Plan { plan, .. }) = bodies.get(source.input) else {
        add(out, at, source.len);
        return Ok(());
    };
    for extent in plan.extents_in(source.offset, source.len)? {
        if extent.piece == Piece::Zero {
            continue;
        }
        let into = extent.start.saturating_sub(source.offset);
        add(out, at.saturating_add(into), extent.len);
    }
    Ok(())
}

/// Adds bytes `start` to `start + len` of the file, behind those before, in blocks. They lie within a file that is not
/// longer than [`MAX_FILE`], or within an input.
fn add(out: &mut Vec<Stretch>, start: u64, len: u64) {
    if len == 0 {
        return;
    }
    let end = start.saturating_add(len).div_ceil(BLOCK_SIZE);
    let first = start / BLOCK_SIZE;
    match out.last_mut() {
        Some(last) if first <= last.start.saturating_add(last.len) => {
            last.len = end.saturating_sub(last.start);
        }
        _ => out.push(Stretch {
            start: first,
            len: end.saturating_sub(first),
        }),
    }
}

/// Appends `stretch` of the file `kind` to the image: what is holes of its blocks, or behind the file's end, is zeros.
pub(crate) fn emit(
    bodies: &[Body],
    kind: &Kind,
    stretch: Stretch,
    builder: &mut Builder,
) -> Result<(), Error> {
    let from = stretch.start.saturating_mul(BLOCK_SIZE);
    let room = stretch.len.saturating_mul(BLOCK_SIZE);
    let begin = builder.position();
    for (at, source) in kind.pieces_from(from) {
        // Where the piece begins in the stretch, and what of it lies before.
        let (start, skip) = match at.checked_sub(from) {
            Some(start) => (start, 0),
            None => (0, from.saturating_sub(at)),
        };
        let Some(left) = room.checked_sub(start).filter(|left| *left > 0) else {
            break;
        };
        let body = bodies.get(source.input).ok_or(plan::Error::MissingInput {
            input: u32::try_from(source.input).unwrap_or(u32::MAX),
            have: bodies.len(),
        })?;
        builder.zero_to(begin.saturating_add(start))?;
        let len = source.len.saturating_sub(skip).min(left);
        builder.body(body, source.offset.saturating_add(skip), len)?;
    }
    builder.zero_to(begin.saturating_add(room))?;
    Ok(())
}

/// The longest file: numbers of blocks within a file have 32 bits.
pub(crate) const MAX_FILE: u64 = 0xffff_ffff * BLOCK_SIZE;
