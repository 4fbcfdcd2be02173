//! The real program, with a QEMU made of a shell script that speaks QMP on descriptor 1 and has its serial line on descriptor 0.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

pub const PATIENCE: Duration = Duration::from_secs(240);

/// What every fake QEMU can: answer, `event`s, and `made NAME` for the test to see. Its parts come from the test:
/// what it does at first, and what on a pressed power button.
const QEMU: &str = r#"#!/bin/sh
out=OUT
say() { printf '%s\r\n' "$1"; }
event() { say "{\"event\": \"$1\", \"data\": $2}"; }
made() { echo "$2" >"$out/$1.part"; mv "$out/$1.part" "$out/$1"; }
serial() { printf '%s' "$1" >&0; }
off() { event SHUTDOWN '{"guest": true, "reason": "guest-shutdown"}'; exit 0; }
made pid $$
made args "$(for a; do echo "$a"; done)"
made environment "$(env | grep -v -e ^PWD -e ^SHLVL -e ^_= -e ^OLDPWD)"
FIRST
say '{"QMP": {"version": {}, "capabilities": []}}'
while IFS= read -r line <&1; do
    id=${line##*'"id":'}
    id=${id%%[,\}]*}
    say "{\"return\": {}, \"id\": $id}"
    case $line in
        *qmp_capabilities*) CONNECTED
            made connected yes ;;
        *system_powerdown*) made powerdown yes
            POWERDOWN ;;
        *'"quit"'*) QUIT ;;
    esac
done
"#;

/// What the fake QEMU does when; empty: nothing.
#[derive(Clone, Copy)]
pub struct Script {
    pub first: &'static str,
    pub connected: &'static str,
    pub powerdown: &'static str,
    pub quit: &'static str,
}

/// One that is switched on and off.
pub const GOOD: Script = Script {
    first: ":",
    connected: "serial 'BdsDxe: starting\r\n'",
    powerdown: "off",
    quit: "exit 0",
};

pub struct Setup {
    pub dir: tempfile::TempDir,
    args: Vec<String>,
}

impl Setup {
    /// A host with a disk that has a guest on it.
    pub fn new(script: Script) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in [
            "out",
            "state",
            "run",
            "config",
            "proc",
            "dev",
            "sys/class/net/guest0/master",
            "sys/class/net/eth0/device",
        ] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for (name, text) in [
            (
                "proc/meminfo",
                "MemTotal: 4194304 kB\nHugePages_Free: 0\nHugepagesize: 2048 kB\n",
            ),
            ("dev/kvm", ""),
            ("dev/vhost-net", ""),
            ("dev/vhost-vsock", ""),
            ("sys/class/net/eth0/type", "1\n"),
            ("sys/class/net/eth0/address", "34:56:78:9a:bc:de\n"),
            ("config/config.ini", "vm_memory_mib=1024\nvm_cpus=1\n"),
            ("version.txt", "1.2.3\n"),
            ("code.fd", "code"),
        ] {
            std::fs::write(at(name), text).unwrap();
        }
        std::fs::write(at("vars.fd"), variables()).unwrap();
        let disk = std::fs::File::create(at("disk")).unwrap();
        disk.set_len(1 << 20).unwrap();
        disk.write_all_at(b"EFI PART", 512).unwrap();
        let text = QEMU
            .replace("OUT", &at("out").display().to_string())
            .replace("FIRST", script.first)
            .replace("CONNECTED", script.connected)
            .replace("POWERDOWN", script.powerdown)
            .replace("QUIT", script.quit);
        stand_in::program(at("qemu"), &text);
        let mut args = Vec::new();
        for (flag, name) in [
            ("--config", "config"),
            ("--root", ""),
            ("--qemu", "qemu"),
            ("--disk", "disk"),
            ("--firmware", "code.fd"),
            ("--firmware-vars", "vars.fd"),
            ("--state-dir", "state"),
            ("--runtime-dir", "run"),
        ] {
            args.push(flag.to_owned());
            args.push(at(name).display().to_string());
        }
        Self { dir, args }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Another command of the program about the same guest.
    pub fn perform(&self, command: &str) -> Output {
        let mut program = Command::new(program());
        program.arg(command).args(&self.args).output().unwrap()
    }

    /// The service, not started yet.
    pub fn service(&self, more: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("run").args(&self.args);
        for (flag, name) in [
            ("--serial-log", "serial.log"),
            ("--report", "guest.json"),
            ("--version-file", "version.txt"),
        ] {
            command.arg(flag).arg(self.at(name));
        }
        command
            .args(["--listen", "127.0.0.1:0", "--backoff-initial", "50ms"])
            .args(["--backoff-max", "200ms"])
            .args(more)
            .stdout(Stdio::piped());
        command
    }

    pub fn start(&self, more: &[&str]) -> Runner {
        Runner::start(self.service(more))
    }

    /// What the fake QEMU made; waited for.
    pub fn made(&self, name: &str) -> String {
        let path = self.at("out").join(name);
        wait_until(name, || path.exists());
        std::fs::read_to_string(path).unwrap()
    }

    /// The guest reports, as host_api writes it.
    pub fn report(&self, healthy: bool) {
        let text = format!(
            r#"{{"format":1,"version":"2.0","healthy":{healthy},"boot_id":"b","height":7,"reported":1}}"#
        );
        std::fs::write(self.at("guest.new"), text).unwrap();
        std::fs::rename(self.at("guest.new"), self.at("guest.json")).unwrap();
    }
}

/// The service.
pub struct Runner {
    child: Child,
    log: Receiver<Value>,
    address: SocketAddr,
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Its QEMU goes with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Runner {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let _ = sender.send(value);
            }
        });
        let address = "127.0.0.1:1".parse().unwrap();
        let mut runner = Self {
            child,
            log,
            address,
        };
        let line = runner.wait_for("listening");
        runner.address = line["address"].as_str().unwrap().parse().unwrap();
        runner
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// How it ended.
    pub fn end(&mut self) -> ExitStatus {
        let mut ended = None;
        wait_until("the end of the runner", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }

    /// The log's next line whose message starts so.
    pub fn wait_for(&mut self, message: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left);
            let line = line.unwrap_or_else(|e| panic!("no {message:?}: {e}"));
            let found = line["message"].as_str();
            if found.is_some_and(|found| found.starts_with(message)) {
                return line;
            }
        }
    }

    pub fn get(&self, path: &str) -> (u16, String) {
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
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        (code, body.to_owned())
    }

    /// Waits until /ready says `code` and a line that contains `part`.
    pub fn wait_ready(&self, code: u16, part: &str) {
        let mut got = (0, String::new());
        wait_until(&format!("{code} {part:?}"), || {
            got = self.get("/ready");
            got.0 == code && got.1.contains(part)
        });
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status").1).unwrap()
    }

    /// Waits until a field of /status has this value.
    pub fn wait_status(&self, key: &str, want: &Value) {
        wait_until(&format!("{key} {want}"), || self.status()[key] == *want);
    }
}

pub fn program() -> PathBuf {
    // Relative under Bazel, absolute under cargo.
    std::fs::canonicalize(env!("CARGO_BIN_EXE_guest_vm")).unwrap()
}

/// Variables of a firmware: a volume of 256 bytes whose header has 72.
fn variables() -> Vec<u8> {
    let mut bytes = vec![0xff; 256];
    bytes[..72].fill(0);
    bytes[40..44].copy_from_slice(b"_FVH");
    bytes[48..50].copy_from_slice(&72_u16.to_le_bytes());
    let words = bytes[..72].chunks(2);
    let sum = words.fold(0_u16, |sum, word| {
        sum.wrapping_add(u16::from_le_bytes([word[0], word[1]]))
    });
    bytes[50..52].copy_from_slice(&0_u16.wrapping_sub(sum).to_le_bytes());
    bytes
}

pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A zombie is gone: in a container there may be nobody who reaps what was left to PID 1.
pub fn exists(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/status", pid.trim()))
        .is_ok_and(|status| !status.contains("State:\tZ"))
}
