//! Table and images as one plan.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use partitions::{Layout, Placed};
use plan::{Canvas, ImageSet, Input, Plan};
use uuid::Uuid;

use crate::table::table;
use crate::{Error, NamedFile};

/// What goes into a partition.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it is called in errors: the file that was named.
    pub path: PathBuf,
    /// Its bytes.
    pub plan: Plan,
}

/// Names with their images, over inputs that all of them share.
pub struct Opened {
    /// In the order they were given.
    pub images: Vec<(String, Image)>,
    /// What the plans are over.
    pub inputs: Arc<[Input]>,
}

/// Opens `files`: lists (`*.image`) and plain files.
pub fn open(files: Vec<NamedFile>) -> Result<Opened, plan::Error> {
    let paths: Vec<&PathBuf> = files.iter().map(|file| &file.path).collect();
    let set = ImageSet::open(&paths)?;
    let inputs = set.inputs();
    let images = files.into_iter().zip(set.into_plans());
    let images = images.map(|(NamedFile { name, path }, plan)| (name, Image { path, plan }));
    Ok(Opened {
        images: images.collect(),
        inputs,
    })
}

/// Partition name to its content.
pub type Images = BTreeMap<String, Image>;

/// The disk of `layout` as a plan over `inputs`. Partitions without an image are zero, as is what an image leaves of one.
pub fn assemble(
    layout: &Layout,
    disk_guid: Uuid,
    images: &Images,
    inputs: Arc<[Input]>,
) -> Result<Plan, Error> {
    if let Some(placed) = layout
        .partitions
        .iter()
        .find(|placed| placed.partition.uuid == disk_guid)
    {
        return Err(Error::SharedGuid {
            guid: disk_guid,
            name: placed.partition.name.clone(),
        });
    }
    let mut canvas = Canvas::new(layout.disk_size, inputs)?;
    for (start, bytes) in table(layout, disk_guid)? {
        canvas.inline(start, &bytes)?;
    }
    for (name, image) in images {
        let placed = layout
            .get(name)
            .ok_or_else(|| unknown_partition(name, layout))?;
        check_size(placed, image)?;
        canvas.plan(placed.start, &image.plan)?;
    }
    Ok(canvas.finish()?)
}

fn check_size(placed: &Placed, image: &Image) -> Result<(), Error> {
    let (len, size) = (image.plan.len(), placed.partition.size);
    match len.checked_sub(size) {
        None | Some(0) => Ok(()),
        Some(over) => Err(Error::TooLarge {
            name: placed.partition.name.clone(),
            size,
            path: image.path.clone(),
            len,
            over,
        }),
    }
}

fn unknown_partition(name: &str, layout: &Layout) -> Error {
    let known: Vec<&str> = layout
        .partitions
        .iter()
        .map(|placed| placed.partition.name.as_str())
        .collect();
    Error::UnknownPartition {
        name: name.to_owned(),
        known: known.join(", "),
    }
}
