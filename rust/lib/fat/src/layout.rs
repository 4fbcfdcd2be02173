//! The image as a plan.

use plan::{Canvas, ImageSet, Plan};
use tree::Tree;

use crate::boot::{self, Head};
use crate::error::Error;
use crate::geometry;
use crate::params::Params;
use crate::place;
use crate::time::Moment;

/// Lays `tree` out as a FAT file system; `bodies` are the images that its inputs stand for, in its order.
pub fn layout(tree: &Tree, bodies: &ImageSet, params: &Params) -> Result<Plan, Error> {
    let label = params.check()?;
    let time = Moment::of(params.mtime).ok_or_else(|| params.bad_mtime())?;
    let volume = place::place(tree, params, label, time)?;
    let mut canvas = Canvas::new(params.size_mib << 20, bodies.inputs())?;
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
        let body = bodies.plan(source.input)?;
        canvas.range(*offset, body, source.offset, source.len)?;
    }
    Ok(canvas.finish()?)
}
