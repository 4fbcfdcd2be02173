//! This machine: the slot it runs from and where its partitions are.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context};
use grubenv::{Slot, ALTERNATIVE};
use partitions::Table;
use rustix::fs::OFlags;

use crate::running::{CommandLine, Device, Running};
use crate::upgrade::SlotMedia;

/// What the kernel was started with, and the table of partitions.
#[derive(Debug)]
pub(crate) struct Machine {
    booted: Option<Slot>,
    running: Running,
    table: Table,
    table_path: PathBuf,
    device_dir: PathBuf,
}

/// A partition of a slot.
struct Place {
    name: String,
    uuid: String,
    path: PathBuf,
    /// Its number, unless a file is in its place.
    device: Option<Device>,
}

impl Machine {
    /// Reads the kernel command line in the file `cmdline`, and the table `partitions`.
    pub(crate) fn new(
        cmdline: &Path,
        partitions: &Path,
        device_dir: &Path,
    ) -> anyhow::Result<Self> {
        let text =
            std::fs::read(cmdline).with_context(|| format!("cannot read {}", cmdline.display()))?;
        let line = CommandLine::parse(&String::from_utf8_lossy(&text));
        // The last of several, as for the kernel and systemd.
        let booted = line
            .values(ALTERNATIVE)
            .last()
            .map(str::parse)
            .transpose()
            .with_context(|| format!("{ALTERNATIVE}= in {}", cmdline.display()))?;
        let shown = partitions.display();
        let text =
            std::fs::read_to_string(partitions).with_context(|| format!("cannot read {shown}"))?;
        Ok(Self {
            booted,
            running: Running::hear(&line, Path::new("/"), Path::new("/sys")),
            table: Table::parse(&text).with_context(|| shown.to_string())?,
            table_path: partitions.to_owned(),
            device_dir: device_dir.to_owned(),
        })
    }

    /// The running slot: that of the running root, which the kernel command line must not contradict; else the one that
    /// grubenv names.
    pub(crate) fn current(
        &self,
        named: impl FnOnce() -> anyhow::Result<Slot>,
    ) -> anyhow::Result<Slot> {
        let root = self.root_slot()?;
        if let (Some(booted), Some(root)) = (self.booted, root) {
            ensure!(
                booted == root,
                "the kernel's command line says {ALTERNATIVE}={booted}, but {root}_root is the root of the running system"
            );
        }
        if let Some(slot) = self.booted.or(root) {
            return Ok(slot);
        }
        named().context("no boot_alternative= on the kernel command line and no usable grubenv")
    }

    /// The slot that the running root is read from, if that is one of the two at all.
    fn root_slot(&self) -> anyhow::Result<Option<Slot>> {
        let is_root = |slot: Slot| {
            let place = self.place(slot, "root").ok();
            place.is_some_and(|place| self.reads(&place))
        };
        match (is_root(Slot::A), is_root(Slot::B)) {
            (true, true) => bail!(
                "A_root and B_root are both the root of the running system: the kernel's command line says {}",
                self.running.said()
            ),
            (true, false) => Ok(Some(Slot::A)),
            (false, true) => Ok(Some(Slot::B)),
            (false, false) => Ok(None),
        }
    }

    fn reads(&self, place: &Place) -> bool {
        self.running.reads(&place.name, &place.uuid, place.device)
    }

    fn place(&self, slot: Slot, part: &str) -> anyhow::Result<Place> {
        let name = format!("{slot}_{part}");
        let partition = self
            .table
            .get(&name)
            .with_context(|| format!("{} has no partition {name}", self.table_path.display()))?;
        let uuid = partition.uuid.to_string();
        let path = self.device_dir.join(&uuid);
        Ok(Place {
            name,
            uuid,
            device: Device::at(&path),
            path,
        })
    }

    /// Opens the partitions of `slot`, which must not be the running one: the other one has to be known for it.
    pub(crate) fn open_slot(&self, slot: Slot, write: bool) -> anyhow::Result<SlotMedia<File>> {
        let current = slot.other();
        ensure!(
            self.root_slot()? == Some(current),
            "it is not certain that slot {current} runs, so slot {slot} is left alone: \
             {current}_root is not what / is read from, nor what the kernel's command line names as root, which is {}",
            self.running.said()
        );
        let root = self.place(current, "root")?;
        let kept = [self.place(current, "boot")?, root];
        let open = |part: &str| -> anyhow::Result<File> {
            let place = self.place(slot, part)?;
            self.check(&place, &kept)?;
            open_device(&place.path, write)
                .with_context(|| format!("cannot open partition {}", place.name))
        };
        Ok(SlotMedia {
            boot: open("boot")?,
            root: open("root")?,
        })
    }

    /// Opens the partitions of any slot, to read.
    pub(crate) fn read_slot(&self, slot: Slot) -> anyhow::Result<SlotMedia<File>> {
        let open = |part: &str| -> anyhow::Result<File> {
            let place = self.place(slot, part)?;
            open_device(&place.path, false)
                .with_context(|| format!("cannot open partition {}", place.name))
        };
        Ok(SlotMedia {
            boot: open("boot")?,
            root: open("root")?,
        })
    }

    /// That `place` is neither read by the running system nor on another disk, such as a copy of this one.
    fn check(&self, place: &Place, kept: &[Place]) -> anyhow::Result<()> {
        let name = &place.name;
        if self.reads(place) {
            bail!("partition {name} is the root of the running system");
        }
        let Some(device) = place.device else {
            return Ok(());
        };
        for kept in kept {
            let Some(other) = kept.device else { continue };
            ensure!(
                other != device,
                "{name} and {} are the same partition: {} and {} lead to one device",
                kept.name,
                place.path.display(),
                kept.path.display()
            );
            let disks = [other, device].map(|device| self.running.disk_of(device));
            if let [Some(disk), Some(found)] = disks {
                ensure!(
                    disk == found,
                    "partition {name} ({}) is on {}, but the running system is on {}: two disks have the same PARTUUIDs",
                    place.uuid,
                    found.display(),
                    disk.display()
                );
            }
        }
        Ok(())
    }
}

fn open_device(path: &Path, write: bool) -> anyhow::Result<File> {
    let shown = || path.display().to_string();
    let file_type = std::fs::metadata(path).with_context(shown)?.file_type();
    let kind = if file_type.is_block_device() {
        Kind::Device
    } else if file_type.is_file() {
        Kind::File
    } else {
        bail!("{} is neither a block device nor a file", path.display());
    };
    OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(i32::try_from(flags(kind, write).bits()).with_context(shown)?)
        .open(path)
        .with_context(shown)
}

/// What stands for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The partition.
    Device,
    /// A file in its place.
    File,
}

/// What open(2) is asked for beside reading and writing.
fn flags(kind: Kind, write: bool) -> OFlags {
    match kind {
        // A block device in use, as by a mounted file system, can't be opened with this (EBUSY).
        Kind::Device if write => OFlags::EXCL,
        Kind::Device | Kind::File => OFlags::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeMap;

    /// A file of the source tree: Bazel runs tests at its root, cargo in the package's folder.
    fn source(path: &str) -> String {
        std::fs::read_to_string(path)
            .or_else(|_| std::fs::read_to_string(Path::new("../../..").join(path)))
            .unwrap()
    }

    /// A machine with GuestOS's partitions as empty files.
    fn machine(cmdline: &str) -> (tempfile::TempDir, anyhow::Result<Machine>) {
        let dir = tempfile::tempdir().unwrap();
        let csv = dir.path().join("partitions.csv");
        std::fs::write(&csv, source("ic-os/guestos/partitions.csv")).unwrap();
        for partition in Table::parse(&source("ic-os/guestos/partitions.csv"))
            .unwrap()
            .entries
        {
            std::fs::write(dir.path().join(partition.uuid.to_string()), "").unwrap();
        }
        let path = dir.path().join("cmdline");
        std::fs::write(&path, cmdline).unwrap();
        let machine = Machine::new(&path, &csv, dir.path());
        (dir, machine)
    }

    fn no_env() -> anyhow::Result<Slot> {
        panic!("not asked")
    }

    /// The line that an image of this template and table starts `slot` with.
    fn rendered(os: &str, slot: Slot) -> String {
        let table = Table::parse(&source(&format!("ic-os/{os}/partitions.csv"))).unwrap();
        let given = ["ROOT_HASH", "HASH_OFFSET", "CONSOLES", "EXTRA_BOOT_ARGS"];
        let mut values = BTreeMap::from(given.map(|key| (key.to_owned(), format!("x{key}"))));
        values.insert("SLOT".to_owned(), slot.to_string());
        partitions::render(
            &source("ic-os/common/cmdline-slots.template"),
            &values,
            Some(&table.layout(None).unwrap()),
        )
        .unwrap()
    }

    #[test]
    fn the_lines_of_images_prove_which_slot_runs() {
        for os in ["guestos", "hostos"] {
            for slot in [Slot::A, Slot::B] {
                let line = rendered(os, slot);
                let (dir, machine) = machine(&line);
                let mut machine = machine.unwrap();
                let csv = source(&format!("ic-os/{os}/partitions.csv"));
                machine.table = Table::parse(&csv).unwrap();
                for partition in &machine.table.entries {
                    std::fs::write(dir.path().join(partition.uuid.to_string()), "").unwrap();
                }
                assert_eq!(machine.root_slot().unwrap(), Some(slot), "{line}");
                assert_eq!(machine.current(no_env).unwrap(), slot);
                machine.open_slot(slot.other(), true).unwrap();
                let error = machine.open_slot(slot, true).unwrap_err().to_string();
                assert!(error.contains("it is not certain that slot"), "{error}");

                // Whoever sets the slot by hand is not believed.
                machine.booted = Some(slot.other());
                let error = machine.current(no_env).unwrap_err().to_string();
                let want = format!(
                    "boot_alternative={}, but {slot}_root is the root of the running system",
                    slot.other()
                );
                assert!(error.contains(&want), "{error}");
            }
        }
    }

    #[test]
    fn nothing_proved_nothing_written() {
        let line = rendered("guestos", Slot::A);
        for (line, want) in [
            // The mapped device alone says nothing about what it is made of.
            (
                "root=/dev/mapper/root boot_alternative=A".to_owned(),
                "names as root, which is root=/dev/mapper/root",
            ),
            ("boot_alternative=A".to_owned(), "as root, which is nothing"),
            (
                format!("{line} root=PARTLABEL=B_root"),
                "A_root and B_root are both the root",
            ),
        ] {
            let (_dir, machine) = machine(&line);
            for slot in [Slot::A, Slot::B] {
                let error = machine.as_ref().unwrap().open_slot(slot, true).unwrap_err();
                assert!(error.to_string().contains(want), "{error}");
            }
        }
    }

    #[test]
    fn the_command_line_knows() {
        let current = |line: &str, named: Option<anyhow::Result<Slot>>| {
            let (_dir, machine) = machine(line);
            machine?.current(|| named.unwrap_or_else(no_env))
        };
        let line = "root=x boot_alternative=A quiet boot_alternative=B\n";
        assert_eq!(current(line, None).unwrap(), Slot::B);
        assert!(current("boot_alternative=C", None).is_err());
        // Without the word, the root says it; without a root, grubenv.
        assert_eq!(current("root=PARTLABEL=B_root", None).unwrap(), Slot::B);
        let line = "xboot_alternative=B root=PARTUUID=ABCD";
        let damaged = Err(grubenv::Error::Signature.into());
        let error = current(line, Some(damaged)).unwrap_err().to_string();
        assert!(error.contains("no usable grubenv"), "{error}");
        assert_eq!(current(line, Some(Ok(Slot::A))).unwrap(), Slot::A);
    }

    /// What is written to is no partition of the running system under another name, nor one of another disk.
    #[test]
    fn partitions_are_told_apart_by_device() {
        let (dir, machine) = machine("");
        let sys = dir.path().join("sys");
        for (disk, number) in [("vda", "254:5"), ("vda", "254:8"), ("vdb", "254:24")] {
            let folder = sys.join("devices").join(disk).join(number);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("partition"), "1").unwrap();
            std::fs::create_dir_all(sys.join("dev/block")).unwrap();
            std::os::unix::fs::symlink(&folder, sys.join("dev/block").join(number)).unwrap();
        }
        let mut machine = machine.unwrap();
        let line = CommandLine::parse("root=254:5");
        machine.running = Running::hear(&line, Path::new("/nonexistent"), &sys);
        let place = |name: &str, device: &str| Place {
            name: name.to_owned(),
            uuid: "x".to_owned(),
            path: PathBuf::from(device),
            device: Device::parse(device),
        };
        let kept = [place("A_boot", ""), place("A_root", "254:5")];
        machine.check(&place("B_root", "254:8"), &kept).unwrap();
        machine.check(&place("B_root", ""), &kept).unwrap();
        let mapped = [place("A_boot", "254:8"), place("A_root", "253:0")];
        for (device, kept, want) in [
            (
                "254:5",
                &kept,
                "partition B_root is the root of the running system",
            ),
            (
                "254:8",
                &mapped,
                "B_root and A_boot are the same partition: 254:8 and 254:8 lead to one device",
            ),
            (
                "254:24",
                &kept,
                "/devices/vda: two disks have the same PARTUUIDs",
            ),
        ] {
            let error = machine.check(&place("B_root", device), kept).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
        }
    }

    #[test]
    fn devices_are_written_exclusively() {
        assert_eq!(flags(Kind::Device, true), OFlags::EXCL);
        assert_eq!(flags(Kind::Device, false), OFlags::empty());
        assert_eq!(flags(Kind::File, true), OFlags::empty());
    }

    #[test]
    fn neither_folder_nor_terminal_stands_for_a_partition() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path(), Path::new("/dev/null")] {
            let error = open_device(path, true).unwrap_err().to_string();
            assert!(
                error.contains("neither a block device nor a file"),
                "{error}"
            );
        }
        let file = dir.path().join("file");
        std::fs::write(&file, "1234").unwrap();
        let opened = open_device(&file, true).unwrap();
        // Really for both, and at offsets.
        direct::Medium::write_all_at(&opened, b"x", 2).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"12x4");
        let opened = open_device(&file, false).unwrap();
        assert!(direct::Medium::write_all_at(&opened, b"y", 2).is_err());
    }
}
