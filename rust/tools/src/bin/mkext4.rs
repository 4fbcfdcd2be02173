//! `mkext4`: an ext4 image from a tree manifest.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use ext4::{Params, Size};

/// Writes a tree as an ext4 file system, sparse, the same bytes for the same input.
#[derive(clap::Parser)]
#[command(name = "mkext4")]
struct Args {
    /// Manifest of the tree.
    #[arg(long)]
    tree: PathBuf,
    /// The manifest's inputs, in its order.
    #[arg(long)]
    input: Vec<PathBuf>,
    /// Take only what lies in this folder of the tree.
    #[arg(long)]
    subdir: Option<String>,
    /// Leave out this path (relative to --subdir) and what lies under it; with a slash at its end, only what lies under it.
    #[arg(long)]
    exclude: Vec<String>,
    /// Size of the image in MiB; 0: as small as fits.
    #[arg(long)]
    size_mib: u64,
    /// With --size-mib 0: the share of the image that stays free.
    #[arg(long, default_value_t = 0)]
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
    /// Where the image goes.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkext4", run)
}

fn run(args: Args) -> Result<()> {
    let (tree, sources) = tree::open(&args.tree, &args.input)?;
    let tree = tree.cut(args.subdir.as_deref().map(str::as_bytes), &args.exclude)?;
    let params = Params {
        size: match args.size_mib {
            0 => Size::Smallest {
                free_percent: args.free_percent,
            },
            mib => Size::Mib(mib),
        },
        uuid: args.uuid,
        hash_seed: args.hash_seed,
        label: args.label,
        mtime: args.mtime,
        journal: args.journal,
    };
    let name = args.output.display();
    let create = || format!("cannot write {name}");
    let pending = cli::PendingOutput::create(&args.output).with_context(create)?;
    ext4::write(&tree, &sources, &params, pending.temporary_path()).context(name.to_string())?;
    pending.commit().with_context(create)
}
