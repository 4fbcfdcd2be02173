//! `mkuki`: the plan of a unified kernel image.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context, Error, Result};
use pe::uki::{layout, Profile, Texts};
use plan::Reader;
use tree::Tree;

/// Lays a kernel, an initrd and command lines out over a stub. Reads the headers of stub and kernel, and the texts.
#[derive(clap::Parser)]
#[command(name = "mkuki")]
struct Args {
    /// List of the tree with the stub (*.tree).
    #[arg(long, value_name = "FILE")]
    stub_tree: PathBuf,
    /// Path of the stub in its tree.
    #[arg(long)]
    stub: String,
    /// List of the tree with the kernel (*.tree).
    #[arg(long, value_name = "FILE")]
    tree: PathBuf,
    /// Path of the kernel in the tree.
    #[arg(long)]
    kernel: String,
    /// Path of the initrd in the tree.
    #[arg(
        long,
        conflicts_with = "initrd_image",
        required_unless_present = "initrd_image"
    )]
    initrd: Option<String>,
    /// List of the initrd, if it is an image of its own (*.image).
    #[arg(long, value_name = "FILE")]
    initrd_image: Option<PathBuf>,
    /// File of the .osrel section.
    #[arg(long, conflicts_with = "os_release_path")]
    os_release: Option<PathBuf>,
    /// Path of the same in the tree.
    #[arg(long)]
    os_release_path: Option<String>,
    /// File of the command line, one line.
    #[arg(long)]
    cmdline: PathBuf,
    /// The kernel's release; default: what it says itself.
    #[arg(long)]
    uname: Option<String>,
    /// File of SBAT lines besides those of stub and kernel.
    #[arg(long)]
    sbat: Option<PathBuf>,
    /// File of a profile's command line; the first is profile 1. Each is followed by its --profile-text.
    #[arg(long)]
    profile_cmdline: Vec<PathBuf>,
    /// What the profile says of itself: KEY=VALUE, several separated by `;`.
    #[arg(long)]
    profile_text: Vec<String>,
    /// Where the plan goes.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkuki", run)
}

fn run(args: Args) -> Result<()> {
    let images: Vec<&Path> = args.initrd_image.iter().map(PathBuf::as_path).collect();
    let (trees, bodies) = Tree::open_lists_and(&[&args.stub_tree, &args.tree], &images)?;
    let file = |at: usize, path: &str| {
        let (tree, first) = trees.get(at).context("a tree")?;
        let from = [&args.stub_tree, &args.tree].map(|path| path.display().to_string());
        let name = from.get(at).map_or("", String::as_str);
        let plan = tree.file(path, &bodies, *first);
        plan.with_context(|| format!("{path} in {name}"))
    };
    let stub = Reader::open(file(0, &args.stub)?, bodies.paths())?;
    let linux = Reader::open(file(1, &args.kernel)?, bodies.paths())?;
    let initrd = match &args.initrd {
        Some(path) => file(1, path)?,
        None => bodies.plans().last().context("an initrd")?.clone(),
    };
    let os_release = match (&args.os_release, &args.os_release_path) {
        (Some(path), _) => text(path)?,
        (None, Some(path)) => {
            let reader = Reader::open(file(1, path)?, bodies.paths())?;
            read_text(&reader).with_context(|| path.clone())?
        }
        (None, None) => String::new(),
    };
    let texts = Texts {
        os_release,
        cmdline: one_line(&args.cmdline)?,
        uname: args.uname,
        sbat: args
            .sbat
            .as_deref()
            .map(text)
            .transpose()?
            .unwrap_or_default(),
        profiles: profiles(&args.profile_cmdline, &args.profile_text)?,
    };
    let plan = layout(&stub, &linux, &initrd, &texts)?;
    cli::write_output(&args.output, |out| plan.write(out)).map_err(Error::from_boxed)
}

fn profiles(cmdlines: &[PathBuf], texts: &[String]) -> Result<Vec<Profile>> {
    let (lines, have) = (cmdlines.len(), texts.len());
    ensure!(
        lines == have,
        "{lines} times --profile-cmdline, but {have} times --profile-text: want one of each for a profile"
    );
    let pairs = cmdlines.iter().zip(texts);
    let profile = |(cmdline, text): (&PathBuf, &String)| {
        Ok(Profile {
            text: text.replace(';', "\n"),
            cmdline: one_line(cmdline)?,
        })
    };
    pairs.map(profile).collect()
}

fn one_line(path: &Path) -> Result<String> {
    Ok(text(path)?.trim_end().to_owned())
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The longest text that is read out of a tree.
const MAX_TEXT: u64 = 64 << 10;

fn read_text(reader: &Reader) -> Result<String> {
    let len = reader.len();
    ensure!(len <= MAX_TEXT, "{len} bytes, want {MAX_TEXT} at most");
    let mut bytes = vec![0; base::as_usize(len)];
    reader.read_at(&mut bytes, 0)?;
    Ok(String::from_utf8(bytes)?)
}
