//! `vendor`: writes every file that builds fetch into a folder, for machines without a network and for the day when the archive has moved on.
//!
//! Run by `bazel run`, or by hand anywhere in a source tree with `--workspace`. docs/formats/vendor.md has the folder.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::str::FromStr;

use anyhow::{bail, Context, Result};
use base::Sha256Digest;
use clap::Parser;
use cli::Progress;
use vendor::{gather, Archives, Came, Folder, Gathered, Items, Missing, Sources};

/// Writes every file that builds fetch into a folder: Debian packages of locks, and crates. What is there already is kept.
#[derive(Parser)]
struct Args {
    /// The folder: a bundle made before, an empty folder, or none yet
    dir: PathBuf,
    /// A package lock, relative to the workspace
    #[arg(long = "lock", value_name = "FILE")]
    locks: Vec<PathBuf>,
    /// A package lock that not every source tree has
    #[arg(long = "lock-if-there", value_name = "FILE")]
    locks_if_there: Vec<PathBuf>,
    /// A Cargo.lock whose crates are wanted; its Cargo.toml is beside it
    #[arg(long, value_name = "FILE")]
    crates: Option<PathBuf>,
    /// A crate that is in no lock, as those that rules fetch for themselves; looked for where Bazel and cargo keep theirs
    #[arg(long = "crate", value_name = "NAME-VERSION=SHA256")]
    more_crates: Vec<More>,
    /// Label of the target that is doing this: the index says it, for whoever finds that something is missing
    #[arg(long, value_name = "LABEL")]
    update: Option<String>,
    /// Root of the source tree; default: the workspace that `bazel run` was called in
    #[arg(long)]
    workspace: Option<PathBuf>,
    /// Root of a Debian archive; default: DEBIAN_MIRROR; then those of this machine's apt
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// Root of an archive of security updates; default: DEBIAN_SECURITY_MIRROR; then those of this machine's apt, then beside the other
    #[arg(long, value_name = "URL")]
    security_mirror: Option<String>,
    /// A snapshot service, with {root}, {timestamp} and {path}; default: DEBIAN_SNAPSHOT
    #[arg(long, value_name = "URL")]
    snapshot: Option<String>,
    /// Bazel's repository cache; default: what `bazel info` says
    #[arg(long, value_name = "DIR")]
    repository_cache: Option<PathBuf>,
}

/// A crate by name, version and digest.
#[derive(Clone)]
struct More {
    name: String,
    version: String,
    sha256: Sha256Digest,
}

impl FromStr for More {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('=')
            .and_then(|(stem, sum)| Some((stem.rsplit_once('-')?, sum)));
        let Some(((name, version), sum)) = parts else {
            return Err("want NAME-VERSION=SHA256".to_owned());
        };
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            sha256: sum.parse().map_err(|e| format!("{sum:?}: {e}"))?,
        })
    }
}

fn main() -> ExitCode {
    cli::run("vendor", run)
}

fn run(args: Args) -> Result<()> {
    let workspace =
        cli::workspace(args.workspace.as_deref()).context("where is the source tree?")?;
    let items = read_locks(&args, &workspace)?;
    let or_set = |flag: &Option<String>, name| flag.clone().or_else(|| variable(name));
    let sources = Sources {
        repository_cache: args.repository_cache.or_else(|| bazel_cache(&workspace)),
        container_debs: variable("IMAGE_BUILD_CACHE").map(|cache| Path::new(&cache).join("debs")),
        archives: Archives::of_machine(
            or_set(&args.mirror, "DEBIAN_MIRROR").as_deref(),
            or_set(&args.security_mirror, "DEBIAN_SECURITY_MIRROR").as_deref(),
            or_set(&args.snapshot, "DEBIAN_SNAPSHOT").as_deref(),
        )?,
        cargo_home: cargo_home()?,
        manifest: args
            .crates
            .map(|lock| workspace.join(lock).with_file_name("Cargo.toml")),
    };
    let dir = cli::from_user(&args.dir);
    let folder = Folder::open(&dir)?;
    // Crates are small beside packages, and their lock does not say their sizes.
    let sizes = items.iter().filter_map(|item| item.size);
    // For a person to look at, and a lock may say any size: saturated it only makes the percentage small.
    let total = sizes.fold(0, u64::saturating_add);
    let progress = Progress::new("vendor: bringing files", total);
    let mut done: u64 = 0;
    let gathered = gather(&folder, &items, &sources, |size| {
        // For a person to look at: the last figure will do.
        done = done.saturating_add(size).min(total);
        progress.show(done);
    });
    progress.end();
    let Gathered {
        there,
        came,
        missing,
    } = gathered?;
    if !missing.is_empty() {
        bail!(lacking(&dir, &missing));
    }
    folder.finish(&there, args.update.as_deref())?;
    let sizes = there.iter().map(|(_, size)| u128::from(*size));
    eprintln!(
        "vendor: {}: {} files, {}: {}",
        dir.display(),
        there.len(),
        base::text::bytes(sizes.sum::<u128>()),
        origins(&came)
    );
    eprintln!(
        "vendor: to build from it: bazel build --repo_env=VENDOR={} …",
        dir.display()
    );
    Ok(())
}

fn origins(came: &Came) -> String {
    format!(
        "{} were there, {} from Bazel's repository cache, {} from archives, {} from cargo",
        came.kept, came.cached, came.archives, came.cargo
    )
}

/// The files that all locks name.
fn read_locks(args: &Args, workspace: &Path) -> Result<Items> {
    let read = |file: &Path| {
        let path = workspace.join(file);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let mut items = Items::default();
    for file in &args.locks {
        items.add_packages(&file.to_string_lossy(), &read(file)?)?;
    }
    for file in &args.locks_if_there {
        if workspace.join(file).exists() {
            items.add_packages(&file.to_string_lossy(), &read(file)?)?;
        }
    }
    if let Some(file) = &args.crates {
        items.add_crates(&file.to_string_lossy(), &read(file)?)?;
    }
    for More {
        name,
        version,
        sha256,
    } in &args.more_crates
    {
        items.add_crate("--crate", name, version, *sha256)?;
    }
    if items.is_empty() {
        bail!("nothing to bring: give --lock, or --crates");
    }
    Ok(items)
}

/// What is said when files are not to be had.
fn lacking(dir: &Path, missing: &[Missing<'_>]) -> String {
    const NAMED: usize = 10;
    let mut lines: Vec<String> = missing
        .iter()
        .take(NAMED)
        .map(|Missing { item, asked }| {
            let of: Vec<&str> = item.of.iter().map(String::as_str).collect();
            let asked = match asked.is_empty() {
                true => "no archive is known here: set DEBIAN_MIRROR".to_owned(),
                false => format!("asked: {}", asked.join(", ")),
            };
            format!("  {} (of {}; {asked})", item.name, of.join(", "))
        })
        .collect();
    if let Some(more) = missing.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more"));
    }
    format!(
        "{} files are not to be had with the content that is locked:\n{}\nA snapshot service may have them (DEBIAN_SNAPSHOT); else lock anew what there is. \
         What did come stays in {}, and the next run goes on from there; a bundle that was there is as it was",
        missing.len(),
        lines.join("\n"),
        dir.display()
    )
}

/// What `bazel info` says of the cache; without Bazel there is none.
fn bazel_cache(workspace: &Path) -> Option<PathBuf> {
    let output = Command::new("bazel")
        .args(["info", "repository_cache"])
        .current_dir(workspace)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    let path = PathBuf::from(path.trim_end());
    (output.status.success() && path.is_absolute()).then_some(path)
}

/// What people set for the whole build; the fetching of packages heeds the same.
#[allow(
    clippy::disallowed_methods,
    reason = "where files come from is the machine's business; what they must contain is locked"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Cargo's own folder, as cargo finds it.
fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = variable("CARGO_HOME") {
        return Ok(PathBuf::from(home));
    }
    let home = variable("HOME").context("where are cargo's files? Set HOME or CARGO_HOME")?;
    Ok(Path::new(&home).join(".cargo"))
}
