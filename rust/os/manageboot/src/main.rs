//! `manageboot`: installs upgrades into the slot that is not running, and decides which slot boots next.
//!
//! # Why a power cut never leaves the machine without a system
//!
//! The machine has two slots, A and B, each a boot and a root partition. GRUB picks one by two variables in its
//! environment block, `grubenv` (the table is in the `grubenv` crate). At every instant the slot that GRUB would pick
//! is complete, because of five rules:
//!
//! 1. **The running slot is never written.** Which one that is has to be proved: its root partition is what the kernel's command
//!    line names as root, or as data or hash tree of a dm-verity root, or what lies beneath `/` in `/sys`. The target is the other
//!    slot, on the same disk; a partition in use can't be opened. Nothing proved, nothing written.
//! 2. **Before the first byte goes to the target, grubenv says "running slot, stable"** and is on the disk. This also takes
//!    back an upgrade that was committed but not booted. While the running slot itself is a try that nobody confirmed,
//!    the other slot is what GRUB falls back to: then `upgrade-install` and `upgrade-commit` refuse.
//! 3. **A slot that is not complete shows it.** The sector of its boot partition with the magic number of the file system
//!    is zeroed before anything else is written and comes back last, after both images are on the disk and were read back and
//!    compared. `upgrade-commit` refuses a slot without it, and so does GRUB.
//! 4. **grubenv changes in one step.** Its 1024 bytes are written in place by one write and flushed. Only the first of its
//!    two sectors changes, and a disk writes a sector whole or not at all. The file is never truncated, renamed or moved: GRUB
//!    rewrites it by block list. A block that can't be read means slot A, stable, to GRUB; one is only ever written
//!    while both slots are complete or while it does not say anything new.
//! 5. **A committed slot gets one try.** GRUB writes `failsafe_check` before it starts the slot; unless `confirm` ran, the next
//!    boot goes back to the old one, which rule 1 kept.
//!
//! Tests cut the power after every write, with any part of what was not flushed lost, and look at which slot boots.

mod bundle;
mod envfile;
mod machine;
mod medium;
mod running;
mod upgrade;

#[cfg(test)]
mod bad_disk;
#[cfg(test)]
mod power_cut;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde_json::{json, Value};

use crate::envfile::EnvFile;
use crate::machine::Machine;

/// Installs upgrades into the slot that is not running, and decides which slot boots next.
///
/// An upgrade: upgrade-install, upgrade-commit, reboot, and confirm once the new system works. Without confirm the
/// boot after that goes back to the old system.
///
/// Exit status: 0 done, 1 refused, 2 reading or writing failed.
#[derive(Parser)]
#[command(name = "manageboot")]
struct Args {
    /// GRUB's environment block.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "/boot/grub/grubenv"
    )]
    grubenv: PathBuf,
    /// The partition table of this disk, with A_boot, A_root, B_boot and B_root.
    #[arg(
        long,
        global = true,
        value_name = "CSV",
        default_value = "/opt/ic/share/partitions.csv"
    )]
    partitions: PathBuf,
    /// Folder with the partitions as devices (or files) named by PARTUUID.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/dev/disk/by-partuuid"
    )]
    device_dir: PathBuf,
    /// The kernel's command line.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "/proc/cmdline"
    )]
    cmdline: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write an update.tar (boot.img, root.img, VERSION.TXT) to the other slot and check it.
    UpgradeInstall {
        /// The bundle.
        #[arg(value_name = "UPDATE.TAR")]
        bundle: PathBuf,
        /// Refuse the bundle unless this is its SHA-256.
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
    },
    /// Boot the other slot next; it gets one try.
    UpgradeCommit,
    /// The running system works: keep booting it.
    Confirm,
    /// The slot that is running.
    Current,
    /// The slot that upgrade-install writes.
    Target,
    /// The slot that the next boot starts.
    Next,
}

/// What a verb has to say.
struct Answer {
    text: String,
    json: Value,
}

fn main() -> ExitCode {
    cli::run("manageboot", |args: Args| {
        let answer = answer(&args)?;
        let text = if args.json {
            answer.json.to_string()
        } else {
            answer.text
        };
        writeln!(std::io::stdout(), "{text}").context("cannot write to standard output")
    })
}

fn answer(args: &Args) -> anyhow::Result<Answer> {
    let machine = Machine::new(&args.cmdline, &args.partitions, &args.device_dir)?;
    let slot = |slot: grubenv::Slot| Answer {
        text: slot.to_string(),
        json: json!({"slot": slot.as_str()}),
    };
    match &args.verb {
        Verb::Current => Ok(slot(machine.current(|| EnvFile::read(&args.grubenv))?)),
        Verb::Target => Ok(slot(
            machine.current(|| EnvFile::read(&args.grubenv))?.other(),
        )),
        Verb::Next => {
            let state = EnvFile::read(&args.grubenv)?.state();
            // As if the other slot were complete, and the boot loader had the usual limit.
            let after = state.after_start(grubenv::Limit::DEFAULT, true);
            Ok(Answer {
                text: after.alternative.to_string(),
                json: json!({"boot_cycle": after.cycle.as_str(), "slot": after.alternative.as_str()}),
            })
        }
        Verb::Confirm => confirm(args, &machine),
        Verb::UpgradeCommit => commit(args, &machine),
        Verb::UpgradeInstall { bundle, sha256 } => {
            install(args, &machine, bundle, sha256.as_deref())
        }
    }
}

fn confirm(args: &Args, machine: &Machine) -> anyhow::Result<Answer> {
    let mut env = EnvFile::open(&args.grubenv)?;
    let current = machine.current(|| Ok(env.content()))?;
    let changed = upgrade::confirm(&mut env, current)?;
    let already = if changed { "" } else { " already" };
    Ok(Answer {
        text: format!("slot {current} is confirmed{already}"),
        json: json!({"changed": changed, "slot": current.as_str()}),
    })
}

fn commit(args: &Args, machine: &Machine) -> anyhow::Result<Answer> {
    let mut env = EnvFile::open(&args.grubenv)?;
    let current = machine.current(|| Ok(env.content()))?;
    let mut slot = machine.open_slot(current.other(), false)?;
    upgrade::commit(&mut env, &mut slot, current)?;
    let target = current.other();
    Ok(Answer {
        text: format!("slot {target} boots next; confirm it there"),
        json: json!({"boot_cycle": "first_boot", "slot": target.as_str()}),
    })
}

fn install(
    args: &Args,
    machine: &Machine,
    path: &std::path::Path,
    sha256: Option<&str>,
) -> anyhow::Result<Answer> {
    let mut bundle = bundle::Bundle::open(path, sha256)?;
    let mut env = EnvFile::open(&args.grubenv)?;
    let current = machine.current(|| Ok(env.content()))?;
    let mut slot = machine.open_slot(current.other(), true)?;
    let installed = upgrade::install(&mut env, &mut slot, current, &mut bundle)?;
    let target = current.other();
    let image = |image: &upgrade::Written| json!({"sha256": image.sha256, "size": image.size});
    Ok(Answer {
        text: format!(
            "slot {target} holds version {}; upgrade-commit boots it",
            bundle.version
        ),
        json: json!({
            "boot": image(&installed.boot),
            "root": image(&installed.root),
            "slot": target.as_str(),
            "version": bundle.version,
        }),
    })
}
