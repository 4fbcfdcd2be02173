//! The folder of the boot loaders: what is done to it, and how on a mounted file system.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context};
use nix::mount::{mount, MsFlags};
use rustix::fs::{fadvise, Advice};

use crate::upgrade::LOADER_MAX;

/// What has as many bytes is no boot loader: they are kept in memory.
const FILE_MAX: u64 = LOADER_MAX + 1;

/// Files by name. None of it is on the disk before something is flushed, and any of it may be.
pub(crate) trait Folder {
    /// What keeps a file's bytes on the disk, whatever becomes of its name.
    type File;

    /// The file of that name, which is there.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// A new file with these bytes, in place of one that has the name.
    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Self::File>;
    /// Gives the file `from` the name `to`, in place of one that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Takes the name away.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Flushes a file, and where it lies.
    fn flush_file(&self, file: &Self::File) -> io::Result<()>;
    /// Flushes the names.
    fn flush(&self) -> io::Result<()>;
    /// What is on the disk of a file, if it was flushed, not what is kept of it in memory.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Makes it writable again, if the kernel took it for damaged because of clusters that were given back twice.
    fn rouse(&self) -> io::Result<()>;
}

/// A folder of the mounted EFI system partition, writable as long as this lives.
pub(crate) struct Mounted {
    mount: PathBuf,
    folder: PathBuf,
    /// Whether it was made writable for this.
    remounted: bool,
}

impl Mounted {
    /// The same, to be looked at as it is.
    pub(crate) fn look(mount: &Path, folder: &str, must: &str) -> anyhow::Result<Self> {
        let folder = mount.join(folder);
        let loader = folder.join(must);
        let found = fs::metadata(&loader).with_context(|| {
            format!("{}: is the EFI system partition mounted?", loader.display())
        })?;
        ensure!(found.is_file(), "{} is no file", loader.display());
        Ok(Self {
            mount: mount.to_owned(),
            folder,
            remounted: false,
        })
    }

    /// The folder of that name in the partition mounted at `mount`, which has the file `must`.
    pub(crate) fn open(mount: &Path, folder: &str, must: &str) -> anyhow::Result<Self> {
        let mut mounted = Self::look(mount, folder, must)?;
        if is_mount_point(mount)? {
            remount(mount, MsFlags::empty())
                .with_context(|| format!("cannot make {} writable", mount.display()))?;
            mounted.remounted = true;
        }
        Ok(mounted)
    }

    /// Whether there is something of that name, links aside.
    pub(crate) fn is_there(&self, name: &str) -> io::Result<bool> {
        self.folder.join(name).try_exists()
    }
}

impl Folder for Mounted {
    type File = File;

    fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.folder.join(name))
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<File> {
        let mut file = File::create(self.folder.join(name))?;
        file.write_all(bytes)?;
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn flush_file(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn flush(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let file = File::open(self.folder.join(name))?;
        // Pages of a file that is flushed are clean. Others stay, and those who can't be asked.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        let mut bytes = Vec::new();
        // Who has the disk can put anything there.
        file.take(FILE_MAX).read_to_end(&mut bytes)?;
        match base::as_u64(bytes.len()) < FILE_MAX {
            true => Ok(bytes),
            false => Err(io::Error::other(format!(
                "it has {FILE_MAX} bytes or more, and no boot loader does"
            ))),
        }
    }

    fn rouse(&self) -> io::Result<()> {
        match self.remounted {
            true => Ok(remount(&self.mount, MsFlags::empty())?),
            false => Ok(()),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.remounted {
            // Should it fail, it stays writable until the next start: nothing that was asked for failed.
            if let Err(error) = remount(&self.mount, MsFlags::MS_RDONLY) {
                eprintln!(
                    "manageboot: warning: {} stays writable: {error}",
                    self.mount.display()
                );
            }
        }
    }
}

/// With the flags that fstab gives it, and without times of access: reading would be writing.
fn remount(path: &Path, flags: MsFlags) -> nix::Result<()> {
    let usual = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME;
    let none: Option<&str> = None;
    mount(none, path, none, MsFlags::MS_REMOUNT | usual | flags, none)
}

fn is_mount_point(path: &Path) -> anyhow::Result<bool> {
    let device = |path: &Path| {
        let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
        anyhow::Ok(metadata.dev())
    };
    Ok(device(path)? != device(&path.join(".."))?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::fs::{statvfs, StatVfsMountFlags};

    use super::*;

    fn mounted(mount: &Path) -> Mounted {
        fs::create_dir_all(mount.join("EFI")).unwrap();
        fs::write(mount.join("EFI/X"), b"x").unwrap();
        Mounted::look(mount, "EFI", "X").unwrap()
    }

    /// Whether something is on the disk shows when the power goes; that it is asked for shows where it can't be.
    #[test]
    fn what_cannot_be_flushed_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let folder = mounted(dir.path());
        folder.flush_file(&folder.open("X").unwrap()).unwrap();
        folder.flush().unwrap();
        // There is nothing behind it.
        folder
            .flush_file(&File::open("/dev/null").unwrap())
            .unwrap_err();
        fs::remove_dir_all(dir.path().join("EFI")).unwrap();
        folder.flush().unwrap_err();
    }

    /// A bundle may have a boot loader of so many bytes: it is read back, and what is longer by a byte is not.
    #[test]
    fn the_longest_loader_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = mounted(dir.path());
        let file = File::create(dir.path().join("EFI/Y")).unwrap();
        file.set_len(LOADER_MAX).unwrap();
        let read = folder.read("Y").unwrap();
        assert_eq!(base::as_u64(read.len()), LOADER_MAX);
        file.set_len(LOADER_MAX + 1).unwrap();
        let error = folder.read("Y").unwrap_err().to_string();
        assert!(error.ends_with("and no boot loader does"), "{error}");
    }

    #[test]
    fn mount_points_are_known() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_mount_point(Path::new("/proc")).unwrap());
        assert!(!is_mount_point(dir.path()).unwrap());
    }

    const INSIDE: &str = "MANAGEBOOT_TEST_MOUNT";

    fn is_set(mount: &Path, flag: StatVfsMountFlags) -> bool {
        statvfs(mount).unwrap().f_flag.contains(flag)
    }

    /// Run by the test below where it may mount; by itself it does nothing.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own program is told by it where to work"
    )]
    fn inside() {
        let Some(mount) = std::env::var_os(INSIDE).map(PathBuf::from) else {
            return;
        };
        let flags = [
            StatVfsMountFlags::NOSUID,
            StatVfsMountFlags::NODEV,
            StatVfsMountFlags::NOEXEC,
            StatVfsMountFlags::NOATIME,
        ];
        let (none, tmpfs): (Option<&str>, _) = (None, Some("tmpfs"));
        super::mount(tmpfs, &mount, tmpfs, MsFlags::empty(), none).unwrap();
        drop(mounted(&mount));
        assert!(flags.iter().all(|flag| !is_set(&mount, *flag)));
        remount(&mount, MsFlags::MS_RDONLY).unwrap();
        assert!(is_set(&mount, StatVfsMountFlags::RDONLY));
        let open = Mounted::open(&mount, "EFI", "X").unwrap();
        open.create("Y", b"y").unwrap();
        assert!(flags.iter().all(|flag| is_set(&mount, *flag)));
        // As the kernel does it that finds damage.
        remount(&mount, MsFlags::MS_RDONLY).unwrap();
        open.create("Z", b"z").unwrap_err();
        open.rouse().unwrap();
        open.create("Z", b"z").unwrap();
        drop(open);
        assert!(is_set(&mount, StatVfsMountFlags::RDONLY));
        assert!(flags.iter().all(|flag| is_set(&mount, *flag)));
    }

    /// A partition is writable while it is worked on, with the flags of fstab, and before and afterwards it is not.
    #[test]
    fn a_mounted_partition_is_writable_for_as_long() {
        let dir = tempfile::tempdir().unwrap();
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--mount", "--"]);
        if !unshare
            .arg("true")
            .output()
            .is_ok_and(|out| out.status.success())
        {
            println!("skipped: there is no mounting here");
            return;
        }
        let out = Command::new("unshare")
            .args(["--map-root-user", "--mount", "--"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "folder::tests::inside"])
            .env(INSIDE, dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && said.contains("1 passed"), "{said}");
    }
}
