//! The real program and the real mkfs.ext4, e2fsck and resize2fs, on files that stand for partitions.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

const MIB: u64 = 1 << 20;
const UUID: &str = "12345678-1234-1234-1234-123456789abc";
const MARK: &[u8] = b"node_tool: a file system is being made here\n";

struct Partition {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl Partition {
    fn new(mib: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dev/disk/by-partuuid").join(UUID);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(&path).unwrap().set_len(mib * MIB).unwrap();
        fs::create_dir(dir.path().join("proc")).unwrap();
        let line = format!("quiet systemd.mount-extra=PARTUUID={UUID}:/var:ext4:rw\n");
        fs::write(dir.path().join("proc/cmdline"), line).unwrap();
        Self { dir, path }
    }

    /// One with a file system that holds a file.
    fn in_use(mib: u64) -> Self {
        let partition = Self::new(mib);
        partition.ok("keep");
        let file = partition.dir.path().join("precious");
        fs::write(&file, "precious\n").unwrap();
        let request = format!("write {} precious", file.display());
        partition.debugfs(&["-w", "-R", &request]);
        assert!(partition.has_its_file());
        partition
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let file = OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    fn program(&self, args: &[&str]) -> (i32, String, String) {
        let own = self.dir.path().join("bin");
        let path = format!(
            "{}:{}:/usr/sbin:/sbin",
            own.display(),
            std::env::var("PATH").unwrap()
        );
        let output = Command::new(env!("CARGO_BIN_EXE_node_tool"))
            .env("PATH", path)
            .env("ARGS", self.dir.path().join("args"))
            .arg("prepare-volume")
            .args(args)
            .args(["--label", "test", "--appears-within", "0s", "--root"])
            .arg(self.dir.path())
            .output()
            .unwrap();
        let text = |bytes| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(self.path.to_str().unwrap(), "DEV")
        };
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn run(&self, if_broken: &str) -> (i32, String, String) {
        let device = format!("/dev/disk/by-partuuid/{UUID}");
        self.program(&["--device", &device, "--if-broken", if_broken])
    }

    fn ok(&self, if_broken: &str) -> String {
        let (status, out, error) = self.run(if_broken);
        assert_eq!((status, error.as_str()), (0, ""), "{out}");
        out
    }

    fn debugfs(&self, args: &[&str]) -> String {
        let mut command = Command::new("debugfs");
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let output = command
            .env("PATH", path)
            .args(args)
            .arg(&self.path)
            .output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    }

    fn has_its_file(&self) -> bool {
        self.debugfs(&["-R", "cat precious"]) == "precious\n"
    }

    fn blocks(&self) -> u64 {
        let text = self.debugfs(&["-R", "show_super_stats -h"]);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Block count:"));
        line.unwrap().trim().parse().unwrap()
    }
}

#[test]
fn a_new_one_is_made_and_then_left_alone() {
    let partition = Partition::new(64);
    assert_eq!(partition.ok("keep"), "file system test (DEV): made (new)\n");
    // The last 64 KiB stay free.
    assert_eq!(partition.blocks(), 64 * 256 - 16);
    let made = partition.bytes();
    assert!(!made.ends_with(MARK));
    assert_eq!(partition.ok("keep"), "");
    assert_eq!(partition.ok("renew"), "");
    assert!(made == partition.bytes(), "it was written to");
}

#[test]
fn the_one_of_a_mount_is_found_on_the_kernels_line() {
    let partition = Partition::new(64);
    let (status, out, _) = partition.program(&["--of-mount", "/var", "--if-broken", "renew"]);
    assert_eq!(
        (status, out.as_str()),
        (0, "file system test (DEV): made (new)\n")
    );
    let (status, _, error) = partition.program(&["--of-mount", "/srv", "--if-broken", "renew"]);
    assert_ne!(status, 0);
    assert!(
        error.contains("no systemd.mount-extra=PARTUUID=…:/srv:… in it"),
        "{error}"
    );
}

#[test]
fn one_that_does_not_appear_is_an_error() {
    let partition = Partition::new(64);
    fs::remove_file(&partition.path).unwrap();
    let (status, _, error) = partition.run("keep");
    assert_ne!(status, 0);
    assert!(error.contains("DEV did not appear within 0 s"), "{error}");
}

#[test]
fn a_making_that_was_cut_off_is_done_again() {
    // Somewhere in the middle, and after everything but the mark.
    for whole in [false, true] {
        let partition = Partition::new(64);
        if whole {
            partition.ok("keep");
        } else {
            partition.write(4096, &[7; 8192]);
        }
        partition.write(64 * MIB - 4096, MARK);
        let out = partition.ok("keep");
        assert_eq!(
            out,
            "file system test (DEV): made (half made before the power went)\n"
        );
        assert_eq!(partition.ok("keep"), "");
    }
}

#[test]
fn a_lost_superblock_comes_back_from_its_copy() {
    for if_broken in ["keep", "renew"] {
        let partition = Partition::in_use(192);
        // The magic number alone; then the block that it is in.
        for damage in [&[0; 2][..], &[0; 4096][..]] {
            partition.write(if damage.len() == 2 { 1080 } else { 0 }, damage);
            let out = partition.ok(if_broken);
            assert!(out.starts_with("e2fsck: status 1: "), "{out}");
            assert!(partition.has_its_file(), "{out}");
        }
    }
}

#[test]
fn a_broken_one_is_kept_or_made_anew() {
    // Too small to have a second superblock.
    let partition = Partition::in_use(64);
    partition.write(1080, &[0; 2]);
    let broken = partition.bytes();
    let (status, out, error) = partition.run("keep");
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(
        error.contains(
            "FILE SYSTEM test (DEV) IS BROKEN AND STAYS AS IT IS: e2fsck -fp: status 8: "
        ),
        "{error}"
    );
    assert!(error.contains("`mkfs.ext4 -L test DEV`"), "{error}");
    assert!(broken == partition.bytes(), "it was written to");

    let out = partition.ok("renew");
    assert!(
        out.contains("file system test (DEV): made (anew)\n"),
        "{out}"
    );
    assert!(
        out.ends_with("FILE SYSTEM test (DEV) IS BROKEN AND WAS MADE ANEW: what it held is lost\n"),
        "{out}"
    );
    assert_eq!(partition.ok("keep"), "");
}

#[test]
fn mending_by_force_is_for_those_that_may_lose() {
    let partition = Partition::in_use(64);
    // The root folder: e2fsck -p stops and asks for a person.
    partition.debugfs(&["-w", "-R", "clri <2>"]);
    // As the kernel notes it when it finds out.
    partition.debugfs(&["-w", "-R", "set_super_value state 2"]);
    let (status, _, error) = partition.run("keep");
    assert_eq!(status, 1);
    assert!(error.contains("RUN fsck MANUALLY"), "{error}");
    let out = partition.ok("renew");
    assert!(
        out.ends_with("FILE SYSTEM test (DEV) WAS BROKEN AND IS MENDED, perhaps with losses\n"),
        "{out}"
    );
    // What it held is in lost+found.
    assert!(partition
        .debugfs(&["-R", "ls -l /lost+found"])
        .contains('#'));
}

#[test]
fn something_else_is_not_written_over() {
    let partition = Partition::new(64);
    partition.write(5 * MIB, b"somebody's");
    let before = partition.bytes();
    let (status, _, error) = partition.run("keep");
    assert_eq!(status, 1);
    assert!(error.contains("STAYS AS IT IS"), "{error}");
    assert!(before == partition.bytes(), "it was written to");
}

#[test]
fn it_grows_with_its_partition() {
    let partition = Partition::in_use(64);
    let file = OpenOptions::new()
        .write(true)
        .open(&partition.path)
        .unwrap();
    file.set_len(256 * MIB).unwrap();
    let out = partition.ok("keep");
    assert!(
        out.ends_with("file system test (DEV): grown to 65520 blocks of 4096 bytes\n"),
        "{out}"
    );
    assert_eq!(partition.blocks(), 256 * 256 - 16);
    assert!(partition.has_its_file());
    assert_eq!(partition.ok("keep"), "");
    // Less than a block group is not worth it.
    file.set_len(383 * MIB).unwrap();
    assert_eq!(partition.ok("keep"), "");
}

#[test]
fn one_that_is_too_small_is_refused() {
    let partition = Partition::new(4);
    let (status, _, error) = partition.run("renew");
    assert_eq!(status, 1);
    assert!(
        error.contains("DEV has 4194304 bytes, want at least 8388608"),
        "{error}"
    );
}

/// Without them mkfs.ext4 asks getrandom(2), which has nothing to give for a while after a start.
#[test]
fn mkfs_is_told_its_ids() {
    let told = |_| {
        let partition = Partition::new(64);
        let script = "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$ARGS\"\nPATH=/usr/sbin:/sbin exec mkfs.ext4 \"$@\"\n";
        stand_in::program(partition.dir.path().join("bin/mkfs.ext4"), script);
        partition.ok("keep");
        let args = fs::read_to_string(partition.dir.path().join("args")).unwrap();
        let lines: Vec<&str> = args.lines().collect();
        let behind =
            |flag| lines[lines.iter().position(|arg| *arg == flag).unwrap() + 1].to_owned();
        let seed = behind("-E").strip_prefix("hash_seed=").unwrap().to_owned();
        [behind("-U"), seed]
    };
    let ids: std::collections::BTreeSet<String> = [0, 1].map(told).into_iter().flatten().collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert!(ids.iter().all(|id| id.len() == UUID.len()), "{ids:?}");
}
