//! Starts the replica, waits for its end, starts it again; stops it when asked to.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use daemon::stop::requests;
use daemon::{Backoff, Exit, Notifier};
use nix::sys::signal::{kill, killpg, Signal};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::{watch, Notify};

use crate::passwd::User;
use crate::status::Shared;

/// What messages call it.
const REPLICA: &str = "the replica";

/// What is run and how.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    pub(crate) user: User,
    pub(crate) listen: SocketAddr,
    pub(crate) state_dir: PathBuf,
    pub(crate) version_file: PathBuf,
    pub(crate) more: Vec<String>,
}

impl Program {
    fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(&self.binary);
        command
            .arg("--listen")
            .arg(self.listen.to_string())
            .arg("--state-dir")
            .arg(&self.state_dir)
            .arg("--version-file")
            .arg(&self.version_file)
            .args(&self.more)
            // Not ours to hand on: NOTIFY_SOCKET above all.
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(&self.state_dir)
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        if !self.user.is_current() {
            // The standard library drops all supplementary groups when it changes the user as root.
            command.uid(self.user.uid).gid(self.user.gid);
        }
        command.spawn()
    }
}

impl User {
    fn is_current(&self) -> bool {
        nix::unistd::geteuid().as_raw() == self.uid && nix::unistd::getegid().as_raw() == self.gid
    }
}

/// Makes `path` when absent, and the user's own when we may.
pub(crate) fn prepare_state_dir(path: &Path, user: &User) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
    }
    match fs::DirBuilder::new().mode(0o750).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot create {}", path.display()))
        }
        _ => {}
    }
    // Of the place itself: a link there is somebody's trick.
    let meta =
        fs::symlink_metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(meta.is_dir(), "{} is not a folder", path.display());
    if (meta.uid(), meta.gid()) != (user.uid, user.gid) && nix::unistd::geteuid().is_root() {
        std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid))
            .with_context(|| format!("cannot give {} to {}", path.display(), user.name))?;
    }
    Ok(())
}

/// Why a wait for the replica's end ended.
enum Event {
    Ended(io::Result<ExitStatus>),
    Unresponsive,
    Stop,
}

/// The supervisor.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) program: Program,
    pub(crate) backoff: Backoff,
    pub(crate) grace: Duration,
    pub(crate) status: Shared,
    pub(crate) unresponsive: Arc<Notify>,
    pub(crate) notifier: Notifier,
}

impl Supervisor {
    /// Runs until `stop` counts its first request and the replica is gone.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<u64>) {
        loop {
            let begun = Instant::now();
            let delay = match self.program.start() {
                Ok(child) => match self.one_run(child, &mut stop).await {
                    Some(exit) => {
                        let delay = self.backoff.after(begun.elapsed());
                        tracing::warn!(
                            exit = %exit,
                            ran_seconds = begun.elapsed().as_secs_f64(),
                            next_start_seconds = delay.as_secs_f64(),
                            "the replica ended"
                        );
                        self.notifier
                            .send(&format!("STATUS=replica {exit}, next start in {delay:?}"));
                        self.status.ended(exit, delay);
                        delay
                    }
                    None => return,
                },
                Err(error) => {
                    let error = format!("{}: {error}", self.program.binary.display());
                    let delay = self.backoff.after(Duration::ZERO);
                    tracing::error!(
                        error,
                        next_start_seconds = delay.as_secs_f64(),
                        "the replica cannot be started"
                    );
                    self.notifier.send(&format!("STATUS=cannot start {error}"));
                    self.status.not_started(&error, delay);
                    delay
                }
            };
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = requests(&mut stop, 1) => {
                    self.stopping();
                    return;
                }
            }
        }
    }

    /// One run from start to end; `None` when it ended because we were asked to stop.
    async fn one_run(&self, mut child: Child, stop: &mut watch::Receiver<u64>) -> Option<Exit> {
        let pid = number(&child);
        tracing::info!(
            pid,
            user = self.program.user.name,
            binary = %self.program.binary.display(),
            "the replica is started"
        );
        self.notifier
            .send(&format!("STATUS=replica running, pid {pid}"));
        self.status.started(pid);
        // A complaint about the run before is not about this one.
        let mut complaint = std::pin::pin!(drained(&self.unresponsive));
        let event = tokio::select! {
            ended = child.wait() => Event::Ended(ended),
            () = requests(stop, 1) => Event::Stop,
            () = &mut complaint => Event::Unresponsive,
        };
        match event {
            Event::Ended(ended) => Some(Exit::waited(ended, REPLICA)),
            Event::Unresponsive => {
                tracing::error!(
                    pid,
                    "the replica has not answered for too long, restarting it"
                );
                Some(self.end(child, stop, 1).await)
            }
            Event::Stop => {
                self.stopping();
                let exit = self.end(child, stop, 2).await;
                tracing::info!(exit = %exit, "the replica is stopped");
                self.status.stopped(exit);
                None
            }
        }
    }

    fn stopping(&self) {
        self.status.stopping();
        self.notifier
            .send("STOPPING=1\nSTATUS=stopping the replica");
    }

    /// SIGTERM, some grace, SIGKILL to the whole process group; the grace ends early with the `fast`th request to stop.
    async fn end(&self, mut child: Child, stop: &mut watch::Receiver<u64>, fast: u64) -> Exit {
        let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else {
            return Exit::waited(child.wait().await, REPLICA);
        };
        // Fails only when it is gone already, which the wait then tells.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let reason = tokio::select! {
            ended = child.wait() => return Exit::waited(ended, REPLICA),
            () = tokio::time::sleep(self.grace) => "it took longer than its time of grace",
            () = requests(stop, fast) => "asked to hurry",
        };
        tracing::warn!(pid, reason, "killing the replica");
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        Exit::waited(child.wait().await, REPLICA)
    }
}

/// The process ID of a child that was just started.
#[expect(
    clippy::expect_used,
    reason = "a child has its number until somebody has waited for its end"
)]
fn number(child: &Child) -> u32 {
    child.id().expect("the number of a running process")
}

/// The next notification that comes after now.
async fn drained(notify: &Notify) {
    // One may be stored from before; it is ready at once and taken away here.
    let _ = tokio::time::timeout(Duration::ZERO, notify.notified()).await;
    notify.notified().await;
}
