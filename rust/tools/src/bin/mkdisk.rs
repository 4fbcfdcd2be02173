//! `mkdisk`: a disk image from a partition table and the partitions' images.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context};
use disk::{Images, NamedFile};
use partitions::{Table, MIB};

/// Puts partition images into a sparse disk image with a GUID partition table.
#[derive(clap::Parser)]
struct Args {
    /// The partition table: name,start,size,type,uuid,description.
    #[arg(long, value_name = "CSV")]
    partitions: PathBuf,
    /// GUID of the disk.
    #[arg(long, value_name = "GUID")]
    disk_guid: String,
    /// Content of partition NAME; partitions without one are left empty.
    #[arg(long = "image", value_name = "NAME=FILE")]
    images: Vec<NamedFile>,
    /// Size of the disk; default: the smallest that holds the partitions.
    #[arg(long, value_name = "MIB")]
    disk_size_mib: Option<u64>,
    /// The disk image to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkdisk", make)
}

fn make(args: Args) -> anyhow::Result<()> {
    let csv = &args.partitions;
    let table = read_table(csv)?;
    let disk_size = match args.disk_size_mib {
        Some(mib) => Some(mib.checked_mul(MIB).context("--disk-size-mib: too large")?),
        None => None,
    };
    let layout = table
        .layout(disk_size)
        .with_context(|| csv.display().to_string())?;
    let guid = partitions::parse_guid(&args.disk_guid)
        .with_context(|| format!("--disk-guid: {:?} is no GUID", args.disk_guid))?;
    let mut images = Images::new();
    for image in args.images {
        if let Some(path) = images.insert(image.name.clone(), image.path) {
            let name = image.name;
            bail!("--image: {name:?} was given already, as {}", path.display());
        }
    }
    let named = || format!("cannot write {}", args.output.display());
    let mut output = cli::PendingOutput::create(&args.output).with_context(named)?;
    disk::assemble(output.file(), &layout, guid, &images)?;
    output.commit().with_context(named)
}

fn read_table(path: &Path) -> anyhow::Result<Table> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Table::parse(&text).with_context(|| path.display().to_string())
}
