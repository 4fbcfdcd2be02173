//! A changed block of the root is refused, and the machine starts again instead of running it: by the guest's kernel one of its data and of the tree
//! of hashes over them; by the initrd one that says that this is another tree, as the superblock does.

use std::str::FromStr;

use anyhow::{bail, ensure, Context, Result};
use base::bounded::{product, sum};
use vm::{Drive, Vm, VmError};

use crate::image::Window;
use crate::report::Report;
use crate::scenario::machine;
use crate::{Setting, BOOT};

/// What is changed, in which partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flip {
    partition: String,
    what: What,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// The first block of a file in the ext4 file system.
    File(String),
    /// The tree's second block, which the first one vouches for. (The initrd looks at the first.)
    Tree,
    /// The salt in the superblock, with which every hash is made.
    Superblock,
}

impl FromStr for Flip {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (partition, what) = text.split_once(':')?;
            let what = match what {
                "tree" => What::Tree,
                "superblock" => What::Superblock,
                path if path.starts_with('/') => What::File(path.to_owned()),
                _ => return None,
            };
            (!partition.is_empty()).then(|| Self {
                partition: partition.to_owned(),
                what,
            })
        };
        parse().ok_or_else(|| {
            format!("`{text}` is none of PARTITION:/PATH, PARTITION:tree, PARTITION:superblock")
        })
    }
}

/// Every system has it, and nothing runs without it.
pub(crate) const INIT: &str = "/usr/lib/systemd/systemd";

/// Size of a block of data and of hashes.
const BLOCK: u64 = 4096;
/// How a superblock begins: signature and version.
const SUPERBLOCK: &[u8] = b"verity\0\0\x01\0\0\0";
/// Where in it the salt is.
const SALT: u64 = 88;

/// A byte to change, and who refuses what then.
#[derive(Debug)]
struct Target {
    places: Vec<u64>,
    refused: Refused,
}

#[derive(Debug)]
enum Refused {
    /// By the kernel: blocks of a kind of which it may say that they are corrupted.
    Blocks {
        kind: &'static str,
        blocks: Vec<u64>,
    },
    /// By the initrd: it looks for another tree.
    Tree,
}

/// What the initrd says of a partition with another tree.
const OTHER_TREE: &str = "is not the root: the top of its hash tree has the hash ";

/// Boots once with each of `flips`, or else with the first program changed.
pub(crate) fn run(flips: &[Flip], setting: &Setting) -> Result<()> {
    let init = [Flip {
        partition: setting.os.root.to_owned(),
        what: What::File(INIT.to_owned()),
    }];
    let flips = if flips.is_empty() { &init } else { flips };
    let mut report = Report::new();
    for flip in flips {
        boot(flip, setting, &mut report)?;
        if flip.what == What::Superblock {
            boot_beside(flip, setting, &mut report)?;
        }
    }
    report.finish()
}

/// Boots with another disk of the same ids, as another installation of the system is one: its root is the right one, and found behind the wrong one.
fn boot_beside(flip: &Flip, setting: &Setting, report: &mut Report) -> Result<()> {
    let target = flip.target(&Window::open_partition(&setting.disk, &flip.partition)?)?;
    let flipped = |drive: Drive, place: &u64| drive.flip(*place);
    let drive = target
        .places
        .iter()
        .fold(Drive::image(&setting.disk), flipped);
    report.stage("the same, and a second disk has the same ids");
    let vm = machine(drive, setting)
        .drive(Drive::image(&setting.disk))
        .start()?;
    let roots = ["initrd: root is /dev/vdb", "initrd: root is /dev/vda"];
    let found = vm.console().expect_any(&roots, setting.within(BOOT));
    let outcome = found.map_err(Into::into).and_then(|(which, before)| {
        ensure!(which == 0, "it is the first disk's");
        ensure!(
            before.contains(OTHER_TREE),
            "nothing is said of the first disk's"
        );
        Ok(())
    });
    report.check("the root is the second disk's", outcome);
    Ok(())
}

fn boot(flip: &Flip, setting: &Setting, report: &mut Report) -> Result<()> {
    let target = flip.target(&Window::open_partition(&setting.disk, &flip.partition)?)?;
    let mut drive = Drive::image(&setting.disk);
    for place in &target.places {
        drive = drive.flip(*place);
    }
    report.stage(&format!(
        "{:?} of {} is changed: {:?}",
        flip.what, flip.partition, target.refused
    ));
    let vm = machine(drive, setting).start()?;
    report.check("the block is refused", refused(&vm, &target, setting));
    report.check("the machine starts again", starts_again(&vm, setting));
    let rest = vm.console().take_unread();
    let outcome = match rest.contains("login:") {
        true => Err("there is a login prompt"),
        false => Ok(()),
    };
    report.check("nobody could log in", outcome);
    Ok(())
}

impl Flip {
    fn target(&self, partition: &Window) -> Result<Target> {
        if let What::File(path) = &self.what {
            let found = partition.first_block_of(path)?;
            return Ok(Target {
                places: found.iter().map(|(_, place)| *place).collect(),
                refused: Refused::Blocks {
                    kind: "data",
                    blocks: found.iter().map(|(block, _)| *block).collect(),
                },
            });
        }
        let superblock = partition.last_block_with(SUPERBLOCK)?;
        let second = sum(superblock, 2);
        let (at, refused) = match self.what {
            What::Superblock => (sum(product(superblock, BLOCK), SALT), Refused::Tree),
            _ => {
                let (kind, blocks) = ("metadata", vec![second]);
                (product(second, BLOCK), Refused::Blocks { kind, blocks })
            }
        };
        Ok(Target {
            places: vec![partition.locate(at, 1)?],
            refused,
        })
    }
}

/// The kernel says that it found one of the blocks changed, or the initrd that this is another tree.
fn refused(vm: &Vm, target: &Target, setting: &Setting) -> Result<()> {
    let boot = setting.within(BOOT);
    let says = [" is corrupted", OTHER_TREE, "login:"];
    let (which, before) = vm.console().expect_any(&says, boot)?;
    ensure!(which < 2, "there is a login prompt");
    match &target.refused {
        Refused::Blocks { kind, blocks } => {
            ensure!(which == 0, "the initrd takes it for another tree");
            let (got, block) = corrupted(&before)?;
            ensure!(
                got == *kind && blocks.contains(&block),
                "it is {got} block {block}, want {kind} block {blocks:?}"
            );
        }
        Refused::Tree => ensure!(which == 1, "it is a block to the kernel, not another tree"),
    }
    Ok(())
}

/// The kind and number of the block that the kernel complains about at the end of `text`.
fn corrupted(text: &str) -> Result<(&str, u64)> {
    let line = text.lines().last().context("the console says nothing")?;
    let parse = || {
        let (_, rest) = line.split_once("device-mapper: verity: ")?;
        let (_, what) = rest.split_once(": ")?;
        let (kind, number) = what.split_once(" block ")?;
        Some((kind, number.parse().ok()?))
    };
    parse().with_context(|| format!("not a message of dm-verity: {line}"))
}

/// QEMU ends, for it was told not to start the machine a second time.
fn starts_again(vm: &Vm, setting: &Setting) -> Result<()> {
    match vm.wait_exit(setting.within(30)) {
        Ok(status) => {
            ensure!(status.success(), "QEMU ended with {status}");
            Ok(())
        }
        Err(VmError::StillRunning { tail, .. }) => {
            bail!("it goes on, or hangs; the console ends with:\n{tail}")
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flips_are_parsed() {
        for (text, what) in [
            ("A_root:/usr/x", What::File("/usr/x".to_owned())),
            ("A_root:tree", What::Tree),
            ("A_root:superblock", What::Superblock),
        ] {
            let flip: Flip = text.parse().unwrap();
            assert_eq!((flip.partition.as_str(), flip.what), ("A_root", what));
        }
        for text in ["", "A_root", "A_root:", ":/x", ":tree", "A_root:x"] {
            assert!(text.parse::<Flip>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_tree_is_found_behind_the_last_superblock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root");
        let mut bytes = vec![0; 6 * 4096];
        // What looks like one may be data.
        for block in [1, 3] {
            bytes[block * 4096..][..SUPERBLOCK.len()].copy_from_slice(SUPERBLOCK);
        }
        std::fs::write(&path, &bytes).unwrap();
        let partition = Window::open(&path).unwrap();
        for (what, place, refused) in [
            (
                What::Tree,
                5 * 4096,
                "Blocks { kind: \"metadata\", blocks: [5] }",
            ),
            (What::Superblock, 3 * 4096 + 88, "Tree"),
        ] {
            let partition_name = "A_root".to_owned();
            let flip = Flip {
                partition: partition_name,
                what,
            };
            let target = flip.target(&partition).unwrap();
            assert_eq!(target.places, [place]);
            assert_eq!(format!("{:?}", target.refused), refused);
        }
        std::fs::write(&path, vec![0; 8192]).unwrap();
        let none = Window::open(&path).unwrap().last_block_with(SUPERBLOCK);
        assert!(none.unwrap_err().to_string().contains("no block"));
    }

    #[test]
    fn the_kernels_words_are_understood() {
        for (text, want) in [
            (
                "[    2.9] x\r\n[    3.1] device-mapper: verity: 253:1: data block 30412",
                ("data", 30412),
            ),
            (
                "[    3.1] device-mapper: verity: 253:1: metadata block 5",
                ("metadata", 5),
            ),
        ] {
            assert_eq!(corrupted(text).unwrap(), want);
        }
        for text in ["", "[    3.1] device-mapper: verity: 253:1: x", "file /x"] {
            assert!(corrupted(text).is_err(), "{text}");
        }
    }
}
