//! Every program says what it is for and which version it is, takes numbers below zero as numbers, and needs no library.
#![allow(
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Programs that are there: from Bazel's list of all, under cargo those built for these tests.
fn programs() -> Vec<PathBuf> {
    if let Some(list) = option_env!("PROGRAMS") {
        return list.split(' ').map(PathBuf::from).collect();
    }
    let folder = Path::new(env!("CARGO_BIN_EXE_inject")).parent().unwrap();
    let sources = std::fs::read_dir("src/bin").unwrap();
    let sources = sources.map(|entry| entry.unwrap().path());
    sources
        .map(|source| folder.join(source.file_stem().unwrap()))
        .collect()
}

fn run(program: &Path, args: &[&str]) -> Output {
    let program = program.canonicalize().unwrap();
    // Nothing of the caller's decides what they say.
    Command::new(program)
        .args(args)
        .env_clear()
        .output()
        .unwrap()
}

#[test]
fn help_and_version() {
    let programs = programs();
    assert!(programs.len() > 15, "{programs:?}");
    for program in programs {
        let name = program.file_name().unwrap().to_str().unwrap().to_owned();
        let version = run(&program, &["--version"]);
        assert_eq!(
            String::from_utf8(version.stdout).unwrap(),
            format!("{name} 0.1.0\n")
        );
        assert!(version.status.success() && version.stderr.is_empty());
        let help = run(&program, &["--help"]);
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(help.status.success() && help.stderr.is_empty(), "{name}");
        let purpose = text.lines().next().unwrap();
        assert!(purpose.contains(' '), "{name}: {purpose}");
        assert!(text.contains(&format!("Usage: {name}")), "{text}");
        assert!(text.contains("--version"), "{text}");
    }
}

/// What goes into an image needs nothing of it, nor does what is handed to others: no loader and no library.
#[test]
fn is_static() {
    let Some(list) = option_env!("STATIC_PROGRAMS") else {
        println!("skipped: cargo links with the C library that is there");
        return;
    };
    for program in list.split(' ').map(Path::new) {
        let bytes = std::fs::read(program).unwrap();
        let read = elf::Program::read(&bytes).unwrap();
        let needs = read.interpreter.iter().chain(&read.needed);
        let needs: Vec<_> = needs.map(|name| String::from_utf8_lossy(name)).collect();
        assert!(read.is_static(), "{} needs {needs:?}", program.display());
    }
}
