//! Data that stay are read by what is installed over them, or the installation is refused: the real program, on images with roots that mke2fs made.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

mod machine;

use std::process::Command;

use machine::stick::{
    carries, drive, image, installs, limited, machine, refuses, result, DRIVE, MIB,
};
use machine::Machine;

const HOST: &str = "name,start,size,type,uuid,description\n\
    esp,,1M,esp,30acb6d4-d863-49ab-8d7c-150273b4ac5e,\n\
    config,,4M,linux,a12fc610-993f-4edb-8679-3f8d644c0ded,\n\
    data,,1M,linux,f55c8611-c612-4aa3-b461-c4baa37393b5,\n\
    A_root,,1M,linux,3f7bd8a4-3a7c-4f4d-a2ad-0d0a3cf6be61,\n\
    B_root,,1M,linux,6f7ff7b0-1a93-4f1a-b3c3-1a50bb5f5d27,\n\
    guestos,,1M,9738658b-93b1-489c-9e5e-390a2abc5882,08e0d98b-de03-4288-a0f7-3960dad555fa,\n";
const GUEST: &str = "name,start,size,type,uuid,description\n\
    esp,,1M,esp,2e01fc99-a852-4373-ae5d-842ee2be1b93,\n\
    A_root,,1M,linux,2b7b17f3-a1a5-4d9e-8a0e-2a0f42f5f1c3,\n\
    B_root,,1M,linux,0a9be2d8-7d04-4a1c-b2cd-1ab4c0c7e5d0,\n\
    data,,1M,ef2829af-72c6-4b57-a886-e1dd90cd653b,0bd5baa9-41de-4115-8b8a-74f5cd4ac24d,\n";
/// Places on the drive.
const HOST_A: usize = 7 * MIB;
const HOST_B: usize = 8 * MIB;
const GUEST_B: usize = 12 * MIB;
const GUEST_DATA: usize = 13 * MIB;

fn os_json(format: u32, os: &str, data_formats: &str) -> String {
    format!(
        r#"{{"format": {format}, "os": "{os}", "env": "dev", "version": "1.2.3", "boot_limit": 3, "data_formats": {data_formats}}}"#
    )
}

/// A root file system that says this of itself.
fn root(os_json: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let share = dir.path().join("root/opt/ic/share");
    std::fs::create_dir_all(&share).unwrap();
    std::fs::write(share.join("os.json"), os_json).unwrap();
    let image = dir.path().join("image");
    let file = std::fs::File::create(&image).unwrap();
    file.set_len(u64::try_from(MIB).unwrap()).unwrap();
    let status = Command::new("/usr/sbin/mke2fs")
        .args([
            "-q",
            "-F",
            "-t",
            "ext4",
            "-O",
            "^has_journal",
            "-m",
            "0",
            "-d",
        ])
        .args([&dir.path().join("root"), &image])
        .status()
        .unwrap();
    assert!(status.success());
    let bytes = std::fs::read(image).unwrap();
    assert_eq!(bytes.len(), MIB);
    bytes
}

/// The medium carries systems that keep their data in these formats.
fn brings(machine: &Machine, host: &str, guest: &str) {
    let with = |csv: &str, at: usize, guid: u128, root: &[u8]| {
        let mut image = image(csv, guid, "loader");
        image[at..at + MIB].copy_from_slice(root);
        image
    };
    let host = root(&os_json(1, "hostos", host));
    let guest = root(&os_json(1, "guestos", guest));
    carries(
        machine,
        &with(HOST, HOST_A, 7, &host),
        &with(GUEST, 2 * MIB, 8, &guest),
    );
    let _ = std::fs::remove_file(machine.path("systemctl.said"));
}

const CONFIG: &str = r#"{"config": 1}"#;

/// A machine whose systems keep their data in these formats, and whose medium is to keep them.
fn used(host: &str, guest: &str) -> Machine {
    let machine = machine();
    brings(&machine, host, guest);
    installs(&machine);
    put(&machine, GUEST_DATA + 9, &[0x77]);
    machine.write("boot/config/config.ini", "unattended=yes\nkeep_data=yes\n");
    machine
}

fn put(machine: &Machine, at: usize, bytes: &[u8]) {
    machine.write_at(DRIVE, u64::try_from(at).unwrap(), bytes);
}

fn keeps(machine: &Machine) -> String {
    // The same again is not done by itself.
    std::fs::remove_file(machine.path("boot/config/setupos-result.json")).unwrap();
    let out = installs(machine);
    assert_eq!(drive(machine)[GUEST_DATA + 9], 0x77);
    assert_eq!(result(machine)["kept_data"], true);
    out
}

const TOO_OLD: &str =
    "GuestOS's data replica stay in format 2, and GuestOS of this medium knows it up to 1: take a medium that is as new";

#[test]
fn a_medium_that_is_too_old_for_the_data() {
    let machine = used(CONFIG, r#"{"config": 1, "replica": 2}"#);
    // The same again, and a newer one.
    brings(&machine, CONFIG, r#"{"config": 1, "replica": 2}"#);
    let out = keeps(&machine);
    assert!(!out.contains("not known"), "{out}");
    brings(
        &machine,
        r#"{"config": 4, "other": 1}"#,
        r#"{"config": 3, "replica": 2}"#,
    );
    keeps(&machine);
    // One that is older in all of it tells all.
    brings(&machine, CONFIG, r#"{"config": 1, "replica": 1}"#);
    let error = refuses(&machine, TOO_OLD);
    for more in [
        "HostOS's data config stay in format 4, and HostOS of this medium knows it up to 1",
        "HostOS's data other stay in format 1, and HostOS of this medium does not know it",
        "GuestOS's data config stay in format 3, and GuestOS of this medium knows it up to 1",
    ] {
        assert!(error.contains(more), "{error}");
    }
    // Somebody wants it all the same, or gives the data up.
    let given_up = drive(&machine);
    let (status, out, error) = machine.run("install --asked --stay --any-data-format");
    assert_eq!((status, error.as_str()), (0, ""));
    assert!(
        out.contains("drive: - GuestOS's data replica stay in format 2, and GuestOS of this medium knows it up to 1\n"),
        "{out}"
    );
    assert_eq!(drive(&machine)[GUEST_DATA + 9], 0x77);
    machine.write_bytes(DRIVE, &given_up);
    machine.write("boot/config/config.ini", "unattended=yes\nerase=yes\n");
    installs(&machine);
    assert_eq!(drive(&machine)[GUEST_DATA + 9], 0);
}

/// Either slot may have written last.
#[test]
fn both_slots_count() {
    let machine = used(CONFIG, CONFIG);
    let newer = root(&os_json(1, "guestos", r#"{"config": 1, "replica": 2}"#));
    put(&machine, GUEST_B, &newer);
    brings(&machine, CONFIG, r#"{"config": 1, "replica": 1}"#);
    refuses(&machine, TOO_OLD);
    put(&machine, GUEST_B, &vec![0; MIB]);
    keeps(&machine);
}

/// The roots that said it are overwritten by then.
#[test]
fn an_installation_that_was_cut_off_knows_it_still() {
    let machine = used(CONFIG, r#"{"replica": 2}"#);
    brings(&machine, CONFIG, r#"{"replica": 3}"#);
    // HostOS fits in, GuestOS does not.
    let (whole, out) = limited(&machine, "install --pause 0ms", 10 << 10);
    assert!(!whole, "{out}");
    brings(&machine, CONFIG, r#"{"replica": 1}"#);
    refuses(&machine, TOO_OLD);
    brings(&machine, CONFIG, r#"{"replica": 2}"#);
    let out = keeps(&machine);
    assert!(out.contains("it is done again, and the data stay"), "{out}");
}

#[test]
fn what_a_slot_says_may_be_beyond_this_medium_or_nothing() {
    let machine = used(CONFIG, CONFIG);
    brings(&machine, CONFIG, CONFIG);
    let good = drive(&machine)[HOST_A..HOST_A + MIB].to_vec();
    put(&machine, HOST_A, &root(&os_json(2, "hostos", CONFIG)));
    refuses(
        &machine,
        "HostOS in slot A is newer than this medium: /opt/ic/share/os.json: ",
    );
    // A system that is broken is what data are kept for.
    put(&machine, HOST_A, &vec![0x5a; MIB]);
    let out = keeps(&machine);
    for remark in [
        "drive: - HostOS in slot A does not say in which formats its data are: ",
        "drive: - whether HostOS of this medium reads the data that stay is not known: no slot says",
    ] {
        assert!(out.contains(remark), "{out}");
    }
    // The other slot says it as well.
    put(&machine, HOST_A, &vec![0x5a; MIB]);
    put(&machine, HOST_B, &good);
    let out = keeps(&machine);
    assert!(!out.contains("no slot says"), "{out}");
}
