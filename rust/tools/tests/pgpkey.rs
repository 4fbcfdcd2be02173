//! `mkpgpkey`: keys of several certificates in one file, each once.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Bazel runs tests at the root of the source tree, cargo in the package's folder.
fn known() -> PathBuf {
    let here = PathBuf::from("tests/data/db.crt");
    match here.exists() {
        true => here,
        false => Path::new("rust/tools").join(here),
    }
}

fn mkpgpkey(certificates: &[&Path], output: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mkpgpkey"));
    for certificate in certificates {
        command.arg("--certificate").arg(certificate);
    }
    command.arg("--output").arg(output).output().unwrap()
}

#[test]
fn all_keys_in_the_order_of_the_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"])
        .args(["-subj", "/CN=other", "-keyout"])
        .arg(path("key"))
        .arg("-out")
        .arg(path("other.crt"))
        .output();
    assert!(made.unwrap().status.success());
    let (known, other) = (known(), path("other.crt"));
    let key = |certificates: &[&Path], name: &str| {
        let output = mkpgpkey(certificates, &path(name));
        assert!(output.status.success(), "{output:?}");
        fs::read(path(name)).unwrap()
    };
    let (one, two) = (key(&[&known], "one"), key(&[&other], "two"));
    assert_eq!(key(&[&known, &other], "both"), [&one[..], &two].concat());
    assert_eq!(key(&[&other, &known], "both"), [&two[..], &one].concat());

    let output = mkpgpkey(&[&known, &other, &known], &path("twice"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("has the same key as "), "{said}");
    assert!(!path("twice").exists());
    let output = mkpgpkey(&[], &path("none"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
