//! Images of many more inputs than a process may have files open: every tool that opens them, under a low limit.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base::Sha256Digest;

/// Descriptors that a tool may have.
const LIMIT: usize = 40;
/// Inputs: far more.
const INPUTS: usize = 3000;

const UUID: &str = "0d15c000-0000-4000-8000-000000000001";

struct Bed(tempfile::TempDir);

impl Bed {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs a tool in the folder under the limit; what it printed.
    fn run(&self, tool: &str, args: &str) -> String {
        let output = Command::new("sh")
            .args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &LIMIT.to_string()])
            .arg(Path::new(tool).canonicalize().unwrap())
            .args(args.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{tool} {args}: {text}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn content(number: usize) -> String {
    format!("this is file {number}\n").repeat(number % 7 + 1)
}

/// A bed with the files, and `list` for `inject`.
fn bed() -> Bed {
    let bed = Bed(tempfile::tempdir().unwrap());
    let mut list = String::new();
    for number in 0..INPUTS {
        bed.put(&format!("f{number}"), content(number));
        writeln!(
            list,
            "{{\"dest\":\"/d{}/f{number}\",\"src\":\"f{number}\"}}",
            number % 10
        )
        .unwrap();
    }
    bed.put("list", list);
    bed
}

#[test]
fn from_files_to_images() {
    let bed = bed();
    // With units to look at: the tool opens what it injects.
    bed.run(
        env!("CARGO_BIN_EXE_inject"),
        "--files list --preset-all --mtime 5 --output the.jsonl",
    );
    let names: String = (0..INPUTS).map(|n| format!("f{n}\n")).collect();
    bed.put("the.tree", format!("the.jsonl\n{names}"));
    for plan in ["ext4", "fat", "qcow2", "tar"] {
        bed.put(&format!("{plan}.image"), format!("{plan}.plan\n{names}"));
    }
    bed.put("verity.image", format!("verity.plan\n{names}area\n"));
    bed.run(
        env!("CARGO_BIN_EXE_mkext4"),
        &format!(
            "--tree the.tree --size-mib 0 --mtime 5 --uuid {UUID} --hash-seed {UUID} --output ext4.plan"
        ),
    );
    bed.run(
        env!("CARGO_BIN_EXE_mkfat"),
        "--tree the.tree --size-mib 8 --volume-id 1234abcd --mtime 1000000000 --output fat.plan",
    );
    bed.run(
        env!("CARGO_BIN_EXE_mkverity"),
        &format!(
            "--image ext4.image --salt 00 --uuid {UUID} --output verity.plan --hash-area-output area \
             --root-hash-output root --hash-offset-output offset"
        ),
    );
    bed.run(
        env!("CARGO_BIN_EXE_mkbundle"),
        "--member a=ext4.image --member b=fat.image --mtime 7 --output tar.plan",
    );
    bed.run(
        env!("CARGO_BIN_EXE_mkqcow2"),
        "--image ext4.image --output qcow2.plan",
    );
    for image in ["ext4", "fat", "tar"] {
        bed.run(
            env!("CARGO_BIN_EXE_hashimage"),
            &format!("--image {image}.image --output {image}.digest"),
        );
    }

    let materialize = env!("CARGO_BIN_EXE_materialize");
    for plan in ["ext4", "fat", "tar"] {
        bed.run(
            materialize,
            &format!("--image {plan}.image --digest-output {plan}.sum --output {plan}.img"),
        );
        let sum = bed.text(&format!("{plan}.sum"));
        let bytes = fs::read(bed.path(&format!("{plan}.img"))).unwrap();
        assert_eq!(
            sum,
            format!("{} {}\n", Sha256Digest::of(&bytes), bytes.len())
        );
        assert_eq!(sum, bed.text(&format!("{plan}.digest")));
    }
    for plan in ["verity", "qcow2"] {
        let images = format!("--image {plan}.image");
        bed.run(materialize, &format!("{images} --output {plan}.img"));
        bed.run(materialize, &format!("{images} --zstd --output {plan}.zst"));
    }

    // What is in them: by a list, as people and boot tests open them.
    for plan in ["ext4", "fat"] {
        let imgdump = env!("CARGO_BIN_EXE_imgdump");
        for number in [0, 1, LIMIT, INPUTS - 1] {
            let path = format!("/d{}/f{number}", number % 10);
            let text = bed.run(imgdump, &format!("cat {plan}.image {path}"));
            assert_eq!(text, content(number));
        }
        let by_list = bed.run(imgdump, &format!("{plan}.image"));
        assert_eq!(by_list, bed.run(imgdump, &format!("{plan}.img")));
    }
}

/// As many outputs as inputs, or nothing is written.
#[test]
fn block_hashes_without_a_place() {
    let bed = Bed(tempfile::tempdir().unwrap());
    bed.put("a", "a");
    bed.put("b", "b");
    let tool = Path::new(env!("CARGO_BIN_EXE_hashblocks"));
    let output = Command::new(tool.canonicalize().unwrap())
        .args("--input a --input b --salt 00 --output ha".split_whitespace())
        .current_dir(bed.0.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("--output: 1 files for 2 of --input, want one for each"),
        "{text}"
    );
    assert!(!bed.path("ha").exists());
}

/// The digests of blocks are a file for each input, too.
#[test]
fn many_block_hashes() {
    let bed = Bed(tempfile::tempdir().unwrap());
    let (mut names, mut known, mut list) = (String::new(), String::new(), String::new());
    let mut pairs = String::from("--salt\n00\n");
    // Few and long extents, so that the digests are not all held in memory.
    for number in 0..2 * LIMIT {
        let name = format!("f{number}");
        let mut bytes = vec![u8::try_from(number).unwrap(); 200_000];
        bytes.resize(204_800, 1);
        bed.put(&name, bytes);
        writeln!(pairs, "--input\n{name}\n--output\nh{number}").unwrap();
        writeln!(names, "{name}").unwrap();
        writeln!(known, "--input\n{name}\n--hashes\nh{number}").unwrap();
        writeln!(list, "{{\"dest\":\"/{name}\",\"src\":\"{name}\"}}").unwrap();
    }
    bed.put("pairs", pairs);
    bed.run(env!("CARGO_BIN_EXE_hashblocks"), "@pairs");
    bed.put("the.tree", format!("the.jsonl\n{names}"));
    bed.put("the.image", format!("plan\n{names}"));
    bed.put("known", known);
    bed.put("list", list);
    bed.run(
        env!("CARGO_BIN_EXE_inject"),
        "--files list --mtime 5 --output the.jsonl",
    );
    bed.run(
        env!("CARGO_BIN_EXE_mkext4"),
        &format!(
            "--tree the.tree --size-mib 0 --mtime 5 --uuid {UUID} --hash-seed {UUID} --output plan"
        ),
    );
    for (known, root) in [("", "without"), ("@known", "with")] {
        bed.run(
            env!("CARGO_BIN_EXE_mkverity"),
            &format!(
                "--image the.image {known} --salt 00 --uuid {UUID} --output verity.plan \
                 --root-hash-output {root} --hash-offset-output offset"
            ),
        );
    }
    assert_eq!(bed.text("with"), bed.text("without"));
}

/// An archive as `mkrootfs` makes it: files of all lengths around a block.
fn archive() -> Vec<u8> {
    let mut writer = archive::Writer::aligned(Vec::new(), archive::Alignment::Page);
    for (number, len) in [1usize, 4095, 4096, 4097, 20_000, 12_288, 70_001, 3]
        .iter()
        .enumerate()
    {
        let data: Vec<u8> = (0..*len)
            .map(|n| (n * 7 + n / 251 + number) as u8)
            .collect();
        let (offset, len) = (0, data.len() as u64);
        let kind = archive::Kind::File { offset, len };
        let entry = archive::Entry::new(format!("f{number}"), kind, 0o644);
        writer.append(&entry, data.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

/// Of an image over an archive the hash area is a range of the archive's block hashes, ends of files included; what is an image's own is what the
/// file system holds, and the levels above.
#[test]
fn an_archive_is_hashed_once() {
    let bed = Bed(tempfile::tempdir().unwrap());
    bed.put("base.tar", archive());
    bed.put("own", "of this image");
    bed.put("list", "{\"dest\":\"/own\",\"src\":\"own\"}\n");
    bed.run(
        env!("CARGO_BIN_EXE_hashblocks"),
        "--archive --input base.tar --salt 00 --output blocks",
    );
    bed.run(
        env!("CARGO_BIN_EXE_inject"),
        "--base base.tar --files list --mtime 5 --output the.jsonl",
    );
    bed.put("the.tree", "the.jsonl\nbase.tar\nown\n");
    bed.put("the.image", "plan\nbase.tar\nown\n");
    bed.put(
        "known.image",
        "known.plan\nbase.tar\nown\nblocks\nknown.area\n",
    );
    bed.put("read.image", "read.plan\nbase.tar\nown\nread.area\n");
    bed.run(
        env!("CARGO_BIN_EXE_mkext4"),
        &format!(
            "--tree the.tree --size-mib 0 --mtime 5 --uuid {UUID} --hash-seed {UUID} --output plan"
        ),
    );
    for (name, known) in [("known", "--input base.tar --hashes blocks"), ("read", "")] {
        bed.run(
            env!("CARGO_BIN_EXE_mkverity"),
            &format!(
                "--image the.image {known} --salt 00 --uuid {UUID} --output {name}.plan --hash-area-output {name}.area \
                 --root-hash-output {name}.root --hash-offset-output {name}.offset"
            ),
        );
        bed.run(
            env!("CARGO_BIN_EXE_materialize"),
            &format!("--image {name}.image --output {name}.img"),
        );
    }
    assert_eq!(bed.text("known.root"), bed.text("read.root"));
    let bytes = |name: &str| fs::read(bed.path(name)).unwrap();
    assert!(bytes("known.img") == bytes("read.img"));
    // 32 blocks of the archive's files.
    assert_eq!(
        bytes("read.area").len() - bytes("known.area").len(),
        32 * 32
    );
    let plan = plan::Plan::open(&bed.path("known.plan")).unwrap();
    let of_blocks = plan
        .extents()
        .filter(|extent| matches!(extent.piece, plan::Piece::Source { input: 2, .. }));
    let len: u64 = of_blocks.map(|extent| extent.len).sum();
    assert_eq!(len, 32 * 32);
}

#[test]
fn block_hashes_of_no_input() {
    let bed = Bed(tempfile::tempdir().unwrap());
    bed.put("a", vec![1; 5000]);
    bed.put("b", vec![2; 5000]);
    bed.run(
        env!("CARGO_BIN_EXE_hashblocks"),
        "--input a --salt 00 --output ha",
    );
    let refused = |known: &str| {
        let tool = Path::new(env!("CARGO_BIN_EXE_mkverity"));
        let output = Command::new(tool.canonicalize().unwrap())
            .args([
                "--image", "a", "--salt", "00", "--uuid", UUID, "--output", "p",
            ])
            .args(["--root-hash-output", "r", "--hash-offset-output", "o"])
            .args(known.split_whitespace())
            .current_dir(bed.0.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(!bed.path("p").exists());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (known, want) in [
        (
            "--input a",
            "--hashes: 0 files for 1 of --input, want one for each",
        ),
        (
            "--input b --hashes ha",
            "--input: b is not in a, or not behind the --input before it",
        ),
        (
            "--input a --hashes ha --input a --hashes ha",
            "--input: a is not in a, or not behind the --input before it",
        ),
    ] {
        let text = refused(known);
        assert!(text.contains(want), "{text}");
    }
}
