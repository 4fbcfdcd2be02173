//! What is read of a system's drives, from folders laid out as the kernel does it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use flash::{Drive, Number, System, Use};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.file(
            "proc/self/mountinfo",
            "22 1 0:20 / /proc rw - proc proc rw\n",
        );
        folder.file("proc/swaps", "Filename Type Size Used Priority\n");
        folder
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A device in `place` below sys/devices.
    fn device(&self, place: &str, number: &str, sectors: u64) {
        let dir = format!("sys/devices/{place}");
        self.file(&format!("{dir}/dev"), &format!("{number}\n"));
        self.file(&format!("{dir}/size"), &format!("{sectors}\n"));
        self.file(&format!("{dir}/ro"), "0\n");
        let link = self.0.path().join(format!("sys/dev/block/{number}"));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(format!("../../devices/{place}"), link).unwrap();
    }

    fn stick(&self) -> &'static str {
        let place = "pci0000:00/usb1/1-2/host6/block/sdb";
        self.device(place, "8:16", 62_333_952);
        self.file(&format!("sys/devices/{place}/removable"), "1\n");
        self.file(
            &format!("sys/devices/{place}/queue/logical_block_size"),
            "512\n",
        );
        self.file(&format!("sys/devices/{place}/device/vendor"), "SanDisk \n");
        self.file(
            &format!("sys/devices/{place}/device/model"),
            "Ultra Fit       \n",
        );
        self.file(
            "run/udev/data/b8:16",
            "S:disk/by-id/x\nE:ID_SERIAL_SHORT=4C53\n",
        );
        for (partition, number) in [("sdb1", "8:17"), ("sdb2", "8:18")] {
            self.device(&format!("{place}/{partition}"), number, 2048);
            self.file(&format!("sys/devices/{place}/{partition}/partition"), "1\n");
        }
        place
    }

    fn drive(&self, minor: u32) -> Drive {
        let number = Number { major: 8, minor };
        System::at(self.0.path()).drive(number).unwrap()
    }

    fn root(&self) -> &Path {
        self.0.path()
    }
}

const IMAGE: u64 = 3 << 30;

#[test]
fn a_stick_that_nobody_uses() {
    let folder = Folder::new();
    folder.stick();
    let drive = folder.drive(16);
    assert_eq!(
        drive.describe(),
        "/dev/sdb, SanDisk Ultra Fit, serial number 4C53, 31.9 GB, partitions sdb1, sdb2"
    );
    assert!(drive.removable && !drive.is_virtual && !drive.read_only);
    assert_eq!(drive.refusals(IMAGE, 512, false), Vec::<String>::new());
    assert_eq!(
        folder.drive(17).refusals(1 << 20, 512, false),
        ["it is a partition, want the whole drive: /dev/sdb"]
    );
    assert_eq!(
        drive.refusals(1 << 40, 4096, false),
        [
            "it has 31914983424 bytes, the image 1099511627776",
            "its sectors have 512 bytes, the image is made for 4096: firmware would not find the partitions",
        ]
    );
}

/// All at once: mounts by number and by name, swap, what is made of it, and what is made of that.
#[test]
fn everybody_who_uses_it() {
    let folder = Folder::new();
    let place = folder.stick();
    folder.device("virtual/block/dm-0", "253:0", 2048);
    folder.file("sys/devices/virtual/block/dm-0/dm/name", "vg-home\n");
    let holders = folder
        .root()
        .join(format!("sys/devices/{place}/sdb2/holders"));
    fs::create_dir_all(&holders).unwrap();
    let dm = folder.root().join("sys/devices/virtual/block/dm-0");
    symlink(dm, holders.join("dm-0")).unwrap();
    folder.file(
        "proc/self/mountinfo",
        "22 1 0:20 / /proc rw - proc proc rw\n\
         30 1 8:17 / /media/my\\040stick rw,nosuid shared:7 - vfat /dev/sdb1 rw\n\
         31 1 0:45 /sub /srv rw - btrfs /dev/sdb1 rw\n\
         32 1 253:0 / / rw - ext4 /dev/mapper/vg-home rw\n",
    );
    folder.file(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/sdb2 partition 1 0 -2\n",
    );
    let drive = folder.drive(16);
    let mounted = |place: &str| Use::Mounted {
        device: "sdb1".to_owned(),
        place: place.to_owned(),
    };
    assert!(drive.uses.contains(&mounted("/media/my stick")));
    assert!(drive.uses.contains(&mounted("/srv")));
    assert_eq!(
        drive.refusals(IMAGE, 512, false),
        [
            "/dev/sdb1 is mounted on /media/my stick: `umount --all-targets /dev/sdb1` first",
            "/dev/sdb1 is mounted on /srv: `umount --all-targets /dev/sdb1` first",
            "/dev/sdb2 is part of vg-home (LVM, RAID or LUKS): take that down first",
            "/dev/sdb2 is swap: `swapoff /dev/sdb2` first",
            "the running system is on /dev/dm-0",
        ]
    );
    // A partition is asked for itself.
    assert_eq!(folder.drive(17).uses.len(), 2);
}

#[test]
fn drives_that_are_built_in() {
    let folder = Folder::new();
    let place = "pci0000:00/ata1/host0/block/sda";
    folder.device(place, "8:0", 1 << 30);
    folder.file(&format!("sys/devices/{place}/removable"), "0\n");
    folder.file(
        &format!("sys/devices/{place}/queue/logical_block_size"),
        "512\n",
    );
    folder.file(&format!("sys/devices/{place}/ro"), "1\n");
    let drive = folder.drive(0);
    let refusals = drive.refusals(IMAGE, 512, false);
    assert_eq!(
        refusals,
        [
            "it takes no writes: a switch on the medium, or `blockdev --setrw`",
            "it is built in, no stick or card: --allow-fixed if it is meant all the same",
        ]
    );
    assert_eq!(drive.refusals(IMAGE, 512, true), refusals[..1]);
    assert_eq!(drive.serial, None);
    let missing = Number { major: 9, minor: 9 };
    let error = System::at(folder.root())
        .drive(missing)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("sys/dev/block/9:9"), "{error}");
    folder.file(&format!("sys/devices/{place}/size"), "many\n");
    let error = System::at(folder.root())
        .drive(Number { major: 8, minor: 0 })
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("holds \"many\", want a number of sectors"),
        "{error}"
    );
}

/// The place is anybody's choice, and not of this drive alone.
#[test]
fn a_place_that_is_no_utf8_hides_nothing() {
    let folder = Folder::new();
    folder.stick();
    let list = b"29 1 0:9 / /x\xff rw - tmpfs none rw\n30 1 8:17 / /y\xff rw - vfat /dev/sdb1 rw\n";
    fs::write(folder.root().join("proc/self/mountinfo"), list).unwrap();
    assert_eq!(
        folder.drive(16).refusals(IMAGE, 512, false),
        ["/dev/sdb1 is mounted on /y\u{fffd}: `umount --all-targets /dev/sdb1` first"]
    );
}
