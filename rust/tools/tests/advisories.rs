//! `advisories` on a small bill of materials: what counts, what does not, and what its exit status says of both.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn data(name: &str) -> PathBuf {
    // Cargo starts tests in the package's folder, Bazel at the root of the repository.
    let beside = PathBuf::from("tests/data/advisories").join(name);
    match beside.exists() {
        true => beside,
        false => PathBuf::from("rust/tools/tests/data/advisories").join(name),
    }
}

fn run(arguments: &[&str]) -> Output {
    run_on(&data("sbom.spdx.json"), arguments)
}

fn run_on(sbom: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_advisories"));
    command.arg("--sbom").arg(sbom);
    for argument in arguments {
        match argument.strip_prefix("data:") {
            Some(name) => command.arg(data(name)),
            None => command.arg(argument),
        };
    }
    command.output().unwrap()
}

/// Exit status, standard output, standard error.
fn ran(arguments: &[&str]) -> (i32, String, String) {
    let output = run(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// What a run finds, as `STATE SEVERITY ID`.
fn findings(arguments: &[&str]) -> Vec<String> {
    let (_, text, errors) = ran(&[arguments, &["--json"]].concat());
    assert_eq!(errors, "");
    // The document is pretty: a field a line.
    let value = |line: &str, field: &str| {
        let value = line.trim().strip_prefix(&format!("\"{field}\": \""))?;
        Some(value.trim_end_matches(['"', ',']).to_owned())
    };
    let (mut all, mut one) = (Vec::new(), Vec::new());
    for line in text.lines() {
        for field in ["state", "severity", "id"] {
            one.extend(value(line, field));
        }
        if one.len() == 3 {
            all.push(one.join(" "));
            one.clear();
        }
    }
    all
}

#[test]
fn debian_packages_by_their_source() {
    let of = ["--advisories", "data:tracker.json"];
    assert_eq!(
        findings(&of),
        [
            "found high CVE-2026-0001",
            "found high CVE-2026-0006",
            "found negligible CVE-2026-0005",
            "no-code high CVE-2026-0007",
        ]
    );
    let (code, text, _) = ran(&of);
    assert_eq!(code, 1);
    assert!(
        text.contains("high        CVE-2026-0001  openssl  3.5.1-1+deb13u1  3.5.1-1+deb13u2  too little is checked\n"),
        "{text}"
    );
    assert!(text.contains("high?       CVE-2026-0006"), "{text}");
    assert!(
        text.contains("3 components, 7 advisories read: 3 vulnerabilities found"),
        "{text}"
    );
    assert!(text.ends_with("2 of severity high or worse\n"), "{text}");
    let (code, text, _) = ran(&[&of[..], &["--fail-on", "critical"]].concat());
    assert_eq!(code, 0);
    assert!(
        text.ends_with("none counts: of severity critical or worse\n"),
        "{text}"
    );
    let (code, ..) = ran(&[&of[..], &["--fail-on", "critical", "--unknown", "critical"]].concat());
    assert_eq!(code, 1);
    assert_eq!(
        findings(&[&of[..], &["--release", "bookworm"]].concat()),
        findings(&of),
        "packages go by their own release"
    );
}

#[test]
fn crates_and_debian_by_osv() {
    let of = ["--advisories", "data:osv.json"];
    assert_eq!(
        findings(&of),
        ["found critical RUSTSEC-2026-0001", "found low DSA-1"]
    );
    assert_eq!(
        findings(&[&of[..], &["--advisories", "data:tracker.json"]].concat()).len(),
        6
    );
}

#[test]
fn images_in_images() {
    let dir = tempfile::tempdir().unwrap();
    let read = std::fs::read_to_string(data("sbom.spdx.json")).unwrap();
    // The outer image: another version of openssl, and a disk.
    let mut outer: serde_json::Value =
        serde_json::from_str(&read.replace("3.5.1-1", "3.4.1-1")).unwrap();
    let mut add = |to: &str, what: serde_json::Value| outer[to].as_array_mut().unwrap().push(what);
    add(
        "packages",
        serde_json::json!({"SPDXID": "SPDXRef-image-inner", "name": "//:inner", "downloadLocation": "x", "filesAnalyzed": true,
            "licenseConcluded": "x", "licenseDeclared": "x", "copyrightText": "x"}),
    );
    add(
        "files",
        serde_json::json!({"fileName": "./data/inner.img", "SPDXID": "SPDXRef-file-inner", "checksums": [], "copyrightText": "x"}),
    );
    add(
        "relationships",
        serde_json::json!({"spdxElementId": "SPDXRef-image-inner", "relationshipType": "CONTAINS",
            "relatedSpdxElement": "SPDXRef-file-inner"}),
    );
    let path = dir.path().join("outer.spdx.json");
    std::fs::write(&path, outer.to_string()).unwrap();
    let inner = data("sbom.spdx.json");
    let holds = |path: &str| format!("{path}={}", inner.display());
    let ran = |arguments: &[&str]| {
        let advisories = ["--advisories", "data:tracker.json"];
        let output = run_on(&path, &[&advisories, arguments].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (_, text, _) = ran(&[]);
    assert!(
        text.contains("holds another image, ./data/inner.img, whose own bill of materials is to be given with --holds\n"),
        "{text}"
    );
    let (code, text, _) = ran(&["--holds", &holds("data/inner.img")]);
    assert_eq!(code, Some(1), "{text}");
    assert!(!text.contains("holds another image"), "{text}");
    for (within, version) in [
        (".", "3.4.1-1+deb13u1"),
        ("data/inner.img", "3.5.1-1+deb13u1"),
    ] {
        let want = format!("{within:<16}  high        CVE-2026-0001  openssl  {version}");
        assert!(text.contains(&want), "{want}\n{text}");
    }
    assert!(text.contains(". data/inner.img  "), "{text}");
    let (code, _, errors) = ran(&["--holds", &holds("inner.img")]);
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("the image holds no image \"inner.img\", want one of: data/inner.img"),
        "{errors}"
    );
}

#[test]
fn what_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("allow.json");
    let path = list.to_str().unwrap();
    let of = [
        "--advisories",
        "data:tracker.json",
        "--advisories",
        "data:osv.json",
        "--unknown",
        "medium",
        "--allow",
        path,
        "--today",
    ];
    // One by its own name, one by another; a third that is not there.
    let text = r#"[
        {"id": "CVE-2026-0001", "package": "openssl", "reason": "not reachable", "expires": "2026-06-30"},
        {"id": "CVE-2026-0101", "package": "tokio", "reason": "no timers", "expires": "2026-07-31"},
        {"id": "CVE-2026-0001", "package": "tokio", "reason": "a slip", "expires": "2026-07-31"}
    ]"#;
    std::fs::write(&list, text).unwrap();
    let (code, text, _) = ran(&[&of[..], &["2026-06-30"]].concat());
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("allowed until 2026-06-30: not reachable"),
        "{text}"
    );
    assert!(
        text.contains(
            "the list allows CVE-2026-0001 in tokio, which is not there: the entry can go"
        ),
        "{text}"
    );
    let (code, text, _) = ran(&[&of[..], &["2026-07-01"]].concat());
    assert_eq!(code, 1);
    assert!(
        text.contains("NO LONGER ALLOWED since 2026-06-30: not reachable"),
        "{text}"
    );
    assert!(
        text.contains("allowed until 2026-07-31: no timers"),
        "{text}"
    );
}

#[test]
fn files_of_another_kind() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let csaf = file(
        "csaf.json",
        r#"{"document": {"category": "csaf_vex"}, "vulnerabilities": []}"#,
    );
    let oval = file("oval.xml", "<oval_definitions/>");
    let half = file("half.json", r#"{"openssl": {"CVE-1": {"releases": {"#);
    let none = file("none.json", "{}");
    let (empty, no_vulns) = (
        file("empty.json", "[]"),
        file("no_vulns.json", r#"{"vulns":[]}"#),
    );
    let (tracker, sbom) = (data("tracker.json"), data("sbom.spdx.json"));
    let (tracker, sbom) = (tracker.to_str().unwrap(), sbom.to_str().unwrap());
    for (arguments, want) in [
        (
            vec!["--advisories", csaf.as_str()],
            "this is not what Debian's security tracker gives away as JSON",
        ),
        (
            vec!["--advisories", &oval],
            "this is not what Debian's security tracker gives away as JSON",
        ),
        (vec!["--advisories", &half], "EOF while parsing"),
        (
            vec!["--advisories", &none],
            "the advisories say nothing of the release trixie; they have no release at all",
        ),
        (
            vec!["--advisories", tracker, "--advisories", &empty],
            "empty.json: nothing was read: of its 0 advisories none is of Debian or crates.io",
        ),
        (
            vec!["--advisories", &no_vulns],
            "no_vulns.json: nothing was read: of its 0 advisories",
        ),
        (
            vec!["--advisories", &csaf, "--format", "osv"],
            "got an object of document, vulnerabilities, want advisories in the form of OSV",
        ),
        (
            vec!["--advisories", &oval, "--format", "osv"],
            "these are no advisories in the form of OSV",
        ),
        (
            vec!["--advisories", tracker, "--format", "osv"],
            "want advisories in the form of OSV",
        ),
        (
            vec![
                "--advisories",
                "data:osv.json",
                "--format",
                "debian-tracker",
            ],
            "this is not what Debian's security tracker gives away as JSON",
        ),
        (vec!["--advisories", "absent.json"], "cannot read"),
        (
            vec!["--advisories", tracker, "--allow", tracker],
            "this is no list of objects",
        ),
        (
            vec!["--advisories", tracker, "--fail-on", "bad"],
            "want negligible, low, medium, high or critical",
        ),
        (
            vec!["--advisories", tracker, "--today", "tomorrow"],
            "want a day as 2026-12-31",
        ),
        (vec![], "--advisories"),
        (
            vec!["--advisories", tracker, "--sbom", tracker],
            "cannot be used multiple times",
        ),
    ] {
        let (code, out, errors) = ran(&arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {errors}");
        assert!(errors.contains(want), "{arguments:?}: {errors}");
    }
    let other = Command::new(env!("CARGO_BIN_EXE_advisories"))
        .args(["--sbom", tracker, "--advisories", sbom])
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(2));
    let errors = String::from_utf8(other.stderr).unwrap();
    assert!(errors.contains("this is no SPDX document"), "{errors}");
    let (code, text, _) = ran(&["--help"]);
    assert_eq!(code, 0);
    assert!(text.contains("Exit status: 0 none"), "{text}");
}
