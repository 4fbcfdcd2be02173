//! Where everything in the file system is.

use super::boot::Boot;
use crate::bytes::Number;
use crate::error::{damaged, Error, Fault};
use crate::image::Window;
use crate::listing::Listing;
use crate::locate::{Region, RegionPart, Regions, Stored, What};
use crate::model::Node;
use crate::span::{mapped, Span};

/// Adds what is where.
pub(crate) fn regions(
    window: Window<'_>,
    listing: &Listing<'_>,
    regions: &mut Regions<'_>,
) -> Result<(), Error> {
    if let Ok(boot) = damaged(Boot::read(window))? {
        let _ = damaged(tables(&boot, regions))?;
    }
    for (path, runs) in &listing.directories {
        // It always fits: clusters of one volume, each in one list.
        let Ok(size) = damaged(mapped(runs))? else {
            continue;
        };
        for run in runs {
            let path = path.clone();
            let part = RegionPart::Is(What::Directory { path });
            regions.push(Region::of(*run, size, part));
        }
    }
    for entry in &listing.entries {
        if let Node::File(file) = &entry.node {
            let (path, size, runs) = (entry.path.clone(), file.size, file.runs.clone());
            if !regions.file(Stored { path, size, runs }) {
                break;
            }
        }
    }
    Ok(())
}

fn tables(boot: &Boot, regions: &mut Regions<'_>) -> Result<(), Fault> {
    let sector = boot.sector_size();
    regions.push(Region::is(Span::up_to(sector), What::BootSector));
    let reserved = Span::up_to(boot.table.start()).from(sector);
    regions.push(Region::is(reserved, What::Reserved));
    let copies = if boot.mirrored { boot.tables } else { 1 };
    for copy in 0..copies {
        let len = boot.table.len();
        let start = boot.table.start().plus(len.times(copy.into())?)?;
        regions.push(Region::is(Span::new(start, len)?, What::Fat { copy }));
    }
    Ok(())
}
