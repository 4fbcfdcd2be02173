//! `checkfit`: whether the programs that were laid late over a tree start in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context, Error, Result};
use elf::{Checked, How};
use plan::List;
use tree::{display, Sources, Tree};

/// Checks every ELF program and library that was injected into a tree against the tree's own loader and libraries: that they are
/// there, for this processor, and have the versions of symbols that are asked for. A static program needs nothing.
#[derive(clap::Parser)]
#[command(name = "checkfit")]
struct Args {
    /// The tree: its list (*.tree), with the files that it names.
    #[arg(long)]
    tree: PathBuf,
    /// Where the list goes of what was checked: path, and `static`, `not-loaded` or the libraries that are loaded for it.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("checkfit", run)
}

fn run(args: Args) -> Result<()> {
    let (tree, sources, images) = open(&args.tree)?;
    let read = |source: tree::Source| match images.get(source.input) {
        // An image is no program, and nobody has written it.
        Some(true) => Ok(None),
        _ => sources.read(source).map(Some),
    };
    let (checked, misfits) = elf::check(&tree, read)?;
    let lines: Vec<String> = misfits.iter().map(ToString::to_string).collect();
    if !lines.is_empty() {
        bail!(
            "programs that would not start in this image:\n  {}",
            lines.join("\n  ")
        );
    }
    let text: String = checked.iter().map(line).collect();
    cli::write_output(&args.output, |out| out.write_all(text.as_bytes())).map_err(Error::from_boxed)
}

/// The tree of a list, its files, and which of its inputs are images.
fn open(path: &Path) -> Result<(Tree, Sources, Vec<bool>)> {
    let what = || path.display().to_string();
    let list = List::read(path).with_context(what)?;
    let manifest = std::fs::read(&list.plan)
        .with_context(|| format!("cannot read {}", list.plan.display()))?;
    let tree = Tree::read(&manifest[..]).with_context(|| list.plan.display().to_string())?;
    let inputs = list.inputs.iter();
    let files: Vec<Option<&PathBuf>> = inputs
        .map(|input| (!List::is_named(input)).then_some(input))
        .collect();
    let sources = Sources::open_files(&tree, &files).with_context(what)?;
    let images = files.iter().map(Option::is_none).collect();
    Ok((tree, sources, images))
}

fn line(checked: &Checked) -> String {
    let path = display(&checked.path);
    let how = match &checked.how {
        How::Static => "static".to_owned(),
        How::NotLoaded => "not-loaded".to_owned(),
        How::Dynamic(libraries) => {
            let paths: Vec<String> = libraries
                .iter()
                .map(|path| format!("/{}", display(path)))
                .collect();
            paths.join(" ")
        }
    };
    format!("/{path} {how}\n")
}
