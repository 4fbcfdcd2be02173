//! One run of QEMU: what it says, what happens to it, how it is brought to its end.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::past;
use daemon::stop::requests;
use daemon::{Exit, Notifier};
use qmp::{Event, Qmp};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::flags::Guest;
use crate::plan::{self, Planned};
use crate::process::Started;
use crate::report::Reports;
use crate::serial::SerialLog;
use crate::status::{Phase, Shared};

/// How long a pressed power button may go unanswered before it is pressed again: a guest that still starts does not hear it.
const BETWEEN_PRESSES: Duration = Duration::from_secs(15);
/// How long QEMU may take for an order to end.
const QUIT_TIME: Duration = Duration::from_secs(10);
/// How often the guest's report is looked at.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Messages that come without a pause of this length are about one thing, and the first of them say what; what follows may be
/// the registers of a processor.
const PAUSE: Duration = Duration::from_secs(1);
/// So many of them are kept.
const LAST_LINES: usize = 3;
/// A line of QEMU's messages is cut there.
const MOST_LINE: u64 = 4096;
/// For what is on its way when QEMU has ended.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// QEMU ended, and nobody here wanted it.
    ByItself,
    /// The guest switched itself off.
    PoweredOff,
    /// Somebody asked this program to stop.
    Asked,
    /// It was of no use any more, for this reason.
    Broken(String),
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) why: Why,
    /// The guest switched itself off in the end.
    powered_off: bool,
    /// What QEMU said last.
    words: Words,
}

/// What QEMU said without a pause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Words {
    /// The first lines that are more than warnings.
    lines: Vec<String>,
    /// Some line is about KVM.
    kvm: bool,
}

impl Words {
    fn add(&mut self, line: &str) {
        self.kvm |= line.to_ascii_lowercase().contains("kvm");
        if !line.is_empty() && !line.contains("warning:") && self.lines.len() < LAST_LINES {
            self.lines.push(base::text::shorten(line).into_owned());
        }
    }
}

impl Ended {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let exit = self.exit;
        let text = match &self.why {
            Why::ByItself => format!("QEMU {exit}"),
            Why::PoweredOff => "the guest powered off".to_owned(),
            Why::Asked if self.powered_off => "the guest is stopped".to_owned(),
            Why::Asked => format!("the guest was made to stop: QEMU {exit}"),
            Why::Broken(reason) => format!("{reason}; QEMU {exit}"),
        };
        match self.words.lines.is_empty() {
            true => text,
            false => format!("{text}; it said: {}", self.words.lines.join(" / ")),
        }
    }

    /// Whether it is KVM that failed, by QEMU's own words.
    pub(crate) fn blames_kvm(&self) -> bool {
        let failed = match &self.why {
            Why::ByItself => self.exit != Exit::Code(0),
            Why::Broken(_) => true,
            Why::PoweredOff | Why::Asked => false,
        };
        failed && self.words.kvm
    }
}

/// What a run is about.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) planned: &'a Planned,
    pub(crate) flags: &'a Guest,
    pub(crate) grace: Duration,
    pub(crate) report: &'a Path,
    pub(crate) serial: &'a Arc<Mutex<SerialLog>>,
    pub(crate) status: &'a Shared,
    pub(crate) notifier: &'a Notifier,
    pub(crate) kvm_broken: Option<&'a str>,
}

/// What the watching of a run comes to.
enum Outcome {
    /// QEMU is gone.
    Ended(Exit),
    /// It is to be brought to its end.
    Bring(Why),
}

impl Run<'_> {
    /// From QEMU's start to its end, by whatever cause.
    pub(crate) async fn to_its_end(
        &self,
        started: Started,
        stop: &mut watch::Receiver<u64>,
        look: &mut Signal,
    ) -> Ended {
        let (tell, events) = mpsc::channel(64);
        let monitor = started.monitor;
        let connecting = tokio::task::spawn_blocking(move || {
            // Nobody listens any more when QEMU is at its end.
            Qmp::connect(monitor, move |event| {
                drop(tell.blocking_send(event.clone()));
            })
        });
        let console = pump(started.console, self.serial.clone(), self.status.clone());
        let console = tokio::spawn(console);
        let words = tokio::spawn(last_words(started.errors));
        let mut watched = Watched {
            child: started.child,
            connecting: Some(connecting),
            qmp: None,
            events,
            powered_off: false,
        };
        let (exit, why) = match self.watch(&mut watched, stop, look).await {
            Outcome::Ended(exit) if watched.powered_off => (exit, Why::PoweredOff),
            Outcome::Ended(exit) => (exit, Why::ByItself),
            Outcome::Bring(why) => (self.end(&mut watched, &why, stop).await, why),
        };
        // What it printed last is the most interesting.
        let _ = tokio::time::timeout(DRAIN_TIME, console).await;
        let words = tokio::time::timeout(DRAIN_TIME, words).await;
        let words = match words {
            Ok(Ok(words)) => words,
            _ => Words::default(),
        };
        Ended {
            exit,
            why,
            powered_off: watched.powered_off,
            words,
        }
    }

    /// Waits until QEMU ends, or is to be brought to its end.
    async fn watch(
        &self,
        watched: &mut Watched,
        stop: &mut watch::Receiver<u64>,
        look: &mut Signal,
    ) -> Outcome {
        let mut reports = Reports::begin(self.report);
        let mut tick = tokio::time::interval(REPORT_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // What it says is heard before its end: an event tells what the end means.
                biased;
                Some(event) = watched.events.recv() => {
                    if let Some(why) = self.event(&event, watched, &mut reports) {
                        return Outcome::Bring(why);
                    }
                }
                connected = connected(&mut watched.connecting) => match connected {
                    Ok(qmp) => watched.qmp = Some(qmp),
                    // If QEMU has just ended, its own words say more.
                    Err(error) => match tokio::time::timeout(DRAIN_TIME, watched.wait()).await {
                        Ok(exit) => return Outcome::Ended(exit),
                        Err(_) => {
                            return Outcome::Bring(Why::Broken(format!("QEMU's monitor: {error}")))
                        }
                    },
                },
                ended = watched.child.wait() => {
                    while let Some(event) = watched.last_event().await {
                        self.event(&event, watched, &mut reports);
                    }
                    return Outcome::Ended(Exit::waited(ended, "QEMU"));
                }
                () = requests(stop, 1) => return Outcome::Bring(Why::Asked),
                _ = look.recv() => self.compare(),
                _ = tick.tick() => {
                    let report = reports.last().map_err(|error| format!("{error:#}"));
                    self.status.reported(report.transpose());
                }
            }
        }
    }

    /// Counts what QEMU reports; a reason if the guest is of no use any more.
    fn event(&self, event: &Event, watched: &mut Watched, reports: &mut Reports) -> Option<Why> {
        let (name, data) = (&event.name, &event.data);
        tracing::info!(event = name, %data, "QEMU reports");
        match event.name.as_str() {
            "SHUTDOWN" => watched.powered_off = by_the_guest(event),
            "RESET" => {
                self.status.count(|c| c.resets = past(c.resets, 1));
                // It starts anew: what it reported is of the time before.
                *reports = Reports::begin(self.report);
                self.status.forget_report();
            }
            "GUEST_PANICKED" => self.status.count(|c| c.panics = past(c.panics, 1)),
            "WATCHDOG" => self.status.count(|c| c.watchdog = past(c.watchdog, 1)),
            "BLOCK_IO_ERROR" => self
                .status
                .count(|c| c.disk_errors = past(c.disk_errors, 1)),
            // Nobody asks QEMU to: it stops a guest whose state is beyond repair, such as on a KVM internal error.
            "STOP" => return Some(Why::Broken("QEMU stopped the guest".to_owned())),
            _ => {}
        }
        None
    }

    /// Whether the guest was started with what the configuration says now.
    fn compare(&self) {
        let planned = plan::plan(self.flags, self.kvm_broken);
        let differs = match &planned {
            Ok(planned) => {
                (&planned.machine, &planned.medium) != (&self.planned.machine, &self.planned.medium)
            }
            Err(error) => {
                tracing::error!("the configuration can't be used: {error:#}");
                true
            }
        };
        self.status.restart_needed(differs);
        if differs {
            tracing::warn!("the guest runs with an earlier configuration: it gets the new one with the next start of this service");
        }
    }

    /// Brings QEMU to its end: a guest that is to stop is asked to; then QEMU is, then it is killed. A second request skips the waiting.
    async fn end(&self, watched: &mut Watched, why: &Why, stop: &mut watch::Receiver<u64>) -> Exit {
        if watched.qmp.is_none() {
            // It may be about to be there: QEMU has just started.
            let connected =
                tokio::time::timeout(QUIT_TIME, connected(&mut watched.connecting)).await;
            watched.qmp = connected.ok().and_then(Result::ok);
        }
        // Without a monitor there is nothing to ask by.
        if let Some(qmp) = watched.qmp.clone() {
            if *why == Why::Asked {
                self.status.phase(Phase::Stopping);
                self.notifier.send("STOPPING=1\nSTATUS=stopping the guest");
                if let Some(exit) = self.power_button(&qmp, watched, stop).await {
                    return exit;
                }
                tracing::warn!("the guest did not stop in time: ending QEMU");
            }
            ask(&qmp, Qmp::quit);
            if let Ok(ended) = tokio::time::timeout(QUIT_TIME, watched.wait()).await {
                return ended;
            }
        }
        tracing::warn!("killing QEMU");
        if let Err(error) = watched.child.start_kill() {
            tracing::error!(%error, "cannot kill QEMU");
        }
        watched.wait().await
    }

    /// Presses the power button until the guest is gone; None when it took too long, or somebody is in a hurry.
    async fn power_button(
        &self,
        qmp: &Arc<Qmp>,
        watched: &mut Watched,
        stop: &mut watch::Receiver<u64>,
    ) -> Option<Exit> {
        let begun = Instant::now();
        loop {
            let left = self.grace.checked_sub(begun.elapsed())?;
            ask(qmp, Qmp::powerdown);
            tokio::select! {
                exit = watched.wait() => return Some(exit),
                () = tokio::time::sleep(left.min(BETWEEN_PRESSES)) => {}
                () = requests(stop, 2) => return None,
            }
        }
    }
}

/// A running QEMU.
struct Watched {
    child: Child,
    /// Shakes hands with the monitor; none once that is over.
    connecting: Option<JoinHandle<Result<Qmp, qmp::Error>>>,
    qmp: Option<Arc<Qmp>>,
    events: mpsc::Receiver<Event>,
    /// The guest switched itself off.
    powered_off: bool,
}

impl Watched {
    /// What QEMU reported and is still on its way when it has ended: until the thread that reads its monitor is through.
    async fn last_event(&mut self) -> Option<Event> {
        let event = tokio::time::timeout(DRAIN_TIME, self.events.recv()).await;
        event.ok().flatten()
    }

    /// Waits for the end of QEMU; what it reports meanwhile is taken, so that its monitor goes on.
    async fn wait(&mut self) -> Exit {
        loop {
            tokio::select! {
                // How it went is heard before its end.
                biased;
                Some(event) = self.events.recv() => {
                    let (name, data) = (&event.name, &event.data);
                    tracing::info!(event = name, %data, "QEMU reports");
                    self.powered_off |= by_the_guest(&event);
                }
                ended = self.child.wait() => {
                    while let Some(event) = self.last_event().await {
                        self.powered_off |= by_the_guest(&event);
                    }
                    return Exit::waited(ended, "QEMU");
                }
            }
        }
    }
}

/// Whether an event says that the guest switched itself off.
fn by_the_guest(event: &Event) -> bool {
    let reason = event.data.get("reason").and_then(Value::as_str);
    event.name == "SHUTDOWN" && reason == Some("guest-shutdown")
}

/// Has the monitor do something; whether it did, the end of QEMU tells.
fn ask(qmp: &Arc<Qmp>, order: fn(&Qmp) -> Result<(), qmp::Error>) {
    let qmp = Arc::clone(qmp);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = order(&qmp) {
            tracing::warn!("{}", cli::chain(&error));
        }
    });
}

/// The monitor, once it has shaken hands; never ready when nobody tries.
async fn connected(
    connecting: &mut Option<JoinHandle<Result<Qmp, qmp::Error>>>,
) -> Result<Arc<Qmp>, String> {
    let Some(task) = connecting else {
        return std::future::pending().await;
    };
    let connected = task.await;
    *connecting = None;
    match connected {
        Ok(connected) => connected.map(Arc::new).map_err(|error| cli::chain(&error)),
        Err(error) => Err(error.to_string()),
    }
}

/// Keeps what the guest prints, until QEMU ends.
async fn pump(mut console: UnixStream, serial: Arc<Mutex<SerialLog>>, status: Shared) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(len @ 1..) = console.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..len) else {
            return;
        };
        let dropped = {
            let mut serial = serial.lock().unwrap_or_else(PoisonError::into_inner);
            serial.write(bytes);
            serial.dropped()
        };
        status.count(|counts| {
            counts.serial_bytes = past(counts.serial_bytes, len);
            counts.serial_dropped = dropped;
        });
    }
}

/// Hands on QEMU's messages to the log, until it ends; gives back what was said last.
async fn last_words(errors: ChildStderr) -> Words {
    let mut reader = BufReader::new(errors);
    let mut words = Words::default();
    let mut line = Vec::new();
    let mut before = Instant::now();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(MOST_LINE);
        match limited.read_until(b'\n', &mut line).await {
            Ok(1..) => {}
            _ => return words,
        }
        let text = base::text::one_line(&String::from_utf8_lossy(&line));
        tracing::warn!(text, "QEMU says");
        if before.elapsed() > PAUSE {
            words = Words::default();
        }
        before = Instant::now();
        words.add(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What QEMU says when KVM fails.
    const INTERNAL: [&str; 5] = [
        "qemu-system-x86_64: warning: host doesn't support requested feature",
        "KVM internal error. Suberror: 1",
        "extra data[0]: 0x0000000000000001",
        "emulation failure",
        "EAX=00000000 EBX=00807000 ECX=00000001 EDX=00807154",
    ];

    fn ended(exit: Exit, why: Why, lines: &[&str]) -> Ended {
        let mut words = Words::default();
        for line in lines {
            words.add(line);
        }
        Ended {
            exit,
            why,
            powered_off: false,
            words,
        }
    }

    #[test]
    fn the_cause_comes_first() {
        let why = Why::Broken("QEMU stopped the guest".to_owned());
        let end = ended(Exit::Code(0), why, &INTERNAL);
        assert_eq!(
            end.text(),
            "QEMU stopped the guest; QEMU exited with status 0; it said: KVM internal error. Suberror: 1 / \
             extra data[0]: 0x0000000000000001 / emulation failure"
        );
        assert!(end.blames_kvm());
    }

    #[test]
    fn kvm_is_blamed_for_its_own_failures_alone() {
        for (exit, why, lines, blamed) in [
            (
                1,
                Why::ByItself,
                &["failed to initialize kvm: No such device"][..],
                true,
            ),
            (
                1,
                Why::ByItself,
                &["could not configure /dev/net/tun"][..],
                false,
            ),
            (0, Why::ByItself, &["kvm: one more"][..], false),
            (0, Why::PoweredOff, &INTERNAL[..], false),
            (0, Why::Asked, &INTERNAL[..], false),
        ] {
            let end = ended(Exit::Code(exit), why, lines);
            assert_eq!(end.blames_kvm(), blamed, "{}", end.text());
        }
    }
}
