//! The partition table of a layout.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{Read, Seek, Write};

use gpt::disk::LogicalBlockSize;
use gpt::mbr::{MBRError, ProtectiveMBR};
use gpt::partition::Partition;
use gpt::partition_types::{OperatingSystem, Type};
use gpt::{GptConfig, GptError};
use partitions::{Layout, Placed, SECTOR};
use uuid::Uuid;

use crate::Error;

/// Writes protective MBR, primary and backup table of `layout` to `device`, which has the layout's size already.
pub fn write_table<D>(device: &mut D, layout: &Layout, disk_guid: Uuid) -> Result<(), Error>
where
    D: Read + Write + Seek + Debug,
{
    // UEFI 2.10, 5.2.3: the size of the disk minus one, or all ones where that does not fit.
    let sectors = (layout.disk_size / SECTOR).saturating_sub(1);
    ProtectiveMBR::with_lb_size(u32::try_from(sectors).unwrap_or(u32::MAX))
        .overwrite_lba0(device)
        .map_err(mbr_error)?;
    let mut disk = GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(device, Some(disk_guid))
        .map_err(gpt_error)?;
    let entries: BTreeMap<u32, Partition> = layout
        .partitions
        .iter()
        .map(|placed| (placed.number, entry(placed)))
        .collect();
    disk.update_partitions(entries).map_err(gpt_error)?;
    disk.write().map_err(gpt_error)?;
    Ok(())
}

fn entry(placed: &Placed) -> Partition {
    Partition {
        part_type_guid: Type {
            guid: placed.partition.type_guid,
            os: OperatingSystem::None,
        },
        part_guid: placed.partition.uuid,
        first_lba: placed.start / SECTOR,
        // Sizes are multiples of a sector and not 0 (`partitions::Table::parse`).
        last_lba: (placed.end() / SECTOR).saturating_sub(1),
        flags: 0,
        name: placed.partition.name.clone(),
    }
}

/// The device is memory of the disk's length: whatever the writer has to say, it is about the table.
fn mbr_error(error: MBRError) -> Error {
    Error::Table {
        reason: error.to_string(),
    }
}

fn gpt_error(error: GptError) -> Error {
    Error::Table {
        reason: error.to_string(),
    }
}
