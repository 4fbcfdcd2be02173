//! `flash` and `inject-config` as people start them: on files, and on loop devices where root may make such.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MIB: usize = 1 << 20;
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a\n";
const TABLE: &str = "name,start,size,type,uuid,description\n\
    esp,,2M,esp,b1a0a1c2-0000-4000-8000-000000000001,\n\
    config,,34M,linux,b1a0a1c2-0000-4000-8000-000000000002,\n\
    data,,20M,linux,b1a0a1c2-0000-4000-8000-000000000003,\n";

/// A folder with an image `disk.image`, which is `disk.img`, and a configuration.
struct Bed(tempfile::TempDir);

struct Done {
    ok: bool,
    out: String,
    err: String,
}

fn program(name: &str) -> PathBuf {
    let path = match name {
        "flash" => env!("CARGO_BIN_EXE_flash"),
        "imgdump" => env!("CARGO_BIN_EXE_imgdump"),
        "inject" => env!("CARGO_BIN_EXE_inject"),
        "inject-config" => env!("CARGO_BIN_EXE_inject-config"),
        "materialize" => env!("CARGO_BIN_EXE_materialize"),
        "mkdisk" => env!("CARGO_BIN_EXE_mkdisk"),
        "mkfat" => env!("CARGO_BIN_EXE_mkfat"),
        _ => panic!("{name}"),
    };
    Path::new(path).canonicalize().unwrap()
}

impl Bed {
    fn new() -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        bed.put("table.csv", TABLE);
        bed.put("ini", "#hostname=\n");
        bed.put("note", "read me\n");
        bed.put("list", "{\"dest\":\"/config.ini\",\"src\":\"ini\"}\n{\"dest\":\"/README.txt\",\"src\":\"note\"}\n");
        // Data with a hole in it.
        let data: Vec<u8> = (0..3 * MIB).map(|n| (n % 251) as u8).collect();
        let file = File::create(bed.path("data.img")).unwrap();
        file.set_len(20 * MIB as u64).unwrap();
        file.write_all_at(&data, 0).unwrap();
        file.write_all_at(&data, 12 * MIB as u64).unwrap();
        bed.put("config.tree", "tree.jsonl\nini\nnote\n");
        bed.put("config.image", "config.plan\nini\nnote\n");
        bed.put("disk.image", "disk.plan\nini\nnote\ndata.img\n");
        for (tool, args) in [
            ("inject", "--files list --mtime 5 --output tree.jsonl"),
            (
                "mkfat",
                "--tree config.tree --size-mib 34 --fat-type 32 --label CONFIG --volume-id 5e70c0f6 --mtime 1700000000 --output config.plan",
            ),
            (
                "mkdisk",
                "--partitions table.csv --disk-guid 00000000-0000-4000-8000-000000000004 --image config=config.image \
                 --image data=data.img --output disk.plan",
            ),
            ("materialize", "--image disk.image --output disk.img"),
        ] {
            bed.ok(tool, args);
        }
        bed.put("wanted/config.ini", "hostname=node-1\n");
        bed.put("wanted/ssh_authorized_keys/admin", KEY);
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, tool: &str, args: &str) -> Done {
        let done = Command::new(program(tool))
            .args(args.split_whitespace())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Done {
            ok: done.status.success(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }

    fn ok(&self, tool: &str, args: &str) -> String {
        let done = self.run(tool, args);
        assert!(done.ok, "{tool} {args}: {}", done.err);
        done.out
    }

    fn refused(&self, tool: &str, args: &str) -> String {
        let done = self.run(tool, args);
        assert!(!done.ok, "{tool} {args}: {}", done.out);
        done.err
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// A file of the partition config, as `imgdump` reads it.
    fn file(&self, disk: &str, path: &str) -> String {
        self.ok("imgdump", &format!("cat {disk} config:/{path}"))
    }

    /// The partition config, checked by fsck.fat.
    fn fsck(&self, disk: &str) {
        let bytes = self.bytes(disk);
        fs::write(self.path("volume"), &bytes[3 * MIB..37 * MIB]).unwrap();
        let fsck = Command::new("/usr/sbin/fsck.fat")
            .arg("-n")
            .arg(self.path("volume"))
            .output();
        let done = fsck.expect("/usr/sbin/fsck.fat (package dosfstools)");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{said}");
    }
}

#[test]
fn a_file_is_the_image() {
    let bed = Bed::new();
    let image = bed.bytes("disk.img");
    for source in ["disk.image", "disk.img"] {
        let said = bed.ok("flash", &format!("out.img --image {source} --force"));
        assert_eq!(
            said,
            format!("{}: written and read back\n", bed.path("out.img").display())
        );
        assert!(bed.bytes("out.img") == image);
        let stored = fs::metadata(bed.path("out.img")).unwrap().blocks() * 512;
        assert!(stored < 20 * MIB as u64, "{stored}");
    }
    // On a larger disk the copy of the table is at its end.
    bed.ok(
        "flash",
        "large.img --image disk.image --size 100M --no-verify",
    );
    let large = bed.bytes("large.img");
    assert_eq!(large.len(), 100 * MIB);
    assert!(large[MIB..57 * MIB] == image[MIB..57 * MIB]);
    assert!(large[57 * MIB..100 * MIB - 33 * 512]
        .iter()
        .all(|byte| *byte == 0));
    assert_eq!(&large[100 * MIB - 512..][..8], b"EFI PART");
    let table = bed.ok("imgdump", "large.img");
    assert!(!table.contains("problem"), "{table}");
    assert_eq!(bed.file("large.img", "README.txt"), "read me\n");
}

#[test]
fn what_flash_refuses() {
    let bed = Bed::new();
    bed.put("there", "mine\n");
    bed.put("bad/config.ini", "hostnam=x\nmtu=1\n");
    bed.put("raw", "no disk\n");
    fs::create_dir(bed.path("folder")).unwrap();
    for (args, reason) in [
        (
            "there --image disk.image",
            "there is there already: --force replaces it",
        ),
        (
            "folder --image disk.image",
            "folder is neither a drive nor a file",
        ),
        (
            "/dev/no-such-drive --image disk.image",
            "there is no drive /dev/no-such-drive",
        ),
        (
            "/dev/null --image disk.image",
            "/dev/null is neither a drive nor a file",
        ),
        (
            "new --image disk.image --size 10M",
            "a disk of 10485760 bytes has no room for an image of",
        ),
        ("new --image disk.image --size 10T", "\"10T\" is no size"),
        ("new --image raw", "which is no disk"),
        ("new --image disk.image --config bad", "bad/config.ini:1: "),
        ("new --image disk.image --config bad", "bad/config.ini:2: "),
        (
            "new --image disk.image --ssh-keys root=x",
            "no user \"root\"",
        ),
        ("disk.img --image disk.img --force", "is also an input"),
    ] {
        let said = bed.refused("flash", args);
        assert!(said.contains(reason), "{args}: {said}");
        assert!(!bed.path("new").exists(), "{args}");
    }
    assert_eq!(bed.bytes("there"), b"mine\n");
    bed.ok("flash", "there --image disk.image --force");
    assert!(bed.bytes("there") == bed.bytes("disk.img"));
}

/// With a configuration at once, or put into the finished image: the same bytes.
#[test]
fn a_configuration_gets_in_both_ways() {
    let bed = Bed::new();
    bed.put("id.pub", KEY);
    let wanted = "--config wanted --ssh-keys backup=id.pub";
    bed.ok("flash", &format!("with.img --image disk.image {wanted}"));
    assert_eq!(bed.file("with.img", "config.ini"), "hostname=node-1\n");
    assert_eq!(bed.file("with.img", "ssh_authorized_keys/admin"), KEY);
    assert_eq!(bed.file("with.img", "ssh_authorized_keys/backup"), KEY);
    assert_eq!(bed.file("with.img", "README.txt"), "read me\n");
    bed.fsck("with.img");

    let said = bed.ok("inject-config", &format!("--image disk.img {wanted}"));
    assert_eq!(
        said,
        "+ config.ini, 16 bytes\n+ ssh_authorized_keys/admin, 83 bytes\n+ ssh_authorized_keys/backup, 83 bytes\n"
    );
    assert!(bed.bytes("disk.img") == bed.bytes("with.img"));
    let before = fs::metadata(bed.path("disk.img")).unwrap().mtime_nsec();
    let said = bed.ok("inject-config", &format!("--image disk.img {wanted}"));
    assert_eq!(said, "the configuration is there already\n");
    assert_eq!(
        fs::metadata(bed.path("disk.img")).unwrap().mtime_nsec(),
        before
    );

    // Another one: what it does not have stays, or goes with --replace.
    bed.put("wanted/config.ini", "hostname=node-2\n");
    bed.ok("inject-config", "--image disk.img --config wanted");
    let list = bed.ok("inject-config", "--image disk.img --list");
    assert_eq!(
        list,
        "       8 README.txt\n      16 config.ini\n      83 ssh_authorized_keys/admin\n      83 ssh_authorized_keys/backup\n"
    );
    let said = bed.ok(
        "inject-config",
        "--image disk.img --config wanted --replace",
    );
    assert_eq!(said, "- ssh_authorized_keys/backup\n");
    assert_eq!(bed.file("disk.img", "config.ini"), "hostname=node-2\n");
    // The key of another machine's data would have this one encrypted by it.
    let digits = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    bed.put("keyed/config.ini", "hostname=node-3\n");
    bed.put("keyed/data.key", digits);
    bed.ok("inject-config", "--image disk.img --config keyed");
    assert_eq!(bed.file("disk.img", "data.key"), digits);
    let said = bed.ok(
        "inject-config",
        "--image disk.img --config wanted --replace",
    );
    assert_eq!(said, "- data.key\n+ config.ini, 16 bytes\n");
    bed.fsck("disk.img");
    // Everything but that partition is what it was.
    let (now, then) = (bed.bytes("disk.img"), bed.bytes("with.img"));
    assert!(now[..3 * MIB] == then[..3 * MIB] && now[37 * MIB..] == then[37 * MIB..]);
}

#[test]
fn what_inject_config_refuses() {
    let bed = Bed::new();
    let image = bed.bytes("disk.img");
    bed.put("bad/config.ini", "hostnam=x\n");
    bed.put("bad/ssh_authorized_keys/admin.txt", KEY);
    bed.put("raw", "no disk\n");
    bed.put("many/config.ini", "hostname=a\n");
    for (args, reason) in [
        (
            "--image disk.img",
            "nothing to place: want --config DIR or --ssh-keys FILE",
        ),
        ("--image disk.img --config bad", "bad/config.ini:1: "),
        (
            "--image disk.img --config bad",
            "admin.txt: not the name of a user",
        ),
        ("--image disk.img --config none", "none"),
        (
            "--image disk.image --config wanted",
            "is a list of inputs, not an image",
        ),
        ("--image raw --config wanted", "no partition table"),
        (
            "--image disk.img --config wanted --partition other",
            "other",
        ),
        (
            "--image disk.img --config wanted --partition data",
            "partition data: no boot sector of a FAT file system, want FAT32",
        ),
        ("--image none --config wanted", "none"),
    ] {
        let said = bed.refused("inject-config", args);
        assert!(said.contains(reason), "{args}: {said}");
        assert!(bed.bytes("disk.img") == image, "{args}");
    }
    // What is there already counts: sums of other files.
    bed.put("signed.list", "{\"dest\":\"/config.sha256\",\"src\":\"note\"}\n{\"dest\":\"/notes.doc\",\"src\":\"note\"}\n");
    bed.ok(
        "inject",
        "--files signed.list --mtime 5 --output tree.jsonl",
    );
    bed.put("config.tree", "tree.jsonl\nnote\nnote\n");
    bed.put("config.image", "config.plan\nnote\n");
    bed.put("disk.image", "disk.plan\nnote\ndata.img\n");
    bed.ok("mkfat", "--tree config.tree --size-mib 34 --fat-type 32 --label CONFIG --volume-id 00000001 --mtime 0 --output config.plan");
    bed.ok(
        "mkdisk",
        "--partitions table.csv --disk-guid 00000000-0000-4000-8000-000000000004 --image config=config.image \
         --image data=data.img --output disk.plan",
    );
    for args in [
        "inject-config --image signed.img --config wanted",
        "flash new --image disk.image --config wanted",
    ] {
        bed.ok("materialize", "--image disk.image --output signed.img");
        let (tool, args) = args.split_once(' ').unwrap();
        let said = bed.refused(tool, args);
        for line in [
            "partition config would be refused:",
            "/config.sha256.sig: no such file, although there is config.sha256",
            "/notes.doc: not read, want config.ini",
            "--replace takes away what is there of another configuration",
        ] {
            assert!(said.contains(line), "{said}");
        }
    }
}

/// A loop device of a file full of something else.
struct Loop(String);

impl Loop {
    /// Nothing where none can be had; why, is said.
    fn new(file: &Path) -> Option<Self> {
        // Where it is, although an ordinary user's path does not say so.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        let mut losetup = Command::new("losetup");
        losetup
            .args(["--find", "--show"])
            .arg(file)
            .env("PATH", path);
        match losetup.output() {
            Ok(done) if done.status.success() => {
                let name = String::from_utf8(done.stdout).unwrap();
                Some(Self(name.trim().to_owned()))
            }
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                eprintln!("no loop device, nothing is tested: {said}");
                None
            }
            Err(error) => {
                eprintln!("no losetup, nothing is tested: {error}");
                None
            }
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // It is gone with the machine at the latest.
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
#[ignore = "makes loop devices: needs root and a kernel that has some free"]
fn a_drive_is_written_over() {
    let bed = Bed::new();
    let image = bed.bytes("disk.img");
    let len = 80 * MIB;
    fs::write(bed.path("stick"), vec![0x5a; len]).unwrap();
    let Some(stick) = Loop::new(&bed.path("stick")) else {
        return;
    };
    let device = &stick.0;
    let said = bed.refused("flash", &format!("{device} --image disk.image"));
    assert!(
        said.contains(
            "nobody can be asked: standard input is no terminal; --yes writes to /dev/loop"
        ),
        "{said}"
    );
    let said = bed.ok("flash", &format!("{device} --image disk.image --yes"));
    assert_eq!(said, format!("{device}: written and read back\n"));
    let have = bed.bytes("stick");
    // The table and its copy aside it is the image; behind it is what was there.
    assert!(have[34 * 512..58 * MIB - 33 * 512] == image[34 * 512..58 * MIB - 33 * 512]);
    assert!(have[58 * MIB..len - MIB].iter().all(|byte| *byte == 0x5a));
    assert_eq!(&have[len - 512..][..8], b"EFI PART");
    assert_eq!(bed.file("stick", "README.txt"), "read me\n");
    // In place, on the drive; the file beneath it is somebody's.
    bed.ok(
        "inject-config",
        &format!("--image {device} --config wanted"),
    );
    assert_eq!(bed.file("stick", "config.ini"), "hostname=node-1\n");
    let said = bed.refused("inject-config", "--image stick --config wanted");
    assert!(said.contains("is attached to /dev/loop"), "{said}");
    // Too small, said in bytes.
    fs::write(bed.path("small"), vec![0; 10 * MIB]).unwrap();
    let small = Loop::new(&bed.path("small")).unwrap();
    let said = bed.refused("flash", &format!("{} --image disk.image --yes", small.0));
    assert!(
        said.contains(&format!("it has 10485760 bytes, the image {}", image.len())),
        "{said}"
    );
}
