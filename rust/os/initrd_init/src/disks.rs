//! Partitions of the machine, by the PARTUUID in the tables of their disks. The kernel names them in sysfs, but not their ids.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use uuid::Uuid;
use walkdir::WalkDir;

use crate::table::{self, Entry};

/// A disk whose table can't be read is read again after this time.
const AGAIN: Duration = Duration::from_secs(5);

/// Where the kernel says what there is.
pub(crate) struct Disks {
    /// `/sys/class/block`, and the folder of the devices' files.
    class: PathBuf,
    devices: PathBuf,
    /// What was read of each disk.
    tables: BTreeMap<Disk, Result<Vec<Entry>, Failed>>,
}

/// A disk: its name, and the number that the kernel counts up for each one that comes and each new medium.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Disk {
    name: String,
    sequence: String,
}

struct Failed {
    at: Instant,
    why: String,
}

/// A partition as the kernel has it.
struct Partition {
    name: String,
    disk: Disk,
    number: u32,
    /// First sector, of 512 bytes.
    start: u64,
}

impl Disks {
    pub(crate) fn new(class: &Path, devices: &Path) -> Self {
        Self {
            class: class.to_owned(),
            devices: devices.to_owned(),
            tables: BTreeMap::new(),
        }
    }

    /// The devices of all partitions of that id. A table is read once for each disk.
    pub(crate) fn find(&mut self, wanted: Uuid) -> Vec<PathBuf> {
        let partitions = self.partitions();
        self.read(&partitions);
        let is = |partition: &&Partition| {
            let entry = Entry {
                number: partition.number,
                start: partition.start,
                id: wanted,
            };
            let table = self.tables.get(&partition.disk);
            table.is_some_and(|table| table.as_ref().is_ok_and(|entries| entries.contains(&entry)))
        };
        let found = partitions.iter().filter(is);
        found
            .map(|partition| self.device(&partition.name))
            .collect()
    }

    /// What there is, for somebody who wonders why the right one is missing.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        let mut disk = None;
        for partition in self.partitions() {
            if disk.as_ref() != Some(&partition.disk) {
                let gap = if text.is_empty() { "" } else { "; " };
                let _ = write!(text, "{gap}{}", partition.disk.name);
                if let Some(Err(failed)) = self.tables.get(&partition.disk) {
                    let _ = write!(text, " ({})", failed.why);
                }
                text.push(':');
                disk = Some(partition.disk);
            }
            let _ = write!(text, " {}", partition.name);
        }
        if text.is_empty() {
            text.push_str("no disk with partitions");
        }
        text
    }

    /// Reads the tables that were not read yet, or could not be for a while.
    fn read(&mut self, partitions: &[Partition]) {
        let mut tables = std::mem::take(&mut self.tables);
        for Partition { disk, .. } in partitions {
            if self.tables.contains_key(disk) {
                continue;
            }
            let known = tables
                .remove(disk)
                .filter(|table| !matches!(table, Err(failed) if failed.at.elapsed() >= AGAIN));
            let table = known.unwrap_or_else(|| {
                self.table(&disk.name).map_err(|why| Failed {
                    at: Instant::now(),
                    why: format!("{why:#}"),
                })
            });
            self.tables.insert(disk.clone(), table);
        }
    }

    /// The partitions that the kernel has, disk by disk.
    fn partitions(&self) -> Vec<Partition> {
        let entries = WalkDir::new(&self.class)
            .min_depth(1)
            .max_depth(1)
            .sort_by_file_name();
        let mut found: Vec<_> = entries
            .into_iter()
            // One that went away meanwhile.
            .filter_map(|entry| partition(&entry.ok()?.into_path()))
            .collect();
        found.sort_by(|one, other| (&one.disk, one.number).cmp(&(&other.disk, other.number)));
        found
    }

    fn table(&self, disk: &str) -> Result<Vec<Entry>> {
        let mut file = File::open(self.device(disk)).context("cannot open it")?;
        let len = file
            .seek(SeekFrom::End(0))
            .context("cannot tell its length")?;
        table::read(&file, len)
    }

    /// The file of a device; the kernel writes `!` for a folder.
    fn device(&self, name: &str) -> PathBuf {
        self.devices.join(name.replace('!', "/"))
    }
}

/// What is said of an entry of `/sys/class/block`, if it is a partition.
fn partition(entry: &Path) -> Option<Partition> {
    let number = |name: &str| {
        fs::read_to_string(entry.join(name))
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    let number_in_table = u32::try_from(number("partition")?).ok()?;
    let place = fs::canonicalize(entry).ok()?;
    let disk = place.parent()?;
    Some(Partition {
        name: entry.file_name()?.to_str()?.to_owned(),
        disk: Disk {
            name: disk.file_name()?.to_str()?.to_owned(),
            sequence: fs::read_to_string(disk.join("diskseq")).unwrap_or_default(),
        },
        number: number_in_table,
        start: number("start")?,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use gpt::disk::LogicalBlockSize;
    use gpt::mbr::ProtectiveMBR;
    use gpt::partition_types::LINUX_FS;
    use gpt::GptConfig;

    use super::*;

    /// A machine's folders: `class` as the kernel links it, and disks as files.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            let machine = Self(tempfile::tempdir().unwrap());
            for folder in ["class", "dev", "dev/cciss", "devices"] {
                fs::create_dir(machine.0.path().join(folder)).unwrap();
            }
            machine
        }

        fn disks(&self) -> Disks {
            Disks::new(&self.0.path().join("class"), &self.0.path().join("dev"))
        }

        fn entry(&self, disk: &str, name: &str, files: &[(&str, String)]) {
            let folder = self
                .0
                .path()
                .join("devices")
                .join(disk)
                .join(if name == disk { "" } else { name });
            fs::create_dir_all(&folder).unwrap();
            for (file, text) in files {
                fs::write(folder.join(file), text).unwrap();
            }
            symlink(&folder, self.0.path().join("class").join(name)).unwrap();
        }

        /// A disk with partitions of 1 MiB; returns their ids.
        fn disk(&self, name: &str, partitions: usize) -> Vec<Uuid> {
            let path = self.0.path().join("dev").join(name.replace('!', "/"));
            let sectors = 16 << 11;
            let mut file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)
                .unwrap();
            file.set_len(sectors << 9).unwrap();
            ProtectiveMBR::with_lb_size(u32::try_from(sectors).unwrap())
                .overwrite_lba0(&mut file)
                .unwrap();
            let config = GptConfig::new()
                .writable(true)
                .logical_block_size(LogicalBlockSize::Lb512);
            let mut table = config.create_from_device(file, None).unwrap();
            for _ in 0..partitions {
                table
                    .add_partition("p", 1 << 20, LINUX_FS, 0, None)
                    .unwrap();
            }
            let entries = table
                .partitions()
                .iter()
                .map(|(number, partition)| (*number, partition.first_lba, partition.part_guid));
            let entries: Vec<_> = entries.collect();
            table.write().unwrap();
            self.entry(name, name, &[("diskseq", format!("{name}1\n"))]);
            for (number, start, _) in &entries {
                let files = [
                    ("partition", format!("{number}\n")),
                    ("start", format!("{start}\n")),
                ];
                self.entry(name, &format!("{name}p{number}"), &files);
            }
            entries
                .iter()
                .map(|(_, _, id)| Uuid::from_bytes(*id.as_bytes()))
                .collect()
        }
    }

    #[test]
    fn a_partition_is_found_by_its_id() {
        let machine = Machine::new();
        let first = machine.disk("sda", 2);
        let second = machine.disk("cciss!c0d0", 3);
        let mut disks = machine.disks();
        let dev = machine.0.path().join("dev");
        assert_eq!(disks.find(first[1]), [dev.join("sdap2")]);
        assert_eq!(disks.find(second[2]), [dev.join("cciss/c0d0p3")]);
        assert!(disks.find(Uuid::from_u128(1)).is_empty());
        // The same system on another disk.
        let third = machine.disk("sdb", 2);
        fs::copy(dev.join("sda"), dev.join("sdb")).unwrap();
        assert_eq!(disks.find(first[1]), [dev.join("sdap2"), dev.join("sdbp2")]);
        assert!(disks.find(third[0]).is_empty());
    }

    /// A table is read when a disk comes, and not again; of another medium in the drive it is.
    #[test]
    fn a_table_is_read_once() {
        let machine = Machine::new();
        let ids = machine.disk("sda", 1);
        let mut disks = machine.disks();
        assert_eq!(disks.find(ids[0]).len(), 1);
        fs::write(machine.0.path().join("dev/sda"), "x".repeat(100_000)).unwrap();
        assert_eq!(disks.find(ids[0]).len(), 1);
        fs::write(machine.0.path().join("devices/sda/diskseq"), "2\n").unwrap();
        assert!(disks.find(ids[0]).is_empty());
    }

    #[test]
    fn what_is_no_table_is_told() {
        let machine = Machine::new();
        assert_eq!(machine.disks().describe(), "no disk with partitions");
        let ids = machine.disk("sda", 2);
        machine.entry("loop0", "loop0", &[]);
        fs::write(machine.0.path().join("dev/sda"), "x".repeat(100_000)).unwrap();
        let mut disks = machine.disks();
        assert!(disks.find(ids[0]).is_empty());
        assert_eq!(disks.describe(), "sda (no protective MBR): sdap1 sdap2");
    }

    /// The kernel's partition lies elsewhere: it has read another table.
    #[test]
    fn a_partition_of_another_table_is_not_taken() {
        let machine = Machine::new();
        let ids = machine.disk("sda", 1);
        fs::write(machine.0.path().join("devices/sda/sdap1/start"), "4096\n").unwrap();
        assert!(machine.disks().find(ids[0]).is_empty());
    }
}
