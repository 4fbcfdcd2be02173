//! `mkfat`: the plan of a FAT image from a tree manifest.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, Error, Result};
use fat::{FatType, Params};
use image_size::ImageSize;
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
    #[command(flatten)]
    size: ImageSize,
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
        size_mib: args.size.mib()?,
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

fn volume_id(text: &str) -> Result<u32> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        bail!("volume id: got '{text}', want eight hexadecimal digits");
    }
    Ok(u32::from_str_radix(text, 16)?)
}
