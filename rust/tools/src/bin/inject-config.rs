//! Puts a configuration into the partition `config` of an image or a stick that is made already.
//!
//! Only sectors of that partition's FAT file system are written, in an order of which every beginning is a whole file system, with the
//! old files or the new ones: the page of crate `fat`'s module `edit` has the argument.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure, Context, Result};
use cli::from_user;
use config_medium::{KeyFile, Placed, Target, Wanted};
use flash::{Number, System};
use plan::{List, Reader};
use rustix::fs::{FlockOperation, OFlags};

/// Put a configuration into the CONFIG volume of a disk image or stick, in place.
///
/// Everything is checked first, as `config_tool check` does it. All else on the volume stays. Whatever instant this is cut off at,
/// the volume has the old configuration or the new one; the same command again ends what was begun.
#[derive(clap::Parser)]
struct Args {
    /// The disk image (raw, such as disk.img), or the drive that it was written to (/dev/sdX).
    #[arg(long, value_name = "FILE|DEVICE")]
    image: PathBuf,
    /// Folder laid out as a medium: config.ini, ssh_authorized_keys/.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Public keys, of admin if no user is named: behind those of --config, or without it in place of those on the volume.
    #[arg(long, value_name = "[USER=]FILE")]
    ssh_keys: Vec<KeyFile>,
    /// Also take away what is there of another configuration: keys of other users, a signature, a data.key.
    #[arg(long)]
    replace: bool,
    /// Only list what is on the volume.
    #[arg(long, conflicts_with_all = ["config", "ssh_keys", "replace"])]
    list: bool,
    /// Name or number of the partition.
    #[arg(long, value_name = "NAME", default_value = "config")]
    partition: String,
}

fn main() -> ExitCode {
    cli::run("inject-config", run)
}

fn run(args: Args) -> Result<()> {
    let path = from_user(&args.image);
    let name = path.display().to_string();
    ensure!(
        !List::is_named(&path),
        "{name} is a list of inputs, not an image: `flash --config` and `runvm --config` take one"
    );
    if args.list {
        let reader = Reader::open_any(&path)?;
        return list(&Target::open(&reader, &name, &args.partition)?);
    }
    let config = args.config.as_deref().map(from_user);
    let keys = args.ssh_keys.into_iter().map(|mut file| {
        file.path = from_user(&file.path);
        file
    });
    let keys: Vec<KeyFile> = keys.collect();
    let wanted = Wanted::read(config.as_deref(), &keys)?;
    // For nobody else, before anything of it is read: two of these at once would undo each other's work.
    let file = open(&path)?;
    let reader = Reader::open_any(&path)?;
    let placed = Target::open(&reader, &name, &args.partition)?.place(&wanted, args.replace)?;
    write(&file, &placed)
        .with_context(|| format!("{name}: run this again to end what was begun"))?;
    for line in &placed.changes {
        say(line)?;
    }
    if placed.changes.is_empty() {
        say("the configuration is there already")?;
    }
    Ok(())
}

fn list(target: &Target<'_>) -> Result<()> {
    for (path, len) in target.files()? {
        say(&format!("{len:>8} {path}"))?;
    }
    Ok(())
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("cannot print")
}

/// The image, for us alone; refused if a file system of it is mounted, which would not know of our changes.
fn open(path: &Path) -> Result<File> {
    let named = || format!("cannot open {}", path.display());
    let metadata = std::fs::metadata(path).with_context(named)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if !metadata.file_type().is_block_device() {
        ensure!(
            metadata.is_file(),
            "{} is neither a file nor a drive",
            path.display()
        );
        let file = options.open(path).with_context(named)?;
        let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        locked.with_context(|| format!("{} is in use by another program", path.display()))?;
        let loops = System::here().loops_of(path)?;
        if let Some(device) = loops.first() {
            bail!(
                "{} is attached to /dev/{device}: detach it (losetup -d), or change /dev/{device}",
                path.display()
            );
        }
        return Ok(file);
    }
    let drive = System::here().drive(Number::of(metadata.rdev()))?;
    let uses: Vec<String> = drive.uses.iter().map(ToString::to_string).collect();
    ensure!(
        uses.is_empty(),
        "{} is refused:\n{}",
        path.display(),
        uses.join("\n")
    );
    let flags = i32::try_from((OFlags::EXCL | OFlags::CLOEXEC).bits())?;
    options.custom_flags(flags).open(path).with_context(named)
}

/// Step by step; what a step wrote is on the disk before the next one begins.
fn write(file: &File, placed: &Placed) -> Result<()> {
    for step in placed.edit.steps() {
        for (at, bytes) in step {
            let at = placed
                .start
                .checked_add(*at)
                .context("the partition lies beyond any disk")?;
            file.write_all_at(bytes, at)
                .with_context(|| format!("cannot write at byte {at}"))?;
        }
        if !step.is_empty() {
            file.sync_data().context("cannot flush")?;
        }
    }
    Ok(())
}
