//! What a command sees: mounts, devices, host name.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{open, openat2, OFlag, OpenHow, ResolveFlag};
use nix::mount::{mount, umount2, MntFlags, MsFlags};
use nix::sys::stat::Mode;
use nix::sys::statvfs::{statvfs, FsFlags};
use nix::unistd::{chdir, pivot_root, sethostname};

use crate::error::Error;
use crate::spec::{Spec, SCRIPTS};

/// Device nodes taken from the host: making them needs more privilege than a user namespace has.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const DEV_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

const NONE: Option<&str> = None;

/// Where the first process puts together what goes into the root. Every Linux has this folder, and the sandbox's is another.
const STAGE: &str = "/sys";
/// Of `/proc`, what speaks of the machine and not of processes: readable, as programs read it, where it can change something.
const PROC_READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
/// And what a build has no use for at all.
const PROC_HIDDEN: [&str; 11] = [
    "acpi",
    "asound",
    "interrupts",
    "kcore",
    "keys",
    "kmsg",
    "latency_stats",
    "sched_debug",
    "scsi",
    "timer_list",
    "timer_stats",
];

/// Mounts `sources`, in their order, where [`enter`] finds them whatever the rights are on the way to them.
pub(crate) fn gather(sources: &[OsString]) -> Result<(), Error> {
    make_private()?;
    let stage = open_dir(OsStr::new(STAGE))?;
    mount_tmpfs(&place(stage), "mode=755", MsFlags::empty())?;
    for (index, source) in sources.iter().enumerate() {
        let target = staged(index);
        point(Path::new(source), &target)?;
        bind(source, &target, false)?;
    }
    Ok(())
}

fn staged(index: usize) -> PathBuf {
    Path::new(STAGE).join(index.to_string())
}

/// Makes a mount point of the source's kind.
fn point(source: &Path, target: &Path) -> Result<(), Error> {
    let made = match fs::metadata(source) {
        Ok(meta) if meta.is_dir() => fs::create_dir_all(target),
        Ok(_) => File::create(target).map(drop),
        Err(e) => Err(e),
    };
    made.map_err(|e| Error::setup(format!("make a place for {}", source.display()), e))
}

/// Makes this process's mount namespace the sandbox.
pub(crate) fn enter(spec: &Spec) -> Result<(), Error> {
    make_private()?;
    sethostname(&spec.hostname).map_err(|e| Error::setup("set the host name", e))?;
    let root = staged(spec.binds.len());
    // A mount point of its own, as `pivot_root` wants.
    bind(root.as_os_str(), &root, false)?;
    let root_fd = open_dir(root.as_os_str())?;
    // /proc goes last: until then the host's leads to open folders by number.
    devices(&root_fd)?;
    scripts(&root_fd, &spec.scripts)?;
    let sys = at(&root_fd, OsStr::new("/sys"))?;
    mount_tmpfs(&sys, "mode=555", MsFlags::MS_RDONLY)?;
    extra_mounts(spec, &root_fd)?;
    let proc = at(&root_fd, OsStr::new("/proc"))?;
    fresh_proc(&proc.path)?;
    drop((root_fd, sys, proc));
    change_root(root.as_os_str())?;
    shut_proc()
}

/// Takes from `/proc` what reaches the machine.
fn shut_proc() -> Result<(), Error> {
    for name in PROC_READ_ONLY {
        let path = Path::new("/proc").join(name);
        if there(&path)?.is_some() {
            bind(path.as_os_str(), &path, true)?;
        }
    }
    for name in PROC_HIDDEN {
        let path = Path::new("/proc").join(name);
        match there(&path)? {
            Some(meta) if meta.is_dir() => {
                let place = place(open_dir(path.as_os_str())?);
                mount_tmpfs(&place, "mode=555", MsFlags::MS_RDONLY)?;
            }
            Some(_) => bind(OsStr::new("/dev/null"), &path, false)?,
            None => {}
        }
    }
    Ok(())
}

/// What is at `path`: not every kernel has every file of `/proc`, but one that can't be looked at may be there, and has to be shut.
fn there(path: &Path) -> Result<Option<Metadata>, Error> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::setup(format!("look at {}", path.display()), error)),
    }
}

/// Mounts from here on are ours alone, and the host's no longer reach us.
pub(crate) fn make_private() -> Result<(), Error> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .map_err(|e| Error::setup("make mounts private", e))
}

fn fresh_proc(target: impl AsRef<OsStr>) -> Result<(), Error> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), target.as_ref(), Some("proc"), flags, NONE)
        .map_err(|e| Error::setup("mount /proc", e))
}

/// A file or folder of the root, found as the root's own processes would find it, and a path that leads to it.
struct Place {
    #[allow(dead_code, reason = "keeps `path` valid")]
    fd: OwnedFd,
    path: PathBuf,
}

fn open_dir(path: &OsStr) -> Result<OwnedFd, Error> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty())
        .map_err(|e| Error::setup(format!("open {}", path.to_string_lossy()), e))
}

/// Symbolic links in the root cannot lead out of it, so a `/run -> /` of a tree hits nothing of the host's.
fn at(root: &OwnedFd, target: &OsStr) -> Result<Place, Error> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let fd = openat2(root, target, how).map_err(|e| {
        let target = target.to_string_lossy();
        Error::setup(format!("find the mount point {target} in the root"), e)
    })?;
    Ok(place(fd))
}

fn place(fd: OwnedFd) -> Place {
    let path = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    Place { fd, path }
}

fn mount_tmpfs(place: &Place, options: &str, flags: MsFlags) -> Result<(), Error> {
    let flags = flags | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("tmpfs"),
        &place.path,
        Some("tmpfs"),
        flags,
        Some(options),
    )
    .map_err(|e| Error::setup("mount a tmpfs", e))
}

fn bind(source: &OsStr, target: &Path, read_only: bool) -> Result<(), Error> {
    let failed = |e: Errno| Error::setup(format!("bind {}", source.to_string_lossy()), e);
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), target, NONE, flags, NONE).map_err(failed)?;
    if read_only {
        // The place's number still leads to what is below the new mount, so the mount is found by its resolved name.
        let named = match fs::read_link(target) {
            Ok(named) => named,
            // It is named already: no link.
            Err(error) if error.kind() == ErrorKind::InvalidInput => target.to_path_buf(),
            Err(error) => return Err(Error::setup(format!("find {}", target.display()), error)),
        };
        close_off(&named)?;
    }
    Ok(())
}

/// Makes a mount and all below it read-only, and programs on it ordinary ones.
fn close_off(target: &Path) -> Result<(), Error> {
    let failed = |path: &Path| format!("make {} read-only", path.display());
    let list = fs::read("/proc/self/mountinfo").map_err(|e| Error::setup("list mounts", e))?;
    for path in mounts_below(&list, target) {
        let stat = statvfs(&path).map_err(|e| Error::setup(failed(&path), e))?;
        let mut flags = MsFlags::MS_BIND
            | MsFlags::MS_REMOUNT
            | MsFlags::MS_RDONLY
            | MsFlags::MS_NOSUID
            | MsFlags::MS_NODEV;
        // What the machine has forbidden stays so, or the kernel refuses.
        if stat.flags().contains(FsFlags::ST_NOEXEC) {
            flags |= MsFlags::MS_NOEXEC;
        }
        mount(NONE, &path, NONE, flags, NONE).map_err(|e| Error::setup(failed(&path), e))?;
    }
    Ok(())
}

/// Of the kernel's list of mounts, those at `target` and below.
fn mounts_below(list: &[u8], target: &Path) -> Vec<PathBuf> {
    list.split(|b| *b == b'\n')
        .filter_map(|line| line.split(|b| *b == b' ').nth(4))
        .map(|field| PathBuf::from(OsString::from_vec(unescape(field))))
        .filter(|path| path.starts_with(target))
        .collect()
}

/// Blanks, tabs, newlines and backslashes come as `\` and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let code = after.split_first_chunk::<3>().and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 8).ok()?, after))
        });
        let (byte, after) = code.filter(|_| *byte == b'\\').unwrap_or((*byte, after));
        out.push(byte);
        rest = after;
    }
    out
}

/// A small /dev: what every program expects, and nothing of the host's hardware.
fn devices(root: &OwnedFd) -> Result<(), Error> {
    let place = at(root, OsStr::new("/dev"))?;
    // `nodev` would make the nodes bound into it useless only on their own mounts, which are the host's.
    mount_tmpfs(&place, "mode=755", MsFlags::empty())?;
    // Through the mount now, not the folder below it.
    let place = at(root, OsStr::new("/dev"))?;
    let failed = |name: &str, e| Error::setup(format!("make /dev/{name}"), e);
    for name in DEVICES {
        let host = Path::new("/dev").join(name);
        if !host.exists() {
            continue;
        }
        let target = place.path.join(name);
        File::create(&target).map_err(|e| failed(name, e))?;
        bind(host.as_os_str(), &target, false)?;
    }
    for (name, target) in DEV_LINKS {
        symlink(target, place.path.join(name)).map_err(|e| failed(name, e))?;
    }
    for (name, fstype, options) in [
        ("pts", "devpts", "newinstance,ptmxmode=0666,mode=620"),
        ("shm", "tmpfs", "mode=1777"),
    ] {
        let target = place.path.join(name);
        fs::create_dir(&target).map_err(|e| failed(name, e))?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        mount(Some(fstype), &target, Some(fstype), flags, Some(options))
            .map_err(|e| failed(name, e.into()))?;
    }
    Ok(())
}

/// Files of this run alone, in the new /dev.
fn scripts(root: &OwnedFd, scripts: &[(OsString, Vec<u8>)]) -> Result<(), Error> {
    if scripts.is_empty() {
        return Ok(());
    }
    let failed = |e| Error::setup(format!("write to {SCRIPTS}"), e);
    let dev = at(root, OsStr::new("/dev"))?;
    let name = SCRIPTS.trim_start_matches("/dev/");
    let folder = dev.path.join(name);
    fs::create_dir(&folder).map_err(failed)?;
    let executable = || fs::Permissions::from_mode(0o755);
    fs::set_permissions(&folder, executable()).map_err(failed)?;
    for (name, content) in scripts {
        let file = base::path::join_name(&folder, name).map_err(Error::Script)?;
        fs::write(&file, content).map_err(failed)?;
        fs::set_permissions(&file, executable()).map_err(failed)?;
    }
    Ok(())
}

fn extra_mounts(spec: &Spec, root: &OwnedFd) -> Result<(), Error> {
    for (target, options) in &spec.tmpfs {
        mount_tmpfs(&at(root, target)?, options, MsFlags::empty())?;
    }
    for (index, (target, read_only)) in spec.binds.iter().enumerate() {
        let place = at(root, target)?;
        bind(staged(index).as_os_str(), &place.path, *read_only)?;
    }
    Ok(())
}

/// Makes `root` the root and lets go of the host's.
fn change_root(root: &OsStr) -> Result<(), Error> {
    let step = |step: &'static str| move |e: Errno| Error::setup(step, e);
    chdir(root).map_err(step("enter the root"))?;
    pivot_root(".", ".").map_err(step("change the root"))?;
    // The old root lies on top of the new one now.
    umount2(".", MntFlags::MNT_DETACH).map_err(step("let go of the host's root"))?;
    chdir("/").map_err(step("enter the new root"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_a_folder() {
        let list = b"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /a\\040b rw - tmpfs x rw\n3 2 0:3 / /a\\040b/c rw shared:1 - t x rw\n4 1 0:4 / /a rw - t x rw\n";
        let want = ["/a b", "/a b/c"].map(PathBuf::from);
        assert_eq!(mounts_below(list, Path::new("/a b")), want);
        assert_eq!(unescape(b"\\134x\\9"), b"\\x\\9");
    }

    #[test]
    fn what_cant_be_looked_at_may_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        assert!(there(&file).unwrap().is_none());
        std::fs::write(&file, "").unwrap();
        assert!(there(&file).unwrap().unwrap().is_file());
        let error = there(&file.join("below")).unwrap_err().to_string();
        assert!(error.contains("look at "), "{error}");
    }
}
