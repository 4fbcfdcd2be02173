//! `imgdiff` as people start it: on disks that the build's tools made, each with one thing changed.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use archive::{Entry, Kind};

const MIB: usize = 1 << 20;

/// What a root file system is made of.
#[derive(Clone)]
struct Root {
    files: BTreeMap<&'static str, Vec<u8>>,
    mode: u32,
    uuid: &'static str,
    partuuid: &'static str,
}

fn status(bash: &str, more: &str) -> Vec<u8> {
    format!(
        "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: {bash}\n\n{more}"
    )
    .into_bytes()
}

impl Root {
    fn new() -> Self {
        let text: String = (0..30).map(|n| format!("line {n}\n")).collect();
        Self {
            files: BTreeMap::from([
                ("etc/motd", text.into_bytes()),
                ("opt/data", vec![7; 20_000]),
                ("var/lib/dpkg/status", status("5.2-1", "")),
            ]),
            mode: 0o644,
            uuid: "00000000-0000-4000-8000-000000000001",
            partuuid: "b1a0a1c2-0000-4000-8000-000000000002",
        }
    }

    fn with(&self, path: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        let mut root = self.clone();
        root.files.insert(path, bytes.into());
        root
    }

    /// As an archive.
    fn tar(&self) -> Vec<u8> {
        let mut writer = archive::Writer::new(Vec::new());
        let mut folders = vec![String::new()];
        for path in self.files.keys() {
            for (at, _) in path.match_indices('/') {
                folders.push(path[..at].to_owned());
            }
        }
        folders.sort();
        folders.dedup();
        for folder in &folders {
            let entry = Entry::new(folder.as_bytes(), Kind::Dir, 0o755);
            writer.append(&entry, std::io::empty()).unwrap();
        }
        for (path, bytes) in &self.files {
            let (offset, len) = (0, bytes.len() as u64);
            let entry = Entry::new(*path, Kind::File { offset, len }, self.mode);
            writer.append(&entry, &bytes[..]).unwrap();
        }
        writer.finish().unwrap()
    }
}

struct Bed(tempfile::TempDir);

impl Bed {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, tool: &str, args: &str) -> Output {
        let tool = Path::new(tool).canonicalize().unwrap();
        Command::new(tool)
            .args(args.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .output()
            .unwrap()
    }

    fn done(&self, tool: &str, args: &str) {
        let output = self.run(tool, args);
        assert!(output.status.success(), "{args}: {output:?}");
    }

    /// Makes `NAME.image`, a disk with a verified root.
    fn disk(&self, name: &str, root: &Root) -> String {
        let Root { uuid, partuuid, .. } = root;
        fs::write(self.at(&format!("{name}.tar")), root.tar()).unwrap();
        self.done(
            env!("CARGO_BIN_EXE_inject"),
            &format!("--base {name}.tar --mtime 1 --output {name}.jsonl"),
        );
        fs::write(
            self.at(&format!("{name}.tree")),
            format!("{name}.jsonl\n{name}.tar\n"),
        )
        .unwrap();
        self.done(
            env!("CARGO_BIN_EXE_mkext4"),
            &format!(
                "--tree {name}.tree --size-mib 8 --uuid {uuid} --hash-seed 00000000-0000-4000-8000-000000000002 \
                 --mtime 1 --output {name}-root.plan"
            ),
        );
        fs::write(
            self.at(&format!("{name}-root.image")),
            format!("{name}-root.plan\n{name}.tar\n"),
        )
        .unwrap();
        let table = format!(
            "name,start,size,type,uuid,description\nroot,,12M,root-x86-64,{partuuid},\ndata,,1M,linux,b1a0a1c2-0000-4000-8000-000000000003,\n"
        );
        fs::write(self.at(&format!("{name}.csv")), table).unwrap();
        self.done(
            env!("CARGO_BIN_EXE_mkdisk"),
            &format!(
                "--partitions {name}.csv --disk-guid 00000000-0000-4000-8000-000000000004 --image root={name}-root.image \
                 --output {name}.plan"
            ),
        );
        fs::write(
            self.at(&format!("{name}.image")),
            format!("{name}.plan\n{name}.tar\n"),
        )
        .unwrap();
        format!("{name}.image")
    }

    /// What is said of two images, and the exit status.
    fn diff(&self, args: &str) -> (i32, String) {
        let output = self.run(env!("CARGO_BIN_EXE_imgdiff"), args);
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    }
}

/// The lines of a text that begin so.
fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines()
        .filter(|line| line.starts_with(start))
        .collect()
}

#[test]
fn identical_is_said_of_bytes() {
    let bed = Bed::new();
    let old = bed.disk("old", &Root::new());
    let again = bed.disk("again", &Root::new());
    let (status, text) = bed.diff(&format!("{old} {again}"));
    assert_eq!(status, 0, "{text}");
    let (_, json) = bed.diff(&format!("--json {old} {again}"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let len = json["old"]["length"].as_u64().unwrap();
    assert!(len > 13 * MIB as u64, "{len}");
    assert!(
        text.ends_with(&format!("\nidentical: all {len} bytes\n")),
        "{text}"
    );
    assert_eq!(
        (&json["identical"], json.get("bytes")),
        (&true.into(), None)
    );
    assert_eq!(
        bed.diff(&format!("--quiet {old} {again}")),
        (0, String::new())
    );
}

#[test]
fn table_file_system_packages_files() {
    let bed = Bed::new();
    let root = Root::new();
    let old = bed.disk("old", &root);
    let mut changed = root
        .with(
            "etc/motd",
            String::from_utf8(root.files["etc/motd"].clone())
                .unwrap()
                .replace("line 20", "line twenty"),
        )
        .with("opt/new/file", "x")
        .with(
            "var/lib/dpkg/status",
            status(
                "5.2-2",
                "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.3\n",
            ),
        );
    changed.mode = 0o600;
    changed.uuid = "00000000-0000-4000-8000-00000000000a";
    changed.partuuid = "b1a0a1c2-0000-4000-8000-00000000000b";
    let new = bed.disk("new", &changed);
    let (status, text) = bed.diff(&format!("{old} {new}"));
    assert_eq!(status, 1, "{text}");
    assert_eq!(lines(&text, "partition "), ["partition root changed"]);
    assert!(
        text.contains("  partuuid: b1a0a1c2-0000-4000-8000-000000000002 -> b1a0a1c2-0000-4000-8000-00000000000b\n"),
        "{text}"
    );
    assert!(
        text.contains("  uuid: 00000000-0000-4000-8000-000000000001 -> 00000000-0000-4000-8000-00000000000a\n"),
        "{text}"
    );
    assert_eq!(
        lines(&text, "package "),
        ["package root:bash changed", "package root:zlib1g added"]
    );
    assert!(text.contains("  version: 5.2-1 -> 5.2-2\n"), "{text}");
    assert_eq!(
        lines(&text, "file root:/opt"),
        [
            "file root:/opt/data changed",
            "file root:/opt/new added, with 1 below it"
        ]
    );
    assert!(
        text.contains("file root:/etc/motd changed\n  mode: 0644 -> 0600\n"),
        "{text}"
    );
    assert!(
        text.contains("  @@ -18,7 +18,7 @@\n   line 17\n   line 18\n   line 19\n  -line 20\n  +line twenty\n   line 21\n"),
        "{text}"
    );
    // As data, and as a page.
    let (status, json) = bed.diff(&format!(
        "--json --html {} {old} {new}",
        bed.at("page.html").display()
    ));
    assert_eq!(status, 1);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["identical"], false);
    let places: Vec<&str> = json["differences"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["area"] == "package")
        .map(|one| one["place"].as_str().unwrap())
        .collect();
    assert_eq!(places, ["root:bash", "root:zlib1g"]);
    let page = fs::read_to_string(bed.at("page.html")).unwrap();
    assert!(
        page.contains("<code>root:/etc/motd</code>") && page.contains("+line twenty"),
        "{page}"
    );
    // No more lines than wanted.
    let (_, text) = bed.diff(&format!("--max-lines 1 {old} {new}"));
    assert!(text.contains("lines more (--max-lines)"), "{text}");
}

#[test]
fn one_byte() {
    let bed = Bed::new();
    let root = Root::new();
    let old = bed.disk("old", &root);
    let mut data = root.files["opt/data"].clone();
    data[12_345] = 8;
    let new = bed.disk("new", &root.with("opt/data", data));
    let (status, text) = bed.diff(&format!("{old} {new}"));
    assert_eq!(status, 1);
    assert_eq!(lines(&text, "file "), ["file root:/opt/data changed"]);
    assert!(
        text.contains("  bytes: 1 differ, the first at 12345, in 1 stretch of blocks\n"),
        "{text}"
    );
    assert!(
        text.contains("partition root (") && text.contains(" > content of /opt/data\n"),
        "{text}"
    );
}

/// Bytes in no file and no structure: the same in all that is read, and yet not identical.
#[test]
fn bytes_that_belong_to_nothing() {
    let bed = Bed::new();
    let mut disk = vec![0; 2 * MIB];
    fs::write(bed.at("old.img"), &disk).unwrap();
    disk[MIB] = 1;
    fs::write(bed.at("new.img"), &disk).unwrap();
    let (status, text) = bed.diff("old.img new.img");
    assert_eq!(status, 1);
    assert!(
        text.contains("bytes: 1 differ, the first at 1048576, in 1 stretch of blocks\n"),
        "{text}"
    );
    // Longer, and else the same.
    disk[MIB] = 0;
    disk.push(0);
    fs::write(bed.at("new.img"), &disk).unwrap();
    let (status, text) = bed.diff("old.img new.img");
    assert_eq!(status, 1);
    assert!(text.contains("  length: 2097152 -> 2097153\n"), "{text}");
    assert!(
        text.contains("bytes: one is the beginning of the other\n"),
        "{text}"
    );
}

/// An archive with an image in it, as an update bundle is.
#[test]
fn archives_and_images_in_them() {
    let bed = Bed::new();
    let root = Root::new();
    let bundle = |name: &str, root: &Root, version: &str| {
        let disk = Root {
            files: BTreeMap::from([("VERSION.TXT", version.into()), ("inner.tar", root.tar())]),
            ..root.clone()
        };
        fs::write(bed.at(name), disk.tar()).unwrap();
    };
    bundle("old.tar", &root, "1\n");
    bundle("new.tar", &root.with("etc/motd", "short\n"), "2\n");
    let (status, text) = bed.diff("old.tar new.tar");
    assert_eq!(status, 1, "{text}");
    assert_eq!(
        lines(&text, "file "),
        [
            "file /VERSION.TXT changed",
            "file /inner.tar /etc/motd changed",
            "file /inner.tar changed",
        ]
    );
    assert!(text.contains("  -1\n  +2\n"), "{text}");
    assert!(text.contains("  +short\n"), "{text}");
}

/// ELF by section: real files, which a compiler makes.
#[test]
fn programs_by_section() {
    let bed = Bed::new();
    if Command::new("gcc").arg("--version").output().is_err() {
        println!("skipped: gcc is not installed");
        return;
    }
    let root = Root::new();
    let mut programs = Vec::new();
    for (name, text) in [("one", "a"), ("two", "b")] {
        let source = format!("const char *text = \"{text}\"; int f(void) {{ return 1; }}\n");
        fs::write(bed.at("f.c"), source).unwrap();
        let status = Command::new("gcc")
            .args([
                "-shared",
                "-fPIC",
                "-nostdlib",
                "-Wl,--build-id=sha1",
                "-o",
                name,
                "f.c",
            ])
            .current_dir(bed.0.path())
            .status();
        assert!(status.unwrap().success());
        programs.push(fs::read(bed.at(name)).unwrap());
    }
    let new = programs.pop().unwrap();
    let old = bed.disk("old", &root.with("opt/program", programs.pop().unwrap()));
    let new = bed.disk("new", &root.with("opt/program", new));
    let (status, text) = bed.diff(&format!("{old} {new}"));
    assert_eq!(status, 1);
    assert_eq!(
        lines(&text, "  elf "),
        ["  elf .note.gnu.build-id changed", "  elf .rodata changed"]
    );
    assert_eq!(lines(&text, "    build-id: ").len(), 1, "{text}");
}

/// In the place of Bazel: says where things are, and "builds" the list of a disk that is there, if the commit is checked out.
const BAZEL: &str = r#"#!/bin/sh
case "$*" in
  "info output_base") echo "$BED/out/base" ;;
  *" build "*" //os:run")
    [ -e marker ] || { echo "no marker in $PWD" >&2; exit 1; }
    runfiles=../bin/os/run.runfiles/_main
    mkdir -p "$runfiles/os" && cp "$BED/old.plan" "$BED/old.tar" "$runfiles"
    printf 'old.plan\nold.tar\n' >"$runfiles/os/run_disk.image" ;;
  *" info bazel-bin") echo "$PWD/../bin" ;;
  *" clean --expunge") ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"#;

#[test]
fn a_commit() {
    let bed = Bed::new();
    let root = Root::new();
    bed.disk("old", &root);
    let new = bed.disk("new", &root.with("etc/motd", "short\n"));
    for folder in ["bin", "out", "workspace"] {
        fs::create_dir(bed.at(folder)).unwrap();
    }
    let workspace = bed.at("workspace");
    fs::write(workspace.join("marker"), "").unwrap();
    let git = |args: &[&str]| {
        Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(args)
            .current_dir(&workspace)
            .output()
    };
    if git(&["init", "--quiet"]).is_err() {
        println!("skipped: git is not installed");
        return;
    }
    for args in [
        &["add", "marker"][..],
        &["commit", "--quiet", "--message", "one"],
        &["rm", "--quiet", "marker"],
        &["commit", "--quiet", "--message", "two"],
    ] {
        let output = git(args).unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    stand_in::program(bed.at("bin/bazel"), BAZEL);
    let diff = |commit: &str| {
        let tool = Path::new(env!("CARGO_BIN_EXE_imgdiff"))
            .canonicalize()
            .unwrap();
        let output = Command::new(tool)
            .args([
                "--new",
                &new,
                "--target=//os:run",
                "--list=os/run_disk.image",
                commit,
            ])
            .current_dir(bed.0.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", bed.at("bin").display()))
            .env("BED", bed.0.path())
            .env("BUILD_WORKSPACE_DIRECTORY", &workspace)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (status, text) = diff("HEAD~1");
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("file root:/etc/motd changed\n"), "{text}");
    // One that does not build, and what is neither.
    let (status, text) = diff("HEAD");
    assert_eq!(status, Some(2), "{text}");
    assert!(
        text.contains("no marker in ") && text.contains("bazel failed"),
        "{text}"
    );
    let (status, text) = diff("nothing");
    assert_eq!(status, Some(2), "{text}");
    assert!(
        text.contains("nothing is no file that is there, and no commit of "),
        "{text}"
    );
    // Nothing is left of either.
    assert_eq!(fs::read_dir(bed.at("out")).unwrap().count(), 0);
    let trees = git(&["worktree", "list"]).unwrap();
    assert_eq!(String::from_utf8(trees.stdout).unwrap().lines().count(), 1);
}

#[test]
fn trouble() {
    let bed = Bed::new();
    fs::write(bed.at("a.img"), vec![1; 5000]).unwrap();
    let (status, text) = bed.diff("a.img missing.img");
    assert_eq!(status, 2);
    assert!(
        text.contains("cannot open ") && text.contains("missing.img"),
        "{text}"
    );
    let (status, text) = bed.diff("a.img");
    assert_eq!(status, 2, "{text}");
    fs::write(bed.at("b.qcow2"), [&b"QFI\xfb"[..], &[0; 5000]].concat()).unwrap();
    fs::write(bed.at("c.qcow2"), [&b"QFI\xfb"[..], &[1; 5000]].concat()).unwrap();
    let (status, text) = bed.diff("b.qcow2 c.qcow2");
    assert_eq!(status, 2);
    assert!(
        text.contains("this is a qcow2 image, not a raw image: convert it first"),
        "{text}"
    );
    let (status, _) = bed.diff("--help");
    assert_eq!(status, 0);
}
