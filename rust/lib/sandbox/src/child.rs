//! The hidden processes, and the first of a sandbox: it leaves the caller's namespaces.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::sched::{unshare, CloneFlags};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::setsid;

use crate::error::Error;
use crate::spec::{send, Report, CHILD_FLAG, ROLE_INIT, ROLE_OUTSIDE, ROLE_UNSHARE};
use crate::{clock, init, outside, root};

/// Plays the sandbox's hidden roles. Call it first in `main`; if it returns a code, return that from `main`.
pub fn child_entry() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next().as_deref() != Some(OsStr::new(CHILD_FLAG)) {
        return None;
    }
    if let Err(error) = close_inherited() {
        eprintln!("{CHILD_FLAG}: cannot close the caller's files: {error}");
        return Some(ExitCode::FAILURE);
    }
    let role = args.next();
    Some(match role.as_deref().and_then(OsStr::to_str) {
        Some(ROLE_UNSHARE) => report(leave(&args.collect::<Vec<_>>())),
        Some(ROLE_INIT) => report(init::run().map(Some)),
        Some(ROLE_OUTSIDE) => outside::serve(),
        _ => {
            eprintln!("{CHILD_FLAG} is for this program's own use");
            ExitCode::FAILURE
        }
    })
}

/// Whatever the caller has left open without knowing ends here. This process has opened nothing yet.
#[allow(
    clippy::disallowed_methods,
    reason = "the order in which files are closed does not matter"
)]
fn close_inherited() -> io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().parse().ok()))
        .filter_map(io::Result::transpose)
        .collect::<io::Result<_>>()?;
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        match nix::unistd::close(fd) {
            // The folder itself was open while it was read.
            Ok(()) | Err(Errno::EBADF) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// The socket that is standard input.
pub(crate) fn socket() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Tells the caller how it went.
fn report(result: Result<Option<Report>, Error>) -> ExitCode {
    let report = match result {
        Ok(None) => return ExitCode::SUCCESS,
        Ok(Some(report)) => report,
        Err(Error::NotPermitted { source, .. }) => {
            Report::NotPermitted(source.raw_os_error().unwrap_or(nix::libc::EPERM))
        }
        Err(error) => Report::Failed(with_causes(&error)),
    };
    match socket().and_then(|socket| send(socket, &report)) {
        Ok(()) => ExitCode::SUCCESS,
        // The caller is gone, and with it anyone to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_causes(cause)),
        None => error.to_string(),
    }
}

/// First process: new namespaces, then process 1 in them. It stays to pass on the caller's death.
fn leave(sources: &[OsString]) -> Result<Option<Report>, Error> {
    die_with_parent()?;
    // Away from the caller's terminal: who can write to it can type on it.
    setsid().map_err(|e| Error::setup("leave the caller's session", e))?;
    apart(CloneFlags::CLONE_NEWNS)?;
    // As the caller: a folder on the way may be closed to a tree's users.
    root::gather(sources)?;
    apart(
        CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWCGROUP,
    )?;
    // A namespace's ids are mapped from its parent.
    let failed = |e| Error::setup("have users mapped", e);
    let mut socket = socket().map_err(failed)?;
    send(&socket, &Report::Apart).map_err(failed)?;
    socket.read_exact(&mut [0]).map_err(failed)?;
    clock::restart()?;
    let status = Command::new("/proc/self/exe")
        .args([CHILD_FLAG, ROLE_INIT])
        .env_clear()
        // Without this a new process shares memory with this one at first, and with another clock it may not.
        .uid(0)
        .gid(0)
        .status()
        .map_err(|e| Error::setup("start process 1", e))?;
    // Process 1 has told the caller all there is, unless it died of something worse.
    if status.success() {
        Ok(None)
    } else {
        Err(Error::Lost(status.to_string()))
    }
}

fn apart(flags: CloneFlags) -> Result<(), Error> {
    unshare(flags).map_err(|e| match e {
        Errno::EPERM | Errno::ENOSPC | Errno::EUSERS | Errno::EINVAL => Error::NotPermitted {
            what: "namespaces",
            source: e.into(),
        },
        e => Error::setup("make namespaces", e),
    })
}

pub(crate) fn die_with_parent() -> Result<(), Error> {
    set_pdeathsig(Signal::SIGKILL).map_err(|e| Error::setup("ask for the parent's death", e))
}
