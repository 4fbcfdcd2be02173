//! Where the bytes of files come from.

use plan::{Builder, ImageSet, Piece, Plan};
use tree::{Kind, Source, Tree};

use crate::error::Error;
use crate::num::{nth, product, sum, without};
use crate::params::BLOCK_SIZE;

/// Whether `bodies` are those of `tree`.
pub(crate) fn check(tree: &Tree, bodies: &ImageSet) -> Result<(), Error> {
    let wrong = |reason: String| Err(Error::Inputs { reason });
    let (have, want) = (bodies.plans().len(), tree.inputs().len());
    if have != want {
        return wrong(format!("the tree has {want} inputs, but {have} are given"));
    }
    for (position, (body, input)) in bodies.plans().iter().zip(tree.inputs()).enumerate() {
        if body.len() != input.len {
            let (len, want) = (body.len(), input.len);
            return wrong(format!(
                "input {position} of the tree has {want} bytes, but what is given for it has {len}"
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
pub(crate) fn stretches(bodies: &[Plan], kind: &Kind, out: &mut Vec<Stretch>) -> Result<(), Error> {
    out.clear();
    for (at, source) in kind.pieces() {
        piece(bodies, at, source, out)?;
    }
    Ok(())
}

/// The blocks that `source`, which lies at `at` in its file, is in.
fn piece(bodies: &[Plan], at: u64, source: Source, out: &mut Vec<Stretch>) -> Result<(), Error> {
    for extent in nth(bodies, source.input).extents_in(source.offset, source.len)? {
        if extent.piece == Piece::Zero {
            continue;
        }
        let into = without(extent.start, source.offset);
        add(out, sum(at, into), extent.len);
    }
    Ok(())
}

/// Adds bytes `start` to `start + len` of the file, behind those before, in blocks. They lie within a file that is not
/// longer than [`MAX_FILE`], or within an input.
fn add(out: &mut Vec<Stretch>, start: u64, len: u64) {
    if len == 0 {
        return;
    }
    let end = sum(start, len).div_ceil(BLOCK_SIZE);
    let first = start / BLOCK_SIZE;
    match out.last_mut() {
        Some(last) if first <= sum(last.start, last.len) => last.len = without(end, last.start),
        _ => out.push(Stretch {
            start: first,
            len: without(end, first),
        }),
    }
}

/// Appends `stretch` of the file `kind` to the image: what is holes of its blocks, or behind the file's end, is zeros.
pub(crate) fn emit(
    bodies: &[Plan],
    kind: &Kind,
    stretch: Stretch,
    builder: &mut Builder,
) -> Result<(), Error> {
    let from = product(stretch.start, BLOCK_SIZE);
    let room = product(stretch.len, BLOCK_SIZE);
    let begin = builder.position();
    for (at, source) in kind.pieces_from(from) {
        // Where the piece begins in the stretch, and what of it lies before.
        let start = without(at.max(from), from);
        let skip = without(from.max(at), at);
        let Some(left) = room.checked_sub(start) else {
            break;
        };
        builder.zero_to(sum(begin, start))?;
        let len = without(source.len, skip).min(left);
        let body = nth(bodies, source.input);
        builder.range(body, sum(source.offset, skip), len)?;
    }
    builder.zero_to(sum(begin, room))?;
    Ok(())
}

/// The longest file: numbers of blocks within a file have 32 bits.
pub(crate) const MAX_FILE: u64 = 0xffff_ffff * BLOCK_SIZE;
