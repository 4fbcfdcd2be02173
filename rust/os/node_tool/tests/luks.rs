//! Encrypted partitions: the real program and the real cryptsetup.
//!
//! Headers are made, read and tried on files, which any user may do. To open a volume takes root and the kernel's device-mapper: where tests run
//! there is mostly neither, so a stand-in for `cryptsetup open` takes over that step alone. It has the real one try the key, and then shows a file of
//! the volume's length, full of noise at first as the inside of a new volume is. `on_a_real_device` does it all on a loop device.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{find, path, KEY, MARK, MIB, OTHER};

/// What LUKS2 takes in front.
const HEADER: usize = 16 << 20;

/// `$REAL` is cryptsetup, `$MAPPER` the folder of what is open, `$LOG` gets a line for each call. The last two words of `open` are partition and name.
const STAND_IN: &str = r#"#!/bin/sh
set -eu
echo "$*" >>"$LOG"
case "$*" in
"close "*)
    for word; do name=$word; done
    rm "$MAPPER/$name"
    ;;
*--test-passphrase*) exec "$REAL" "$@" ;;
"open "*)
    for word; do device=${name:-} name=$word; done
    size=$(($(stat -Lc %s "$device") - 16777216))
    [ -e "$device.inside" ] || head -c "$size" /dev/urandom >"$device.inside"
    truncate -s "$size" "$device.inside"
    ln -s "$device.inside" "$MAPPER/$name"
    ;;
*) exec "$REAL" "$@" ;;
esac
"#;

struct Machine {
    dir: tempfile::TempDir,
    /// The partition.
    path: PathBuf,
}

impl Machine {
    fn new(mib: u64, key: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["dev/mapper", "boot/config", "bin", "run"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let path = dir.path().join("dev/part");
        File::create(&path).unwrap().set_len(mib * MIB).unwrap();
        stand_in::program(dir.path().join("bin/cryptsetup"), STAND_IN);
        let machine = Self { dir, path };
        machine.key(key);
        machine
    }

    /// The configuration's key.
    fn key(&self, key: Option<&str>) {
        let path = self.at("boot/config/data.key");
        match key {
            Some(digits) => fs::write(path, format!("{digits}\n")).unwrap(),
            None => drop(fs::remove_file(path)),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Status, stdout and stderr, with the folder written as `D`.
    fn run(&self) -> (i32, String, String) {
        let dir = self.dir.path().to_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_node_tool"))
            .env("PATH", format!("{dir}/bin:{}", path()))
            .env("REAL", find("cryptsetup"))
            .env("MAPPER", self.at("dev/mapper"))
            .env("LOG", self.at("log"))
            .args(["prepare-volume", "--device", "/dev/part", "--label", "test"])
            .args(["--if-broken", "keep", "--stored-key", "--link", "/run/link"])
            .args(["--appears-within", "0s", "--root", dir])
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(dir, "D");
        let status = output.status.code().unwrap();
        (status, text(output.stdout), text(output.stderr))
    }

    fn ok(&self) -> String {
        let (status, out, error) = self.run();
        assert_eq!((status, error.as_str()), (0, ""), "{out}");
        out
    }

    /// Refused for this reason, with nothing changed and nothing to mount.
    fn refused(&self, why: &str) {
        let before = fs::read(&self.path).unwrap();
        let _ = fs::remove_file(self.at("run/link"));
        let (status, out, error) = self.run();
        assert_eq!((status, out.as_str()), (1, ""), "{error}");
        let want = format!(
            "node_tool: error: PARTITION test (D/dev/part) STAYS AS IT IS, and nothing that needs it starts: {why}"
        );
        assert!(error.starts_with(&want), "{error}");
        assert!(before == fs::read(&self.path).unwrap(), "it was written to");
        assert!(self.at("run/link").symlink_metadata().is_err());
    }

    /// What is to be mounted.
    fn mounted(&self) -> PathBuf {
        fs::read_link(self.at("run/link")).unwrap()
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let file = OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    fn end(&self) -> u64 {
        fs::metadata(&self.path).unwrap().len() - 4096
    }

    fn has_mark(&self) -> bool {
        let mut bytes = [0; MARK.len()];
        let file = File::open(&self.path).unwrap();
        file.read_exact_at(&mut bytes, self.end()).unwrap();
        bytes == MARK
    }

    /// Whether the real cryptsetup takes it for LUKS2.
    fn is_luks(&self) -> bool {
        let mut command = Command::new(find("cryptsetup"));
        let output = command.args(["isLuks", "--type", "luks2"]).arg(&self.path);
        output.output().unwrap().status.success()
    }
}

/// A field that `dumpe2fs -h` shows.
fn field(volume: &Path, name: &str) -> String {
    let mut command = Command::new(find("dumpe2fs"));
    let output = command.arg("-h").arg(volume).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .trim()
        .to_owned()
}

#[test]
fn a_new_one_is_encrypted_with_the_key_and_then_opened() {
    let machine = Machine::new(96, Some(KEY));
    let made = "file system test (D/dev/mapper/test): made (new, encrypted)\n";
    assert_eq!(machine.ok(), made);
    assert!(machine.is_luks() && !machine.has_mark());
    let inner = machine.at("dev/mapper/test");
    assert_eq!(machine.mounted(), inner);
    assert_eq!(field(&inner, "Filesystem volume name:"), "test");
    assert_eq!(field(&inner, "Block count:"), (80 * 256 - 16).to_string());
    // The next start: what was open is not.
    fs::remove_file(&inner).unwrap();
    let header = fs::read(&machine.path).unwrap();
    assert_eq!(machine.ok(), "");
    assert_eq!(machine.mounted(), inner);
    // Once more without a start between: closed and opened again.
    assert_eq!(machine.ok(), "");
    assert!(header == fs::read(&machine.path).unwrap());
    let log = fs::read_to_string(machine.at("log")).unwrap();
    assert!(
        log.contains("close --batch-mode --disable-locks test\n"),
        "{log}"
    );
    // A service may not write where locks would lie.
    let locking = log.lines().find(|call| !call.contains("--disable-locks"));
    assert_eq!(locking, None, "{log}");
    // Everybody can read command lines.
    assert!(!log.contains(KEY), "{log}");
    let mut tried = Command::new("sh");
    let script = r#"head -c 64 "$1" | "$0" open --test-passphrase --key-file - "$2""#;
    tried.args(["-c", script]).arg(find("cryptsetup"));
    tried
        .arg(machine.at("boot/config/data.key"))
        .arg(&machine.path);
    assert!(tried.status().unwrap().success(), "by hand");
}

#[test]
fn without_a_key_nothing_is_encrypted() {
    let machine = Machine::new(64, None);
    assert_eq!(machine.ok(), "file system test (D/dev/part): made (new)\n");
    assert!(!machine.is_luks() && !machine.at("log").exists());
    assert_eq!(machine.mounted(), machine.path);
    assert_eq!(machine.ok(), "");
    assert_eq!(machine.mounted(), machine.path);
}

#[test]
fn nothing_that_is_there_is_given_up_for_a_key() {
    let machine = Machine::new(64, None);
    machine.ok();
    machine.key(Some(KEY));
    machine.refused(
        "it holds a file system that is not encrypted, and the configuration has a data.key",
    );
    // Its superblock is gone, and it may be mended.
    machine.write(1080, &[0; 2]);
    machine.refused("it holds something that is neither empty nor LUKS");
    machine.key(Some("0"));
    let (status, _, error) = machine.run();
    assert_eq!(status, 1);
    assert!(
        error.contains("the key of the data: D/boot/config/data.key:1: got 1 digits"),
        "{error}"
    );

    let machine = Machine::new(64, Some(KEY));
    machine.ok();
    fs::remove_file(machine.at("dev/mapper/test")).unwrap();
    machine.key(None);
    machine.refused("it is encrypted (LUKS), and the configuration has no data.key");
    machine.key(Some(OTHER));
    machine.refused("it is encrypted (LUKS) with another key than the data.key");
    // What is done by hand, as the documents say.
    machine.key(Some(KEY));
    machine.write(0, &vec![0; 64 << 20]);
    fs::remove_file(machine.at("dev/part.inside")).unwrap();
    assert!(machine.ok().ends_with("made (new, encrypted)\n"));
}

#[test]
fn a_making_that_was_cut_off_is_done_again() {
    // Before the header, in the middle of it, and after everything but the mark.
    for (made, torn) in [(false, false), (true, true), (true, false)] {
        for key in [Some(KEY), None] {
            let machine = Machine::new(64, Some(KEY));
            if made {
                machine.ok();
                fs::remove_file(machine.at("dev/mapper/test")).unwrap();
                fs::remove_file(machine.at("dev/part.inside")).unwrap();
            }
            if torn {
                machine.write(0, &[0; 4096]);
            }
            machine.write(machine.end(), MARK);
            machine.key(key);
            let out = machine.ok();
            let want = match key {
                Some(_) => {
                    "test (D/dev/mapper/test): made (half made before the power went, encrypted)\n"
                }
                None => "test (D/dev/part): made (half made before the power went)\n",
            };
            assert!(out.ends_with(want), "{out}");
            assert_eq!(machine.is_luks(), key.is_some(), "{made} {torn}");
            assert!(!machine.has_mark());
            let _ = fs::remove_file(machine.at("dev/mapper/test"));
            assert_eq!(machine.ok(), "");
        }
    }
}

#[test]
fn it_grows_with_its_partition() {
    let machine = Machine::new(64, Some(KEY));
    machine.ok();
    let file = OpenOptions::new().write(true).open(&machine.path).unwrap();
    file.set_len(272 * MIB).unwrap();
    let out = machine.ok();
    let grown = "file system test (D/dev/mapper/test): grown to 65520 blocks of 4096 bytes\n";
    assert!(out.ends_with(grown), "{out}");
    assert!(machine.is_luks());
}

#[test]
fn one_header_of_two_will_do() {
    let machine = Machine::new(64, Some(KEY));
    machine.ok();
    machine.write(0, &[0; 4096]);
    assert_eq!(machine.ok(), "");
}

#[test]
fn what_is_broken_inside_stays() {
    let machine = Machine::new(64, Some(KEY));
    machine.ok();
    let inside = machine.at("dev/part.inside");
    let file = OpenOptions::new().write(true).open(&inside).unwrap();
    file.write_all_at(&[0; 2], 1080).unwrap();
    let before = fs::read(&inside).unwrap();
    let (status, _, error) = machine.run();
    assert_eq!(status, 1);
    let why = "FILE SYSTEM test (D/dev/mapper/test) IS BROKEN AND STAYS AS IT IS";
    assert!(error.contains(why), "{error}");
    assert!(before == fs::read(&inside).unwrap(), "it was written to");
}

/// What the stand-in stands for: run as root, `cargo test -p node_tool --test luks -- --ignored`.
#[test]
#[ignore = "needs root, a free loop device and the kernel's device-mapper with dm-crypt"]
fn on_a_real_device() {
    let dir = tempfile::tempdir().unwrap();
    let (image, config) = (dir.path().join("image"), dir.path().join("config"));
    File::create(&image).unwrap().set_len(96 * MIB).unwrap();
    fs::create_dir(&config).unwrap();
    fs::write(config.join("data.key"), KEY).unwrap();
    let name = format!("test-{}", std::process::id());
    let shell = |script: &str| {
        let output = Command::new("sh")
            .env("PATH", path())
            .args(["-euc", script, "sh"])
            .arg(&image)
            .args([&name])
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let device = shell(r#"losetup --find --show "$1""#);
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_node_tool"))
            .env("PATH", path())
            .args(["prepare-volume", "--device", &device, "--label", &name])
            .args(["--if-broken", "keep", "--stored-key", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let made = run();
    let again = run();
    let inside = shell(r#"dumpe2fs -h "/dev/mapper/$2" 2>&1 | grep "Block count""#);
    fs::write(config.join("data.key"), OTHER).unwrap();
    let wrong = run();
    shell(
        r#"cryptsetup close "$2"; losetup --detach "$(losetup --associated "$1" --noheadings --output NAME)""#,
    );
    assert_eq!(made.0, Some(0), "{made:?}");
    assert!(made.1.ends_with("made (new, encrypted)\n"), "{made:?}");
    assert_eq!(again, (Some(0), String::new()));
    assert!(inside.ends_with(&(80 * 256 - 16).to_string()), "{inside}");
    assert_eq!(wrong, (Some(1), String::new()));
    let bytes = fs::read(&image).unwrap();
    let (header, data) = bytes.split_at(HEADER);
    assert!(header.starts_with(b"LUKS"));
    // A superblock has the volume's name, and nothing of it is to be seen.
    let seen = data.windows(name.len()).any(|at| at == name.as_bytes());
    assert!(!seen);
}
