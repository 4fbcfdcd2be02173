//! The tools of a signed update: what they make is what the crate reads, and what they refuse they name.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use update::{Manifest, Signatures, TrustedKeys};

fn run(program: &str, folder: &Path, arguments: &str) -> Output {
    Command::new(Path::new(program).canonicalize().unwrap())
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

#[track_caller]
fn works(program: &str, folder: &Path, arguments: &str) {
    let output = run(program, folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {said}");
}

#[track_caller]
fn refused(program: &str, folder: &Path, arguments: &str, words: &[&str]) {
    let output = run(program, folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{arguments}");
    for word in words {
        assert!(said.contains(word), "{said:?} lacks {word:?}");
    }
    assert!(!folder.join("out").exists(), "{arguments}");
}

const MKUPDATE: &str = env!("CARGO_BIN_EXE_mkupdate");
const MKUPDATEKEYS: &str = env!("CARGO_BIN_EXE_mkupdatekeys");
const SIGNUPDATE: &str = env!("CARGO_BIN_EXE_signupdate");
const MKVERSION: &str = env!("CARGO_BIN_EXE_mkversion");
const MKDELTA: &str = env!("CARGO_BIN_EXE_mkdelta");

const DESCRIBE: &str = "--os node --env prod --member VERSION.TXT=version --member boot.img=boot --member root.img=root";

/// A folder with keys that OpenSSL made, and a bundle's members.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["ann", "bob", "zoe"] {
        let openssl = |arguments: String| {
            let mut command = Command::new("openssl");
            command.args(arguments.split(' ')).current_dir(dir.path());
            assert!(command.output().unwrap().status.success(), "{arguments}");
        };
        openssl(format!("genpkey -algorithm ed25519 -out {name}.key"));
        openssl(format!("pkey -in {name}.key -pubout -out {name}.pub"));
    }
    for (name, bytes) in [
        ("version", &b"1.4.0\n"[..]),
        ("odd", b"next\n"),
        ("boot", &[1; 5000]),
        ("root", &[2; 9000]),
        ("short", &[3; 63]),
    ] {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

#[test]
fn versions_that_follow_from_inputs() {
    let folder = folder();
    let at = folder.path();
    let derive = |inputs: &str| {
        works(
            MKVERSION,
            at,
            &format!("{inputs} --inputs-output list --output derived"),
        );
        let read = |name| fs::read_to_string(at.join(name)).unwrap();
        (read("derived"), read("list"))
    };
    let (version, list) = derive("--input root=root --input a/boot=boot --input version=version");
    // coreutils are of the same opinion, of the files and of the list.
    let shell = |script: &str| {
        let mut command = Command::new("/bin/sh");
        let output = command.args(["-ec", script]).current_dir(at).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert_eq!(
        list,
        shell("mkdir -p a && cp boot a/boot && sha256sum a/boot root version")
    );
    assert_eq!(
        version,
        shell("printf 0.0.0-inputs. && sha256sum list | cut -c1-12")
    );
    // As the tool that describes updates reads it.
    works(
        MKUPDATE,
        at,
        &format!("{DESCRIBE} --version-file derived --output manifest"),
    );
    let manifest = Manifest::parse(&fs::read(at.join("manifest")).unwrap()).unwrap();
    assert_eq!(format!("{}\n", manifest.version), version);
    assert!(manifest.version.is_of_inputs());
    // Their order does not count; a name, a byte, and one input more do.
    let other = derive("--input version=version --input root=root --input a/boot=boot");
    assert_eq!(other.0, version);
    let mut seen = vec![version];
    for inputs in [
        "--input root=root --input boot=boot --input version=version",
        "--input root=root --input a/boot=boot --input version=odd",
        "--input root=root --input a/boot=boot --input version=version --input x=odd",
    ] {
        let version = derive(inputs).0;
        assert!(!seen.contains(&version), "{inputs}");
        seen.push(version);
    }
    refused(
        MKVERSION,
        at,
        "--input a=boot --input a=root --inputs-output out --output derived2",
        &["--input: \"a\" was given already"],
    );
}

#[test]
fn described_and_signed() {
    let folder = folder();
    let at = folder.path();
    let described = format!("{DESCRIBE} --version-file version");
    works(
        MKUPDATE,
        at,
        &format!("{described} --data-format history=3 --output manifest"),
    );
    let manifest = fs::read(at.join("manifest")).unwrap();
    let read = Manifest::parse(&manifest).unwrap();
    assert_eq!(
        (read.version.as_str(), read.data_formats["history"]),
        ("1.4.0", 3)
    );
    works(
        MKUPDATEKEYS,
        at,
        "--key bob.pub --key ann.pub --threshold 2 --output keys",
    );
    let keys = TrustedKeys::parse(&fs::read(at.join("keys")).unwrap()).unwrap();
    assert_eq!(
        (keys.threshold, keys.keys.len(), keys.allow_unsigned),
        (2, 2, false)
    );
    // One signs here, the other one is a program that others wrote.
    let program =
        "#!/bin/sh\ncat > seen && exec openssl pkeyutl -sign -rawin -inkey bob.key -in seen\n";
    stand_in::program(at.join("signer"), program);
    works(
        SIGNUPDATE,
        at,
        "--manifest manifest --keys keys --key ann.key --signer signer --output sig",
    );
    let signatures = fs::read(at.join("sig")).unwrap();
    let signatures = Signatures::parse(&signatures).unwrap();
    assert_eq!(
        signatures.signers(&manifest, &keys).unwrap(),
        ["ann", "bob"]
    );
    // The same signatures, made elsewhere and handed in the other way round.
    for (signature, name) in signatures.0.iter().zip(["ann.sig", "bob.sig"]) {
        fs::write(at.join(name), signature.signature).unwrap();
    }
    works(
        SIGNUPDATE,
        at,
        "--manifest manifest --keys keys --signature bob.sig --signature ann.sig --output again",
    );
    assert_eq!(
        fs::read(at.join("sig")).unwrap(),
        fs::read(at.join("again")).unwrap()
    );

    let sign = "--manifest manifest --keys keys --output out";
    refused(
        SIGNUPDATE,
        at,
        &format!("{sign} --key ann.key"),
        &["signed by ann", "ann, bob", "want 2"],
    );
    refused(SIGNUPDATE, at, sign, &["signed by nobody"]);
    refused(
        SIGNUPDATE,
        at,
        &format!("{sign} --key zoe.key"),
        &["zoe.key", "none of the keys ann, bob"],
    );
    refused(
        SIGNUPDATE,
        at,
        &format!("{sign} --key ann.pub"),
        &["ann.pub", "no ed25519 private key", "openssl genpkey"],
    );
    refused(
        SIGNUPDATE,
        at,
        &format!("{sign} --signature short"),
        &["short: a signature of 63 bytes, want 64"],
    );
    fs::write(
        at.join("signer"),
        "#!/bin/sh\necho the token is locked >&2; exit 3\n",
    )
    .unwrap();
    refused(
        SIGNUPDATE,
        at,
        &format!("{sign} --signer signer"),
        &["signer", "3", "the token is locked"],
    );
    fs::write(at.join("manifest"), [&manifest[..], b"\n"].concat()).unwrap();
    refused(
        SIGNUPDATE,
        at,
        &format!("{sign} --key ann.key"),
        &["manifest", "not written as it is written here"],
    );
}

#[test]
fn refusals() {
    let folder = folder();
    let at = folder.path();
    let describe = format!("{DESCRIBE} --output out");
    refused(
        MKUPDATE,
        at,
        &format!("{describe} --version-file odd"),
        &["odd", "\"next\"", "want a digit"],
    );
    let describe = format!("{describe} --version-file version");
    refused(
        MKUPDATE,
        at,
        &format!("{describe} --expires tomorrow"),
        &["\"tomorrow\"", "2027-01-31"],
    );
    refused(
        MKUPDATE,
        at,
        &format!("{describe} --data-format a=b"),
        &["--data-format a: got \"b\", want a number"],
    );
    refused(
        MKUPDATE,
        at,
        &format!("{describe} --data-format a=1 --data-format a=1"),
        &["\"a\" was given already"],
    );
    refused(
        MKUPDATE,
        at,
        &format!("{describe} --member extra=boot"),
        &["\"extra\"", "VERSION.TXT, loader.efi, boot.img, root.img"],
    );
    fs::write(at.join("boot.digest"), format!("{} 4999\n", "0".repeat(64))).unwrap();
    refused(
        MKUPDATE,
        at,
        &format!("{describe} --digest boot.img=boot.digest"),
        &["boot.img has 5000 bytes, and its digest is of 4999"],
    );
    refused(
        MKUPDATEKEYS,
        at,
        "--key ann.pub --threshold 2 --output out",
        &["threshold: got 2, want 1 to 1"],
    );
    refused(
        MKUPDATEKEYS,
        at,
        "--key ann.key --threshold 1 --output out",
        &["ann.key", "no ed25519 public key", "-pubout"],
    );
    let tar = update::write(&[("boot.delta", b"x")], 1, Vec::new()).unwrap();
    fs::write(at.join("old.tar"), tar).unwrap();
    refused(
        MKDELTA,
        at,
        "--from old.tar --member boot.img --to boot --output out",
        &[
            "old.tar has no member boot.img, only boot.delta",
            "whole images",
        ],
    );
    refused(
        MKDELTA,
        at,
        "--from boot --member boot.img --to boot --output out",
        &["boot"],
    );
}
