//! Writing the image.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use tree::{Sources, Tree};

use crate::boot::{self, Head};
use crate::error::Error;
use crate::geometry::{SECTOR, TABLES};
use crate::names;
use crate::params::Params;
use crate::plan;
use crate::time::Moment;

/// Writes `tree` as a FAT file system into `out`, which is emptied first and becomes sparse.
pub fn write(tree: &Tree, sources: &Sources, params: &Params, out: &mut File) -> Result<(), Error> {
    let label = params.check()?;
    names::check(tree)?;
    let time = Moment::of(params.mtime).ok_or_else(|| params.bad_mtime())?;
    let plan = plan::plan(tree, params, label, time)?;
    let io = || Error::io("write the image");
    out.set_len(0).map_err(io())?;
    out.set_len(params.size_mib << 20).map_err(io())?;
    let mut out = BufWriter::with_capacity(1 << 16, out);
    let head = Head {
        volume_id: params.volume_id,
        label,
    };
    for (sector, block) in boot::sectors(&plan.geometry, head, plan.info) {
        let offset = sector.saturating_mul(SECTOR);
        put(&mut out, offset, block.bytes()).map_err(io())?;
    }
    for index in 0..TABLES {
        let offset = plan.geometry.table_offset(index);
        put(&mut out, offset, &plan.table).map_err(io())?;
    }
    for (offset, bytes) in &plan.dirs {
        put(&mut out, *offset, bytes).map_err(io())?;
    }
    for (offset, source) in &plan.files {
        out.seek(SeekFrom::Start(*offset)).map_err(io())?;
        sources.copy(*source, &mut out)?;
    }
    out.flush().map_err(io())
}

fn put(out: &mut (impl Write + Seek), offset: u64, bytes: &[u8]) -> io::Result<()> {
    out.seek(SeekFrom::Start(offset))?;
    out.write_all(bytes)
}
