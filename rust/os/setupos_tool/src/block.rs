//! Block devices and what is mounted from them, as /sys/block and /proc/self/mountinfo tell.

use std::path::Path;

use mounts::Mount;

use crate::system::System;

/// Devices that are no drives: made of others or of memory, or for media that nobody installs to.
const NO_DRIVES: [&str; 8] = ["dm-", "fd", "loop", "md", "nbd", "ram", "sr", "zram"];

const MOUNTS: &str = "/proc/self/mountinfo";
const SWAPS: &str = "/proc/swaps";

/// Names of the drives, sorted. A drive without a medium (a card reader) is none, and neither is one path of several to a drive, which the
/// kernel hides behind the one that can be opened (NVMe multipath: `nvme0c0n1` of `nvme0n1`).
pub(crate) fn drives(system: &System) -> Vec<String> {
    let mut names = system.names("/sys/block");
    names.retain(|name| {
        let drive = !NO_DRIVES.iter().any(|prefix| name.starts_with(prefix));
        let size = system.number(format!("/sys/block/{name}/size"));
        let hidden = system.number(format!("/sys/block/{name}/hidden")) == Some(1);
        drive && !hidden && size.is_some_and(|size| size > 0)
    });
    names
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    /// As `vda3`.
    pub(crate) device: String,
    /// Its name in the partition table.
    pub(crate) name: Option<String>,
}

/// Partitions of `disk`, sorted.
pub(crate) fn partitions(system: &System, disk: &str) -> Vec<Partition> {
    let dir = format!("/sys/block/{disk}");
    let mut names = system.names(&dir);
    names.retain(|name| system.exists(format!("{dir}/{name}/partition")));
    let partition = |device: String| {
        let uevent = system.text(format!("{dir}/{device}/uevent"));
        let name = uevent.and_then(|text| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix("PARTNAME=").map(str::to_owned))
        });
        Partition { device, name }
    };
    names.into_iter().map(partition).collect()
}

/// Whether something is mounted at `place`, a path of the machine.
pub(crate) fn is_mounted(system: &System, place: &Path) -> bool {
    mounted_number(system, place).is_some()
}

/// The block device mounted at `place`, as `vda3`.
pub(crate) fn mounted(system: &System, place: &Path) -> Option<String> {
    let number = mounted_number(system, place)?;
    for disk in system.names("/sys/block") {
        let dir = format!("/sys/block/{disk}");
        if system.text(format!("{dir}/dev")).as_ref() == Some(&number) {
            return Some(disk);
        }
        let mut parts = partitions(system, &disk).into_iter();
        let is =
            |device: &str| system.text(format!("{dir}/{device}/dev")).as_ref() == Some(&number);
        if let Some(part) = parts.find(|part| is(&part.device)) {
            return Some(part.device);
        }
    }
    None
}

/// What has `disk` or one of its partitions: mount points, swap, mappings. Where that can't be told, that it can't: such a drive may be in use.
pub(crate) fn users(system: &System, disk: &str) -> Vec<String> {
    let dir = format!("/sys/block/{disk}");
    let mut devices = vec![(disk.to_owned(), dir.clone())];
    let parts = partitions(system, disk).into_iter();
    devices.extend(parts.map(|part| (part.device.clone(), format!("{dir}/{}", part.device))));
    let mut users = Vec::new();
    let cannot = |path: &str, error| format!("not known, {path} can't be read: {error}");
    let mounts = all_mounts(system).unwrap_or_else(|why| {
        users.push(format!("not known, {MOUNTS} {why}"));
        Vec::new()
    });
    // A kernel without swap has no list of it.
    let swaps = system.whole(SWAPS).unwrap_or_else(|error| {
        users.push(cannot(SWAPS, error));
        None
    });
    // Its partitions are among them.
    if let Err(error) = system.all_names(&dir) {
        users.push(cannot(&dir, error));
    }
    for (device, dir) in devices {
        let number = system.text(format!("{dir}/dev"));
        if number.is_none() {
            users.push(format!("not known, {dir}/dev says nothing"));
        }
        let here = mounts
            .iter()
            .filter(|mount| Some(&mount.device) == number.as_ref());
        users.extend(here.map(|mount| format!("mounted at {}", mount.place.display())));
        for line in swaps.iter().flat_map(|text| text.lines()) {
            if line.split_ascii_whitespace().next() == Some(&format!("/dev/{device}")) {
                users.push("swap".to_owned());
            }
        }
        let holders = format!("{dir}/holders");
        match system.all_names(&holders) {
            Ok(names) => users.extend(names.iter().map(|holder| format!("part of {holder}"))),
            Err(error) => users.push(cannot(&holders, error)),
        }
    }
    users.sort();
    users.dedup();
    users
}

/// All that is mounted; an error says why not all of it is known.
fn all_mounts(system: &System) -> Result<Vec<Mount>, String> {
    let text = system.whole(MOUNTS);
    let text = text.map_err(|error| format!("can't be read: {error}"))?;
    let text = text.ok_or("is not there")?;
    let mount = |line: &[u8]| {
        let shown = || format!("has the line {:?}", String::from_utf8_lossy(line));
        Mount::parse(line).ok_or_else(shown)
    };
    mounts::lines(text.as_bytes()).map(mount).collect()
}

/// `MAJOR:MINOR` of what is mounted at `place`; of several, the last one hides the others.
fn mounted_number(system: &System, place: &Path) -> Option<String> {
    let mounts = all_mounts(system).ok()?;
    let last = mounts.into_iter().rfind(|mount| mount.place == place);
    last.map(|mount| mount.device)
}

/// The drives below a block device: itself, the one it is a partition of, or those that a mapping is made of.
pub(crate) fn drives_of(system: &System, device: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![device.to_owned()];
    // A mapping of a mapping of a partition is as deep as it gets; a loop in a made-up /sys ends, too.
    for _ in 0..64 {
        let Some(device) = left.pop() else { break };
        let slaves = system.names(format!("/sys/block/{device}/slaves"));
        if !slaves.is_empty() {
            left.extend(slaves);
        } else if system.exists(format!("/sys/block/{device}")) {
            found.push(device);
        } else {
            let mut disks = system.names("/sys/block").into_iter();
            found.extend(disks.find(|disk| system.exists(format!("/sys/block/{disk}/{device}"))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_whose_mounts_are_not_known_is_none_that_nobody_uses() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &[u8]| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let system = System::new(Some(dir.path().to_owned()));
        write("sys/block/vda/dev", b"254:0\n");
        assert_eq!(
            users(&system, "vda"),
            ["not known, /proc/self/mountinfo is not there"]
        );
        write("proc/self/mountinfo", b"");
        assert_eq!(users(&system, "vda"), [""; 0]);
        let line = "36 1 254:0 / /mnt\\040x rw - ext4 /dev/vda rw\n";
        write("proc/self/mountinfo", line.as_bytes());
        write("proc/swaps", b"Filename Type\n/dev/vda partition\n");
        assert_eq!(users(&system, "vda"), ["mounted at /mnt x", "swap"]);
        write("proc/self/mountinfo", format!("{line}36 1\n").as_bytes());
        let want = "not known, /proc/self/mountinfo has the line \"36 1\"";
        assert_eq!(users(&system, "vda"), [want, "swap"]);
        // The line behind a mebibyte of others.
        let mut long = vec![b'\n'; 1 << 20];
        long.extend(line.as_bytes());
        write("proc/self/mountinfo", &long);
        let want = "not known, /proc/self/mountinfo can't be read: more than 1048576 bytes";
        assert_eq!(users(&system, "vda"), [want, "swap"]);
        // As many bytes as that may be all of it.
        long.drain(..line.len());
        write("proc/self/mountinfo", &long);
        assert_eq!(users(&system, "vda"), ["mounted at /mnt x", "swap"]);
        // Whose number is not known, nobody finds in a list; nor partitions and what is made of it, where these can't be listed.
        write("sys/block/vda/dev", b"");
        write("sys/block/vda/holders", b"");
        let want = [
            "not known, /sys/block/vda/dev says nothing",
            "not known, /sys/block/vda/holders can't be read: Not a directory (os error 20)",
            "swap",
        ];
        assert_eq!(users(&system, "vda"), want);
    }
}
