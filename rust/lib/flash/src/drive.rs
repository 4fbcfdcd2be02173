//! What the system knows of a drive: `/sys/dev/block`, as the kernel's `ABI/stable/sysfs-block` describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::Error;
use crate::uses::{self, Use};

/// sysfs counts in these, whatever the drive's own sectors are.
const UNIT: u64 = 512;

/// A device's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    /// Of the driver.
    pub major: u32,
    /// Of the device.
    pub minor: u32,
}

impl Number {
    /// From what `stat` says.
    pub fn of(rdev: u64) -> Self {
        Self {
            major: rustix::fs::major(rdev),
            minor: rustix::fs::minor(rdev),
        }
    }

    /// From `8:16`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once(':')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// Where `/sys`, `/proc` and `/dev` are.
#[derive(Clone, Debug)]
pub struct System {
    root: PathBuf,
}

/// A drive as the system knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// Its number.
    pub number: Number,
    /// As in `/dev`.
    pub name: String,
    /// The drive that it is a partition of.
    pub partition_of: Option<String>,
    /// Bytes it has.
    pub len: u64,
    /// Bytes of its sectors.
    pub sector: u64,
    /// Maker and model; empty where nobody says.
    pub model: String,
    /// Serial number, where one is known.
    pub serial: Option<String>,
    /// Whether it is meant to be taken out: it says so, or is on USB, or a card.
    pub removable: bool,
    /// Whether it is no piece of hardware: a loop device, one over the network.
    pub is_virtual: bool,
    /// Whether it takes no writes.
    pub read_only: bool,
    /// Its partitions, by name.
    pub partitions: Vec<String>,
    /// Who uses it.
    pub uses: Vec<Use>,
}

impl System {
    /// The one that this program runs on.
    pub fn here() -> Self {
        Self::at(Path::new("/"))
    }

    /// One whose `sys`, `proc` and `dev` are in the folder `root`.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A file's first line without what surrounds it; nothing if there is no such file.
    pub(crate) fn line(&self, path: &Path) -> Result<Option<String>, Error> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(
                text.lines().next().unwrap_or_default().trim().to_owned(),
            )),
            // A drive without a medium, or one that has nothing to say.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed(path)(source)),
        }
    }

    fn number_in(&self, path: &Path, want: &'static str) -> Result<u64, Error> {
        let text = self.line(path)?.unwrap_or_default();
        text.parse().map_err(|_| Error::Unexpected {
            path: path.to_owned(),
            found: text,
            want,
        })
    }

    /// The drive with this number, as it is now.
    pub fn drive(&self, number: Number) -> Result<Drive, Error> {
        let link = self.path(format!("sys/dev/block/{number}"));
        let dir = link.canonicalize().map_err(failed(&link))?;
        let name = name_of(&dir);
        // A partition lies in the folder of its drive.
        let partition = self.line(&dir.join("partition"))?.is_some();
        let whole = match dir.parent() {
            Some(parent) if partition => parent.to_owned(),
            _ => dir.clone(),
        };
        let flag = |file: &str| -> Result<bool, Error> {
            Ok(self.line(&whole.join(file))?.as_deref() == Some("1"))
        };
        let words = dir.to_string_lossy().into_owned();
        let usb = words.split('/').any(|part| {
            part.strip_prefix("usb")
                .is_some_and(|bus| bus.parse::<u32>().is_ok())
        });
        let units = self.number_in(&dir.join("size"), "a number of sectors")?;
        let len = units.checked_mul(UNIT).ok_or_else(|| Error::Unexpected {
            path: dir.join("size"),
            found: units.to_string(),
            want: "a number of sectors",
        })?;
        let family = uses::family(self, &dir)?;
        Ok(Drive {
            number,
            partition_of: partition.then(|| name_of(&whole)),
            len,
            sector: self.number_in(&whole.join("queue/logical_block_size"), "a number of bytes")?,
            model: self.model(&whole)?,
            serial: self.serial(&whole)?,
            removable: flag("removable")? || usb || name.starts_with("mmcblk"),
            is_virtual: words.contains("/devices/virtual/"),
            read_only: self.line(&dir.join("ro"))?.as_deref() == Some("1"),
            partitions: children(&dir)?
                .into_iter()
                .filter(|child| child.join("partition").exists())
                .map(|child| name_of(&child))
                .collect(),
            uses: uses::uses(self, &family)?,
            name,
        })
    }

    /// The loop devices that the file at `path` is attached to, by name.
    pub fn loops_of(&self, path: &Path) -> Result<Vec<String>, Error> {
        let real = path.canonicalize().map_err(failed(path))?;
        let mut names = Vec::new();
        for dir in children(&self.path("sys/class/block"))? {
            let file = self.line(&dir.join("loop/backing_file"))?;
            if file.is_some_and(|file| Path::new(&file) == real) {
                names.push(name_of(&dir));
            }
        }
        Ok(names)
    }

    fn model(&self, whole: &Path) -> Result<String, Error> {
        let mut words = Vec::new();
        for file in ["device/vendor", "device/model", "device/name"] {
            let found = self.line(&whole.join(file))?;
            // A virtio drive has a number here, which says nothing to anybody.
            words.extend(found.filter(|text| !text.is_empty() && !text.starts_with("0x")));
        }
        Ok(words.join(" "))
    }

    /// NVMe and MMC say it in sysfs; of others udev has asked.
    fn serial(&self, whole: &Path) -> Result<Option<String>, Error> {
        for file in ["serial", "device/serial"] {
            let found = self.line(&whole.join(file))?;
            if let Some(serial) = found.filter(|text| !text.is_empty()) {
                return Ok(Some(serial));
            }
        }
        let Some(number) = self.line(&whole.join("dev"))? else {
            return Ok(None);
        };
        let path = self.path(format!("run/udev/data/b{number}"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // No udev, or nothing of this drive: it has no serial number that we know.
            Err(_) => return Ok(None),
        };
        let serial = text
            .lines()
            .find_map(|line| line.strip_prefix("E:ID_SERIAL_SHORT="));
        Ok(serial.map(str::to_owned))
    }
}

pub(crate) fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    |source| Error::System {
        path: path.to_owned(),
        source,
    }
}

/// The name of a device by its folder in sysfs, where `!` stands for `/`.
pub(crate) fn name_of(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    name.replace('!', "/")
}

/// What is in a folder, in order; nothing if there is none.
pub(crate) fn children(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = WalkDir::new(dir)
        .min_depth(1)
        .max_depth(1)
        .sort_by_file_name();
    let paths = entries.into_iter().map(|entry| match entry {
        Ok(entry) => Ok(entry.into_path()),
        Err(error) => Err(failed(dir)(error.into())),
    });
    paths.collect()
}

impl Drive {
    /// Everything that stands against writing an image of `image` bytes over it: a line each, with what to do.
    pub fn refusals(&self, image: u64, sector: u64, fixed_too: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(whole) = &self.partition_of {
            lines.push(format!(
                "it is a partition, want the whole drive: /dev/{whole}"
            ));
        }
        // The same place by several ways is one thing to do.
        let uses: BTreeSet<String> = self.uses.iter().map(Use::to_string).collect();
        lines.extend(uses);
        if self.read_only {
            lines.push(
                "it takes no writes: a switch on the medium, or `blockdev --setrw`".to_owned(),
            );
        }
        if self.len < image {
            lines.push(format!("it has {} bytes, the image {image}", self.len));
        }
        if self.sector != sector {
            lines.push(format!("its sectors have {} bytes, the image is made for {sector}: firmware would not find the partitions", self.sector));
        }
        if !self.removable && !self.is_virtual && !fixed_too {
            lines.push(
                "it is built in, no stick or card: --allow-fixed if it is meant all the same"
                    .to_owned(),
            );
        }
        lines
    }

    /// What a person knows it by.
    pub fn describe(&self) -> String {
        let mut words = BTreeMap::new();
        words.insert(0, format!("/dev/{}", self.name));
        if !self.model.is_empty() {
            words.insert(1, self.model.clone());
        }
        if let Some(serial) = &self.serial {
            words.insert(2, format!("serial number {serial}"));
        }
        words.insert(3, base::text::bytes(self.len));
        match self.partitions.len() {
            0 => words.insert(4, "no partitions".to_owned()),
            _ => words.insert(4, format!("partitions {}", self.partitions.join(", "))),
        };
        let words: Vec<String> = words.into_values().collect();
        words.join(", ")
    }
}
