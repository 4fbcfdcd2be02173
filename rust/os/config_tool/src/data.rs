//! Whether the machine's data can be opened with a key that a medium brings.
//!
//! `node_tool prepare-volume` never makes a partition anew for a key's sake. So a key that comes to a file system which is not encrypted would
//! leave the machine without `/data` at every start from then on; it is refused before it is kept.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use anyhow::Context;
use os_config::partition::{self, Found};

/// Whether a volume can be made on `partition`, or is there, to use a new key for.
pub(crate) fn takes_a_key(partition: &Path) -> anyhow::Result<bool> {
    let shown = || {
        format!(
            "cannot read {}, which a new data.key is for",
            partition.display()
        )
    };
    let mut file = File::open(partition).with_context(shown)?;
    // The length of a device is where it ends, not what its metadata say.
    let len = file.seek(SeekFrom::End(0)).with_context(shown)?;
    if partition::is_luks(&file).with_context(shown)? {
        return Ok(true);
    }
    let found = partition::look(&file, len).with_context(shown)?;
    Ok(matches!(found, Found::Nothing | Found::HalfMade))
}
