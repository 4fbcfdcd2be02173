//! The real program with replicas made of shell scripts, and the test itself as the replica's status endpoint.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(240);

fn program() -> PathBuf {
    // Relative under Bazel, absolute under cargo.
    std::fs::canonicalize(env!("CARGO_BIN_EXE_orchestrator")).unwrap()
}

/// A status endpoint that can be told what to answer: 0 refuse by closing, 1 "200", 2 "503", 3 never.
struct Endpoint {
    address: SocketAddr,
    mode: Arc<AtomicU8>,
}

impl Endpoint {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mode = Arc::new(AtomicU8::new(1));
        let told = Arc::clone(&mode);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let answer = match told.load(Ordering::SeqCst) {
                    1 => "HTTP/1.1 200 OK\r\n\r\n{}",
                    2 => "HTTP/1.1 503 Service Unavailable\r\n\r\n{}",
                    3 => {
                        held.push(stream);
                        continue;
                    }
                    _ => continue,
                };
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, mode }
    }
}

struct Orchestrator {
    child: Child,
    log: Receiver<Value>,
    address: SocketAddr,
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.signal(Signal::SIGTERM);
            if self.end().is_none() {
                let _ = self.child.kill();
            }
        }
    }
}

struct Setup {
    dir: tempfile::TempDir,
    endpoint: Endpoint,
    command: Command,
}

impl Setup {
    /// An orchestrator of the shell script `script`.
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::new();
        let binary = dir.path().join("replica.sh");
        stand_in::program(&binary, &format!("#!/bin/sh\n{script}\n"));
        let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
        std::fs::write(
            dir.path().join("passwd"),
            format!("tester:x:{uid}:{gid}::/:/bin/sh\n"),
        )
        .unwrap();
        std::fs::write(dir.path().join("version.txt"), "1.2.3\n").unwrap();
        let mut command = Command::new(program());
        command
            .args([
                "--listen",
                "127.0.0.1:0",
                "--replica-user",
                "tester",
                "--probe-interval",
                "20ms",
            ])
            .args(["--replica-listen", &endpoint.address.to_string()])
            .arg("--passwd-file")
            .arg(dir.path().join("passwd"))
            .arg("--replica-bin")
            .arg(&binary)
            .arg("--state-dir")
            .arg(dir.path().join("ic/data"))
            .arg("--version-file")
            .arg(dir.path().join("version.txt"))
            .stdout(Stdio::piped());
        Self {
            dir,
            endpoint,
            command,
        }
    }

    fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    /// Another value for a flag that is given already.
    fn replace(mut self, flag: &str, value: &str) -> Self {
        let mut args: Vec<_> = self.command.get_args().map(ToOwned::to_owned).collect();
        let position = args.iter().position(|arg| arg == flag).unwrap();
        args[position + 1] = value.into();
        self.command = Command::new(program());
        self.command.args(args).stdout(Stdio::piped());
        self
    }

    fn start(&mut self) -> Orchestrator {
        let mut child = self.command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let _ = sender.send(value);
            }
        });
        let mut orchestrator = Orchestrator {
            child,
            log,
            address: "127.0.0.1:1".parse().unwrap(),
        };
        let line = orchestrator.wait_for("listening");
        assert_eq!(line["version"], "1.2.3");
        orchestrator.address = line["address"].as_str().unwrap().parse().unwrap();
        orchestrator
    }
}

impl Orchestrator {
    /// How it ended; nothing if it goes on and on.
    fn end(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.child.try_wait().unwrap();
            if status.is_some() || Instant::now() > deadline {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn wait_for(&mut self, message: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // However many other lines come.
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left);
            let line = line.unwrap_or_else(|e| panic!("no {message:?}: {e}"));
            if line["message"] == message {
                return line;
            }
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    /// Waits until /health says `code` and a body that contains `part`.
    fn wait_health(&self, code: u16, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let got = self.get("/health");
            if got.0 == code && got.1.contains(part) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "want {code} {part:?}, got {got:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").1;
        let line = text
            .lines()
            .find(|l| l.strip_prefix(name).is_some_and(|r| r.starts_with(' ')));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// The text of a file that a script makes: it writes `NAME.part` and renames that, so that what is there is whole.
fn made(path: &Path) -> String {
    wait_until(&path.display().to_string(), || path.exists());
    std::fs::read_to_string(path).unwrap()
}

/// Seconds of the day at which a log line was written, by the program's own clock.
fn second(line: &Value) -> f64 {
    let time = line["timestamp"].as_str().unwrap();
    let time = time.split_once('T').unwrap().1.trim_end_matches('Z');
    let parts = time.split(':').map(|part| part.parse::<f64>().unwrap());
    parts.fold(0.0, |sum, part| sum * 60.0 + part)
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A zombie is gone: in a container there may be nobody who reaps what was left to PID 1.
fn exists(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .is_ok_and(|status| !status.contains("State:\tZ"))
}

#[test]
fn arguments_environment_and_metrics() {
    let mut setup = Setup::new(
        "{ pwd; for a; do echo \"$a\"; done; env | grep -v -e ^PWD -e ^SHLVL -e ^_=; } > ../out.part; mv ../out.part ../out; exec sleep 1000",
    )
    .args(&["--replica-arg", "--tick"])
    .args(&["--replica-arg", "5s"]);
    setup.command.env("SECRET", "x");
    let mut orchestrator = setup.start();
    let line = orchestrator.wait_for("the replica is started");
    assert_eq!(line["user"], "tester");
    orchestrator.wait_health(200, r#"{"status":"ok"}"#);
    let state = setup.dir.path().join("ic/data");
    let out = made(&setup.dir.path().join("ic/out"));
    let want = format!(
        "{state}\n--listen\n{}\n--state-dir\n{state}\n--version-file\n{}\n--tick\n5s\nPATH=/usr/bin:/bin\n",
        setup.endpoint.address,
        setup.dir.path().join("version.txt").display(),
        state = state.display(),
    );
    assert_eq!(out, want);
    assert_eq!(std::fs::metadata(&state).unwrap().mode() & 0o777, 0o750);

    assert_eq!(
        orchestrator.metric("orchestrator_build_info{version=\"1.2.3\"}"),
        1.0
    );
    assert_eq!(orchestrator.metric("replica_up"), 1.0);
    assert_eq!(orchestrator.metric("replica_running"), 1.0);
    assert_eq!(orchestrator.metric("replica_starts_total"), 1.0);
    assert_eq!(orchestrator.metric("replica_restarts_total"), 0.0);
    assert_eq!(orchestrator.metric("replica_last_exit_code"), -1.0);
    assert!(orchestrator.metric("replica_probe_duration_seconds_count") >= 1.0);
    assert!(orchestrator.metric("replica_probe_last_seconds") > 0.0);
    assert!(orchestrator.metric("replica_resident_memory_bytes") > 0.0);
    assert_eq!(orchestrator.get("/").0, 200);
    assert_eq!(orchestrator.get("/other").0, 404);
}

#[test]
fn a_crashing_replica_is_started_ever_later() {
    let mut setup =
        Setup::new("exit 7").args(&["--backoff-initial", "50ms", "--backoff-max", "200ms"]);
    // While a run lasts, nothing answers.
    setup.endpoint.mode.store(2, Ordering::SeqCst);
    let mut orchestrator = setup.start();
    let mut delays = Vec::<f64>::new();
    let mut ended = 0.0;
    for _ in 0..5 {
        let started = second(&orchestrator.wait_for("the replica is started"));
        if let Some(delay) = delays.last() {
            let waited = (started - ended).rem_euclid(86_400.0);
            // The log's time has microseconds.
            assert!(waited + 0.000_002 > *delay, "{waited} s after the end");
        }
        let line = orchestrator.wait_for("the replica ended");
        ended = second(&line);
        assert_eq!(line["exit"], "exited with status 7");
        delays.push(line["next_start_seconds"].as_f64().unwrap());
    }
    assert_eq!(delays, [0.05, 0.1, 0.2, 0.2, 0.2]);
    orchestrator.wait_health(503, "the replica exited with status 7; next start in ");
    assert!(orchestrator.metric("replica_restarts_total") >= 4.0);
    assert_eq!(orchestrator.metric("replica_last_exit_code"), 7.0);
    assert_eq!(orchestrator.metric("replica_up"), 0.0);
}

#[test]
fn a_stable_run_resets_the_delay() {
    let mut setup = Setup::new("sleep 0.4; kill -9 $$").args(&[
        "--backoff-initial",
        "20ms",
        "--stable-after",
        "300ms",
    ]);
    let mut orchestrator = setup.start();
    for _ in 0..3 {
        let line = orchestrator.wait_for("the replica ended");
        assert_eq!(line["exit"], "was killed by signal 9");
        assert_eq!(line["next_start_seconds"], 0.02);
    }
    assert_eq!(orchestrator.metric("replica_last_exit_code"), 137.0);
}

#[test]
fn health_flips_with_the_endpoint() {
    let mut setup = Setup::new("exec sleep 1000").args(&["--probe-timeout", "200ms"]);
    let orchestrator = setup.start();
    let tell = |mode| setup.endpoint.mode.store(mode, Ordering::SeqCst);
    orchestrator.wait_health(200, "ok");
    tell(2);
    orchestrator.wait_health(503, "the replica's status endpoint: answered 503");
    tell(1);
    orchestrator.wait_health(200, "ok");
    tell(3);
    orchestrator.wait_health(503, "the replica's status endpoint: no answer within 200ms");
    tell(0);
    orchestrator.wait_health(503, "the replica's status endpoint: ");
    assert!(orchestrator.metric("replica_probes_total{result=\"failed\"}") >= 2.0);
    tell(1);
    orchestrator.wait_health(200, "ok");
    assert_eq!(orchestrator.metric("replica_restarts_total"), 0.0);
}

#[test]
fn an_unresponsive_replica_is_restarted() {
    let mut setup = Setup::new("exec sleep 1000").args(&[
        "--unresponsive-after",
        "100ms",
        "--backoff-initial",
        "20ms",
    ]);
    setup.endpoint.mode.store(2, Ordering::SeqCst);
    let mut orchestrator = setup.start();
    orchestrator.wait_for("the replica has not answered for too long, restarting it");
    let line = orchestrator.wait_for("the replica ended");
    assert_eq!(line["exit"], "was killed by signal 15");
    orchestrator.wait_for("the replica is started");
    setup.endpoint.mode.store(1, Ordering::SeqCst);
    orchestrator.wait_health(200, "ok");
}

#[test]
fn a_missing_program_is_a_reason_not_an_end() {
    let mut setup = Setup::new("").args(&["--backoff-initial", "50ms"]);
    let binary = setup.dir.path().join("replica.sh");
    std::fs::remove_file(&binary).unwrap();
    let mut orchestrator = setup.start();
    orchestrator.wait_for("the replica cannot be started");
    orchestrator.wait_health(
        503,
        "replica.sh: No such file or directory (os error 2); next start in ",
    );
    stand_in::program(&binary, "#!/bin/sh\nexec sleep 1000\n");
    orchestrator.wait_health(200, "ok");
    assert!(orchestrator.metric("replica_failed_starts_total") >= 1.0);
}

#[test]
fn sigterm_stops_the_replica_first() {
    // It takes as long to stop as the test takes to see that it is stopping.
    let mut setup = Setup::new("trap 'until [ -e go ]; do sleep 0.05; done; echo bye > bye; exit 0' TERM; echo $$ > pid; while :; do sleep 0.05; done")
        .args(&["--stop-grace", "10min"]);
    let mut orchestrator = setup.start();
    let data = setup.dir.path().join("ic/data");
    wait_until("pid", || data.join("pid").exists());
    orchestrator.wait_health(200, "ok");
    orchestrator.signal(Signal::SIGTERM);
    assert_eq!(orchestrator.wait_for("asked to stop")["signal"], "SIGTERM");
    orchestrator.wait_health(503, "stopping");
    std::fs::write(data.join("go"), "").unwrap();
    assert_eq!(
        orchestrator.wait_for("the replica is stopped")["exit"],
        "exited with status 0"
    );
    assert_eq!(orchestrator.end().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_to_string(data.join("bye")).unwrap(), "bye\n");
}

/// A replica that ignores SIGTERM, and a child of it, die after the grace; `second`: at the second request.
fn stubborn(grace: &str, second: bool) {
    let script =
        "trap '' TERM; sleep 1000 & echo $! > child; echo $$ > pid; while :; do sleep 0.05; done";
    let mut setup = Setup::new(script).args(&["--stop-grace", grace]);
    let mut orchestrator = setup.start();
    let data = setup.dir.path().join("ic/data");
    let number = |name: &str| {
        std::fs::read_to_string(data.join(name))
            .ok()?
            .trim()
            .parse::<i32>()
            .ok()
    };
    wait_until("pid", || number("pid").is_some());
    let pids = [number("pid").unwrap(), number("child").unwrap()];
    let begun = Instant::now();
    orchestrator.signal(Signal::SIGINT);
    if second {
        assert_eq!(orchestrator.wait_for("asked to stop")["signal"], "SIGINT");
        orchestrator.signal(Signal::SIGTERM);
    }
    orchestrator.wait_for("killing the replica");
    assert_eq!(
        orchestrator.wait_for("the replica is stopped")["exit"],
        "was killed by signal 9"
    );
    assert_eq!(orchestrator.end().unwrap().code(), Some(0));
    if !second {
        assert!(
            begun.elapsed() >= Duration::from_millis(290),
            "{:?}",
            begun.elapsed()
        );
    }
    wait_until("both gone", || !pids.iter().any(|pid| exists(*pid)));
}

#[test]
fn grace_then_sigkill() {
    stubborn("300ms", false);
}

#[test]
fn a_second_request_hurries() {
    stubborn("10min", true);
}

#[test]
fn sigterm_while_waiting_to_restart() {
    let mut setup =
        Setup::new("exit 1").args(&["--backoff-initial", "10min", "--backoff-max", "10min"]);
    let mut orchestrator = setup.start();
    orchestrator.wait_for("the replica ended");
    orchestrator.signal(Signal::SIGTERM);
    assert_eq!(orchestrator.end().unwrap().code(), Some(0));
}

#[test]
fn systemd_is_told() {
    let mut setup = Setup::new("exec sleep 1000").args(&["--watchdog-interval", "200ms"]);
    let path = setup.dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    setup.command.env("NOTIFY_SOCKET", &path);
    // Read at once, whatever the test waits for: what finds the queue full is not sent.
    let (sender, messages) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while let Ok(n) = socket.recv(&mut buffer) {
            let _ = sender.send(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
    });
    let orchestrator = setup.start();
    let wait = |want: &str| loop {
        let message = messages
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|e| panic!("no {want}: {e}"));
        if message.starts_with(want) {
            return;
        }
    };
    wait("READY=1");
    wait("STATUS=replica running, pid ");
    wait("WATCHDOG=1");
    wait("WATCHDOG=1");
    orchestrator.signal(Signal::SIGTERM);
    wait("STOPPING=1\nSTATUS=stopping the replica");
}

#[test]
fn refusals_have_reasons() {
    let run = |flag: &str, value: &str| {
        let mut setup = Setup::new("exit 0")
            .args(&["--backoff-initial", "1s"])
            .replace(flag, value);
        let output = setup.command.stderr(Stdio::piped()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        (
            output.status.code(),
            text.replace(&*setup.dir.path().to_string_lossy(), "D"),
        )
    };
    let (code, text) = run("--replica-user", "nobody-here");
    assert_eq!(
        (code, text.as_str()),
        (
            Some(1),
            "orchestrator: error: user \"nobody-here\" of --replica-user, in D/passwd: no such user\n"
        )
    );
    let (code, text) = run("--backoff-initial", "soon");
    assert_eq!(code, Some(1));
    assert!(
        text.contains("want a time such as 250ms, 5s or 2min"),
        "{text}"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = run("--listen", &address);
    assert_eq!(code, Some(2));
    assert!(
        text.contains(&format!("cannot listen on {address}: ")),
        "{text}"
    );
    let (code, text) = run("--state-dir", "/proc/version");
    assert_eq!(
        (code, text.as_str()),
        (
            Some(1),
            "orchestrator: error: /proc/version is not a folder\n"
        )
    );
}

#[test]
fn a_crowd_that_says_nothing_changes_nothing() {
    // As many files as a service may have in a poor place; the crowd is larger.
    let mut setup = Setup::new("exec sleep 1000").args(&[
        "--probe-timeout",
        "60s",
        "--unresponsive-after",
        "100ms",
    ]);
    let args: Vec<_> = setup.command.get_args().map(ToOwned::to_owned).collect();
    setup.command = Command::new("prlimit");
    setup
        .command
        .arg("--nofile=128")
        .arg(program())
        .args(args)
        .stdout(Stdio::piped());
    let mut orchestrator = setup.start();
    orchestrator.wait_for("the replica is started");
    orchestrator.wait_health(200, "ok");
    let crowd: Vec<_> = (0..400)
        .map(|_| TcpStream::connect(orchestrator.address).unwrap())
        .collect();
    let answered = "replica_probes_total{result=\"answered\"}";
    let before = orchestrator.metric(answered);
    wait_until("the replica is asked on and on", || {
        orchestrator.metric(answered) >= before + 5.0
    });
    assert_eq!(orchestrator.get("/health").0, 200);
    for result in ["failed", "unable"] {
        let name = format!("replica_probes_total{{result=\"{result}\"}}");
        assert_eq!(orchestrator.metric(&name), 0.0, "{result}");
    }
    assert_eq!(orchestrator.metric("replica_restarts_total"), 0.0);
    assert!(orchestrator.metric("orchestrator_connections_open") <= 64.0);
    assert!(orchestrator.metric("orchestrator_connections_closed_total{why=\"room\"}") >= 300.0);
    drop(crowd);
}

/// `cargo test -p orchestrator -- --ignored` as root.
#[test]
#[ignore = "needs real root"]
fn root_becomes_the_user_without_groups_or_new_rights() {
    let mut setup = Setup::new("grep -E '^(Uid|Gid|Groups|NoNewPrivs|CapEff|CapPrm)' /proc/self/status > status.part; mv status.part status; exec sleep 1000");
    // The user must be able to reach its program and its folder.
    std::fs::set_permissions(setup.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(
        setup.dir.path().join("passwd"),
        "tester:x:12345:12346::/:/bin/sh\n",
    )
    .unwrap();
    let orchestrator = setup.start();
    orchestrator.wait_health(200, "ok");
    let data = setup.dir.path().join("ic/data");
    let meta = std::fs::metadata(&data).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (12345, 12346));
    let status = made(&data.join("status"));
    let words: Vec<_> = status.split_whitespace().collect();
    let want = "Uid: 12345 12345 12345 12345 Gid: 12346 12346 12346 12346 Groups: CapPrm: 0000000000000000 \
                CapEff: 0000000000000000 NoNewPrivs: 1";
    assert_eq!(words.join(" "), want);
}
