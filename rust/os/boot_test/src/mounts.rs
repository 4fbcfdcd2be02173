//! A real kernel mounts images and sees in them what other readers see.

use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{ensure, Context, Result};
use base::{Hasher, Sha256Digest};
use fatfs::FatType;
use vm::{Drive, Shell};

use crate::checks;
use crate::image::{Content, Window};
use crate::report::Report;
use crate::Setting;

/// An image to mount: `FILE[:KIND[:rw]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extra {
    path: PathBuf,
    kind: Kind,
    /// Whether it must take a new file, too.
    writable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ext4,
    Fat(FatType),
}

impl Kind {
    /// What mount(8) calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Fat(_) => "vfat",
        }
    }

    /// What blkid(8) calls the version of it, where there are several.
    fn version(self) -> Option<&'static str> {
        match self {
            Self::Ext4 => None,
            Self::Fat(FatType::Fat12) => Some("FAT12"),
            Self::Fat(FatType::Fat16) => Some("FAT16"),
            Self::Fat(FatType::Fat32) => Some("FAT32"),
        }
    }
}

impl FromStr for Extra {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (text, writable) = match text.strip_suffix(":rw") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (path, kind) = match text.rsplit_once(':') {
            None if !writable => (text, Kind::Ext4),
            Some((path, "ext4")) => (path, Kind::Ext4),
            Some((path, "fat16")) => (path, Kind::Fat(FatType::Fat16)),
            Some((path, "fat32")) => (path, Kind::Fat(FatType::Fat32)),
            _ => return Err(format!("`{text}` is not FILE[:ext4|fat16|fat32[:rw]]")),
        };
        if path.is_empty() {
            return Err("an image without a name".to_owned());
        }
        Ok(Self {
            path: path.into(),
            kind,
            writable,
        })
    }
}

impl Extra {
    /// It as a drive; what the guest writes is thrown away.
    pub(crate) fn drive(&self) -> Drive {
        Drive::image(&self.path)
    }
}

/// Mounts the drives, which come after the first one, in root's `shell`.
pub(crate) fn run(extras: &[Extra], shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
    for (extra, letter) in extras.iter().zip('b'..='z') {
        let device = format!("/dev/vd{letter}");
        let path = &extra.path;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = format!("{} ({})", name.to_string_lossy(), extra.kind.name());
        let outcome = mount(extra, &device, shell, setting);
        report.check(&format!("the kernel reads {name}"), outcome);
        if extra.writable {
            let outcome = write(extra, &device, shell, setting);
            report.check(&format!("the kernel writes {name}"), outcome);
        }
    }
    if !extras.is_empty() {
        let command = "dmesg | grep -E '(EXT4|FAT)-fs.*(error|warning)' | head -5";
        let outcome = said(shell, command, "", setting);
        report.check("the kernel does not complain of them", outcome);
    }
}

/// Names, modes and owners of everything, and the content of all files.
const LIST: &str = "find . -printf '%y %m %U %G %p\\0' | LC_ALL=C sort -z | sha256sum | cut -c1-64";
const FILES: &str =
    "find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum -z | sha256sum | cut -c1-64";

fn mount(extra: &Extra, device: &str, shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let mut image = Tree::default();
    let window = Window::open(&extra.path)?;
    match extra.kind {
        Kind::Ext4 => image.read_ext4(&window)?,
        Kind::Fat(wanted) => image.read_fat(window, wanted)?,
    }
    if let Some(version) = extra.kind.version() {
        let command = format!("blkid -p -o value -s VERSION {device}");
        said(shell, &command, version, setting)?;
    }
    let kind = extra.kind.name();
    let enter = format!(
        "mkdir -p /run/extra && mount -t {kind} -o ro {device} /run/extra && cd /run/extra"
    );
    let leave = "s=$?; cd / && umount /run/extra; exit $s";
    if extra.kind == Kind::Ext4 {
        let command = format!("{enter} && {LIST}; {leave}");
        said(shell, &command, &image.list(), setting).context("names, modes or owners differ")?;
    }
    let command = format!("{enter} && {FILES}; {leave}");
    said(shell, &command, &image.files(), setting).context("contents differ")
}

/// A file written into the image is there after it was unmounted.
fn write(extra: &Extra, device: &str, shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let kind = extra.kind.name();
    let command = format!(
        "mkdir -p /run/extra && mount -t {kind} {device} /run/extra && echo written >/run/extra/probe && umount /run/extra && \
         mount -t {kind} -o ro {device} /run/extra && cat /run/extra/probe; s=$?; umount /run/extra; exit $s"
    );
    said(shell, &command, "written", setting)
}

fn said(shell: &Shell<'_>, command: &str, want: &str, setting: &Setting) -> Result<()> {
    checks::says(shell, command, want, setting.within(60))
}

/// What a file system holds, in the words of `find` and `sha256sum`.
#[derive(Debug, Default)]
struct Tree {
    entries: Vec<Vec<u8>>,
    /// Path and digest.
    contents: Vec<(Vec<u8>, String)>,
}

impl Tree {
    fn read_ext4(&mut self, window: &Window) -> Result<()> {
        let fs = window.ext4()?;
        let mut folders = vec![b"/".to_vec()];
        self.entry(&fs, b"/")?;
        while let Some(folder) = folders.pop() {
            for entry in fs.read_dir(folder.as_slice())? {
                let entry = entry?;
                let name = entry.file_name();
                if matches!(name.as_ref(), b"." | b"..") {
                    continue;
                }
                let path = entry.path();
                let path: &[u8] = path.as_ref();
                self.entry(&fs, path)?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(path.to_vec());
                } else if kind.is_regular_file() {
                    let file = fs.open(path)?;
                    self.content(path, Content(file))?;
                }
            }
        }
        Ok(())
    }

    /// Notes what `find` prints of `path`.
    fn entry(&mut self, fs: &ext4_view::Ext4, path: &[u8]) -> Result<()> {
        let metadata = fs.symlink_metadata(path)?;
        let kind = metadata.file_type();
        let letter = match () {
            () if kind.is_regular_file() => 'f',
            () if kind.is_dir() => 'd',
            () if kind.is_symlink() => 'l',
            () if kind.is_char_dev() => 'c',
            () if kind.is_block_dev() => 'b',
            () if kind.is_fifo() => 'p',
            () => 's',
        };
        let mode = metadata.mode() & 0o7777;
        let (uid, gid) = (metadata.uid(), metadata.gid());
        let mut line = format!("{letter} {mode:o} {uid} {gid} ").into_bytes();
        line.extend_from_slice(&seen(path));
        self.entries.push(line);
        Ok(())
    }

    fn read_fat(&mut self, window: Window, wanted: FatType) -> Result<()> {
        let volume = fatfs::FileSystem::new(window, fatfs::FsOptions::new())
            .context("cannot read the FAT file system")?;
        let kind = volume.fat_type();
        ensure!(kind == wanted, "it is {kind:?}, want {wanted:?}");
        let mut folders = vec![(String::new(), volume.root_dir())];
        while let Some((prefix, folder)) = folders.pop() {
            for entry in folder.iter() {
                let entry = entry?;
                let name = entry.file_name();
                let path = format!("{prefix}/{name}");
                if name == "." || name == ".." {
                    continue;
                }
                if entry.is_dir() {
                    folders.push((path, entry.to_dir()));
                } else {
                    self.content(path.as_bytes(), entry.to_file())?;
                }
            }
        }
        Ok(())
    }

    fn content(&mut self, path: &[u8], file: impl Read) -> Result<()> {
        let digest = Sha256Digest::of_reader(file)?;
        self.contents.push((seen(path), digest.to_string()));
        Ok(())
    }

    /// The digest that [`LIST`] prints.
    fn list(&self) -> String {
        let mut lines: Vec<&[u8]> = self.entries.iter().map(Vec::as_slice).collect();
        lines.sort_unstable();
        let mut hash = Hasher::new();
        for line in lines {
            hash.update(line);
            hash.update(&[0]);
        }
        hash.finish().to_string()
    }

    /// The digest that [`FILES`] prints.
    fn files(&self) -> String {
        let mut files: Vec<&(Vec<u8>, String)> = self.contents.iter().collect();
        files.sort_unstable();
        let mut hash = Hasher::new();
        for (path, digest) in files {
            hash.update(digest.as_bytes());
            hash.update(b"  ");
            hash.update(path);
            hash.update(&[0]);
        }
        hash.finish().to_string()
    }
}

/// A path as `find .` prints it.
fn seen(path: &[u8]) -> Vec<u8> {
    match path {
        b"/" => b".".to_vec(),
        path => [b".", path].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    #[test]
    fn extras_are_parsed() {
        let extra = |path: &str, kind, writable| Extra {
            path: path.into(),
            kind,
            writable,
        };
        for (text, want) in [
            ("a.img", extra("a.img", Kind::Ext4, false)),
            ("a.image:ext4", extra("a.image", Kind::Ext4, false)),
            ("a:fat16", extra("a", Kind::Fat(FatType::Fat16), false)),
            ("a:fat32:rw", extra("a", Kind::Fat(FatType::Fat32), true)),
            ("a:ext4:rw", extra("a", Kind::Ext4, true)),
        ] {
            assert_eq!(text.parse::<Extra>().unwrap(), want);
        }
        for text in ["", ":ext4", "a:xfs", "a:vfat", "a:rw", "a:ext4:ro"] {
            assert!(text.parse::<Extra>().is_err(), "{text}");
        }
    }

    /// What the guest's command would print of a folder.
    fn printed(folder: &Path, command: &str) -> String {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_file_system_is_told_as_find_tells_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let folder = at("in");
        std::fs::create_dir_all(folder.join("b/lost+found")).unwrap();
        std::fs::create_dir(folder.join("lost+found")).unwrap();
        std::fs::write(folder.join("b/x\ny"), b"odd name").unwrap();
        std::fs::write(folder.join("b.txt"), vec![9; 200_000]).unwrap();
        std::fs::write(folder.join("empty"), b"").unwrap();
        std::os::unix::fs::symlink("b.txt", folder.join("link")).unwrap();
        let mode = |name: &str, mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.join(name), mode).unwrap();
        };
        mode("b.txt", 0o4755);
        mode("lost+found", 0o700);
        mode("", 0o755);
        if crate::image::tests::mke2fs(&folder, &at("fs")).is_none() {
            return;
        }
        let mut tree = Tree::default();
        tree.read_ext4(&Window::open(&at("fs")).unwrap()).unwrap();
        assert_eq!(tree.files(), printed(&folder, FILES));
        // Whoever runs this need not be root, but lost+found and the root are root's.
        if is_root() {
            assert_eq!(tree.list(), printed(&folder, LIST));
        }
    }

    fn is_root() -> bool {
        printed(Path::new("/"), "id -u") == "0"
    }

    #[test]
    fn a_medium_is_told_as_find_tells_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("in");
        std::fs::create_dir_all(folder.join("Some folder")).unwrap();
        std::fs::write(folder.join("Some folder/A long name.txt"), b"text").unwrap();
        std::fs::write(folder.join("config.ini"), vec![8; 70_000]).unwrap();
        let image = dir.path().join("medium.img");
        vm::medium::from_folder(&folder, "CONFIG", &image).unwrap();
        let mut tree = Tree::default();
        let window = Window::open(&image).unwrap();
        tree.read_fat(window.clone(), FatType::Fat16).unwrap();
        let error = Tree::default().read_fat(window, FatType::Fat32);
        assert_eq!(error.unwrap_err().to_string(), "it is Fat16, want Fat32");
        assert_eq!(tree.files(), printed(&folder, FILES));
    }
}
