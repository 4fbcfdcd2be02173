//! The real program on consoles: files and pipes in the place of terminals, one of which takes nothing.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod machine;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use machine::Machine;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A program that never ends by itself.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Self { child, lines }
    }

    /// Lines up to and with the first that contains `text`.
    fn until(&self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let start = Instant::now();
        loop {
            // However many other lines come.
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => lines.push(line),
                Err(_) => panic!("no {text:?} after {lines:#?}"),
            }
            if lines.last().unwrap().contains(text) {
                return lines;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn all_consoles_show_it() {
    let machine = Machine::new();
    assert_eq!(
        machine.run("status --all-consoles"),
        (0, String::new(), String::new())
    );
    let serial = machine.text(machine.read("dev/ttyS0").as_bytes());
    assert!(
        serial.starts_with("SetupOS 1.2.3 (dev). It only looks"),
        "{serial}"
    );
    let host = &machine.fsverity("host-os.img")[..16];
    let guest = &machine.fsverity("guest-os.img")[..16];
    assert!(
        serial.ends_with(&format!(
            "Result   Nothing wrong so far; images are not verified yet.\n\
             setupos: status shown\n\
             setupos: images: host-os  1.2.3  3.0 MiB  {host}...  verified\n\
             setupos: images: guest-os  1.2.3  9 bytes  {guest}...  verified\n\
             setupos: result: Nothing is wrong.\n\
             setupos: images verified\n"
        )),
        "{serial}"
    );
    assert!(!serial.contains('\x1b'), "{serial}");
    let screen = machine.read("dev/tty1");
    assert!(
        screen.starts_with(
            "\x1b[2J\x1b[H\x1b[1mSetupOS 1.2.3 (dev). It only looks: no drive is written to.\x1b[0m\x1b[K\r\nConfig "
        ),
        "{screen:?}"
    );
    assert!(
        screen.ends_with("\x1b[32mResult   Nothing is wrong.\x1b[0m\x1b[K\x1b[J"),
        "{screen:?}"
    );
    // Painted over the first, all but the images and the result say the same as the log.
    let (first, second) = screen.split_once("\x1b[J\x1b[H").unwrap();
    assert_eq!(
        first.matches("\r\n").count(),
        second.matches("\r\n").count()
    );
    let rows = |text: &str| {
        let mut plain = text.replace("\r\n", "\n");
        for code in ["[2J", "[H", "[K", "[J", "[0m", "[1m", "[2m", "[31m", "[32m"] {
            plain = plain.replace(&format!("\x1b{code}"), "");
        }
        plain
    };
    assert!(machine.read("dev/ttyS0").starts_with(&rows(first)));
}

#[test]
fn colours_can_be_unwanted() {
    let machine = Machine::new();
    let mut command = machine.command("status --console /dev/tty1");
    assert!(command.env("NO_COLOR", "1").status().unwrap().success());
    let screen = machine.read("dev/tty1");
    assert!(
        screen.starts_with("\x1b[2J\x1b[HSetupOS 1.2.3"),
        "{screen:?}"
    );
    for colour in ["\x1b[0m", "\x1b[1m", "\x1b[32m"] {
        assert!(!screen.contains(colour), "{screen:?}");
    }
}

#[test]
fn a_small_screen_has_what_fits() {
    let machine = Machine::new();
    let bad: String = (0..40).map(|n| format!("key{n}=1\n")).collect();
    machine.write("boot/config/config.ini", &bad);
    machine.run("status --all-consoles --rows 24 --skip-digests");
    let screen = machine.read("dev/tty1");
    assert_eq!(screen.matches("\r\n").count(), 23, "{screen}");
    assert!(screen.contains(" more rows; all of it: setupos_tool status"));
    assert!(screen.contains("Result   40 problems, marked with !"));
    // A log has all of it.
    assert!(machine
        .read("dev/ttyS0")
        .contains("config.ini:40: unknown key"));
}

#[test]
fn consoles_that_are_not_there() {
    let machine = Machine::new();
    machine.remove("dev/ttyS0");
    let gone = "setupos_tool: cannot show the status on D/dev/ttyS0: No such file or directory (os error 2)\n";
    assert_eq!(
        machine.run("status --all-consoles"),
        (0, String::new(), gone.to_owned())
    );
    assert!(!machine.path("dev/ttyS0").exists());
    assert_eq!(
        machine.run("status --console /dev/ttyS0"),
        (
            2,
            String::new(),
            format!("{gone}setupos_tool: error: no console took the status, such as D/dev/ttyS0: No such file or directory (os error 2)\n")
        )
    );
    machine.write("sys/class/tty/console/active", "../../etc/passwd\n");
    assert_eq!(
        machine.run("status --all-consoles"),
        (0, String::new(), String::new())
    );
}

#[test]
fn a_console_that_takes_nothing_holds_up_nobody() {
    let machine = Machine::new();
    machine.remove("dev/ttyS0");
    let path = machine.path("dev/ttyS0");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut pipe = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(&path)
        .unwrap();
    while pipe.write(&[b'x'; 4096]).is_ok() {}
    let (status, _, error) = machine.run("status --all-consoles");
    assert_eq!(status, 0);
    assert_eq!(
        error,
        "setupos_tool: cannot show the status on D/dev/ttyS0: it took nothing for 1 s\n"
    );
    assert!(machine.read("dev/tty1").contains("Nothing is wrong."));
}

#[test]
fn watching_shows_what_changes() {
    let machine = Machine::new();
    let running = Running::start(&mut machine.command("status --watch 1"));
    let first = running.until("setupos: status shown");
    assert!(first[0].starts_with("SetupOS 1.2.3 (dev)"), "{first:?}");
    // Digests come later, as lines of their own.
    let then = running.until("setupos: images verified");
    assert!(
        then.iter().all(|line| line.starts_with("setupos: ")),
        "{then:?}"
    );
    assert!(
        then.contains(&"setupos: result: Nothing is wrong.".to_owned()),
        "{then:?}"
    );
    machine.write("sys/class/net/eth0/carrier", "1\n");
    assert_eq!(
        running.until("eth0"),
        ["setupos: network: eth0  52:54:00:12:34:56  virtio_net  link"]
    );
    machine.write("boot/config/config.ini", "mtu=1\n");
    let lines = running.until("1 problem, marked");
    assert!(lines[0].starts_with("setupos: config: ! "), "{lines:?}");
    // A damaged image is noticed although it was verified before.
    machine.write_at("data/host-os.img", 5, b"!");
    let lines = running.until("2 problems, marked");
    assert!(
        lines.iter().any(|line| line.ends_with("  unusable")),
        "{lines:?}"
    );
    machine.write_at("data/host-os.img", 5, &[0]);
    machine.write("boot/config/config.ini", "mtu=1500\n");
    running.until("setupos: images verified");
}

#[test]
fn watching_survives_consoles_and_media_that_go() {
    let machine = Machine::new();
    let running = Running::start(&mut machine.command("status --all-consoles --watch 1"));
    wait_for("the first screen", || {
        machine
            .read("dev/ttyS0")
            .contains("setupos: images verified")
    });
    std::fs::rename(machine.path("data"), machine.path("gone")).unwrap();
    machine.unmount("/data");
    wait_for("no images", || {
        machine.read("dev/ttyS0").contains("setupos: images: ! ")
    });
    std::fs::rename(machine.path("gone"), machine.path("data")).unwrap();
    wait_for("images again", || {
        let text = machine.read("dev/ttyS0");
        text.matches("setupos: images verified").count() == 2
    });
    assert_eq!(machine.read("dev/ttyS0").matches("status shown").count(), 1);
    drop(running);
}

#[test]
fn watching_as_data() {
    let machine = Machine::new();
    let running = Running::start(&mut machine.command("status --watch 1 --json"));
    let lines = running.until("\"verified\":true");
    for line in lines {
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["facts"]["version"], "1.2.3");
    }
    machine.write("sys/class/net/eth0/carrier", "1\n");
    let line = running.lines.recv_timeout(PATIENCE).unwrap();
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(json["facts"]["network"][0]["link"], true);
}

#[test]
fn a_reader_that_goes_is_an_error_and_no_panic() {
    for args in ["status --watch 1 --json", "status --watch 1"] {
        let machine = Machine::new();
        let mut command = machine.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let start = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(2));
                break;
            }
            if start.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("{args}: still running");
            }
            // Something new to say.
            let speed = start.elapsed().as_millis();
            machine.write("sys/class/net/eth1/speed", &format!("{speed}\n"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A terminal in the place of `name`: what a person sits at.
fn terminal(machine: &Machine, name: &str, columns: u16) -> std::fs::File {
    use std::os::fd::AsRawFd;
    let size = nix::pty::Winsize {
        ws_row: 50,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pair = nix::pty::openpty(Some(&size), None).unwrap();
    let slave = format!("/proc/self/fd/{}", pair.slave.as_raw_fd());
    let slave_path = std::fs::read_link(slave).unwrap();
    machine.remove(&format!("dev/{name}"));
    std::os::unix::fs::symlink(slave_path, machine.path(&format!("dev/{name}"))).unwrap();
    // Without somebody who has it open the terminal is gone.
    std::mem::forget(pair.slave);
    pair.master.into()
}

/// What comes out of `master`, up to and with `text`.
fn read_until(master: &mut std::fs::File, text: &str) -> String {
    use std::io::Read;
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut from = master.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(len) = from.read(&mut buffer) {
            if sender.send(buffer[..len].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut all = Vec::new();
    let start = Instant::now();
    loop {
        let left = PATIENCE.saturating_sub(start.elapsed());
        let part = receiver.recv_timeout(left);
        all.extend(
            part.unwrap_or_else(|_| panic!("no {text:?} in {}", String::from_utf8_lossy(&all))),
        );
        let found = String::from_utf8_lossy(&all);
        if found.contains(text) {
            return found.into_owned();
        }
    }
}

#[test]
fn a_wide_screen_is_used() {
    let machine = Machine::new();
    let mut master = terminal(&machine, "tty1", 160);
    assert_eq!(
        machine.run("status --console /dev/tty1 --skip-digests").0,
        0
    );
    let screen = read_until(&mut master, "Result ");
    assert!(
        screen.contains("  3.8 GiB memory  UEFI, Secure Boot off\x1b[K"),
        "{screen:?}"
    );
}

#[test]
fn what_is_typed_is_heard() {
    let machine = Machine::new();
    machine.write("run/setupos/x", "");
    let mut master = terminal(&machine, "ttyS0", 0);
    let command = "status --all-consoles --watch 1 --skip-digests --ask /run/setupos/install";
    let running = Running::start(&mut machine.command(command));
    read_until(&mut master, "type install and press Enter.");
    let asked = machine.path("run/setupos/install");
    master.write_all(b"installl\n instal\n").unwrap();
    // The screen is painted again and again: it was looked at since.
    machine.write("sys/class/net/eth0/carrier", "1\n");
    wait_for("another look", || {
        machine.read("dev/tty1").contains("virtio_net  link")
    });
    assert!(!asked.exists());
    master.write_all(b"install\n").unwrap();
    wait_for("the word to be heard", || asked.exists());
    drop(running);
}

/// Whoever stands before a failure, at a serial line or a screen, can ask for another try.
#[test]
fn a_failed_installation_hears_what_is_typed() {
    let machine = Machine::new();
    machine.write("run/setupos/x", "");
    let mut master = terminal(&machine, "ttyS0", 0);
    // Typed before anybody asks for it: it is not heard.
    master.write_all(b"install\n").unwrap();
    let command = "install --all-consoles --ask /run/setupos/install";
    let mut running = Running::start(&mut machine.command(command));
    let asked = machine.path("run/setupos/install");
    let text = read_until(&mut master, "setupos: NOT INSTALLED: ");
    assert!(text.contains("type install and press Enter."), "{text}");
    assert!(!asked.exists());
    // Until the consoles are read, what is typed may count as typed before: again, then.
    wait_for("the word to be heard", || {
        master.write_all(b"install\n").unwrap();
        asked.exists()
    });
    assert_eq!(running.child.wait().unwrap().code(), Some(1));
}
