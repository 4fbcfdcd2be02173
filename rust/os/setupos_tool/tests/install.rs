//! The real program installs on a file that stands for a drive, below a folder that stands for a machine. mke2fs is the real one.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod machine;

use std::os::unix::fs::symlink;
use std::process::Command;

use machine::stick::{drive, installs, limited, machine, refuses, result, DRIVE, MIB, SIZE};
use machine::KEY;

#[test]
fn an_empty_drive_gets_both_systems() {
    let machine = machine();
    let out = installs(&machine);
    for line in [
        "setupos: install: asked: - unattended=yes\n",
        "setupos: install: wipe: end tables and signatures of D/dev/nvme0n1\n",
        "setupos: install: host: done\n",
        "setupos: install: verify: read all of it back from D/dev/nvme0n1 and compare it\n",
        "| INSTALLED  nvme0n1  24.0 MiB  Fast 2000  serial S1",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    // The order in which things happen.
    let steps = [
        "wipe",
        "host",
        "guest",
        "config-volume",
        "verify",
        "tables",
        "firmware",
    ];
    let places = steps.map(|step| {
        out.find(&format!("setupos: install: {step}: done"))
            .unwrap()
    });
    assert!(places.is_sorted(), "{out}");

    let disk = drive(&machine);
    assert_eq!(disk.len(), SIZE);
    let gpt = inspect::table(&disk).unwrap().unwrap();
    assert_eq!(gpt.problems, Vec::<String>::new());
    let guestos = gpt.partitions.last().unwrap();
    let start = usize::try_from(guestos.start()).unwrap();
    let end = start + usize::try_from(guestos.size()).unwrap();
    assert!(end > SIZE - 33 * 512 - 4096);
    assert!(disk[MIB + 7000..].starts_with(b"host's loader"));
    assert!(disk[start + MIB + 7000..].starts_with(b"guest's loader"));
    let guest = inspect::table(&disk[start..end].to_vec()).unwrap().unwrap();
    assert_eq!(guest.problems, Vec::<String>::new());

    // What the machine is told, by another reader of ext4.
    let config = disk[2 * MIB..6 * MIB].to_vec();
    let ext4 = ext4_view::Ext4::load(Box::new(config)).unwrap();
    let said: serde_json::Value =
        serde_json::from_slice(&ext4.read("/config.json").unwrap()).unwrap();
    assert_eq!(said["kind"], "host");
    assert_eq!(said["hostname"], "node-1");
    assert_eq!(said["network"]["management_mac"], "52:54:00:12:34:57");
    assert_eq!(
        ext4.read("/ssh_authorized_keys/admin").unwrap(),
        KEY.as_bytes()
    );

    let result = result(&machine);
    assert_eq!(result["installed"], true);
    assert_eq!(result["version"], "1.2.3");
    assert_eq!(result["drive"]["serial"], "S1");
    assert_eq!(result["kept_data"], false);
    assert_eq!(result["problems"], serde_json::json!([]));
    assert_eq!(result["report"]["steps"][21]["name"], "firmware");
    assert_eq!(machine.read("systemctl.said"), "--no-block reboot\n");
    let log = machine.read("boot/config/setupos-log.txt");
    assert!(log.contains("setupos: install: tables: done\n"), "{log}");
    assert!(log.contains("INSTALLED"), "{log}");
    // The medium that it left behind is still a right one.
    assert!(machine.read("efibootmgr.said").contains("-c -d "));
}

#[test]
fn nobody_asked() {
    let machine = machine();
    machine.write("boot/config/config.ini", "hostname=node-1\n");
    refuses(&machine, "asked: nobody asked for an installation");
    assert_eq!(machine.run("is-asked").0, 1);
    assert_eq!(machine.run("is-asked --not").0, 0);
    machine.write("run/setupos/install", "");
    assert_eq!(machine.run("is-asked").0, 0);
    installs(&machine);
    let machine = self::machine();
    assert_eq!(machine.run("is-asked").0, 0);
    assert_eq!(machine.run("is-asked --not").0, 1);
    // Nobody is there to see what is wrong with the settings: it is kept on the medium.
    machine.write("boot/config/config.ini", "unattended=yes\nx=y\nmtu=1\n");
    assert_eq!(machine.run("is-asked").0, 0);
    let error = refuses(&machine, "D/boot/config/config.ini:2: unknown key \"x\"");
    assert!(
        error.contains("config.ini:3: mtu: got \"1\", want a number"),
        "{error}"
    );
    machine.write("boot/config/config.ini", "x=y\n");
    assert_eq!(machine.run("is-asked").0, 1);
    machine.remove("boot/config/config.ini");
    machine.write(
        "boot/config/config.json",
        "{\"install\": {\"unattended\": true}}",
    );
    assert_eq!(machine.run("is-asked").0, 0);
}

#[test]
fn everything_that_is_wrong_at_once() {
    let machine = machine();
    machine.write(
        "boot/config/config.ini",
        "unattended=yes\nnode_type=huge\ndrive=S2\n",
    );
    machine.write("opt/ic/share/env.txt", "prod\n");
    let error = refuses(&machine, "drive=S2: no drive has this serial number");
    for cause in [
        "images: D/data/deployment.json: built for env dev, this system is for prod",
        "hardware: memory in MiB: 3906, want at least 999999",
        "hardware: threads of processors: 4, want at least 999",
        "hardware: virtualisation: ",
    ] {
        assert!(error.contains(cause), "{cause}: {error}");
    }
}

/// The images are made for sectors of 512 bytes (docs/decisions/0013-drives-of-512-byte-sectors.md).
#[test]
fn a_drive_with_larger_sectors() {
    let machine = machine();
    machine.write("sys/block/nvme0n1/queue/logical_block_size", "4096\n");
    refuses(
        &machine,
        "Fast 2000  serial S1: it has sectors of 4096 bytes, want 512: format it to those by nvme format",
    );
    machine.write(
        "boot/config/config.ini",
        "unattended=yes\nerase=yes\ndrive=S1\n",
    );
    refuses(
        &machine,
        "drive=S1: nvme0n1  24.0 MiB  Fast 2000  serial S1: it has sectors of 4096",
    );
}

#[test]
fn images_are_checked_before_anything_is_written() {
    let machine = machine();
    machine.write_at("data/guest-os.img", 3_000_000, b"!");
    refuses(&machine, "the file is damaged");
    // Of another make, with a description that fits: not what this system was built with.
    machine.deploy();
    refuses(
        &machine,
        "that this system was built with: somebody exchanged the images",
    );
    let machine = self::machine();
    machine.write("data/host-os.img", "no disk");
    machine.deploy();
    machine.write(
        "opt/ic/share/deployment.json",
        &machine.read("data/deployment.json"),
    );
    refuses(&machine, "D/data/host-os.img: no partition table");
}

#[test]
fn a_drive_that_holds_something() {
    let machine = machine();
    let mut foreign = vec![0; SIZE];
    foreign[510] = 0x55;
    machine.write_bytes(DRIVE, &foreign);
    refuses(&machine, "which is not ours: erase=yes erases all of it");
    machine.write(
        "boot/config/config.ini",
        "unattended=yes\nerase=yes\nafter_install=poweroff\n",
    );
    let out = installs(&machine);
    assert!(out.contains("all of it is erased (erase=yes)"), "{out}");
    assert_eq!(machine.read("systemctl.said"), "--no-block poweroff\n");
}

#[test]
fn data_stay_if_they_shall() {
    let machine = machine();
    installs(&machine);
    let mut used = drive(&machine);
    // HostOS's data begin at 6 MiB, GuestOS's at 2 MiB of guestos.
    let places = [6 * MIB + 9, 7 * MIB + 2 * MIB + 9, SIZE - 40_000];
    for place in places {
        used[place] = 0x77;
    }
    used[2 * MIB + 9] = 0x77;
    machine.write_bytes(DRIVE, &used);
    std::fs::remove_file(machine.path("boot/config/setupos-result.json")).unwrap();
    std::fs::remove_file(machine.path("systemctl.said")).unwrap();
    refuses(
        &machine,
        "it has an installation of ours: keep its data with keep_data=yes",
    );
    machine.write("boot/config/config.ini", "unattended=yes\nkeep_data=yes\n");
    let out = installs(&machine);
    assert!(
        out.contains("partition data of HostOS and that of GuestOS stay"),
        "{out}"
    );
    let after = drive(&machine);
    for place in places {
        assert_eq!(after[place], 0x77, "{place}");
    }
    assert_eq!(after[2 * MIB + 9], 0);
    assert_eq!(result(&machine)["kept_data"], true);
}

/// The key of the data that stay must be on the medium: HostOS's own copy is written over.
#[test]
fn data_that_stay_are_still_read() {
    const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let machine = machine();
    installs(&machine);
    std::fs::remove_file(machine.path("systemctl.said")).unwrap();
    machine.write("boot/config/config.ini", "unattended=yes\nkeep_data=yes\n");
    let cryptsetup = machine.path("usr/sbin/cryptsetup");
    stand_in::program(&cryptsetup, "#!/bin/sh\nexit 2\n");
    let mut plain = drive(&machine);
    plain[6 * MIB + 9] = 0x77;
    let mut luks = drive(&machine);
    luks[6 * MIB..6 * MIB + 6].copy_from_slice(b"LUKS\xba\xbe");
    machine.write_bytes(DRIVE, &luks);
    refuses(
        &machine,
        "its partition data is encrypted (LUKS), and this medium has no data.key",
    );
    machine.write("boot/config/data.key", DIGITS);
    refuses(
        &machine,
        "with another key than the data.key of this medium",
    );
    machine.write_bytes(DRIVE, &plain);
    refuses(
        &machine,
        "its partition data is not encrypted, and this medium has a data.key",
    );
    machine.write_bytes(DRIVE, &luks);
    stand_in::program(&cryptsetup, "#!/bin/sh\n");
    let out = installs(&machine);
    assert!(
        out.contains("drive: - data.key opens partition data\n"),
        "{out}"
    );
    let config = drive(&machine)[2 * MIB..6 * MIB].to_vec();
    let ext4 = ext4_view::Ext4::load(Box::new(config)).unwrap();
    assert_eq!(ext4.read("/data.key").unwrap(), DIGITS.as_bytes());
}

/// Partitions are found by identifiers that all installations share.
#[test]
fn a_second_drive_of_ours_is_in_the_way() {
    let machine = machine();
    installs(&machine);
    std::fs::remove_file(machine.path("systemctl.said")).unwrap();
    let ours = drive(&machine);
    machine.write("boot/config/config.ini", "unattended=yes\ndrive=S1\n");
    let other = |bytes: &[u8]| {
        machine.write_bytes(DRIVE, &vec![0; SIZE]);
        machine.write_bytes("dev/sdb", bytes);
        machine.write("sys/block/sdb/size", &format!("{}\n", bytes.len() / 512));
        machine.write("sys/block/sdb/queue/logical_block_size", "512\n");
    };
    other(&ours);
    let error = refuses(
        &machine,
        "sdb  24.0 MiB  no serial number: it has an installation of ours, too",
    );
    assert!(
        error.contains("take this drive out, or erase its first"),
        "{error}"
    );
    // Cut off: the mark stands in the second sector.
    let mut cut = vec![0; SIZE];
    machine.write_bytes(DRIVE, &vec![0; SIZE]);
    std::fs::remove_file(machine.path("dev/sdb")).unwrap();
    std::fs::remove_dir_all(machine.path("sys/block/sdb")).unwrap();
    let (whole, out) = limited(&machine, "install --pause 0ms --stay", 12288);
    assert!(!whole, "{out}");
    cut[..MIB].copy_from_slice(&drive(&machine)[..MIB]);
    other(&cut);
    refuses(
        &machine,
        "sdb  24.0 MiB  no serial number: it has an installation that was cut off, too",
    );
    // Another system's, or nothing, is nobody's concern; one that does not read is remarked.
    other(&[0x5a; 4096]);
    installs(&machine);
    std::fs::remove_file(machine.path("dev/sdb")).unwrap();
    machine.write_bytes(DRIVE, &vec![0; SIZE]);
    let out = installs(&machine);
    assert!(
        out.contains(
            "sdb  4.0 KiB  no serial number: whether it has an installation of ours is not known"
        ),
        "{out}"
    );
}

#[test]
fn the_same_again_is_not_done_by_itself() {
    let machine = machine();
    machine.write("boot/config/config.ini", "unattended=yes\nerase=yes\n");
    installs(&machine);
    std::fs::remove_file(machine.path("systemctl.said")).unwrap();
    let mut used = drive(&machine);
    used[6 * MIB + 9] = 0x77;
    machine.write_bytes(DRIVE, &used);
    let out = installs(&machine);
    assert!(
        out.contains("This medium installed just that before"),
        "{out}"
    );
    assert!(drive(&machine) == used, "something was written");
    assert!(
        !machine.path("systemctl.said").exists(),
        "it restarts for ever"
    );
    // Somebody asks for it: done.
    let (status, _, error) = machine.run("install --asked --stay");
    assert_eq!((status, error.as_str()), (0, ""));
    assert_eq!(drive(&machine)[6 * MIB + 9], 0);
    assert!(!machine.path("systemctl.said").exists());
    // Another drive in the same place.
    used.fill(0);
    machine.write_bytes(DRIVE, &used);
    installs(&machine);
    assert!(inspect::table(&drive(&machine)).unwrap().is_some());
}

/// With erase=yes or keep_data=yes the result on the medium is all that ends an installation that nobody attends.
#[test]
fn without_a_result_it_is_not_done_for_ever() {
    let machine = machine();
    let log = machine.path("boot/config/setupos-log.txt");
    std::fs::create_dir(&log).unwrap();
    let install = "install --pause 0ms";
    for settings in ["erase=yes", "keep_data=yes"] {
        machine.write(
            "boot/config/config.ini",
            &format!("unattended=yes\n{settings}\n"),
        );
        let (status, out, error) = machine.run(install);
        assert_eq!(status, 1, "{out}");
        assert!(error.contains("medium: the result can't be kept on this medium: D/boot/config/setupos-log.txt: Is a dir"), "{error}");
        assert!(drive(&machine) == vec![0; SIZE], "something was written");
        assert!(!machine.path("systemctl.said").exists(), "it restarts");
    }
    // Without them what was installed is not taken again, and the installation counts.
    machine.write("boot/config/config.ini", "unattended=yes\n");
    let out = installs(&machine);
    assert!(
        out.contains("medium: - the result can't be kept on this medium: "),
        "{out}"
    );
    assert_eq!(machine.read("systemctl.said"), "--no-block reboot\n");
    std::fs::remove_file(machine.path("systemctl.said")).unwrap();
    // It takes the first line, and not the last one.
    std::fs::remove_dir(&log).unwrap();
    machine.write("boot/config/config.ini", "unattended=yes\nerase=yes\n");
    let result = machine.path("boot/config/setupos-result.json");
    let script = format!("#!/bin/sh\nrm -f {0}\nmkdir {0}\n", result.display());
    stand_in::program(machine.path("usr/bin/efibootmgr"), &script);
    let out = installs(&machine);
    assert!(
        out.contains("The result is not kept on the medium: "),
        "{out}"
    );
    assert!(out.contains("The machine stays as it is"), "{out}");
    assert!(!machine.path("systemctl.said").exists(), "it restarts");
    // Who asked for it at a console is there to take the medium out.
    let (status, _, error) = machine.run("install --pause 0ms --asked");
    assert_eq!((status, error.as_str()), (0, ""));
    assert_eq!(machine.read("systemctl.said"), "--no-block reboot\n");
}

#[test]
fn a_dry_run_says_all_and_does_nothing() {
    let machine = machine();
    let before = machine.snapshot();
    let (status, out, error) = machine.run("install --dry-run");
    assert_eq!((status, error.as_str()), (0, ""));
    assert_eq!(machine.snapshot(), before);
    assert!(
        out.contains(
            "setupos: install: drive: - nvme0n1  24.0 MiB  Fast 2000  serial S1: it is empty\n"
        ),
        "{out}"
    );
    assert!(
        out.contains("setupos: install: host: write HostOS to D/dev/nvme0n1\n"),
        "{out}"
    );
    let (status, out, _) = machine.run("install --dry-run --json");
    assert_eq!(status, 0);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["report"]["steps"][15]["name"], "wipe");
    assert_eq!(json["report"]["steps"][15]["status"], "would-run");
    assert_eq!(json["installed"], false);
}

#[test]
fn what_fails_after_the_first_write_says_what_to_do() {
    let machine = machine();
    // Up to 12 MiB: GuestOS is beyond that, what is made in memory is not.
    let (whole, out) = limited(&machine, "install --pause 0ms", 12288);
    assert!(!whole, "{out}");
    assert!(out.contains("\nsetupos: NOT INSTALLED: "), "{out}");
    let result = result(&machine);
    assert_eq!(result["installed"], false);
    assert_eq!(result["written"], true, "{out}");
    assert!(
        out.contains("has half an installation and does not start."),
        "{out}"
    );
    assert!(
        out.contains("Start this medium again: it goes on by itself"),
        "{out}"
    );
    assert!(!machine.path("systemctl.said").exists(), "it restarts");
    assert!(inspect::table(&drive(&machine)).unwrap().is_none());
    // Started again without any other setting.
    let out = installs(&machine);
    assert!(
        out.contains("an installation was cut off: it is done again"),
        "{out}"
    );
}

/// A loop device, given back at the end.
struct Loop(String);

impl Loop {
    /// None, with the reason said, where the machine has none.
    fn of(file: &std::path::Path) -> Option<Self> {
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(file)
            .output();
        match output {
            Ok(output) if output.status.success() => {
                let name = String::from_utf8(output.stdout).unwrap();
                Some(Self(name.trim().to_owned()))
            }
            other => {
                eprintln!("no loop device, nothing is tested: {other:?}");
                None
            }
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

/// What only a block device does: being held by one alone, zeros by a command, reading past the page cache.
#[test]
#[ignore = "needs root and a loop device: cargo test -p setupos_tool -- --ignored"]
fn a_real_block_device() {
    use std::os::unix::fs::OpenOptionsExt;
    let machine = machine();
    machine.write("boot/config/config.ini", "unattended=yes\nerase=yes\n");
    machine.write_bytes("disk", &vec![0x5a; SIZE]);
    machine.remove(DRIVE);
    let Some(device) = Loop::of(&machine.path("disk")) else {
        return;
    };
    symlink(&device.0, machine.path(DRIVE)).unwrap();
    let holder = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_EXCL.bits())
        .open(&device.0)
        .unwrap();
    let (status, _, error) = machine.run("install --pause 0ms");
    assert_ne!(status, 0);
    assert!(
        error.contains("cannot open it for writing: Device or resource busy"),
        "{error}"
    );
    drop(holder);
    installs(&machine);
    drop(device);
    let disk = std::fs::read(machine.path("disk")).unwrap();
    assert_eq!(
        inspect::table(&disk).unwrap().unwrap().problems,
        Vec::<String>::new()
    );
    assert!(disk[MIB + 7000..].starts_with(b"host's loader"));
    // A hole of the image, and what lies behind everything.
    assert!(disk[6 * MIB..7 * MIB].iter().all(|byte| *byte == 0));
    assert!(disk[12 * MIB..13 * MIB].iter().all(|byte| *byte == 0x5a));
}
