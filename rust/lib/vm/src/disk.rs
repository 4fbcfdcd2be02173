//! Copies and overlays of disk images.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::unistd::{lseek64, Whence};

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

/// Copies the image `from` to the new file `to`, leaving its holes out.
pub fn copy_sparse(from: &Path, to: &Path) -> Result<()> {
    let image = |source| VmError::Image {
        path: from.to_path_buf(),
        source,
    };
    let mut input = File::open(from).map_err(image)?;
    let len = input.metadata().map_err(image)?.len();
    let mut output =
        File::create_new(to).map_err(VmError::io(format!("create {}", to.display())))?;
    let mut copy = || {
        output.set_len(len)?;
        let mut at = 0;
        while let Some((start, end)) = next_data(&input, at, len)? {
            input.seek(SeekFrom::Start(start))?;
            output.seek(SeekFrom::Start(start))?;
            let mut part = (&mut input).take(end.saturating_sub(start));
            std::io::copy(&mut part, &mut output)?;
            at = end;
        }
        output.flush()
    };
    copy().map_err(VmError::io(format!(
        "copy {} to {}",
        from.display(),
        to.display()
    )))
}

/// The first range with data at or behind `at`.
fn next_data(file: &File, at: u64, len: u64) -> std::io::Result<Option<(u64, u64)>> {
    if at >= len {
        return Ok(None);
    }
    let seek = |offset: u64, whence| {
        let offset = i64::try_from(offset).map_err(|_| Errno::EOVERFLOW)?;
        let found = lseek64(file.as_fd(), offset, whence)?;
        u64::try_from(found).map_err(|_| Errno::EOVERFLOW)
    };
    match seek(at, Whence::SeekData) {
        Ok(start) => Ok(Some((start, seek(start, Whence::SeekHole)?))),
        // Nothing but a hole up to the end.
        Err(Errno::ENXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_keeps_bytes_and_holes() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let mut file = File::create(&from).unwrap();
        file.set_len(64 << 20).unwrap();
        for (at, text) in [(0, "start"), (20 << 20, "middle"), ((64 << 20) - 3, "end")] {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        copy_sparse(&from, &to).unwrap();
        assert!(std::fs::read(&from).unwrap() == std::fs::read(&to).unwrap());
        assert!(std::fs::metadata(&to).unwrap().blocks() * 512 < 8 << 20);
        assert!(copy_sparse(&from, &to).is_err(), "an existing file is kept");
        let error = copy_sparse(Path::new("/nonexistent"), &to).unwrap_err();
        assert_eq!(error.to_string(), "cannot open image /nonexistent");
    }

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
