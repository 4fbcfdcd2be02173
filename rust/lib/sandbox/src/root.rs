//! What a command sees: mounts, devices, host name.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{open, openat2, OFlag, OpenHow, ResolveFlag};
use nix::mount::{mount, umount2, MntFlags, MsFlags};
use nix::sys::stat::Mode;
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

/// Makes this process's mount namespace the sandbox.
pub(crate) fn enter(spec: &Spec) -> Result<(), Error> {
    make_private()?;
    sethostname(&spec.hostname).map_err(|e| Error::setup("set the host name", e))?;
    let Some(root) = &spec.root else {
        fresh_proc("/proc")?;
        return extra_mounts(spec, &open_dir(OsStr::new("/"))?);
    };
    // A mount point of its own, as `pivot_root` wants.
    mount(
        Some(root.as_os_str()),
        root.as_os_str(),
        NONE,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NONE,
    )
    .map_err(|e| Error::setup(format!("mount the root {}", root.to_string_lossy()), e))?;
    let root_fd = open_dir(root)?;
    // /proc goes last: until then the host's leads to open folders by number.
    devices(&root_fd)?;
    scripts(&root_fd, &spec.scripts)?;
    let sys = at(&root_fd, OsStr::new("/sys"))?;
    mount_tmpfs(&sys, "mode=555", MsFlags::MS_RDONLY)?;
    extra_mounts(spec, &root_fd)?;
    let proc = at(&root_fd, OsStr::new("/proc"))?;
    fresh_proc(&proc.path)?;
    change_root(root)
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
    let path = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    Ok(Place { fd, path })
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
        let named = fs::read_link(target).unwrap_or_else(|_| target.to_path_buf());
        let flags = MsFlags::MS_BIND
            | MsFlags::MS_REMOUNT
            | MsFlags::MS_RDONLY
            | MsFlags::MS_NOSUID
            | MsFlags::MS_NODEV;
        mount(NONE, &named, NONE, flags, NONE).map_err(failed)?;
    }
    Ok(())
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
    for (source, target, read_only) in &spec.binds {
        bind_at(root, source, target, *read_only)?;
    }
    Ok(())
}

fn bind_at(
    root: &OwnedFd,
    source: &OsString,
    target: &OsString,
    read_only: bool,
) -> Result<(), Error> {
    let place = at(root, target)?;
    bind(source, &place.path, read_only)
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
