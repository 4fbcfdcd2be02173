//! Partitions whose key the TPM keeps: the real program and the real cryptsetup, with stand-ins for what needs a TPM or the kernel's device-mapper.
//!
//! The stand-in for systemd-cryptenroll makes a key slot and a token as that does, and puts the secret into a file beside the TPM's device. The one for
//! cryptsetup gives that out again as long as the policy is the one of then. `//tests/boot:guestos_prod_test` and `guestos_upgrade_test` do it with a TPM.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use support::{find, path, KEY, MARK, MIB, OTHER};

/// `head -c 64 data.key | sha256sum`
const SUM: &str = "2a8abfa8cb9906290437854193ca6bca41d4d4e26d1d454bd66a35158095e737";
const OTHER_SUM: &str = "8588cdfcd6d2b0d521bcf0bf5e7017c06a3f4a10a172d9af1436205e3af205ad";
/// What systemd-cryptenroll writes of a key that is sealed to PCR 7 while that is 32 zeros, or 32 ones.
const POLICIES: [&str; 2] = [
    "8b5682d81b29435d08d79278150611dc7e5923b2fefcce684a09577b40130a8b",
    "32959c2e7405d787749690604554fc9c8a36926c52492b98df77479f4270917b",
];

/// `$REAL` is cryptsetup, `$MAPPER` the folder of what is open, `$LOG` gets a line for each call, `$TPM` is the device, `$POLICY` that of this start.
const CRYPTSETUP: &str = r#"#!/bin/sh
set -eu
echo "$*" >>"$LOG"
map() {
    for word; do device=${name:-} name=$word; done
    size=$(($(stat -Lc %s "$device") - 16777216))
    [ -e "$device.inside" ] || head -c "$size" /dev/urandom >"$device.inside"
    ln -s "$device.inside" "$MAPPER/$name"
}
case "$*" in
*--token-only*)
    if [ ! -e "$TPM.secret" ] || [ "$(cat "$TPM.policy")" != "$POLICY" ]; then
        echo "${SAYS:-Failed to unseal secret using TPM2: State not recoverable}" >&2
        exit 1
    fi
    case "$*" in
    *--test-passphrase*)
        for word; do device=$word; done
        exec "$REAL" open --test-passphrase --disable-locks --key-file "$TPM.secret" "$device"
        ;;
    *) map "$@" ;;
    esac
    ;;
*--test-passphrase*) exec "$REAL" "$@" ;;
"open "*) map "$@" ;;
"close "*)
    for word; do name=$word; done
    rm "$MAPPER/$name"
    ;;
*) exec "$REAL" "$@" ;;
esac
"#;

/// The last word is the partition.
const ENROLL: &str = r#"#!/bin/sh
set -eu
echo "systemd-cryptenroll $*" >>"$LOG"
for word; do device=$word; done
case "$*" in
--wipe-slot=tpm2*)
    for token in $("$REAL" luksDump --disable-locks "$device" | sed -n 's/^ *\([0-9]*\): systemd-tpm2$/\1/p'); do
        "$REAL" token remove --disable-locks --token-id "$token" "$device"
    done
    "$REAL" luksKillSlot --batch-mode --disable-locks "$device" 1
    ;;
*)
    [ -z "${FAILS:-}" ] || { echo "Failed to seal: $FAILS" >&2; exit 1; }
    head -c 64 >"$TPM.stdin"
    head -c 24 /dev/urandom | od -An -vtx1 | tr -d ' \n' >"$TPM.secret"
    echo "$POLICY" >"$TPM.policy"
    "$REAL" luksAddKey --batch-mode --disable-locks --key-file "$TPM.stdin" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-slot 1 "$device" "$TPM.secret"
    rm "$TPM.stdin"
    printf '{"type":"systemd-tpm2","keyslots":["1"],"tpm2-blob":"AA==","tpm2-pcrs":[7],"tpm2-pcr-bank":"sha256","tpm2-primary-alg":"ecc","tpm2-policy-hash":"%s"}' \
        "$POLICY" | "$REAL" token import --disable-locks "$device"
    ;;
esac
"#;

struct Machine {
    dir: tempfile::TempDir,
    /// The partition.
    path: PathBuf,
    /// Which of `POLICIES` is that of this start.
    start: usize,
}

impl Machine {
    /// One that keeps the sum of `KEY`, and has a TPM.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in [
            "dev/mapper",
            "boot/config",
            "bin",
            "run",
            "sys/class/tpm/tpm0/pcr-sha256",
            "sys/firmware/efi/efivars",
        ] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let path = dir.path().join("dev/part");
        File::create(&path).unwrap().set_len(64 * MIB).unwrap();
        for (name, text) in [("cryptsetup", CRYPTSETUP), ("systemd-cryptenroll", ENROLL)] {
            stand_in::program(dir.path().join("bin").join(name), text);
        }
        let mut machine = Self {
            dir,
            path,
            start: 0,
        };
        machine.write("boot/config/data.key.sha256", format!("{SUM}\n").as_bytes());
        machine.write("dev/tpmrm0", b"");
        machine.secure_boot(true);
        machine.starts(0);
        machine
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.at(name), bytes).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.at(name)).unwrap();
    }

    fn secure_boot(&self, on: bool) {
        let name = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
        self.write(name, &[6, 0, 0, 0, u8::from(on)]);
    }

    /// Starts again, PCR 7 being all this number. What was open is not.
    fn starts(&mut self, with: usize) {
        self.start = with;
        let value = format!("0{with}").repeat(32);
        self.write(
            "sys/class/tpm/tpm0/pcr-sha256/7",
            format!("{value}\n").as_bytes(),
        );
        let _ = fs::remove_file(self.at("dev/mapper/test"));
    }

    /// A medium brings a key.
    fn hand(&self, digits: &str) {
        self.write("run/data.key", format!("{digits}\n").as_bytes());
    }

    /// Status, stdout and stderr, with the folder written as `D`.
    fn run(&self, env: &[(&str, &str)]) -> (i32, String, String) {
        let dir = self.dir.path().to_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_node_tool"))
            .env("PATH", format!("{dir}/bin:{}", path()))
            .env("REAL", find("cryptsetup"))
            .env("MAPPER", self.at("dev/mapper"))
            .env("LOG", self.at("log"))
            .env("TPM", self.at("dev/tpmrm0"))
            .env("POLICY", POLICIES[self.start])
            .envs(env.iter().copied())
            .args(["prepare-volume", "--device", "/dev/part", "--label", "test"])
            .args(["--if-broken", "keep", "--stored-key", "--link", "/run/link"])
            .args(["--handed-key", "/run/data.key"])
            .args(["--appears-within", "0s", "--root", dir])
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(dir, "D");
        let status = output.status.code().unwrap();
        (status, text(output.stdout), text(output.stderr))
    }

    fn ok(&self) -> String {
        let (status, out, error) = self.run(&[]);
        assert_eq!((status, error.as_str()), (0, ""), "{out}");
        out
    }

    /// Refused for this reason, with nothing changed and nothing to mount.
    fn refused(&self, why: &str) {
        let before = fs::read(&self.path).unwrap();
        let _ = fs::remove_file(self.at("run/link"));
        let (status, out, error) = self.run(&[]);
        assert_eq!((status, out.as_str()), (1, ""), "{error}");
        let want = format!(
            "node_tool: error: PARTITION test (D/dev/part) STAYS AS IT IS, and nothing that needs it starts: {why}"
        );
        assert!(error.starts_with(&want), "{error}");
        assert!(before == fs::read(&self.path).unwrap(), "it was written to");
        assert!(self.at("run/link").symlink_metadata().is_err());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap()
    }
}

/// A machine whose data were made with the key of a medium.
fn made() -> Machine {
    let machine = Machine::new();
    machine.hand(KEY);
    assert_eq!(
        machine.ok(),
        "partition test: its key is sealed to the TPM (PCR 7)\nfile system test (D/dev/mapper/test): made (new, encrypted)\n"
    );
    machine
}

/// Opened by the key of a medium, since the TPM does not for this reason, and sealed anew.
fn again(out: &str, why: &str) {
    let (first, rest) = out.split_once('\n').unwrap();
    let want = format!("partition test: the TPM does not open it: {why}");
    assert!(first.starts_with(&want), "{out}");
    assert!(
        first.ends_with("; the data.key of the medium does"),
        "{out}"
    );
    assert_eq!(
        rest,
        "partition test: its key is sealed to the TPM (PCR 7)\n"
    );
}

#[test]
fn the_tpm_opens_what_a_medium_made() {
    let mut machine = made();
    // The key is in no file, and was on no command line.
    assert!(!machine.at("run/data.key").exists());
    let log = machine.log();
    assert!(!log.contains(KEY), "{log}");
    let sealed = log.lines().find(|line| line.contains("--tpm2-device"));
    let want = format!(
        "systemd-cryptenroll --tpm2-device={} --tpm2-pcrs=7:sha256 --tpm2-public-key= --tpm2-pcrlock= --tpm2-with-pin=no --unlock-key-file=/dev/stdin {}",
        machine.at("dev/tpmrm0").display(),
        machine.path.display()
    );
    assert_eq!(sealed, Some(want.as_str()));
    let before = fs::read(&machine.path).unwrap();
    for _ in 0..2 {
        machine.starts(0);
        assert_eq!(machine.ok(), "");
        assert_eq!(
            fs::read_link(machine.at("run/link")).unwrap(),
            machine.at("dev/mapper/test")
        );
    }
    assert!(
        before == fs::read(&machine.path).unwrap(),
        "it was written to"
    );
    // A medium that is still there changes nothing.
    machine.hand(KEY);
    machine.starts(0);
    assert_eq!(machine.ok(), "");
    assert!(!machine.at("run/data.key").exists());
}

#[test]
fn another_start_is_told_from_another_tpm() {
    let mut machine = made();
    machine.starts(1);
    machine.refused("the TPM does not open it: PCR 7 is not what it was when the key was sealed: Secure Boot was switched on or off");
    let (status, _, error) =
        machine.run(&[("SAYS", "tpm:warn(2.0): authorizations in DA lockout mode")]);
    assert_eq!(status, 1);
    assert!(
        error.contains("it is locked for a while, after too many wrong tries"),
        "{error}"
    );
    machine.starts(0);
    fs::rename(machine.at("dev/tpmrm0.secret"), machine.at("secret")).unwrap();
    machine.refused("the TPM does not open it: the machine started as it did when the key was sealed, but this TPM can't unseal it: it is another one, or it was cleared (status 1: Failed to unseal secret");
    machine.remove("dev/tpmrm0");
    machine.refused("the TPM does not open it: this machine has no TPM (D/dev/tpmrm0 is not there");
    // All as it was.
    machine.write("dev/tpmrm0", b"");
    fs::rename(machine.at("secret"), machine.at("dev/tpmrm0.secret")).unwrap();
    assert_eq!(machine.ok(), "");
}

#[test]
fn a_medium_opens_it_and_is_sealed_anew() {
    let mut machine = made();
    machine.starts(1);
    machine.hand(KEY);
    again(&machine.ok(), "PCR 7 is not what it was");
    machine.starts(1);
    assert_eq!(machine.ok(), "");
    // The old start is the other one now.
    machine.starts(0);
    machine.refused("the TPM does not open it: PCR 7 is not what it was");
    // Another TPM, of the same start.
    machine.starts(1);
    machine.remove("dev/tpmrm0.secret");
    machine.hand(KEY);
    again(&machine.ok(), "the machine started as it did");
    machine.starts(1);
    assert_eq!(machine.ok(), "");
    assert_eq!(machine.log().matches("--wipe-slot=tpm2").count(), 2);
}

#[test]
fn what_can_not_be_sealed_anew_is_open_all_the_same() {
    let mut machine = made();
    machine.starts(1);
    machine.hand(KEY);
    let (status, out, _) = machine.run(&[("FAILS", "no")]);
    assert_eq!(status, 0);
    assert!(
        out.contains("PARTITION test IS OPEN, BUT ITS KEY IS NOT SEALED: systemd-cryptenroll: status 1: Failed to seal: no"),
        "{out}"
    );
    machine.starts(1);
    machine.refused("the TPM does not open it: its key was never sealed to a TPM");
    machine.remove("dev/tpmrm0");
    machine.hand(KEY);
    let out = machine.ok();
    assert!(
        out.contains("IS NOT SEALED: this machine has no TPM"),
        "{out}"
    );
}

#[test]
fn several_sealed_keys_are_tried_and_become_one() {
    let mut machine = made();
    let second = r#"{"type":"systemd-tpm2","keyslots":["1"],"tpm2-blob":"AA==","tpm2-pcrs":[7],"tpm2-pcr-bank":"sha256","tpm2-primary-alg":"ecc","tpm2-policy-hash":"00"}"#;
    machine.write("token", second.as_bytes());
    let mut import = Command::new(find("cryptsetup"));
    import.args(["token", "import", "--disable-locks", "--json-file"]);
    import.arg(machine.at("token")).arg(&machine.path);
    assert!(import.status().unwrap().success());
    machine.starts(0);
    assert_eq!(machine.ok(), "");
    // By what policy the second one is sealed is not known here: what the TPM said has to do.
    machine.starts(1);
    machine.refused("the TPM does not open it: status 1: Failed to unseal secret");
    machine.hand(KEY);
    again(&machine.ok(), "status 1: Failed to unseal secret");
    machine.starts(1);
    assert_eq!(machine.ok(), "");
}

#[test]
fn nothing_is_made_without_key_or_tpm() {
    let machine = Machine::new();
    machine.refused("it is new, its key is to be sealed to the TPM, and no data.key came");
    machine.hand(KEY);
    machine.remove("dev/tpmrm0");
    machine.refused("it is new, and its key can't be sealed to the TPM: this machine has no TPM");
    machine.write("dev/tpmrm0", b"");
    // What can't be sealed was not made, and is made the next time.
    let (status, out, error) = machine.run(&[("FAILS", "no")]);
    assert_eq!((status, out.as_str()), (1, ""), "{error}");
    assert!(
        error.contains("PARTITION test (D/dev/part) is not ready: systemd-cryptenroll: status 1"),
        "{error}"
    );
    machine.secure_boot(false);
    let out = machine.ok();
    assert!(out.contains("SECURE BOOT IS OFF"), "{out}");
    assert!(
        out.ends_with("made (half made before the power went, encrypted)\n"),
        "{out}"
    );
}

#[test]
fn a_making_that_was_cut_off_is_done_again() {
    let mut machine = made();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(&machine.path)
        .unwrap();
    file.write_all_at(MARK, 64 * MIB - 4096).unwrap();
    machine.starts(0);
    machine.refused("it is new, its key is to be sealed to the TPM, and no data.key came");
    machine.hand(KEY);
    assert!(machine
        .ok()
        .ends_with("made (half made before the power went, encrypted)\n"));
    machine.starts(0);
    assert_eq!(machine.ok(), "");
}

#[test]
fn nothing_is_given_up_for_it() {
    let machine = Machine::new();
    machine.remove("boot/config/data.key.sha256");
    assert_eq!(machine.ok(), "file system test (D/dev/part): made (new)\n");
    machine.write("boot/config/data.key.sha256", SUM.as_bytes());
    machine.hand(KEY);
    machine.refused("it holds a file system that is not encrypted");
    // Another key than the one that the configuration knows, or none.
    for (digits, why) in [
        (OTHER, "it is another key than the one"),
        ("0", "got 1 digits"),
    ] {
        machine.hand(digits);
        let (status, out, error) = machine.run(&[]);
        assert_eq!((status, out.as_str()), (1, ""), "{error}");
        assert!(error.contains(why), "{error}");
    }
    // A volume of somebody else's.
    let mut machine = made();
    machine.remove("dev/tpmrm0.secret");
    machine.starts(0);
    machine.write("boot/config/data.key.sha256", OTHER_SUM.as_bytes());
    machine.hand(OTHER);
    machine.refused("the TPM does not open it: the machine started as it did");
    let (_, _, error) = machine.run(&[]);
    assert!(
        error.contains("and the data.key of the medium is not a key of it either"),
        "{error}"
    );
    assert!(machine.at("run/data.key").exists());
}
