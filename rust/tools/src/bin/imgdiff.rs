//! `imgdiff`: what differs between two images.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{bail, ensure, Context, Result};
use imgdiff::{Options, Report};
use plan::{List, Reader};

const EXAMPLES: &str = "\
OLD and NEW are disks, file systems, update bundles, archives (tar) or any files, or plan lists (*.image). Nothing is mounted.

Examples:
  imgdiff old.img new.img
  imgdiff --html diff.html old/update.tar new/update.tar
  imgdiff --json old.image new.image | jq .identical
  bazel run //os:diff -- old.img                   with what is built now
  bazel run //os:diff -- HEAD~1                    the same target of another commit, which is built in a folder of its own

Exit status: 0 the bytes are the same; 1 they differ; 2 trouble: an image that cannot be read, or wrong flags.";

/// Exit status where bytes differ, as diff has it.
const EXIT_DIFFERENT: u8 = 1;
/// Exit status where nothing can be said.
const EXIT_TROUBLE: u8 = 2;

/// Shows what differs between two images, from the outside in: partition table, file systems, hash trees, packages, files, and what
/// is in them (text by lines, ELF and EFI programs by sections, kernel arguments by words, initial RAM disks by files). It says
/// that they are identical only if all bytes are.
#[derive(clap::Parser)]
#[command(name = "imgdiff", after_help = EXAMPLES)]
struct Args {
    /// The one image.
    old: PathBuf,
    /// The other; a target that compares with an image of its own gives that by --new.
    #[arg(required_unless_present = "of")]
    new: Option<PathBuf>,
    /// The other, in front of OLD.
    #[arg(long = "new", value_name = "NEW", conflicts_with = "new")]
    of: Option<PathBuf>,
    /// If OLD is no file, it is a commit, and this label of its is built: a target that runs a tool on a disk.
    #[arg(long, value_name = "LABEL", requires = "list")]
    target: Option<String>,
    /// The disk's list in the runfiles of that target.
    #[arg(long, value_name = "PATH", requires = "target")]
    list: Option<PathBuf>,
    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Also write a page (HTML) that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Show so many lines of a text's difference.
    #[arg(long, value_name = "N", default_value_t = 200)]
    max_lines: usize,
    /// Say nothing: the exit status tells.
    #[arg(long, short)]
    quiet: bool,
}

fn main() -> ExitCode {
    // What became of it, if it was run at all.
    let mut outcome = None;
    let status = cli::run("imgdiff", |args: Args| {
        let result = run(&args);
        outcome = Some(result.as_ref().ok().copied());
        result.map(drop)
    });
    match outcome {
        Some(Some(true)) => ExitCode::SUCCESS,
        Some(Some(false)) => ExitCode::from(EXIT_DIFFERENT),
        Some(None) => ExitCode::from(EXIT_TROUBLE),
        // Help was asked for, or flags were wrong.
        None if status == ExitCode::SUCCESS => status,
        None => ExitCode::from(EXIT_TROUBLE),
    }
}

/// Whether the images are identical.
fn run(args: &Args) -> Result<bool> {
    let Some(new) = args.of.as_ref().or(args.new.as_ref()) else {
        bail!("want two images");
    };
    let open = |path: &Path| {
        let path = cli::existing(path);
        Reader::open_any(&path).with_context(|| format!("cannot open {}", path.display()))
    };
    let built = match (&args.target, &args.list) {
        (Some(target), Some(list)) if !cli::existing(&args.old).exists() => {
            Some(Built::of(&args.old, target, list)?)
        }
        _ => None,
    };
    let old = built.as_ref().map_or(&args.old, |built| &built.list);
    let (a, b) = (open(old)?, open(new)?);
    let name = |path: &Path| path.display().to_string();
    let (old_name, new_name) = (name(&args.old), name(new));
    let options = Options {
        max_lines: args.max_lines,
        ..Options::default()
    };
    let report = imgdiff::compare((&old_name, &a), (&new_name, &b), &options)?;
    if let Some(path) = &args.html {
        let path = cli::from_user(path);
        cli::write_output(&path, |out| imgdiff::html::write(&report, out))
            .map_err(anyhow::Error::from_boxed)?;
    }
    match args.quiet {
        true => {}
        false => print(&report, args.json)?,
    }
    Ok(report.identical)
}

/// Writes the report; whoever reads it may have seen enough.
fn print(report: &Report, json: bool) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = match json {
        true => serde_json::to_writer_pretty(&mut out, report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
        false => imgdiff::text::write(report, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// A disk of another commit, built in a folder of its own, which is removed with this.
struct Built {
    /// The source tree that it is a commit of.
    workspace: PathBuf,
    folder: PathBuf,
    list: PathBuf,
}

impl Built {
    /// Checks `commit` out and builds `target`, whose runfiles have the list `list`.
    fn of(commit: &Path, target: &str, list: &Path) -> Result<Self> {
        let workspace = cli::workspace(None).map_err(anyhow::Error::from)?;
        let commit = commit.to_str().context("want a file or a commit")?;
        let found = ask(Command::new("git").current_dir(&workspace).args([
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &format!("{commit}^{{commit}}"),
        ]));
        let found = found.with_context(|| {
            format!(
                "{commit} is no file that is there, and no commit of {}",
                workspace.display()
            )
        })?;
        // On the disk that builds are on, and known by its commit: two at a time would be in each other's way.
        let base = ask(bazel(&workspace).args(["info", "output_base"]))?;
        let root = Path::new(&base)
            .parent()
            .context("no folder of output bases")?;
        let folder = root.join(format!("imgdiff-{found}"));
        std::fs::create_dir(&folder).with_context(|| {
            let name = folder.display();
            format!("cannot make {name} for the build of {commit} (one that was broken off leaves it: remove it)")
        })?;
        let mut built = Self {
            workspace,
            folder,
            list: PathBuf::new(),
        };
        built.list = built.build(&found, target, list)?;
        Ok(built)
    }

    fn build(&self, commit: &str, target: &str, list: &Path) -> Result<PathBuf> {
        let tree = self.tree();
        eprintln!(
            "imgdiff: building {target} of {commit} in {}",
            tree.display()
        );
        let mut git = Command::new("git");
        git.current_dir(&self.workspace);
        run_it(
            git.args(["worktree", "add", "--quiet", "--detach"])
                .arg(&tree)
                .arg(commit),
        )?;
        // What the container says of this machine, and no commit has.
        let settings = ".bazelrc.container";
        if self.workspace.join(settings).exists() {
            std::fs::copy(self.workspace.join(settings), tree.join(settings))?;
        }
        run_it(self.bazel().args([
            "build",
            "--experimental_convenience_symlinks=ignore",
            target,
        ]))?;
        let bin = ask(self.bazel().args(["info", "bazel-bin"]))?;
        let (package, name) = target
            .strip_prefix("//")
            .and_then(|label| label.split_once(':'))
            .with_context(|| format!("{target} is no label as //package:name"))?;
        let runfiles = Path::new(&bin)
            .join(package)
            .join(format!("{name}.runfiles/_main"));
        let relative = List::read(&runfiles.join(list))?;
        let mut text = String::new();
        for path in [&relative.plan].into_iter().chain(&relative.inputs) {
            let path = runfiles.join(path);
            text.push_str(path.to_str().context("a path that is no UTF-8")?);
            text.push('\n');
        }
        let absolute = self.folder.join("old.image");
        std::fs::write(&absolute, text)?;
        Ok(absolute)
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    fn bazel(&self) -> Command {
        let mut command = bazel(&self.tree());
        command.arg(format!(
            "--output_base={}",
            self.folder.join("base").display()
        ));
        command
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        // What is left is said where the next one is in its way.
        let _ = run_it(self.bazel().args(["clean", "--expunge"]));
        let mut git = Command::new("git");
        git.current_dir(&self.workspace);
        let _ = run_it(git.args(["worktree", "remove", "--force"]).arg(self.tree()));
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn bazel(folder: &Path) -> Command {
    let mut command = Command::new("bazel");
    command.current_dir(folder);
    command
}

/// Runs a program; what it says goes to stderr.
fn run_it(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} failed ({status})");
    Ok(())
}

/// The line that a program says.
fn ask(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    ensure!(
        output.status.success(),
        "{program} failed ({})",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
