//! Files that are either the old one or the new one, whatever instant the power goes.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use files::NewFile;

/// Replaces `path` by `bytes` with permission bits `mode`.
///
/// The bytes reach the disk before they take the name, and the folder is synced last. Until then they have no name, so that not
/// even a killed process leaves anything ([`NewFile`] says where that cannot be).
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let new = NewFile::create(path, mode)?;
    let mut file = new.file();
    // The umask had its say when it was made.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    new.commit_synced()
}

/// As [`write()`], but leaves a file alone that already is so; says whether it wrote.
pub fn write_if_changed(path: &Path, bytes: &[u8], mode: u32) -> io::Result<bool> {
    let same = fs::symlink_metadata(path).is_ok_and(|meta| {
        meta.is_file()
            && meta.permissions().mode() & 0o7777 == mode
            && meta.len() == base::as_u64(bytes.len())
    });
    if same && fs::read(path)? == bytes {
        return Ok(false);
    }
    write(path, bytes, mode)?;
    Ok(true)
}

/// Removes a file; says whether there was one. A folder is none, and an error.
pub fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes names given or taken away in the folder of `path` last.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    files::sync_folder(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_keeps_the_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write(&path, b"one", 0o640).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o640
        );
    }

    #[test]
    fn unchanged_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert!(write_if_changed(&path, b"one", 0o644).unwrap());
        assert!(!write_if_changed(&path, b"one", 0o644).unwrap());
        assert!(write_if_changed(&path, b"one", 0o600).unwrap());
        assert!(write_if_changed(&path, b"two", 0o600).unwrap());
    }

    #[test]
    fn what_is_not_there_is_removed_already() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert!(!remove(&path).unwrap());
        write(&path, b"one", 0o644).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(remove(&link).unwrap() && path.exists());
        assert!(remove(&path).unwrap() && !path.exists());
        assert!(remove(dir.path()).is_err());
    }

    #[test]
    fn failure_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("x"), "").unwrap();
        assert!(write(&path, b"one", 0o644).is_err());
        assert!(path.join("x").exists());
    }
}
