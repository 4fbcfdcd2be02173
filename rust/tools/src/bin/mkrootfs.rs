//! `mkrootfs`: the tree that a Dockerfile makes of a base image and declared files, as a normalised tar.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail, Context as _, Error, Result};
use archive::{Alignment, PackOptions};
use dockerfile::{Base, BaseImage, Changes, Context, Inputs, Pin, Plan, Vars};
use sandbox::{PrivateMounts, Workdir};

/// No Dockerfile is longer.
const LONGEST_DOCKERFILE: u64 = 16 << 20;

/// Executes a Dockerfile: no daemon, no network, nothing but the declared files, the same bytes every time.
#[derive(clap::Parser)]
#[command(name = "mkrootfs")]
struct Args {
    /// The Dockerfile.
    #[arg(long)]
    dockerfile: PathBuf,
    /// The build context: a line per file, `path in the context<TAB>file[<TAB>octal mode]`.
    #[arg(long)]
    context: PathBuf,
    /// Tar archive of the base image, for a FROM that names one.
    #[arg(long, requires = "base_digest")]
    base_tar: Option<PathBuf>,
    /// File with the base image's SHA-256; FROM must name this digest.
    #[arg(long)]
    base_digest: Option<PathBuf>,
    /// The base image's packages, lines of `name version sha256`, to say what differs from a pin.
    #[arg(long)]
    base_packages: Option<PathBuf>,
    /// What of the base image's packages is not what was locked, a line each; its digest may then be another than FROM's.
    #[arg(long, value_name = "FILE", requires = "base_digest")]
    base_unlocked: Option<PathBuf>,
    /// Value of an ARG, `NAME=VALUE`.
    #[arg(long, value_name = "NAME=VALUE")]
    build_arg: Vec<String>,
    /// ARG whose value is the first line of a file of the context, `NAME=PATH`.
    #[arg(long, value_name = "NAME=PATH")]
    build_arg_file: Vec<String>,
    /// The command that updates the base image's pin, for the error that asks for it.
    #[arg(long, value_name = "TEXT")]
    pin_command: Option<String>,
    /// Seconds since 1970: SOURCE_DATE_EPOCH of the steps, and the latest time of a file.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    timestamp: i64,
    /// A folder on a disk in which the tree is made, where memory does not hold it; it is empty again afterwards.
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// Where the tar goes.
    #[arg(long)]
    output: PathBuf,
    /// Where to note which step changed which file last (docs/formats/why.md).
    #[arg(long, value_name = "FILE")]
    provenance_output: Option<PathBuf>,
}

fn main() -> ExitCode {
    if let Some(code) = sandbox::child_entry() {
        return code;
    }
    // Has to come while there is one thread; without it `--help` and bad input still work.
    let mounts = sandbox::private_mounts();
    cli::run("mkrootfs", |args: Args| run(&args, mounts))
}

fn run(args: &Args, mounts: Result<PrivateMounts, sandbox::Error>) -> Result<()> {
    let name = args.dockerfile.display().to_string();
    let text = read_dockerfile(&args.dockerfile)?;
    let file = dockerfile::parse(&name, &text)?;
    let context = Context::parse(&args.context.display().to_string(), &read(&args.context)?)?;
    let base_name = Path::new(&name)
        .file_name()
        .map_or_else(|| name.clone(), |name| name.to_string_lossy().into_owned());
    let ignore = context.ignore(&base_name)?;
    let (vars, files) = build_args(args, &context)?;
    let plan = dockerfile::plan(&file, &vars)?;
    check_bases(args, &plan, &context, &files)?;
    if let Some(note) = &args.base_unlocked {
        let note = read(note)?;
        eprintln!("mkrootfs: the base image is not the pinned one, since the archive has moved on; what is made of it is no release:\n{}", note.trim_end());
    }
    let mounts = mounts?;
    let work = match &args.work_dir {
        Some(dir) => Workdir::on_disk(&mounts, dir)?,
        None => Workdir::new(&mounts)?,
    };
    let inputs = Inputs {
        context: &context,
        ignore: &ignore,
        base_tar: args.base_tar.as_deref(),
        timestamp: args.timestamp,
    };
    let mut changes = Vec::new();
    let noted = args.provenance_output.is_some().then_some(&mut changes);
    let tree = dockerfile::execute(&plan, &inputs, work.path(), &mut io::stderr(), noted)?;
    let options = PackOptions::new(args.timestamp).align(Alignment::Page);
    if let Some(path) = &args.provenance_output {
        cli::write_output(path, |out| {
            mounts.give(out.get_ref())?;
            write_changes(&changes, out)
        })
        .map_err(Error::from_boxed)?;
    }
    cli::write_output(&args.output, |out| {
        // This process is someone else than its caller by now.
        mounts.give(out.get_ref())?;
        archive::pack(&tree, &options, out)?;
        Ok::<_, Error>(())
    })
    .map_err(Error::from_boxed)
}

/// A line for each step that something of the tree is of.
fn write_changes(changes: &[Changes], out: &mut dyn io::Write) -> Result<()> {
    let text = base::path::text;
    for step in changes {
        let paths = step.paths.iter().map(|path| text(path));
        let copied = step.copied.iter().map(|(to, from)| (text(to), from));
        let line = serde_json::json!({
            "is": "step",
            "line": step.line,
            "text": step.text,
            "paths": paths.collect::<Vec<_>>(),
            "copied": copied.collect::<BTreeMap<_, _>>(),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn read_dockerfile(path: &Path) -> Result<Vec<u8>> {
    let shown = || format!("cannot read {}", path.display());
    let mut text = Vec::new();
    let file = File::open(path).with_context(shown)?;
    // One byte more, so that it shows when there are too many.
    file.take(LONGEST_DOCKERFILE + 1)
        .read_to_end(&mut text)
        .with_context(shown)?;
    if u64::try_from(text.len()).is_ok_and(|len| len <= LONGEST_DOCKERFILE) {
        return Ok(text);
    }
    bail!(
        "{}: a Dockerfile of more than {LONGEST_DOCKERFILE} bytes; COPY what it holds from files",
        path.display()
    )
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Values of all build arguments, and for those from files, value -> path in the context.
fn build_args(args: &Args, context: &Context) -> Result<(Vars, BTreeMap<String, String>)> {
    let mut vars = Vars::new();
    let mut files = BTreeMap::new();
    let split = |flag: &str, text: &str| -> Result<(String, String)> {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| anyhow!("{flag} {text}: wanted NAME=…"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    for text in &args.build_arg {
        let (name, value) = split("--build-arg", text)?;
        if vars.insert(name.clone(), value).is_some() {
            bail!("build argument {name} given twice");
        }
    }
    for text in &args.build_arg_file {
        let (name, path) = split("--build-arg-file", text)?;
        let value = context
            .first_line(&path)?
            .ok_or_else(|| anyhow!("--build-arg-file {text}: the context has no file {path}"))?;
        if value.is_empty() {
            bail!("--build-arg-file {text}: the first line of {path} is empty");
        }
        files.insert(value.clone(), path);
        if vars.insert(name.clone(), value).is_some() {
            bail!("build argument {name} given twice");
        }
    }
    Ok((vars, files))
}

/// Every FROM that names an image must name the one given.
fn check_bases(
    args: &Args,
    plan: &Plan,
    context: &Context,
    files: &BTreeMap<String, String>,
) -> Result<()> {
    for stage in &plan.stages {
        let Base::Image(image) = &stage.base else {
            continue;
        };
        let Some(digest) = &args.base_digest else {
            bail!(
                "{}: FROM {image}: no base image was given (--base-tar, --base-digest)",
                stage.at
            );
        };
        let base = BaseImage {
            digest: read(digest)?,
            packages: match &args.base_packages {
                Some(path) => read(path)?,
                None => String::new(),
            },
        };
        let pin = Pin {
            text: match files.get(image) {
                Some(path) => context.text(path)?,
                None => None,
            },
            command: args.pin_command.clone(),
            unlocked: args.base_unlocked.is_some(),
        };
        base.check(&stage.at, image, &pin)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_text_are_noted_as_two() {
        let changes = Changes {
            line: 2,
            text: "RUN a".to_owned(),
            paths: vec![b"etc/\xe9".to_vec(), b"etc/\xea".to_vec()],
            copied: BTreeMap::from([(b"etc/\xe9".to_vec(), "e".to_owned())]),
        };
        let mut out = Vec::new();
        write_changes(&[changes], &mut out).unwrap();
        let want = r#"{"copied":{"etc/\\xe9":"e"},"is":"step","line":2,"paths":["etc/\\xe9","etc/\\xea"],"text":"RUN a"}
"#;
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}
