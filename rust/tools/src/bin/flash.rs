//! Writes a disk image to a stick or a file, with a configuration in it: what `bazel run …:flash` starts.
//!
//! The image is taken from its plan: only data is written, and no `disk.img` is needed. Crate `flash` says in which order, and why a drive
//! that was cut off does not look whole.

use std::fs::File;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::{bail, ensure, Context, Result};
use cli::{existing, from_user, Progress};
use config_medium::{KeyFile, Target, Wanted};
use flash::{Disk, Drive, Number, Stage, System};
use materialize::{Options, Output};
use nix::sys::signal::{SigSet, Signal};
use plan::{List, Reader};

/// Write a disk image to a stick or a file, if wanted with a configuration in it.
///
/// A drive is refused if it is mounted, swap, part of something, the running system's, too small, or built in. It is asked for before anything
/// is written; what was written is read back. Ctrl-C leaves a drive without a partition table, or no file.
#[derive(clap::Parser)]
struct Args {
    /// Where to: a whole drive (/dev/sdX; everything on it is lost), or a file to make.
    #[arg(value_name = "DEVICE|FILE")]
    target: PathBuf,
    /// The disk image: a plan list (NAME.image), or raw (disk.img).
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// Folder laid out as a medium (config.ini, ssh_authorized_keys/), for the partition config.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Public keys for that partition, of admin if no user is named, behind those of --config.
    #[arg(long, value_name = "[USER=]FILE")]
    ssh_keys: Vec<KeyFile>,
    /// Don't ask.
    #[arg(long)]
    yes: bool,
    /// Also write to a drive that is built in.
    #[arg(long)]
    allow_fixed: bool,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    /// Make a file of this length, such as 8G, the partition table as on a drive of it. Default: the image's.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size: Option<u64>,
    /// Don't read back what was written.
    #[arg(long)]
    no_verify: bool,
}

/// Sectors that our partition tables are made for.
const SECTOR: u64 = 512;

fn main() -> ExitCode {
    cli::run("flash", run)
}

fn run(args: Args) -> Result<()> {
    let path = from_user(&args.target);
    let image = existing(&args.image);
    let reader = Reader::open_any(&image)?.with_holes()?;
    let keys = args.ssh_keys.iter().map(|file| KeyFile {
        user: file.user,
        path: from_user(&file.path),
    });
    let keys: Vec<KeyFile> = keys.collect();
    // The configuration first: what is wrong with it is said before anybody is asked anything.
    let reader = match args.config.is_some() || !keys.is_empty() {
        true => {
            let config = args.config.as_deref().map(from_user);
            let wanted = Wanted::read(config.as_deref(), &keys)?;
            configured(reader, &image, &wanted)?
        }
        false => reader,
    };
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.file_type().is_block_device() => {
            ensure!(
                args.size.is_none(),
                "--size is for files: a drive has its own"
            );
            to_drive(&args, &path, Number::of(metadata.rdev()), reader)
        }
        Ok(metadata) if metadata.is_file() => {
            let path = path.display();
            ensure!(args.force, "{path} is there already: --force replaces it");
            to_file(&args, &from_user(&args.target), &image, reader)
        }
        Ok(_) => bail!("{} is neither a drive nor a file", path.display()),
        // Whoever mistypes a drive's name wants no file beside drives.
        Err(_) if path.starts_with("/dev") && !path.starts_with("/dev/shm") => {
            bail!("there is no drive {}", path.display())
        }
        Err(_) => to_file(&args, &path, &image, reader),
    }
}

/// The image with the configuration in its partition.
fn configured(reader: Reader, image: &Path, wanted: &Wanted) -> Result<Reader> {
    let name = image.display().to_string();
    let placed = Target::open(&reader, &name, "config")?.place(wanted, false)?;
    let mut sectors = std::collections::BTreeMap::new();
    // Later steps write over earlier ones.
    for (at, bytes) in placed.edit.steps().into_iter().flatten() {
        let start = placed
            .start
            .checked_add(*at)
            .context("the partition lies beyond any disk")?;
        for (number, sector) in (0u64..).zip(bytes.chunks(512)) {
            let at = number
                .checked_mul(SECTOR)
                .and_then(|by| start.checked_add(by));
            sectors.insert(
                at.context("the partition lies beyond any disk")?,
                sector.to_vec(),
            );
        }
    }
    let plan = reader.plan().replaced(&sectors)?;
    Ok(reader.with_plan(plan)?)
}

fn to_drive(args: &Args, path: &Path, number: Number, reader: Reader) -> Result<()> {
    let drive = System::here().drive(number)?;
    let refusals = drive.refusals(reader.len(), SECTOR, args.allow_fixed);
    ensure!(
        refusals.is_empty(),
        "{} ({}) is refused:\n{}",
        path.display(),
        drive.describe(),
        refusals.join("\n")
    );
    if !args.yes {
        ask(&drive)?;
    }
    let disk = Disk::open(path, number)?;
    ended_by_signal(path)?;
    let shown = Shown::default();
    let verify = !args.no_verify;
    let written = flash::write(
        reader,
        &disk,
        drive.len,
        verify,
        &|| disk.flush(),
        &|stage, done| shown.show(stage, done),
    );
    shown.end();
    written.with_context(|| {
        format!(
            "{} has no partition table now; write it again",
            path.display()
        )
    })?;
    shown.tell(path, verify)
}

/// Says what is about to be lost, and goes on only if somebody says so.
fn ask(drive: &Drive) -> Result<()> {
    ensure!(
        std::io::stdin().is_terminal(),
        "nobody can be asked: standard input is no terminal; --yes writes to {} without asking",
        drive.describe()
    );
    eprint!(
        "{}\nEverything on it will be lost. Its name ({}) to go on: ",
        drive.describe(),
        drive.name
    );
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read an answer")?;
    ensure!(line.trim() == drive.name, "nothing was written");
    Ok(())
}

/// From here on a signal says what it leaves. All threads are begun later, and leave signals to this one.
fn ended_by_signal(path: &Path) -> Result<()> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_block().context("cannot block signals")?;
    let path = path.to_owned();
    std::thread::spawn(move || {
        if let Ok(signal) = signals.wait() {
            eprintln!("\nflash: {signal}: {} has no partition table now, and starts nothing; write it again", path.display());
            std::process::exit(130);
        }
    });
    Ok(())
}

/// Whole or absent.
fn to_file(args: &Args, path: &Path, image: &Path, reader: Reader) -> Result<()> {
    let named = || format!("cannot write {}", path.display());
    let len = args.size.unwrap_or(reader.len());
    let (reader, moved) = flash::on_disk(reader, len)?;
    let output = Output::create(path)?;
    let mut others = vec![image.to_owned()];
    if List::is_named(image) {
        others.push(List::open(image)?.plan);
    }
    let others: Vec<&Path> = others.iter().map(PathBuf::as_path).collect();
    output.check_inputs(&reader, &others)?;
    let shown = Shown::default();
    let total = reader.len();
    let options = Options {
        progress: &|done| shown.show(Stage::Writing(total), done),
        ..Options::default()
    };
    let file: &File = output.file();
    let written = materialize::write(&reader, file, &options);
    if written.is_ok() {
        file.set_len(len).with_context(named)?;
        let (at, bytes) = flash::tail(&moved);
        if !args.no_verify {
            let disk = Disk::of_file(file.try_clone().with_context(named)?);
            let body = 0..reader.len();
            let total = materialize::data_len(reader.plan(), &body);
            let compared = materialize::compare(&reader, &disk, body, &|done| {
                shown.show(Stage::Reading(total), done)
            });
            compared.with_context(named)?;
        }
        file.write_all_at(&bytes, at).with_context(named)?;
    }
    shown.end();
    written.with_context(named)?;
    output.commit()?;
    shown.tell(path, !args.no_verify)
}

/// How far it is, stage by stage.
#[derive(Default)]
struct Shown {
    stage: Mutex<Option<(Stage, Progress)>>,
}

impl Shown {
    fn show(&self, stage: Stage, done: u64) {
        let Ok(mut now) = self.stage.lock() else {
            return;
        };
        if now.as_ref().is_none_or(|(have, _)| *have != stage) {
            if let Some((_, progress)) = &*now {
                progress.end();
            }
            let progress = match stage {
                Stage::Writing(total) => Progress::new("writing", total),
                Stage::Reading(total) => Progress::new("reading back", total),
            };
            *now = Some((stage, progress));
        }
        if let Some((_, progress)) = &*now {
            progress.show(done);
        }
    }

    fn end(&self) {
        if let Ok(Some((_, progress))) = self.stage.lock().as_deref() {
            progress.end();
        }
    }

    fn tell(&self, path: &Path, verified: bool) -> Result<()> {
        let how = if verified {
            "written and read back"
        } else {
            "written"
        };
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}: {how}", path.display()).context("cannot print")
    }
}

/// Bytes from `8G`, `512M` or a number.
fn parse_size(text: &str) -> Result<u64> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'G' | 'g')) => (text.get(..at), 30),
        Some((at, 'M' | 'm')) => (text.get(..at), 20),
        _ => (Some(text), 0),
    };
    let number = digits.and_then(|digits| digits.parse::<u64>().ok());
    let bytes = number.and_then(|number| number.checked_mul(1 << shift));
    let bytes = bytes.filter(|bytes| bytes % SECTOR == 0 && i64::try_from(*bytes).is_ok());
    bytes.with_context(|| {
        format!("{text:?} is no size: want sectors of {SECTOR} bytes, such as 8G or 4096M")
    })
}
