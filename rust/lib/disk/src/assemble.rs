//! Table and images into one file.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use partitions::{Layout, Placed};
use uuid::Uuid;

use crate::{copy_sparse, write_table, Copied, Error};

/// Partition name to the file with its content.
pub type Images = BTreeMap<String, PathBuf>;

/// Makes the disk of `layout` in `output`, an empty file. Partitions without an image stay holes.
///
/// Everything that can be refused is refused before the first byte is written. Returns what was copied, by partition.
pub fn assemble(
    output: &mut File,
    layout: &Layout,
    disk_guid: Uuid,
    images: &Images,
) -> Result<BTreeMap<String, Copied>, Error> {
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
    let mut sources = Vec::new();
    for (name, path) in images {
        let placed = layout
            .get(name)
            .ok_or_else(|| unknown_partition(name, layout))?;
        sources.push((placed, path, open_image(placed, path)?));
    }
    output
        .set_len(layout.disk_size)
        .map_err(|source| Error::Write {
            what: format!("a disk of {} bytes", layout.disk_size),
            source,
        })?;
    write_table(output, layout, disk_guid)?;
    let mut copied = BTreeMap::new();
    for (placed, path, source) in sources {
        let result = copy_sparse(&source, path, output, placed.start)?;
        copied.insert(placed.partition.name.clone(), result);
    }
    Ok(copied)
}

fn open_image(placed: &Placed, path: &Path) -> Result<File, Error> {
    let read = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile {
            path: path.to_owned(),
        });
    }
    let size = placed.partition.size;
    if metadata.len() > size {
        return Err(Error::TooLarge {
            name: placed.partition.name.clone(),
            size,
            path: path.to_owned(),
            len: metadata.len(),
        });
    }
    Ok(file)
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
