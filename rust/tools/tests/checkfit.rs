//! `checkfit` as an action runs it: on the tree that `inject` made of a root file system and a program.
#![allow(
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Bed(tempfile::TempDir);

impl Bed {
    /// A root file system with this machine's C library and loader, and `program` of it laid over.
    fn new(program: &str, without_libc: bool) -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        let root = bed.at("root");
        for file in [
            "/lib64/ld-linux-x86-64.so.2",
            "/lib/x86_64-linux-gnu/libc.so.6",
        ] {
            let to = root.join(file.trim_start_matches('/'));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            if !(without_libc && file.contains("libc")) {
                fs::copy(file, to).unwrap();
            }
        }
        let tar = Command::new("tar")
            .args(["--format=pax", "-cf", "base.tar", "-C", "root", "."])
            .current_dir(bed.0.path())
            .status();
        assert!(tar.unwrap().success());
        fs::copy(program, bed.at("program")).unwrap();
        let list = "{\"dest\":\"/opt/image\",\"src\":\"some.image\"}\n{\"dest\":\"/opt/program\",\"src\":\"program\",\"mode\":\"0755\"}\n";
        fs::write(bed.at("files"), list).unwrap();
        // An image that nobody has written, of no bytes.
        fs::write(bed.at("some.image"), "some.plan\n").unwrap();
        fs::write(bed.at("some.plan"), plan()).unwrap();
        let made = bed.run(
            env!("CARGO_BIN_EXE_inject"),
            "--base base.tar --files files --mtime 1 --output tree.jsonl",
        );
        assert!(made.status.success(), "{made:?}");
        fs::write(
            bed.at("a.tree"),
            "tree.jsonl\nbase.tar\nsome.image\nprogram\n",
        )
        .unwrap();
        bed
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, tool: &str, args: &str) -> Output {
        let tool = Path::new(tool).canonicalize().unwrap();
        Command::new(tool)
            .args(args.split(' '))
            .current_dir(self.0.path())
            .env_clear()
            .output()
            .unwrap()
    }

    fn check(&self) -> Output {
        self.run(
            env!("CARGO_BIN_EXE_checkfit"),
            "--tree a.tree --output fit.txt",
        )
    }
}

/// The plan of an image of 4096 zeros.
fn plan() -> Vec<u8> {
    let mut builder = plan::Builder::new(Vec::new());
    builder.zero(4096).unwrap();
    builder.finish().unwrap().encode()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A program that asks for the C library alone; nothing on a machine of another kind.
fn program() -> Option<&'static str> {
    let there = Path::new("/lib64/ld-linux-x86-64.so.2").exists();
    if !there {
        println!("skipped: no glibc for x86-64 here");
    }
    there.then_some("/bin/true")
}

#[test]
fn fits() {
    let Some(program) = program() else {
        return;
    };
    let bed = Bed::new(program, false);
    let output = bed.check();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        fs::read_to_string(bed.at("fit.txt")).unwrap(),
        "/opt/program /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6\n"
    );
}

#[test]
fn does_not_fit() {
    let Some(program) = program() else {
        return;
    };
    let bed = Bed::new(program, true);
    let output = bed.check();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(
        text(&output.stderr),
        "checkfit: error: programs that would not start in this image:\n  \
         /opt/program: wants the library libc.so.6, and the image has none in /etc/ld.so.cache, /lib/x86_64-linux-gnu, \
         /usr/lib/x86_64-linux-gnu, /lib, /usr/lib: add the package that has it, put it into one of these folders, or build the program statically\n"
    );
    assert!(!bed.at("fit.txt").exists());
}

#[test]
fn wants_a_newer_library() {
    let Some(program) = program() else {
        return;
    };
    let bed = Bed::new(program, false);
    // Its newest version becomes one that is not there yet.
    let mut bytes = fs::read(program).unwrap();
    let at = bytes
        .windows(8)
        .position(|part| part == b"GLIBC_2.")
        .unwrap();
    let digit = bytes.get_mut(at + 6).unwrap();
    *digit = b'9';
    fs::write(bed.at("program"), bytes).unwrap();
    let output = bed.check();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output.stderr);
    assert!(said.contains("/opt/program: wants GLIBC_9."), "{said}");
    assert!(
        said.contains(" of libc.so.6, /lib/x86_64-linux-gnu/libc.so.6 has GLIBC_2.2.5 to GLIBC_2."),
        "{said}"
    );
}
