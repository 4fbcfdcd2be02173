//! Boots a GuestOS image in QEMU and looks at it from inside and outside.
//!
//! | scenario | image | what it proves |
//! |---|---|---|
//! | `dev` | development | root/root logs in on the console and over ssh; everything in [`checks`] |
//! | `prod` | production | no login on the console, no password; the key on a CONFIG medium logs in; everything in [`checks`] |
//! | `verity` | any with dm-verity | a changed block of the root is refused and the machine starts again |
//! | `exact` | development | the documented QEMU command, word by word, boots it |
//!
//! A failed check does not stop the ones after it; all are told at the end. The console's log stays in the test's outputs.

mod checks;
mod http;
mod image;
mod mounts;
mod report;
mod scenario;
mod ssh;
mod verity;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use vm::{Accel, AccelChoice, Deadline};

/// Boots an image in QEMU and checks what it promises.
#[derive(Debug, clap::Parser)]
struct Args {
    /// What to do: dev, prod, verity or exact.
    #[arg(long)]
    scenario: scenario::Name,
    /// Disk image to boot, raw or (except for exact) a plan list, NAME.image; never written to.
    #[arg(long)]
    disk: PathBuf,
    /// For verity: change the first block of this file.
    #[arg(
        long,
        value_name = "PARTITION:/PATH",
        default_value = "A_root:/usr/lib/systemd/systemd"
    )]
    flip: verity::Flip,
    /// For dev: another image, which the guest mounts and compares; may be repeated.
    #[arg(long, value_name = "FILE[:ext4|vfat[:rw]]")]
    extra_drive: Vec<mounts::Extra>,
    /// File with the version that the image should have.
    #[arg(long)]
    version_file: PathBuf,
    /// What runs the guest's code: kvm, tcg or auto.
    #[arg(long, default_value_t)]
    accel: AccelChoice,
    /// Folder for the console's log; Bazel's folder for test outputs by default.
    #[arg(long)]
    outputs: Option<PathBuf>,
}

/// What every scenario needs to know.
#[derive(Debug)]
struct Setting {
    firmware: PathBuf,
    accel: Accel,
    disk: PathBuf,
    flip: verity::Flip,
    extras: Vec<mounts::Extra>,
    version: String,
    log: PathBuf,
    /// For keys, media and copies; gone at the end.
    scratch: tempfile::TempDir,
}

impl Setting {
    /// `seconds` on a machine with KVM, more without.
    fn within(&self, seconds: u64) -> Deadline {
        Deadline::scaled(Duration::from_secs(seconds), self.accel)
    }
}

fn main() -> ExitCode {
    cli::run("boot_test", run)
}

fn run(args: Args) -> Result<()> {
    let firmware = vm::firmware::find()?;
    let choice = args.accel.resolve(&firmware)?;
    report::note(&format!("accelerator: {}", choice.accel));
    if let Some(note) = &choice.note {
        report::note(note);
    }
    let version = std::fs::read_to_string(&args.version_file)
        .with_context(|| format!("cannot read {}", args.version_file.display()))?;
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let outputs = args.outputs.or_else(test_outputs);
    let folder = outputs.unwrap_or_else(|| scratch.path().to_path_buf());
    // Links stay: a list is known by its name.
    let disk = std::path::absolute(&args.disk)
        .with_context(|| format!("cannot open {}", args.disk.display()))?;
    let setting = Setting {
        firmware,
        accel: choice.accel,
        disk,
        flip: args.flip,
        extras: args.extra_drive,
        version: version.lines().next().unwrap_or_default().to_owned(),
        log: folder.join("console.log"),
        scratch,
    };
    scenario::run(args.scenario, &setting)
}

/// Where Bazel keeps what a test leaves for people to read.
#[allow(
    clippy::disallowed_methods,
    reason = "Bazel tells a test in no other way"
)]
fn test_outputs() -> Option<PathBuf> {
    std::env::var_os("TEST_UNDECLARED_OUTPUTS_DIR").map(PathBuf::from)
}
