//! `lock`: resolves package lists into lock files, with apt's resolver and the archive this machine's apt is set up with.
//!
//! Run by `bazel run`, or by hand anywhere in a source tree with `--workspace`. Nothing of this machine gets into a lock.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{anyhow, bail, Context, Result};
use clap::{Parser, ValueEnum};
use cli::PendingOutput;
use debian::{
    Archive, ArchiveOptions, Changes, Facts, List, Lock, Package, Relocked, Root, Summary,
};
use serde::Deserialize;

/// Resolves package lists into lock files: all are written, or none.
///
/// Packages that are locked already stay at their versions where the suites still have these; --upgrade makes them the newest.
#[derive(Parser)]
struct Args {
    /// A file that says what to lock, as debian_lock writes it: NAME is what --os calls it
    #[arg(long = "plan", value_name = "NAME=FILE")]
    plans: Vec<NamedPlan>,
    /// Only the plans of these names
    #[arg(long = "os", value_name = "NAME")]
    only: Vec<String>,
    /// A suite, such as trixie; one that ends in -security is of the security archive
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<Word>,
    /// Architecture of the image
    #[arg(long, default_value = "amd64")]
    arch: Word,
    /// A component of the suites that packages may come from, such as non-free-firmware
    #[arg(long = "component", value_name = "NAME", default_value = "main")]
    components: Vec<Word>,
    /// A lock file and the list files it resolves, relative to the workspace
    #[arg(long = "lock", value_name = "LOCK=LIST[,LIST…]", requires = "suites")]
    locks: Vec<Wanted>,
    /// A list file, for --output
    #[arg(long = "list", value_name = "LIST", requires = "output")]
    lists: Vec<String>,
    /// The lock file that the --list files resolve into
    #[arg(long, value_name = "LOCK", requires_all = ["lists", "suites"])]
    output: Option<String>,
    /// Label of the target that is doing this: locks say it, for whoever finds them older than their lists
    #[arg(long, value_name = "LABEL")]
    update: Option<String>,
    /// A target to `bazel run` in the workspace afterwards
    #[arg(long, value_name = "LABEL")]
    then: Option<String>,
    /// Let these packages become the newest of their suites, by their names or those of their sources; without a name: all
    #[arg(long, value_name = "NAME", num_args = 0.., conflicts_with = "check")]
    upgrade: Option<Vec<String>>,
    /// Write nothing; fail if a locked package is older than the newest in its suites, or in those of the security archive
    #[arg(long, value_name = "SUITES", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    check: Option<Check>,
    /// Print the summary of what changed as Markdown, for a pull request
    #[arg(long)]
    markdown: bool,
    /// Don't fetch packages that changed to tell what is in them: the summary has no set-uid files, sockets, units, kernel modules
    #[arg(long)]
    no_contents: bool,
    /// Take an index whose Valid-Until has passed: an archive that keeps an old state. Refused without this or DEBIAN_ACCEPT_EXPIRED=1
    #[arg(long)]
    accept_expired: bool,
    /// Root of the source tree; default: the workspace that `bazel run` was called in
    #[arg(long)]
    workspace: Option<PathBuf>,
    /// Root of a Debian archive; default: DEBIAN_MIRROR, else those of this machine's apt
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// Root of a security archive; default: DEBIAN_SECURITY_MIRROR, else beside DEBIAN_MIRROR, else those of this machine's apt
    #[arg(long, value_name = "URL")]
    security_mirror: Option<String>,
    /// Keys that must have signed the suites
    #[arg(long, default_value = "/usr/share/keyrings/debian-archive-keyring.gpg")]
    keyring: PathBuf,
}

/// Which suites `--check` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Check {
    /// All of the lock.
    All,
    /// Those of the security archive.
    Security,
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

/// What becomes a word of apt's configuration: a suite, a component, an architecture.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Word(String);

impl FromStr for Word {
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

impl TryFrom<String> for Word {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[derive(Clone)]
struct NamedPlan {
    name: String,
    file: PathBuf,
}

impl FromStr for NamedPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok(Self {
                name: name.to_owned(),
                file: file.into(),
            }),
            _ => Err(format!("got `{text}`, want NAME=FILE")),
        }
    }
}

/// Locks of the same suites.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    suites: Vec<Word>,
    components: Vec<Word>,
    architecture: Word,
    update: Option<String>,
    /// Lock to its lists.
    locks: BTreeMap<String, Vec<String>>,
    then: Option<String>,
}

/// A lock that is to be made, what it is made from, and what there is.
struct Job {
    output: String,
    lists: Vec<List>,
    /// Text of the file that is there.
    text: Option<String>,
    old: Option<Lock>,
}

/// A plan whose files have been read.
struct Task {
    plan: Plan,
    jobs: Vec<Job>,
}

/// A lock that was made.
struct Made<'a> {
    job: &'a Job,
    lock: Lock,
    archive: &'a Archive,
}

fn main() -> ExitCode {
    cli::run("lock", run)
}

fn run(args: Args) -> Result<()> {
    let workspace =
        cli::workspace(args.workspace.as_deref()).context("where is the source tree?")?;
    // All lists first: a slip in one should not cost a download.
    let tasks: Vec<Task> = plans(&args)?
        .into_iter()
        .map(|plan| task(&workspace, plan))
        .collect::<Result<_>>()?;
    if tasks.is_empty() {
        bail!("nothing to lock: give --plan, or --suite with --lock, or with --list and --output");
    }
    check_upgrades(&args, &tasks)?;
    let archives = archives(&args, &tasks)?;
    let tasks = || tasks.iter().zip(&archives);
    if let Some(check) = args.check {
        return report_newer(check, tasks());
    }
    let mut made = Vec::new();
    for (task, archive) in tasks() {
        for job in &task.jobs {
            eprintln!("lock: resolving {}", job.output);
            let keep = keep(args.upgrade.as_deref(), job.old.as_ref());
            let mut lock = archive
                .resolve(&job.lists, &keep)
                .with_context(|| job.output.clone())?;
            lock.update.clone_from(&task.plan.update);
            made.push(Made { job, lock, archive });
        }
    }
    write_all(&workspace, &made)?;
    let told = print_summary(&args, &made)
        .context("the locks are written; what changes in them can't be told");
    for (task, _) in tasks() {
        if let Some(target) = &task.plan.then {
            bazel_run(&workspace, target)?;
        }
    }
    told
}

/// The plans of files that --os leaves, or the one that flags give.
fn plans(args: &Args) -> Result<Vec<Plan>> {
    let known: Vec<&str> = args.plans.iter().map(|p| p.name.as_str()).collect();
    if let Some(got) = args.only.iter().find(|o| !known.contains(&o.as_str())) {
        bail!("--os: got {got}, want one of {}", known.join(", "));
    }
    let mut plans = Vec::new();
    for NamedPlan { name, file } in &args.plans {
        if args.only.is_empty() || args.only.contains(name) {
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            plans.push(serde_json::from_str(&text).with_context(|| file.display().to_string())?);
        }
    }
    let mut locks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for wanted in &args.locks {
        locks.insert(wanted.output.clone(), wanted.lists.clone());
    }
    if let Some(output) = &args.output {
        locks.insert(output.clone(), args.lists.clone());
    }
    if !locks.is_empty() {
        plans.push(Plan {
            suites: args.suites.clone(),
            components: args.components.clone(),
            architecture: args.arch.clone(),
            update: args.update.clone(),
            locks,
            then: args.then.clone(),
        });
    }
    Ok(plans)
}

fn task(workspace: &Path, plan: Plan) -> Result<Task> {
    let job = |(output, files): (&String, &Vec<String>)| -> Result<Job> {
        let text = match fs::read_to_string(workspace.join(output)) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {output}"));
            }
        };
        let old = text.as_deref().map(Lock::read_old);
        let old = old.transpose().with_context(|| {
            format!("{output}, which is to be brought up to date; to begin anew, remove it")
        })?;
        Ok(Job {
            output: output.clone(),
            lists: read_lists(workspace, files)?,
            text,
            old,
        })
    };
    let jobs = plan.locks.iter().map(job).collect::<Result<_>>()?;
    Ok(Task { plan, jobs })
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

/// Refuses to upgrade what no lock has: a slip would look like "there is nothing newer".
fn check_upgrades(args: &Args, tasks: &[Task]) -> Result<()> {
    let locked = |name: &str| {
        let locks = tasks
            .iter()
            .flat_map(|t| &t.jobs)
            .filter_map(|j| j.old.as_ref());
        let mut packages = locks.flat_map(|lock| &lock.packages);
        packages.any(|p| p.name == name || p.source == name)
    };
    let names = args.upgrade.iter().flatten();
    let unknown: Vec<&str> = names
        .map(String::as_str)
        .filter(|name| !locked(name))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    bail!(
        "--upgrade: no lock here has {}, neither as a package nor as its source",
        unknown.join(", ")
    )
}

/// What is to stay at its version.
fn keep(upgrade: Option<&[String]>, old: Option<&Lock>) -> Vec<Package> {
    let packages = old.map_or(&[][..], |old| &old.packages);
    let stays = |p: &&Package| match upgrade {
        None => true,
        Some(names) => !names.is_empty() && !names.contains(&p.name) && !names.contains(&p.source),
    };
    packages.iter().filter(stays).cloned().collect()
}

/// The archive of each task; one of the same suites and components is opened once.
fn archives(args: &Args, tasks: &[Task]) -> Result<Vec<Arc<Archive>>> {
    let mut opened: Vec<(&Plan, Arc<Archive>)> = Vec::new();
    for Task { plan, .. } in tasks {
        let same = opened.iter().find(|(other, _)| {
            (&other.suites, &other.components, &other.architecture)
                == (&plan.suites, &plan.components, &plan.architecture)
        });
        let archive = match same {
            Some((_, archive)) => archive.clone(),
            None => Arc::new(open(args, plan)?),
        };
        opened.push((plan, archive));
    }
    Ok(opened.into_iter().map(|(_, archive)| archive).collect())
}

fn open(args: &Args, plan: &Plan) -> Result<Archive> {
    let words = |words: &[Word]| words.iter().map(|w| w.0.clone()).collect::<Vec<_>>();
    let (suites, components) = (words(&plan.suites), words(&plan.components));
    eprintln!(
        "lock: fetching the indexes of {} ({}), {}",
        suites.join(", "),
        components.join(", "),
        plan.architecture.0
    );
    let of = |flag: &Option<String>, variable| flag.clone().or_else(|| environment(variable));
    Ok(Archive::open(&ArchiveOptions {
        suites,
        components,
        architecture: plan.architecture.0.clone(),
        keyring: args.keyring.clone(),
        mirror: of(&args.mirror, "DEBIAN_MIRROR"),
        security_mirror: of(&args.security_mirror, "DEBIAN_SECURITY_MIRROR"),
        accept_expired: args.accept_expired || accept_expired()?,
    })?)
}

/// Whether people take expired indexes, for the whole build.
fn accept_expired() -> Result<bool> {
    match environment("DEBIAN_ACCEPT_EXPIRED").as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => bail!("DEBIAN_ACCEPT_EXPIRED: got `{other}`, want 1 or 0"),
    }
}

/// The archive people choose for the whole build; the fetching of packages heeds the same variables.
#[allow(
    clippy::disallowed_methods,
    reason = "where files come from is the machine's business; what they must contain is signed"
)]
fn environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|m| !m.is_empty())
}

/// Says what is newer than what is locked; an error if anything is.
fn report_newer<'a>(
    check: Check,
    tasks: impl Iterator<Item = (&'a Task, &'a Arc<Archive>)>,
) -> Result<()> {
    let roots = match check {
        Check::All => &[Root::Security, Root::Main][..],
        Check::Security => &[Root::Security][..],
    };
    let mut out = io::stdout().lock();
    let mut counts = Vec::new();
    for (task, archive) in tasks {
        for job in &task.jobs {
            let Some(lock) = &job.old else {
                bail!("{} is not there", job.output);
            };
            let newer = archive.newer(&lock.packages, roots);
            if newer.is_empty() {
                eprintln!("{}: nothing is newer", job.output);
                continue;
            }
            writeln!(out, "{}:", job.output)?;
            for newer in &newer {
                let (have, want) = (&newer.have, &newer.want);
                writeln!(
                    out,
                    "  {}: have {}, want {} ({})",
                    have.name, have.version, want.version, want.suite
                )?;
            }
            counts.push(newer.len());
        }
    }
    let count: usize = counts.iter().sum();
    match count {
        0 => Ok(()),
        1 => bail!("1 locked package is older than the newest of its suites"),
        _ => bail!("{count} locked packages are older than the newest of their suites"),
    }
}

/// Writes all locks that changed, or none: a lock whose packages are the same stays as it is, with the dates of its suites, and
/// what was built from it is not built again.
fn write_all(workspace: &Path, made: &[Made<'_>]) -> Result<()> {
    let mut pending = Vec::new();
    for Made { job, lock, .. } in made {
        // One that is laid out otherwise, or is of an older format, is written again: scripts read it line by line.
        let as_written = |old: &&Lock| old.write().ok() == job.text;
        let old = job.old.as_ref().filter(as_written);
        if old.is_some_and(|old| lock.is_but_for_dates(old)) {
            continue;
        }
        let path = workspace.join(&job.output);
        let cannot = || format!("cannot write {}; no lock was changed", path.display());
        let output = PendingOutput::create(&path).with_context(cannot)?;
        let text = lock.write()?;
        output
            .file()
            .write_all(text.as_bytes())
            .with_context(cannot)?;
        pending.push((job, path, output));
    }
    let mut done: Vec<(&Job, PathBuf)> = Vec::new();
    for (job, path, output) in pending {
        if let Err(error) = output.commit() {
            for (job, path) in done {
                undo(job, &path)?;
            }
            let text = format!("cannot write {}; no lock was changed", path.display());
            return Err(error).context(text);
        }
        done.push((job, path));
    }
    Ok(())
}

/// Gives a lock back what it had.
fn undo(job: &Job, path: &Path) -> Result<()> {
    let undone = match &job.text {
        Some(text) => cli::write_output(path, |out| out.write_all(text.as_bytes())),
        None => fs::remove_file(path).map_err(Into::into),
    };
    undone
        .map_err(|e| anyhow!(e))
        .with_context(|| format!("cannot take back {}", path.display()))
}

/// A package and the archive that has it.
type Placed<'a> = (&'a Archive, Package);

/// Prints what changed.
fn print_summary(args: &Args, made: &[Made<'_>]) -> Result<()> {
    let relocked = made.iter().map(|m| Relocked {
        name: &m.job.output,
        old: m.job.old.as_ref(),
        new: &m.lock,
    });
    let relocked: Vec<Relocked<'_>> = relocked.collect();
    let installed = |p: &Package| made.iter().find_map(|m| m.archive.installed_size(p));
    let mut summary = Summary::new(&relocked, installed);
    if !args.no_contents {
        add_contents(&mut summary, made)?;
    }
    let text = match args.markdown {
        true => summary.markdown(),
        false => summary.text(),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Looks into the packages that changed. One that is not to be had any more is only told: its lock is written.
fn add_contents(summary: &mut Summary, made: &[Made<'_>]) -> Result<()> {
    let (mut old, mut new): (Vec<Placed<'_>>, Vec<Placed<'_>>) = (Vec::new(), Vec::new());
    for Made { job, lock, archive } in made {
        let Some(before) = &job.old else {
            summary.note(format!(
                "{} is new: its packages were not looked into.",
                job.output
            ));
            continue;
        };
        let changes = Changes::between(before, lock);
        let pairs = [changes.upgraded, changes.downgraded, changes.replaced].concat();
        let (olds, news): (Vec<Package>, Vec<Package>) = pairs.into_iter().unzip();
        for (list, packages) in [
            (&mut old, [olds, changes.removed]),
            (&mut new, [news, changes.added]),
        ] {
            for package in packages.into_iter().flatten() {
                if !list.iter().any(|(_, p)| p.sha256 == package.sha256) {
                    list.push((archive, package));
                }
            }
        }
    }
    let sizes = old.iter().chain(&new).map(|(_, p)| u128::from(p.size));
    if old.is_empty() && new.is_empty() {
        return Ok(());
    }
    eprintln!(
        "lock: looking into packages that changed, {}",
        base::text::bytes(sizes.sum::<u128>())
    );
    let (before, gone) = facts_of(&old)?;
    let (now, missing) = facts_of(&new)?;
    summary.contents(&before, &now);
    for (list, meaning) in [
        (gone, "what they had before counts as new above"),
        (missing, "what they bring is not told above"),
    ] {
        if !list.is_empty() {
            summary.note(format!("No archive gave {}; {meaning}.", list.join(", ")));
        }
    }
    Ok(())
}

/// Facts about all packages, and those that could not be had.
fn facts_of(packages: &[Placed<'_>]) -> Result<(Facts, Vec<String>)> {
    let dir = tempfile::Builder::new().prefix("lock-debs-").tempdir()?;
    let read = |(archive, package): &Placed<'_>| -> Result<Option<Facts>> {
        let file = dir.path().join(package.sha256.to_string());
        match archive.fetch_deb(package, &file) {
            Ok(()) => {}
            Err(debian::Error::Apt { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let facts = debian::facts(&package.name, &file)?;
        fs::remove_file(&file)?;
        Ok(Some(facts))
    };
    let found = base::parallel::map_longest_first(packages, |(_, p)| p.size, read)?;
    let (mut all, mut missing) = (Facts::new(), Vec::new());
    for ((_, package), facts) in packages.iter().zip(found) {
        match facts {
            Some(facts) => all.extend(facts),
            None => missing.push(format!("{} {}", package.name, package.version)),
        }
    }
    Ok((all, missing))
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
