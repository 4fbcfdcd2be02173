//! What the running system is read from, so that nobody writes to it.
//!
//! Two witnesses are heard, and neither has to be complete:
//!
//! | witness                   | says                                                                                    |
//! |---------------------------|-----------------------------------------------------------------------------------------|
//! | the kernel's command line | `root=`, `systemd.verity_root_data=`, `systemd.verity_root_hash=`: by PARTUUID, label or path |
//! | `/sys/dev/block`          | the device of `/`, and below it, through device-mapper, the partitions that are read       |
//!
//! Keys are taken as systemd takes them (`proc_cmdline_get_key`): `-` is `_`, `rd.` may precede, quotes are dropped. Of several
//! values all count, not only the last one: a partition that is named without need stays unwritten.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The keys that name partitions of the root.
const ROOT_KEYS: [&str; 3] = [
    "root",
    "systemd.verity_root_data",
    "systemd.verity_root_hash",
];
/// Device-mapper tables in tables in tables: more is a loop.
const MAX_DEPTH: usize = 8;

/// Number of a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device {
    major: u32,
    minor: u32,
}

impl Device {
    fn of(number: u64) -> Self {
        Self {
            major: rustix::fs::major(number),
            minor: rustix::fs::minor(number),
        }
    }

    /// Of the block device at `path`.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let block = metadata.file_type().is_block_device();
        block.then(|| Self::of(metadata.rdev()))
    }

    /// Of the text `MAJOR:MINOR`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once(':')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

/// The words of a kernel command line, without quotes.
pub(crate) struct CommandLine(Vec<String>);

impl CommandLine {
    pub(crate) fn parse(text: &str) -> Self {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut quote = None;
        for c in text.chars() {
            match quote {
                None if c.is_ascii_whitespace() => words.push(std::mem::take(&mut word)),
                None if matches!(c, '"' | '\'') => quote = Some(c),
                Some(open) if open == c => quote = None,
                _ => word.push(c),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        Self(words)
    }

    /// Every value of `key`.
    pub(crate) fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |word| {
            let (name, value) = word.split_once('=')?;
            let name = name.strip_prefix("rd.").unwrap_or(name);
            (name.replace('-', "_") == key).then_some(value)
        })
    }
}

/// The witnesses' words.
#[derive(Debug, Default)]
pub(crate) struct Running {
    uuids: Vec<String>,
    labels: Vec<String>,
    devices: Vec<Device>,
    /// As they were said, for messages.
    said: Vec<String>,
    sys: PathBuf,
}

impl Running {
    /// Hears `line` about the root, and `sys` (`/sys`) about the file system that `root` (`/`) is on.
    pub(crate) fn hear(line: &CommandLine, root: &Path, sys: &Path) -> Self {
        let mut running = Self {
            sys: sys.to_owned(),
            ..Self::default()
        };
        for key in ROOT_KEYS {
            for value in line.values(key) {
                running.said.push(format!("{key}={value}"));
                running.name(value);
            }
        }
        if let Ok(metadata) = std::fs::metadata(root) {
            running.beneath(Device::of(metadata.dev()), 0);
        }
        running
    }

    /// The partition that a command line calls `value`.
    fn name(&mut self, value: &str) {
        let strip = |prefixes: [&str; 2]| prefixes.iter().find_map(|p| value.strip_prefix(p));
        if let Some(uuid) = strip(["PARTUUID=", "/dev/disk/by-partuuid/"]) {
            self.uuids.push(uuid.to_owned());
        } else if let Some(label) = strip(["PARTLABEL=", "/dev/disk/by-partlabel/"]) {
            self.labels.push(label.to_owned());
        } else if let Some(device) = Device::parse(value) {
            self.beneath(device, 0);
        } else if let Some(device) = Device::at(Path::new(&path_of(value))) {
            self.beneath(device, 0);
        }
    }

    /// Notes `device` and what it is made of.
    fn beneath(&mut self, device: Device, depth: usize) {
        if depth > MAX_DEPTH || self.devices.contains(&device) {
            return;
        }
        self.devices.push(device);
        for slave in self.slaves(device) {
            self.beneath(slave, depth.saturating_add(1));
        }
    }

    /// What can't be read is no witness: who writes wants to know that the other slot runs, and without witnesses writes nothing.
    #[expect(
        clippy::disallowed_methods,
        reason = "a set of devices: their order says nothing"
    )]
    fn slaves(&self, device: Device) -> Vec<Device> {
        let entries = std::fs::read_dir(self.folder(device).join("slaves"));
        let number = |entry: std::fs::DirEntry| {
            let text = std::fs::read_to_string(entry.path().join("dev")).ok()?;
            Device::parse(&text)
        };
        let entries = entries.into_iter().flatten().flatten();
        entries.filter_map(number).collect()
    }

    /// Whether the running root is read from the partition.
    pub(crate) fn reads(&self, name: &str, uuid: &str, device: Option<Device>) -> bool {
        self.uuids
            .iter()
            .any(|known| known.eq_ignore_ascii_case(uuid))
            || self.labels.iter().any(|known| known == name)
            || device.is_some_and(|device| self.devices.contains(&device))
    }

    /// The folder of the disk that `device` is a partition of; its own, if it is a whole disk.
    pub(crate) fn disk_of(&self, device: Device) -> Option<PathBuf> {
        let folder = std::fs::canonicalize(self.folder(device)).ok()?;
        let partition = folder.join("partition").exists();
        Some(if partition {
            folder.parent()?.to_owned()
        } else {
            folder
        })
    }

    /// What the command line said.
    pub(crate) fn said(&self) -> String {
        if self.said.is_empty() {
            "nothing".to_owned()
        } else {
            self.said.join(" ")
        }
    }

    fn folder(&self, device: Device) -> PathBuf {
        let Device { major, minor } = device;
        self.sys.join(format!("dev/block/{major}:{minor}"))
    }
}

/// Where udev has the file system that a command line calls `value`.
fn path_of(value: &str) -> String {
    match value.split_once('=') {
        Some(("UUID", uuid)) => format!("/dev/disk/by-uuid/{uuid}"),
        Some(("LABEL", label)) => format!("/dev/disk/by-label/{label}"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    const UUID: &str = "a0d0d0d8-c87a-4216-af61-d8419f168097";

    fn hear(line: &str) -> Running {
        let none = Path::new("/nonexistent");
        Running::hear(&CommandLine::parse(line), none, none)
    }

    #[test]
    fn every_way_to_name_a_partition() {
        let upper = UUID.to_ascii_uppercase();
        for line in [
            format!("root=PARTUUID={UUID}"),
            format!("root=PARTUUID={upper} quiet"),
            format!("root=\"PARTUUID={UUID}\""),
            format!("'root=PARTUUID={UUID}'"),
            format!("root=/dev/disk/by-partuuid/{UUID}"),
            "root=PARTLABEL=B_root".to_owned(),
            "root=/dev/disk/by-partlabel/B_root".to_owned(),
            format!("root=/dev/mapper/root systemd.verity_root_data=PARTUUID={UUID}"),
            format!("root=/dev/mapper/root systemd.verity-root-hash=PARTUUID={UUID}"),
            format!("rd.systemd.verity_root_data=PARTUUID={UUID}"),
            // Not the last word, and yet.
            format!("root=PARTUUID={UUID} root=PARTUUID=x"),
        ] {
            assert!(hear(&line).reads("B_root", UUID, None), "{line}");
            let other = "fa7cf5ac-c22f-4abf-883c-50e3e23cdf20";
            assert!(!hear(&line).reads("A_root", other, None), "{line}");
        }
        for line in [
            "",
            "root",
            "root=/dev/mapper/root",
            &format!("xroot=PARTUUID={UUID}"),
            &format!("root=PARTUUID={UUID}/PARTNROFF=1"),
            &format!("root=PARTUUID={}", &UUID[..35]),
            "root=\"PARTLABEL=B_root quiet",
        ] {
            assert!(!hear(line).reads("B_root", UUID, None), "{line}");
        }
        assert_eq!(hear("quiet").said(), "nothing");
        assert_eq!(hear("root=/dev/x ro").said(), "root=/dev/x");
    }

    #[test]
    fn numbers_name_devices() {
        let device = |minor| Some(Device { major: 254, minor });
        let running = hear("root=254:5");
        assert!(running.reads("", "", device(5)));
        assert!(!running.reads("", "", device(6)));
        assert!(!running.reads("", "", None));
    }

    #[test]
    fn paths_of_file_systems() {
        for (value, want) in [
            ("UUID=1234-ABCD", "/dev/disk/by-uuid/1234-ABCD"),
            ("LABEL=root=1", "/dev/disk/by-label/root=1"),
            ("/dev/vda5", "/dev/vda5"),
        ] {
            assert_eq!(path_of(value), want);
        }
    }

    /// Of a block device that nobody opens, where one may be made; of what is none there is no number.
    #[test]
    fn numbers_of_files() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Device::at(dir.path()), None);
        assert_eq!(Device::at(Path::new("/dev/null")), None);
        let path = dir.path().join("block");
        let mut mknod = std::process::Command::new("mknod");
        let made = mknod.arg(&path).args(["b", "254", "5"]).output();
        if !made.is_ok_and(|made| made.status.success()) {
            println!("skipped: no device can be made here");
            return;
        }
        assert_eq!(Device::at(&path), Device::parse("254:5"));
    }

    /// Each on the next one: what is deeper than tables are is not looked at.
    #[test]
    fn tables_in_tables_end() {
        let dir = tempfile::tempdir().unwrap();
        for minor in 0..20 {
            let at = |minor| dir.path().join(format!("dev/block/253:{minor}"));
            let next = minor + 1;
            fs::create_dir_all(at(next)).unwrap();
            fs::write(at(next).join("dev"), format!("253:{next}\n")).unwrap();
            fs::create_dir_all(at(minor).join("slaves")).unwrap();
            symlink(at(next), at(minor).join("slaves/next")).unwrap();
        }
        let line = CommandLine::parse("root=253:0");
        let running = Running::hear(&line, Path::new("/nonexistent"), dir.path());
        let known = |minor: &u32| {
            let device = Device::parse(&format!("253:{minor}"));
            running.reads("", "", device)
        };
        let known: Vec<u32> = (0..20).filter(known).collect();
        assert_eq!(known, (0..=8).collect::<Vec<_>>());
    }

    /// A root on device-mapper on device-mapper on a partition, as `/sys` shows it.
    #[test]
    fn what_lies_beneath_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let sys = dir.path();
        let devices = [
            ("dm-1", "253:1", None),
            ("dm-0", "253:0", None),
            ("vda/vda5", "254:5", Some("5")),
            ("vda/vda8", "254:8", Some("8")),
            ("vdb/vdb8", "254:24", Some("8")),
            ("vda", "254:0", None),
        ];
        fs::create_dir_all(sys.join("dev/block")).unwrap();
        for (name, number, partition) in devices {
            let folder = sys.join("devices").join(name);
            fs::create_dir_all(folder.join("slaves")).unwrap();
            fs::write(folder.join("dev"), format!("{number}\n")).unwrap();
            if let Some(partition) = partition {
                fs::write(folder.join("partition"), partition).unwrap();
            }
            symlink(&folder, sys.join("dev/block").join(number)).unwrap();
        }
        let slave = |of: &str, name: &str| {
            let short = name.rsplit('/').next().unwrap();
            let link = sys.join("devices").join(of).join("slaves").join(short);
            symlink(sys.join("devices").join(name), link).unwrap();
        };
        slave("dm-1", "dm-0");
        slave("dm-0", "vda/vda5");
        // A loop ends.
        slave("dm-0", "dm-1");

        let line = CommandLine::parse("root=253:1");
        let running = Running::hear(&line, Path::new("/nonexistent"), sys);
        let vda = |minor| Device { major: 254, minor };
        assert!(running.reads("", "", Some(vda(5))));
        assert!(!running.reads("", "", Some(vda(8))));
        assert_eq!(running.disk_of(vda(5)), running.disk_of(vda(8)));
        assert_eq!(running.disk_of(vda(0)), running.disk_of(vda(8)));
        assert_ne!(running.disk_of(vda(24)), running.disk_of(vda(8)));
        assert_eq!(running.disk_of(vda(99)), None);
    }
}
