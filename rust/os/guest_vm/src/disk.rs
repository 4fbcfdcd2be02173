//! The guest's disk: whether there is a system on it, and nobody else who has it.
//!
//! Three things keep others away while a guest runs: a lock of the whole file (`flock`) against a second runner, the kernel's
//! exclusive claim on a block device (`O_EXCL`) against mounts and their like, and QEMU's own locks against another QEMU.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use mounts::Mount;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use walkdir::WalkDir;

/// Where the header of a GPT lies: the second sector, of 512 bytes or 4096 (UEFI 2.10, 5.3.1).
const HEADERS: [u64; 2] = [512, 4096];
/// What it begins with.
const SIGNATURE: [u8; 8] = *b"EFI PART";

/// Why a disk is not ours.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Somebody else has it.
    Held {
        disk: PathBuf,
        /// Who, as far as the kernel tells.
        by: String,
    },
    /// It can't be opened or read.
    Io { disk: PathBuf, source: io::Error },
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held { disk, by } => write!(
                f,
                "the guest's disk {} is in use: {by} has it; stop that first",
                disk.display()
            ),
            Self::Io { disk, .. } => write!(f, "cannot open the guest's disk {}", disk.display()),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Held { .. } => None,
            Self::Io { source, .. } => Some(source),
        }
    }
}

/// The disk, as long as this exists nobody else's.
#[derive(Debug)]
pub(crate) struct Disk {
    /// Has the lock.
    file: File,
    /// Has the kernel's claim, if this is a device.
    _claim: Option<File>,
    path: PathBuf,
}

impl Disk {
    /// Takes the disk at `path`.
    pub(crate) fn take(path: &Path) -> Result<Self, Refused> {
        let failed = |source: io::Error| Refused::Io {
            disk: path.to_path_buf(),
            source,
        };
        let held = |by: String| Refused::Held {
            disk: path.to_path_buf(),
            by,
        };
        // Without O_EXCL at first: who has the lock can be told, who has the claim can't.
        let shared = open(path, OFlags::empty()).map_err(failed)?;
        match rustix::fs::flock(shared.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(held(lock_holder(&shared))),
            Err(error) => return Err(failed(error.into())),
        }
        let mut disk = Self {
            file: shared,
            _claim: None,
            path: path.to_path_buf(),
        };
        let meta = disk.file.metadata().map_err(failed)?;
        if meta.file_type().is_block_device() {
            disk._claim = match open(path, OFlags::EXCL) {
                Ok(file) => Some(file),
                Err(error) if Errno::from_io_error(&error) == Some(Errno::BUSY) => {
                    return Err(held(claim_holder(&disk.file)))
                }
                Err(error) => return Err(failed(error)),
            };
        }
        Ok(disk)
    }
    /// Whether there is a system on it: a partition table.
    pub(crate) fn is_installed(&self) -> io::Result<bool> {
        for at in HEADERS {
            let mut bytes = [0; SIGNATURE.len()];
            match self.file.read_exact_at(&mut bytes, at) {
                Ok(()) if bytes == SIGNATURE => return Ok(true),
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn open(path: &Path, more: OFlags) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | more;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Who has the lock of `file`, by proc_locks(5): `1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF`.
fn lock_holder(file: &File) -> String {
    let unknown = || "another program, which the kernel does not tell of".to_owned();
    let (Ok(meta), Ok(locks)) = (file.metadata(), fs::read_to_string("/proc/locks")) else {
        return unknown();
    };
    let [major, minor] = numbers(meta.dev());
    let place = format!("{major:02x}:{minor:02x}:{}", meta.ino());
    match holder_in(&locks, &place) {
        Some(pid) => process(pid),
        None => unknown(),
    }
}

fn holder_in(locks: &str, place: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            [_, "FLOCK", _, "WRITE", pid, at, ..] if *at == place => pid.parse().ok(),
            _ => None,
        }
    })
}

/// Who has the claim on the block device `file`: what is mounted from it, what lies on it, or who has it open.
fn claim_holder(file: &File) -> String {
    let Ok(meta) = file.metadata() else {
        return "another program".to_owned();
    };
    let [major, minor] = numbers(meta.rdev());
    let number = format!("{major}:{minor}");
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    if let Some(place) = mounted_at(&mounts, &number) {
        return format!("the file system mounted at {}", place.display());
    }
    if let Ok(mut holders) = names_in(format!("/sys/dev/block/{number}/holders")) {
        if let Some(name) = holders.pop() {
            return format!("the device {name}");
        }
    }
    match opener(meta.rdev()) {
        Some(pid) => process(pid),
        None => "the kernel, or a program of another user,".to_owned(),
    }
}

fn mounted_at(list: &[u8], number: &str) -> Option<PathBuf> {
    let mut mounts = mounts::lines(list).filter_map(Mount::parse);
    let mount = mounts.find(|mount| mount.device == number)?;
    Some(mount.place)
}

/// Names in a folder of sysfs or procfs, sorted.
fn names_in(folder: impl AsRef<Path>) -> io::Result<Vec<String>> {
    let entries = WalkDir::new(folder)
        .min_depth(1)
        .max_depth(1)
        .sort_by_file_name();
    let names = entries
        .into_iter()
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// A process other than this one that has the device open, of those that may be looked at.
fn opener(device: u64) -> Option<u32> {
    let own = std::process::id();
    let processes = names_in("/proc").ok()?;
    let mut pids = processes.iter().filter_map(|name| name.parse::<u32>().ok());
    pids.find(|pid| {
        let folder = format!("/proc/{pid}/fd");
        *pid != own
            && names_in(&folder).is_ok_and(|names| {
                names.iter().any(|name| {
                    let meta = fs::metadata(format!("{folder}/{name}"));
                    meta.is_ok_and(|m| m.file_type().is_block_device() && m.rdev() == device)
                })
            })
    })
}

/// `process 12 (guest_vm run)`.
fn process(pid: u32) -> String {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = command
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    match words.is_empty() {
        true => format!("process {pid}, whose command is not ours to see,"),
        false => {
            let line = base::text::one_line(&words.join(" "));
            format!("process {pid} ({})", base::text::shorten(&line))
        }
    }
}

fn numbers(device: u64) -> [u32; 2] {
    [rustix::fs::major(device), rustix::fs::minor(device)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(dir: &Path, bytes: &[(u64, &[u8])]) -> PathBuf {
        let path = dir.join("disk");
        let file = File::create(&path).unwrap();
        file.set_len(1 << 20).unwrap();
        for (at, bytes) in bytes {
            file.write_all_at(bytes, *at).unwrap();
        }
        path
    }

    #[test]
    fn a_partition_table_is_a_system() {
        let dir = tempfile::tempdir().unwrap();
        for (bytes, want) in [
            (&[][..], false),
            (&[(512, &b"EFI PART"[..])][..], true),
            (&[(4096, &b"EFI PART"[..])][..], true),
            (&[(512, &b"EFI PARX"[..])][..], false),
            (&[(0, &b"EFI PART"[..])][..], false),
        ] {
            let path = disk(dir.path(), bytes);
            assert_eq!(Disk::take(&path).unwrap().is_installed().unwrap(), want);
        }
        let path = dir.path().join("empty");
        File::create(&path).unwrap();
        assert!(!Disk::take(&path).unwrap().is_installed().unwrap());
    }

    #[test]
    fn the_second_is_told_who_is_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = disk(dir.path(), &[]);
        let first = Disk::take(&path).unwrap();
        let error = Disk::take(&path).unwrap_err().to_string();
        let own = format!("is in use: process {} (", std::process::id());
        assert!(error.contains(&own), "{error}");
        drop(first);
        Disk::take(&path).unwrap();
    }

    #[test]
    fn an_absent_one_is_named() {
        let error = Disk::take(Path::new("/nonexistent/disk")).unwrap_err();
        assert_eq!(
            cli::chain(&error),
            "cannot open the guest's disk /nonexistent/disk: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn kernel_lists() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 00:19:5 0 EOF\n\
                     2: FLOCK  ADVISORY  READ 8 00:19:5 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 42 00:19:5 0 EOF\nrubbish\n";
        assert_eq!(holder_in(locks, "00:19:5"), Some(42));
        assert_eq!(holder_in(locks, "00:19:6"), None);
        let mounts = b"rubbish\n22 1 259:3 / /my\\040mnt rw - ext4 /dev/x rw\n";
        let place = mounted_at(mounts, "259:3");
        assert_eq!(place.as_deref(), Some(Path::new("/my mnt")));
        assert_eq!(mounted_at(mounts, "259:4"), None);
    }
}
