//! Takes out of a fresh tree what differs from run to run or must not be the same in every machine of an image.
//!
//! Keys and identities, logs, caches, backups of files that were edited, locks, and what belongs to the machine that made
//! the tree. Times are the archive's business: they are clamped when it is written.

use std::fs;
use std::io;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::Error;

/// Folders that are emptied: their content lives as long as a boot, or is the build machine's.
const EMPTY: [&str; 6] = ["dev", "proc", "run", "sys", "tmp", "var/tmp"];

/// Folders whose files go while their folders stay, as packages own those.
const NO_FILES: [&str; 5] = [
    "etc/apt/sources.list.d",
    "var/cache/apt",
    "var/cache/fontconfig",
    "var/lib/apt",
    "var/log",
];

/// Logs of fixed name and mode that programs expect to exist.
const EMPTY_LOGS: [&str; 4] = [
    "var/log/btmp",
    "var/log/faillog",
    "var/log/lastlog",
    "var/log/wtmp",
];

/// Files of one name.
const FILES: [&str; 15] = [
    "etc/.pwd.lock",
    "etc/.resolv.conf.systemd-resolved.bak",
    "etc/apt/sources.list",
    "etc/hostname",
    "etc/mailname",
    "etc/resolv.conf",
    "root/.bash_history",
    "root/.wget-hsts",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/lib/urandom/random-seed",
];

/// (folder, how names begin, how they end): files by pattern in one folder.
const PATTERNS: [(&str, &str, &str); 9] = [
    ("etc", "passwd-", ""),
    ("etc", "group-", ""),
    ("etc", "shadow-", ""),
    ("etc", "gshadow-", ""),
    ("etc", "subuid-", ""),
    ("etc", "subgid-", ""),
    ("etc/ssh", "ssh_host_", ""),
    ("var/lib/dpkg", "", "-old"),
    ("var/cache/debconf", "", "-old"),
];

/// Normalises the tree at `root`.
pub fn normalise(root: &Path) -> Result<(), Error> {
    let tree = Tree { root };
    for dir in EMPTY {
        tree.remove_below(dir)?;
    }
    let mut kept_logs = Vec::new();
    for log in EMPTY_LOGS {
        if let Some(path) = tree.existing(log) {
            // Opened for writing, a log keeps its owner and mode.
            fs::write(&path, "").map_err(failed("empty", &path))?;
            kept_logs.push(path);
        }
    }
    for dir in NO_FILES {
        tree.remove_files(dir, |path| !kept_logs.iter().any(|k| k == path))?;
    }
    for file in FILES {
        tree.remove(file)?;
    }
    for (dir, begin, end) in PATTERNS {
        tree.remove_files(dir, |path| {
            let direct = path.parent() == tree.existing(dir).as_deref();
            let name = path.file_name().map(|name| name.to_string_lossy());
            direct && name.is_some_and(|name| name.starts_with(begin) && name.ends_with(end))
        })?;
    }
    machine_id(&tree)?;
    resolver(&tree)
}

/// An empty identity is filled in by systemd when a machine first boots.
fn machine_id(tree: &Tree<'_>) -> Result<(), Error> {
    if let Some(path) = tree.existing("var/lib/dbus/machine-id") {
        if !path.is_symlink() {
            tree.remove("var/lib/dbus/machine-id")?;
        }
    }
    let systemd = tree.existing("usr/lib/systemd/systemd").is_some();
    if systemd || tree.existing("etc/machine-id").is_some() {
        tree.remove("etc/machine-id")?;
        let path = tree.root.join("etc/machine-id");
        fs::write(&path, "").map_err(failed("write", &path))?;
        let mode = fs::Permissions::from_mode(0o444);
        fs::set_permissions(&path, mode).map_err(failed("write", &path))?;
    }
    Ok(())
}

/// Names are resolved by systemd-resolved if the tree has it.
fn resolver(tree: &Tree<'_>) -> Result<(), Error> {
    if tree.existing("usr/lib/systemd/systemd-resolved").is_some() {
        let path = tree.root.join("etc/resolv.conf");
        symlink("../run/systemd/resolve/stub-resolv.conf", &path).map_err(failed("link", &path))?;
    }
    Ok(())
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io {
        action: format!("{action} {}", path.display()),
        source,
    }
}

/// A tree whose links are not followed: they mean other places than they would here.
struct Tree<'a> {
    root: &'a Path,
}

impl Tree<'_> {
    /// The file, if it exists (or is a link) and all folders to it are folders.
    fn existing(&self, relative: &str) -> Option<PathBuf> {
        let mut path = self.root.to_path_buf();
        let mut names = relative.split('/').peekable();
        while let Some(name) = names.next() {
            path.push(name);
            let meta = fs::symlink_metadata(&path).ok()?;
            if names.peek().is_some() && !meta.is_dir() {
                return None;
            }
        }
        Some(path)
    }

    fn remove(&self, relative: &str) -> Result<(), Error> {
        match self.existing(relative) {
            Some(path) => fs::remove_file(&path).map_err(failed("remove", &path)),
            None => Ok(()),
        }
    }

    /// Removes what is below a folder.
    fn remove_below(&self, dir: &str) -> Result<(), Error> {
        let Some(dir) = self.existing(dir).filter(|d| !d.is_symlink() && d.is_dir()) else {
            return Ok(());
        };
        for entry in WalkDir::new(&dir).min_depth(1).contents_first(true) {
            let entry = entry.map_err(|e| failed("list", &dir)(e.into()))?;
            let path = entry.path();
            let removed = if entry.file_type().is_dir() {
                fs::remove_dir(path)
            } else {
                fs::remove_file(path)
            };
            removed.map_err(failed("remove", path))?;
        }
        Ok(())
    }

    /// Removes the files below a folder that `which` chooses.
    fn remove_files(&self, dir: &str, which: impl Fn(&Path) -> bool) -> Result<(), Error> {
        let Some(dir) = self.existing(dir).filter(|d| !d.is_symlink() && d.is_dir()) else {
            return Ok(());
        };
        for entry in WalkDir::new(&dir).min_depth(1) {
            let entry = entry.map_err(|e| failed("list", &dir)(e.into()))?;
            let path = entry.path();
            if !entry.file_type().is_dir() && which(path) {
                fs::remove_file(path).map_err(failed("remove", path))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_and_what_stays() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let outside = dir.path().join("outside");
        let goes = [
            "dev/null",
            "run/lock/x",
            "tmp/.x/y",
            "etc/ssh/ssh_host_rsa_key",
            "etc/ssh/ssh_host_rsa_key.pub",
            "etc/passwd-",
            "etc/shadow-",
            "etc/hostname",
            "etc/apt/sources.list",
            "var/lib/dpkg/status-old",
            "var/lib/apt/lists/x_Packages",
            "var/cache/debconf/config.dat-old",
            "var/log/apt/term.log",
            "var/log/alternatives.log",
            "var/lib/dbus/machine-id",
        ];
        let stays = [
            "etc/passwd",
            "etc/ssh/sshd_config",
            "var/lib/dpkg/status",
            "var/lib/dpkg/info/x-old",
            "var/cache/debconf/config.dat",
            "var/log/btmp",
            "usr/lib/systemd/systemd-resolved",
            "usr/lib/systemd/systemd",
        ];
        for file in goes.iter().chain(&stays).chain(&["etc/machine-id"]) {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "content").unwrap();
        }
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        symlink(&outside, root.join("var/tmp")).unwrap();
        symlink("/etc/hosts", root.join("etc/resolv.conf")).unwrap();
        normalise(&root).unwrap();
        for file in goes {
            assert!(fs::symlink_metadata(root.join(file)).is_err(), "{file}");
        }
        for file in stays {
            assert!(root.join(file).exists(), "{file}");
        }
        for folder in ["dev", "run", "tmp", "var/log/apt", "var/lib/apt/lists"] {
            assert!(root.join(folder).is_dir(), "{folder}");
        }
        assert!(!root.join("run/lock").exists());
        assert!(outside.join("kept").exists());
        assert_eq!(fs::read(root.join("etc/machine-id")).unwrap(), b"");
        assert_eq!(fs::read(root.join("var/log/btmp")).unwrap(), b"");
        let link = fs::read_link(root.join("etc/resolv.conf")).unwrap();
        assert_eq!(link, Path::new("../run/systemd/resolve/stub-resolv.conf"));
        // Again: nothing to do.
        normalise(&root).unwrap();
    }
}
