//! Plans with a hash area.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use base::as_u64;
use plan::{Builder, Input, Plan, ReadAt, Reader};

use crate::area::{write_area, Known, WriteAt};
use crate::error::Error;
use crate::hash::{Digest, DIGEST};
use crate::layout::Layout;
use crate::num::sum;
use crate::params::Params;

/// How many bytes of a hash area [`append`] lets a plan hold: those over almost 8 GiB of data in blocks of 4096 bytes. What
/// lies over zeros does not count.
pub const MAX_APPENDED: u64 = 64 << 20;

/// The plan of `data` with its hash area, whose bytes the plan holds; with the root hash and where everything lies.
pub fn append<R: ReadAt + Sync>(
    data: &Reader<R>,
    known: &Known,
    params: &Params,
) -> Result<(Plan, Digest, Layout), Error> {
    let area = Mutex::new(Area::default());
    let written = write_area(data, known, params, &area);
    let area = area.into_inner().unwrap_or_else(PoisonError::into_inner);
    if area.held > MAX_APPENDED {
        return Err(Error::TooLargeForPlan { max: MAX_APPENDED });
    }
    let (root, layout) = written?;
    let mut builder = padded(data.plan(), data.plan().inputs().to_vec(), &layout)?;
    for (at, piece) in area.pieces {
        builder.zero_to(sum(layout.hash_offset, at))?;
        match piece {
            Piece::Held(bytes) => builder.inline(&bytes)?,
            Piece::Repeat(pattern, len) => builder.repeat(&pattern, len)?,
        }
    }
    builder.zero_to(layout.end)?;
    Ok((builder.finish()?, root, layout))
}

/// A hash area in memory, by position.
#[derive(Debug, Default)]
struct Area {
    pieces: BTreeMap<u64, Piece>,
    held: u64,
}

#[derive(Debug)]
enum Piece {
    Held(Vec<u8>),
    Repeat(Digest, u64),
}

impl WriteAt for Mutex<Area> {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let len = as_u64(bytes.len());
        let piece = match bytes.split_first_chunk() {
            Some((first, rest)) if rest.chunks(DIGEST).all(|digest| digest == first) => {
                Piece::Repeat(*first, len)
            }
            _ => Piece::Held(bytes.to_vec()),
        };
        let mut area = self.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(piece, Piece::Held(_)) {
            area.held = sum(area.held, len);
            if area.held > MAX_APPENDED {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
        }
        area.pieces.insert(offset, piece);
        Ok(())
    }
}

/// The plan of `data` with its hash area as one more input, the last: what [`write_area`] wrote.
pub fn append_source(data: &Plan, layout: &Layout) -> Result<Plan, Error> {
    let mut inputs = data.inputs().to_vec();
    let area = u32::try_from(inputs.len()).map_err(|_| plan::Error::TooLong)?;
    inputs.push(Input::of_len(layout.area_len()));
    let mut builder = padded(data, inputs, layout)?;
    builder.source(area, 0, layout.area_len())?;
    Ok(builder.finish()?)
}

/// The data until where the hash area begins, over `inputs`, which begin with the data's.
fn padded(data: &Plan, inputs: Vec<Input>, layout: &Layout) -> Result<Builder, Error> {
    let mut builder = Builder::new(inputs);
    builder.plan(data)?;
    builder.zero_to(layout.hash_offset)?;
    Ok(builder)
}
