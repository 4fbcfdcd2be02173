//! The real program, with scripts for the checks and for manageboot.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{json, Value};

struct Boot {
    dir: tempfile::TempDir,
}

impl Boot {
    /// One with a slot in this state, and a manageboot that does as it should.
    fn new(cycle: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let boot = Self { dir };
        let mut block = grubenv::Block::new();
        block.set("boot_cycle", cycle.as_bytes()).unwrap();
        fs::write(boot.path("grubenv"), block.to_bytes().unwrap()).unwrap();
        fs::write(boot.path("cmdline"), "quiet boot_alternative=A\n").unwrap();
        boot.script(
            "manageboot",
            "echo \"$@\" >>\"${0%/*}/calls\"; echo slot A is confirmed",
        );
        boot
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn script(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        stand_in::program(&path, &format!("#!/bin/sh\n{text}\n"));
        path
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.path("calls")).unwrap_or_default()
    }

    /// (status, stdout, stderr) with the folder written as `D`.
    fn run(&self, deadline: &str, checks: Value) -> (i32, String, String) {
        let settings =
            json!({"held_for": "0", "deadline": deadline, "interval": "1ms", "checks": checks});
        self.run_with(&settings.to_string())
    }

    fn run_with(&self, settings: &str) -> (i32, String, String) {
        fs::write(self.path("settings"), settings).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_node_tool"))
            .args([
                "confirm-boot",
                "--settings",
                "/settings",
                "--grubenv",
                "/grubenv",
                "--spare-grubenv",
                "/spare",
                "--cmdline",
                "/cmdline",
            ])
            .args([
                "--manageboot",
                &self.path("manageboot"),
                "--root",
                &self.path(""),
            ])
            .output()
            .unwrap();
        let folder = self.dir.path().to_str().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(folder, "D");
        let (out, error) = (text(output.stdout), text(output.stderr));
        let status = output.status.code().unwrap();
        // What a failed boot is told for goes to the console, as everything else.
        let error = if status == 0 {
            error
        } else {
            out.clone() + &error
        };
        (status, out, error)
    }
}

/// A check that always holds, and one that never does.
fn good() -> Value {
    json!({"name": "good", "is": {"exists": "/grubenv"}})
}

fn bad() -> Value {
    json!({"name": "bad", "is": {"exists": "/nothing"}})
}

#[test]
fn a_boot_that_works_is_confirmed() {
    for cycle in ["stable", "failsafe_check"] {
        let boot = Boot::new(cycle);
        let told = boot.run("1min", json!([good()]));
        assert_eq!(told, (0, "slot A is confirmed\n".to_owned(), String::new()));
        assert_eq!(boot.calls(), "confirm\n");
    }
}

#[test]
fn one_that_does_not_is_not() {
    let boot = Boot::new("stable");
    let (status, out, error) = boot.run("0", json!([good(), bad()]));
    assert_eq!(status, 1);
    assert!(
        out.starts_with("not confirmed yet: bad: there is no D/nothing\n"),
        "{out}"
    );
    assert!(error.ends_with("this boot is not confirmed\n"), "{error}");
    assert!(
        error.contains("THIS BOOT IS NOT CONFIRMED after 0 s, the machine restarts: bad: there is no D/nothing"),
        "{error}"
    );
    assert_eq!(boot.calls(), "");
}

#[test]
fn a_check_may_take_its_time() {
    let boot = Boot::new("stable");
    // The third question is answered.
    let slow = boot.script("slow", "echo >>\"$0.n\"; [ $(wc -l <\"$0.n\") -ge 3 ]");
    let (status, out, _) = boot.run("1min", json!([{"name": "slow", "is": {"command": [slow]}}]));
    assert_eq!(status, 0, "{out}");
    assert!(
        out.starts_with("not confirmed yet: slow: `D/slow` ended with exit status: 1\n"),
        "{out}"
    );
    assert!(out.ends_with("slot A is confirmed\n"), "{out}");
    assert_eq!(fs::read_to_string(boot.path("slow.n")).unwrap().len(), 3);
}

#[test]
fn what_is_held_for_a_moment_is_not_held() {
    let boot = Boot::new("stable");
    let settings =
        json!({"held_for": "1min", "deadline": "0", "interval": "1ms", "checks": [good()]});
    let (status, _, error) = boot.run_with(&settings.to_string());
    assert_eq!(status, 1);
    assert!(error.contains("not for long enough"), "{error}");
}

#[test]
fn the_world_outside_counts_on_trial_alone() {
    let checks =
        json!([good(), {"name": "world", "only_on_trial": true, "is": {"exists": "/world"}}]);
    let boot = Boot::new("stable");
    assert_eq!(boot.run("0", checks.clone()).0, 0);
    let boot = Boot::new("failsafe_check");
    let (status, _, error) = boot.run("0", checks);
    assert_eq!(status, 1);
    assert!(error.contains("world: there is no D/world"), "{error}");
}

/// Whether a check for trials counts, so that one which never holds is told.
fn is_trial(boot: &Boot) -> bool {
    let checks =
        json!([good(), {"name": "world", "only_on_trial": true, "is": {"exists": "/world"}}]);
    boot.run("0", checks).0 == 1
}

#[test]
fn a_trial_is_of_the_slot_that_runs() {
    for (cycle, [of_a, of_b]) in [
        // Started, and the boot loader could not say so anywhere; or committed, and waiting for the next start.
        ("first_boot", [true, false]),
        ("failsafe_check", [true, false]),
        ("stable", [false, false]),
    ] {
        let boot = Boot::new(cycle);
        assert_eq!(is_trial(&boot), of_a, "{cycle}");
        fs::write(boot.path("cmdline"), "boot_alternative=B").unwrap();
        assert_eq!(is_trial(&boot), of_b, "{cycle}");
    }
    let boot = Boot::new("failsafe_check");
    fs::write(boot.path("cmdline"), "quiet").unwrap();
    assert!(is_trial(&boot));
    let (_, out, _) = boot.run("0", json!([good()]));
    assert!(
        out.contains("D/cmdline: it names no slot with boot_alternative=; "),
        "{out}"
    );
    // One that can't be read is told as that, and the deadline stays: it is the way back.
    fs::remove_file(boot.path("cmdline")).unwrap();
    assert!(is_trial(&boot));
    let (status, out, _) = boot.run("0", json!([bad()]));
    assert_eq!(status, 1);
    let want = "D/cmdline: cannot read it: No such file or directory (os error 2); \
                the slot that runs is taken for the one that boots next, A\n";
    assert!(out.starts_with(want), "{out}");
}

/// What is there and can't be read may say more than what can.
#[test]
fn a_block_that_cannot_be_read_is_told() {
    for name in ["grubenv", "spare"] {
        let boot = Boot::new("stable");
        let _ = fs::remove_file(boot.path(name));
        fs::create_dir(boot.path(name)).unwrap();
        let (status, out, _) = boot.run("0", json!([good()]));
        assert_eq!(status, 0, "{out}");
        assert!(out.starts_with(&format!("cannot read D/{name}: ")), "{out}");
    }
}

#[test]
fn the_spare_block_says_it_while_it_is_in_force() {
    let boot = Boot::new("first_boot");
    let spare = |of: &str, alternative: &str, cycle: &str| {
        let mut block = grubenv::Block::new();
        block.set("spare_of", of.as_bytes()).unwrap();
        block
            .set("spare_alternative", alternative.as_bytes())
            .unwrap();
        block.set("spare_cycle", cycle.as_bytes()).unwrap();
        fs::write(boot.path("spare"), block.to_bytes().unwrap()).unwrap();
    };
    let of = " first_boot ";
    spare(of, "A", "failsafe_check");
    assert!(is_trial(&boot));
    spare(of, "A", "stable");
    assert!(!is_trial(&boot));
    // The upgrade to B failed, which A runs to tell.
    spare(of, "B", "failsafe_check");
    assert!(!is_trial(&boot));
    spare("A first_boot 0", "A", "stable");
    assert!(is_trial(&boot));
    // Also when the other one can't be read at all.
    fs::write(boot.path("grubenv"), "junk").unwrap();
    assert!(!is_trial(&boot));
    spare("  ", "A", "failsafe_check");
    assert!(is_trial(&boot));
}

#[test]
fn no_restart_for_a_confirmation_that_a_restart_cannot_bring() {
    for (cycle, want) in [("stable", 0), ("failsafe_check", 1)] {
        let boot = Boot::new(cycle);
        boot.script("manageboot", "echo no grubenv >&2; exit 2");
        let (status, out, error) = boot.run("0", json!([good()]));
        assert_eq!(status, want, "{out}{error}");
        let text = format!("{out}{error}");
        assert!(text.contains("exit status: 2: no grubenv"), "{text}");
    }
    // Nor without a block: the boot loader then tries nothing.
    let boot = Boot::new("stable");
    fs::write(boot.path("grubenv"), "junk").unwrap();
    let (status, out, _) = boot.run("0", json!([good()]));
    assert_eq!(status, 0);
    assert!(out.starts_with("D/grubenv: "), "{out}");
}

#[test]
fn questions() {
    let boot = Boot::new("stable");
    fs::write(boot.path("state"), "A=1\nB=2\n").unwrap();
    let line = |line| json!({"name": "l", "is": {"line": {"file": "/state", "line": line}}});
    assert_eq!(boot.run("0", json!([line("B=2")])).0, 0);
    let (status, _, error) = boot.run("0", json!([line("B=")]));
    assert_eq!(status, 1);
    assert!(error.contains("l: D/state has no line `B=`"), "{error}");
    let absent = boot
        .run("0", json!([{"name": "c", "is": {"command": ["/no/such"]}}]))
        .2;
    assert!(absent.contains("c: cannot start /no/such"), "{absent}");
}

#[test]
fn an_answer_must_be_a_good_one() {
    for (answer, want) in [
        ("HTTP/1.1 200 OK\r\n\r\nok", 0),
        ("HTTP/1.1 503 No\r\n\r\nthe reason", 1),
    ] {
        let boot = Boot::new("stable");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let place = format!("{address}/health");
        // The port is taken at one address, so nobody has it at another.
        let _kept = listener.try_clone().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        let (status, _, error) = boot.run("0", json!([{"name": "h", "is": {"http": place}}]));
        assert_eq!(
            server.join().unwrap(),
            format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        );
        assert_eq!(status, want, "{error}");
        assert_eq!(
            error.contains("/health answers 503: the reason"),
            want == 1,
            "{error}"
        );
        let place = format!("127.0.0.2:{}/health", address.port());
        let (_, _, error) = boot.run("0", json!([{"name": "h", "is": {"http": place}}]));
        assert!(
            error.contains(&format!("h: http://{place}: Connection refused")),
            "{error}"
        );
    }
}

#[test]
fn settings_that_check_nothing_are_refused() {
    let boot = Boot::new("stable");
    let only = json!([{"name": "a", "only_on_trial": true, "is": {"exists": "/"}}]);
    for (settings, want) in [
        (
            json!({"held_for": "0", "deadline": "0", "interval": "0", "checks": []}),
            "got no check for every boot",
        ),
        (
            json!({"held_for": "0", "deadline": "0", "interval": "0", "checks": only}),
            "got no check for every boot",
        ),
        (
            json!({"held_for": "1h", "deadline": "0", "interval": "0", "checks": [good()]}),
            "want a time such as",
        ),
        (
            json!({"held_for": "0", "deadline": "0", "checks": [good()]}),
            "missing field `interval`",
        ),
        (
            json!({"held_for": "0", "deadline": "0", "interval": "0", "checks": [{"name": "a", "is": {"x": 1}}]}),
            "unknown variant `x`",
        ),
    ] {
        let (status, _, error) = boot.run_with(&settings.to_string());
        assert_eq!(status, 1);
        assert!(error.contains(want), "{error}");
        assert_eq!(boot.calls(), "");
    }
}
