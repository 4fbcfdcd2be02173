//! `mkdisk`: the plan of a disk from a partition table and the partitions' images.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context, Error};
use disk::{Images, NamedFile};
use partitions::{Table, MIB};

/// Puts partition images behind a GUID partition table. Reads no image, plans only.
#[derive(clap::Parser)]
struct Args {
    /// The partition table: name,start,size,type,uuid,description.
    #[arg(long, value_name = "CSV")]
    partitions: PathBuf,
    /// GUID of the disk.
    #[arg(long, value_name = "GUID")]
    disk_guid: String,
    /// Content of partition NAME: a list (*.image) or a plain file; partitions without one are left empty.
    #[arg(long = "image", value_name = "NAME=FILE")]
    images: Vec<NamedFile>,
    /// Size of the disk; default: the smallest that holds the partitions.
    #[arg(long, value_name = "MIB")]
    disk_size_mib: Option<u64>,
    /// The disk's plan, over the inputs of the images in the order of their first appearance.
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
    let opened = disk::open(args.images)?;
    let mut images = Images::new();
    for (name, image) in opened.images {
        if let Some(other) = images.insert(name.clone(), image) {
            let path = other.path.display();
            bail!("--image: {name:?} was given already, as {path}");
        }
    }
    let plan = disk::assemble(&layout, guid, &images, opened.inputs)?;
    cli::write_output(&args.output, |out| out.write_all(&plan.encode())).map_err(Error::from_boxed)
}

fn read_table(path: &Path) -> anyhow::Result<Table> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Table::parse(&text).with_context(|| path.display().to_string())
}
