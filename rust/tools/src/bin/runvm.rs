//! Boots a disk image in QEMU with its console on the terminal; what `bazel run …:run` starts.
//!
//! Nothing is written to the image: changes go to a nameless overlay that vanishes with QEMU, or to the file given by `--persist`.
//! An image that exists as a plan only (`NAME.image`) is served to QEMU from its inputs; nothing of it is written or read up front.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure, Context, Result};
use plan::List;
use vm::medium::Medium;
use vm::{AccelChoice, Drive, Forward, VmConfig};

/// Boot a disk image in QEMU, its console on this terminal (Ctrl-A X quits, Ctrl-A C is QEMU's monitor).
///
/// What the guest writes to its disk is thrown away unless --persist names a file to keep it in.
#[derive(Debug, clap::Parser)]
struct Args {
    /// Disk image to boot, raw or a plan list (NAME.image); never written to.
    #[arg(long, value_name = "FILE")]
    disk: PathBuf,
    /// Keep what the guest writes in this file (made when missing; for a raw disk it is a qcow2 overlay).
    #[arg(long, value_name = "FILE")]
    persist: Option<PathBuf>,
    /// Start from the --persist file, but throw away what this run writes.
    #[arg(long)]
    snapshot: bool,
    /// Settings for the guest's first boot: a folder (becomes a FAT medium labelled CONFIG) or a ready image of one.
    #[arg(long, value_name = "DIR|IMG")]
    config: Option<PathBuf>,
    /// Port of this host that leads to the guest's ssh; 0 for none.
    #[arg(long, value_name = "PORT", default_value_t = 2222)]
    ssh_port: u16,
    /// Make a port of the guest reachable here, on 127.0.0.1 only; may be repeated.
    #[arg(long, value_name = "HOST:GUEST")]
    forward: Vec<Forward>,
    /// Memory of the guest: MiB, or with suffix M or G.
    #[arg(long, value_name = "SIZE", default_value = "2048", value_parser = parse_memory)]
    memory: u32,
    /// Processors of the guest.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    cpus: u32,
    /// What runs the guest's code: kvm, tcg (emulation) or auto (kvm where it really works).
    #[arg(long, value_name = "KIND", default_value_t)]
    accel: AccelChoice,
    /// UUID of the machine, which guests may make their machine id of; give each its own if they are to meet.
    #[arg(
        long,
        value_name = "UUID",
        default_value = "6f1d7a52-3a0c-4e0b-9b0e-4a2d2f6c9e01"
    )]
    uuid: String,
    /// UEFI firmware; the installed OVMF by default.
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    /// Quit when the guest reboots.
    #[arg(long)]
    no_reboot: bool,
    /// Print the QEMU command instead of running it (for a plan list also the one that serves it).
    #[arg(long)]
    print_command: bool,
    /// Further arguments for QEMU, as they are.
    #[arg(last = true, value_name = "QEMU ARGUMENT")]
    qemu: Vec<String>,
}

fn main() -> ExitCode {
    cli::run("runvm", run)
}

fn run(args: Args) -> Result<()> {
    ensure!(
        args.persist.is_some() || !args.snapshot,
        "--snapshot goes with --persist; without it nothing is kept anyway"
    );
    let firmware = vm::firmware::given_or_find(args.firmware.as_deref())?;
    if !args.print_command {
        check_ports(&args)?;
    }
    let (medium, config_drive) = config_medium(&args)?;
    let drive = disk(&args)?;
    let choice = args.accel.resolve_remembered(&firmware)?;
    if let Some(note) = &choice.note {
        eprintln!("runvm: {note}");
    }
    let mut guest = VmConfig::new(firmware, choice.accel)
        .memory_mib(args.memory)
        .cpus(args.cpus)
        .no_reboot(args.no_reboot)
        .uuid(&args.uuid)
        .drive(drive);
    if let Some(drive) = config_drive {
        guest = guest.drive(drive);
    }
    if args.ssh_port != 0 {
        guest = guest.forward(args.ssh_port, 22);
    }
    for forward in &args.forward {
        guest = guest.forward(forward.host, forward.guest);
    }
    for word in &args.qemu {
        guest = guest.arg(word);
    }
    if args.print_command {
        return print(&commands(&guest)?);
    }
    let servers = guest.serve()?;
    announce(&args);
    let status = vm::run_on_terminal(&guest.terminal_command())?;
    drop((servers, medium));
    ensure!(status.success(), "QEMU ended with {status}");
    Ok(())
}

/// All ports wanted, checked before anything is started.
fn check_ports(args: &Args) -> Result<()> {
    if args.ssh_port != 0 {
        vm::ports::check_free(args.ssh_port, "--ssh-port PORT (0 for none)")?;
    }
    for Forward { host, guest } in &args.forward {
        ensure!(
            *host != 0,
            "--forward {host}:{guest}: 0 is no port of this host"
        );
        ensure!(
            *host != args.ssh_port,
            "--forward {host}:{guest}: port {host} is the one of --ssh-port"
        );
        vm::ports::check_free(*host, &format!("--forward PORT:{guest}"))?;
    }
    Ok(())
}

/// The disk as the guest gets it, through an overlay either way.
fn disk(args: &Args) -> Result<Drive> {
    let disk = existing(&args.disk);
    std::fs::File::open(&disk).with_context(|| format!("--disk {}", disk.display()))?;
    let drive = Drive::image(&disk);
    let Some(persist) = &args.persist else {
        return Ok(drive);
    };
    let persist = from_user(persist);
    if List::is_named(&disk) {
        return Ok(drive.keep_in(persist).throw_away(args.snapshot));
    }
    if !args.print_command {
        overlay(&disk, &persist).with_context(|| format!("--persist {}", persist.display()))?;
    } else if !persist.exists() {
        eprintln!("runvm: {} does not exist yet", persist.display());
    }
    Ok(Drive::qcow2(persist).throw_away(args.snapshot))
}

/// Makes the overlay, or makes sure that the one there was made over this very disk: over another one it is noise.
fn overlay(disk: &Path, persist: &Path) -> Result<()> {
    let metadata = std::fs::metadata(disk)?;
    let (len, seconds, nanos) = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    let now = format!("{} {len} {seconds}.{nanos:09}\n", disk.display());
    let mut note = persist.as_os_str().to_owned();
    note.push(".base");
    if !persist.exists() {
        vm::create_overlay(disk, persist)?;
        return std::fs::write(&note, now).context("cannot note which disk it belongs to");
    }
    let then = std::fs::read_to_string(&note).unwrap_or_default();
    ensure!(
        then == now,
        "it holds changes to a disk image that has been rebuilt since and fits the new one no more; delete it to start anew"
    );
    Ok(())
}

/// The CONFIG medium; the first part of the result keeps a made one alive.
fn config_medium(args: &Args) -> Result<(Option<Medium>, Option<Drive>)> {
    let Some(path) = &args.config else {
        return Ok((None, None));
    };
    let path = existing(path);
    if path.is_dir() {
        if args.print_command {
            eprintln!(
                "runvm: CONFIG.img stands for a medium made of the folder {}",
                path.display()
            );
            return Ok((None, Some(Drive::raw("CONFIG.img"))));
        }
        let medium = Medium::from_folder(&path, "CONFIG")?;
        let drive = Drive::raw(medium.path());
        return Ok((Some(medium), Some(drive)));
    }
    std::fs::File::open(&path).with_context(|| format!("--config {}", path.display()))?;
    Ok((None, Some(Drive::raw(path))))
}

/// What to type to get the same guest: servers first, each from the folder that a list's paths start from.
fn commands(guest: &VmConfig) -> Result<String> {
    let here = std::env::current_dir().context("cannot tell the current folder")?;
    let here = vm::quote([here.display().to_string()]);
    let mut lines = String::new();
    for serve in guest.serve_commands() {
        let serve = vm::quote(serve);
        lines.push_str(&format!("cd {here} && serve {serve} &\n"));
    }
    if !lines.is_empty() {
        lines.push_str(&format!("cd {here} && "));
    }
    lines.push_str(&vm::quote(guest.terminal_command()));
    Ok(lines)
}

fn announce(args: &Args) {
    if args.ssh_port != 0 {
        eprintln!(
            "runvm: ssh: ssh -p {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@127.0.0.1",
            args.ssh_port
        );
    }
    for Forward { host, guest } in &args.forward {
        eprintln!("runvm: 127.0.0.1:{host} leads to the guest's port {guest}");
    }
    eprintln!("runvm: the guest's console follows; Ctrl-A X quits");
}

fn print(line: &str) -> Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{line}").context("cannot print the command")
}

/// `path` as it stands (a path that Bazel gave), else seen from where the user called.
fn existing(path: &Path) -> PathBuf {
    if path.exists() {
        path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
    } else {
        from_user(path)
    }
}

/// `path` seen from the folder in which the user called `bazel run`, which starts programs elsewhere.
#[allow(
    clippy::disallowed_methods,
    reason = "Bazel tells the user's folder in no other way; nothing is built from it"
)]
fn from_user(path: &Path) -> PathBuf {
    match std::env::var_os("BUILD_WORKING_DIRECTORY") {
        Some(folder) if path.is_relative() => PathBuf::from(folder).join(path),
        _ => path.to_path_buf(),
    }
}

/// MiB from `2048`, `512M` or `4G`.
fn parse_memory(text: &str) -> Result<u32> {
    let (digits, factor) = match text.char_indices().last() {
        Some((at, 'G' | 'g')) => (text.get(..at), 1024),
        Some((at, 'M' | 'm')) => (text.get(..at), 1),
        _ => (Some(text), 1),
    };
    let mib = digits
        .and_then(|digits| digits.parse::<u32>().ok())
        .and_then(|number| number.checked_mul(factor));
    match mib {
        Some(mib) if mib >= 64 => Ok(mib),
        Some(mib) => bail!("{mib} MiB is less than the 64 MiB that the firmware needs"),
        None => bail!("not a size such as 2048, 512M or 4G"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_belongs_to_one_disk() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, keep) = (dir.path().join("disk.img"), dir.path().join("keep.qcow2"));
        std::fs::write(&disk, vec![0; 1 << 20]).unwrap();
        overlay(&disk, &keep).unwrap();
        overlay(&disk, &keep).unwrap();
        std::fs::write(&disk, vec![1; 2 << 20]).unwrap();
        let error = overlay(&disk, &keep).unwrap_err().to_string();
        assert!(error.contains("has been rebuilt since"), "{error}");
        std::fs::remove_file(&keep).unwrap();
        overlay(&disk, &keep).unwrap();
    }

    #[test]
    fn memory_sizes() {
        for (text, mib) in [("2048", 2048), ("512M", 512), ("4G", 4096), ("1g", 1024)] {
            assert_eq!(parse_memory(text).unwrap(), mib);
        }
        for text in ["", "G", "4T", "-1", "63", "99999999G", "é"] {
            assert!(parse_memory(text).is_err(), "{text}");
        }
    }
}
