//! The real program at both ends, over TCP of this machine, with scripts for the programs of an image.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod machine;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use vsock_api::frame::{self, Greeting, MOST_REPLY, MOST_REQUEST};
use vsock_api::report::GuestReport;

use machine::{wait_until, Machine, BOOT_ID};

#[test]
fn what_the_host_is_and_how() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&[]);
    let guest = server.client();
    assert_eq!(guest.ok(&["version"]), "hostos test 1.0\n");
    let json = guest.json(&["version"]);
    let want = json!({"reply": "version", "result": {"os": "hostos", "env": "test", "version": "1.0", "protocol": 1}});
    assert_eq!(json, want);
    assert_eq!(
        guest.ok(&["host-info"]),
        "hostname: hostos-machine\nversion: 1.0 (test)\nslot: A\nboot: confirmed\nuptime: 317 s\naccel: emulated\n\
         address: br0 192.0.2.7/24\naddress: br0 2001:db8::7/64\n"
    );
    host.write("sys/class/misc/kvm", "");
    host.write("substate", "running");
    std::fs::remove_file(host.path("usr/bin/ip")).unwrap();
    let info = &guest.json(&["host-info"])["result"];
    assert_eq!(info["accel"], "kvm");
    assert_eq!(info["boot"], "waiting");
    // What can't be found out is absent.
    assert_eq!(info.get("addresses"), None);
}

#[test]
fn logs_of_the_units_on_the_list() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&[]);
    let guest = server.client();
    host.write("journal", "third \u{1b}[31m\nsecond\nfirst\n");
    let lines = guest.ok(&["logs", "host-api.service", "--lines", "3"]);
    assert_eq!(lines, "first\nsecond\nthird \u{fffd}[31m\n");
    assert_eq!(
        host.read("journal.args"),
        "--quiet --no-pager --reverse --output=short-iso --unit=host-api.service --lines=3\n"
    );
    // More than a reply holds: the newest are told, and that there was more.
    let long = format!("{}\n", "x".repeat(99)).repeat(2000);
    host.write("journal", &format!("newest\n{long}"));
    let logs = &guest.json(&["logs", "host-api.service"])["result"];
    let lines = logs["lines"].as_array().unwrap();
    assert_eq!(logs["left_out"], true);
    assert_eq!(lines.len(), 1 + (128 * 1024 - 7) / 100);
    assert_eq!(lines.last().unwrap(), "newest");
    assert!(guest
        .ok(&["logs", "host-api.service"])
        .starts_with("… older lines left out\nxxx"));

    let why = guest.refused(&["logs", "ssh.service"], 1);
    assert!(
        why.contains("refused (not-allowed): unit: got \"ssh.service\", want one of "),
        "{why}"
    );
    let why = guest.refused(&["logs", "--", "--flush"], 1);
    assert!(
        why.contains("unit: got \"--flush\", want the name of a unit"),
        "{why}"
    );
    std::fs::remove_file(host.path("usr/bin/journalctl")).unwrap();
    let why = guest.refused(&["logs", "host-api.service"], 1);
    assert!(why.contains("refused (failed): cannot start "), "{why}");
}

#[test]
fn a_report_is_a_file_that_is_whole() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&[]);
    let guest = Machine::new("guestos", "3.0");
    let replica = guest.replica();
    let said = guest.report(&server, &replica);
    assert_eq!(said, "{\"reported\":317}\n");
    let text = host.read("run/ic/api/guest.json");
    assert_eq!(
        text,
        format!("{{\"format\":1,\"version\":\"3.0\",\"healthy\":true,\"boot_id\":\"{BOOT_ID}\",\"height\":42,\"reported\":317}}\n")
    );
    let mode = std::fs::metadata(host.path("run/ic/api/guest.json")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o7777, 0o644);
    assert_eq!(
        host.ok(&["guest-status"]),
        "guest: version 3.0, healthy, height 42, reported 0 s ago\n"
    );
    // Read while it is replaced, it is one or the other.
    replica.sick();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..10 {
                guest.report(&server, &replica);
            }
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            let text = host.read("run/ic/api/guest.json");
            GuestReport::parse(text.as_bytes()).unwrap();
        }
    });
    let report = GuestReport::parse(host.read("run/ic/api/guest.json").as_bytes()).unwrap();
    assert_eq!((report.healthy, report.height), (false, None));
    assert_eq!(
        host.listed("run/ic/api"),
        ["guest.json"],
        "nothing else is left"
    );
    // A host that can't write it says so, and the old one stays.
    std::fs::create_dir(host.path("run/ic/offer.json")).unwrap();
    let why = guest.report_refused(&server, &replica);
    assert!(
        why.contains("refused (failed): ") && why.contains("want a plain file"),
        "{why}"
    );
}

#[test]
fn an_upgrade_that_the_guest_asks_for() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&[]);
    let guest = server.client();
    assert_eq!(
        guest.ok(&["upgrade-status"]),
        "no upgrade since the start\n"
    );
    let url = "https://updates.example/update.tar.zst";
    let said = guest.ok(&["upgrade-host", url, "--version", "2.0"]);
    assert_eq!(
        said,
        "upgrade 1 is going to begin (host_api call upgrade-status)\n"
    );
    let request = host.read("run/ic/api/upgrade.request");
    assert_eq!(
        request,
        format!("{{\"id\":1,\"url\":\"{url}\",\"version\":\"2.0\"}}\n")
    );
    let status = guest.ok(&["upgrade-status"]);
    assert_eq!(status, "upgrade 1 to version 2.0 is going to begin\n");
    // One at a time, and no restart meanwhile.
    let why = guest.refused(&["upgrade-host", url, "--version", "3.0"], 1);
    assert!(
        why.contains("refused (not-now): upgrade 1 to version 2.0 is under way"),
        "{why}"
    );
    let why = guest.refused(&["reboot"], 1);
    assert!(
        why.contains("refused (not-now): upgrade 1 is under way"),
        "{why}"
    );

    host.ok(&["apply-upgrade"]);
    assert!(!host.path("run/ic/api/upgrade.request").exists());
    assert_eq!(
        host.read("manageboot.args"),
        format!("upgrade-install --json --progress -- {url}\nupgrade-commit --json\n")
    );
    let status = guest.ok(&["upgrade-status"]);
    assert_eq!(
        status,
        "upgrade 1 to version 2.0 is committed: the next start starts it\n"
    );
    let said = guest.ok(&["reboot", "--after-upgrade"]);
    assert_eq!(said, "the host is going to restart\n");
    assert_eq!(
        host.read("run/ic/api/reboot.request"),
        "{\"after\":\"upgrade\"}\n"
    );
    let why = guest.refused(&["upgrade-host", url, "--version", "3.0"], 1);
    assert!(why.contains("the machine is about to restart"), "{why}");
}

#[test]
fn an_upgrade_while_it_goes_on() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&[]);
    let guest = server.client();
    host.write("slow", "");
    let url = "http://a/b";
    guest.ok(&["upgrade-host", url, "--version", "2.0"]);
    // The unit is active while root's side runs.
    host.write("active", "activating");
    let apply = host.start(&["apply-upgrade"]);
    wait_until("40 %", || {
        guest.ok(&["upgrade-status"]) == "upgrade 1 to version 2.0 is being installed, 40 %\n"
    });
    let why = guest.refused(&["upgrade-host", url, "--version", "3.0"], 1);
    assert!(why.contains("refused (not-now): upgrade 1"), "{why}");
    std::fs::remove_file(host.path("slow")).unwrap();
    assert!(apply.wait().success());
    let json = guest.json(&["upgrade-status"]);
    let want = json!({"reply": "upgrade-status", "result": {"id": 1, "state": "committed", "version": "2.0", "percent": 100}});
    assert_eq!(json, want);

    // One that is killed did not say how it ended.
    host.write("slow", "");
    guest.ok(&["upgrade-host", url, "--version", "4.0"]);
    let apply = host.start(&["apply-upgrade"]);
    wait_until("installing", || {
        guest.json(&["upgrade-status"])["result"]["state"] == "installing"
    });
    apply.kill();
    host.write("active", "failed");
    let status = guest.ok(&["upgrade-status"]);
    assert_eq!(status, "upgrade 2 to version 4.0 failed: requested-upgrade.service is failed and did not say how it ended: see its log\n");
    std::fs::remove_file(host.path("slow")).unwrap();
    guest.ok(&["upgrade-host", url, "--version", "4.0"]);
}

#[test]
fn upgrades_that_are_not_done() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&[]);
    let guest = server.client();
    for (url, version, want) in [
        ("ftp://a/b", "2.0", "error: the request: url: got \"ftp://a/b\""),
        ("/etc/shadow", "a b", "version: got \"a b\""),
        ("http://elsewhere/b", "2.0", "(not-allowed): url: got \"http://elsewhere/b\", want what begins with one of: https://, http://a/"),
        ("http://a/b", "1.0", "(not-now): version: got 1.0, which is what runs"),
    ] {
        let why = guest.refused(&["upgrade-host", "--version", version, "--", url], 1);
        assert!(why.contains(want), "{why}");
    }
    assert_eq!(host.listed("run/ic/api"), [""; 0]);
    host.ok(&["apply-upgrade"]);
    assert_eq!(host.read("manageboot.args"), "");

    // What manageboot refuses is told as it says it, is never committed, and is no failure of the service.
    host.write("refuse", "the bundle is signed by nobody\nwho is trusted\n");
    guest.ok(&["upgrade-host", "http://a/b", "--version", "2.0"]);
    host.ok(&["apply-upgrade"]);
    let status = guest.ok(&["upgrade-status"]);
    let want = "upgrade 1 to version 2.0 failed: the bundle is signed by nobody\nwho is trusted\n";
    assert_eq!(status, want);
    std::fs::remove_file(host.path("refuse")).unwrap();
    guest.ok(&["upgrade-host", "http://a/b", "--version", "7.7"]);
    host.ok(&["apply-upgrade"]);
    let status = guest.ok(&["upgrade-status"]);
    assert_eq!(status, "upgrade 2 to version 7.7 failed: the bundle has version 2.0, want 7.7: it is not committed\n");
    let calls = host.read("manageboot.args");
    assert!(!calls.contains("upgrade-commit"), "{calls}");
    let why = guest.refused(&["reboot", "--after-upgrade"], 1);
    assert!(why.contains("(not-now): no upgrade is committed"), "{why}");
    let why = guest.refused(
        &[
            "upgrade-host",
            "http://a/b",
            "--version",
            "7.7",
            "--wait",
            "0",
        ],
        1,
    );
    assert!(why.contains("want more than 0"), "{why}");
}

#[test]
fn what_strangers_send() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&["--max-connections", "2", "--frame-timeout", "300ms"]);
    let connect = || TcpStream::connect(server.address).unwrap();
    let is_over = |stream: &mut TcpStream| !matches!(stream.read(&mut [0; 1]), Ok(1..));
    // Half a greeting, and nothing more.
    let mut slow = connect();
    slow.write_all(b"HOST").unwrap();
    assert!(is_over(&mut slow));
    // More than there is room for.
    let mut many: Vec<TcpStream> = (0..20).map(|_| connect()).collect();
    assert!(many.iter_mut().all(is_over));
    // Junk, and a name that is none.
    let mut stream = connect();
    stream.write_all(&Greeting::OURS.to_bytes()).unwrap();
    Greeting::read(&mut stream).unwrap();
    let request = br#"{"request":"shell","params":{"command":"id"}}"#;
    frame::write(&mut stream, request, MOST_REQUEST).unwrap();
    let reply = frame::read(&mut stream, MOST_REPLY).unwrap().unwrap();
    let reply = String::from_utf8(reply).unwrap();
    assert!(
        reply.contains("bad-request") && reply.contains("unknown variant `shell`"),
        "{reply}"
    );
    // And it still answers.
    assert_eq!(server.client().ok(&["version"]), "hostos test 1.0\n");
}

#[test]
fn a_flood_is_refused_and_logged_in_a_few_lines() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&["--requests-per-second", "1", "--burst", "2"]);
    let guest = server.client();
    let mut refused = 0;
    for _ in 0..30 {
        let output = guest.run(&["version"]);
        let why = String::from_utf8(output.stderr).unwrap();
        if !output.status.success() {
            assert!(
                why.contains("refused (too-many): more than 1 requests in a second"),
                "{why}"
            );
            refused += 1;
        }
    }
    assert!(refused > 0);
    let lines = server.stop();
    let lines = lines.matches("too-many").count();
    assert!(lines >= 1 && lines <= refused, "{lines} of {refused}");
}

#[test]
fn a_server_that_should_not_start_does_not() {
    let host = Machine::new("hostos", "1.0");
    let why = host.refused(&["serve", "--address", "tcp:192.0.2.1:1"], 1);
    assert!(
        why.contains("want vsock:CID:PORT, or tcp:IP:PORT with an IP of the loopback"),
        "{why}"
    );
    host.write(
        "opt/ic/share/host-api.json",
        r#"{"format":1,"peers":[],"requests":{"reboott":"any"},"log_units":[],"upgrade_from":[]}"#,
    );
    let why = host.refused(&["serve", "--address", "tcp:127.0.0.1:0"], 1);
    assert!(
        why.contains("host-api.json: ") && why.contains("did you mean reboot?"),
        "{why}"
    );
}

/// The list in the image is one that the program takes, and leaves nothing out.
#[test]
fn the_list_of_the_image() {
    let path = "components/hostos/host-api/host-api.json";
    let text = std::fs::read(path)
        .or_else(|_| std::fs::read(std::path::Path::new("../../..").join(path)))
        .unwrap();
    let policy = vsock_api::Policy::parse(&text).unwrap();
    let named: Vec<&str> = policy.requests.keys().map(String::as_str).collect();
    let mut all = vsock_api::message::REQUESTS;
    all.sort_unstable();
    assert_eq!(named, all);
    assert_eq!(policy.peers, ["vsock:3"]);
}

#[test]
fn the_guest_takes_up_what_the_host_offers() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&[]);
    let guest = Machine::new("guestos", "1.0");
    let replica = guest.replica();
    let watch = guest.watch(&server, &replica);
    wait_until("a report", || host.path("run/ic/api/guest.json").exists());

    let url = "http://10.0.0.1:8000/update.tar";
    let offer = host.start(&[
        "offer-guest-upgrade",
        url,
        "--version",
        "2.0",
        "--wait",
        "4min",
    ]);
    wait_until("a request", || {
        guest.path("run/ic/api/upgrade.request").exists()
    });
    let request = guest.read("run/ic/api/upgrade.request");
    assert_eq!(
        request,
        format!("{{\"id\":31705,\"url\":\"{url}\",\"version\":\"2.0\"}}\n")
    );
    wait_until("the host hears of it", || {
        host.ok(&["guest-status"])
            .contains("upgrade 31705 to version 2.0 is going to begin")
    });
    guest.ok(&["apply-upgrade"]);
    // Committed, told, and restarted once.
    wait_until("a restart", || {
        guest.path("run/ic/api/reboot.request").exists()
    });
    let calls = format!("upgrade-install --json --progress -- {url}\nupgrade-commit --json\n");
    assert_eq!(guest.read("manageboot.args"), calls);
    guest.boots("B", "first_boot", "0");
    guest.ok(&["apply-reboot"]);
    assert_eq!(guest.read("reboots"), "reboot --no-block\n");
    watch.stop();

    // The guest that was started with it reports, and the offer has come to its end.
    let guest = Machine::new("guestos", "2.0");
    guest.write(
        "proc/sys/kernel/random/boot_id",
        "aaaaaaaa-16c5-4e0a-9d58-6a3e0c6f4a11\n",
    );
    let _watch = guest.watch(&server, &replica);
    let (status, said) = offer.end();
    assert!(status.success(), "{said}");
    assert!(
        said.contains("the guest runs version 2.0 and is healthy\n"),
        "{said}"
    );
    // Nothing is installed again.
    assert!(!guest.path("run/ic/api/upgrade.request").exists());
    assert_eq!(
        host.ok(&["offer-guest-upgrade", "--withdraw"]),
        "the offer is withdrawn\n"
    );
    assert_eq!(
        host.ok(&["offer-guest-upgrade", "--withdraw"]),
        "there was no offer\n"
    );
}

#[test]
fn offers_that_come_to_nothing() {
    let host = Machine::new("hostos", "1.0");
    let why = host.refused(&["offer-guest-upgrade", "file:///x", "--version", "a b"], 1);
    assert!(
        why.contains("url: got \"file:///x\"") && why.contains("version: got \"a b\""),
        "{why}"
    );
    assert!(!host.path("run/ic/offer.json").exists());
    let server = host.serve(&[]);
    let guest = Machine::new("guestos", "1.0");
    let replica = guest.replica();
    let _watch = guest.watch(&server, &replica);

    // What runs already is not installed.
    let args = [
        "offer-guest-upgrade",
        "http://a/b",
        "--version",
        "1.0",
        "--wait",
        "4min",
    ];
    let said = host.ok(&args);
    assert_eq!(said, "the guest runs version 1.0 and is healthy\n");
    assert!(!guest.path("run/ic/api/upgrade.request").exists());

    // What manageboot refuses is told to who offers, and is not tried again.
    host.write("proc/uptime", "400.00 1.00\n");
    guest.write("refuse", "signed by nobody\n");
    let offer = host.start(&[
        "offer-guest-upgrade",
        "http://a/b",
        "--version",
        "2.0",
        "--wait",
        "4min",
    ]);
    wait_until("a request", || {
        guest.path("run/ic/api/upgrade.request").exists()
    });
    guest.ok(&["apply-upgrade"]);
    let (status, said) = offer.end();
    assert_eq!(status.code(), Some(1));
    assert!(
        said.contains("the guest did not install it: signed by nobody"),
        "{said}"
    );
    let before = host.read("run/ic/api/guest.json");
    host.write("proc/uptime", "500.00 1.00\n");
    wait_until("another report", || {
        host.read("run/ic/api/guest.json") != before
    });
    assert!(!guest.path("run/ic/api/upgrade.request").exists());
}

#[test]
fn a_guest_without_a_host_says_so_once() {
    let guest = Machine::new("guestos", "1.0");
    let replica = guest.replica();
    // Taken at one address, so nobody has it at another; let go, it might stay with a program that another test just starts.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let address = ([127, 0, 0, 2], port).into();
    let watch = guest.watch_at(address, &replica);
    watch.says("not reported: cannot reach tcp:127.0.0.2:");
    let host = Machine::new("hostos", "1.0");
    let _server = host.serve_at(address);
    let said = watch.says("the host answers");
    assert_eq!(said.matches("not reported").count(), 1, "{said}");
}
