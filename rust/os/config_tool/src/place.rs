//! Where a volume lies: which drive it is on, and what else is there. By what the kernel tells in sysfs, not by what is written on volumes.
//!
//! Two places hold a volume with the right label that is no medium for this machine:
//!
//! - **The machine's own drive**, the one that `/` is on. HostOS's has the partition `guestos`, every byte of which is the guest's: a FAT
//!   volume written there would be a guest that configures its host.
//! - **A stick of SetupOS** that was left in. Its settings are for an installation, and were handed over by that.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context};
use nix::sys::stat::{major, minor};

/// Partitions of SetupOS's medium (`ic-os/setupos/partitions.csv`) that no disk of HostOS or GuestOS, and no plain stick, has together.
const INSTALLER: [&str; 4] = ["boot", "config", "data", "root"];
/// Devices that are made of devices that are made of …: what has more is in a circle.
const DEEPEST: usize = 16;

/// What is said against a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing.
    Elsewhere,
    /// It is on the drive that the machine runs from.
    OwnDrive,
    /// It is on a medium of SetupOS.
    Installer,
}

/// Major and minor number of a block device.
pub(crate) type Number = (u64, u64);

/// The number of a block device.
pub(crate) fn number(device: &Path) -> anyhow::Result<Number> {
    let meta = fs::metadata(device).with_context(|| format!("cannot read {}", device.display()))?;
    ensure!(
        meta.file_type().is_block_device(),
        "{} is no block device",
        device.display()
    );
    Ok((major(meta.rdev()), minor(meta.rdev())))
}

/// The number of the device that holds the file system of a folder; `None`: it is on none, as in a container.
pub(crate) fn below(folder: &Path) -> anyhow::Result<Option<Number>> {
    let meta = fs::metadata(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    // Major number 0 is that of file systems without a device.
    Ok(Some((major(meta.dev()), minor(meta.dev()))).filter(|(major, _)| *major != 0))
}

/// Where `volume` lies on a machine whose `/` is on `root`; `sys` is where sysfs is mounted.
pub(crate) fn place(sys: &Path, root: Option<Number>, volume: Number) -> anyhow::Result<Place> {
    let on = drives(sys, volume)?;
    if let Some(root) = root {
        if !drives(sys, root)?.is_disjoint(&on) {
            return Ok(Place::OwnDrive);
        }
    }
    for drive in &on {
        let there = partitions(drive)?;
        if INSTALLER.iter().all(|name| there.contains(*name)) {
            return Ok(Place::Installer);
        }
    }
    Ok(Place::Elsewhere)
}

/// The drives that a device lies on, by their folders in sysfs: that of its partition, and for what the device mapper shows those of all that
/// it is made of.
fn drives(sys: &Path, (major, minor): Number) -> anyhow::Result<BTreeSet<PathBuf>> {
    let link = sys.join("dev/block").join(format!("{major}:{minor}"));
    let mut found = BTreeSet::new();
    let mut level = BTreeSet::from([resolved(&link)?]);
    for _ in 0..DEEPEST {
        let mut next = BTreeSet::new();
        for device in level {
            let drive = match device.parent() {
                Some(drive) if device.join("partition").exists() => drive.to_path_buf(),
                _ => device,
            };
            let slaves = slaves(&drive)?;
            if slaves.is_empty() {
                found.insert(drive);
            }
            next.extend(slaves);
        }
        if next.is_empty() {
            return Ok(found);
        }
        level = next;
    }
    bail!(
        "{}: more than {DEEPEST} devices upon each other",
        link.display()
    )
}

/// What a device is made of; nothing if it is a drive.
fn slaves(device: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let folder = device.join("slaves");
    if !folder.is_dir() {
        return Ok(BTreeSet::new());
    }
    entries(&folder)?
        .iter()
        .map(|path| resolved(path))
        .collect()
}

/// The names of a drive's partitions, in the table's own words (`PARTNAME`).
fn partitions(drive: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in entries(drive)? {
        if !folder.join("partition").exists() {
            continue;
        }
        let path = folder.join("uevent");
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        // A name that is no text is none of those that are looked for.
        let text = String::from_utf8_lossy(&bytes);
        let name = text.lines().find_map(|line| line.strip_prefix("PARTNAME="));
        names.extend(name.map(str::to_owned));
    }
    Ok(names)
}

/// What is in a folder, in no order.
#[expect(
    clippy::disallowed_methods,
    reason = "what is made of it are sets, which have an order of their own"
)]
fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = || format!("cannot read {}", folder.display());
    let entries = fs::read_dir(folder).with_context(shown)?;
    let paths = entries.map(|entry| Ok(entry.with_context(shown)?.path()));
    paths.collect()
}

fn resolved(path: &Path) -> anyhow::Result<PathBuf> {
    path.canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A sysfs with the machine's drive sda, its root in dm-0 upon two partitions, and whatever else is plugged in.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            let machine = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(machine.at("dev/block")).unwrap();
            let own = [
                "esp", "grub", "config", "A_boot", "A_root", "B_root", "data",
            ];
            machine.drive("sda", 8, &[&own[..], &["guestos"]].concat());
            machine.upon("dm-0", (254, 0), &["sda/sda5"]);
            machine
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// Partitions have the numbers from 1.
        fn drive(&self, name: &str, major: u64, partitions: &[&str]) {
            let device = self.at("devices").join(name);
            fs::create_dir_all(device.join("slaves")).unwrap();
            self.link((major, 0), &device);
            for (number, partition) in (1_u64..).zip(partitions) {
                let folder = device.join(format!("{name}{number}"));
                fs::create_dir(&folder).unwrap();
                fs::write(folder.join("partition"), format!("{number}\n")).unwrap();
                let event = format!("DEVTYPE=partition\nPARTN={number}\nPARTNAME={partition}\n");
                fs::write(folder.join("uevent"), event).unwrap();
                self.link((major, number), &folder);
            }
        }

        fn upon(&self, name: &str, number: Number, slaves: &[&str]) {
            let device = self.at("devices").join(name);
            fs::create_dir_all(device.join("slaves")).unwrap();
            self.link(number, &device);
            for slave in slaves {
                let link = device.join("slaves").join(slave.replace('/', "-"));
                symlink(self.at("devices").join(slave), link).unwrap();
            }
        }

        fn link(&self, (major, minor): Number, device: &Path) {
            let link = self.at("dev/block").join(format!("{major}:{minor}"));
            symlink(device, link).unwrap();
        }

        fn place(&self, volume: Number) -> anyhow::Result<Place> {
            place(self.0.path(), Some((254, 0)), volume)
        }
    }

    #[test]
    fn the_machines_own_drive_holds_no_medium() {
        let machine = Machine::new();
        // What the guest writes to, the drive itself, and what the device mapper shows of it.
        for number in [(8, 8), (8, 3), (8, 0), (254, 0)] {
            assert_eq!(
                machine.place(number).unwrap(),
                Place::OwnDrive,
                "{number:?}"
            );
        }
        machine.drive("sdb", 9, &["stick"]);
        machine.upon("dm-1", (254, 1), &["sdb/sdb1", "sda/sda7"]);
        machine.upon("dm-2", (254, 2), &["dm-1"]);
        assert_eq!(machine.place((254, 2)).unwrap(), Place::OwnDrive);
        // Without a device below `/` there is no drive of its own.
        let place = place(machine.0.path(), None, (8, 8)).unwrap();
        assert_eq!(place, Place::Elsewhere);
    }

    #[test]
    fn a_stick_of_setupos_is_known() {
        let machine = Machine::new();
        let setupos = ["esp", "grub", "config", "data", "boot", "root"];
        machine.drive("sdb", 9, &setupos);
        assert_eq!(machine.place((9, 3)).unwrap(), Place::Installer);
        // Sticks that people make: a volume on all of it, one partition, some.
        machine.drive("sdc", 10, &[]);
        machine.drive("sdd", 11, &["config"]);
        machine.drive("sde", 12, &["esp", "config", "data"]);
        for number in [(10, 0), (11, 1), (12, 2)] {
            assert_eq!(
                machine.place(number).unwrap(),
                Place::Elsewhere,
                "{number:?}"
            );
        }
    }

    /// A file of the source tree: Bazel runs tests at its root, cargo in the package's folder.
    fn source(path: &str) -> String {
        fs::read_to_string(path)
            .or_else(|_| fs::read_to_string(Path::new("../../..").join(path)))
            .unwrap()
    }

    #[test]
    fn systems_that_run_have_other_partitions() {
        for (major, os, want) in [
            (9, "setupos", Place::Installer),
            (10, "hostos", Place::Elsewhere),
            (11, "guestos", Place::Elsewhere),
        ] {
            let csv = source(&format!("ic-os/{os}/partitions.csv"));
            let rows = csv.lines().filter(|line| !line.starts_with('#')).skip(1);
            let names: Vec<&str> = rows.filter_map(|row| row.split(',').next()).collect();
            let machine = Machine::new();
            machine.drive(os, major, &names);
            assert_eq!(machine.place((major, 3)).unwrap(), want, "{os}");
        }
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let machine = Machine::new();
        let error = machine.place((99, 1)).unwrap_err().to_string();
        assert!(error.ends_with("dev/block/99:1"), "{error}");
        machine.upon("dm-8", (254, 8), &["dm-9"]);
        machine.upon("dm-9", (254, 9), &["dm-8"]);
        let error = machine.place((254, 8)).unwrap_err().to_string();
        assert!(
            error.ends_with("more than 16 devices upon each other"),
            "{error}"
        );
        let error = number(Path::new("/dev/null")).unwrap_err().to_string();
        assert_eq!(error, "/dev/null is no block device");
        assert_eq!(below(Path::new("/proc")).unwrap(), None);
    }
}
