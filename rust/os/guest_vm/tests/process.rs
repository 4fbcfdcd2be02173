//! The real program and a QEMU that does as told: starts, ends, refusals, and what the pages say meanwhile.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixDatagram;

use common::{exists, wait_until, Runner, Script, Setup, GOOD};
use serde_json::json;

#[test]
fn from_power_on_to_power_off() {
    let setup = Setup::new(GOOD);
    // Of a run before: it says nothing of this one.
    setup.report(true);
    let mut service = setup.service(&[]);
    service.env("SECRET", "x");
    let socket = setup.at("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    // Read at once, as systemd does: the queue of such a socket is short.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(len) = systemd.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if tell.send(text + "\n").is_err() {
                return;
            }
        }
    });
    service.env("NOTIFY_SOCKET", &socket);
    let mut runner = Runner::start(service);
    setup.made("connected");
    runner.wait_ready(503, "has not reported yet");
    setup.report(false);
    runner.wait_ready(503, "reports that it is not healthy");
    setup.report(true);
    runner.wait_ready(200, "the guest is up: version 2.0");

    let status = runner.status();
    for (key, want) in [
        ("format", json!(1)),
        ("version", json!("1.2.3")),
        ("state", json!("running")),
        ("accel", json!("kvm")),
        ("starts", json!(1)),
        ("ready", json!(true)),
        ("last_exit", json!(null)),
    ] {
        assert_eq!(status[key], want, "{key}");
    }
    let pid = status["pid"].to_string();
    assert_eq!(pid, setup.made("pid").trim());
    let metrics = runner.get("/metrics").1;
    for line in ["guest_running 1", "guest_ready 1", "guest_height 7"] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{metrics}");
    }
    assert_eq!(runner.get("/").0, 200);
    assert_eq!(runner.get("/other").0, 404);

    // What was started is what `command` prints.
    let printed = setup.perform("command");
    let printed = String::from_utf8(printed.stdout).unwrap();
    let words: Vec<&str> = printed.split_ascii_whitespace().skip(1).collect();
    assert_eq!(setup.made("args").lines().collect::<Vec<_>>(), words);
    assert_eq!(setup.made("environment"), "PATH=/usr/bin:/bin\n");

    runner.signal("TERM");
    setup.made("powerdown");
    runner.wait_for("the guest is stopped");
    assert!(runner.end().success());
    assert!(!exists(&pid));
    let mut all = String::new();
    while !all.contains("STOPPING=1\n") {
        all += &told.recv_timeout(common::PATIENCE).unwrap();
    }
    for line in [
        "READY=1\n",
        "WATCHDOG=1\n",
        "STATUS=guest running on kvm",
        "STOPPING=1\n",
    ] {
        assert!(all.contains(line), "{all}");
    }
}

#[test]
fn a_guest_that_fell_silent_is_not_up() {
    let setup = Setup::new(GOOD);
    let runner = setup.start(&["--silent-after", "1ms"]);
    setup.made("connected");
    // Whatever its last word was.
    setup.report(true);
    runner.wait_ready(503, "the guest was healthy and is silent for ");
    let metrics = runner.get("/metrics").1;
    assert!(metrics.contains("\nguest_ready 0\n"), "{metrics}");
    assert!(runner.status()["guest_silent_seconds"].is_number());
}

#[test]
fn a_guest_that_does_not_stop_is_made_to() {
    let setup = Setup::new(Script {
        powerdown: ":",
        ..GOOD
    });
    let mut runner = setup.start(&["--stop-grace", "100ms"]);
    setup.made("connected");
    runner.wait_status("state", &json!("running"));
    runner.signal("TERM");
    runner.wait_for("the guest did not stop in time: ending QEMU");
    runner.wait_for("the guest was made to stop: QEMU exited with status 0");
    assert!(runner.end().success());
}

#[test]
fn who_asks_twice_is_in_a_hurry_and_what_does_not_end_is_killed() {
    let setup = Setup::new(Script {
        powerdown: ":",
        quit: ":",
        ..GOOD
    });
    let mut runner = setup.start(&["--stop-grace", "60min"]);
    setup.made("connected");
    let pid = setup.made("pid");
    runner.signal("TERM");
    setup.made("powerdown");
    runner.wait_ready(503, "the guest is being stopped");
    runner.signal("INT");
    runner.wait_for("killing QEMU");
    runner.wait_for("the guest was made to stop: QEMU was killed by signal 9");
    assert!(runner.end().success());
    assert!(!exists(&pid));
}

#[test]
fn a_crashing_qemu_is_started_ever_later() {
    let setup = Setup::new(Script {
        first: "echo 'no such device' >&2; exit 7",
        ..GOOD
    });
    let mut runner = setup.start(&[]);
    let mut delays = Vec::new();
    for _ in 0..4 {
        runner.wait_for("the guest is started");
        let line = runner.wait_for("QEMU exited with status 7; it said: no such device");
        delays.push(line["next_start_seconds"].as_f64().unwrap());
    }
    assert_eq!(delays, [0.05, 0.1, 0.2, 0.2]);
    runner.wait_ready(
        503,
        "QEMU exited with status 7; it said: no such device; next start in ",
    );
    let metrics = runner.get("/metrics").1;
    assert!(metrics.contains("\nguest_last_exit_code 7\n"), "{metrics}");
    // Its words are not about KVM, which stays.
    assert_eq!(
        setup
            .made("args")
            .lines()
            .filter(|word| *word == "kvm")
            .count(),
        1
    );
}

#[test]
fn a_guest_that_powers_off_is_started_again() {
    let setup = Setup::new(Script {
        connected: "serial up; off",
        ..GOOD
    });
    let mut runner = setup.start(&[]);
    runner.wait_for("the guest powered off");
    runner.wait_for("the guest is started");
    runner.wait_for("the guest powered off");
    assert_eq!(runner.status()["last_exit"], "the guest powered off");
}

#[test]
fn kvm_that_does_not_work_is_left_alone() {
    let setup = Setup::new(Script {
        first: "case \" $* \" in *' -accel kvm '*) echo 'KVM internal error. Suberror: 1' >&2; i=0; while [ $i -lt 20 ]; do echo \"EAX=0000000$i\" >&2; i=$((i + 1)); done; exit 1 ;; esac",
        ..GOOD
    });
    let mut runner = setup.start(&[]);
    let line = runner.wait_for("KVM does not work on this machine");
    assert!(
        line["reason"].as_str().unwrap().contains("Suberror: 1"),
        "{line}"
    );
    setup.made("connected");
    runner.wait_status("accel", &json!("tcg"));
    let remark = runner.status()["remarks"][0].to_string();
    assert!(
        remark.contains("KVM internal error") && remark.contains("emulated"),
        "{remark}"
    );
}

#[test]
fn what_qemu_reports_is_counted() {
    let setup = Setup::new(Script {
        connected: "event WATCHDOG '{\"action\": \"reset\"}'; event GUEST_PANICKED '{}'; event BLOCK_IO_ERROR '{}'
            while [ ! -e \"$out/go\" ]; do sleep 0.05; done; event RESET '{\"guest\": true}'; made reset yes
            while [ ! -e \"$out/on\" ]; do sleep 0.05; done; event STOP '{}'",
        ..GOOD
    });
    let mut runner = setup.start(&[]);
    for key in ["watchdog_resets", "panics", "disk_errors"] {
        runner.wait_status(key, &json!(1));
    }
    setup.report(true);
    runner.wait_ready(200, "the guest is up");
    std::fs::write(setup.at("out/go"), "").unwrap();
    runner.wait_status("resets", &json!(1));
    // What was reported before is of the time before.
    runner.wait_ready(503, "has not reported yet");
    std::fs::write(setup.at("out/on"), "").unwrap();
    runner.wait_for("QEMU stopped the guest; QEMU ");
}

#[test]
fn a_second_start_is_told_who_is_the_first() {
    let setup = Setup::new(GOOD);
    let runner = setup.start(&[]);
    let second = setup.service(&[]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    let want = format!("is in use: process {} (", runner.pid());
    // A long command is cut in the middle.
    assert!(
        said.contains(&want) && said.contains("--backoff-max 200ms) has it; stop that first"),
        "{said}"
    );
    assert_eq!(runner.status()["state"], "running");
}

#[test]
fn a_host_without_a_guest_is_ready_and_looks_when_asked() {
    let setup = Setup::new(GOOD);
    let disk = std::fs::File::options()
        .write(true)
        .open(setup.at("disk"))
        .unwrap();
    disk.write_all_at(&[0; 8], 512).unwrap();
    let mut runner = setup.start(&[]);
    runner.wait_ready(200, "no guest installed");
    assert_eq!(runner.status()["state"], "no-guest");
    disk.write_all_at(b"EFI PART", 512).unwrap();
    runner.signal("HUP");
    setup.made("connected");
    runner.wait_ready(503, "has not reported yet");
    runner.signal("TERM");
    assert!(runner.end().success());
    // And one that never has a guest stops at once.
    disk.write_all_at(&[0; 8], 512).unwrap();
    let mut runner = setup.start(&[]);
    runner.wait_ready(200, "no guest installed");
    runner.signal("TERM");
    assert!(runner.end().success());
}

#[test]
fn what_is_missing_is_a_reason_not_an_end() {
    let setup = Setup::new(GOOD);
    let network = setup.at("sys/class/net/guest0");
    std::fs::rename(&network, setup.at("guest0")).unwrap();
    let runner = setup.start(&[]);
    runner.wait_ready(
        503,
        "the guest cannot be started: the network device guest0 is not there",
    );
    std::fs::rename(setup.at("guest0"), &network).unwrap();
    setup.made("connected");
    runner.wait_status("state", &json!("running"));
}

#[test]
fn another_configuration_is_said_and_comes_with_the_next_start() {
    let setup = Setup::new(Script {
        connected:
            "serial up; while [ ! -e \"$out/go\" ]; do sleep 0.05; done; rm \"$out/go\"; off",
        ..GOOD
    });
    let mut runner = setup.start(&[]);
    setup.made("args");
    runner.wait_status("state", &json!("running"));
    let medium = std::fs::read(setup.at("run/config.img")).unwrap();
    runner.signal("HUP");
    runner.wait_status("restart_needed", &json!(false));
    let ini = "vm_memory_mib=2048\nvm_cpus=1\nguest_hostname=other\n";
    std::fs::write(setup.at("config/config.ini"), ini).unwrap();
    runner.signal("HUP");
    runner.wait_status("restart_needed", &json!(true));
    std::fs::write(setup.at("out/go"), "").unwrap();
    runner.wait_for("the guest powered off");
    runner.wait_for("the guest is started");
    runner.wait_status("restart_needed", &json!(false));
    wait_until("the new memory", || {
        setup.made("args").contains("\n2048M\n")
    });
    let new = std::fs::read(setup.at("run/config.img")).unwrap();
    assert_ne!(new, medium);
    assert!(String::from_utf8_lossy(&new).contains("other"));
    // The same as the medium for people.
    let mut command = std::process::Command::new(common::program());
    command
        .arg("medium")
        .arg("--config")
        .arg(setup.at("config"));
    command.arg("--root").arg(setup.dir.path());
    command.arg("--output").arg(setup.at("medium.img"));
    assert!(command.status().unwrap().success());
    assert_eq!(std::fs::read(setup.at("medium.img")).unwrap(), new);
}

#[test]
fn what_the_guest_prints_is_kept_in_files_that_move_on() {
    let setup = Setup::new(Script {
        connected: "i=0; while [ $i -lt 60 ]; do serial \"line $i of what a guest prints while it starts\n\"; i=$((i + 1)); sleep 0.01; done; made printed yes",
        ..GOOD
    });
    let runner = setup.start(&["--serial-bytes", "500"]);
    setup.made("printed");
    wait_until("the last line", || {
        let text = std::fs::read_to_string(setup.at("serial.log"));
        text.is_ok_and(|text| text.contains("line 59 "))
    });
    for (name, there) in [
        ("serial.log.1", true),
        ("serial.log.3", true),
        ("serial.log.4", false),
    ] {
        assert_eq!(setup.at(name).exists(), there, "{name}");
    }
    let mut console = std::process::Command::new(common::program());
    console
        .arg("console")
        .arg("--serial-log")
        .arg(setup.at("serial.log"));
    let shown = console.args(["--lines", "2"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let lines: Vec<&str> = shown.lines().map(|line| &line[..8]).collect();
    assert_eq!(lines, ["line 58 ", "line 59 "]);
    assert!(runner.status()["starts"] == 1);
}

#[test]
fn qemu_does_not_outlive_its_runner() {
    let setup = Setup::new(GOOD);
    let mut runner = setup.start(&[]);
    setup.made("connected");
    let pid = setup.made("pid");
    assert!(exists(&pid));
    runner.signal("KILL");
    assert!(!runner.end().success());
    wait_until("the end of QEMU", || !exists(&pid));
}

#[test]
fn people_ask_for_the_status() {
    let setup = Setup::new(GOOD);
    let runner = setup.start(&[]);
    setup.made("connected");
    let ask = |json: bool| {
        let mut command = std::process::Command::new(common::program());
        command
            .arg("status")
            .arg("--address")
            .arg(runner.address().to_string());
        if json {
            command.arg("--json");
        }
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(ask(false).starts_with("state        running\n"));
    let told: serde_json::Value = serde_json::from_str(&ask(true)).unwrap();
    assert_eq!(told["version"], "1.2.3");
    // What it takes to run a guest, beside QEMU.
    let metrics = runner.get("/metrics").1;
    let own = metrics
        .lines()
        .find_map(|line| line.strip_prefix("guest_vm_resident_memory_bytes "));
    let own: u64 = own.unwrap().parse().unwrap();
    assert!(own < 20_000_000, "{own} bytes");
}
