//! `mklayer`: the plan of an OCI layer from a tree.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context, Error, Result};
use plan::List;
use tree::Tree;

/// Lays out what a tree has beyond the archive that lies under it as a tar. No file's content is read.
#[derive(clap::Parser)]
#[command(name = "mklayer")]
struct Args {
    /// List of the tree (*.tree).
    #[arg(long, value_name = "FILE")]
    tree: PathBuf,
    /// The tar that is the layer below, the first input of the tree; default: the whole tree is the layer.
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Where the plan goes.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mklayer", run)
}

fn run(args: Args) -> Result<()> {
    let (tree, bodies) = Tree::open_list(&args.tree)?;
    let below = args.base.as_deref();
    let below = below.map(|base| below_of(&args.tree, base)).transpose()?;
    let plan = container::layer(&tree, &bodies, below.as_ref())?;
    cli::write_output(&args.output, |out| plan.write(out)).map_err(Error::from_boxed)
}

/// The tree of `base`, which must be what the tree listed at `list` lies upon.
fn below_of(list: &Path, base: &Path) -> Result<Tree> {
    let first = List::read(list)?.inputs.into_iter().next();
    ensure!(
        first.as_deref() == Some(base),
        "--base: got {}, want the first input of {}: {}",
        base.display(),
        list.display(),
        first
            .as_deref()
            .unwrap_or(Path::new("it has none"))
            .display()
    );
    let what = || format!("base {}", base.display());
    let mut file = File::open(base).with_context(what)?;
    let len = file.metadata().with_context(what)?.len();
    let index = archive::index(&mut file).with_context(what)?;
    Tree::from_tar(index, len).with_context(what)
}
