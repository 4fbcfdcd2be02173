//! `bootcheck` without a guest: what it refuses. `ci/e2e.sh` lets it boot one.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::process::Command;

fn refused(args: &[&str]) -> String {
    let firmware = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bootcheck"))
        .args(["--accel", "tcg", "--firmware"])
        .arg(firmware.path())
        .args(args)
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_disk_and_a_text_are_wanted() {
    let error = refused(&["--disk", "/nonexistent/disk.img", "--expect", "login:"]);
    assert_eq!(
        error,
        "bootcheck: error: cannot open image /nonexistent/disk.img: No such file or directory (os error 2)\n"
    );
    let error = refused(&["--disk", "/nonexistent/disk.img"]);
    assert!(error.contains("--expect <TEXT>"), "{error}");
}
