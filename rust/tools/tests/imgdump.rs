//! The program itself: streams, exit statuses, goldens, plans.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use plan::{Builder, Input};

/// Where the program is: Bazel gives a path from where tests start, so it is made whole before anything changes the folder.
fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_imgdump"))
        .canonicalize()
        .unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("raw"), vec![b'x'; 5000]).unwrap();
        let mut builder = Builder::new(vec![Input::of_len(5000)]);
        builder.zero(4096).unwrap();
        builder.source(0, 100, 4096).unwrap();
        let plan = builder.finish().unwrap().encode();
        fs::write(dir.path().join("the.plan"), plan).unwrap();
        fs::write(dir.path().join("the.image"), "the.plan\nraw\n").unwrap();
        Self(dir)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str], workspace: Option<&Path>) -> Output {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.0.path());
        command.env_remove("BUILD_WORKSPACE_DIRECTORY");
        if let Some(workspace) = workspace {
            command.env("BUILD_WORKSPACE_DIRECTORY", workspace);
        }
        command.output().unwrap()
    }

    /// Exit status, stdout, stderr.
    fn ask(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.run(args, None);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }
}

#[test]
fn an_image_by_its_list() {
    let folder = Folder::new();
    let (status, by_list, errors) = folder.ask(&["the.image"]);
    assert_eq!((status, errors.as_str()), (0, ""));
    assert!(
        by_list.starts_with("imgdump 2\nlength 8192\ncontent data sha256:"),
        "{by_list}"
    );
    let (status, json, _) = folder.ask(&["--json", "--no-digests", "the.image"]);
    assert_eq!(status, 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let want = serde_json::json!({"imgdump": 2, "length": 8192, "content": {"kind": "data"}});
    assert_eq!(json, want);
    let (status, plan, _) = folder.ask(&["plan", "the.plan"]);
    let want = "plan 3\nlength 8192\ninput 0 5000\n0 4096 zero\n4096 4096 source 0 100\n";
    assert_eq!((status, plan.as_str()), (0, want));
}

#[test]
fn where_bytes_come_from() {
    let folder = Folder::new();
    let notes = r#"{"is":"input","label":"//a:raw","path":"raw"}"#;
    fs::write(folder.at("the.why"), format!("{notes}\n")).unwrap();
    let want = "4000 bytes from 4192 on
  of no format that is read here: from byte 4192 of 8192
    from byte 196 of raw
      which is //a:raw
";
    let by_list = (0, want.to_owned(), String::new());
    assert_eq!(folder.ask(&["why", "the.image", "0x1060"]), by_list);
    let (status, json, _) = folder.ask(&["why", "--json", "the.image", "4192"]);
    assert_eq!(status, 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["ranges"][0]["from"]["label"], "//a:raw");
    let (status, _, errors) = folder.ask(&["why", "the.image", "8192"]);
    assert_eq!(status, 1);
    assert!(
        errors.contains("outside the image of 8192 bytes"),
        "{errors}"
    );
}

#[test]
fn goldens() {
    let folder = Folder::new();
    let golden = ["--golden", "sub/golden.txt", "the.image"];
    fs::create_dir(folder.at("sub")).unwrap();
    let (status, out, errors) = folder.ask(&golden);
    assert_eq!(status, 1);
    assert!(
        out.starts_with("--- sub/golden.txt\n+++ the image\n@@ -0,0 +1,3 @@\n+imgdump 2\n"),
        "{out}"
    );
    assert_eq!(errors, "imgdump: error: the image is not what sub/golden.txt says; if it is right now, accept it with: the same command with --update\n");
    // Under `bazel run` the file is that of the workspace.
    let workspace = folder.at("workspace");
    fs::create_dir_all(workspace.join("sub")).unwrap();
    let mut update = golden.to_vec();
    update.push("--update");
    assert!(folder.run(&update, Some(&workspace)).status.success());
    assert!(!folder.at("sub/golden.txt").exists());
    assert!(workspace.join("sub/golden.txt").exists());
    assert_eq!(folder.ask(&update), (0, String::new(), String::new()));
    assert_eq!(folder.ask(&golden), (0, String::new(), String::new()));
    fs::write(folder.at("raw"), vec![b'y'; 5000]).unwrap();
    let mut accept = golden.to_vec();
    accept.extend(["--accept-with", "bazel run //x:y.update"]);
    let (status, out, errors) = folder.ask(&accept);
    assert_eq!(status, 1);
    assert!(
        out.contains("\n-content data ") && out.contains("\n+content data "),
        "{out}"
    );
    assert!(
        errors.ends_with("accept it with: bazel run //x:y.update\n"),
        "{errors}"
    );
    // Bytes that are no text are not the sign that stands for them.
    fs::write(folder.at("sub/golden.txt"), b"imgdump 2\n\xff\n").unwrap();
    let (status, out, errors) = folder.ask(&golden);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(errors.contains("sub/golden.txt is no UTF-8"), "{errors}");
}

#[test]
fn refusals() {
    let folder = Folder::new();
    fs::write(folder.at("disk.img.zst"), b"\x28\xb5\x2f\xfd rest").unwrap();
    fs::write(folder.at("short.image"), "the.plan\n").unwrap();
    for (args, status, want) in [
        (
            &["disk.img.zst"][..],
            3,
            "this is a zstd stream, not a raw image: decompress it first, with zstd -d",
        ),
        (&["missing"], 2, "missing"),
        (
            &["short.image"],
            1,
            "the plan was made over 1 inputs, but 0 are given",
        ),
        (
            &["cat", "raw", "/x"],
            3,
            "the image has no file system that is read here, it holds data",
        ),
        (
            &["extract", "raw", "a:/x", "out"],
            1,
            "no partition \"a\", the image has no partition table",
        ),
        (&["--update", "raw"], 1, "--golden"),
        (&[], 1, "IMAGE"),
    ] {
        let got = folder.ask(args);
        assert_eq!((got.0, got.1.as_str()), (status, ""), "{args:?}: {}", got.2);
        assert!(got.2.contains(want), "{args:?}: {}", got.2);
    }
    let (status, help, _) = folder.ask(&["--help"]);
    assert_eq!(status, 0);
    assert!(
        help.contains("imgdump cat disk.img A_root:/etc/os-release"),
        "{help}"
    );
}
