//! `lock`: resolves package lists into lock files, with apt's resolver and the archive this machine's apt is set up with.
//!
//! Run by `bazel run`, or by hand anywhere in a source tree with `--workspace`. Nothing of this machine gets into a lock.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::str::FromStr;

use anyhow::{anyhow, bail, Context, Result};
use clap::Parser;
use debian::{Archive, ArchiveOptions, List, Lock};

/// Resolves package lists into lock files.
#[derive(Parser)]
struct Args {
    /// Suite, such as trixie
    #[arg(long)]
    suite: String,
    /// Architecture of the image
    #[arg(long, default_value = "amd64")]
    arch: String,
    /// A component of the suite that packages may come from, such as non-free-firmware
    #[arg(long = "component", value_name = "NAME", default_value = "main")]
    components: Vec<Component>,
    /// A lock file and the list files it resolves, relative to the workspace
    #[arg(long = "lock", value_name = "LOCK=LIST[,LIST…]")]
    locks: Vec<Wanted>,
    /// A list file, for --output
    #[arg(long = "list", value_name = "LIST", requires = "output")]
    lists: Vec<String>,
    /// The lock file that the --list files resolve into
    #[arg(long, value_name = "LOCK", requires = "lists")]
    output: Option<String>,
    /// Label of the target that is doing this: locks say it, for whoever finds them older than their lists
    #[arg(long, value_name = "LABEL")]
    update: Option<String>,
    /// Root of the source tree; default: the workspace that `bazel run` was called in
    #[arg(long)]
    workspace: Option<PathBuf>,
    /// Root of a Debian archive; default: DEBIAN_MIRROR, else those of this machine's apt
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// Keys that must have signed the suite
    #[arg(long, default_value = "/usr/share/keyrings/debian-archive-keyring.gpg")]
    keyring: PathBuf,
    /// A target to `bazel run` in the workspace afterwards
    #[arg(long, value_name = "LABEL")]
    then: Option<String>,
}

/// One lock to make.
#[derive(Clone)]
struct Wanted {
    output: String,
    lists: Vec<String>,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let want = || format!("got `{text}`, want LOCK=LIST[,LIST…]");
        let (output, lists) = text.split_once('=').ok_or_else(want)?;
        let lists: Vec<String> = lists.split(',').map(str::to_owned).collect();
        if output.is_empty() || lists.iter().any(String::is_empty) {
            return Err(want());
        }
        Ok(Self {
            output: output.to_owned(),
            lists,
        })
    }
}

/// A component's name: it becomes a word of apt's configuration.
#[derive(Clone)]
struct Component(String);

impl FromStr for Component {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
            return Err(format!(
                "got `{text}`, want lower-case letters, digits and hyphens"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

fn main() -> ExitCode {
    cli::run("lock", run)
}

fn run(args: Args) -> Result<()> {
    let workspace =
        cli::workspace(args.workspace.as_deref()).context("where is the source tree?")?;
    let mut locks = args.locks.clone();
    if let Some(output) = &args.output {
        locks.push(Wanted {
            output: output.clone(),
            lists: args.lists.clone(),
        });
    }
    if locks.is_empty() {
        bail!("nothing to lock: give --lock, or --list and --output");
    }
    // All lists first: a slip in one should not cost a download.
    let locks: Vec<(String, Vec<List>)> = locks
        .into_iter()
        .map(|wanted| Ok((wanted.output, read_lists(&workspace, &wanted.lists)?)))
        .collect::<Result<_>>()?;
    eprintln!("lock: fetching the indexes of {} {}", args.suite, args.arch);
    let archive = Archive::open(&ArchiveOptions {
        suite: args.suite.clone(),
        components: args.components.iter().map(|c| c.0.clone()).collect(),
        architecture: args.arch.clone(),
        keyring: args.keyring.clone(),
        mirror: args.mirror.clone().or_else(mirror_of_environment),
    })?;
    for (output, lists) in &locks {
        eprintln!("lock: resolving {output}");
        let mut lock = archive.resolve(lists).with_context(|| output.clone())?;
        lock.update.clone_from(&args.update);
        write(&workspace, output, &lock)?;
    }
    match &args.then {
        Some(target) => bazel_run(&workspace, target),
        None => Ok(()),
    }
}

/// The archive people choose for the whole build; the fetching of packages heeds the same variable.
#[allow(
    clippy::disallowed_methods,
    reason = "where files come from is the machine's business; what they must contain is signed"
)]
fn mirror_of_environment() -> Option<String> {
    std::env::var("DEBIAN_MIRROR")
        .ok()
        .filter(|m| !m.is_empty())
}

fn read_lists(workspace: &Path, files: &[String]) -> Result<Vec<List>> {
    files
        .iter()
        .map(|file| {
            let path = workspace.join(file);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Ok(debian::parse_list(file, &text)?)
        })
        .collect()
}

/// Writes a lock if it changed, and says on stderr what did.
fn write(workspace: &Path, output: &str, lock: &Lock) -> Result<()> {
    let path = workspace.join(output);
    let text = lock.write()?;
    let old = fs::read_to_string(&path).ok();
    let count = lock.packages.len();
    let bytes: u64 = lock.packages.iter().map(|p| p.size).sum();
    let summary = format!("{output}: {count} packages, {} MB", bytes / 1_000_000);
    if old.as_deref() == Some(text.as_str()) {
        eprintln!("{summary}, unchanged");
        return Ok(());
    }
    cli::write_output(&path, |out| out.write_all(text.as_bytes())).map_err(|e| anyhow!(e))?;
    match old.map(|old| Lock::read(&old)) {
        Some(Ok(old)) => eprintln!("{summary}: {}", lock.changes_since(&old)),
        Some(Err(_)) => eprintln!("{summary}, in place of an unreadable one"),
        None => eprintln!("{summary}, new"),
    }
    Ok(())
}

fn bazel_run(workspace: &Path, target: &str) -> Result<()> {
    eprintln!("lock: bazel run {target}");
    let status = Command::new("bazel")
        .args(["run", target])
        .current_dir(workspace)
        .status()
        .with_context(|| {
            format!("cannot start bazel; the locks are written, now run: bazel run {target}")
        })?;
    if !status.success() {
        bail!("the locks are written, but `bazel run {target}` failed ({status})");
    }
    Ok(())
}
