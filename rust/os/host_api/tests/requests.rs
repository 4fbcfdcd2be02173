//! What is asked of root, by files that a stranger may write: the real program.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod machine;

use machine::{wait_until, Machine};

/// Whoever writes the file is not the server that checked it.
#[test]
fn root_reads_requests_as_a_strangers() {
    let host = Machine::new("hostos", "1.0");
    for (text, want) in [
        ("junk", "expected value"),
        (
            r#"{"id":1,"url":"http://a","version":"2.0","force":true}"#,
            "unknown field `force`",
        ),
        (
            r#"{"id":-1,"url":"http://a","version":"2.0"}"#,
            "invalid value",
        ),
    ] {
        host.write("run/ic/api/upgrade.request", text);
        let why = host.told(&["apply-upgrade"]);
        assert!(
            why.contains("not a request: ") && why.contains(want),
            "{why}"
        );
        // It is not read again for ever.
        assert!(!host.path("run/ic/api/upgrade.request").exists());
    }
    std::os::unix::fs::symlink("/etc/passwd", host.path("run/ic/api/upgrade.request")).unwrap();
    let why = host.told(&["apply-upgrade"]);
    assert!(why.contains("upgrade.request is removed"), "{why}");
    assert_eq!(host.listed("run/ic/api"), [""; 0]);
    // A folder is not taken away, and is no failure of the service either: that would keep a start on trial from being confirmed.
    std::fs::create_dir(host.path("run/ic/api/upgrade.request")).unwrap();
    let why = host.told(&["apply-upgrade"]);
    assert!(
        why.contains("want a plain file") && why.contains("it stays: "),
        "{why}"
    );
    std::fs::remove_dir(host.path("run/ic/api/upgrade.request")).unwrap();
    host.write(
        "run/ic/api/upgrade.request",
        r#"{"id":5,"url":"--allow-unsigned","version":"2.0"}"#,
    );
    host.ok(&["apply-upgrade"]);
    let status = host.read("run/ic/upgrade.json");
    assert!(
        status.contains("\"state\":\"failed\"")
            && status.contains("url: got \\\"--allow-unsigned\\\""),
        "{status}"
    );
    assert_eq!(host.read("manageboot.args"), "");
}

#[test]
fn restarts_count_against_nobody() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&[]);
    let guest = server.client();
    host.write("substate", "running");
    let why = guest.refused(&["reboot"], 1);
    assert!(
        why.contains("(not-now): this start is not confirmed yet"),
        "{why}"
    );
    host.write("substate", "exited");
    for (cycle, tries, alternative, restarts) in [
        ("stable", "0", "A", true),
        // It runs and was started since it was confirmed.
        ("stable", "1", "A", false),
        ("failsafe_check", "1", "A", false),
        ("first_boot", "0", "B", true),
    ] {
        host.boots(alternative, cycle, tries);
        guest.ok(&["reboot"]);
        host.write("reboots", "");
        host.ok(&["apply-reboot"]);
        assert!(!host.path("run/ic/api/reboot.request").exists());
        let want = if restarts { "reboot --no-block\n" } else { "" };
        assert_eq!(host.read("reboots"), want, "{cycle} {tries} {alternative}");
    }
    // A word of the command line that is no UTF-8 is none of its business.
    std::fs::write(host.path("proc/cmdline"), b"x=\xff boot_alternative=A\n").unwrap();
    host.boots("A", "stable", "0");
    guest.ok(&["reboot"]);
    host.write("reboots", "");
    host.ok(&["apply-reboot"]);
    assert_eq!(host.read("reboots"), "reboot --no-block\n");
    host.write("boot/grub/grubenv", "junk");
    guest.ok(&["reboot"]);
    host.write("reboots", "");
    let why = host.told(&["apply-reboot"]);
    assert!(why.contains("boot/grub/grubenv: "), "{why}");
    assert_eq!(host.read("reboots"), "");
    host.write("run/ic/api/reboot.request", r#"{"after":"lunch"}"#);
    let why = host.told(&["apply-reboot"]);
    assert!(why.contains("unknown variant `lunch`"), "{why}");
    assert!(!host.path("run/ic/api/reboot.request").exists());
    let why = host.told(&["apply-reboot"]);
    assert!(why.contains("nothing is asked for"), "{why}");
    assert_eq!(host.read("reboots"), "");
}

#[test]
fn a_restart_that_is_refused_is_asked_for_again() {
    let host = Machine::new("hostos", "1.0");
    let server = host.serve(&[]);
    let guest = Machine::new("guestos", "1.0");
    let replica = guest.replica();
    guest.write(
        "run/ic/upgrade.json",
        r#"{"id":7,"state":"committed","version":"2.0","percent":100}"#,
    );
    // No file can be put in a folder's place.
    let request = guest.path("run/ic/api/reboot.request");
    std::fs::create_dir_all(&request).unwrap();
    let watch = guest.watch(&server, &replica);
    watch.says("no restart yet: ");
    std::fs::remove_dir(&request).unwrap();
    let said = watch.says("the upgrade is committed: restart");
    wait_until("the request", || request.is_file());
    assert_eq!(said.matches("no restart yet").count(), 1, "{said}");
}
