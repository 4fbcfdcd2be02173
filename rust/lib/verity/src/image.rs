//! Plans with a hash area.

use std::sync::{Mutex, PoisonError};

use plan::{Builder, Input, Plan, ReadAt, Reader};

use crate::area::{write_area, Known};
use crate::error::Error;
use crate::hash::Digest;
use crate::layout::Layout;
use crate::params::Params;

/// The longest hash area that [`append`] puts into a plan: one over almost 8 GiB of data in blocks of 4096 bytes.
pub const MAX_APPENDED: u64 = 64 << 20;

/// The plan of `data` with its hash area, whose bytes the plan holds; with the root hash and where everything lies.
pub fn append<R: ReadAt + Sync>(
    data: &Reader<R>,
    known: &Known,
    params: &Params,
) -> Result<(Plan, Digest, Layout), Error> {
    let len = Layout::new(data.len(), params)?.area_len();
    let max = MAX_APPENDED;
    if len > max {
        return Err(Error::TooLargeForPlan { len, max });
    }
    let capacity = usize::try_from(len).unwrap_or(0);
    let area = Mutex::new(Vec::with_capacity(capacity));
    let (root, layout) = write_area(data, known, params, &area)?;
    let area = area.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut builder = padded(data.plan(), &layout)?;
    builder.inline(&area)?;
    builder.zero_to(layout.end)?;
    Ok((builder.finish()?, root, layout))
}

/// The plan of `data` with its hash area as one more input, the last: what [`write_area`] wrote.
pub fn append_source(data: &Plan, layout: &Layout) -> Result<Plan, Error> {
    let mut builder = padded(data, layout)?;
    let input = builder.add_input(Input::of_len(layout.area_len()));
    builder.source(input, 0, layout.area_len())?;
    Ok(builder.finish()?)
}

/// The data until where the hash area begins.
fn padded(data: &Plan, layout: &Layout) -> Result<Builder, Error> {
    let inputs = data.inputs().to_vec();
    let mut builder = Builder::new(inputs);
    for extent in data.extents() {
        builder.extent(extent)?;
    }
    builder.zero_to(layout.hash_offset)?;
    Ok(builder)
}
