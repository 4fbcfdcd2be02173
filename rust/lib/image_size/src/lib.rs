//! The flags by which tools that lay out file systems are told how large: a size, or the partition that says it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use partitions::Table;

/// How large an image is.
#[derive(Debug, clap::Args)]
pub struct ImageSize {
    /// Size of the image in MiB.
    #[arg(long, required_unless_present = "partition")]
    size_mib: Option<u64>,
    /// Partition table; the image is as large as one of its partitions.
    #[arg(long, value_name = "CSV", requires = "partition")]
    partitions: Option<PathBuf>,
    /// Name of that partition.
    #[arg(
        long,
        value_name = "NAME",
        requires = "partitions",
        conflicts_with = "size_mib"
    )]
    partition: Option<String>,
}

impl ImageSize {
    /// The size that was asked for, or that of the partition, in MiB.
    ///
    /// # Errors
    ///
    /// A table that can't be read or is refused, that has no such partition, or in which it is not of whole MiB.
    pub fn mib(&self) -> Result<u64> {
        let (Some(csv), Some(name)) = (&self.partitions, &self.partition) else {
            return self.size_mib.context("--size-mib or --partition is needed");
        };
        let place = csv.display();
        let text = std::fs::read_to_string(csv).with_context(|| format!("cannot read {place}"))?;
        let table = Table::parse(&text).with_context(|| place.to_string())?;
        let partition = table.get(name);
        let partition =
            partition.with_context(|| format!("{place}: no partition is called {name}"))?;
        partition.mib().with_context(|| place.to_string())
    }
}
