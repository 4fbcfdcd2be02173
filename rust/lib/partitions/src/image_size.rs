//! How large an image is that fills a partition.

use std::io;
use std::path::{Path, PathBuf};

use crate::csv::Table;
use crate::error::Error;
use crate::layout::MIB;

/// Why a table does not say how many MiB a partition has.
#[derive(Debug, thiserror::Error)]
pub enum ImageSizeError {
    /// The table can't be read.
    #[error("cannot read {}", file.display())]
    Io {
        /// The table.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The table is refused.
    #[error("{}", file.display())]
    Table {
        /// The table.
        file: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// No partition has that name.
    #[error("{}: no partition is called {name}", file.display())]
    Missing {
        /// The table.
        file: PathBuf,
        /// The name.
        name: String,
    },
    /// The partition has a size that images don't come in.
    #[error("{}:{line}: {name} has {size} bytes, want whole MiB for a file system", file.display())]
    Uneven {
        /// The table.
        file: PathBuf,
        /// The partition's line.
        line: usize,
        /// Its name.
        name: String,
        /// Its size in bytes.
        size: u64,
    },
}

/// MiB of the partition `name` of the table in the file `csv`.
pub fn image_mib(csv: &Path, name: &str) -> Result<u64, ImageSizeError> {
    let file = csv.to_owned();
    let text = match std::fs::read_to_string(csv) {
        Ok(text) => text,
        Err(source) => return Err(ImageSizeError::Io { file, source }),
    };
    let table = match Table::parse(&text) {
        Ok(table) => table,
        Err(error) => {
            let source = Box::new(error);
            return Err(ImageSizeError::Table { file, source });
        }
    };
    let name = name.to_owned();
    match table.get(&name) {
        None => Err(ImageSizeError::Missing { file, name }),
        Some(partition) if partition.size % MIB != 0 => Err(ImageSizeError::Uneven {
            file,
            line: partition.line,
            name,
            size: partition.size,
        }),
        Some(partition) => Ok(partition.size / MIB),
    }
}
