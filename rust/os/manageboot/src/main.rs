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
//! 2. **Before the first byte goes to the target, grubenv says "running slot, confirmed", and that the target is not to be fallen back to**
//!    ([`grubenv::Bar`]), and is on the disk. This also takes back an upgrade that was committed but not booted. Only a commit, or a way back, lets the
//!    target boot: a system that nobody decided for is never started because another one did not come up. While the running slot itself is a try that nobody confirmed,
//!    the other slot is what GRUB falls back to: then `upgrade-install` and `upgrade-commit` refuse.
//! 3. **A slot that is not complete shows it.** The sector of its boot partition with the magic number of the file system
//!    is zeroed before anything else is written and comes back last, after both images are on the disk and were read back and
//!    compared, and the bundle's boot loader waits on the EFI system partition. `upgrade-commit` refuses a slot without it, and so does GRUB.
//! 4. **grubenv changes in one step.** Its 1024 bytes are written in place by one write and flushed. Only the first of its
//!    two sectors changes, and a disk writes a sector whole or not at all. The file is never truncated, renamed or moved: GRUB
//!    rewrites it by block list. A block that can't be read means slot A, stable, to GRUB; one is only ever written
//!    while both slots are complete or while it does not say anything new.
//!    When GRUB can't write it, it writes a spare one on the EFI system partition, which is in force as long as grubenv has the values that it
//!    had then ([`grubenv::BootState::in_force`]). Both are read here, and only grubenv is written: by the same one write it gets values
//!    that the spare one does not name ([`grubenv::BootState::decide`]), so that what is decided is in force.
//! 5. **A committed slot gets a few tries** ([`grubenv::Limit`]). GRUB counts them before it starts the slot; unless `confirm` ran,
//!    it then goes back to the old one, which rule 1 kept. It counts the starts of confirmed slots as well, and leaves one that is never
//!    confirmed again for the other slot, if that is complete.
//!
//! # What is written
//!
//! A bundle is read once, front to back, and each chunk is checked by the digest in its signed manifest before it is written: what is
//! checked and what is written are the same bytes. A file that can be read twice is read whole before, so that nothing is written if
//! anything is wrong with it; of what comes once (a URL, standard input) a bad chunk shows when it comes, and leaves an incomplete slot.
//!
//! What is written is flushed and read back, past the page cache where that goes ([`medium`]), all of it once all is there ([`pipe`]).
//!
//! Tests cut the power after every write, with any part of what was not flushed lost, and look at which slot boots.

mod buffers;
mod counters;
mod envfile;
mod firmware;
mod folder;
mod http;
mod loader;
mod machine;
mod mark;
mod names;
mod pipe;
mod progress;
mod root;
mod running;
mod signer;
mod source;
mod status;
mod upgrade;
mod verbs;

#[cfg(test)]
mod bad_disk;
#[cfg(test)]
mod loader_cut;
#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod testing;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

/// Installs upgrades into the slot that is not running, and decides which slot boots next.
///
/// An upgrade: upgrade-install, upgrade-commit, reboot, and confirm once the new system works. Without confirm the
/// machine goes back to the old system after a few starts.
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
    /// What this system is: os, env, version, and how often its boot loader tries a slot.
    #[arg(long, global = true, value_name = "JSON", default_value = status::IDENTITY)]
    identity: PathBuf,
    /// Where the EFI system partition is mounted: EFI/BOOT/grubenv there is the spare block; it is made writable for as long as a boot loader is written.
    #[arg(long, global = true, value_name = "DIR", default_value = "/boot/efi")]
    esp: PathBuf,
    /// The firmware's variables: whom it lets start anything.
    #[arg(long, global = true, value_name = "DIR", default_value = efivars::FOLDER)]
    efivars: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write a bundle (update.tar, update.tar.zst, whole or a difference) to the other slot and check it.
    UpgradeInstall(Install),
    /// Boot the other slot next, on trial.
    UpgradeCommit,
    /// Take back a commit before the restart: boot the running slot next. The other one stays complete, and is not booted unless committed again.
    UpgradeCancel,
    /// The running system works: keep booting it.
    Confirm,
    /// Go back to the other slot at the next start: from a trial for good, else on trial.
    Rollback {
        /// Also if the other system is too old for data that this one has written, or can't be asked.
        #[arg(long)]
        force: bool,
    },
    /// What the slots hold, which one boots next, and how often it will be tried.
    Status,
    /// The slot that is running.
    Current,
    /// The slot that upgrade-install writes.
    Target,
    /// The slot that the next boot starts.
    Next,
}

/// What to install, and on what conditions.
#[derive(clap::Args)]
struct Install {
    /// The bundle: a file, a URL (http, https), or - for standard input.
    #[arg(value_name = "FILE|URL|-")]
    bundle: String,
    /// Refuse the bundle unless this is its SHA-256.
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// Take a bundle that too few of the trusted keys signed. Only systems for development allow it.
    #[arg(long)]
    allow_unsigned: bool,
    /// Take a bundle of which there is no telling whether it is older than what runs: its version, or that of what runs, follows from
    /// the inputs of an image. One that is older is never taken.
    #[arg(long)]
    any_version: bool,
    /// Take a bundle whose boot loader does not start the system that runs, because it does not know who signed that, or of which there is no
    /// telling. Once it is committed there is no way back.
    #[arg(long)]
    without_fallback: bool,
    /// Take a bundle whose boot loader is signed by nobody whom this machine's firmware knows, or of which there is no telling. Unless the firmware's db has
    /// the certificate by then, the machine does not start after the commit.
    #[arg(long)]
    unknown_signer: bool,
    /// The keys that may sign.
    #[arg(
        long,
        value_name = "JSON",
        default_value = "/opt/ic/share/update-keys.json"
    )]
    update_keys: PathBuf,
    /// Certificates (PEM) of who may vouch for https servers.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    ca_certs: PathBuf,
    /// Seconds that a server may say nothing.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Tries in a row at a server that bring nothing.
    #[arg(long, value_name = "N", default_value_t = 10)]
    tries: u64,
    /// Say on stderr how much is written and read back, in lines such as `40 %`, also where that is no terminal.
    #[arg(long)]
    progress: bool,
    /// Where it is counted what was installed and refused.
    #[arg(long, value_name = "JSON", default_value = "/run/ic/manageboot.json")]
    counters: PathBuf,
}

fn main() -> ExitCode {
    cli::run("manageboot", |args: Args| {
        let answer = verbs::answer(&args)?;
        let text = if args.json {
            answer.json.to_string()
        } else {
            answer.text
        };
        writeln!(std::io::stdout(), "{text}").context("cannot write to standard output")
    })
}
