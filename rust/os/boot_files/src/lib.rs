//! The files that say which slot runs and which one boots next, as flags that every program with them names alike.
//!
//! | flag              | default                      | what                                                                    |
//! |-------------------|------------------------------|-------------------------------------------------------------------------|
//! | `--cmdline`       | `/proc/cmdline`              | the kernel's command line: `boot_alternative=` is the slot that runs    |
//! | `--grubenv`       | `/boot/grub/grubenv`         | GRUB's environment block                                                |
//! | `--spare-grubenv` | `/boot/efi/EFI/BOOT/grubenv` | the block that the boot loader writes when it can't write the first one |
//!
//! What is in the blocks is the business of crate `grubenv`.

use std::io;
use std::path::{Path, PathBuf};

use grubenv::{Blocks, Slot};

const CMDLINE: &str = "/proc/cmdline";
const GRUBENV: &str = "/boot/grub/grubenv";
const SPARE_GRUBENV: &str = "/boot/efi/EFI/BOOT/grubenv";

/// Where they are.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct BootFiles {
    /// The kernel's command line, which names the slot that runs
    #[arg(long, value_name = "FILE", default_value = CMDLINE)]
    pub cmdline: PathBuf,
    /// GRUB's environment block, which says which slot boots next, and whether it is on trial
    #[arg(long, value_name = "FILE", default_value = GRUBENV)]
    pub grubenv: PathBuf,
    /// The spare one, which the boot loader writes when it can't write the first
    #[arg(long, value_name = "FILE", default_value = SPARE_GRUBENV)]
    pub spare_grubenv: PathBuf,
}

impl Default for BootFiles {
    /// Those of the running system.
    fn default() -> Self {
        let [cmdline, grubenv, spare_grubenv] =
            [CMDLINE, GRUBENV, SPARE_GRUBENV].map(PathBuf::from);
        Self {
            cmdline,
            grubenv,
            spare_grubenv,
        }
    }
}

impl BootFiles {
    /// The same of the system below `root`, if there is one.
    pub fn below(&self, root: Option<&Path>) -> Self {
        let path = |path: &Path| os_config::root::path(root, path);
        Self {
            cmdline: path(&self.cmdline),
            grubenv: path(&self.grubenv),
            spare_grubenv: path(&self.spare_grubenv),
        }
    }

    /// The slot that runs; none: the command line names none.
    pub fn running(&self) -> io::Result<Option<Slot>> {
        // Of other words any byte is possible, and none of our business.
        let line = std::fs::read(&self.cmdline)?;
        Ok(Slot::started(&String::from_utf8_lossy(&line)))
    }

    /// What both blocks say.
    pub fn blocks(&self) -> Blocks {
        Blocks::read(&self.grubenv, &self.spare_grubenv)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use grubenv::{Block, BootState};

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        files: BootFiles,
    }

    #[test]
    fn flags_have_the_running_systems_files_as_defaults() {
        let files = Flags::parse_from(["x"]).files;
        assert_eq!(files, BootFiles::default());
        let names = ["--cmdline", "a", "--grubenv", "b", "--spare-grubenv", "c"];
        let files = Flags::parse_from(std::iter::once("x").chain(names)).files;
        assert_eq!(files.cmdline, Path::new("a"));
        assert_eq!(files.grubenv, Path::new("b"));
        assert_eq!(files.spare_grubenv, Path::new("c"));
    }

    #[test]
    fn what_the_files_of_a_folder_say() {
        let dir = tempfile::tempdir().unwrap();
        let files = BootFiles::default().below(Some(dir.path()));
        assert_eq!(files.cmdline, dir.path().join("proc/cmdline"));
        assert!(files.running().is_err());
        for folder in ["proc", "boot/grub", "boot/efi/EFI/BOOT"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        // A word that is no UTF-8 does not hide the slot.
        for (line, want) in [
            (b"quiet boot_alternative=B\n".as_slice(), Some(Slot::B)),
            (b"x=\xff boot_alternative=A\n", Some(Slot::A)),
            (b"quiet\n", None),
        ] {
            std::fs::write(&files.cmdline, line).unwrap();
            assert_eq!(files.running().unwrap(), want);
        }
        assert_eq!(files.blocks().said(), None);
        let mut block = Block::new();
        BootState::trial(Slot::B).store(&mut block).unwrap();
        let bytes = block.to_bytes().unwrap();
        std::fs::write(dir.path().join("boot/grub/grubenv"), bytes).unwrap();
        assert_eq!(files.blocks().said(), Some(BootState::trial(Slot::B)));
        std::fs::write(dir.path().join("boot/efi/EFI/BOOT/grubenv"), "junk").unwrap();
        assert!(files.blocks().spare.is_err());
    }
}
