//! Boots a disk image in QEMU with its console on the terminal; what `bazel run …:run` starts.
//!
//! Nothing is written to the image: changes go to a nameless overlay that vanishes with QEMU, or to the file given by `--persist`.
//! An image that exists as a plan only (`NAME.image`) is served to QEMU from its inputs; nothing of it is written or read up front.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure, Context, Result};
use cli::{existing, from_user};
use plan::List;
use vm::medium::Medium;
use vm::{AccelChoice, Drive, Elsewhere, Forward, VmConfig};

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
    /// What is to be said of the disk before it starts: a text, or an empty file.
    #[arg(long, value_name = "FILE")]
    note: Option<PathBuf>,
    /// UEFI firmware; the installed OVMF by default.
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    /// Quit when the guest reboots.
    #[arg(long)]
    no_reboot: bool,
    /// Print a line for a shell that starts the same guest, instead of starting it. What the line needs and is not there (a
    /// medium of --config, the file of --persist) is made, and said.
    #[arg(long)]
    print_command: bool,
    /// Serve the disk at this socket until killed, and start no guest: what the printed line does first.
    #[arg(
        long,
        value_name = "SOCKET",
        hide = true,
        conflicts_with = "print_command"
    )]
    serve_at: Option<PathBuf>,
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
    if let Some(socket) = &args.serve_at {
        let _servers = disk(&args)?.serve_at(socket)?;
        loop {
            std::thread::park();
        }
    }
    let firmware = args.firmware.as_deref().map(existing);
    let firmware = vm::firmware::given_or_find(firmware.as_deref())?;
    if !args.print_command {
        check_ports(&args)?;
    }
    let mut stays = Stays::default();
    let (medium, config_drive) = config_medium(&args, &mut stays)?;
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
        return print(&line(&mut guest, args.snapshot, &mut stays)?);
    }
    let servers = guest.serve()?;
    announce(&args)?;
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
    for Forward { host, guest, .. } in &args.forward {
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
    overlay(&disk, &persist).with_context(|| format!("--persist {}", persist.display()))?;
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
        // First: an overlay of which nobody knows the disk is refused.
        let mut options = std::fs::File::options();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&note);
        let written = written.and_then(|mut file| file.write_all(now.as_bytes()));
        written.context("cannot note which disk it belongs to")?;
        return Ok(vm::create_overlay(disk, persist)?);
    }
    let then = match std::fs::read_to_string(&note) {
        Ok(then) => Some(then),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error).context("cannot read which disk it belongs to"),
    };
    ensure!(
        then.as_ref() == Some(&now),
        "it holds changes to a disk image that has been rebuilt since and fits the new one no more; delete it to start anew"
    );
    Ok(())
}

/// The CONFIG medium; the first part of the result keeps a made one alive.
fn config_medium(args: &Args, stays: &mut Stays) -> Result<(Option<Medium>, Option<Drive>)> {
    let Some(path) = &args.config else {
        return Ok((None, None));
    };
    let path = existing(path);
    if path.is_dir() {
        if args.print_command {
            let image = stays.folder()?.join("CONFIG.img");
            vm::medium::from_folder(&path, "CONFIG", &image)?;
            return Ok((None, Some(Drive::raw(image))));
        }
        let medium = Medium::from_folder(&path, "CONFIG")?;
        let drive = Drive::raw(medium.path());
        return Ok((Some(medium), Some(drive)));
    }
    std::fs::File::open(&path).with_context(|| format!("--config {}", path.display()))?;
    Ok((None, Some(Drive::raw(path))))
}

/// A folder that outlives this program: what a printed line needs is in it. Nobody else may look into it.
#[derive(Default)]
struct Stays {
    folder: Option<PathBuf>,
}

impl Stays {
    fn folder(&mut self) -> Result<&Path> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => {
                let folder = vm::private_folder("runvm-")?.keep();
                eprintln!(
                    "runvm: the line needs the folder {}; remove it when you need the line no more",
                    folder.display()
                );
                folder
            }
        };
        Ok(self.folder.insert(folder))
    }
}

/// One line for a shell that starts the same guest: servers first, which end with it. It works from any folder, and again.
fn line(guest: &mut VmConfig, snapshot: bool, stays: &mut Stays) -> Result<String> {
    guest.pick_ports()?;
    // Looked for only if there is something to serve.
    let servers = match guest.is_served() {
        true => guest.serve_elsewhere(stays.folder()?),
        false => Vec::new(),
    };
    let (mut before, mut after) = (String::new(), String::new());
    for (number, server) in servers.iter().enumerate() {
        let socket = vm::quote([path(&server.socket)?]);
        let serve = vm::quote(serve_command(server, snapshot)?);
        // The paths of a list start from the folder in which this program was started.
        let here = std::env::current_dir().context("cannot tell the current folder")?;
        let here = vm::quote([path(&here)?]);
        before.push_str(&format!(
            "rm -f {socket}; (cd {here} && exec {serve}) & S{number}=$!; \
             while kill -0 $S{number} 2>/dev/null && ! [ -S {socket} ]; do sleep 0.1; done; "
        ));
        after.push_str(&format!("kill $S{number}; "));
    }
    let qemu = vm::quote(guest.terminal_command());
    Ok(match after.is_empty() {
        true => qemu,
        false => format!("{before}{qemu}; R=$?; {after}(exit $R)"),
    })
}

/// This program, as a server.
fn serve_command(server: &Elsewhere, snapshot: bool) -> Result<Vec<String>> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let mut words = vec![path(&program)?, "--disk".to_owned(), path(&server.image)?];
    words.extend(["--serve-at".to_owned(), path(&server.socket)?]);
    if let Some(keep) = &server.keep {
        words.extend(["--persist".to_owned(), path(keep)?]);
        words.extend(snapshot.then(|| "--snapshot".to_owned()));
    }
    Ok(words)
}

/// `path` as a word that names the same file, or an error.
fn path(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!(
            "{} is no UTF-8: QEMU's command line can't have it",
            path.display()
        ),
    }
}

/// What a person reads before the guest's console.
fn announce(args: &Args) -> Result<()> {
    if let Some(path) = &args.note {
        let path = existing(path);
        let note = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        for line in note.lines().filter(|line| !line.is_empty()) {
            eprintln!("runvm: {line}");
        }
    }
    if args.ssh_port != 0 {
        eprintln!(
            "runvm: ssh: ssh -p {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@127.0.0.1",
            args.ssh_port
        );
    }
    for Forward { host, guest, .. } in &args.forward {
        eprintln!("runvm: 127.0.0.1:{host} leads to the guest's port {guest}");
    }
    eprintln!("runvm: the guest's console follows; Ctrl-A X quits");
    Ok(())
}

fn print(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot print the command")
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
