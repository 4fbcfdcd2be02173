//! What is known: written by supervisor and probe, read by the pages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::past;
use daemon::{Exit, Page};

/// What the replica is doing.
#[derive(Debug, Clone)]
enum Phase {
    /// Not started yet.
    Idle,
    Running {
        pid: u32,
        since: Instant,
    },
    /// Ended, or could not be started (`reason` says which); started again after `delay` from `since`.
    Waiting {
        reason: String,
        since: Instant,
        delay: Duration,
    },
    Stopping,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The replica gave none, or a bad one.
    Replica(String),
    /// It could not be asked; whose fault it is not.
    Own(String),
}

/// Results of the probes.
#[derive(Debug, Default)]
struct Probes {
    /// The last result of the present run.
    last: Option<Result<(), Trouble>>,
    /// When the present run was last heard or asked, or began.
    asked_at: Option<Instant>,
    /// For how long the present run has owed an answer; time in which it could not be asked does not count.
    silence: Duration,
    answered: u64,
    failed: u64,
    unable: u64,
    last_seconds: f64,
    total_seconds: f64,
}

#[derive(Debug)]
struct Status {
    version: String,
    begun: Instant,
    phase: Phase,
    starts: u64,
    failed_starts: u64,
    last_exit: Option<Exit>,
    probes: Probes,
}

/// One run of the replica, so that an answer is not put down to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run(u64);

/// The status, shared within the process.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<Status>>);

impl Shared {
    pub(crate) fn new(version: String) -> Self {
        Self(Arc::new(Mutex::new(Status {
            version,
            begun: Instant::now(),
            phase: Phase::Idle,
            starts: 0,
            failed_starts: 0,
            last_exit: None,
            probes: Probes::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        // Plain data: whoever panicked while holding it left nothing half done that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run began.
    pub(crate) fn started(&self, pid: u32) {
        let mut status = self.lock();
        status.starts = past(status.starts, 1);
        status.probes.last = None;
        status.probes.asked_at = Some(Instant::now());
        status.probes.silence = Duration::ZERO;
        status.phase = Phase::Running {
            pid,
            since: Instant::now(),
        };
    }

    /// A run ended; the next start is `delay` away.
    pub(crate) fn ended(&self, exit: Exit, delay: Duration) {
        let mut status = self.lock();
        status.last_exit = Some(exit);
        status.wait(format!("the replica {exit}"), delay);
    }

    /// The program could not be started.
    pub(crate) fn not_started(&self, error: &str, delay: Duration) {
        let mut status = self.lock();
        status.failed_starts = past(status.failed_starts, 1);
        status.wait(format!("the replica cannot be started: {error}"), delay);
    }

    pub(crate) fn stopping(&self) {
        self.lock().phase = Phase::Stopping;
    }

    /// The last run is over and none follows.
    pub(crate) fn stopped(&self, exit: Exit) {
        self.lock().last_exit = Some(exit);
    }

    /// The present run, if there is one.
    pub(crate) fn running(&self) -> Option<Run> {
        let status = self.lock();
        matches!(status.phase, Phase::Running { .. }).then_some(Run(status.starts))
    }

    /// Takes down an answer that `run` gave or owes; says for how long it has owed one.
    pub(crate) fn probed(&self, run: Run, result: Result<(), Trouble>, took: Duration) -> Duration {
        let mut status = self.lock();
        if !matches!(status.phase, Phase::Running { .. }) || run != Run(status.starts) {
            return Duration::ZERO;
        }
        let before = status.probes.last.replace(result.clone());
        let probes = &mut status.probes;
        let now = Instant::now();
        let since = probes
            .asked_at
            .replace(now)
            .map(|at| now.duration_since(at));
        match &result {
            Ok(()) => {
                probes.answered = past(probes.answered, 1);
                probes.silence = Duration::ZERO;
                probes.last_seconds = took.as_secs_f64();
                probes.total_seconds += probes.last_seconds;
                if before != Some(Ok(())) {
                    tracing::info!(seconds = probes.last_seconds, "the replica answers");
                }
            }
            Err(Trouble::Replica(reason)) => {
                probes.failed = past(probes.failed, 1);
                // A wait so long that it does not fit is long enough.
                probes.silence = probes.silence.saturating_add(since.unwrap_or(took));
                if before == Some(Ok(())) {
                    tracing::warn!(reason, "the replica does not answer any more");
                }
            }
            Err(Trouble::Own(reason)) => {
                probes.unable = past(probes.unable, 1);
                if !matches!(before, Some(Err(Trouble::Own(_)))) {
                    tracing::error!(reason, "cannot ask the replica");
                }
            }
        }
        probes.silence
    }

    /// Whether the replica answers, or why not.
    pub(crate) fn health(&self) -> Result<(), String> {
        let status = self.lock();
        match &status.phase {
            Phase::Idle => Err("the replica is not started yet".to_owned()),
            Phase::Running { .. } => match &status.probes.last {
                None => Err("the replica is started and was not asked yet".to_owned()),
                Some(Ok(())) => Ok(()),
                Some(Err(Trouble::Replica(reason))) => {
                    Err(format!("the replica's status endpoint: {reason}"))
                }
                Some(Err(Trouble::Own(reason))) => Err(format!(
                    "the orchestrator itself cannot ask the replica: {reason}"
                )),
            },
            Phase::Waiting {
                reason,
                since,
                delay,
            } => Err(format!(
                "{reason}; next start in {:.1} s",
                delay.saturating_sub(since.elapsed()).as_secs_f64()
            )),
            Phase::Stopping => Err("stopping".to_owned()),
        }
    }

    /// Everything in the Prometheus text format 0.0.4.
    pub(crate) fn metrics(&self) -> Page {
        let up = self.health().is_ok();
        self.lock().metrics(up)
    }
}

impl Status {
    fn wait(&mut self, reason: String, delay: Duration) {
        self.probes.last = None;
        self.phase = Phase::Waiting {
            reason,
            since: Instant::now(),
            delay,
        };
    }

    fn metrics(&self, up: bool) -> Page {
        let mut page = Page::default();
        let version = [("version", self.version.as_str())];
        page.gauge(
            "orchestrator_build_info",
            "The image's version, as a label.",
        )
        .labelled(&version, 1);
        page.gauge(
            "orchestrator_uptime_seconds",
            "Seconds since the orchestrator started.",
        )
        .value(self.begun.elapsed().as_secs_f64());
        page.gauge(
            "orchestrator_resident_memory_bytes",
            "Memory of the orchestrator.",
        )
        .known(daemon::resident_memory("self"));
        page.gauge(
            "replica_up",
            "1 when the replica runs and answered the last question.",
        )
        .value(u8::from(up));
        self.run_metrics(&mut page);
        self.probe_metrics(&mut page);
        page
    }

    fn run_metrics(&self, page: &mut Page) {
        let (pid, uptime) = match self.phase {
            Phase::Running { pid, since } => (Some(pid), since.elapsed()),
            _ => (None, Duration::ZERO),
        };
        let delay = match self.phase {
            Phase::Waiting { delay, .. } => delay,
            _ => Duration::ZERO,
        };
        // Without a process there is none.
        let memory = match pid {
            Some(pid) => daemon::resident_memory(&pid.to_string()),
            None => Some(0),
        };
        page.gauge("replica_running", "1 when the replica's process runs.")
            .value(u8::from(pid.is_some()));
        page.gauge(
            "replica_uptime_seconds",
            "Seconds since the replica's present start.",
        )
        .value(uptime.as_secs_f64());
        page.gauge(
            "replica_resident_memory_bytes",
            "Memory of the replica's process.",
        )
        .known(memory);
        page.counter("replica_starts_total", "Starts of the replica.")
            .value(self.starts);
        page.counter(
            "replica_restarts_total",
            "Starts of the replica after the first one.",
        )
        // Before the first start there is none after it, either.
        .value(self.starts.saturating_sub(1));
        page.counter(
            "replica_failed_starts_total",
            "Starts that failed before the program ran.",
        )
        .value(self.failed_starts);
        page.gauge(
            "replica_last_exit_code",
            "Status of the last run, 128 + N for signal N, -1 before.",
        )
        .value(self.last_exit.map_or(-1, Exit::shell_code));
        page.gauge(
            "replica_restart_delay_seconds",
            "Wait that is going on before the next start.",
        )
        .value(delay.as_secs_f64());
    }

    fn probe_metrics(&self, page: &mut Page) {
        let probes = &self.probes;
        page.counter(
            "replica_probes_total",
            "Questions to the status endpoint by result.",
        )
        .labelled(&[("result", "answered")], probes.answered)
        .labelled(&[("result", "failed")], probes.failed)
        .labelled(&[("result", "unable")], probes.unable);
        page.gauge(
            "replica_probe_last_seconds",
            "Time that the last answer took.",
        )
        .value(probes.last_seconds);
        page.summary(
            "replica_probe_duration_seconds",
            "Time that answers took.",
            probes.total_seconds,
            probes.answered,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(status: &Shared) -> String {
        status.health().unwrap_err()
    }

    #[test]
    fn health_follows_the_run() {
        let status = Shared::new("1".to_owned());
        let took = Duration::from_millis(250);
        assert_eq!(reason(&status), "the replica is not started yet");
        status.started(1);
        assert_eq!(
            reason(&status),
            "the replica is started and was not asked yet"
        );
        let run = status.running().unwrap();
        let refused = || Err(Trouble::Replica("refused".to_owned()));
        let first = status.probed(run, refused(), took);
        assert!(status.probed(run, refused(), took) > first);
        assert_eq!(reason(&status), "the replica's status endpoint: refused");
        assert_eq!(status.probed(run, Ok(()), took), Duration::ZERO);
        assert_eq!(status.health(), Ok(()));
        status.ended(Exit::Code(3), Duration::from_secs(100));
        assert!(reason(&status).starts_with("the replica exited with status 3; next start in "));
        assert_eq!(status.running(), None);
        // An answer of the run before does not speak for this one.
        status.started(2);
        status.probed(run, Ok(()), took);
        assert_eq!(
            reason(&status),
            "the replica is started and was not asked yet"
        );
        status.stopping();
        assert_eq!(reason(&status), "stopping");
    }

    #[test]
    fn own_trouble_is_not_silence() {
        let status = Shared::new("1".to_owned());
        let took = Duration::from_millis(250);
        status.started(1);
        let run = status.running().unwrap();
        let own = || Err(Trouble::Own("no files".to_owned()));
        let replica = || Err(Trouble::Replica("refused".to_owned()));
        assert_eq!(status.probed(run, own(), took), Duration::ZERO);
        let silence = status.probed(run, replica(), took);
        assert!(silence > Duration::ZERO);
        // However long it lasts.
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(status.probed(run, own(), took), silence);
        assert_eq!(
            reason(&status),
            "the orchestrator itself cannot ask the replica: no files"
        );
        assert!(status.probed(run, replica(), took) > silence);
        assert_eq!(status.probed(run, Ok(()), took), Duration::ZERO);
        let text = status.metrics().into_text();
        for line in ["{result=\"failed\"} 2", "{result=\"unable\"} 2"] {
            assert!(
                text.contains(&format!("replica_probes_total{line}\n")),
                "{text}"
            );
        }
    }

    #[test]
    fn metrics_text() {
        let status = Shared::new("a\"b\\c".to_owned());
        status.started(std::process::id());
        let run = status.running().unwrap();
        status.probed(run, Ok(()), Duration::from_millis(250));
        status.probed(run, Ok(()), Duration::from_millis(500));
        let text = status.metrics().into_text();
        let value = |name: &str| {
            let line = text
                .lines()
                .find(|l| l.strip_prefix(name).is_some_and(|r| r.starts_with(' ')));
            line.unwrap_or_else(|| panic!("{name}"))
                .rsplit(' ')
                .next()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            value("orchestrator_build_info{version=\"a\\\"b\\\\c\"}"),
            "1"
        );
        assert_eq!(value("replica_up"), "1");
        assert_eq!(value("replica_last_exit_code"), "-1");
        assert_eq!(value("replica_probe_duration_seconds_sum"), "0.75");
        assert_eq!(value("replica_probe_duration_seconds_count"), "2");
        assert_eq!(value("replica_probes_total{result=\"failed\"}"), "0");
        assert!(
            value("replica_resident_memory_bytes")
                .parse::<u64>()
                .unwrap()
                > 100_000
        );
        status.ended(Exit::Signal(9), Duration::from_secs(4));
        let text = status.metrics().into_text();
        for line in [
            "replica_up 0",
            "replica_last_exit_code 137",
            "replica_restart_delay_seconds 4",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line}");
        }
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
        }
    }
}
