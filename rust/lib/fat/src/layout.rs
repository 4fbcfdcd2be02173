//! The image as a plan.

use plan::{Body, Canvas, Input, Plan};
use tree::Tree;

use crate::boot::{self, Head};
use crate::error::Error;
use crate::geometry::{SECTOR, TABLES};
use crate::names;
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
    names::check(tree)?;
    let time = Moment::of(params.mtime).ok_or_else(|| params.bad_mtime())?;
    let volume = place::place(tree, params, label, time)?;
    let mut canvas = Canvas::new(params.size_mib << 20, inputs)?;
    let head = Head {
        volume_id: params.volume_id,
        label,
    };
    for (sector, block) in boot::sectors(&volume.geometry, head, volume.info) {
        canvas.inline(sector.saturating_mul(SECTOR), block.bytes())?;
    }
    for index in 0..TABLES {
        canvas.inline(volume.geometry.table_offset(index), &volume.table)?;
    }
    for (offset, bytes) in &volume.dirs {
        canvas.inline(*offset, bytes)?;
    }
    for (offset, source) in &volume.files {
        let body = bodies
            .get(source.input)
            .ok_or_else(|| plan::Error::MissingInput {
                input: u32::try_from(source.input).unwrap_or(u32::MAX),
                have: bodies.len(),
            })?;
        canvas.body(*offset, body, source.offset, source.len)?;
    }
    Ok(canvas.finish()?)
}
