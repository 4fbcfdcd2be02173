//! The real program below a folder that stands for a machine: screens, messages, exit status.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod machine;

use machine::{Machine, KEY};

#[test]
fn a_machine_without_faults() {
    let machine = Machine::new();
    let (status, out, error) = machine.run("status");
    assert_eq!((status, error.as_str()), (0, ""));
    let host = machine.fsverity("host-os.img");
    let guest = machine.fsverity("guest-os.img");
    let want = format!(
        "SetupOS 1.2.3 (dev). It only looks: no drive is written to.\n\
         Config   on vda3, labelled CONFIG\n\
         \x20        hostname=node-1  ipv6_address=2001:db8::2/64\n\
         \x20        ssh keys: admin 1\n\
         Images   host-os  1.2.3  3.0 MiB  {}...  verified\n\
         \x20        guest-os  1.2.3  9 bytes  {}...  verified\n\
         Drives   nvme0n1  1.8 TiB  NVMe  Fast 2000  serial S1\n\
         \x20        vda  8.0 GiB  virtio  serial stick  removable  runs this system\n\
         Network  eth0  52:54:00:12:34:56  virtio_net  no link\n\
         \x20        eth1  52:54:00:12:34:57  link, 1000 Mb/s  2001:db8::2/64  192.0.2.2/24\n\
         Machine  Maker Model 1  Some CPU  4 processors  AMD-V  3.8 GiB memory\n\
         \x20          UEFI, Secure Boot off\n\
         Result   Nothing is wrong.\n\
         setupos: status shown\n\
         setupos: images verified\n",
        &host[..16],
        &guest[..16]
    );
    assert_eq!(out, want);
    assert!(out.lines().all(|line| line.len() <= 79 && line.is_ascii()));
    let (status, out, error) = machine.run("check");
    assert_eq!((status, error.as_str()), (0, ""));
    assert!(out.starts_with("[1/7] identity: read D/opt/ic/share/version.txt and D/opt/ic/share/env.txt\n[2/7] config: "), "{out}");
    assert!(out.ends_with("\nnothing is wrong\n"), "{out}");
}

#[test]
fn facts_are_data() {
    let machine = Machine::new();
    for args in ["status --json", "check --json"] {
        let (status, out, error) = machine.run(args);
        assert_eq!((status, error.as_str()), (0, ""));
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        let at = |pointer: &str| json.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
        assert_eq!(at("/verified"), true);
        assert_eq!(at("/facts/version"), "1.2.3");
        assert_eq!(at("/facts/env"), "dev");
        assert_eq!(at("/facts/config/settings/hostname"), "node-1");
        assert_eq!(at("/facts/config/ssh_keys/admin"), 1);
        assert_eq!(at("/facts/images/0/state"), "verified");
        assert_eq!(at("/facts/images/0/size"), 3 << 20);
        assert_eq!(at("/facts/drives/1/own"), true);
        assert_eq!(at("/facts/network/1/speed_mbps"), 1000);
        assert_eq!(at("/facts/network/1/addresses/1"), "192.0.2.2/24");
        assert_eq!(at("/facts/machine/secure_boot"), false);
        assert_eq!(at("/report/ok"), true);
        assert_eq!(at("/report/steps/6/name"), "digests");
        assert_eq!(at("/report/steps/6/status"), "done");
    }
    let (_, out, _) = machine.run("status --json --skip-digests");
    assert!(out.contains("\"state\": \"unverified\""), "{out}");
    assert!(out.contains("\"verified\": false"), "{out}");
}

#[test]
fn a_dry_run_only_talks() {
    let machine = Machine::new();
    let (status, out, error) = machine.run("check --dry-run");
    assert_eq!((status, error.as_str()), (0, ""));
    assert_eq!(
        out,
        "[1/7] identity: read D/opt/ic/share/version.txt and D/opt/ic/share/env.txt\n\
         [2/7] config: read D/boot/config/config.ini and ssh_authorized_keys, and the volume's label\n\
         [3/7] images: read D/data/deployment.json and find its images\n\
         [4/7] drives: look at D/sys/block\n\
         [5/7] network: look at D/sys/class/net and D/proc/net\n\
         [6/7] machine: look at processor, memory and firmware\n\
         [7/7] digests: compute the fs-verity digest of each image in D/data\n"
    );
    let (_, out, _) = machine.run("check --dry-run --json");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["report"]["dry_run"], true);
    assert_eq!(json["report"]["steps"][1]["status"], "would-run");
    assert!(json["facts"]["version"].is_null());
}

#[test]
fn nothing_is_written() {
    let machine = Machine::new();
    machine.write("boot/config/config.ini", "colour=red\n");
    let before = machine.snapshot();
    for args in ["status", "check", "check --dry-run", "status --json"] {
        machine.run(args);
    }
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn all_of_a_bad_configuration_at_once() {
    let machine = Machine::new();
    machine.write_bytes(
        "boot/config/config.ini",
        b"hostname=bad_name\nmtuu=1500\n\xff\nmtu=1\nmtu=1500\n[network]\nipv4_gateway=192.0.2.1\n",
    );
    machine.write("boot/config/config.ini.txt", "hostname=a\n");
    machine.write(
        "boot/config/ssh_authorized_keys/admin",
        &format!("{KEY}\nssh-ed25519 AAAA\n"),
    );
    machine.write("boot/config/ssh_authorized_keys/admni", KEY);
    for litter in ["README.txt", ".DS_Store", "._admin", "Thumbs.db", "admin~"] {
        machine.write(&format!("boot/config/ssh_authorized_keys/{litter}"), "x");
    }
    let want = "D/boot/config/config.ini.txt: not read, want config.ini, config.json, ssh_authorized_keys, data.key, config.sha256, config.sha256.sig; did you mean config.ini?\n\
         D/boot/config/config.ini:1: hostname: got \"bad_name\", want a name of letters, digits and hyphens, at most 64 bytes\n\
         D/boot/config/config.ini:2: unknown key \"mtuu\", did you mean mtu?\n\
         D/boot/config/config.ini:3: not UTF-8 text\n\
         D/boot/config/config.ini:4: mtu: got \"1\", want a number from 1280 to 9216\n\
         D/boot/config/config.ini:5: mtu is already set in line 4\n\
         D/boot/config/config.ini:6: got \"[network]\", want key=value (there are no sections)\n\
         D/boot/config/config.ini:7: ipv4_gateway: given without ipv4_address\n\
         D/boot/config/ssh_authorized_keys/admni: not the name of a user, want admin, readonly, backup; did you mean admin?\n\
         D/boot/config/ssh_authorized_keys/admin:2: ssh-ed25519: the key is cut off\n";
    machine.refused(want);
    // The screen has them, too, and goes on to the rest.
    let (status, out, _) = machine.run("status");
    assert_eq!(status, 0);
    assert!(
        out.contains("\n         ! D/boot/config/config.ini:2: unknown key \"mtuu\", did"),
        "{out}"
    );
    assert!(out.contains("10 problems, marked with !\n"), "{out}");
    assert!(
        out.ends_with("setupos: status shown\nsetupos: images verified\n"),
        "{out}"
    );
}

#[test]
fn a_typed_configuration_is_one_for_this_system() {
    let machine = Machine::new();
    machine.remove("boot/config/config.ini");
    let guest = r#"{
        "kind": "guest", "format": 1, "hostname": null, "serial": 0, "media": "any", "data_encryption": null,
        "network": {
            "management_mac": null, "ipv6": null, "ipv6_derived": null, "ipv4": null, "name_servers": [], "domain": null, "mtu": null
        }
    }"#;
    machine.write("boot/config/config.json", guest);
    machine.refused("D/boot/config/config.json: kind: got \"guest\", want setup: it was made for another system\n");
}

#[test]
fn a_config_volume_needs_its_label() {
    let machine = Machine::new();
    let table: [(&[u8; 11], &str); 2] = [
        (b"NO NAME    ", "D/boot/config: mounted from vda3, which is a FAT volume without a label, want the label CONFIG\n"),
        (b"SETTINGS   ", "D/boot/config: mounted from vda3, which is a FAT volume labelled \"SETTINGS\", want the label CONFIG\n"),
    ];
    for (label, want) in table {
        machine.format("dev/vda3", label);
        machine.refused(want);
    }
    machine.remove("boot/config/config.ini");
    machine.format("dev/vda3", b"CONFIG     ");
    machine.refused("D/boot/config/config.ini: no such file\n");
}

#[test]
fn a_config_volume_that_is_not_mounted() {
    let machine = Machine::new();
    machine.remove("boot/config/config.ini");
    machine.remove("boot/config/ssh_authorized_keys/admin");
    machine.unmount("/boot/config");
    machine.refused("D/boot/config: nothing is mounted here, although vda3 is labelled CONFIG: it does not mount\n");
    machine.format("dev/vda3", b"SETTINGS   ");
    machine.refused("D/boot/config: no volume labelled CONFIG: partition config (vda3) is a FAT volume labelled \"SETTINGS\", want the label CONFIG\n");
    machine.write("dev/vda3", &format!("\0\0\0EXFAT   {}", "\0".repeat(600)));
    machine.refused("D/boot/config: no volume labelled CONFIG: partition config (vda3) holds an exFAT file system, which is no FAT, want a FAT volume labelled CONFIG\n");
    machine.write("dev/vda3", "");
    machine.refused("D/boot/config: no volume labelled CONFIG: partition config (vda3) is no FAT volume, want one labelled CONFIG\n");
    machine.write("sys/block/vda/vda3/uevent", "DEVNAME=vda3\n");
    machine.refused("D/boot/config: no volume labelled CONFIG; looked at nvme0n1 (No such file or directory (os error 2)), vda3, vda4, vda6\n");
    machine.write("sys/block/vda/size", "0\n");
    machine.write("sys/block/nvme0n1/size", "0\n");
    machine.refused("D/boot/config: no volume labelled CONFIG, and no drive is seen\n");
}

#[test]
fn a_template_that_sets_nothing_is_fine() {
    let machine = Machine::new();
    machine.write("boot/config/config.ini", "# hostname=\r\n");
    machine.remove("boot/config/ssh_authorized_keys/admin");
    let (status, out, _) = machine.run("check");
    assert_eq!(status, 0);
    assert!(
        out.contains(
            "      config: D/boot/config/config.ini sets nothing and there are no keys: defaults\n"
        ),
        "{out}"
    );
    let (_, out, _) = machine.run("status");
    assert!(
        out.contains("\n         nothing set\n         ssh keys: none\n"),
        "{out}"
    );
}

#[test]
fn images_that_are_not_what_they_should_be() {
    let machine = Machine::new();
    let good = machine.read("data/deployment.json");
    let host = machine.fsverity("host-os.img");
    // A byte beyond all holes.
    machine.write_at("data/host-os.img", 2_000_000, b"!");
    let bad = machine.fsverity("host-os.img");
    machine.refused(&format!(
        "D/data/host-os.img: fs-verity digest is {bad}, want {host}: the file is damaged\n"
    ));
    let (_, out, _) = machine.run("status");
    assert!(out.contains("...  unusable\n"), "{out}");
    assert!(out.ends_with("setupos: status shown\n"), "{out}");
    machine.write_at("data/host-os.img", 2_000_000, &[0]);
    machine.write("data/guest-os.img", "guest im");
    machine.refused("D/data/guest-os.img: 8 bytes, want 9: the file is not whole\n");
    machine.remove("data/guest-os.img");
    machine.refused("D/data/guest-os.img: image guest-os is missing\n");
    std::os::unix::fs::symlink("/etc/passwd", machine.path("data/guest-os.img")).unwrap();
    machine.refused("D/data/guest-os.img: a link, want a plain file\n");
    machine.remove("data/guest-os.img");
    std::fs::create_dir(machine.path("data/guest-os.img")).unwrap();
    machine.refused("D/data/guest-os.img: a folder or device, want a plain file\n");
    std::fs::remove_dir(machine.path("data/guest-os.img")).unwrap();
    machine.write("data/guest-os.img", "guest img");

    let mut other: serde_json::Value = serde_json::from_str(&good).unwrap();
    other["images"][1]["properties"]["env"] = "prod".into();
    machine.write("data/deployment.json", &other.to_string());
    machine.refused(
        "D/data/deployment.json: image guest-os: built for env prod, this system is for dev\n",
    );
    other["images"][1]["properties"] = serde_json::json!({});
    machine.write("data/deployment.json", &other.to_string());
    machine.refused("D/data/deployment.json: image guest-os: does not say its env, want dev\n");
    machine.write("data/deployment.json", &good);
    machine.write("opt/ic/share/env.txt", "prod\n");
    machine.refused(
        "D/data/deployment.json: built for env dev, this system is for prod\n\
         D/data/deployment.json: image host-os: built for env dev, this system is for prod\n\
         D/data/deployment.json: image guest-os: built for env dev, this system is for prod\n",
    );
    machine.remove("opt/ic/share/env.txt");
    machine.refused("D/opt/ic/share/env.txt: No such file or directory (os error 2)\n");
    machine.write("opt/ic/share/env.txt", "dev\n");
    let mut other: serde_json::Value = serde_json::from_str(&good).unwrap();
    other["images"].as_array_mut().unwrap().remove(1);
    machine.write("data/deployment.json", &other.to_string());
    machine.refused("D/data/deployment.json: no image guest-os\n");
}

#[test]
fn descriptions_that_are_not_to_be_read() {
    let machine = Machine::new();
    let good = machine.read("data/deployment.json");
    let table = [
        (good.replace("\"deployment\": 2", "\"deployment\": 3"), "format 3, this program knows format 2"),
        (good.replace("host-os.img", "../host-os.img"), "images[0].file: got \"../host-os.img\", want a file name of letters, digits and any of . - _, starting with a letter or digit, at most 255"),
        ("{}".to_owned(), "not a description of images: missing field `deployment` at line 1 column 2"),
        (String::new(), "not a description of images: EOF while parsing a value at line 1 column 0"),
        (" ".repeat(70_000), "65537 bytes, want at most 65536"),
    ];
    for (text, want) in table {
        machine.write("data/deployment.json", &text);
        machine.refused(&format!("D/data/deployment.json: {want}\n"));
    }
    machine.remove("data/deployment.json");
    machine.refused("D/data/deployment.json: No such file or directory (os error 2)\n");
    machine.unmount("/data");
    machine.refused("D/data/deployment.json: No such file or directory (os error 2); nothing is mounted there\n");
}

#[test]
fn another_version_is_remarked() {
    let machine = Machine::new();
    machine.write("opt/ic/share/version.txt", "9.9\n");
    let (status, out, _) = machine.run("check");
    assert_eq!(status, 0);
    assert!(
        out.contains(
            "      images: D/data/deployment.json is of version 1.2.3, this system of 9.9\n"
        ),
        "{out}"
    );
}

#[test]
fn an_empty_machine_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let machine = Machine::empty(dir);
    machine.refused(
        "D/opt/ic/share/version.txt: No such file or directory (os error 2)\n\
         D/opt/ic/share/env.txt: No such file or directory (os error 2)\n\
         D/boot/config: no volume labelled CONFIG, and no drive is seen\n\
         D/data/deployment.json: No such file or directory (os error 2); nothing is mounted there\n",
    );
    let (status, out, _) = machine.run("status");
    assert_eq!(status, 0);
    assert!(out.contains("no network card is seen\n"), "{out}");
}

#[test]
fn hardware_is_not_trusted_with_the_screen() {
    let machine = Machine::new();
    machine.write("sys/block/nvme0n1/device/model", "\x1b[2J\u{202e}evil\n");
    let (_, out, _) = machine.run("status");
    assert!(out.contains("NVMe  ?[2J?evil  serial S1"), "{out}");
}

#[test]
fn bad_flags_are_refused() {
    let machine = Machine::new();
    for args in [
        "",
        "frob",
        "status --watch 0",
        "status --watch x",
        "status --once --watch 5",
        "status --all-consoles --console /dev/ttyS0",
        "status --json --all-consoles",
        "status --rows 3",
        "check --watch 5",
    ] {
        let (status, out, error) = machine.run(args);
        assert_eq!((status, out.as_str()), (1, ""), "{args}");
        assert!(
            error.contains("Usage:") || error.starts_with("error: "),
            "{args}: {error}"
        );
    }
    for args in ["--help", "status --help", "check --help"] {
        let (status, out, _) = machine.run(args);
        assert_eq!(status, 0);
        assert!(out.contains("Usage: setupos_tool"), "{out}");
    }
}
