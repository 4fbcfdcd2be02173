//! The root: opened under dm-verity, mounted, and handed over to.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{symlink, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};
use base::hex;
use device_mapper::{create_read_only, Target, CONTROL};
use nix::mount::{mount, MsFlags};
use nix::unistd::{chdir, chroot};
use verity::{Layout, Superblock};
use walkdir::WalkDir;

use crate::cmdline::Settings;

/// Name of the device, as on the command line (`root=/dev/mapper/root`).
const NAME: &str = "root";
/// Sectors of 512 bytes, in which the device mapper counts.
const SECTOR: u32 = 512;

/// A partition that holds the root: its hash tree is the one that the command line wants.
#[derive(Debug)]
pub(crate) struct Root {
    partition: PathBuf,
    superblock: Superblock,
    layout: Layout,
}

impl Root {
    /// Looks at a partition. That the top of its tree has the wanted hash says that it is the right one, not that it is whole: the kernel checks each
    /// block as it is read.
    pub(crate) fn read(partition: &Path, settings: &Settings) -> Result<Self> {
        let what = || format!("{} is not the root", partition.display());
        let mut file = File::open(partition).with_context(what)?;
        let len = file.seek(SeekFrom::End(0)).with_context(what)?;
        let (superblock, layout) =
            verity::read_superblock(&file, len, settings.hash_offset).with_context(what)?;
        let top = verity::root_hash(&file, &superblock, &layout).with_context(what)?;
        ensure!(
            top == settings.root_hash,
            "{}: the top of its hash tree has the hash {}, want roothash= of the kernel's command line, {}",
            what(),
            hex::encode(&top),
            hex::encode(&settings.root_hash)
        );
        Ok(Self {
            partition: partition.to_owned(),
            superblock,
            layout,
        })
    }

    /// Opens it under dm-verity; returns the device through which each block is checked, by the name that udev will give it.
    pub(crate) fn open(&self, settings: &Settings) -> Result<PathBuf> {
        let what = || format!("{}: no root under dm-verity", self.partition.display());
        let number = fs::metadata(&self.partition).with_context(what)?.rdev();
        let number = format!(
            "{}:{}",
            rustix::fs::major(number),
            rustix::fs::minor(number)
        );
        let params = table(&number, settings, &self.superblock, &self.layout).with_context(what)?;
        let params_of = &self.superblock.params;
        let sectors = u64::from(params_of.data_block_size() / SECTOR);
        let target = Target {
            kind: "verity",
            sectors: self
                .superblock
                .data_blocks
                .checked_mul(sectors)
                .with_context(what)?,
            params: &params,
        };
        // As libcryptsetup names it, so that veritysetup(8) and udev's rules know it.
        let uuid = format!("CRYPT-VERITY-{}-{NAME}", hex::encode(&params_of.uuid()));
        let device =
            create_read_only(Path::new(CONTROL), NAME, &uuid, &target).with_context(what)?;
        let name = Path::new("/dev/mapper").join(NAME);
        symlink(&device, &name).with_context(|| format!("cannot make {}", name.display()))?;
        Ok(name)
    }

    /// The partition's device.
    pub(crate) fn partition(&self) -> &Path {
        &self.partition
    }
}

/// The target's parameters, as the kernel's page on dm-verity has them.
fn table(
    number: &str,
    settings: &Settings,
    superblock: &Superblock,
    layout: &Layout,
) -> Result<String> {
    let params = &superblock.params;
    let (data_block, hash_block) = (params.data_block_size(), params.hash_block_size());
    // A tree without levels, of one block of data, has no place.
    let start = layout
        .levels
        .last()
        .map_or(settings.hash_offset, |top| top.start);
    let size = u64::from(hash_block);
    let block = start
        .checked_div(size)
        .filter(|block| block.checked_mul(size) == Some(start));
    let block = block.with_context(|| {
        format!("its hash tree starts at byte {start}, want a multiple of its blocks' {size}")
    })?;
    let salt = match params.salt() {
        [] => "-".to_owned(),
        salt => hex::encode(salt),
    };
    let mut text = format!(
        "1 {number} {number} {data_block} {hash_block} {} {block} sha256 {} {salt}",
        superblock.data_blocks,
        hex::encode(&settings.root_hash),
    );
    if let Some(word) = settings.on_corruption.word() {
        text.push_str(" 1 ");
        text.push_str(word);
    }
    Ok(text)
}

/// Mounts the root for reading.
pub(crate) fn mount_at(device: &Path, at: &Path) -> Result<()> {
    let mounted = mount(
        Some(device),
        at,
        Some("ext4"),
        MsFlags::MS_RDONLY,
        None::<&str>,
    );
    mounted.with_context(|| format!("cannot mount {} at {}", device.display(), at.display()))
}

/// Makes the folder `/`, and starts its init in this process, as switch_root(8) does. Comes back with an error only.
pub(crate) fn hand_over(root: &Path, args: &[OsString]) -> Result<Infallible> {
    for folder in ["dev", "proc", "sys"] {
        let (from, to) = (Path::new("/").join(folder), root.join(folder));
        let moved = mount(
            Some(&from),
            &to,
            None::<&str>,
            MsFlags::MS_MOVE,
            None::<&str>,
        );
        moved.with_context(|| format!("cannot move {} to {}", from.display(), to.display()))?;
    }
    chdir(root).context("cannot enter the root")?;
    empty(Path::new("/"))?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)
        .context("cannot move the root to /")?;
    chroot(".").context("cannot make the root /")?;
    chdir("/").context("cannot enter /")?;
    Err(Command::new("/sbin/init").args(args).exec()).context("cannot start /sbin/init of the root")
}

/// Removes what lies in a folder and on its file system: the initrd's files take memory until then. What does not go is memory lost, no more.
fn empty(folder: &Path) -> Result<()> {
    let own = fs::metadata(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .dev();
    let entries = WalkDir::new(folder)
        .min_depth(1)
        .contents_first(true)
        .same_file_system(true);
    for entry in entries.into_iter().flatten() {
        // Mount points are folders of other file systems, which stay.
        if entry.metadata().is_ok_and(|known| known.dev() == own) {
            let _ = if entry.file_type().is_dir() {
                fs::remove_dir(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::cmdline::OnCorruption;
    use uuid::Uuid;
    use verity::Params;

    fn settings(hash_offset: u64) -> Settings {
        Settings {
            partition: Uuid::nil(),
            root_hash: [0xab; 32],
            hash_offset,
            on_corruption: OnCorruption::Panic,
        }
    }

    /// What `veritysetup open --debug` gives the kernel for such an image.
    #[test]
    fn the_table_is_the_one_of_veritysetup() {
        let params = Params::new(4096, 4096, &[1, 2], [7; 16]).unwrap();
        let at = 300 * 4096;
        let layout = Layout::new(at, &params).unwrap();
        let superblock = Superblock {
            params,
            data_blocks: 300,
        };
        let text = table("254:3", &settings(at), &superblock, &layout).unwrap();
        let hash = "ab".repeat(32);
        assert_eq!(
            text,
            format!("1 254:3 254:3 4096 4096 300 301 sha256 {hash} 0102 1 panic_on_corruption")
        );
    }

    #[test]
    fn a_folder_is_emptied_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/c"), "x").unwrap();
        symlink("/", folder.path().join("d")).unwrap();
        empty(folder.path()).unwrap();
        assert_eq!(WalkDir::new(folder.path()).into_iter().count(), 1);
    }

    #[test]
    fn what_is_no_root_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let says =
            |settings: &Settings| format!("{:#}", Root::read(file.path(), settings).unwrap_err());
        let error = says(&settings(4096));
        assert!(
            error.contains(" is not the root: ") && error.contains("no dm-verity"),
            "{error}"
        );
        // Another one.
        let params = Params::new(4096, 4096, &[1, 2], [7; 16]).unwrap();
        let superblock = Superblock {
            params,
            data_blocks: 3,
        };
        file.as_file()
            .write_all_at(&superblock.encode(), 3 * 4096)
            .unwrap();
        let error = says(&settings(3 * 4096));
        assert!(
            error.contains("the top of its hash tree has the hash "),
            "{error}"
        );
        let mut right = settings(3 * 4096);
        let top = [vec![1, 2], vec![0; 4096]].concat();
        right.root_hash = *base::Sha256Digest::of(&top).as_bytes();
        Root::read(file.path(), &right).unwrap();
    }
}
