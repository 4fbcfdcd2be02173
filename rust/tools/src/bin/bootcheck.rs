//! `bootcheck`: a test that boots a disk image in QEMU and waits for what its console is to say.
//!
//! The disk is never written: an image that exists as a plan only (`NAME.image`) is served to QEMU from its inputs.

use std::io::{stderr, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use vm::{AccelChoice, Deadline, Drive, VmConfig};

/// Boots a disk image in QEMU and waits for texts on its serial console, in the order given.
#[derive(Debug, clap::Parser)]
struct Args {
    /// Disk image to boot, raw or a plan list (NAME.image).
    #[arg(long, value_name = "FILE")]
    disk: PathBuf,
    /// What the console is to say, after what the --expect before it names; may be repeated.
    #[arg(long, value_name = "TEXT", required = true)]
    expect: Vec<String>,
    /// Wait for the guest to switch itself off then.
    #[arg(long)]
    until_off: bool,
    /// How long all of it may take where the guest runs on KVM; emulated it may take several times that.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    within: u64,
    /// Memory of the guest in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory_mib: u32,
    /// What runs the guest's code: kvm, tcg (emulation) or auto (kvm where it really works).
    #[arg(long, value_name = "KIND", default_value_t)]
    accel: AccelChoice,
    /// UEFI firmware; the installed OVMF by default.
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    /// Folder for the console's log; Bazel's folder for test outputs by default.
    #[arg(long, value_name = "DIR")]
    outputs: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("bootcheck", run)
}

fn run(args: Args) -> Result<()> {
    let begin = Instant::now();
    let say = |text: &str| {
        let seconds = begin.elapsed().as_secs();
        // Who can't be told is not waiting for it.
        let _ = writeln!(stderr(), "bootcheck: {seconds:3} s: {text}");
    };
    let firmware = vm::firmware::given_or_find(args.firmware.as_deref())?;
    let choice = args.accel.resolve(&firmware)?;
    if let Some(note) = &choice.note {
        say(note);
    }
    let scratch = vm::private_folder("bootcheck-")?;
    let outputs = args.outputs.or_else(vm::test_outputs);
    let log = outputs
        .as_deref()
        .unwrap_or(scratch.path())
        .join("console.log");
    let vm = VmConfig::new(firmware, choice.accel)
        .memory_mib(args.memory_mib)
        .without_network()
        .no_reboot(true)
        .console_log(log)
        .drive(Drive::image(absolute(&args.disk)?))
        .start()?;
    let deadline = Deadline::scaled(Duration::from_secs(args.within), choice.accel);
    for text in &args.expect {
        vm.console().expect(text, deadline)?;
        say(text);
    }
    if args.until_off {
        let status = vm.wait_exit(deadline)?;
        ensure!(
            status.success(),
            "QEMU ended with {status}: {}",
            vm.errors()
        );
        say("the guest has switched itself off");
    }
    Ok(())
}

/// Links stay: a list is known by its name.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot open {}", path.display()))
}
