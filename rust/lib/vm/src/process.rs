//! QEMU as a child process that never outlives its parent.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Deadline, Result, VmError};

/// How often a child is looked at while its end is awaited.
const POLL: Duration = Duration::from_millis(20);
/// So much of the end of a program's messages is shown.
const MOST_ERRORS: u64 = 64 << 10;

/// A running program with its standard error in an unnamed file; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Mutex<Child>,
    stderr: File,
    program: String,
}

impl Process {
    /// Starts `program` with `args` and descriptors 0 and 1 as given.
    pub(crate) fn spawn(
        program: &str,
        args: &[String],
        directory: Option<&Path>,
        stdin: OwnedFd,
        stdout: OwnedFd,
    ) -> Result<Self> {
        let stderr = tempfile::tempfile().map_err(VmError::io("create a temporary file"))?;
        let log = stderr
            .try_clone()
            .map_err(VmError::io("open a temporary file twice"))?;
        let mut command = bound_command(program, "KILL")?;
        command.args(args);
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        let child = command
            .stdin(Stdio::from(stdin))
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(log))
            .spawn()
            .map_err(VmError::io(format!("start {program}")))?;
        Ok(Self {
            child: Mutex::new(child),
            stderr,
            program: program.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it ended, or None while it runs.
    pub(crate) fn ended(&self) -> Result<Option<ExitStatus>> {
        self.lock()
            .try_wait()
            .map_err(VmError::io(format!("wait for {}", self.program)))
    }

    /// Waits for its end; None when the time is over.
    pub(crate) fn wait(&self, deadline: Deadline) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if deadline.expired() {
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Last lines of its standard error.
    pub(crate) fn errors(&self) -> String {
        last(&self.stderr)
    }

    /// The same, for who outlives this.
    pub(crate) fn last_words(&self) -> Result<impl FnOnce() -> String + Send + 'static> {
        let stderr = self
            .stderr
            .try_clone()
            .map_err(VmError::io("open a temporary file twice"))?;
        Ok(move || last(&stderr))
    }

    /// The error that an untimely end with `status` is.
    pub(crate) fn failure(&self, status: ExitStatus) -> VmError {
        VmError::Failed {
            program: self.program.clone(),
            status: status.to_string(),
            detail: self.errors(),
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        let mut child = self.lock();
        // It may have ended by itself; there is nothing to do about any other failure.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The end of a file, as text.
fn last(file: &File) -> String {
    let mut text = Vec::new();
    let read = file.metadata().and_then(|about| {
        let at = about.len().saturating_sub(MOST_ERRORS); // all, if it is short
        text.resize(base::as_usize(about.len().abs_diff(at)), 0);
        file.read_exact_at(&mut text, at)
    });
    match read {
        Ok(()) => String::from_utf8_lossy(&text).trim().to_owned(),
        Err(error) => format!("(its messages are lost: {error})"),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command for `program` that gets `signal` when the thread that starts it ends, and whose temporary files (such as QEMU's
/// throw-away overlays, for which it would take /var/tmp) go where ours do.
pub(crate) fn bound_command(program: &str, signal: &str) -> Result<Command> {
    let mut command = if installed("setpriv") {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", signal, "--", program]);
        command
    } else {
        Command::new(program)
    };
    // QEMU takes the very word "/tmp" for "no one has chosen" and uses /var/tmp, which a sandbox may keep read-only.
    command.env("TMPDIR", std::env::temp_dir().join("."));
    Ok(command)
}

/// Runs a command, program first, on the terminal of this process until it ends. It is asked to end when this process does.
pub fn run_on_terminal(words: &[String]) -> Result<ExitStatus> {
    let (program, args) = split(words)?;
    let mut command = bound_command(program, "TERM")?;
    command
        .args(args)
        .status()
        .map_err(VmError::io(format!("start {program}")))
}

/// Program and arguments of a command.
pub(crate) fn split(words: &[String]) -> Result<(&str, &[String])> {
    match words.split_first() {
        Some((program, args)) => Ok((program, args)),
        None => Err(VmError::Failed {
            program: "(none)".to_owned(),
            status: "not started".to_owned(),
            detail: "the command is empty".to_owned(),
        }),
    }
}

/// Whether `program` can be started at all.
pub(crate) fn installed(program: &str) -> bool {
    find(program).is_some()
}

/// The file that is started as `program`. To ask QEMU itself would take it longer than it takes to start a guest.
#[allow(
    clippy::disallowed_methods,
    reason = "where programs are is the environment's to say, here as in every start of one"
)]
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let may_run = |path: &PathBuf| {
        let metadata = path.metadata();
        metadata.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(may_run);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(may_run)
}

/// Refuses to go on without `program`, which is in the Debian package `package`.
pub(crate) fn require(program: &str, package: &'static str) -> Result<()> {
    if installed(program) {
        Ok(())
    } else {
        Err(VmError::MissingProgram {
            program: program.to_owned(),
            package,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleep() -> Process {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let stdin = OwnedFd::from(ours.try_clone().unwrap());
        Process::spawn("sleep", &["1000".into()], None, stdin, ours.into()).unwrap()
    }

    #[test]
    fn dropping_ends_the_child() {
        let process = sleep();
        let pid = process.lock().id();
        assert!(Path::new(&format!("/proc/{pid}")).exists());
        drop(process);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn the_end_of_the_starting_thread_ends_the_child() {
        // The signal is asked for by setpriv, so the thread waits until that has become the program itself.
        let start = || {
            let process = sleep();
            let comm = format!("/proc/{}/comm", process.lock().id());
            while std::fs::read_to_string(&comm).unwrap() != "sleep\n" {
                std::thread::sleep(POLL);
            }
            process
        };
        let process = std::thread::spawn(start).join().unwrap();
        let deadline = Deadline::after(Duration::from_secs(240));
        let status = process.wait(deadline).unwrap().expect("still running");
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
    }

    #[test]
    fn a_command_on_the_terminal_ends_as_it_ends() {
        let run = |script: &str| run_on_terminal(&["sh", "-c", script].map(str::to_owned));
        assert_eq!(run("exit 7").unwrap().code(), Some(7));
        // Where its files for a while go is where ours do.
        let ours = std::env::temp_dir();
        let script = format!("test \"$TMPDIR\" -ef '{}'", ours.display());
        assert!(run(&script).unwrap().success());
        assert!(run_on_terminal(&[]).is_err());
    }

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let error = require("qemu-system-nonesuch", "qemu-system-x86").unwrap_err();
        assert_eq!(
            error.to_string(),
            "qemu-system-nonesuch is not installed: it comes with the package qemu-system-x86 (apt-get install qemu-system-x86)"
        );
    }
}
