//! Overlays of disk images.

use std::path::Path;
use std::process::Command;

use crate::{process, Result, VmError};

const QEMU_IMG: &str = "qemu-img";

/// Makes `overlay`, a qcow2 image that shows `base` (raw) and keeps only what is written. It is there whole or not at all, and for its
/// user only: a guest's keys are in it.
pub fn create_overlay(base: &Path, overlay: &Path) -> Result<()> {
    process::require(QEMU_IMG, "qemu-utils")?;
    // The overlay names its base by the path given, so that must not depend on the current folder.
    let base = base.canonicalize().map_err(|source| VmError::Image {
        path: base.to_path_buf(),
        source,
    })?;
    let create = || VmError::io(format!("create {}", overlay.display()));
    let folder = match overlay.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Such a file has mode 0600, which qemu-img leaves as it is.
    let new = tempfile::NamedTempFile::new_in(folder).map_err(create())?;
    let output = Command::new(QEMU_IMG)
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
        .arg(&base)
        .arg(new.path())
        .output()
        .map_err(VmError::io(format!("start {QEMU_IMG}")))?;
    if !output.status.success() {
        return Err(VmError::Failed {
            program: QEMU_IMG.to_owned(),
            status: output.status.to_string(),
            detail: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    let kept = new.persist_noclobber(overlay);
    kept.map(drop).map_err(|error| create()(error.error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_overlay_of_nothing_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        if !process::installed(QEMU_IMG) {
            return;
        }
        let overlay = dir.path().join("o.qcow2");
        let error = create_overlay(&dir.path().join("none.img"), &overlay).unwrap_err();
        assert!(matches!(error, VmError::Image { .. }), "{error}");
        let base = dir.path().join("base.img");
        File::create(&base).unwrap().set_len(1 << 20).unwrap();
        create_overlay(&base, &overlay).unwrap();
        let mode = std::fs::metadata(&overlay).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = create_overlay(&base, &overlay).unwrap_err().to_string();
        assert_eq!(error, format!("cannot create {}", overlay.display()));
        let names = walkdir::WalkDir::new(dir.path())
            .min_depth(1)
            .into_iter()
            .count();
        assert_eq!(names, 2, "nothing but the base and its overlay");
    }
}
