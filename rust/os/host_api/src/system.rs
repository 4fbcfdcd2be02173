//! Where things are: of the running system, or below a folder that stands for one.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};
use boot_files::BootFiles;
use serde::de::DeserializeOwned;
use serde::Serialize;
use update::Identity;

/// What the unprivileged side writes: reports, and requests to root.
pub(crate) const API_DIR: &str = "/run/ic/api";
/// The guest's last report; [`vsock_api::report::PATH`] is a link to it, which who reads it can't take away.
pub(crate) const GUEST: &str = "/run/ic/api/guest.json";
/// How far the guest is with an offered upgrade.
pub(crate) const GUEST_UPGRADE: &str = "/run/ic/api/guest-upgrade.json";
/// An upgrade that root is to do.
pub(crate) const UPGRADE_REQUEST: &str = "/run/ic/api/upgrade.request";
/// A restart that root is to do.
pub(crate) const REBOOT_REQUEST: &str = "/run/ic/api/reboot.request";
/// How far root is with an upgrade.
pub(crate) const UPGRADE: &str = "/run/ic/upgrade.json";
/// An upgrade that root offers to the guest.
pub(crate) const OFFER: &str = "/run/ic/offer.json";
/// What the system is.
const IDENTITY: &str = "/opt/ic/share/os.json";
/// Most bytes of each of these files.
const MOST: u64 = 16 * 1024;

/// The running system, or a folder in its place.
#[derive(Debug, Clone)]
pub(crate) struct System {
    pub(crate) root: Option<PathBuf>,
}

impl System {
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        os_config::root::path(self.root.as_deref(), path)
    }

    /// What says which slot runs, and which one boots next.
    pub(crate) fn boot_files(&self) -> BootFiles {
        BootFiles::default().below(self.root.as_deref())
    }

    /// What this system is.
    pub(crate) fn identity(&self) -> anyhow::Result<Identity> {
        let path = self.path(IDENTITY);
        let bytes = read(&path)?.with_context(|| format!("{}: no such file", path.display()))?;
        Identity::parse(&bytes).with_context(|| path.display().to_string())
    }

    /// Seconds since the kernel started (`CLOCK_BOOTTIME`), and hundredths.
    fn since_start(&self) -> anyhow::Result<(u64, u64)> {
        let path = self.path("/proc/uptime");
        let shown = path.display();
        let text = std::fs::read_to_string(&path).with_context(|| shown.to_string())?;
        let numbers = || {
            let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
            Some((seconds.parse().ok()?, hundredths.parse().ok()?))
        };
        numbers().with_context(|| format!("{shown}: got {text:?}, want seconds such as 12.34"))
    }

    /// Seconds since the kernel started.
    pub(crate) fn uptime(&self) -> anyhow::Result<u64> {
        Ok(self.since_start()?.0)
    }

    /// Hundredths of a second since the kernel started: a number that no second offer of one person has.
    pub(crate) fn hundredths(&self) -> anyhow::Result<u64> {
        let (seconds, hundredths) = self.since_start()?;
        let all = seconds
            .checked_mul(100)
            .and_then(|all| all.checked_add(hundredths));
        all.context("/proc/uptime: more hundredths than 64 bits hold")
    }

    /// A file's bytes, where there is one.
    pub(crate) fn bytes(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        read(&self.path(path))
    }

    /// A document of ours, where there is one.
    pub(crate) fn load<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        let path = self.path(path);
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
        Ok(Some(value))
    }

    /// Replaces a document of ours, for everybody to read.
    pub(crate) fn store(&self, path: &str, value: &impl Serialize) -> anyhow::Result<()> {
        let mut text = serde_json::to_string(value).context("cannot write JSON")?;
        text.push('\n');
        self.write(path, text.as_bytes())
    }

    /// Replaces a file, for everybody to read.
    pub(crate) fn write(&self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.path(path);
        os_config::atomic::write(&path, bytes, 0o644)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Whether there is something of that name.
    pub(crate) fn has(&self, path: &str) -> bool {
        std::fs::symlink_metadata(self.path(path)).is_ok()
    }

    /// Removes a file, if there is one; says whether there was.
    pub(crate) fn remove(&self, path: &str) -> anyhow::Result<bool> {
        let path = self.path(path);
        os_config::atomic::remove(&path)
            .with_context(|| format!("cannot remove {}", path.display()))
    }
}

/// A file's bytes; none: there is no file. A link, a pipe or a device is not what is meant, whoever put it there, and nothing waits for it.
fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let shown = || path.display().to_string();
    let file = match os_config::plain::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(shown),
    };
    let mut bytes = Vec::new();
    let more = MOST.checked_add(1).unwrap_or(MOST);
    file.take(more)
        .read_to_end(&mut bytes)
        .with_context(shown)?;
    if base::as_u64(bytes.len()) > MOST {
        bail!("{}: more than {MOST} bytes", path.display());
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_files_of_a_bounded_length_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert_eq!(read(&path).unwrap(), None);
        std::fs::write(&path, "x").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"x");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read(&link).is_err());
        let error = format!("{:#}", read(dir.path()).unwrap_err());
        assert!(
            error.ends_with(": a folder or device, want a plain file"),
            "{error}"
        );
        std::fs::write(&path, vec![b' '; 16385]).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.ends_with("a: more than 16384 bytes"), "{error}");
        // Nobody writes to it, and nothing waits.
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(read(&pipe).is_err());
    }

    #[test]
    fn times_since_the_start() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("proc")).unwrap();
        let system = System {
            root: Some(dir.path().to_path_buf()),
        };
        let is = |text: &str| std::fs::write(dir.path().join("proc/uptime"), text).unwrap();
        is("317.05 600.00\n");
        assert_eq!(system.uptime().unwrap(), 317);
        assert_eq!(system.hundredths().unwrap(), 31705);
        for bad in ["", "317", "-1.00", "x.y"] {
            is(bad);
            let error = system.uptime().unwrap_err().to_string();
            assert!(error.contains("want seconds such as 12.34"), "{error}");
        }
    }
}
