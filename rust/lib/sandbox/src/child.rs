//! The hidden processes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use nix::errno::Errno;
use nix::sched::{unshare, CloneFlags};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::{umask, Mode};
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::{geteuid, Pid};

use crate::error::Error;
use crate::spec::{receive, send, Report, Spec, CHILD_FLAG, ROLE_IDMAP, ROLE_INIT, ROLE_UNSHARE};
use crate::{idmap, root};

/// Plays the sandbox's hidden roles. Call it first in `main`; if it returns a code, return that from `main`.
pub fn child_entry() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next().as_deref() != Some(OsStr::new(CHILD_FLAG)) {
        return None;
    }
    let role = args.next().unwrap_or_default();
    Some(match role.to_str() {
        Some(ROLE_UNSHARE) => report(leave()),
        Some(ROLE_INIT) => report(init()),
        Some(ROLE_IDMAP) => idmap::helper(args.next()),
        _ => {
            eprintln!("{CHILD_FLAG} is for this program's own use");
            ExitCode::FAILURE
        }
    })
}

/// The socket that is standard input.
fn socket() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Tells the caller how it went.
fn report(result: Result<Option<Report>, Error>) -> ExitCode {
    let report = match result {
        Ok(None) => return ExitCode::SUCCESS,
        Ok(Some(report)) => report,
        Err(Error::NotPermitted { source, .. }) => {
            Report::NotPermitted(source.raw_os_error().unwrap_or(0))
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
fn leave() -> Result<Option<Report>, Error> {
    die_with_parent()?;
    let flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(flags).map_err(|e| match e {
        Errno::EPERM | Errno::ENOSPC | Errno::EINVAL => Error::NotPermitted {
            what: "namespaces",
            source: e.into(),
        },
        e => Error::setup("make namespaces", e),
    })?;
    let status = Command::new("/proc/self/exe")
        .args([CHILD_FLAG, ROLE_INIT])
        .env_clear()
        .status()
        .map_err(|e| Error::setup("start process 1", e))?;
    // Process 1 has told the caller all there is, unless it died of something worse.
    if status.success() {
        Ok(None)
    } else {
        Err(Error::Lost(status.to_string()))
    }
}

fn die_with_parent() -> Result<(), Error> {
    set_pdeathsig(Signal::SIGKILL).map_err(|e| Error::setup("ask for the parent's death", e))
}

/// Second process: process 1.
fn init() -> Result<Option<Report>, Error> {
    die_with_parent()?;
    let socket = socket().map_err(|e| Error::setup("use the caller's socket", e))?;
    let spec: Spec = receive(&socket)
        .map_err(|e| Error::setup("read what to run", e))?
        .ok_or_else(|| Error::Lost("the caller is gone".to_owned()))?;
    root::enter(&spec)?;
    umask(Mode::from_bits_truncate(spec.umask));
    let pid = start(&spec)?;
    watch_caller(socket);
    reap_until(pid).map(Some)
}

/// Starts the command; a thread feeds its standard input.
fn start(spec: &Spec) -> Result<Pid, Error> {
    let (program, args) = spec
        .argv
        .split_first()
        .ok_or_else(|| Error::Child("no command".to_owned()))?;
    let name = program.to_string_lossy();
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(spec.env.iter().map(|(k, v)| (k, v)))
        .current_dir(&spec.cwd)
        .stdin(if spec.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
    // Setting the user also drops supplementary groups, which only root may do.
    if geteuid().is_root() {
        command.gid(spec.gid).uid(spec.uid);
    }
    let mut child = command.spawn().map_err(|e| {
        let cwd = spec.cwd.to_string_lossy();
        Error::setup(format!("start `{name}` in {cwd}"), e)
    })?;
    if let (Some(bytes), Some(mut pipe)) = (spec.stdin.clone(), child.stdin.take()) {
        std::thread::spawn(move || {
            // A command need not read all of its input.
            let _ = pipe.write_all(&bytes);
        });
    }
    let id = i32::try_from(child.id()).map_err(|_| Error::Lost("bad process number".to_owned()))?;
    Ok(Pid::from_raw(id))
}

/// Ends process 1, and with it everything in the sandbox, when the caller's end of the socket closes.
fn watch_caller(mut socket: File) {
    std::thread::spawn(move || {
        let mut byte = [0];
        loop {
            match socket.read(&mut byte) {
                Ok(0) => std::process::exit(1),
                Err(e) if e.kind() != io::ErrorKind::Interrupted => std::process::exit(1),
                _ => {}
            }
        }
    });
}

/// Reaps orphans, as process 1 must, until the command itself ends.
fn reap_until(pid: Pid) -> Result<Report, Error> {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(ended, code)) if ended == pid => {
                return Ok(Report::Exited(code));
            }
            Ok(WaitStatus::Signaled(ended, signal, _)) if ended == pid => {
                return Ok(Report::Signaled(signal_number(signal)));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(Error::setup("wait for the command", e)),
        }
    }
}

fn signal_number(signal: Signal) -> i32 {
    let mut number: i32 = 1;
    while number < 65 {
        if Signal::try_from(number) == Ok(signal) {
            return number;
        }
        number = number.saturating_add(1);
    }
    0
}
