//! What `runvm --print-command` prints is run by a shell, from another folder, with a program in QEMU's place that looks whether
//! everything on its command line is there.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use plan::{Builder, Input};

/// Stands for QEMU: says what it was given, and ends with a status of its own.
const QEMU: &str = r#"#!/bin/sh
for word; do
  case $word in
    *file.server.path=*) [ -S "${word##*file.server.path=}" ] && echo "socket ${word##*file.server.path=}" ;;
    *,file=*) [ -r "${word##*,file=}" ] && echo "file ${word##*,file=}" ;;
    user,*) echo "net $word" ;;
  esac
done
exit 5
"#;

struct Bed(tempfile::TempDir);

impl Bed {
    fn new() -> Self {
        let bed = Self(
            tempfile::Builder::new()
                .prefix("it's a ")
                .tempdir()
                .unwrap(),
        );
        fs::create_dir_all(bed.at("config/ssh_authorized_keys")).unwrap();
        fs::write(bed.at("config/config.ini"), "hostname=x\n").unwrap();
        stand_in::program(bed.at("bin/qemu-system-x86_64"), QEMU);
        fs::write(bed.at("firmware"), "x").unwrap();
        fs::write(bed.at("disk.img"), vec![7; 1 << 20]).unwrap();
        let mut builder = Builder::new(vec![Input::of_len(1 << 20)]);
        builder.source(0, 0, 1 << 20).unwrap();
        fs::write(bed.at("disk.plan"), builder.finish().unwrap().encode()).unwrap();
        // As Bazel's lists: from the folder in which programs start.
        fs::write(bed.at("disk.image"), "disk.plan\ndisk.img\n").unwrap();
        bed
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, program: &Path, folder: &Path) -> Command {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.at("bin").display());
        let mut command = Command::new(program);
        command.current_dir(folder).env("PATH", path);
        command.env_remove("BUILD_WORKING_DIRECTORY");
        command
    }

    /// The line for `args`, and how a shell ran it.
    fn run(&self, args: &[&str]) -> (String, Output) {
        let program = fs::canonicalize(env!("CARGO_BIN_EXE_runvm")).unwrap();
        let mut print = self.command(&program, self.0.path());
        print.args([
            "--print-command",
            "--accel",
            "tcg",
            "--firmware",
            "firmware",
        ]);
        let printed = print.args(args).output().unwrap();
        let errors = String::from_utf8_lossy(&printed.stderr);
        assert!(printed.status.success(), "{args:?}: {errors}");
        let line = String::from_utf8(printed.stdout).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        // Whoever was told of a folder removes it.
        let folder = errors.split("needs the folder ").nth(1);
        let folder = folder
            .and_then(|rest| rest.split(';').next())
            .map(PathBuf::from);
        let mut shell = self.command(Path::new("sh"), Path::new("/"));
        let mut ran = shell.args(["-c", &line]).output().unwrap();
        // And once more: nothing of the first time is in the way.
        let again = shell.output().unwrap();
        assert_eq!(again.stdout, ran.stdout, "{line}");
        if let Some(folder) = folder {
            let mode = fs::metadata(&folder).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
            let socket = folder.join("disk0.sock");
            assert!(
                UnixStream::connect(socket).is_err(),
                "the server ended with the guest"
            );
            fs::remove_dir_all(folder).unwrap();
        }
        ran.stderr.retain(|byte| *byte != b'\r');
        (line, ran)
    }
}

#[test]
fn a_raw_disk_with_a_medium() {
    let bed = Bed::new();
    let (line, ran) = bed.run(&[
        "--disk",
        "disk.img",
        "--config",
        "config",
        "--forward",
        "8080:80",
    ]);
    let out = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(5), "{line}");
    let disk = fs::canonicalize(bed.at("disk.img")).unwrap();
    assert!(
        out.contains(&format!("file {}\n", disk.display())),
        "{line}{out}"
    );
    assert!(out.contains("/CONFIG.img\n"), "{line}{out}");
    assert!(out.contains("hostfwd=tcp:127.0.0.1:8080-:80\n"), "{out}");
}

#[test]
fn a_plan_is_served_first() {
    let bed = Bed::new();
    for args in [
        &["--disk", "disk.image"][..],
        &["--disk", "disk.image", "--persist", "kept"],
        &[
            "--disk",
            "disk.image",
            "--persist",
            "kept",
            "--snapshot",
            "--config",
            "config",
        ],
    ] {
        let (line, ran) = bed.run(args);
        let out = String::from_utf8(ran.stdout).unwrap();
        let errors = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(5), "{line}{errors}");
        assert!(out.contains("/disk0.sock\n"), "{line}{out}{errors}");
        assert_eq!(out.contains("/CONFIG.img\n"), args.len() > 5, "{line}{out}");
        assert_eq!(bed.at("kept").exists(), args.len() > 2);
    }
}

#[test]
fn a_file_of_changes_is_there() {
    let bed = Bed::new();
    if Command::new("qemu-img").arg("--version").output().is_err() {
        println!("skipped: qemu-img is not installed");
        return;
    }
    let (line, ran) = bed.run(&["--disk", "disk.img", "--persist", "kept.qcow2"]);
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(out.contains("/kept.qcow2\n"), "{line}{out}");
    for name in ["kept.qcow2", "kept.qcow2.base"] {
        let mode = fs::metadata(bed.at(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

/// What marks an image is said before anything of the guest; an empty note is not.
#[test]
fn a_note_is_said_first() {
    let bed = Bed::new();
    fs::write(bed.at("empty"), "").unwrap();
    fs::write(bed.at("note"), "\nunlocked: a 2 in place of 1\n").unwrap();
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_runvm")).unwrap();
    for (note, said) in [("note", true), ("empty", false)] {
        let mut run = bed.command(&program, bed.0.path());
        run.args([
            "--accel",
            "tcg",
            "--firmware",
            "firmware",
            "--ssh-port",
            "0",
        ]);
        run.args(["--disk", "disk.img", "--note", note]);
        let errors = String::from_utf8(run.output().unwrap().stderr).unwrap();
        let first = errors.starts_with("runvm: unlocked: a 2 in place of 1\nrunvm: ");
        assert_eq!(first, said, "{errors}");
        assert!(
            errors.contains("runvm: the guest's console follows"),
            "{errors}"
        );
    }
}
