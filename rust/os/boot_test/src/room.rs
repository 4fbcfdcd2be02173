//! A disk that is larger than the image written to it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plan::{Builder, Reader};

/// A plan list in `folder` of the image at `disk` with `room_mib` MiB of zeros behind it.
pub(crate) fn behind(disk: &Path, room_mib: u64, folder: &Path) -> Result<PathBuf> {
    let image = Reader::open_any(disk)?;
    let mut builder = Builder::new(image.plan().inputs());
    builder.plan(image.plan())?;
    let room = room_mib.checked_mul(1 << 20);
    builder.zero(room.with_context(|| format!("no disk has {room_mib} MiB"))?)?;
    let plan = folder.join("disk.plan");
    let mut list = format!("{}\n", plan.display());
    for (name, _) in image.inputs() {
        list.push_str(name);
        list.push('\n');
    }
    let path = folder.join("disk.image");
    let write = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    write(&plan, &builder.finish()?.encode())?;
    write(&path, list.as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_gets_room() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        std::fs::write(&image, vec![7; 5000]).unwrap();
        let once = dir.path().join("once");
        std::fs::create_dir(&once).unwrap();
        let list = behind(&image, 1, &once).unwrap();
        // A list gets room, too.
        let list = behind(&list, 2, dir.path()).unwrap();
        let disk = Reader::open_any(&list).unwrap();
        assert_eq!(disk.len(), 5000 + (3 << 20));
        let mut bytes = [1; 2];
        disk.read_at(&mut bytes, 4999).unwrap();
        assert_eq!(bytes, [7, 0]);
    }
}
