//! `mkfat`: the plan of a FAT image from a tree manifest.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, Context, Error, Result};
use fat::{FatType, Params};
use partitions::Table;
use tree::Tree;

/// Lays a tree out as a FAT file system. Reads no file's content.
#[derive(clap::Parser)]
#[command(name = "mkfat")]
struct Args {
    /// List of the tree (*.tree): the path of its manifest, then of what each of the manifest's inputs is, in its order, a path a
    /// line: a file, which is not read, or a list of an image (*.image).
    #[arg(long, value_name = "FILE")]
    tree: PathBuf,
    /// Take only what lies in this folder of the tree.
    #[arg(long)]
    subdir: Option<String>,
    /// Leave out this path (relative to --subdir) and what lies under it; with a slash at its end, only what lies under it.
    #[arg(long)]
    exclude: Vec<String>,
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
    /// Serial number of the volume, eight hexadecimal digits.
    #[arg(long)]
    volume_id: String,
    /// Volume label, at most 11 capital letters.
    #[arg(long, default_value = "")]
    label: String,
    /// 12, 16 or 32; default by size.
    #[arg(long)]
    fat_type: Option<u8>,
    /// Time of every entry in seconds since 1970.
    #[arg(long)]
    mtime: i64,
    /// Where the plan goes.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkfat", run)
}

fn run(args: Args) -> Result<()> {
    let (tree, bodies) = Tree::open_list(&args.tree)?;
    let tree = tree.cut(args.subdir.as_deref().map(str::as_bytes), &args.exclude)?;
    let params = Params {
        size_mib: size_mib(&args)?,
        fat_type: match args.fat_type {
            None => None,
            Some(12) => Some(FatType::Fat12),
            Some(16) => Some(FatType::Fat16),
            Some(32) => Some(FatType::Fat32),
            Some(other) => bail!("fat type: got {other}, want 12, 16 or 32"),
        },
        volume_id: volume_id(&args.volume_id)?,
        label: args.label,
        mtime: args.mtime,
    };
    let plan = fat::layout(&tree, &bodies, &params)?;
    cli::write_output(&args.output, |out| out.write_all(&plan.encode())).map_err(Error::from_boxed)
}

/// The size that was asked for, or that of the partition.
fn size_mib(args: &Args) -> Result<u64> {
    let (Some(csv), Some(name)) = (&args.partitions, &args.partition) else {
        return args.size_mib.context("--size-mib or --partition is needed");
    };
    let place = csv.display();
    let text = std::fs::read_to_string(csv).with_context(|| format!("cannot read {place}"))?;
    let table = Table::parse(&text).with_context(|| place.to_string())?;
    let partition = table.get(name);
    let partition = partition.with_context(|| format!("{place}: no partition is called {name}"))?;
    partition.mib().with_context(|| place.to_string())
}

fn volume_id(text: &str) -> Result<u32> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        bail!("volume id: got '{text}', want eight hexadecimal digits");
    }
    Ok(u32::from_str_radix(text, 16)?)
}
