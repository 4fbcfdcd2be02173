//! What a few hundred bytes of input may cost: programs run with little memory, and must refuse, not die.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::process::Command;

/// What a program may map, in KiB.
const MEMORY: u32 = 400_000;

const TOO_MUCH: &str = "of the file are more than 67108864 bytes after expansion";

/// Builds `dockerfile` with that much memory; what `mkrootfs` says.
fn refusal(dockerfile: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("Dockerfile"), dockerfile).unwrap();
    fs::write(dir.path().join("list"), "").unwrap();
    let program = std::env::current_dir()
        .unwrap()
        .join(env!("CARGO_BIN_EXE_mkrootfs"));
    let command = format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\"");
    let done = Command::new("sh")
        .args(["-c", &command])
        .arg(program)
        .args(["--dockerfile", "Dockerfile", "--context", "list"])
        .args(["--timestamp", "1", "--output", "out.tar"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{text}");
    assert!(!dir.path().join("out.tar").exists());
    text
}

/// Eight lines, each sixteen times the one before.
fn bomb(instruction: &str) -> String {
    let mut text = format!("{instruction} A0=aaaaaaaaaaaaaaaa\n");
    for n in 1..9 {
        let before = format!("${{A{}}}", n - 1).repeat(16);
        text.push_str(&format!("{instruction} A{n}={before}\n"));
    }
    text
}

#[test]
fn variables_that_multiply() {
    for text in [
        format!("FROM scratch\n{}WORKDIR /x\n", bomb("ENV")),
        format!("FROM scratch\n{}WORKDIR /x\n", bomb("ARG")),
        format!("{}FROM scratch\n", bomb("ARG")),
    ] {
        let error = refusal(&text);
        assert!(
            error.contains("more than 131071 bytes after expansion"),
            "{error}"
        );
    }
}

#[test]
fn large_values_in_many_places() {
    let head = format!("FROM scratch\nENV A={}\n", "x".repeat(100_000));
    let text = "$A".repeat(60_000);
    let error = refusal(&format!("{head}COPY <<E /x\n{text}\nE\n"));
    assert!(error.contains("bytes after expansion"), "{error}");
    for step in [
        "ENV B=$A\nRUN a\n",
        "LABEL a=$A\n",
        "USER $A\nRUN a\n",
        "WORKDIR /$A\nRUN a\n",
        "WORKDIR $A\n",
    ] {
        let error = refusal(&format!("{head}{}", step.repeat(20_000)));
        assert!(error.contains(TOO_MUCH), "{error}");
    }
    let globals = format!("ARG A={}\n", "x".repeat(100_000));
    let stages: String = (0..20_000)
        .map(|n| format!("FROM s{n} AS s{}\nARG A\n", n + 1))
        .collect();
    let error = refusal(&format!("{globals}FROM scratch AS s0\n{stages}"));
    assert!(error.contains(TOO_MUCH), "{error}");
}

#[test]
fn a_dockerfile_without_end() {
    let long = format!("FROM scratch\n#{}", "x".repeat(17 << 20));
    assert!(refusal(&long).contains("a Dockerfile of more than 16777216 bytes"));
}
