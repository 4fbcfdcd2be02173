//! `inject`: a tree manifest from a base tar and a list of files to put into it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context, Error, Result};
use plan::{List, Plan};
use serde::Deserialize;
use tree::{Entry, Input, Kind, Source, Sources, Stamp, Tree};

/// Puts files, directories and symbolic links into the tree of a base tar and writes the tree's manifest.
///
/// The manifest's first input is the base, if there is one; then come the `src` files in the order of the list.
#[derive(clap::Parser)]
#[command(name = "inject")]
struct Args {
    /// Tar archive of the root file system; default: a root directory (0755, root's, of --mtime) with nothing in it.
    #[arg(long)]
    base: Option<PathBuf>,
    /// What to put into it: JSON lines of `{"dest":"/etc/x","src":"path","mode":"0644","uid":0,"gid":0}`,
    /// `{"dest":"/a","dir":true,"mode":"0755"}` or `{"dest":"/l","symlink":"target"}`. A `src` named `*.image` is a list: the
    /// file's content is the image, which is not read.
    #[arg(long)]
    files: Option<PathBuf>,
    /// Enable and disable systemd units as `systemctl preset-all` would in the finished tree. Injected units and presets that could
    /// not do anything there (misspelt, without their program, started by nothing) are refused.
    #[arg(long)]
    preset_all: bool,
    /// Modification time of everything injected, in seconds since 1970.
    #[arg(long)]
    mtime: i64,
    /// Where the manifest goes.
    #[arg(long)]
    output: PathBuf,
    /// Where the sorted list of enabled units goes, one a line.
    #[arg(long, requires = "preset_all")]
    units_output: Option<PathBuf>,
}

/// One line of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    dest: String,
    src: Option<PathBuf>,
    #[serde(default)]
    dir: bool,
    symlink: Option<String>,
    mode: Option<String>,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
}

fn main() -> ExitCode {
    cli::run("inject", run)
}

fn run(args: Args) -> Result<()> {
    let (mut tree, mut paths) = match &args.base {
        Some(base) => (read_base(base)?, vec![Some(base.clone())]),
        None => (empty(args.mtime), Vec::new()),
    };
    if let Some(files) = &args.files {
        let list = File::open(files).with_context(|| format!("cannot open {}", files.display()))?;
        for (number, line) in (1..).zip(BufReader::new(list).lines()) {
            let at = format!("{} line {number}", files.display());
            let line = line.with_context(|| format!("cannot read {at}"))?;
            let item: Item = serde_json::from_str(&line).with_context(|| at.clone())?;
            insert(&mut tree, &mut paths, &item, args.mtime, &at)?;
        }
    }
    let mut enabled = BTreeSet::new();
    if args.preset_all {
        let sources = Sources::open_files(&tree, &paths)?;
        enabled = preset_all(&mut tree, &sources, args.mtime)?;
    }
    cli::write_output(&args.output, |out| tree.write(out)).map_err(Error::from_boxed)?;
    if let Some(path) = &args.units_output {
        let text: String = enabled.iter().map(|unit| format!("{unit}\n")).collect();
        cli::write_output(path, |out| std::io::Write::write_all(out, text.as_bytes()))
            .map_err(Error::from_boxed)?;
    }
    Ok(())
}

fn empty(mtime: i64) -> Tree {
    Tree::new(Stamp {
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime,
        mtime_nanos: 0,
    })
}

fn read_base(path: &Path) -> Result<Tree> {
    let what = || format!("base {}", path.display());
    let mut file = File::open(path).with_context(what)?;
    let len = file.metadata().with_context(what)?.len();
    let index = archive::index(&mut file).with_context(what)?;
    Tree::from_tar(index, len).with_context(what)
}

/// Puts one item into `tree`. A new input's path goes to `paths`; none if it is no file.
fn insert(
    tree: &mut Tree,
    paths: &mut Vec<Option<PathBuf>>,
    item: &Item,
    mtime: i64,
    at: &str,
) -> Result<()> {
    let mut file = |len, file: Option<&PathBuf>| {
        let input = tree.add_input(Input { len });
        paths.push(file.cloned());
        let offset = 0;
        Kind::File(Source { input, offset, len })
    };
    let (kind, origin, mode) = match (&item.src, item.dir, &item.symlink) {
        (Some(src), false, None) if List::is_named(src) => {
            let plan = Plan::open(&List::open(src)?.plan).with_context(|| at.to_owned())?;
            (file(plan.len(), None), src.display().to_string(), 0o644)
        }
        (Some(src), false, None) => {
            let meta = std::fs::metadata(src)
                .with_context(|| format!("{at}: cannot read {}", src.display()))?;
            if !meta.is_file() {
                bail!("{at}: {} is not a regular file", src.display());
            }
            let kind = file(meta.len(), Some(src));
            (kind, src.display().to_string(), 0o644)
        }
        (None, true, None) => (Kind::Dir, "a directory line".to_owned(), 0o755),
        (None, false, Some(target)) => {
            let target = target.as_bytes().to_vec();
            (Kind::Symlink { target }, "a symlink line".to_owned(), 0o777)
        }
        _ => bail!("{at}: wants exactly one of 'src', 'dir' and 'symlink'"),
    };
    let mode = match &item.mode {
        Some(_) if item.symlink.is_some() => bail!("{at}: a symlink has no mode"),
        Some(text) => parse_mode(text)
            .with_context(|| format!("{at}: mode '{text}' is not octal, at most 7777"))?,
        None => mode,
    };
    let stamp = Stamp {
        mode,
        uid: item.uid,
        gid: item.gid,
        mtime,
        mtime_nanos: 0,
    };
    let entry = Entry::injected(kind, stamp);
    tree.insert(item.dest.as_bytes(), entry, &format!("{origin} ({at})"))?;
    Ok(())
}

fn parse_mode(text: &str) -> Option<u32> {
    let octal = !text.is_empty() && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let mode = octal.then(|| u32::from_str_radix(text, 8).ok()).flatten()?;
    (mode <= 0o7777).then_some(mode)
}

/// Enables and disables units as the presets of the finished tree say; the units that are enabled then.
fn preset_all(tree: &mut Tree, sources: &Sources, mtime: i64) -> Result<BTreeSet<String>> {
    let plan = systemd::preset_all(tree, |source| sources.read(source)).context("presets")?;
    if !plan.problems.is_empty() {
        let lines: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        bail!("presets: {}", lines.join("; "));
    }
    plan.apply(tree, mtime).context("presets")?;
    let faults = systemd::check(tree, |source| sources.read(source)).context("units")?;
    if !faults.is_empty() {
        let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        bail!(
            "units that would not do what they are there for:{}",
            lines.concat()
        );
    }
    Ok(systemd::enabled(tree))
}
