//! The program on files in place of partitions: a whole upgrade, and everything it refuses.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use archive::{Entry, Kind, Writer};
use grubenv::{next_boot, Block, Limit, Slot};
use serde_json::Value;
use tempfile::TempDir;

const CSV: &str = "\
name,start,size,type,uuid,description
A_boot,,1M,xbootldr,b1a0a1c2-0000-4000-8000-0000000000a0,
A_root,,3M,root-x86-64,b1a0a1c2-0000-4000-8000-0000000000a1,
B_boot,,1M,xbootldr,B1A0A1C2-0000-4000-8000-0000000000B0,
B_root,,3M,root-x86-64,b1a0a1c2-0000-4000-8000-0000000000b1,
";

struct Node {
    dir: TempDir,
}

impl Node {
    fn new() -> Self {
        let node = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(node.path("dev")).unwrap();
        fs::write(node.path("partitions.csv"), CSV).unwrap();
        for (uuid, mib) in [("a0", 1), ("a1", 3), ("b0", 1), ("b1", 3)] {
            fs::write(node.partition(uuid), vec![0; mib << 20]).unwrap();
        }
        node.set_env(&[("boot_alternative", "A"), ("boot_cycle", "install")]);
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn partition(&self, short: &str) -> PathBuf {
        self.path(&format!("dev/b1a0a1c2-0000-4000-8000-0000000000{short}"))
    }

    fn set_env(&self, variables: &[(&str, &str)]) {
        let mut block = Block::new();
        for (name, value) in variables {
            block.set(name, value.as_bytes()).unwrap();
        }
        fs::write(self.path("grubenv"), block.to_bytes().unwrap()).unwrap();
    }

    /// What GRUB does with grubenv; the kernel gets its command line from it.
    fn reboot(&self) -> Slot {
        let block = Block::parse(&fs::read(self.path("grubenv")).unwrap()).unwrap();
        let (slot, left) = next_boot(&block, Limit::DEFAULT, true).unwrap();
        fs::write(self.path("grubenv"), left.to_bytes().unwrap()).unwrap();
        fs::write(self.path("cmdline"), command_line(slot)).unwrap();
        slot
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manageboot"));
        command
            .arg("--grubenv")
            .arg(self.path("grubenv"))
            .arg("--partitions")
            .arg(self.path("partitions.csv"))
            .arg("--device-dir")
            .arg(self.path("dev"))
            .arg("--cmdline")
            .arg(self.path("cmdline"))
            .args(args);
        command
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["--json"], args].concat())).unwrap()
    }

    /// The error of a run that must fail with `status` and change nothing.
    fn refused(&self, args: &[&str], status: i32) -> String {
        let before = self.content();
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{args:?}: {output:?}");
        assert!(self.content() == before, "{args:?} changed something");
        String::from_utf8(output.stderr).unwrap()
    }

    fn content(&self) -> Vec<Option<Vec<u8>>> {
        ["a0", "a1", "b0", "b1"]
            .map(|uuid| self.partition(uuid))
            .into_iter()
            .chain([self.path("grubenv")])
            .map(|path| fs::read(path).ok())
            .collect()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn bundle(&self, members: Members<'_>) -> String {
        self.write("update.tar", &tar(members))
    }
}

/// What GRUB starts the kernel of `slot` with, by the template that the images are made from.
fn command_line(slot: Slot) -> String {
    // Bazel runs tests at the root of the source tree, cargo in the package's folder.
    let template = "ic-os/common/boot_args.template";
    let text = fs::read_to_string(template)
        .or_else(|_| fs::read_to_string(Path::new("../../..").join(template)))
        .unwrap();
    let variable = |name: String| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&name)?.strip_prefix("=\""));
        line.unwrap().trim_end_matches('"').to_owned()
    };
    let mut line =
        variable(format!("BOOT_ARGS_{slot}")) + " " + &variable("BOOT_ARGS_COMMON".into());
    for (name, short) in [("A_root", "a1"), ("B_root", "b1")] {
        let uuid = format!("b1a0a1c2-0000-4000-8000-0000000000{short}");
        line = line.replace(&format!("{{{{partuuid:{name}}}}}"), &uuid);
    }
    line + "\n"
}

type Members<'a> = &'a [(&'a str, &'a [u8])];

fn tar(members: Members<'_>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, data) in members {
        let len = data.len().try_into().unwrap();
        let entry = Entry::new(*name, Kind::File { offset: 0, len }, 0o644);
        writer.append(&entry, *data).unwrap();
    }
    writer.finish().unwrap()
}

fn boot(fill: u8) -> Vec<u8> {
    let mut image = vec![fill; 700_000];
    image[1080..1082].copy_from_slice(&[0x53, 0xef]);
    image
}

fn root(fill: u8) -> Vec<u8> {
    vec![fill; (2 << 20) + 7]
}

#[test]
fn a_whole_upgrade() {
    let node = Node::new();
    assert_eq!(node.reboot(), Slot::A);
    assert_eq!(node.ok(&["current"]), "A\n");
    assert_eq!(node.ok(&["target"]), "B\n");
    assert_eq!(node.ok(&["next"]), "A\n");
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed\n");
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed already\n");
    let why = node.refused(&["upgrade-commit"], 1);
    assert!(why.contains("slot B holds no complete system"), "{why}");

    let (boot_img, root_img) = (boot(1), root(2));
    let bundle = node.bundle(&[
        ("boot.img", &boot_img),
        ("root.img", &root_img),
        ("VERSION.TXT", b"1.7\nmore\n"),
    ]);
    let said = node.json(&["upgrade-install", &bundle]);
    assert_eq!(said["slot"], "B");
    assert_eq!(said["version"], "1.7");
    assert_eq!(said["boot"]["size"], boot_img.len());
    assert_eq!(said["root"]["sha256"].as_str().unwrap().len(), 64);
    assert!(fs::read(node.partition("b0"))
        .unwrap()
        .starts_with(&boot_img));
    assert!(fs::read(node.partition("b1"))
        .unwrap()
        .starts_with(&root_img));
    assert!(fs::read(node.partition("a1"))
        .unwrap()
        .iter()
        .all(|b| *b == 0));
    assert_eq!(fs::metadata(node.partition("b0")).unwrap().len(), 1 << 20);

    // Installed is not committed.
    assert_eq!(node.ok(&["next"]), "A\n");
    let said = node.json(&["upgrade-commit"]);
    assert_eq!(said["slot"], "B");
    assert_eq!(node.json(&["next"])["boot_cycle"], "failsafe_check");
    let why = node.refused(&["confirm"], 1);
    assert!(why.contains("nothing to confirm"), "{why}");

    assert_eq!(node.reboot(), Slot::B);
    assert_eq!(node.json(&["current"])["slot"], "B");
    // Not confirmed: the next boot but two goes back, and nobody may write A.
    assert_eq!(node.ok(&["next"]), "B\n");
    assert_eq!(node.reboot(), Slot::B);
    assert_eq!(node.reboot(), Slot::B);
    assert_eq!(node.ok(&["next"]), "A\n");
    let why = node.refused(&["upgrade-install", &bundle], 1);
    assert!(why.contains("confirm first"), "{why}");
    assert_eq!(node.json(&["confirm"])["changed"], true);
    assert_eq!(node.ok(&["next"]), "B\n");
    assert_eq!(node.reboot(), Slot::B);
    assert_eq!(node.ok(&["target"]), "A\n");
}

#[test]
fn an_upgrade_that_does_not_work_is_left() {
    let node = Node::new();
    node.reboot();
    let bundle = node.bundle(&[
        ("VERSION.TXT", b"2"),
        ("root.img", &root(3)),
        ("boot.img", &boot(4)),
    ]);
    node.ok(&["upgrade-install", &bundle]);
    node.ok(&["upgrade-commit"]);
    node.ok(&["upgrade-commit"]);
    assert_eq!([(); 3].map(|()| node.reboot()), [Slot::B; 3]);
    assert_eq!(node.reboot(), Slot::A);
    assert_eq!(node.reboot(), Slot::A);
    // An installation takes back a commit.
    node.ok(&["upgrade-commit"]);
    assert_eq!(node.ok(&["next"]), "B\n");
    node.ok(&["upgrade-install", &bundle]);
    assert_eq!(node.ok(&["next"]), "A\n");
}

#[test]
fn bundles_that_are_refused() {
    let node = Node::new();
    node.reboot();
    let (b, r) = (boot(1), root(2));
    let (b, r, v): (&[u8], &[u8], &[u8]) = (&b, &r, b"1\n");
    let large = vec![1; (3 << 20) + 1];
    let cases: &[(Members<'_>, &str)] = &[
        (&[("boot.img", b), ("root.img", r)], "no member VERSION.TXT"),
        (&[("boot.img", b), ("VERSION.TXT", v)], "no member root.img"),
        (&[], "no member boot.img"),
        (
            &[
                ("boot.img", b),
                ("root.img", r),
                ("VERSION.TXT", v),
                ("x", v),
            ],
            "member \"x\"",
        ),
        (
            &[("boot.img", b), ("root.img", r), ("VERSION.TXT", b"\x07")],
            "no version",
        ),
        (
            &[
                ("boot.img", b),
                ("root.img", r),
                ("VERSION.TXT", b"\xff\xfe"),
            ],
            "VERSION.TXT is no text",
        ),
        (
            &[("boot.img", b), ("root.img", r), ("VERSION.TXT", r)],
            "want at most 4096",
        ),
        (
            &[("boot.img", b), ("root.img", b""), ("VERSION.TXT", v)],
            "member root.img is empty",
        ),
        (
            &[("boot.img", r), ("root.img", r), ("VERSION.TXT", v)],
            "image of 2097159 bytes is 1048583 bytes larger than partition B_boot of 1048576 bytes",
        ),
        (
            &[("boot.img", b), ("root.img", &large), ("VERSION.TXT", v)],
            "1 bytes larger than partition B_root",
        ),
        (
            &[
                ("boot.img", &r[..1 << 20]),
                ("root.img", r),
                ("VERSION.TXT", v),
            ],
            "no ext4 file system",
        ),
    ];
    for (members, want) in cases {
        let bundle = node.bundle(members);
        let why = node.refused(&["upgrade-install", &bundle], 1);
        assert!(why.contains(want), "{why}");
    }
    for (bytes, want) in [
        (&b"\x28\xb5\x2f\xfd...."[..], "compressed by zstd"),
        (b"\x1f\x8b", "compressed by gzip"),
        (&[7; 2048], "update.tar"),
    ] {
        let bundle = node.write("update.tar", bytes);
        let why = node.refused(&["upgrade-install", &bundle], 1);
        assert!(why.contains(want), "{why}");
    }
}

/// An update comes from outside: what does not belong into one costs no memory, however much there is of it.
#[test]
fn strange_bundles_are_refused_in_little_memory() {
    let node = Node::new();
    node.reboot();
    // A name of 4095 bytes with 2000 folders, and a link with thousands of others to it.
    let entry = |path: &str, kind| Entry::new(path, kind, 0o644);
    let empty = || Kind::File { offset: 0, len: 0 };
    let deep = (0..400).map(|n| entry(&format!("{n:05}{}", "/a".repeat(2045)), empty()));
    let link = entry(
        "s",
        Kind::Symlink {
            target: vec![b't'; 4095],
        },
    );
    let hard = (0..4000).map(|n| {
        entry(
            &format!("h{n}"),
            Kind::HardLink {
                target: b"s".to_vec(),
            },
        )
    });
    let twice = ["boot.img", "boot.img"].map(|name| entry(name, Kind::File { offset: 0, len: 1 }));
    let cases: [(Vec<Entry>, &str); 3] = [
        (
            deep.collect(),
            "an update has boot.img, root.img and VERSION.TXT only",
        ),
        (
            [link].into_iter().chain(hard).collect(),
            "an update has boot.img",
        ),
        (twice.into(), "member boot.img comes twice"),
    ];
    for (entries, want) in cases {
        let mut writer = Writer::new(Vec::new());
        for entry in &entries {
            let len = if entry.kind == (Kind::File { offset: 0, len: 1 }) {
                1
            } else {
                0
            };
            writer.append(entry, &[7][..len]).unwrap();
        }
        let bundle = node.write("update.tar", &writer.finish().unwrap());
        let command = node.command(&["upgrade-install", &bundle]);
        // 48 MiB of address space.
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -v 49152 && exec \"$0\" \"$@\""]);
        let output = limited
            .arg(command.get_program())
            .args(command.get_args())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let why = String::from_utf8(output.stderr).unwrap();
        assert!(why.contains(want), "{why}");
    }
}

#[test]
fn damaged_bundles_are_refused_at_every_length() {
    let node = Node::new();
    node.reboot();
    let whole = tar(&[
        ("boot.img", &boot(1)),
        ("root.img", &root(2)),
        ("VERSION.TXT", b"1\n"),
    ]);
    let path = node.write("update.tar", &whole);
    for len in [0, 1, 511, 512, 5000, 700_000, 1 << 20, whole.len() - 1025] {
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(len.try_into().unwrap())
            .unwrap();
        node.refused(&["upgrade-install", &path], 1);
        fs::write(&path, &whole).unwrap();
    }
    let why = node.refused(&["upgrade-install", &path, "--sha256", "00"], 1);
    assert!(why.contains("has SHA-256 "), "{why}");
    let digest = why.split("has SHA-256 ").nth(1).unwrap();
    node.ok(&["upgrade-install", &path, "--sha256", &digest[..64]]);
}

#[test]
fn what_is_missing_is_named() {
    let node = Node::new();
    let bundle = node.bundle(&[
        ("boot.img", &boot(1)),
        ("root.img", &root(2)),
        ("VERSION.TXT", b"1\n"),
    ]);
    assert!(node.refused(&["current"], 2).contains("cmdline"));
    fs::write(node.path("cmdline"), "quiet\n").unwrap();
    // Without the kernel's word, grubenv says it.
    assert_eq!(node.ok(&["current"]), "A\n");
    fs::write(node.path("cmdline"), "boot_alternative=X\n").unwrap();
    assert!(node.refused(&["target"], 1).contains("want A or B"));

    // The kernel's root is slot B, whatever else the command line says.
    let of_b = command_line(Slot::B);
    assert!(of_b.contains("boot_alternative=B"), "{of_b}");
    for root_b in [
        "root=PARTUUID=b1a0a1c2-0000-4000-8000-0000000000B1 boot_alternative=A".to_owned(),
        of_b.replace("boot_alternative=B", "boot_alternative=A"),
    ] {
        fs::write(node.path("cmdline"), root_b).unwrap();
        let why = node.refused(&["upgrade-install", &bundle], 1);
        assert!(
            why.contains("says boot_alternative=A, but B_root is the root of the running system"),
            "{why}"
        );
    }

    node.reboot();
    fs::remove_file(node.partition("b1")).unwrap();
    let why = node.refused(&["upgrade-install", &bundle], 2);
    assert!(why.contains("cannot open partition B_root"), "{why}");
    fs::write(node.path("partitions.csv"), CSV.replace("B_boot", "C_boot")).unwrap();
    let why = node.refused(&["upgrade-install", &bundle], 1);
    assert!(why.contains("no partition B_boot"), "{why}");
    fs::remove_file(node.path("grubenv")).unwrap();
    let why = node.refused(&["confirm"], 2);
    assert!(why.contains("GRUB's partition"), "{why}");
    assert!(!Path::new(&node.path("grubenv")).exists());
    // A block that says nothing is GRUB's default, and is mended by the first change.
    fs::write(node.path("grubenv"), [0; 1024]).unwrap();
    assert_eq!(node.ok(&["next"]), "A\n");
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed\n");
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed already\n");
    fs::write(node.path("grubenv"), [0; 10]).unwrap();
    assert!(node.refused(&["confirm"], 1).contains("want 1024"));
}

#[test]
fn help_and_usage() {
    let node = Node::new();
    let help = node.ok(&["--help"]);
    for word in ["upgrade-install", "--grubenv", "Exit status"] {
        assert!(help.contains(word), "{word}");
    }
    node.refused(&["upgrade"], 1);
    node.refused(&[], 1);
}
