//! Starts the guest, waits for its end, starts it again; stops it when asked to.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use daemon::stop::requests;
use daemon::{Backoff, Notifier};
use tokio::signal::unix::Signal;
use tokio::sync::watch;

use crate::disk::{Disk, Refused};
use crate::firmware::Vars;
use crate::flags::Guest;
use crate::plan::{self, Planned};
use crate::process;
use crate::qemu::Accel;
use crate::run::{Ended, Run, Why};
use crate::serial::SerialLog;
use crate::status::{Phase, Shared};

/// The supervisor.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) flags: Guest,
    /// The disk, while it is held.
    pub(crate) disk: Option<Disk>,
    pub(crate) backoff: Backoff,
    pub(crate) grace: Duration,
    /// Where the guest's reports come.
    pub(crate) report: PathBuf,
    pub(crate) serial: Arc<Mutex<SerialLog>>,
    pub(crate) status: Shared,
    pub(crate) notifier: Notifier,
    /// Why KVM is no use although its device opens, once that is known.
    pub(crate) kvm_broken: Option<String>,
}

/// What comes next.
enum Next {
    /// Nothing, until somebody asks.
    Idle,
    /// Another start, after this.
    After(Duration),
    /// The end: somebody asked to stop.
    Stop,
}

impl Supervisor {
    /// Runs until `stop` counts its first request and the guest is gone. SIGHUP, which `look` receives, has it look again.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<u64>, mut look: Signal) {
        loop {
            let delay = match self.once(&mut stop, &mut look).await {
                Next::Stop => return self.status.phase(Phase::Stopped),
                Next::After(delay) => Some(delay),
                Next::Idle => None,
            };
            let wait = async {
                match delay {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                _ = look.recv() => tracing::info!("asked to look again"),
                () = requests(&mut stop, 1) => {
                    self.notifier.send("STOPPING=1\nSTATUS=stopped");
                    return self.status.phase(Phase::Stopped);
                }
            }
        }
    }

    /// Looks at the disk, and if there is a guest, one run of it.
    async fn once(&mut self, stop: &mut watch::Receiver<u64>, look: &mut Signal) -> Next {
        match self.installed() {
            Ok(true) => {}
            Ok(false) => return self.no_guest(),
            Err(error) => return self.not_started(&cli::chain(&error)),
        }
        let planned = plan::plan(&self.flags, self.kvm_broken.as_deref());
        let planned = planned.and_then(|planned| {
            let vars = planned.write(&self.flags)?;
            Ok((planned, vars))
        });
        let (planned, vars) = match planned {
            Ok(planned) => planned,
            Err(error) => return self.not_started(&format!("{error:#}")),
        };
        if let Vars::Renewed { aside, reason } = vars {
            let aside = aside.display();
            tracing::error!(%aside, reason, "the firmware's variables were broken: put aside, and made anew from the image's");
        }
        self.one_run(&planned, stop, look).await
    }

    /// Takes the disk, if it is not ours already, and looks whether there is a system on it.
    fn installed(&mut self) -> Result<bool, Refused> {
        let disk = match self.disk.take() {
            Some(disk) => disk,
            None => Disk::take(&self.flags.disk)?,
        };
        let installed = disk.is_installed().map_err(|source| Refused::Io {
            disk: disk.path().to_path_buf(),
            source,
        })?;
        // Without a guest it is whoever's that installs one.
        self.disk = installed.then_some(disk);
        Ok(installed)
    }

    fn no_guest(&mut self) -> Next {
        let disk = self.flags.disk.display().to_string();
        tracing::info!(disk, "no guest installed; SIGHUP has me look again");
        self.notifier.send("STATUS=no guest installed");
        self.status.phase(Phase::NoGuest { disk });
        Next::Idle
    }

    fn not_started(&mut self, reason: &str) -> Next {
        self.status
            .count(|counts| counts.failed_starts = base::past(counts.failed_starts, 1));
        let delay = self.backoff.after(Duration::ZERO);
        self.waiting(format!("the guest cannot be started: {reason}"), delay)
    }

    fn waiting(&mut self, reason: String, delay: Duration) -> Next {
        let next_start_seconds = delay.as_secs_f64();
        tracing::error!(next_start_seconds, "{reason}");
        // Each line of a message to systemd is one thing told.
        let line = base::text::one_line(&reason);
        self.notifier
            .send(&format!("STATUS={line}; next start in {delay:?}"));
        self.status.phase(Phase::Waiting { reason, delay });
        Next::After(delay)
    }

    /// One run from start to end.
    async fn one_run(
        &mut self,
        planned: &Planned,
        stop: &mut watch::Receiver<u64>,
        look: &mut Signal,
    ) -> Next {
        let begun = Instant::now();
        let started = match process::start(&planned.machine.command()) {
            Ok(started) => started,
            Err(error) => {
                let qemu = planned.machine.qemu.display();
                return self.not_started(&format!("{qemu}: {error}"));
            }
        };
        let (pid, accel) = (started.pid, planned.machine.accel);
        for remark in &planned.remarks {
            tracing::warn!("{remark}");
        }
        let (memory_mib, cpus) = (planned.machine.memory_mib, planned.machine.cpus);
        tracing::info!(pid, %accel, memory_mib, cpus, "the guest is started");
        self.notifier
            .send(&format!("STATUS=guest running on {accel}, pid {pid}"));
        self.status.started(pid, accel, &planned.remarks);
        let before = self.status.counts().serial_bytes;
        let run = Run {
            planned,
            flags: &self.flags,
            grace: self.grace,
            report: &self.report,
            serial: &self.serial,
            status: &self.status,
            notifier: &self.notifier,
            kvm_broken: self.kvm_broken.as_deref(),
        };
        let ended = run.to_its_end(started, stop, look).await;
        let text = ended.text();
        self.status.ended(ended.exit, &text);
        if matches!(ended.why, Why::Asked) {
            tracing::info!("{text}");
            return Next::Stop;
        }
        let silent = self.status.counts().serial_bytes == before;
        self.judge_kvm(accel, silent, &ended);
        let delay = self.backoff.after(begun.elapsed());
        self.waiting(text, delay)
    }

    /// A guest that printed nothing before KVM failed will not do better the next time: nested or restricted hypervisors offer a
    /// device that opens and does not work.
    fn judge_kvm(&mut self, accel: Accel, silent: bool, ended: &Ended) {
        if accel == Accel::Kvm && silent && ended.blames_kvm() {
            let reason = ended.text();
            tracing::error!(reason, "KVM does not work on this machine");
            self.kvm_broken = Some(reason);
        }
    }
}
