//! `mkinitrd`: an initial RAM disk of one program and the kernel modules that it needs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use base::as_u64;
use initrd::{Name, Request, Root};
use plan::{Builder, Input, Plan};
use tree::Tree;

/// Makes an initial RAM disk: a program, and kernel modules with their firmware from a root file system.
#[derive(clap::Parser)]
#[command(name = "mkinitrd")]
struct Args {
    /// List of the tree with the kernel's modules (*.tree).
    #[arg(long, value_name = "FILE")]
    tree: PathBuf,
    /// The program that the kernel starts, linked statically.
    #[arg(long, value_name = "FILE")]
    init: PathBuf,
    /// Modules that are there for devices that want them: one name a line, `#` begins a comment.
    #[arg(long, value_name = "FILE")]
    modules: Vec<PathBuf>,
    /// Modules that are loaded at once, in this order; likewise.
    #[arg(long, value_name = "FILE")]
    at_once: Vec<PathBuf>,
    /// The kernel's release; default: that of the only one in the tree.
    #[arg(long, value_name = "TEXT")]
    kernel_release: Option<String>,
    /// Put the processors' microcode in front.
    #[arg(long)]
    microcode: bool,
    /// Where the initial RAM disk goes.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Where the plan goes of the image whose only input that is.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Where the plan goes of all that it was made from, one after another, over the tree's inputs and the program.
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("mkinitrd", run)
}

fn run(args: Args) -> Result<()> {
    let (tree, bodies) = Tree::open_list(&args.tree)?;
    let root = Root::open(&tree, &bodies, 0)?;
    let init = std::fs::read(&args.init);
    let init = init.with_context(|| format!("cannot read {}", args.init.display()))?;
    let request = Request {
        init: &init,
        available: &names(&args.modules)?,
        at_once: &names(&args.at_once)?,
        release: args.kernel_release.as_deref(),
        microcode: args.microcode,
    };
    let bytes = initrd::build(&root, &request)?;
    let plan = Plan::whole(as_u64(bytes.len()))?;
    if let Some(path) = &args.sources {
        let sources = with_program(&root.sources()?, bodies.paths(), &args.init, &init)?;
        cli::write_output(path, |out| sources.write(out)).map_err(Error::from_boxed)?;
    }
    cli::write_output(&args.plan, |out| plan.write(out)).map_err(Error::from_boxed)?;
    cli::write_output(&args.output, |out| out.write_all(&bytes)).map_err(Error::from_boxed)
}

/// The names of all these lists.
fn names(paths: &[PathBuf]) -> Result<Vec<Name>> {
    let mut names = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        names.extend(Name::list(&name, &text)?);
    }
    Ok(names)
}

/// `sources`, over the inputs at `paths`, with the program behind it, which is the last input if it is none of these.
fn with_program(sources: &Plan, paths: &[PathBuf], program: &Path, bytes: &[u8]) -> Result<Plan> {
    let mut inputs = sources.inputs().to_vec();
    let len = as_u64(bytes.len());
    let place = match paths.iter().position(|path| path == program) {
        Some(place) => place,
        None => {
            inputs.push(Input::of_len(len));
            paths.len()
        }
    };
    let mut builder = Builder::new(inputs);
    builder.plan(sources)?;
    builder.source(u32::try_from(place)?, 0, len)?;
    Ok(builder.finish()?)
}
