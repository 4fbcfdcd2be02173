//! `mkfile`: the plan of one file of a tree.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Error, Result};
use tree::Tree;

/// Takes a file out of a tree, without its bytes.
#[derive(clap::Parser)]
#[command(name = "mkfile")]
struct Args {
    /// List of the tree (*.tree).
    #[arg(long, value_name = "FILE")]
    tree: PathBuf,
    /// Path of the file in the tree.
    #[arg(long)]
    path: String,
    /// Where the plan goes.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkfile", run)
}

fn run(args: Args) -> Result<()> {
    let (tree, bodies) = Tree::open_list(&args.tree)?;
    let plan = tree.file(&args.path, &bodies, 0)?;
    cli::write_output(&args.output, |out| plan.write(out)).map_err(Error::from_boxed)
}
