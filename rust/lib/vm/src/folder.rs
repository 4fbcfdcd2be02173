//! Folders for what is nobody else's business: sockets, logs, keys.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::{Result, VmError};

/// Most bytes of a socket's path that the kernel takes are 107; the names in the folder are short.
const LONGEST: usize = 90;

/// A new folder that only this user may look into, removed when dropped. Its name is short enough for sockets, which that of a
/// sandbox's folder for temporary files need not be.
pub fn private_folder(prefix: &str) -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    // Without this it has the mode that the umask leaves.
    let builder = builder
        .prefix(prefix)
        .permissions(Permissions::from_mode(0o700));
    let folder = builder.tempdir();
    let folder = match folder {
        Ok(folder) if folder.path().as_os_str().len() <= LONGEST => Ok(folder),
        _ => builder.tempdir_in("/tmp"),
    };
    folder.map_err(VmError::io("create a temporary folder"))
}

/// Where Bazel keeps what a test leaves for people to read; nothing outside of its tests.
#[allow(
    clippy::disallowed_methods,
    reason = "Bazel tells a test in no other way"
)]
pub fn test_outputs() -> Option<PathBuf> {
    std::env::var_os("TEST_UNDECLARED_OUTPUTS_DIR").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_may_look_into_it() {
        let folder = private_folder("vm-").unwrap();
        let mode = folder.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(folder.path().as_os_str().len() <= LONGEST);
    }
}
