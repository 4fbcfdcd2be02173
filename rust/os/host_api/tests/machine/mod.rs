//! A folder that stands for a system, with scripts for its programs, and the program that is tested at work in it.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests, each of which uses a part"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

pub const BOOT_ID: &str = "5f1a7b68-16c5-4e0a-9d58-6a3e0c6f4a11";
pub const PATIENCE: Duration = Duration::from_secs(240);

const POLICY: &str = r#"{
    "format": 1,
    "peers": ["loopback"],
    "requests": {
        "version": "any", "host-info": "any", "logs": "any", "report": "any",
        "upgrade-host": "any", "upgrade-status": "any", "reboot": "any"
    },
    "log_units": ["host-api.service"],
    "upgrade_from": ["https://", "http://a/"]
}"#;

const SYSTEMCTL: &str = r#"case "$*" in
'show --value --property SubState confirm-boot.service') cat "$R/substate" ;;
'show --value --property ActiveState requested-upgrade.service') cat "$R/active" ;;
'reboot --no-block') echo "$*" >>"$R/reboots" ;;
*) exit 9 ;;
esac"#;

const JOURNALCTL: &str = r#"echo "$*" >"$R/journal.args"; cat "$R/journal""#;

const IP: &str = r#"[ "$*" = '-json address show' ] || exit 9
cat <<'END'
[{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host"}]},
 {"ifname":"br0","addr_info":[{"family":"inet6","local":"fe80::7","prefixlen":64,"scope":"link"},
  {"family":"inet6","local":"2001:db8::7","prefixlen":64,"scope":"global"},
  {"family":"inet","local":"192.0.2.7","prefixlen":24,"scope":"global","label":"br0"}]},
 {"ifname":"tap0"}]
END"#;

const MANAGEBOOT: &str = r#"echo "$*" >>"$R/manageboot.args"
case $1 in
upgrade-install)
  printf '0 %%\n40 %%\n' >&2
  while [ -e "$R/slow" ]; do sleep 0.05; done
  [ ! -e "$R/refuse" ] || { cat "$R/refuse" >&2; exit 1; }
  printf '100 %%\n' >&2
  echo '{"slot":"B","version":"2.0"}' ;;
upgrade-commit) echo '{"slot":"B"}' ;;
*) exit 9 ;;
esac"#;

fn program() -> PathBuf {
    // Relative under Bazel, absolute under cargo.
    std::fs::canonicalize(env!("CARGO_BIN_EXE_host_api")).unwrap()
}

/// Waits for what must come.
pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    /// A system that runs slot A, confirmed, for 317.05 seconds.
    pub fn new(os: &str, version: &str) -> Self {
        let machine = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let identity = format!(
            r#"{{"format":1,"os":"{os}","env":"test","version":"{version}","boot_limit":3,"data_formats":{{}}}}"#
        );
        for (name, text) in [
            ("opt/ic/share/os.json", identity.as_str()),
            ("opt/ic/share/host-api.json", POLICY),
            ("proc/cmdline", "quiet boot_alternative=A\n"),
            ("proc/uptime", "317.05 600.00\n"),
            ("proc/sys/kernel/hostname", &format!("{os}-machine\n")),
            ("proc/sys/kernel/random/boot_id", &format!("{BOOT_ID}\n")),
            ("substate", "exited\n"),
            ("active", "inactive\n"),
            ("journal", ""),
        ] {
            machine.write(name, text);
        }
        std::fs::create_dir_all(machine.path("run/ic/api")).unwrap();
        machine.boots("A", "stable", "0");
        for (name, text) in [
            ("usr/bin/systemctl", SYSTEMCTL),
            ("usr/bin/journalctl", JOURNALCTL),
            ("usr/bin/ip", IP),
            ("opt/ic/bin/manageboot", MANAGEBOOT),
        ] {
            machine.script(name, text);
        }
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = path.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    /// A file's text; nothing where there is none.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn listed(&self, name: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(name)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn script(&self, name: &str, text: &str) {
        let root = self.dir.path().display();
        let text = format!("#!/bin/sh\nR='{root}'\n{text}\n");
        stand_in::program(self.path(name), &text);
    }

    /// What the boot loader's variables are.
    pub fn boots(&self, alternative: &str, cycle: &str, tries: &str) {
        let mut block = grubenv::Block::new();
        for (name, value) in [
            ("boot_alternative", alternative),
            ("boot_cycle", cycle),
            ("boot_tries", tries),
        ] {
            block.set(name, value.as_bytes()).unwrap();
        }
        std::fs::create_dir_all(self.path("boot/grub")).unwrap();
        std::fs::write(self.path("boot/grub/grubenv"), block.to_bytes().unwrap()).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).arg("--root").arg(self.dir.path());
        command
    }

    pub fn ok(&self, args: &[&str]) -> String {
        ok(args, &self.command(args).output().unwrap())
    }

    pub fn refused(&self, args: &[&str], status: i32) -> String {
        refused(args, &self.command(args).output().unwrap(), status)
    }

    /// What it says of something that went otherwise than asked, and is no failure.
    pub fn told(&self, args: &[&str]) -> String {
        refused(args, &self.command(args).output().unwrap(), 0)
    }

    pub fn start(&self, args: &[&str]) -> Service {
        Service::of(&mut self.command(args))
    }

    pub fn serve(&self, args: &[&str]) -> Server {
        self.serve_with("tcp:127.0.0.1:0", args)
    }

    pub fn serve_at(&self, address: SocketAddr) -> Server {
        self.serve_with(&format!("tcp:{address}"), &[])
    }

    fn serve_with(&self, address: &str, args: &[&str]) -> Server {
        let all = ["serve", "--address", address];
        // Tests ask more often than guests.
        let many = ["--requests-per-second", "1000"];
        let many: &[&str] = if args.iter().any(|arg| arg.contains("per-second")) {
            &[]
        } else {
            &many
        };
        let all: Vec<&str> = all.iter().chain(args).chain(many).copied().collect();
        let service = self.start(&all);
        let line = service.says("listening on tcp:");
        let address = line.trim_end().rsplit("tcp:").next().unwrap();
        let address = address.lines().next().unwrap().parse().unwrap();
        Server { service, address }
    }

    /// What answers the guest's questions on this machine.
    pub fn replica(&self) -> Replica {
        Replica::new()
    }

    fn report_args(server: SocketAddr, replica: &Replica) -> Vec<String> {
        let Replica { address, .. } = replica;
        [
            "report".to_owned(),
            format!("--address=tcp:{server}"),
            format!("--health={address}/health"),
            format!("--status={address}/api/v2/status"),
            "--interval=20ms".to_owned(),
        ]
        .into()
    }

    pub fn report(&self, server: &Server, replica: &Replica) -> String {
        let args = Self::report_args(server.address, replica);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.ok(&args)
    }

    pub fn report_refused(&self, server: &Server, replica: &Replica) -> String {
        let args = Self::report_args(server.address, replica);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.refused(&args, 1)
    }

    pub fn watch(&self, server: &Server, replica: &Replica) -> Service {
        self.watch_at(server.address, replica)
    }

    pub fn watch_at(&self, server: SocketAddr, replica: &Replica) -> Service {
        let mut args = Self::report_args(server, replica);
        args.push("--watch".to_owned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.start(&args)
    }
}

fn ok(args: &[&str], output: &Output) -> String {
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {why}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(args: &[&str], output: &Output, status: i32) -> String {
    let why = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {why}");
    why
}

/// A process that runs, and what it says.
pub struct Service {
    child: Mutex<Child>,
    said: Arc<Mutex<String>>,
}

impl Service {
    fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let out: Box<dyn Read + Send> = Box::new(child.stdout.take().unwrap());
        let err: Box<dyn Read + Send> = Box::new(child.stderr.take().unwrap());
        for pipe in [out, err] {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines() {
                    let mut said = said.lock().unwrap();
                    said.push_str(&line.unwrap());
                    said.push('\n');
                }
            });
        }
        let child = Mutex::new(child);
        Self { child, said }
    }

    /// Waits until it says that; gives all that it said.
    pub fn says(&self, what: &str) -> String {
        let said = || self.said.lock().unwrap().clone();
        wait_until(what, || said().contains(what));
        said()
    }

    /// Waits for its end; gives all that it said.
    pub fn end(&self) -> (ExitStatus, String) {
        let mut status = None;
        wait_until("its end", || {
            status = self.child.lock().unwrap().try_wait().unwrap();
            status.is_some()
        });
        // The pipes are read to their ends when nobody else has them.
        wait_until("all that it said", || Arc::strong_count(&self.said) == 1);
        (status.unwrap(), self.said.lock().unwrap().clone())
    }

    pub fn wait(&self) -> ExitStatus {
        self.end().0
    }

    pub fn end_now(&self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }

    pub fn kill(&self) {
        self.end_now();
    }

    pub fn stop(&self) -> String {
        self.end_now();
        self.end().1
    }
}

/// Ends when the test does.
impl Drop for Service {
    fn drop(&mut self) {
        self.end_now();
    }
}

pub struct Server {
    service: Service,
    pub address: SocketAddr,
}

impl Server {
    pub fn client(&self) -> Client {
        Client {
            address: self.address,
        }
    }

    /// Ends it; gives what it said.
    pub fn stop(&self) -> String {
        self.service.stop()
    }
}

/// `host_api call` in a guest.
pub struct Client {
    address: SocketAddr,
}

impl Client {
    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(program())
            .arg("call")
            .arg(format!("--address=tcp:{}", self.address))
            .args(args)
            .output()
            .unwrap()
    }

    pub fn ok(&self, args: &[&str]) -> String {
        ok(args, &self.run(args))
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ok(&args)).unwrap()
    }

    pub fn refused(&self, args: &[&str], status: i32) -> String {
        refused(args, &self.run(args), status)
    }
}

/// Stands for orchestrator and replica.
pub struct Replica {
    pub address: SocketAddr,
    healthy: Arc<AtomicBool>,
}

impl Replica {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let healthy = Arc::new(AtomicBool::new(true));
        let now = Arc::clone(&healthy);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 1024];
                let len = stream.read(&mut request).unwrap_or(0);
                let healthy = now.load(Ordering::SeqCst);
                let status = request[..len].starts_with(b"GET /api/v2/status ");
                let (line, body) = match (healthy, status) {
                    (true, true) => ("200 OK", r#"{"height":42,"more":1}"#),
                    (true, false) => ("200 OK", "{}"),
                    (false, _) => ("503 Service Unavailable", "no JSON"),
                };
                let len = body.len();
                let answer = format!("HTTP/1.1 {line}\r\nContent-Length: {len}\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, healthy }
    }

    pub fn sick(&self) {
        self.healthy.store(false, Ordering::SeqCst);
    }
}
