//! `imgdump`: what is in a disk or file-system image.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail, Context, Result};
use inspect::{Dump, Entry, Files, Node, Options, Place};
use plan::{Plan, Reader};

const EXAMPLES: &str = "\
IMAGE is a raw disk or file-system image, a block device, or a plan list (*.image). Nothing is mounted, nothing is written into it.
PLACE is PARTITION:PATH on a disk (name or number of the partition) and PATH in a bare file system. Write names as the dump
shows them; a colon or a slash in a partition's name is \\: or \\/.

Examples:
  imgdump disk.img                                 everything in it
  imgdump --partition A_root --depth 1 disk.img    the top of one partition
  imgdump --json disk.img | jq .gpt.partitions[].name
  imgdump ls disk.img                              its partitions
  imgdump ls -l disk.img A_root:/etc
  imgdump cat disk.img A_root:/etc/os-release
  imgdump extract root.ext4 /usr/lib/modules modules
  imgdump why disk.img A_root:/etc/passwd          where its bytes come from
  imgdump --golden disk.txt disk.image             exit status 1 and a diff if the dump is another one
  imgdump --golden disk.txt --update disk.image    takes the dump as the right one

What differs between two images: imgdiff.

Exit status: 0 done; 1 refused, damaged (lines with \"damaged\"), or different; 2 I/O error; 3 nothing is wrong, but the image or
something in it is of a kind that imgdump does not read (an error that says what does, or lines with \"not-read\").";

/// Exit status for what may be right and is not read here.
const EXIT_UNREAD: u8 = 3;

/// Shows what a disk or file-system image holds, as text that can be compared: partitions, parameters of file systems, every file with
/// its attributes and the digest of its content, dm-verity, and whatever else is not zero.
#[derive(clap::Parser)]
#[command(name = "imgdump", after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dump: DumpArgs,
}

#[derive(clap::Args)]
struct DumpArgs {
    /// The image.
    #[arg(required = true)]
    image: Option<PathBuf>,
    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Don't read contents: fast, and differences in them don't show.
    #[arg(long)]
    no_digests: bool,
    /// Check dm-verity hash trees against all data.
    #[arg(long)]
    verify: bool,
    /// Leave out files deeper in the tree; 1 is what the root directory holds.
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Only this partition (name or number).
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Compare with this text and print nothing but the difference.
    #[arg(long, value_name = "FILE")]
    golden: Option<PathBuf>,
    /// Write the text into the --golden file instead; a relative one is meant in the workspace if `bazel run` started this.
    #[arg(long, requires = "golden")]
    update: bool,
    /// Command that accepts the new text, for the message.
    #[arg(long, requires = "golden", value_name = "COMMAND")]
    accept_with: Option<String>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists a directory, or the partitions of a disk.
    Ls {
        /// The image.
        image: PathBuf,
        /// The directory or file; left out: the partitions, or the root of a bare file system.
        place: Option<OsString>,
        /// Modes, owners, sizes, times, link targets.
        #[arg(short = 'l', long)]
        long: bool,
        /// Everything below, too.
        #[arg(short = 'R', long)]
        recursive: bool,
    },
    /// Prints the content of a file. Symbolic links are followed inside of the image.
    Cat {
        /// The image.
        image: PathBuf,
        /// The file.
        place: OsString,
    },
    /// Copies a file, or a directory with everything in it, to DEST, which must not exist (an existing directory takes a file).
    /// Nothing is written outside of it. Owners and devices need root.
    Extract {
        /// The image.
        image: PathBuf,
        /// The file or directory.
        place: OsString,
        /// Where to.
        dest: PathBuf,
    },
    /// Everything about one file.
    Stat {
        /// The image.
        image: PathBuf,
        /// The file; a symbolic link is not followed.
        place: OsString,
    },
    /// Where bytes come from: which structure they are in, which input they are of, who put that there.
    Why {
        /// The image; what is known besides its bytes lies beside it (docs/formats/why.md).
        image: PathBuf,
        /// A byte (`1048576`, `0x100000`), a partition, or a file.
        place: OsString,
        /// One JSON document instead of text.
        #[arg(long)]
        json: bool,
        /// Show so many stretches of a place.
        #[arg(long, value_name = "N", default_value_t = 16)]
        ranges: usize,
    },
    /// Shows a plan's extents.
    Plan {
        /// The plan.
        plan: PathBuf,
    },
}

fn main() -> ExitCode {
    let mut unread = false;
    let status = cli::run("imgdump", |args: Args| {
        let result = quiet(run(args));
        unread = result.as_ref().is_err_and(is_unread);
        result
    });
    match unread {
        true => ExitCode::from(EXIT_UNREAD),
        false => status,
    }
}

/// Whether there is nothing wrong with the image, but not all of it was read.
fn is_unread(error: &anyhow::Error) -> bool {
    let ours = |error: &inspect::Error| error.is_unread();
    error.downcast_ref().is_some_and(ours)
}

/// Whoever reads our output may have seen enough.
fn quiet(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.chain().any(is_broken_pipe) => Ok(()),
        other => other,
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run(args: Args) -> Result<()> {
    let stdout = io::stdout().lock();
    let mut out = BufWriter::with_capacity(1 << 16, stdout);
    match args.command {
        None => dump(&args.dump, &mut out)?,
        Some(Command::Ls {
            image,
            place,
            long,
            recursive,
        }) => ls(&image, place, long, recursive, &mut out)?,
        Some(Command::Cat { image, place }) => {
            with_file(&image, &place, true, |files, entry| {
                Ok(files.copy(entry, &mut out)?)
            })?;
        }
        Some(Command::Extract { image, place, dest }) => extract(&image, &place, &dest)?,
        Some(Command::Stat { image, place }) => {
            with_file(&image, &place, false, |files, entry| {
                Ok(inspect::stat(entry, files.whole(entry), &mut out)?)
            })?;
        }
        Some(Command::Why {
            image,
            place,
            json,
            ranges,
        }) => why(&image, &place, json, ranges, &mut out)?,
        Some(Command::Plan { plan }) => Plan::open(&plan)?.dump(&mut out)?,
    }
    Ok(out.flush()?)
}

/// The dump, to `out` or against a golden file.
fn dump(args: &DumpArgs, out: &mut dyn Write) -> Result<()> {
    let reader = Reader::open_any(args.image.as_deref().context("no image")?)?;
    let options = Options {
        digests: !args.no_digests,
        verify: args.verify,
        depth: args.depth,
    };
    let dump = inspect::dump(&reader, options, args.partition.as_deref())?;
    match &args.golden {
        Some(golden) => compare(args, golden, &rendered(&dump, args.json)?)?,
        None => {
            render(&dump, args.json, out)?;
            out.flush()?;
        }
    }
    check(&dump)?;
    match dump.unread() {
        // Who has a golden text has accepted its lines.
        count if count > 0 && args.golden.is_none() => Err(inspect::Error::Unread { count }.into()),
        _ => Ok(()),
    }
}

fn render(dump: &Dump, json: bool, out: &mut dyn Write) -> Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, dump)?;
        writeln!(out)?;
    } else {
        inspect::write_text(dump, out)?;
    }
    Ok(())
}

fn rendered(dump: &Dump, json: bool) -> Result<String> {
    let mut bytes = Vec::new();
    render(dump, json, &mut bytes)?;
    Ok(String::from_utf8(bytes)?)
}

fn check(dump: &Dump) -> Result<()> {
    match dump.damage() {
        0 => Ok(()),
        1 => bail!("the image is damaged, see the line with \"damaged\""),
        places => bail!("the image is damaged in {places} places, see the lines with \"damaged\""),
    }
}

/// Compares with the golden file, or writes it.
fn compare(args: &DumpArgs, golden: &Path, text: &str) -> Result<()> {
    let name = golden.display();
    if args.update {
        let path = match cli::workspace(None) {
            Ok(workspace) => workspace.join(golden),
            Err(_) => golden.to_owned(),
        };
        return fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()));
    }
    let old = match fs::read(golden) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
    };
    if old == text.as_bytes() {
        return Ok(());
    }
    let old = String::from_utf8(old)
        .with_context(|| format!("{name} is no UTF-8, so it is no dump: have it written anew"))?;
    let difference = base::text::unified((&name.to_string(), "the image"), &old, text, 2);
    let mut stdout = io::stdout().lock();
    stdout.write_all(difference.as_bytes())?;
    stdout.flush()?;
    let accept = match &args.accept_with {
        Some(command) => command.clone(),
        None => "the same command with --update".to_owned(),
    };
    Err(anyhow!(
        "the image is not what {name} says; if it is right now, accept it with: {accept}"
    ))
}

/// Runs `body` on the file at `place`.
fn with_file(
    image: &Path,
    place: &OsString,
    follow: bool,
    body: impl FnOnce(&Files<'_>, &Entry) -> Result<()>,
) -> Result<()> {
    let reader = Reader::open_any(image)?;
    let place = Place::parse(place.as_bytes());
    let files = Files::open(&reader, &place)?;
    let found = files.find(&place.path, follow);
    if found.is_err() {
        warn(&files);
    }
    let entry = found?;
    if let Some(damage) = &files.whole(entry).damage {
        eprintln!("imgdump: warning: {}: damaged: {damage}", entry.path);
    }
    body(&files, entry)
}

/// Why a file may not be there.
fn warn(files: &Files<'_>) {
    for what in files.unread() {
        eprintln!("imgdump: warning: {what}");
    }
    for problem in files.problems() {
        eprintln!("imgdump: warning: the image is damaged: {problem}");
    }
}

fn ls(
    image: &Path,
    place: Option<OsString>,
    long: bool,
    recursive: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let reader = Reader::open_any(image)?;
    let place = match place {
        Some(place) => Place::parse(place.as_bytes()),
        None => match partitions(&reader, out)? {
            true => return Ok(()),
            false => Place::default(),
        },
    };
    let files = Files::open(&reader, &place)?;
    warn(&files);
    // `ls link` shows what is in the directory that it leads to, `ls -l link` the link.
    let named = files.find(&place.path, !long)?;
    let top = match named.node {
        Node::Dir if recursive => files.below(named).collect(),
        Node::Dir => files.children(named).collect(),
        _ => vec![named],
    };
    for entry in top {
        let path = entry.path.word();
        let name = match (recursive, path.rsplit_once('/')) {
            (false, Some((_, name))) if !name.is_empty() => name,
            _ => &path,
        };
        match long {
            true => inspect::long(entry, files.whole(entry), name, out)?,
            false => writeln!(out, "{name}")?,
        }
    }
    Ok(())
}

/// Lists the partitions, if the image is a disk.
fn partitions(reader: &Reader, out: &mut dyn Write) -> Result<bool> {
    let Some((gpt, kinds)) = inspect::partitions(reader)? else {
        return Ok(false);
    };
    for (partition, kind) in gpt.partitions.iter().zip(kinds) {
        writeln!(
            out,
            "{:>3} {:<20} {:>13} {:>13} {:<7} {}",
            partition.number,
            partition.name.word(),
            partition.start(),
            partition.size(),
            kind.as_str(),
            partition.type_name.unwrap_or(&partition.type_guid)
        )?;
    }
    Ok(true)
}

fn why(
    image: &Path,
    place: &OsString,
    json: bool,
    ranges: usize,
    out: &mut dyn Write,
) -> Result<()> {
    let workspace = cli::workspace(None).ok();
    let mut image = why::Image::open(image, workspace)?;
    let answers = image.ask(place.as_bytes(), ranges)?;
    if json {
        serde_json::to_writer_pretty(&mut *out, &answers)?;
        writeln!(out)?;
    } else {
        why::write_text(&answers, out)?;
    }
    Ok(())
}

fn extract(image: &Path, place: &OsString, dest: &Path) -> Result<()> {
    let root = rustix::process::geteuid().is_root();
    with_file(image, place, false, |files, entry| {
        warn(files);
        let name = Path::new(std::ffi::OsStr::from_bytes(&entry.path.0)).file_name();
        let dest = match name {
            Some(name) if entry.node != Node::Dir && dest.is_dir() => dest.join(name),
            _ => dest.to_owned(),
        };
        let notes = inspect::extract(files, entry, &dest, root)?;
        for note in &notes.notes {
            eprintln!("imgdump: note: {note}");
        }
        Ok(())
    })
}
