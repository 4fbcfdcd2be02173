//! QEMU as a child that never outlives this program.
//!
//! Between fork and QEMU this very program runs once more, as `guest_vm exec-qemu`: it asks the kernel to end it with its parent,
//! sees whether the parent is still there, and becomes QEMU.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::process::{Command as StdCommand, ExitCode, Stdio};

use rustix::process::{getppid, set_parent_process_death_signal, Pid, Signal};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};

/// A started QEMU.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) pid: u32,
    /// Its serial console.
    pub(crate) console: UnixStream,
    /// Its monitor.
    pub(crate) monitor: StdStream,
    pub(crate) errors: ChildStderr,
}

/// Starts `command`, program first.
pub(crate) fn start(command: &[String]) -> io::Result<Started> {
    let (console, their_console) = StdStream::pair()?;
    let (monitor, their_monitor) = StdStream::pair()?;
    console.set_nonblocking(true)?;
    let console = UnixStream::from_std(console)?;
    let mut child = Command::new("/proc/self/exe")
        .arg("exec-qemu")
        .arg("--parent")
        .arg(std::process::id().to_string())
        .arg("--")
        .args(command)
        // Not ours to hand on: NOTIFY_SOCKET above all.
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::from(OwnedFd::from(their_console)))
        .stdout(Stdio::from(OwnedFd::from(their_monitor)))
        .stderr(Stdio::piped())
        // Signals of a terminal are for this program, which stops the guest cleanly.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let gone = || io::Error::other("it ended at once");
    let errors = child.stderr.take().ok_or_else(gone)?;
    Ok(Started {
        pid: child.id().ok_or_else(gone)?,
        child,
        console,
        monitor,
        errors,
    })
}

/// Becomes `command`, which the kernel ends when the process `parent` does.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Exec {
    /// The process that this must not outlive.
    #[arg(long)]
    parent: i32,
    /// Program and arguments.
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

/// Returns only if it fails.
pub(crate) fn exec(args: &Exec) -> ExitCode {
    let failed = |what: &str, error: io::Error| {
        eprintln!("{what}: {error}");
        ExitCode::from(127)
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return failed("cannot be bound to its parent", error.into());
    }
    // It may have ended before that; then somebody else is the parent now.
    if getppid() != Pid::from_raw(args.parent) {
        return failed("its parent is gone", io::Error::other("not started"));
    }
    let Some((program, words)) = args.command.split_first() else {
        return failed("nothing to start", io::ErrorKind::InvalidInput.into());
    };
    let error = StdCommand::new(program).args(words).exec();
    failed(program, error)
}
