//! `mkext4`: the plan of an ext4 image from a tree manifest.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use ext4::{Params, Size};
use image_size::ImageSize;
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
    #[command(flatten)]
    size: ImageSize,
    /// With --size-mib 0, which is as small as fits: the share of the image that stays free, in percent, 98 at most.
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
    let size = match args.size.mib()? {
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
