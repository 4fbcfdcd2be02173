//! The first program of a start: finds the root's partition, opens it under dm-verity, hands over to the system's init.
//!
//! It is `/init` of an initrd that holds nothing else but kernel modules and their firmware (`rust/lib/initrd`), and does what an initrd with
//! systemd and udev would for this one kind of root, in a tenth of the time:
//!
//! 1. The kernel's file systems are mounted (`/dev`, `/proc`, `/sys`), and the command line is read. An option of dm-verity that is not known here
//!    ends the start: what was meant to guard the system must not be left out silently.
//! 2. The modules that the initrd names are loaded, and those that the devices of the machine ask for, until the root's partition is
//!    there: a process for each, so that no driver waits for another one's hardware. Devices that come later are heard of as udev hears of them.
//! 3. The partition is found by its PARTUUID and by the hash of its tree's top; several may have the same id. The kernel gets the table: from then on
//!    it checks every block against the root hash on the command line, which was signed with this program.
//! 4. The root is mounted read-only, the initrd's files are removed from memory, and the system's `/sbin/init` takes this process over.
//!
//! `init=`, credentials and files that somebody adds to the initrd are not looked at. There is no shell. What fails is said on the
//! kernel's console, and the machine restarts after [`PAUSE`]: a boot loader that counts tries goes to the other slot then.

mod cmdline;
mod disks;
mod events;
mod log;
mod modules;
mod pattern;
mod root;
mod search;
mod table;

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use cmdline::Settings;
use modules::Modules;
use nix::mount::{mount, MsFlags};
use nix::sys::reboot::{reboot, RebootMode};
use search::Search;

/// For somebody to read what is on the console, as the kernel waits after a panic (`panic=10`).
const PAUSE: Duration = Duration::from_secs(10);
/// A disk on a busy machine takes its time to be found; giving up early would cost one of the slot's tries. As the system waits for its devices.
const PATIENCE: Duration = Duration::from_secs(240);
/// So long whoever watches over this program waits: a read from a disk that dies, or a call of the kernel, may not come back.
const STUCK: Duration = Duration::from_secs(300);

/// Where the program finds what the initrd has for it.
const AT_ONCE: &str = "/etc/modules-load.d/initrd.conf";
const ROOT: &str = "/sysroot";

/// Starts a system whose root is under dm-verity: `/init` of an initrd, where the kernel gives it no flags.
#[derive(clap::Parser)]
#[command(name = "initrd_init")]
struct Args {
    /// Load these modules of the initrd, in this order, and end: what the program calls itself for
    #[arg(long, value_name = "MODULE", num_args = 1..)]
    load: Vec<String>,
}

fn main() -> ExitCode {
    if std::process::id() != 1 {
        return cli::run("initrd_init", |args: Args| -> Result<()> {
            ensure!(
                !args.load.is_empty(),
                "got process {}, want to be the first one of a kernel, in an initrd",
                std::process::id()
            );
            log::open();
            modules(&command_line()?)?.load(&args.load);
            Ok(())
        });
    }
    let error = match start() {
        Ok(never) => match never {},
        Err(error) => error,
    };
    restart(&format!("{error:#}"))
}

fn start() -> Result<Infallible> {
    kernel_file_systems()?;
    log::open();
    // Ends with this program, when the system takes it over.
    thread::spawn(|| {
        thread::sleep(STUCK);
        restart("the search for the root hangs")
    });
    log::info("looking for the root's partition");
    let line = command_line()?;
    let settings = Settings::parse(&line)?;
    let root = Search::new(modules(&line)?, &settings)?.run(PATIENCE)?;
    let device = root.open(&settings)?;
    root::mount_at(&device, Path::new(ROOT))?;
    log::info(&format!("root is {}", root.partition().display()));
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    root::hand_over(Path::new(ROOT), &args)
}

/// Says why no system starts, and restarts the machine.
fn restart(why: &str) -> ExitCode {
    log::error(why);
    log::error(&format!(
        "the system does not start; restarting in {} s",
        PAUSE.as_secs()
    ));
    thread::sleep(PAUSE);
    // Where this returns the kernel panics, because its first program ended, and restarts by `panic=`.
    let Err(errno) = reboot(RebootMode::RB_AUTOBOOT);
    log::error(&format!("cannot restart: {errno}"));
    ExitCode::from(1)
}

fn command_line() -> Result<String> {
    fs::read_to_string("/proc/cmdline").context("cannot read /proc/cmdline")
}

/// The modules of the initrd for the kernel that runs.
fn modules(line: &str) -> Result<Modules> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")
        .context("cannot read the kernel's release")?;
    Modules::open(
        &Path::new("/lib/modules").join(release.trim()),
        Path::new(AT_ONCE),
        line,
    )
}

/// Mounts what everything else here reads; they move along with the root.
fn kernel_file_systems() -> Result<()> {
    let guard = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    for (kind, at, flags, data) in [
        ("devtmpfs", "/dev", MsFlags::MS_NOSUID, Some("mode=0755")),
        ("proc", "/proc", guard, None),
        ("sysfs", "/sys", guard, None),
    ] {
        mount(Some(kind), at, Some(kind), flags, data)
            .with_context(|| format!("cannot mount {kind} at {at}"))?;
    }
    Ok(())
}
