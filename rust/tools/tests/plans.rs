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

use base::Sha256Digest;
use plan::{Plan, Reader};

const CSV: &str = "name,start,size,type,uuid,description\n\
    esp,,2M,esp,b1a0a1c2-0000-4000-8000-000000000001,\n\
    data,,3M,linux,b1a0a1c2-0000-4000-8000-000000000002,\n\
    spare,,1M,linux,b1a0a1c2-0000-4000-8000-000000000003,\n\
    odd,,100s,linux,b1a0a1c2-0000-4000-8000-000000000004,\n";
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

    /// Writes a list: `NAME.image` or `NAME.tree`.
    fn list(&self, name: &str, lines: &[&str]) {
        self.put(name, lines.join("\n").as_bytes());
    }

    /// A boot partition with a kernel, and a data partition with the whole of it in a file.
    fn file_systems(&self) {
        self.put(
            "esp.list",
            b"{\"dest\":\"/kernel\",\"src\":\"kernel\"}\n{\"dest\":\"/etc\",\"dir\":true}\n",
        );
        let inject = env!("CARGO_BIN_EXE_inject");
        let mkfat = env!("CARGO_BIN_EXE_mkfat");
        self.run(inject, "--files esp.list --mtime 5 --output esp.jsonl")
            .unwrap();
        self.list("esp.tree", &["esp.jsonl", "kernel"]);
        self.run(
            mkfat,
            "--tree esp.tree --size-mib 2 --volume-id 1234abcd --mtime 1000000000 --output esp.plan",
        )
        .unwrap();
        self.list("esp.image", &["esp.plan", "kernel"]);
        self.put(
            "data.list",
            b"{\"dest\":\"/config\",\"src\":\"config\"}\n{\"dest\":\"/esp.img\",\"src\":\"esp.image\"}\n",
        );
        self.run(inject, "--files data.list --mtime 5 --output data.jsonl")
            .unwrap();
        self.list("data.tree", &["data.jsonl", "config", "esp.image"]);
        self.run(
            mkfat,
            "--tree data.tree --partitions table.csv --partition data --volume-id 1234abce --mtime 1000000000 --output data.plan",
        )
        .unwrap();
        self.list("data.image", &["data.plan", "config", "kernel"]);
    }
}

fn position(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|w| w == part).unwrap()
}

#[test]
fn an_image_is_as_large_as_its_partition() {
    let bed = Bed::new();
    bed.file_systems();
    let ext4 = "--tree data.tree --partitions table.csv --partition data --uuid 00000000-0000-4000-8000-000000000001 \
         --hash-seed 00000000-0000-4000-8000-000000000002 --mtime 1000000000 --output ext4.plan";
    bed.run(env!("CARGO_BIN_EXE_mkext4"), ext4).unwrap();
    for plan in ["data.plan", "ext4.plan"] {
        assert_eq!(
            Plan::open(&bed.path(plan)).unwrap().len(),
            3 << 20,
            "{plan}"
        );
    }
}

#[test]
fn a_disk_and_a_bundle() {
    let bed = Bed::new();
    bed.file_systems();
    let esp = bed.bytes("esp.plan", &["kernel"]);
    let data = bed.bytes("data.plan", &["config", "kernel"]);
    // The inner file system lies in the outer one in one piece.
    let at = position(&data, &esp);
    assert_eq!(data[at..at + esp.len()], esp[..]);

    let mkdisk = env!("CARGO_BIN_EXE_mkdisk");
    let disk = format!("--partitions table.csv --disk-guid {GUID} --output disk.plan");
    bed.run(
        mkdisk,
        &format!("{disk} --image data=data.image --image esp=esp.image --image spare=raw.img"),
    )
    .unwrap();
    let inputs = ["config", "kernel", "raw.img"];
    bed.list(
        "disk.image",
        &["disk.plan", inputs[0], inputs[1], inputs[2]],
    );
    let bytes = bed.bytes("disk.plan", &inputs);
    assert_eq!(bytes.len(), 8 << 20);
    let mib = |n: usize| &bytes[n << 20..];
    assert!(mib(1)[..esp.len()] == esp[..] && mib(3)[..data.len()] == data[..]);
    assert!(mib(6)[..5000] == [9; 5000] && mib(6)[5000] == 0);

    let mkbundle = env!("CARGO_BIN_EXE_mkbundle");
    bed.run(
        mkbundle,
        "--mtime 7 --output tar.plan --member VERSION.TXT=config --member root.img=data.image",
    )
    .unwrap();
    bed.list("tar.image", &["tar.plan", "config", "kernel"]);
    let tar = bed.bytes("tar.plan", &["config", "kernel"]);
    assert_eq!(position(&tar, b"key=value") % 4096, 0);
    assert!(tar.windows(data.len()).any(|part| part == data));

    for image in ["disk", "tar", "esp"] {
        let args = format!("--image {image}.image --output {image}.digest");
        bed.run(env!("CARGO_BIN_EXE_hashimage"), &args).unwrap();
    }
    let images = "--image disk.img=disk.digest --image update.tar=tar.digest --image esp=esp.digest --image v=version";
    let mkchecksums = env!("CARGO_BIN_EXE_mkchecksums");
    bed.run(mkchecksums, &format!("{images} --output sums"))
        .unwrap();
    let sums = fs::read_to_string(bed.path("sums")).unwrap();
    let sum = |bytes: &[u8]| Sha256Digest::of(bytes).to_string();
    let version = b"1.2\n".to_vec();
    let want = [
        ("disk.img", &bytes),
        ("esp", &esp),
        ("update.tar", &tar),
        ("v", &version),
    ]
    .map(|(name, bytes)| format!("{}  {name}\n", sum(bytes)));
    assert_eq!(sums, want.concat());

    let mkmanifest = env!("CARGO_BIN_EXE_mkmanifest");
    bed.run(
        mkmanifest,
        "--name n --version-file version --partitions table.csv --image esp=esp.digest \
         --artifact disk.img=disk.digest --output manifest",
    )
    .unwrap();
    let manifest = fs::read_to_string(bed.path("manifest")).unwrap();
    assert!(manifest.contains(&sum(&bytes)) && manifest.contains(&sum(&esp)));
    assert!(!manifest.contains("unlocked"));
    let unlocked = "--name n --version-file version --partitions table.csv --unlocked b --unlocked a --output manifest";
    bed.put("a", b"unlocked: a 2 in place of 1 (x)\n");
    bed.put(
        "b",
        b"unlocked: c 2 in place of 1 (y)\nunlocked: no b 1 (y)\n",
    );
    bed.run(mkmanifest, unlocked).unwrap();
    let manifest = fs::read_to_string(bed.path("manifest")).unwrap();
    let list = "\"unlocked\": [\n    \"a 2 in place of 1 (x)\",\n    \"c 2 in place of 1 (y)\",\n    \"no b 1 (y)\"\n  ]";
    assert!(manifest.contains(list), "{manifest}");
    bed.put("a", b"something else\n");
    let error = bed.run(mkmanifest, unlocked).unwrap_err();
    assert!(
        error.contains("a: \"something else\" is no note"),
        "{error}"
    );
}

/// Times before 1970 are times, where a format has them.
#[test]
fn before_1970() {
    let bed = Bed::new();
    bed.put("list", b"{\"dest\":\"/config\",\"src\":\"config\"}\n");
    let inject = env!("CARGO_BIN_EXE_inject");
    bed.run(inject, "--files list --mtime -1 --output tree.jsonl")
        .unwrap();
    let tree = fs::read_to_string(bed.path("tree.jsonl")).unwrap();
    assert_eq!(tree.matches("\"mtime\":-1,").count(), 2, "{tree}");
    let mkbundle = env!("CARGO_BIN_EXE_mkbundle");
    bed.run(
        mkbundle,
        "--mtime -1 --output tar.plan --member VERSION.TXT=config",
    )
    .unwrap();
    let tar = bed.bytes("tar.plan", &["config"]);
    position(&tar, b"12 mtime=-1\n");
}

/// Files that lack something, or have too much.
fn put_what_is_wrong(bed: &Bed) {
    bed.put(
        "both.list",
        b"{\"dest\":\"/a\",\"src\":\"kernel\",\"dir\":true}\n",
    );
    bed.put("bad.list", b"{\"dest\":\"/a\",\"src\":\"bad.image\"}\n");
    bed.put("bad.digest", b"0123 4\n");
    bed.put("other.fsverity", b"sha256:0123 4\n");
    bed.list("bad.image", &["kernel", "config"]);
    bed.list("few.image", &["data.plan", "config"]);
    bed.list("other.image", &["esp.plan", "config"]);
    bed.list("twice.image", &["data.plan", "kernel", "kernel"]);
    bed.list("few.tree", &["data.jsonl", "config"]);
    bed.list("other.tree", &["data.jsonl", "esp.image", "config"]);
    bed.list("long.tree", &["data.jsonl", "config", "data.image"]);
}

/// Tool, flags besides those that every call of it here has, and what the error says.
const REFUSED: &str = r#"
mkdisk      | --image spare=data.image                                | larger than partition "spare"
mkdisk      | --image data=few.image                                  | few.image: the plan was made over 2 inputs, but 1 are given
mkdisk      | --image data=twice.image                                | twice.image names kernel in line 2 and again in line 3
mkdisk      | --image esp=other.image --image data=data.image         | one image was made over config of 300000 bytes, another over 10
mkdisk      | --image esp=bad.image                                   | bad.image: kernel: not a valid image plan
mkdisk      | --image esp=none.image                                  | cannot read none.image
mkdisk      | --image esp=esp.image --image esp=esp.image             | was given already, as esp.image
mkfat       | --tree data.tree --size-mib -3                          | invalid value '-3' for '--size-mib <SIZE_MIB>'
mkfat       | --tree data.tree --partitions table.csv --partition config | table.csv: no partition is called config
mkfat       | --tree data.tree --partitions table.csv --partition odd | table.csv: line 5: odd has 51200 bytes, want whole MiB for a file system
mkfat       | --tree few.tree --size-mib 3                            | few.tree: 1 files are given for 2 inputs
mkfat       | --tree data.tree --size-mib 3 --size-mib 1              | used multiple times
mkfat       | --tree other.tree --size-mib 3                          | other.tree: esp.image is an image of 2097152 bytes, want 10
mkfat       | --tree long.tree --size-mib 3                           | long.tree: data.image is an image of 3145728 bytes, want 2097152
mkfat       | --tree config --size-mib 3                              | cannot open key=value
mkext4      | --tree data.tree --partitions table.csv --partition odd | table.csv: line 5: odd has 51200 bytes, want whole MiB for a file system
mkext4      | --tree data.tree --partitions table.csv --partition config | table.csv: no partition is called config
mkext4      | --tree data.tree --partitions table.csv --partition data --size-mib 3 | '--partition <NAME>' cannot be used with '--size-mib <SIZE_MIB>'
inject      | --files both.list                                       | wants exactly one of 'src', 'dir' and 'symlink'
inject      | --files bad.list                                        | bad.list line 1: kernel: not a valid image plan
hashimage   | --image other.image                                     | config has 10 bytes, but the plan was made over 300000
mkchecksums | --image a=other.fsverity                                | other.fsverity: got "sha256:0123 4\n", want a SHA-256 of 64 hexadecimal digits, a space and a length
mkchecksums | --image a=bad.digest                                    | bad.digest: got "0123 4\n", want a SHA-256 of 64 hexadecimal digits, a space and a length
mkchecksums | --image a=kernel --image a=config                       | --image: "a" was given already
"#;

/// Where a tool of [`REFUSED`] is, and the flags that every call of it has.
fn called(tool: &str) -> (&'static str, &'static str) {
    match tool {
        "mkdisk" => (
            env!("CARGO_BIN_EXE_mkdisk"),
            "--partitions table.csv --disk-guid 0d15c000-0000-4000-8000-000000000001",
        ),
        "mkfat" => (
            env!("CARGO_BIN_EXE_mkfat"),
            "--volume-id 1234abce --mtime 1000000000",
        ),
        "mkext4" => (
            env!("CARGO_BIN_EXE_mkext4"),
            "--uuid 00000000-0000-4000-8000-000000000001 --hash-seed 00000000-0000-4000-8000-000000000002 --mtime 1000000000",
        ),
        "inject" => (env!("CARGO_BIN_EXE_inject"), "--mtime 5"),
        "hashimage" => (env!("CARGO_BIN_EXE_hashimage"), ""),
        "mkchecksums" => (env!("CARGO_BIN_EXE_mkchecksums"), ""),
        other => panic!("no tool {other}"),
    }
}

#[test]
fn refused() {
    let bed = Bed::new();
    bed.file_systems();
    put_what_is_wrong(&bed);
    for row in REFUSED.trim().lines() {
        let columns: Vec<&str> = row.split(" | ").map(str::trim).collect();
        let [tool, flags, want] = columns[..] else {
            panic!("want three columns: {row}")
        };
        let (program, more) = called(tool);
        let Err(error) = bed.run(program, &format!("{flags} {more} --output out")) else {
            panic!("{row}: it was taken")
        };
        assert!(error.contains(want), "{row}\n{error}");
        assert!(!bed.path("out").exists(), "{row}");
    }
}
