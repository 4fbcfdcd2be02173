//! The real program: endpoints, `kill -9`, SIGTERM, a corrupt state, a taken port.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use serde_json::Value;

/// Longer than anything here takes on a busy machine with a slow disk.
const PATIENCE: Duration = Duration::from_secs(240);

struct Replica {
    child: Child,
    log: Log,
    address: SocketAddr,
}

/// Lines as they come, read by a thread so that nobody waits for them for ever.
struct Log(Receiver<String>);

impl Log {
    fn of(child: &mut Child) -> Self {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            // Whoever listened may have seen enough.
            lines
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self(receiver)
    }

    /// The next line with `message`; every line must be JSON.
    fn wait_for(&mut self, message: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.0.recv_timeout(left);
            let line = line.unwrap_or_else(|error| panic!("no {message:?} in the log: {error}"));
            let value: Value =
                serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
            if value["message"] == message {
                return value;
            }
        }
    }
}

fn program() -> PathBuf {
    // Relative under Bazel, absolute under cargo.
    std::fs::canonicalize(env!("CARGO_BIN_EXE_replica")).unwrap()
}

fn command(dir: &Path, listen: &str) -> Command {
    std::fs::write(dir.join("version.txt"), "9.8.7\n").unwrap();
    std::fs::write(dir.join("boot_id"), "boot-one\n").unwrap();
    let mut command = Command::new(program());
    command
        .args(["--listen", listen, "--tick", "20ms", "--state-dir"])
        .arg(dir.join("data"))
        .arg("--version-file")
        .arg(dir.join("version.txt"))
        .arg("--boot-id-file")
        .arg(dir.join("boot_id"))
        .stdout(Stdio::piped());
    command
}

fn start(dir: &Path) -> Replica {
    let mut child = command(dir, "127.0.0.1:0").spawn().unwrap();
    let mut log = Log::of(&mut child);
    let line = log.wait_for("listening");
    let address = line["address"].as_str().unwrap().parse().unwrap();
    Replica {
        child,
        log,
        address,
    }
}

fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn status(address: SocketAddr) -> Value {
    let (head, body) = get(address, "/api/v2/status");
    assert_eq!(head, "HTTP/1.1 200 OK");
    serde_json::from_str(&body).unwrap()
}

fn wait_height(address: SocketAddr, height: u64) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let got = status(address)["height"].as_u64().unwrap();
        if got >= height {
            return got;
        }
        assert!(Instant::now() < deadline, "height stays at {got}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The end of a program that was told to end.
fn ended(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

#[test]
fn endpoints_and_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(dir.path());
    let got = status(replica.address);
    assert_eq!(got["implementation"], "stand-in replica");
    assert_eq!(got["version"], "9.8.7");
    assert_eq!(got["replica_health_status"], "healthy");
    assert_eq!((&got["boots"], &got["starts"]), (&1.into(), &1.into()));
    assert!(got["uptime_seconds"].is_u64());
    let (head, body) = get(replica.address, "/");
    assert_eq!(head, "HTTP/1.1 200 OK");
    assert!(body.starts_with("This is a stand-in replica (version 9.8.7). It is not a replica:"));
    assert_eq!(get(replica.address, "/other").0, "HTTP/1.1 404 Not Found");

    // An idle connection must not hold up the stop.
    let _idle = TcpStream::connect(replica.address).unwrap();
    let seen = wait_height(replica.address, 2);
    signal(&replica.child, Signal::SIGTERM);
    assert_eq!(replica.log.wait_for("stopping")["signal"], "SIGTERM");
    assert!(replica.log.wait_for("stopped")["height"].as_u64().unwrap() >= seen);
    assert_eq!(ended(&mut replica.child).code(), Some(0));
}

#[test]
fn state_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut height = 0;
    for start_number in 1..=4_u64 {
        let mut replica = start(dir.path());
        let got = status(replica.address);
        assert_eq!(got["starts"], start_number);
        assert_eq!(got["boots"], 1);
        assert!(
            got["height"].as_u64().unwrap() >= height,
            "the height went back"
        );
        height = wait_height(replica.address, height + 3);
        signal(&replica.child, Signal::SIGKILL);
        ended(&mut replica.child);
    }
    std::fs::write(dir.path().join("boot_id"), "boot-two\n").unwrap();
    let mut child = Command::new(program())
        .args(["--listen", "127.0.0.1:0", "--boot-id-file"])
        .arg(dir.path().join("boot_id"))
        .arg("--state-dir")
        .arg(dir.path().join("data"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = Log::of(&mut child);
    let line = log.wait_for("stand-in replica started");
    assert_eq!((&line["boots"], &line["starts"]), (&2.into(), &5.into()));
    assert_eq!(line["version"], "unknown");
    child.kill().unwrap();
    ended(&mut child);
}

#[test]
fn corrupt_state_is_told_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(dir.path().join("data/replica-state.json"), "garbage").unwrap();
    let mut child = command(dir.path(), "127.0.0.1:0").spawn().unwrap();
    let mut log = Log::of(&mut child);
    let line = log.wait_for("state file is corrupt: kept aside, starting with an empty state");
    assert_eq!(line["level"], "ERROR");
    assert!(line["kept_as"]
        .as_str()
        .unwrap()
        .ends_with("replica-state.json.corrupt-1"));
    log.wait_for("listening");
    signal(&child, Signal::SIGINT);
    assert_eq!(ended(&mut child).code(), Some(0));
}

#[test]
fn disk_trouble_shows_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(dir.path());
    // A folder under the file's name makes every write fail, for root too. The replica may write between the two steps.
    let obstacle = dir.path().join("data/replica-state.json");
    let deadline = Instant::now() + PATIENCE;
    while std::fs::create_dir(&obstacle).is_err() {
        assert!(Instant::now() < deadline);
        let _ = std::fs::remove_file(&obstacle);
    }
    replica.log.wait_for("cannot write the state");
    let (head, body) = get(replica.address, "/api/v2/status");
    assert_eq!(head, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("storage_error"), "{body}");
    std::fs::remove_dir(&obstacle).unwrap();
    replica.log.wait_for("state is written again");
    status(replica.address);
    signal(&replica.child, Signal::SIGTERM);
    ended(&mut replica.child);
}

#[test]
fn refusals_have_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(dir.path());
    // The same folder.
    let second = command(dir.path(), "127.0.0.1:0")
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    let text = String::from_utf8(second.stderr).unwrap();
    let want = format!(
        "replica: error: another replica uses {}",
        dir.path().join("data").display()
    );
    assert!(text.starts_with(&want), "{text}");
    // The same port.
    let other = tempfile::tempdir().unwrap();
    let address = replica.address.to_string();
    let third = command(other.path(), &address)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(third.status.code(), Some(2));
    let text = String::from_utf8(third.stderr).unwrap();
    assert!(
        text.starts_with(&format!("replica: error: cannot listen on {address}: ")),
        "{text}"
    );
    // A bad flag.
    let bad = Command::new(program())
        .args(["--tick", "0s"])
        .output()
        .unwrap();
    assert_eq!(bad.status.code(), Some(1));
    replica.child.kill().unwrap();
    ended(&mut replica.child);
}
