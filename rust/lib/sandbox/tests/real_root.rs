//! Runs real sandboxes through the example program: `ci/real-root.sh`, or as root `cargo test -p sandbox -- --ignored`.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The example: Bazel puts it among the test's files, cargo beside the test.
fn program() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let beside = exe.ancestors().nth(2).unwrap().join("examples/sandbox_run");
    let found = ["rust/lib/sandbox/sandbox_run".into(), beside];
    let program = found.iter().find(|path| path.exists());
    fs::canonicalize(
        program.unwrap_or_else(|| panic!("build it first: cargo build -p sandbox --examples")),
    )
    .unwrap()
}

/// A root with the host's programs in it.
fn run(args: &[&str]) -> Output {
    Command::new(program()).args(args).output().unwrap()
}

fn root(dir: &Path) -> String {
    for name in ["bin", "sbin", "lib", "lib64"] {
        let _ = symlink(format!("usr/{name}"), dir.join(name));
    }
    let usr = dir.join("usr");
    for name in ["bin", "lib", "lib64"] {
        fs::create_dir_all(usr.join(name)).unwrap();
    }
    let sh = "/usr/bin/sh";
    let libraries = Command::new("ldd").arg(sh).output().unwrap().stdout;
    let libraries = String::from_utf8(libraries).unwrap();
    let paths = libraries.split_whitespace().filter(|w| w.starts_with('/'));
    for path in paths.chain([sh, "/usr/bin/cat", "/usr/bin/sleep"]) {
        let to = dir.join(path.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(path, to).unwrap();
    }
    dir.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs real root"]
fn status_output_and_mount_points() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    let out = run(&[
        &root,
        "sh",
        "-c",
        "cat; echo $$; echo out; echo err >&2; exit 7",
    ]);
    assert_eq!(out.status.code(), Some(7));
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(text.starts_with("given\n"), "{text}");
    assert!(text.ends_with("\nout\nerr\n"), "{text}");
    for name in ["proc", "dev", "sys", "run", "tmp"] {
        assert!(!dir.path().join(name).exists(), "{name} is left behind");
    }
}

#[test]
#[ignore = "needs real root"]
fn ends_by_signal() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    let out = run(&[&root, "sh", "-c", "kill -9 $$"]);
    assert_eq!(out.status.code(), Some(137));
}

#[test]
#[ignore = "needs real root"]
fn dies_with_the_caller() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    // A pipe that the process inside holds open: it ends for its reader when the last holder is gone, and not before.
    let pipe = dir.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let scratch = tempfile::tempdir().unwrap();
    let left = || fs::read_dir(scratch.path()).unwrap().count();
    let mut child = Command::new(program())
        .env("TMPDIR", scratch.path())
        .args([
            &root,
            "sh",
            "-c",
            "trap '' TERM INT HUP; exec 3>/pipe; while :; do echo x >&3; sleep 0.1; done",
        ])
        .spawn()
        .unwrap();
    let mut reader = fs::File::open(&pipe).unwrap();
    reader.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(left(), 1, "the work folder has a place");
    child.kill().unwrap();
    child.wait().unwrap();
    // The process outside removes it, a moment after.
    while left() > 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    reader.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
#[ignore = "needs real root"]
fn links_in_the_root_do_not_lead_out() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    // /run of the tree points at a folder that exists only outside.
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), dir.path().join("run")).unwrap();
    let out = run(&[&root, "sh", "-c", "echo no"]);
    assert_eq!(out.status.code(), Some(125));
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(text.contains("mount point /run"), "{text}");
}

#[test]
#[ignore = "needs real root"]
fn other_users() {
    let dir = tempfile::tempdir().unwrap();
    // A temporary folder is its owner's only.
    let shared = dir.path().join("root");
    fs::create_dir(&shared).unwrap();
    let root = root(&shared);
    let out = run(&[
        "--user",
        "1234",
        &root,
        "sh",
        "-c",
        "cat /proc/self/status; echo x > /x",
    ]);
    assert_ne!(out.status.code(), Some(0));
    assert!(String::from_utf8(out.stderr)
        .unwrap()
        .contains("Uid:\t1234"));
    assert!(!shared.join("x").exists());
}
