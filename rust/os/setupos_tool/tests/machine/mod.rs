//! A folder that stands for a machine: /sys, /proc, /dev and the mounted volumes, as far as they are looked at.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests, and not all of them use all of it"
)]

pub mod stick;

use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

pub const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me";

/// (path, content)
const FILES: &[(&str, &str)] = &[
    ("opt/ic/share/version.txt", "1.2.3\n"),
    ("opt/ic/share/env.txt", "dev\n"),
    (
        "boot/config/config.ini",
        "# mine\nhostname=node-1\nipv6_address=2001:db8::2/64\n",
    ),
    ("boot/config/ssh_authorized_keys/admin", KEY),
    (
        "proc/self/mountinfo",
        "22 1 253:0 / / ro,relatime shared:1 - ext4 /dev/dm-0 ro\n\
         30 22 252:3 / /boot/config ro,nodev - vfat /dev/vda3 ro\n\
         31 22 252:4 / /data ro,nodev - ext4 /dev/vda4 ro\n",
    ),
    ("sys/block/dm-0/dev", "253:0\n"),
    ("sys/block/dm-0/size", "1\n"),
    ("sys/block/dm-0/slaves/vda6/partition", "6\n"),
    ("sys/block/loop0/size", "8\n"),
    ("sys/block/vda/dev", "252:0\n"),
    ("sys/block/vda/size", "16777216\n"),
    ("sys/block/vda/removable", "1\n"),
    ("sys/block/vda/ro", "0\n"),
    ("sys/block/vda/serial", "stick\n"),
    ("sys/block/vda/queue/rotational", "0\n"),
    ("sys/block/vda/queue/logical_block_size", "512\n"),
    ("sys/block/vda/vda3/partition", "3\n"),
    ("sys/block/vda/vda3/dev", "252:3\n"),
    (
        "sys/block/vda/vda3/uevent",
        "DEVNAME=vda3\nPARTN=3\nPARTNAME=config\n",
    ),
    ("sys/block/vda/vda4/partition", "4\n"),
    ("sys/block/vda/vda4/dev", "252:4\n"),
    ("sys/block/vda/vda6/partition", "6\n"),
    ("sys/block/vda/vda6/dev", "252:6\n"),
    ("sys/block/nvme0n1/dev", "259:0\n"),
    ("sys/block/nvme0n1/size", "3907029168\n"),
    ("sys/block/nvme0n1/device/model", "Fast 2000      \n"),
    ("sys/block/nvme0n1/device/serial", "S1\n"),
    ("sys/block/nvme0n1/queue/logical_block_size", "512\n"),
    ("sys/class/net/lo/address", "00:00:00:00:00:00\n"),
    ("sys/class/net/eth0/address", "52:54:00:12:34:56\n"),
    ("sys/class/net/eth0/carrier", "0\n"),
    ("sys/class/net/eth0/speed", "-1\n"),
    ("sys/class/net/eth0/device/vendor", "0x1af4\n"),
    ("sys/class/net/eth1/address", "52:54:00:12:34:57\n"),
    ("sys/class/net/eth1/carrier", "1\n"),
    ("sys/class/net/eth1/speed", "1000\n"),
    ("sys/class/net/eth1/device/vendor", "0x1af4\n"),
    ("sys/class/net/eth1/type", "1\n"),
    (
        "proc/net/if_inet6",
        "20010db8000000000000000000000002 03 40 00 80     eth1\n",
    ),
    (
        "proc/net/fib_trie",
        "Local:\n     |-- 192.0.2.2\n        /32 host LOCAL\n",
    ),
    (
        "proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
         eth1\t000200C0\t00000000\t0001\t0\t0\t1024\t00FFFFFF\t0\t0\t0\n",
    ),
    (
        "proc/cpuinfo",
        "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu svm\n",
    ),
    (
        "proc/meminfo",
        "MemTotal:        4000000 kB\nMemFree: 1 kB\n",
    ),
    ("sys/devices/system/cpu/online", "0-3\n"),
    ("sys/class/dmi/id/sys_vendor", "Maker\n"),
    ("sys/class/dmi/id/product_name", "Model 1\n"),
    (
        "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
        "\x06\0\0\0\0",
    ),
    ("sys/class/tty/console/active", "tty0 ttyS0\n"),
    ("dev/vda4", "ext4"),
    ("dev/vda6", "ext4"),
    ("dev/tty1", ""),
    ("dev/ttyS0", ""),
    ("data/guest-os.img", "guest img"),
];

pub struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    /// One without faults.
    pub fn new() -> Self {
        let machine = Self::empty(tempfile::tempdir().unwrap());
        for (path, text) in FILES {
            machine.write(path, text);
        }
        std::os::unix::fs::symlink(
            "../../bus/virtio/drivers/virtio_net",
            machine.path("sys/class/net/eth0/device/driver"),
        )
        .unwrap();
        machine.format("dev/vda3", b"CONFIG     ");
        machine.write("data/host-os.img", "host");
        machine.file("data/host-os.img").set_len(3 << 20).unwrap();
        machine.deploy();
        machine
    }

    /// One with nothing.
    pub fn empty(dir: tempfile::TempDir) -> Self {
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        self.write_bytes(name, text.as_bytes());
    }

    /// Whole at once: a program may be looking.
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = self.path("being-written");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    pub fn write_at(&self, name: &str, at: u64, bytes: &[u8]) {
        self.file(name).write_all_at(bytes, at).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    fn file(&self, name: &str) -> std::fs::File {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true);
        options.open(self.path(name)).unwrap()
    }

    /// Takes a mount point out of the table.
    pub fn unmount(&self, place: &str) {
        let text = self.read("proc/self/mountinfo");
        let lines = text
            .lines()
            .filter(|line| !line.contains(&format!(" {place} ")));
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        self.write("proc/self/mountinfo", &lines);
    }

    /// Makes a FAT32 volume.
    pub fn format(&self, name: &str, label: &[u8; 11]) {
        self.write(name, "");
        let mut file = self.file(name);
        file.set_len(40 << 20).unwrap();
        let options = fatfs::FormatVolumeOptions::new()
            .fat_type(fatfs::FatType::Fat32)
            .volume_id(1)
            .volume_label(*label);
        fatfs::format_volume(&mut file, options).unwrap();
    }

    pub fn fsverity(&self, image: &str) -> String {
        let path = self.path(&format!("data/{image}"));
        verity::FsverityDigest::open(path.as_ref())
            .unwrap()
            .to_string()
    }

    /// Describes the images as they are.
    pub fn deploy(&self) {
        let env = || [("env".to_owned(), "dev".to_owned())].into();
        let image = |name: &str| deployment::Image {
            file: format!("{name}.img"),
            fsverity: self.fsverity(&format!("{name}.img")),
            name: name.to_owned(),
            properties: env(),
            size: self
                .file(&format!("data/{name}.img"))
                .metadata()
                .unwrap()
                .len(),
            version: "1.2.3".to_owned(),
        };
        let document = deployment::Deployment {
            deployment: deployment::VERSION,
            images: vec![image("host-os"), image("guest-os")],
            name: "stick".to_owned(),
            properties: env(),
            version: "1.2.3".to_owned(),
        };
        self.write("data/deployment.json", &document.to_json().unwrap());
    }

    /// The program, to be run below the folder.
    pub fn command(&self, args: &str) -> Command {
        let program = std::fs::canonicalize(env!("CARGO_BIN_EXE_setupos_tool")).unwrap();
        let mut command = Command::new(program);
        command
            .args(args.split(' ').filter(|arg| !arg.is_empty()))
            .arg("--root")
            .arg(self.dir.path())
            .env_remove("NO_COLOR");
        command
    }

    /// (status, stdout, stderr) with the folder written as `D`.
    pub fn run(&self, args: &str) -> (i32, String, String) {
        let output = self.command(args).output().unwrap();
        (
            output.status.code().unwrap(),
            self.text(&output.stdout),
            self.text(&output.stderr),
        )
    }

    pub fn text(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.replace(self.dir.path().to_str().unwrap(), "D")
    }

    /// `check` ends with status 1 and exactly this on stderr.
    #[track_caller]
    pub fn refused(&self, want: &str) {
        let (status, _, error) = self.run("check");
        assert_eq!(error, format!("setupos_tool: error: {want}"));
        assert_eq!(status, 1);
    }

    /// Everything below the folder: path, length, time of the last change.
    pub fn snapshot(&self) -> Vec<(PathBuf, u64, i64, i64)> {
        let mut all = Vec::new();
        walk(self.dir.path(), &mut all);
        all.sort();
        all
    }
}

fn walk(dir: &Path, all: &mut Vec<(PathBuf, u64, i64, i64)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = std::fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            walk(&path, all);
        }
        all.push((path, meta.len(), meta.mtime(), meta.mtime_nsec()));
    }
}
