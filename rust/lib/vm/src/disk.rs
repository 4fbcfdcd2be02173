//! Overlays of disk images.

use std::path::Path;
use std::process::Command;

use crate::{process, Result, VmError};

const QEMU_IMG: &str = "qemu-img";

/// Makes `overlay`, a qcow2 image that shows `base` (raw) and keeps only what is written.
pub fn create_overlay(base: &Path, overlay: &Path) -> Result<()> {
    process::require(QEMU_IMG, "qemu-utils")?;
    // The overlay names its base by the path given, so that must not depend on the current folder.
    let base = base.canonicalize().map_err(|source| VmError::Image {
        path: base.to_path_buf(),
        source,
    })?;
    let output = Command::new(QEMU_IMG)
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
        .arg(&base)
        .arg(overlay)
        .output()
        .map_err(VmError::io(format!("start {QEMU_IMG}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(VmError::Failed {
        program: QEMU_IMG.to_owned(),
        status: output.status.to_string(),
        detail: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

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
        assert!(overlay.exists());
    }
}
