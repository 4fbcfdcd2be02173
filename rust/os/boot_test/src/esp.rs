//! The boot loaders on an EFI system partition, as firmware finds them, and their state.

use std::io::Read;

use anyhow::{ensure, Context, Result};
use base::Sha256Digest;
use fatfs::{FileSystem, FsOptions};
use grubenv::{Block, BootState};

use crate::image::Window;

/// What firmware starts.
pub(crate) const IN_PLACE: &str = "EFI/BOOT/BOOTX64.EFI";
/// What an upgrade has brought, until it is committed.
pub(crate) const NEXT: &str = "EFI/BOOT/NEXT.EFI";
/// What was in place before.
pub(crate) const PREVIOUS: &str = "EFI/BOOT/PREVIOUS.EFI";

/// The state of the boot loader, as its partition `grub` has it.
pub(crate) fn state(grub: Window) -> Result<BootState> {
    let block = read(grub, "grubenv")?;
    Ok(BootState::of(&Block::parse(&block)?))
}

/// The digest of the file at `path`, all of it.
pub(crate) fn digest(esp: Window, path: &str) -> Result<Sha256Digest> {
    Ok(Sha256Digest::of(read(esp, path)?))
}

/// The file at `path` of a FAT file system, all of it.
pub(crate) fn read(volume: Window, path: &str) -> Result<Vec<u8>> {
    let volume = FileSystem::new(volume, FsOptions::new());
    let volume = volume.with_context(|| format!("cannot read the file system of {path}"))?;
    let root = volume.root_dir();
    let (folder, name) = match path.rsplit_once('/') {
        None => (root, path),
        Some((folder, name)) => {
            let folder = root.open_dir(folder);
            (
                folder.with_context(|| format!("no folder of {path}"))?,
                name,
            )
        }
    };
    let entries = folder.iter().collect::<Result<Vec<_>, _>>();
    let entries = entries.with_context(|| format!("cannot read the folder of {path}"))?;
    let mut entries = entries.iter();
    let entry = entries.find(|entry| entry.file_name().eq_ignore_ascii_case(name));
    let entry = entry.with_context(|| format!("there is no {path}"))?;
    let mut bytes = Vec::new();
    let read = entry.to_file().read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {path}"))?;
    let got = base::as_u64(bytes.len());
    // A chain of clusters that breaks off is an end, to whoever reads on.
    ensure!(
        got == entry.len(),
        "{path} has {} bytes, and its clusters {got}",
        entry.len()
    );
    Ok(bytes)
}

/// The file at `path` has this digest.
pub(crate) fn holds(esp: Window, path: &str, want: Sha256Digest) -> Result<()> {
    let got = digest(esp, path)?;
    ensure!(got == want, "{path} has SHA-256 {got}, want {want}");
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::Path;

    /// An EFI system partition with these boot loaders.
    pub(crate) fn esp(dir: &Path, loaders: &[(&str, &[u8])]) -> Vec<u8> {
        let folder = dir.join("esp");
        for (path, bytes) in loaders {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let image = dir.join("esp.img");
        vm::medium::from_folder(&folder, "ESP", &image).unwrap();
        std::fs::read(&image).unwrap()
    }

    fn window(dir: &Path, bytes: &[u8]) -> Window {
        let path = dir.join("changed.img");
        std::fs::write(&path, bytes).unwrap();
        Window::open(&path).unwrap()
    }

    #[test]
    fn the_state_is_read_at_the_top() {
        let dir = tempfile::tempdir().unwrap();
        let mut block = Block::new();
        let want = BootState::trial(grubenv::Slot::B);
        want.store(&mut block).unwrap();
        let grub = esp(dir.path(), &[("grubenv", &block.to_bytes().unwrap())]);
        assert_eq!(state(window(dir.path(), &grub)).unwrap(), want);
        let dir = tempfile::tempdir().unwrap();
        let broken = esp(dir.path(), &[("grubenv", b"x")]);
        state(window(dir.path(), &broken)).unwrap_err();
    }

    #[test]
    fn a_loader_is_whole_or_told() {
        let dir = tempfile::tempdir().unwrap();
        let at = |bytes: &[u8]| window(dir.path(), bytes);
        let noise = |n: u32| n.wrapping_mul(0x9e37_79b1).to_le_bytes()[3];
        let loader: Vec<u8> = (1..60_000).map(noise).collect();
        let good = esp(dir.path(), &[(IN_PLACE, &loader), (NEXT, b"MZ next")]);
        holds(at(&good), IN_PLACE, Sha256Digest::of(&loader)).unwrap();
        holds(at(&good), NEXT, Sha256Digest::of(b"MZ next")).unwrap();
        let error = digest(at(&good), PREVIOUS).unwrap_err().to_string();
        assert_eq!(error, "there is no EFI/BOOT/PREVIOUS.EFI");

        // One byte of it.
        let mut bad = good.clone();
        let place = good.windows(64).position(|part| part == &loader[..64]);
        bad[place.unwrap() + 40_000] ^= 1;
        holds(at(&bad), IN_PLACE, Sha256Digest::of(&loader)).unwrap_err();

        // Its clusters are free: what deleting the file it was renamed over does.
        let mut bad = good.clone();
        let sector = usize::from(u16::from_le_bytes([good[14], good[15]])) * 512;
        let end = place.unwrap().min(sector + 512);
        bad[sector + 4..end].fill(0);
        let error = digest(at(&bad), IN_PLACE).unwrap_err().to_string();
        assert!(error.contains("its clusters"), "{error}");

        // Nothing in it.
        let error = digest(at(&vec![0; good.len()]), IN_PLACE).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("cannot read the file system"), "{error}");
    }
}
