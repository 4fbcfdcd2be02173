//! A changed block of the root is refused by the guest's kernel, and the machine starts again instead of running it.

use std::str::FromStr;

use anyhow::{bail, ensure, Context, Result};
use vm::{Drive, Vm, VmError};

use crate::image::Window;
use crate::report::Report;
use crate::scenario::machine;
use crate::{Setting, BOOT};

/// Whose first block is changed: a file in a partition's ext4 file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flip {
    partition: String,
    path: String,
}

impl FromStr for Flip {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((partition, path)) if !partition.is_empty() && path.starts_with('/') => Ok(Self {
                partition: partition.to_owned(),
                path: path.to_owned(),
            }),
            _ => Err(format!("`{text}` is not PARTITION:/PATH")),
        }
    }
}

/// Every system has it, and nothing runs without it.
const INIT: &str = "/usr/lib/systemd/systemd";

/// Boots with a block changed: of `flip`, or else of the first program.
pub(crate) fn run(flip: Option<&Flip>, setting: &Setting) -> Result<()> {
    let init = Flip {
        partition: setting.os.root.to_owned(),
        path: INIT.to_owned(),
    };
    let flip = flip.unwrap_or(&init);
    let mut report = Report::new();
    let partition = Window::open_partition(&setting.disk, &flip.partition)?;
    let found = partition.first_block_of(&flip.path)?;
    let blocks: Vec<u64> = found.iter().map(|(block, _)| *block).collect();
    report.stage(&format!(
        "{} starts in block {blocks:?} of {}",
        flip.path, flip.partition
    ));
    let mut drive = Drive::image(&setting.disk);
    for (_, place) in found {
        drive = drive.flip(place);
    }
    let vm = machine(drive, setting).start()?;
    report.check(
        "the kernel refuses the block",
        refused(&vm, &blocks, setting),
    );
    report.check("the machine starts again", starts_again(&vm, setting));
    let rest = vm.console().take_unread();
    let outcome = match rest.contains("login:") {
        true => Err("there is a login prompt"),
        false => Ok(()),
    };
    report.check("nobody could log in", outcome);
    report.finish()
}

/// The kernel says that it found one of `blocks` changed.
fn refused(vm: &Vm, blocks: &[u64], setting: &Setting) -> Result<()> {
    let boot = setting.within(BOOT);
    let (which, before) = vm
        .console()
        .expect_any(&[" is corrupted", "login:"], boot)?;
    ensure!(which == 0, "there is a login prompt");
    let block = corrupted(&before)?;
    ensure!(
        blocks.contains(&block),
        "it is block {block}, want one of {blocks:?}"
    );
    Ok(())
}

/// The block that the kernel complains about at the end of `text`.
fn corrupted(text: &str) -> Result<u64> {
    let line = text.lines().last().context("the console says nothing")?;
    let parse = || {
        let (_, rest) = line.split_once("device-mapper: verity: ")?;
        rest.rsplit_once(": data block ")?.1.parse().ok()
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
        let flip: Flip = "A_root:/usr/lib/systemd/systemd".parse().unwrap();
        assert_eq!(flip.partition, "A_root");
        assert_eq!(flip.path, "/usr/lib/systemd/systemd");
        for text in ["", "A_root", "A_root:", ":/x", "A_root:x"] {
            assert!(text.parse::<Flip>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_kernels_words_are_understood() {
        let text = "[    2.9] x\r\n[    3.1] device-mapper: verity: 253:1: data block 30412";
        assert_eq!(corrupted(text).unwrap(), 30412);
        for text in [
            "",
            "[    3.1] device-mapper: verity: 253:1: metadata block 5",
            "file /x",
        ] {
            assert!(corrupted(text).is_err(), "{text}");
        }
    }
}
