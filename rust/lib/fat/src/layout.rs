//! The image as a plan.

use plan::{Body, Canvas, Input, Plan};
use tree::Tree;

use crate::boot::{self, Head};
use crate::error::Error;
use crate::geometry;
use crate::params::Params;
use crate::place;
use crate::time::Moment;

/// Lays `tree` out as a FAT file system. `bodies` say what each of the tree's inputs is, in terms of `inputs`, the plan's
/// ([`Body::open`] makes both).
pub fn layout(
    tree: &Tree,
    bodies: &[Body],
    inputs: Vec<Input>,
    params: &Params,
) -> Result<Plan, Error> {
    let label = params.check()?;
    let time = Moment::of(params.mtime).ok_or_else(|| params.bad_mtime())?;
    let volume = place::place(tree, params, label, time)?;
    let mut canvas = Canvas::new(params.size_mib << 20, inputs)?;
    let head = Head {
        volume_id: params.volume_id,
        label,
        free: volume.free,
    };
    for (sector, bytes) in boot::sectors(&volume.geometry, head)? {
        canvas.inline(geometry::offset(sector), &bytes)?;
    }
    for offset in volume.geometry.table_offsets() {
        canvas.inline(offset, &volume.table)?;
    }
    for (offset, bytes) in &volume.dirs {
        canvas.inline(*offset, bytes)?;
    }
    for (offset, source) in &volume.files {
        let body = bodies.get(source.input);
        let body = body.ok_or(Error::NoBody {
            input: source.input,
            have: bodies.len(),
        })?;
        canvas.body(*offset, body, source.offset, source.len)?;
    }
    Ok(canvas.finish()?)
}
