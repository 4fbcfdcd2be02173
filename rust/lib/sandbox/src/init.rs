//! Process 1 of a sandbox: makes the root, starts the command with few rights, reaps.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::stat::{umask, Mode};
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::Pid;

use crate::child::{die_with_parent, socket};
use crate::error::Error;
use crate::spec::{receive, Report, Spec};
use crate::{rights, root};

pub(crate) fn run() -> Result<Report, Error> {
    die_with_parent()?;
    let socket = socket().map_err(|e| Error::setup("use the caller's socket", e))?;
    let spec: Spec = receive(&socket)
        .map_err(|e| Error::setup("read what to run", e))?
        .ok_or_else(|| Error::Lost("the caller is gone".to_owned()))?;
    root::enter(&spec)?;
    umask(Mode::from_bits_truncate(spec.umask));
    // This thread's own rights: processes and threads have those of the thread that starts them.
    rights::reduce()?;
    let pid = start(&spec)?;
    watch_caller(socket);
    reap_until(pid)
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
    // Setting the user also drops supplementary groups.
    command.gid(spec.gid).uid(spec.uid);
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

#[expect(clippy::as_conversions, reason = "a Signal is its number")]
fn signal_number(signal: Signal) -> i32 {
    signal as i32
}
