//! From a list of files to a disk and a bundle, plan by plan, and what their sums are: the tools as a build calls them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plan::{Plan, Reader};
use sha2::{Digest, Sha256};

const CSV: &str = "name,start,size,type,uuid,description\n\
    esp,,2M,esp,b1a0a1c2-0000-4000-8000-000000000001,\n\
    data,,3M,linux,b1a0a1c2-0000-4000-8000-000000000002,\n\
    spare,,1M,linux,b1a0a1c2-0000-4000-8000-000000000003,\n";
const GUID: &str = "0d15c000-0000-4000-8000-000000000001";

struct Bed(tempfile::TempDir);

impl Bed {
    fn new() -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        bed.put("kernel", &vec![7; 300_000]);
        bed.put("config", b"key=value\n");
        bed.put("raw.img", &[9; 5000]);
        bed.put("table.csv", CSV.as_bytes());
        bed.put("version", b"1.2\n");
        bed
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a tool in the folder; its error, if it failed.
    fn run(&self, tool: &str, args: &str) -> Result<(), String> {
        let output = Command::new(Path::new(tool).canonicalize().unwrap())
            .args(args.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(()).ok_or(text)
    }

    fn bytes(&self, plan: &str, inputs: &[&str]) -> Vec<u8> {
        let plan = Plan::open(&self.path(plan)).unwrap();
        let inputs: Vec<PathBuf> = inputs.iter().map(|name| self.path(name)).collect();
        let reader = Reader::open(plan, &inputs).unwrap();
        let mut bytes = vec![1; reader.len() as usize];
        reader.read_at(&mut bytes, 0).unwrap();
        bytes
    }

    /// A boot partition with a kernel, and a data partition with the whole of it in a file.
    fn file_systems(&self) {
        self.put(
            "esp.list",
            b"{\"dest\":\"/kernel\",\"src\":\"kernel\"}\n{\"dest\":\"/etc\",\"dir\":true}\n",
        );
        let inject = env!("CARGO_BIN_EXE_inject");
        let mkfat = env!("CARGO_BIN_EXE_mkfat");
        self.run(inject, "--files esp.list --mtime 5 --output esp.tree")
            .unwrap();
        self.run(
            mkfat,
            "--tree esp.tree --size-mib 2 --volume-id 1234abcd --mtime 1000000000 --output esp.plan",
        )
        .unwrap();
        self.put(
            "data.list",
            b"{\"dest\":\"/config\",\"src\":\"config\"}\n{\"dest\":\"/esp.img\",\"plan\":\"esp.plan\"}\n",
        );
        self.run(inject, "--files data.list --mtime 5 --output data.tree")
            .unwrap();
        self.run(
            mkfat,
            "--tree data.tree --source 1 --source esp.plan:0 --partitions table.csv --partition data --volume-id 1234abce --mtime 1000000000 \
             --output data.plan",
        )
        .unwrap();
    }
}

fn position(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|w| w == part).unwrap()
}

#[test]
fn a_disk_and_a_bundle() {
    let bed = Bed::new();
    bed.file_systems();
    let esp = bed.bytes("esp.plan", &["kernel"]);
    let data = bed.bytes("data.plan", &["kernel", "config"]);
    // The inner file system lies in the outer one in one piece.
    let at = position(&data, &esp);
    assert_eq!(data[at..at + esp.len()], esp[..]);

    let mkdisk = env!("CARGO_BIN_EXE_mkdisk");
    let disk = format!("--partitions table.csv --disk-guid {GUID} --output disk.plan");
    bed.run(
        mkdisk,
        &format!(
            "{disk} --image esp=esp.plan:1 --image data=data.plan:1,0 --image spare=raw.img::2"
        ),
    )
    .unwrap();
    let inputs = ["config", "kernel", "raw.img"];
    let bytes = bed.bytes("disk.plan", &inputs);
    assert_eq!(bytes.len(), 8 << 20);
    let mib = |n: usize| &bytes[n << 20..];
    assert!(mib(1)[..esp.len()] == esp[..] && mib(3)[..data.len()] == data[..]);
    assert!(mib(6)[..5000] == [9; 5000] && mib(6)[5000] == 0);

    let mkbundle = env!("CARGO_BIN_EXE_mkbundle");
    bed.run(
        mkbundle,
        "--mtime 7 --output tar.plan --member VERSION.TXT=config::0 --member root.img=data.plan:1,0",
    )
    .unwrap();
    let tar = bed.bytes("tar.plan", &["config", "kernel"]);
    assert_eq!(position(&tar, b"key=value") % 4096, 0);
    assert!(tar.windows(data.len()).any(|part| part == data));

    let images =
        "--image disk.img=disk.plan:0,1,2 --image update.tar=tar.plan:0,1 --image esp=esp.plan:1";
    let files = "--input config --input kernel --input raw.img";
    let mkchecksums = env!("CARGO_BIN_EXE_mkchecksums");
    bed.run(mkchecksums, &format!("{images} {files} --output sums"))
        .unwrap();
    let sums = fs::read_to_string(bed.path("sums")).unwrap();
    let sum = |bytes: &[u8]| -> String {
        let digest = Sha256::digest(bytes);
        digest.iter().map(|b| format!("{b:02x}")).collect()
    };
    let want = [("disk.img", &bytes), ("esp", &esp), ("update.tar", &tar)]
        .map(|(name, bytes)| format!("{}  {name}\n", sum(bytes)));
    assert_eq!(sums, want.concat());

    let mkmanifest = env!("CARGO_BIN_EXE_mkmanifest");
    bed.run(
        mkmanifest,
        &format!(
            "--name n --version-file version --partitions table.csv --image esp=esp.plan:1 \
             --artifact disk.img=disk.plan:0,1,2 {files} --output manifest"
        ),
    )
    .unwrap();
    let manifest = fs::read_to_string(bed.path("manifest")).unwrap();
    assert!(manifest.contains(&sum(&bytes)) && manifest.contains(&sum(&esp)));
}

/// Times before 1970 are times, where a format has them.
#[test]
fn before_1970() {
    let bed = Bed::new();
    bed.put("list", b"{\"dest\":\"/config\",\"src\":\"config\"}\n");
    let inject = env!("CARGO_BIN_EXE_inject");
    bed.run(inject, "--files list --mtime -1 --output tree")
        .unwrap();
    let tree = fs::read_to_string(bed.path("tree")).unwrap();
    assert_eq!(tree.matches("\"mtime\":-1,").count(), 2, "{tree}");
    let mkbundle = env!("CARGO_BIN_EXE_mkbundle");
    bed.run(
        mkbundle,
        "--mtime -1 --output tar.plan --member VERSION.TXT=config::0",
    )
    .unwrap();
    let tar = bed.bytes("tar.plan", &["config"]);
    position(&tar, b"12 mtime=-1\n");
}

#[test]
fn refused() {
    let bed = Bed::new();
    bed.file_systems();
    let disk = format!("--partitions table.csv --disk-guid {GUID} --output out");
    let fat = "--tree data.tree --size-mib 3 --volume-id 1234abce --mtime 1000000000 --output out";
    let mkdisk = env!("CARGO_BIN_EXE_mkdisk");
    let mkfat = env!("CARGO_BIN_EXE_mkfat");
    let inject = env!("CARGO_BIN_EXE_inject");
    let mkchecksums = env!("CARGO_BIN_EXE_mkchecksums");
    bed.put(
        "both.list",
        b"{\"dest\":\"/a\",\"src\":\"kernel\",\"plan\":\"esp.plan\"}\n",
    );
    bed.put("bad.list", b"{\"dest\":\"/a\",\"plan\":\"kernel\"}\n");
    let cases = [
        (
            mkdisk,
            format!("{disk} --image spare=data.plan:0,1"),
            "larger than partition \"spare\"",
        ),
        (
            mkdisk,
            format!("{disk} --image data=data.plan:0"),
            "data.plan has 2 inputs, but 1 positions are given",
        ),
        (
            mkdisk,
            format!("{disk} --image data=data.plan:0,2"),
            "no plan has an input at position 1",
        ),
        (
            mkdisk,
            format!("{disk} --image esp=esp.plan:0 --image data=data.plan:1,0"),
            "two plans disagree on what input 0 is",
        ),
        (
            mkdisk,
            format!("{disk} --image esp=kernel:0"),
            "kernel: not a valid image plan",
        ),
        (
            mkdisk,
            format!("{disk} --image esp=esp.plan:0 --image esp=esp.plan:0"),
            "was given already, as esp.plan",
        ),
        (
            mkdisk,
            format!("{disk} --image esp=esp.plan"),
            "is neither PLAN:0,1",
        ),
        (
            mkfat,
            fat.replace("--size-mib 3", "--size-mib -3"),
            "invalid value '-3' for '--size-mib <SIZE_MIB>'",
        ),
        (
            mkfat,
            fat.replace("--size-mib 3", "--partitions table.csv --partition config"),
            "table.csv: no partition is called config",
        ),
        (
            mkfat,
            format!("{fat} --source 0"),
            "the tree has 2 inputs, but 1 sources are given",
        ),
        (
            mkfat,
            format!("{fat} --source 0 --source 1 --size-mib 1"),
            "used multiple times",
        ),
        (
            mkfat,
            format!("{fat} --source esp.plan:0 --source 1"),
            "source 0 has 2097152 bytes, but the tree was made over 10",
        ),
        (
            inject,
            "--files both.list --mtime 5 --output out".into(),
            "wants exactly one of 'src', 'plan', 'dir' and 'symlink'",
        ),
        (
            inject,
            "--files bad.list --mtime 5 --output out".into(),
            "bad.list line 1: kernel: not a valid image plan",
        ),
        (
            mkchecksums,
            "--image a=esp.plan:0 --input config --output out".into(),
            "config has 10 bytes, but the plan was made over 300000",
        ),
        (
            mkchecksums,
            "--image a=esp.plan:0 --output out".into(),
            "over 1 inputs, but 0 are given",
        ),
        (
            mkchecksums,
            "--image a=esp.plan:0 --image a=esp.plan:0 --input kernel --output out".into(),
            "\"a\" was given already",
        ),
    ];
    for (tool, args, want) in cases {
        let Err(error) = bed.run(tool, &args) else {
            panic!("{args} was taken")
        };
        assert!(error.contains(want), "{args}\n{error}\nwant {want}");
        assert!(!bed.path("out").exists(), "{args}");
    }
}
