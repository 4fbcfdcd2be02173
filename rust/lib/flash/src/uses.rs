//! Who uses a drive: mounts, swap, and devices made of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use mounts::Mount;

use crate::drive::{children, failed, name_of, Number, System};
use crate::error::Error;

/// A use of a drive, or of a device on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// The running system is on it.
    Root {
        /// The device.
        device: String,
    },
    /// A file system of it is mounted.
    Mounted {
        /// The device.
        device: String,
        /// Where.
        place: String,
    },
    /// It is swapped to.
    Swap {
        /// The device.
        device: String,
    },
    /// Another device is made of it: LVM, RAID, LUKS, multipath.
    Holder {
        /// The device.
        device: String,
        /// The one made of it.
        holder: String,
    },
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root { device } => write!(f, "the running system is on /dev/{device}"),
            Self::Mounted { device, place } => {
                // By the device, wherever else it is mounted, too: a place may have a name that nobody can type.
                write!(
                    f,
                    "/dev/{device} is mounted on {place}: `umount --all-targets /dev/{device}` first"
                )
            }
            Self::Swap { device } => {
                write!(f, "/dev/{device} is swap: `swapoff /dev/{device}` first")
            }
            Self::Holder { device, holder } => {
                write!(
                    f,
                    "/dev/{device} is part of {holder} (LVM, RAID or LUKS): take that down first"
                )
            }
        }
    }
}

/// A drive, its partitions, and what is made of these, by number.
#[derive(Default)]
pub(crate) struct Family {
    names: BTreeMap<Number, String>,
    held: Vec<Use>,
}

impl Family {
    fn of_name(&self, name: &str) -> Option<&String> {
        self.names.values().find(|known| *known == name)
    }
}

/// The family of the device in the folder `dir` of sysfs.
pub(crate) fn family(system: &System, dir: &Path) -> Result<Family, Error> {
    let mut family = Family::default();
    let mut left: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        let dir = dir.canonicalize().map_err(failed(&dir))?;
        let name = name_of(&dir);
        let number = system.line(&dir.join("dev"))?.unwrap_or_default();
        let number = Number::parse(&number).ok_or_else(|| Error::Unexpected {
            path: dir.join("dev"),
            found: number,
            want: "a device's number",
        })?;
        if family.names.insert(number, name.clone()).is_some() {
            continue;
        }
        let below = children(&dir)?.into_iter();
        left.extend(below.filter(|child| child.join("partition").exists()));
        for holder in children(&dir.join("holders"))? {
            let device = name.clone();
            let holder_name = system.line(&holder.join("dm/name"))?;
            family.held.push(Use::Holder {
                device,
                holder: holder_name.unwrap_or_else(|| name_of(&holder)),
            });
            left.push(holder);
        }
    }
    Ok(family)
}

/// Who uses a device of the family.
pub(crate) fn uses(system: &System, family: &Family) -> Result<Vec<Use>, Error> {
    let mut uses = family.held.clone();
    let path = system.path("proc/self/mountinfo");
    let list = std::fs::read(&path).map_err(failed(&path))?;
    for line in mounts::lines(&list) {
        let mount = Mount::parse(line);
        let mount = mount.and_then(|mount| Some((Number::parse(&mount.device)?, mount)));
        let (number, mount) = mount.ok_or_else(|| Error::Unexpected {
            path: path.clone(),
            found: String::from_utf8_lossy(line).into_owned(),
            want: "a line as proc(5) has it",
        })?;
        // Some file systems (btrfs) have a number of their own; then their device's name says it.
        let named = || family.of_name(&device_name(system, &mount.source));
        let Some(device) = family.names.get(&number).or_else(named) else {
            continue;
        };
        let device = device.clone();
        uses.push(match mount.place == Path::new("/") {
            true => Use::Root { device },
            false => Use::Mounted {
                device,
                place: mount.place.display().to_string(),
            },
        });
    }
    let path = system.path("proc/swaps");
    let list = match std::fs::read(&path) {
        Ok(list) => list,
        // A kernel without swap has no such file.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(failed(&path)(source)),
    };
    for line in mounts::lines(&list).skip(1) {
        let mut words = line.split(u8::is_ascii_whitespace);
        let file = mounts::path(words.next().unwrap_or_default());
        if let Some(device) = family.of_name(&device_name(system, &file)) {
            let device = device.clone();
            uses.push(Use::Swap { device });
        }
    }
    Ok(uses)
}

/// The name that sysfs has for `/dev/mapper/x` or `/dev/disk/by-id/y`, which are links.
fn device_name(system: &System, source: &Path) -> String {
    let path = system.path(source);
    let real = path.canonicalize().unwrap_or(path);
    name_of(&real)
}
