//! Small FAT media made from a folder, such as one that hands settings to a guest at its first boot.
//!
//! FAT as Microsoft's specification 1.03 has it, through the `fatfs` crate. The same folder gives the same bytes: entries sorted, no times, a fixed
//! volume id.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use fatfs::{Dir, FileSystem, FormatVolumeOptions, FsOptions};
use walkdir::WalkDir;

use crate::{Result, VmError};

/// Smallest medium made; enough for FAT16.
const MIN_SIZE: u64 = 16 << 20;
/// Largest content taken: these media carry settings.
const MAX_CONTENT: u64 = 1 << 30;
/// Room for directories and the rounding up of files to clusters.
const SPARE: u64 = 8 << 20;
const VOLUME_ID: u32 = 0x434f_4e46;

/// A medium without a name in any folder: gone when this is dropped, or this process ends.
#[derive(Debug)]
pub struct Medium {
    file: File,
}

impl Medium {
    /// A FAT volume called `label` with all that is in `folder`.
    pub fn from_folder(folder: &Path, label: &str) -> Result<Self> {
        let mut file = tempfile::tempfile().map_err(VmError::io("create a temporary file"))?;
        fill(folder, label, &mut file)?;
        Ok(Self { file })
    }

    /// A path by which any process of the same user can open it while this one lives.
    pub fn path(&self) -> PathBuf {
        let fd = self.file.as_raw_fd();
        PathBuf::from(format!("/proc/{}/fd/{fd}", std::process::id()))
    }
}

/// Writes the new file `image`: a FAT volume called `label` with all that is in `folder`.
pub fn from_folder(folder: &Path, label: &str, image: &Path) -> Result<()> {
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        // The settings of a machine are nobody else's.
        .mode(0o600)
        .open(image)
        .map_err(VmError::io(format!("create {}", image.display())))?;
    fill(folder, label, &mut file).inspect_err(|_| {
        // Half a medium is of no use to anybody; the error that is reported is the first one.
        let _ = std::fs::remove_file(image);
    })
}

fn fill(folder: &Path, label: &str, file: &mut File) -> Result<()> {
    let failed = |detail: String| VmError::Medium {
        path: folder.to_path_buf(),
        detail,
    };
    let label = padded(label).ok_or_else(|| {
        failed(format!(
            "label `{label}` is not 1 to 11 capital letters, digits or _"
        ))
    })?;
    let entries = list(folder)?;
    let size = size(&entries).ok_or_else(|| {
        failed(format!(
            "more than {MAX_CONTENT} bytes of content, which is as many as are taken"
        ))
    })?;
    write_volume(file, size, label, &entries).map_err(|error| failed(error.to_string()))
}

/// How large a volume for `entries` is; none for more than are taken.
fn size(entries: &[Source]) -> Option<u64> {
    let mut lens = entries.iter().map(|entry| entry.len);
    let content = lens.try_fold(0_u64, u64::checked_add)?;
    let room = content.checked_mul(2)?.checked_add(SPARE)?;
    (content <= MAX_CONTENT).then_some(room.max(MIN_SIZE))
}

/// One file or folder to write; parents come before what they hold.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    name: String,
    is_dir: bool,
    len: u64,
}

fn list(folder: &Path) -> Result<Vec<Source>> {
    let mut entries = Vec::new();
    let walk = WalkDir::new(folder)
        .min_depth(1)
        .max_depth(16)
        .follow_links(true)
        .sort_by_file_name();
    for entry in walk {
        let failed = |path: &Path, detail: String| VmError::Medium {
            path: path.to_path_buf(),
            detail,
        };
        let entry = entry.map_err(|error| failed(folder, error.to_string()))?;
        let path = entry.path();
        let metadata = entry
            .metadata()
            .map_err(|error| failed(path, error.to_string()))?;
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(failed(path, "neither a file nor a folder".to_owned()));
        }
        let name = path
            .strip_prefix(folder)
            .ok()
            .and_then(Path::to_str)
            .ok_or_else(|| failed(path, "its name is not UTF-8".to_owned()))?;
        entries.push(Source {
            path: path.to_path_buf(),
            name: name.to_owned(),
            is_dir: metadata.is_dir(),
            len: if metadata.is_dir() { 0 } else { metadata.len() },
        });
    }
    Ok(entries)
}

fn write_volume(
    file: &mut File,
    size: u64,
    label: [u8; 11],
    entries: &[Source],
) -> std::io::Result<()> {
    file.set_len(size)?;
    let options = FormatVolumeOptions::new()
        .volume_label(label)
        .volume_id(VOLUME_ID);
    fatfs::format_volume(&mut *file, options)?;
    file.rewind()?;
    let volume = FileSystem::new(file, FsOptions::new().update_accessed_date(false))?;
    let root = volume.root_dir();
    for entry in entries {
        if entry.is_dir {
            root.create_dir(&entry.name)?;
        } else {
            copy(&root, entry)?;
        }
    }
    drop(root);
    volume.unmount()
}

fn copy<T: Read + Write + Seek>(root: &Dir<'_, T>, entry: &Source) -> std::io::Result<()> {
    let mut input = File::open(&entry.path)?.take(entry.len);
    let mut output = root.create_file(&entry.name)?;
    std::io::copy(&mut input, &mut output)?;
    output.flush()
}

/// A label as a directory entry has it: 11 bytes, padded with spaces.
fn padded(label: &str) -> Option<[u8; 11]> {
    let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    if label.is_empty() || !label.bytes().all(good) {
        return None;
    }
    let mut bytes = [b' '; 11];
    bytes
        .get_mut(..label.len())?
        .copy_from_slice(label.as_bytes());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("in/ssh_authorized_keys");
        std::fs::create_dir_all(&keys).unwrap();
        std::fs::write(dir.path().join("in/config.ini"), "hostname=x\n").unwrap();
        std::fs::write(keys.join("admin"), "ssh-ed25519 AAAA\n").unwrap();
        dir
    }

    #[test]
    fn a_folder_becomes_a_labelled_volume_and_always_the_same() {
        let dir = folder();
        let (one, two) = (dir.path().join("1.img"), dir.path().join("2.img"));
        from_folder(&dir.path().join("in"), "CONFIG", &one).unwrap();
        from_folder(&dir.path().join("in"), "CONFIG", &two).unwrap();
        assert!(std::fs::read(&one).unwrap() == std::fs::read(&two).unwrap());
        let mode = std::fs::metadata(&one).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let file = File::options().read(true).write(true).open(&one).unwrap();
        let volume = FileSystem::new(file, FsOptions::new()).unwrap();
        assert_eq!(volume.volume_label_as_bytes(), b"CONFIG");
        let label = volume.read_volume_label_from_root_dir_as_bytes().unwrap();
        assert_eq!(label, Some(*b"CONFIG     "));
        let mut text = String::new();
        let mut key = volume
            .root_dir()
            .open_file("ssh_authorized_keys/admin")
            .unwrap();
        key.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ssh-ed25519 AAAA\n");
    }

    #[test]
    fn one_without_a_name_is_the_same_and_others_can_open_it() {
        let dir = folder();
        let image = dir.path().join("1.img");
        from_folder(&dir.path().join("in"), "CONFIG", &image).unwrap();
        let medium = Medium::from_folder(&dir.path().join("in"), "CONFIG").unwrap();
        let status = std::process::Command::new("cmp")
            .args([medium.path(), image])
            .status();
        assert!(status.unwrap().success());
        let path = medium.path();
        drop(medium);
        assert!(!path.exists());
    }

    #[test]
    fn more_than_settings_is_refused() {
        let dir = folder();
        let large = File::create(dir.path().join("in/large")).unwrap();
        large.set_len(MAX_CONTENT + 1).unwrap();
        let image = dir.path().join("x.img");
        let error = from_folder(&dir.path().join("in"), "CONFIG", &image).unwrap_err();
        assert!(
            error.to_string().contains("more than 1073741824 bytes"),
            "{error}"
        );
        assert!(!image.exists());
    }

    #[test]
    fn bad_labels_and_folders_are_refused() {
        let dir = folder();
        let image = dir.path().join("x.img");
        for label in ["", "config", "TWELVE_CHARS", "A B"] {
            let error = from_folder(dir.path(), label, &image).unwrap_err();
            assert!(error.to_string().contains("is not 1 to 11"), "{error}");
        }
        let error = from_folder(&dir.path().join("none"), "CONFIG", &image).unwrap_err();
        assert!(matches!(error, VmError::Medium { .. }), "{error}");
        assert!(!image.exists());
    }
}
