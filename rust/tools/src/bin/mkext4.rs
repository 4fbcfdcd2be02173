//! `mkext4`: the plan of an ext4 image from a tree manifest.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use ext4::{Params, Size};
use partitions::Table;
use tree::Tree;

/// Lays out a tree as an ext4 file system: the same plan for the same manifest. No file's content is read.
#[derive(clap::Parser)]
#[command(name = "mkext4")]
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
    /// Size of the image in MiB; 0: as small as fits.
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
    /// With --size-mib 0: the share of the image that stays free, in percent, 98 at most.
    #[arg(long, default_value_t = 0, conflicts_with = "partition")]
    free_percent: u8,
    /// Identifier of the file system.
    #[arg(long)]
    uuid: String,
    /// Seed of the directory hash, a UUID.
    #[arg(long)]
    hash_seed: String,
    /// Volume label, at most 16 bytes.
    #[arg(long, default_value = "")]
    label: String,
    /// Time of creation, and the latest time of any file, in seconds since 1970.
    #[arg(long)]
    mtime: i64,
    /// Make a journal.
    #[arg(long)]
    journal: bool,
    /// Where the plan goes.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkext4", run)
}

fn run(args: Args) -> Result<()> {
    let (tree, bodies) = Tree::open_list(&args.tree)?;
    let tree = match (args.subdir.as_deref(), args.exclude.as_slice()) {
        (None, []) => tree,
        (subdir, exclude) => tree.cut(subdir.map(str::as_bytes), exclude)?,
    };
    let size = match size_mib(&args)? {
        0 => Size::Smallest {
            free_percent: args.free_percent,
        },
        mib => Size::Mib(mib),
    };
    let params = Params {
        size,
        uuid: args.uuid,
        hash_seed: args.hash_seed,
        label: args.label,
        mtime: args.mtime,
        journal: args.journal,
    };
    let name = args.output.display();
    let layout = ext4::layout(&tree, &bodies, &params).context(name.to_string())?;
    cli::write_output(&args.output, |out| layout.plan.write(out)).map_err(Error::from_boxed)
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
