//! A running guest.

use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use crate::config::Terminal;
use crate::process::{self, Process};
use crate::{
    private_folder, Accel, Console, Deadline, Forward, Qmp, Result, Servers, Shell, VmConfig,
    VmError, QEMU,
};

/// A QEMU process with its console; killed when dropped.
#[derive(Debug)]
pub struct Vm {
    // Dropped first: the guest ends before its console's log does.
    process: Process,
    console: Console,
    qmp: Option<Qmp>,
    accel: Accel,
    forwards: Vec<Forward>,
    _servers: Servers,
    _scratch: tempfile::TempDir,
}

impl VmConfig {
    /// Starts the guest.
    pub fn start(self) -> Result<Vm> {
        Vm::start(self)
    }
}

impl Vm {
    /// Starts the guest that `config` describes.
    pub fn start(mut config: VmConfig) -> Result<Self> {
        process::require(QEMU, "qemu-system-x86")?;
        config.resolve()?;
        let (monitor, their_monitor) = pair()?;
        let (console, their_console) = pair()?;
        let scratch = Scratch::new(config.log.as_deref())?;
        let servers = config.serve()?;
        let process = Process::spawn(
            QEMU,
            &config.args(Terminal::Sockets),
            None,
            their_console.into(),
            their_monitor.into(),
        )?;
        let mut vm = scratch.vm(process, console, config.accel)?;
        vm.forwards = config.forwards;
        vm._servers = servers;
        let shared = vm.console.shared();
        let connected = Qmp::connect(monitor, move |event| {
            match event.name.as_str() {
                // QEMU stops a guest by itself only when its state is beyond repair, such as on a KVM internal error.
                "STOP" | "GUEST_PANICKED" => shared.stop(&format!("QEMU reported {}", event.name)),
                // With -no-reboot a reset is the end.
                "RESET" | "SHUTDOWN" => {
                    let reason = event.data.get("reason").and_then(Value::as_str);
                    shared.reset(reason.unwrap_or("for no reason"));
                }
                _ => {}
            }
        });
        match connected {
            Ok(qmp) => vm.qmp = Some(qmp),
            Err(error) => return Err(vm.explain(error.into())),
        }
        Ok(vm)
    }

    /// Starts a QEMU command given word by word in `directory`, program first, whose console is its standard input and output. There is no QMP.
    pub fn start_command(
        words: &[String],
        directory: &Path,
        log: Option<&Path>,
        accel: Accel,
    ) -> Result<Self> {
        let (program, args) = process::split(words)?;
        process::require(program, "qemu-system-x86")?;
        let (console, theirs) = pair()?;
        let output = theirs
            .try_clone()
            .map_err(VmError::io("open the console twice"))?;
        let scratch = Scratch::new(log)?;
        let process = Process::spawn(program, args, Some(directory), theirs.into(), output.into())?;
        scratch.vm(process, console, accel)
    }

    /// The serial console.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// The QMP connection; an error for guests started by [`Vm::start_command`].
    pub fn qmp(&self) -> Result<&Qmp> {
        self.qmp.as_ref().ok_or(VmError::NoQmp)
    }

    /// What the guest runs on.
    pub fn accel(&self) -> Accel {
        self.accel
    }

    /// The port of 127.0.0.1 that leads to port `guest` of the guest.
    pub fn host_port(&self, guest: u16) -> Option<u16> {
        self.find_port(None, guest)
    }

    /// The port of 127.0.0.1 that leads to port `port` of the machine at `address` inside the guest.
    pub fn host_port_to(&self, address: Ipv4Addr, port: u16) -> Option<u16> {
        self.find_port(Some(address), port)
    }

    fn find_port(&self, address: Option<Ipv4Addr>, guest: u16) -> Option<u16> {
        let mut forwards = self.forwards.iter();
        let forward = forwards.find(|f| f.guest == guest && f.address == address)?;
        Some(forward.host)
    }

    /// Logs in on the console; the guest shows a login prompt or is about to.
    pub fn login(&self, user: &str, password: &str, deadline: Deadline) -> Result<Shell<'_>> {
        Shell::login(&self.console, user, password, deadline)
    }

    /// What QEMU printed on its standard error so far.
    pub fn errors(&self) -> String {
        self.process.errors()
    }

    /// Waits for QEMU to end by itself, as it does when the guest powers off.
    pub fn wait_exit(&self, deadline: Deadline) -> Result<ExitStatus> {
        self.process
            .wait(deadline)?
            .ok_or_else(|| VmError::StillRunning {
                seconds: deadline.seconds(),
                tail: self.console.tail(),
            })
    }

    /// Ends the guest at once.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// QEMU's own last words say more than `error` does when it has just ended.
    fn explain(&self, error: VmError) -> VmError {
        match self.process.wait(Deadline::after(Duration::from_secs(1))) {
            Ok(Some(status)) => self.process.failure(status),
            _ => error,
        }
    }
}

/// Files that live as long as the guest.
struct Scratch {
    directory: tempfile::TempDir,
    log: PathBuf,
}

impl Scratch {
    fn new(log: Option<&Path>) -> Result<Self> {
        let directory = private_folder("vm-")?;
        let log = match log {
            Some(path) => path.to_path_buf(),
            None => directory.path().join("console.log"),
        };
        Ok(Self { directory, log })
    }

    fn vm(self, process: Process, console: UnixStream, accel: Accel) -> Result<Vm> {
        let said = process.last_words()?;
        let ended = move || format!("QEMU closed the console: {}", said());
        Ok(Vm {
            console: Console::attach(console, &self.log, ended)?,
            process,
            qmp: None,
            accel,
            forwards: Vec::new(),
            _servers: Servers::default(),
            _scratch: self.directory,
        })
    }
}

fn pair() -> Result<(UnixStream, UnixStream)> {
    UnixStream::pair().map_err(VmError::io("create a socket pair"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program on its console in place of QEMU.
    fn program(script: &str, folder: &Path, log: Option<&Path>) -> Result<Vm> {
        let words = ["sh", "-c", script].map(str::to_owned);
        Vm::start_command(&words, folder, log, Accel::Tcg)
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(240))
    }

    #[test]
    fn a_command_has_the_console_and_its_end_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        // A terminal makes a line of it; a program that has none gets what was typed.
        let script = "echo words >&2; pwd; line=$(head -c 6); echo \"got $line\"; exit 3";
        let vm = program(script, dir.path(), Some(&log)).unwrap();
        let here = dir.path().canonicalize().unwrap();
        vm.console().expect(here.to_str().unwrap(), soon()).unwrap();
        vm.console().send_line("a line").unwrap();
        vm.console().expect("got a line", soon()).unwrap();
        assert_eq!(vm.wait_exit(soon()).unwrap().code(), Some(3));
        assert_eq!(vm.errors().trim(), "words");
        let error = vm.console().expect("more", soon()).unwrap_err().to_string();
        assert!(
            error.contains("(QEMU closed the console: words)"),
            "{error}"
        );
        assert_eq!((vm.accel(), vm.host_port(22)), (Accel::Tcg, None));
        let error = vm.qmp().unwrap_err().to_string();
        assert!(error.contains("started without QMP"), "{error}");
        let kept = std::fs::read_to_string(&log).unwrap();
        assert!(kept.contains("got a line"), "{kept}");
    }

    #[test]
    fn one_that_goes_on_is_told_and_can_be_ended() {
        let dir = tempfile::tempdir().unwrap();
        let vm = program("echo up; exec sleep 1000", dir.path(), None).unwrap();
        vm.console().expect("up", soon()).unwrap();
        let error = vm.wait_exit(Deadline::after(Duration::ZERO)).unwrap_err();
        assert!(
            matches!(&error, VmError::StillRunning { seconds: 0, tail } if tail.contains("up")),
            "{error}"
        );
        vm.kill();
        assert_eq!(vm.wait_exit(soon()).unwrap().code(), None);
    }

    #[test]
    fn what_cannot_be_started_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for (words, why) in [
            (vec![], "the command is empty"),
            (
                vec!["qemu-system-nonesuch".to_owned()],
                "qemu-system-nonesuch is not installed",
            ),
        ] {
            let error = Vm::start_command(&words, dir.path(), None, Accel::Tcg).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
