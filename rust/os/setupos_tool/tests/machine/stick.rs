//! A machine with an empty drive, and an unattended medium that installs on it.

use std::os::unix::fs::symlink;
use std::process::Command;

use partitions::Table;
use uuid::Uuid;

use super::Machine;

pub const MIB: usize = 1 << 20;
pub const DRIVE: &str = "dev/nvme0n1";
pub const SIZE: usize = 24 * MIB + 512;

pub const HOST: &str = "name,start,size,type,uuid,description\n\
    esp,,1M,esp,30acb6d4-d863-49ab-8d7c-150273b4ac5e,\n\
    config,,4M,linux,a12fc610-993f-4edb-8679-3f8d644c0ded,\n\
    data,,1M,linux,f55c8611-c612-4aa3-b461-c4baa37393b5,\n\
    guestos,,1M,9738658b-93b1-489c-9e5e-390a2abc5882,08e0d98b-de03-4288-a0f7-3960dad555fa,\n";
pub const GUEST: &str = "name,start,size,type,uuid,description\n\
    esp,,1M,esp,2e01fc99-a852-4373-ae5d-842ee2be1b93,\n\
    data,,1M,ef2829af-72c6-4b57-a886-e1dd90cd653b,0bd5baa9-41de-4115-8b8a-74f5cd4ac24d,\n";

pub const TYPES: &str = r#"{"format": 1, "types": {
    "default": {"drive_gib": 0, "memory_mib": 1024, "network": false, "sockets": 1, "threads": 1, "uefi": true, "virtualisation": false},
    "huge": {"drive_gib": 0, "memory_mib": 999999, "network": false, "sockets": 1, "threads": 999, "uefi": true, "virtualisation": true}
}}"#;

pub const SETTINGS: &str = "unattended=yes\nhostname=node-1\nipv6_address=2001:db8::2/64\n";

pub fn image(csv: &str, guid: u128, text: &str) -> Vec<u8> {
    let layout = Table::parse(csv).unwrap().layout(None).unwrap();
    let mut bytes = vec![0; layout.disk_size.try_into().unwrap()];
    for (at, part) in disk::table(&layout, Uuid::from_u128(guid)).unwrap() {
        let at = usize::try_from(at).unwrap();
        bytes[at..at + part.len()].copy_from_slice(&part);
    }
    // In the first partition.
    bytes[MIB + 7000..MIB + 7000 + text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// The medium carries these images, and its root vouches for them.
pub fn carries(machine: &Machine, host: &[u8], guest: &[u8]) {
    machine.write_bytes("data/host-os.img", host);
    machine.write_bytes("data/guest-os.img", guest);
    machine.deploy();
    machine.write(
        "opt/ic/share/deployment.json",
        &machine.read("data/deployment.json"),
    );
}

/// The program while files take only so many KiB, as a drive that fails would: whether it ended well, and what it said.
pub fn limited(machine: &Machine, args: &str, kib: u32) -> (bool, String) {
    let command = machine.command(args);
    let output = Command::new("/bin/bash")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f $1; shift; exec \"$@\"",
            "bash",
        ])
        .arg(kib.to_string())
        .arg(command.get_program())
        .args(command.get_args())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), machine.text(&said))
}

/// A machine with an empty drive, and a medium that installs unattended.
pub fn machine() -> Machine {
    let machine = Machine::new();
    carries(
        &machine,
        &image(HOST, 7, "host's loader"),
        &image(GUEST, 8, "guest's loader"),
    );
    machine.write("opt/ic/share/node-types.json", TYPES);
    machine.write("boot/config/config.ini", SETTINGS);
    machine.write_bytes(DRIVE, &vec![0; SIZE]);
    machine.write("sys/block/nvme0n1/size", &format!("{}\n", SIZE / 512));
    std::fs::create_dir_all(machine.path("usr/sbin")).unwrap();
    symlink("/usr/sbin/mke2fs", machine.path("usr/sbin/mke2fs")).unwrap();
    // Says what it was told.
    for program in ["systemctl", "efibootmgr"] {
        let said = machine.path(&format!("{program}.said"));
        let script = format!("#!/bin/sh\necho \"$*\" >>{}\n", said.display());
        stand_in::program(machine.path(&format!("usr/bin/{program}")), &script);
    }
    machine
}

pub fn result(machine: &Machine) -> serde_json::Value {
    let text = machine.read("boot/config/setupos-result.json");
    serde_json::from_str(&machine.text(text.as_bytes())).unwrap()
}

pub fn drive(machine: &Machine) -> Vec<u8> {
    std::fs::read(machine.path(DRIVE)).unwrap()
}

/// Installs, and nothing is wrong.
pub fn installs(machine: &Machine) -> String {
    let (status, out, error) = machine.run("install --pause 0ms");
    assert_eq!((status, error.as_str()), (0, ""), "{out}");
    assert!(out.ends_with("\nsetupos: installed\n"), "{out}");
    out
}

/// Does not install: the drive is as it was, and `cause` is said everywhere.
pub fn refuses(machine: &Machine, cause: &str) -> String {
    let before = drive(machine);
    let (status, out, error) = machine.run("install --pause 0ms");
    assert_eq!(status, 1, "{out}{error}");
    assert!(error.contains(cause), "{error}");
    let last = out.lines().last().unwrap();
    assert!(last.starts_with("setupos: NOT INSTALLED: "), "{out}");
    assert!(out.contains("| NOT INSTALLED"), "{out}");
    let result = result(machine);
    assert_eq!(result["installed"], false);
    assert_eq!(result["written"], false);
    assert_eq!(result["state"], "Nothing was written to any drive.");
    assert!(
        result["problems"]
            .to_string()
            .contains(&cause.replace('"', "\\\"")),
        "{result}"
    );
    let log = machine.read("boot/config/setupos-log.txt");
    assert!(machine.text(log.as_bytes()).contains(cause), "{log}");
    assert!(!machine.path("systemctl.said").exists(), "it restarts");
    assert!(drive(machine) == before, "something was written");
    error
}
