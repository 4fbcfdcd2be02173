//! What is known: written by the supervisor, read by the pages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::past;
use daemon::{Exit, Page};
use serde::Serialize;

use crate::qemu::Accel;
use crate::report::{Heard, Report};

/// Format of `/status`; raised when a field changes its meaning or goes.
pub(crate) const FORMAT: u64 = 1;

/// What the guest is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was looked at yet.
    Looking,
    /// There is no system on the disk.
    NoGuest {
        disk: String,
    },
    Running {
        pid: u32,
    },
    /// Ended, or could not be started (`reason` says which); started again after `delay`.
    Waiting {
        reason: String,
        delay: Duration,
    },
    Stopping,
    Stopped,
}

impl Phase {
    /// The word in `/status`.
    fn word(&self) -> &'static str {
        match self {
            Self::Looking => "looking",
            Self::NoGuest { .. } => "no-guest",
            Self::Running { .. } => "running",
            Self::Waiting { .. } => "waiting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) starts: u64,
    pub(crate) failed_starts: u64,
    pub(crate) resets: u64,
    pub(crate) panics: u64,
    pub(crate) watchdog: u64,
    pub(crate) disk_errors: u64,
    pub(crate) serial_bytes: u64,
    pub(crate) serial_dropped: u64,
}

#[derive(Debug)]
struct Status {
    version: String,
    phase: Phase,
    since: Instant,
    counts: Counts,
    accel: Option<Accel>,
    remarks: Vec<String>,
    last_exit: Option<(Exit, String)>,
    /// Of the present run; an error is about the file.
    report: Option<Result<Heard, String>>,
    /// A guest that reports nothing for so long is not known to be well.
    silent_after: Duration,
    restart_needed: bool,
}

/// What is known, shared.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<Status>>);

/// `/status`.
#[derive(Debug, Serialize)]
struct Told<'a> {
    format: u64,
    version: &'a str,
    state: &'a str,
    state_seconds: u64,
    ready: bool,
    detail: String,
    accel: Option<String>,
    remarks: &'a [String],
    pid: Option<u32>,
    starts: u64,
    failed_starts: u64,
    resets: u64,
    panics: u64,
    watchdog_resets: u64,
    disk_errors: u64,
    last_exit: Option<&'a str>,
    next_start_seconds: Option<f64>,
    restart_needed: bool,
    guest: Option<&'a Report>,
    guest_silent_seconds: Option<u64>,
}

impl Shared {
    /// Nothing is known yet; a report counts for `silent_after`.
    pub(crate) fn new(version: String, silent_after: Duration) -> Self {
        Self(Arc::new(Mutex::new(Status {
            version,
            phase: Phase::Looking,
            since: Instant::now(),
            counts: Counts::default(),
            accel: None,
            remarks: Vec::new(),
            last_exit: None,
            report: None,
            silent_after,
            restart_needed: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the guest is doing this.
    pub(crate) fn phase(&self, phase: Phase) {
        let mut status = self.lock();
        if status.phase != phase {
            status.since = Instant::now();
            status.phase = phase;
        }
    }

    /// A run begins.
    pub(crate) fn started(&self, pid: u32, accel: Accel, remarks: &[String]) {
        self.phase(Phase::Running { pid });
        let mut status = self.lock();
        status.counts.starts = past(status.counts.starts, 1);
        status.accel = Some(accel);
        status.remarks = remarks.to_vec();
        status.report = None;
        status.restart_needed = false;
    }

    /// A run ended; `text` says it for people.
    pub(crate) fn ended(&self, exit: Exit, text: &str) {
        let mut status = self.lock();
        status.last_exit = Some((exit, text.to_owned()));
        status.report = None;
    }

    /// The guest began anew without QEMU's end: what it reported is over.
    pub(crate) fn forget_report(&self) {
        self.lock().report = None;
    }

    pub(crate) fn reported(&self, report: Option<Result<Heard, String>>) {
        self.lock().report = report;
    }

    pub(crate) fn restart_needed(&self, needed: bool) {
        self.lock().restart_needed = needed;
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.lock().counts);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Whether the guest came up, or there is none to come up; in words.
    pub(crate) fn ready(&self) -> Result<String, String> {
        self.lock().ready()
    }

    /// `/status`.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        let status = self.lock();
        let ready = status.ready();
        let (pid, next) = match &status.phase {
            Phase::Running { pid } => (Some(*pid), None),
            Phase::Waiting { delay, .. } => (None, Some(status.left(*delay).as_secs_f64())),
            _ => (None, None),
        };
        let running = pid.is_some();
        let counts = &status.counts;
        serde_json::to_string(&Told {
            format: FORMAT,
            version: &status.version,
            state: status.phase.word(),
            state_seconds: status.since.elapsed().as_secs(),
            ready: ready.is_ok(),
            detail: ready.unwrap_or_else(|reason| reason),
            accel: status
                .accel
                .filter(|_| running)
                .map(|accel| accel.to_string()),
            remarks: &status.remarks,
            pid,
            starts: counts.starts,
            failed_starts: counts.failed_starts,
            resets: counts.resets,
            panics: counts.panics,
            watchdog_resets: counts.watchdog,
            disk_errors: counts.disk_errors,
            last_exit: status.last_exit.as_ref().map(|(_, text)| text.as_str()),
            next_start_seconds: next,
            restart_needed: status.restart_needed,
            guest: status.heard().map(|heard| &heard.report),
            guest_silent_seconds: status.heard().map(|heard| heard.at.elapsed().as_secs()),
        })
    }

    /// `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        let status = self.lock();
        let mut page = Page::default();
        page.gauge("guest_vm_build_info", "The host's version, as a label.")
            .labelled(&[("version", &status.version)], 1);
        page.gauge(
            "guest_vm_resident_memory_bytes",
            "Memory of the runner itself.",
        )
        .known(daemon::resident_memory("self"));
        status.state_metrics(&mut page);
        status.report_metrics(&mut page);
        status.count_metrics(&mut page);
        page.into_text()
    }
}

impl Status {
    /// What is left of a wait; none once it is over.
    fn left(&self, delay: Duration) -> Duration {
        delay.checked_sub(self.since.elapsed()).unwrap_or_default()
    }

    /// The last report that could be read.
    fn heard(&self) -> Option<&Heard> {
        self.report.as_ref()?.as_ref().ok()
    }

    fn ready(&self) -> Result<String, String> {
        self.ready_at(Instant::now())
    }

    fn ready_at(&self, now: Instant) -> Result<String, String> {
        match &self.phase {
            Phase::Looking => Err("the guest's disk was not looked at yet".to_owned()),
            Phase::NoGuest { disk } => Ok(format!(
                "no guest installed: there is no partition table on {disk}"
            )),
            Phase::Waiting { reason, delay } => {
                let left = self.left(*delay).as_secs();
                Err(format!("{reason}; next start in {left} s"))
            }
            Phase::Stopping => Err("the guest is being stopped".to_owned()),
            Phase::Stopped => Err("the guest is stopped".to_owned()),
            Phase::Running { .. } => match &self.report {
                None => {
                    let since = self.since.elapsed().as_secs();
                    Err(format!(
                        "the guest was started {since} s ago and has not reported yet"
                    ))
                }
                Some(Err(error)) => Err(format!("the guest's report can't be read: {error}")),
                Some(Ok(heard)) => self.well(heard, now),
            },
        }
    }

    /// Whether a guest that runs and reported this is well.
    fn well(&self, heard: &Heard, now: Instant) -> Result<String, String> {
        let Report {
            version, healthy, ..
        } = &heard.report;
        // It may have been heard while this was asked.
        let silent = now.checked_duration_since(heard.at).unwrap_or_default();
        match (healthy, silent > self.silent_after) {
            (true, false) => Ok(format!("the guest is up: version {version}")),
            (true, true) => Err(format!(
                "the guest was healthy and is silent for {} s: version {version}",
                silent.as_secs()
            )),
            (false, _) => Err(format!(
                "the guest runs version {version} and reports that it is not healthy"
            )),
        }
    }

    fn state_metrics(&self, page: &mut Page) {
        let running = matches!(self.phase, Phase::Running { .. });
        let installed = match self.phase {
            Phase::Looking => None,
            Phase::NoGuest { .. } => Some(0),
            _ => Some(1),
        };
        page.gauge(
            "guest_installed",
            "1 when there is a system on the guest's disk.",
        )
        .known(installed);
        page.gauge("guest_running", "1 while QEMU runs.")
            .value(u8::from(running));
        page.gauge(
            "guest_ready",
            "1 when the guest came up and is healthy, or none is installed.",
        )
        .value(u8::from(self.ready().is_ok()));
        if let Some(accel) = self.accel.filter(|_| running) {
            page.gauge("guest_accel", "What runs the guest's code, as a label.")
                .labelled(&[("accel", &accel.to_string())], 1);
        }
        if let Phase::Running { pid } = self.phase {
            page.gauge(
                "guest_qemu_resident_memory_bytes",
                "Memory of QEMU with the guest in it.",
            )
            .known(daemon::resident_memory(&pid.to_string()));
        }
        page.gauge(
            "guest_state_seconds",
            "Time since the guest's state changed last.",
        )
        .value(self.since.elapsed().as_secs_f64());
        let delay = match self.phase {
            Phase::Waiting { delay, .. } => delay,
            _ => Duration::ZERO,
        };
        page.gauge(
            "guest_restart_delay_seconds",
            "Wait that is going on before the next start.",
        )
        .value(delay.as_secs_f64());
        page.gauge(
            "guest_last_exit_code",
            "Status of QEMU's last run, 128 + N for signal N, -1 before.",
        )
        .value(
            self.last_exit
                .as_ref()
                .map_or(-1, |(exit, _)| exit.shell_code()),
        );
        page.gauge(
            "guest_restart_needed",
            "1 when the configuration is another one than the guest was started with.",
        )
        .value(u8::from(self.restart_needed));
    }

    /// What the guest said of itself.
    fn report_metrics(&self, page: &mut Page) {
        let heard = self.heard();
        page.gauge(
            "guest_silent_seconds",
            "Time since the guest reported last.",
        )
        .known(heard.map(|heard| heard.at.elapsed().as_secs()));
        let height = heard.and_then(|heard| heard.report.height);
        page.gauge(
            "guest_height",
            "The replica's height, as the guest reported it.",
        )
        .known(height);
    }

    fn count_metrics(&self, page: &mut Page) {
        let counts = &self.counts;
        for (name, help, value) in [
            ("guest_starts_total", "Starts of QEMU.", counts.starts),
            (
                "guest_failed_starts_total",
                "Starts that failed before QEMU ran.",
                counts.failed_starts,
            ),
            (
                "guest_resets_total",
                "Restarts of the guest that QEMU lived through.",
                counts.resets,
            ),
            (
                "guest_panics_total",
                "Panics of the guest's kernel.",
                counts.panics,
            ),
            (
                "guest_watchdog_resets_total",
                "Resets because the guest fed its watchdog no more.",
                counts.watchdog,
            ),
            (
                "guest_disk_errors_total",
                "Errors of the disk that the guest was told of.",
                counts.disk_errors,
            ),
            (
                "guest_serial_bytes_total",
                "Bytes that the guest printed on its serial line.",
                counts.serial_bytes,
            ),
            (
                "guest_serial_dropped_bytes_total",
                "Bytes of them that could not be kept.",
                counts.serial_dropped,
            ),
        ] {
            page.counter(name, help).value(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const SILENT_AFTER: Duration = Duration::from_secs(90);

    fn shared(version: &str) -> Shared {
        Shared::new(version.to_owned(), SILENT_AFTER)
    }

    fn report(healthy: bool) -> Heard {
        let report = Report {
            format: 1,
            version: "2.0".to_owned(),
            healthy,
            boot_id: "b".to_owned(),
            height: Some(9),
        };
        Heard {
            report,
            at: Instant::now(),
        }
    }

    #[test]
    fn a_report_is_good_for_a_while() {
        let status = shared("1");
        status.started(7, Accel::Kvm, &[]);
        let heard = report(true);
        let later = |seconds| heard.at + Duration::from_secs(seconds);
        status.reported(Some(Ok(heard.clone())));
        assert!(status.lock().ready_at(later(90)).is_ok());
        let silent = status.lock().ready_at(later(91)).unwrap_err();
        assert_eq!(
            silent,
            "the guest was healthy and is silent for 91 s: version 2.0"
        );
        // One more word, and it is up again.
        let at = later(80);
        status.reported(Some(Ok(Heard {
            at,
            ..heard.clone()
        })));
        assert!(status.lock().ready_at(later(91)).is_ok());
        // Seen after the question was asked.
        assert!(status.lock().ready_at(heard.at).is_ok());
        assert!(json(&status)["guest_silent_seconds"].is_number());
    }

    fn json(status: &Shared) -> Value {
        serde_json::from_str(&status.json().unwrap()).unwrap()
    }

    #[test]
    fn ready_is_when_the_guest_said_so_or_there_is_none() {
        let status = shared("1");
        let reason = |status: &Shared| status.ready().unwrap_err();
        assert_eq!(reason(&status), "the guest's disk was not looked at yet");
        let disk = "/dev/guestos".to_owned();
        status.phase(Phase::NoGuest { disk });
        assert!(status.ready().unwrap().starts_with("no guest installed"));
        status.started(7, Accel::Kvm, &[]);
        assert!(reason(&status).contains("has not reported yet"));
        status.reported(Some(Err("not a report".to_owned())));
        assert!(reason(&status).contains("can't be read: not a report"));
        status.reported(Some(Ok(report(false))));
        assert!(reason(&status).contains("is not healthy"));
        status.reported(Some(Ok(report(true))));
        assert_eq!(status.ready().unwrap(), "the guest is up: version 2.0");
        status.forget_report();
        assert!(status.ready().is_err());
        status.reported(Some(Ok(report(true))));
        status.ended(Exit::Signal(9), "QEMU was killed by signal 9");
        let delay = Duration::from_secs(100);
        let waiting = "QEMU was killed by signal 9".to_owned();
        status.phase(Phase::Waiting {
            reason: waiting,
            delay,
        });
        assert!(reason(&status).starts_with("QEMU was killed by signal 9; next start in "));
        status.started(8, Accel::Tcg, &["slow".to_owned()]);
        assert!(status.ready().is_err());
    }

    #[test]
    fn status_says_all_of_it() {
        let status = shared("1.0");
        status.started(7, Accel::Tcg, &["slow".to_owned()]);
        status.reported(Some(Ok(report(true))));
        status.count(|counts| counts.panics = 2);
        let told = json(&status);
        for (key, want) in [
            ("format", Value::from(1)),
            ("version", "1.0".into()),
            ("state", "running".into()),
            ("ready", true.into()),
            ("accel", "tcg".into()),
            ("pid", 7.into()),
            ("starts", 1.into()),
            ("panics", 2.into()),
            ("last_exit", Value::Null),
            ("restart_needed", false.into()),
        ] {
            assert_eq!(told[key], want, "{key}");
        }
        assert_eq!(told["guest"]["version"], "2.0");
        assert_eq!(told["remarks"][0], "slow");
        status.phase(Phase::Stopped);
        let told = json(&status);
        assert_eq!((&told["pid"], &told["accel"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn metrics_are_numbers() {
        let status = shared("1");
        status.started(std::process::id(), Accel::Kvm, &[]);
        status.reported(Some(Ok(report(true))));
        let text = status.metrics();
        for line in [
            "guest_vm_build_info{version=\"1\"} 1",
            "guest_running 1",
            "guest_ready 1",
            "guest_accel{accel=\"kvm\"} 1",
            "guest_height 9",
            "guest_last_exit_code -1",
            "guest_starts_total 1",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line}\n{text}");
        }
        assert!(text.contains("\nguest_silent_seconds "), "{text}");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
        }
    }
}
