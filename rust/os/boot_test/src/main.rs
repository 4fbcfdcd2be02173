//! Boots an image in QEMU and looks at it from inside and outside.
//!
//! | scenario | image | what it proves |
//! |---|---|---|
//! | `dev` | development | root/root logs in on the console and over ssh; everything in [`checks`] and in [`os`] |
//! | `prod` | production | no login on the console, no password; the key on a CONFIG medium logs in, if the system takes one; the same checks; a TPM holds what was predicted |
//! | `refusals` | production | Secure Boot: what is changed or signed by another key is refused, and no prompt follows |
//! | `verity` | any | a changed block of the root, data or hashes, is refused and the machine starts again |
//! | `upgrade` | development | an upgrade is installed, booted, confirmed and stays; whatever moment of it the power goes, a whole slot starts |
//! | `fallback` | development | an upgrade that does not come up is left for the old system, which is as it was |
//! | `cuts` | development | the power cuts of an `upgrade` whose log was kept |
//! | `install` | SetupOS for development | it installs, also after a power cut; HostOS then starts GuestOS, whose replica answers |
//! | `prod-install` | SetupOS for production | with Secure Boot: it installs unattended, and the firmware then starts HostOS, whose GuestOS answers |
//! | `exact` | development | the QEMU command of a document, as it stands there, boots it and leaves it as it was |
//!
//! They are the same for every system; what is looked at differs, and is in [`os`] by the system's name.
//!
//! A failed check does not stop the ones after it; all are told at the end. The console's log stays in the test's outputs.

mod bundle;
mod chain;
mod checks;
mod cuts;
mod documented;
mod esp;
mod feed;
mod forge;
mod hardening;
mod http;
mod image;
mod install;
mod kept;
mod lists;
mod measured;
mod mounts;
mod node;
mod os;
mod photo;
mod prod_install;
mod refusals;
mod report;
mod room;
mod scenario;
mod sealed;
mod secure_boot;
mod shown;
mod ssh;
mod state;
mod stick;
mod untouched;
mod upgrade;
mod verity;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use vm::{Accel, AccelChoice, Deadline};

use crate::os::Os;

/// How long a guest may take from power-on to a login prompt or ssh, on a machine with KVM.
const BOOT: u64 = 60;

/// Boots an image in QEMU and checks what it promises.
#[derive(Debug, clap::Parser)]
struct Args {
    /// The system: guestos, hostos, setupos, or a file that describes another one.
    #[arg(long, value_name = "NAME|NAME.json")]
    os: os::Name,
    /// What to do: dev, prod, verity, refusals, upgrade, fallback, cuts, install, prod-install or exact.
    #[arg(long)]
    scenario: scenario::Name,
    /// Disk image to boot, raw or (except for exact) a plan list, NAME.image; never written to.
    #[arg(long)]
    disk: PathBuf,
    /// For exact: the Markdown file that has the command.
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// For verity: change the first block of this file, or of the tree, or the superblock; default: systemd's. Each is a start of its own.
    #[arg(
        long,
        value_name = "PARTITION:/PATH|PARTITION:tree|PARTITION:superblock"
    )]
    flip: Vec<verity::Flip>,
    /// For dev: another image, which the guest mounts and compares; may be repeated.
    #[arg(long, value_name = "FILE[:ext4|fat16|fat32[:rw]]")]
    extra_drive: Vec<mounts::Extra>,
    /// For upgrade, fallback, cuts: the update bundle, a tar archive or a plan list of one. For install: one of HostOS, which is upgraded then.
    #[arg(long, value_name = "UPDATE.TAR")]
    update: Option<PathBuf>,
    /// For fallback: what is new in that bundle (docs/formats/update.md), installed in its place. Default: the bundle.
    /// For install: one of GuestOS, which HostOS offers it then.
    #[arg(long, value_name = "FILE")]
    delta: Option<PathBuf>,
    /// For fallback: the private key (PEM) that signs bundles which this system takes. With it bundles are forged.
    #[arg(long, value_name = "FILE")]
    update_key: Option<PathBuf>,
    /// So many of the disks that a power cut would have left are started. For upgrade, cuts: 24 if not said otherwise; for install: none.
    #[arg(long, value_name = "N|all")]
    cuts: Option<cuts::Count>,
    /// For upgrade: keep the log of what was written to the disk in this new file; for cuts: the log.
    #[arg(long, value_name = "FILE")]
    writes: Option<PathBuf>,
    /// A firmware with Secure Boot: whom its variables name as the owner of its certificates, a GUID, and these (PEM): PK, KEK, and that of
    /// the signer, db.
    #[arg(long, num_args = 4, value_names = ["OWNER", "PK", "KEK", "DB"])]
    secure_boot: Vec<String>,
    /// With --secure-boot: what its dbx holds, EFI signature lists; default: the digest of nothing.
    #[arg(long, value_name = "FILE", requires = "secure_boot")]
    dbx: Option<PathBuf>,
    /// With --secure-boot: another signer that db has (PEM). For fallback: the one of the bundle's boot loader.
    #[arg(long, value_name = "FILE", requires = "secure_boot")]
    next_signer: Option<PathBuf>,
    /// For prod, with --secure-boot: what a TPM is to hold after the start (docs/formats/measured.md); the machine has one then.
    #[arg(long, value_name = "FILE", requires = "secure_boot")]
    measured: Option<PathBuf>,
    /// For prod: the CONFIG medium has a key of the data, so that the partition is encrypted; for upgrade, too, with tpm2 alone.
    #[arg(long, value_enum)]
    data_encryption: Option<sealed::Encryption>,
    /// For refusals: what was signed of each program (NAME.to_sign.json), which is revoked then.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    to_sign: Vec<PathBuf>,
    /// File with the units that are enabled, one a line: all of them must run, or have run.
    #[arg(long)]
    units: Option<PathBuf>,
    /// README whose lists the running system is compared with; may be repeated.
    #[arg(long, value_name = "FILE")]
    readme: Vec<PathBuf>,
    /// File with the version that the image should have.
    #[arg(long)]
    version_file: PathBuf,
    /// What runs the guest's code: kvm, tcg or auto.
    #[arg(long, default_value_t)]
    accel: AccelChoice,
    /// Folder for the console's log; Bazel's folder for test outputs by default.
    #[arg(long)]
    outputs: Option<PathBuf>,
}

/// What every scenario needs to know.
#[derive(Debug)]
struct Setting {
    os: &'static Os,
    /// What the image was built for, where the scenario says so.
    env: Option<&'static str>,
    firmware: PathBuf,
    secure_boot: Option<secure_boot::Firmware>,
    /// Another signer, whom the firmware knows, too.
    next_signer: Option<PathBuf>,
    /// What its TPM is to hold.
    measured: Option<::measured::Started>,
    /// The CONFIG medium has a key of the data, and says who keeps it.
    data_encryption: Option<sealed::Encryption>,
    to_sign: Vec<PathBuf>,
    accel: Accel,
    disk: PathBuf,
    document: Option<PathBuf>,
    flips: Vec<verity::Flip>,
    extras: Vec<mounts::Extra>,
    update: Option<PathBuf>,
    delta: Option<PathBuf>,
    update_key: Option<PathBuf>,
    cuts: Option<cuts::Count>,
    writes: Option<PathBuf>,
    units: Vec<String>,
    /// What its READMEs list, if they were given.
    lists: Option<lists::Lists>,
    version: String,
    log: PathBuf,
    /// For keys, media and copies; gone at the end.
    scratch: tempfile::TempDir,
}

impl Setting {
    /// `seconds` on a machine with KVM, more without.
    fn within(&self, seconds: u64) -> Deadline {
        Deadline::scaled(Duration::from_secs(seconds), self.accel)
    }
}

fn main() -> ExitCode {
    cli::run("boot_test", run)
}

fn run(args: Args) -> Result<()> {
    let firmware = vm::firmware::find()?;
    let choice = args.accel.resolve(&firmware)?;
    report::note(&format!("accelerator: {}", choice.accel));
    if let Some(note) = &choice.note {
        report::note(note);
    }
    let units = args.units.as_deref().map_or(Ok(String::new()), read)?;
    let version = read(&args.version_file)?;
    let version = version.lines().next();
    let version = version.with_context(|| format!("{} is empty", args.version_file.display()))?;
    // Keys are made in it.
    let scratch = vm::private_folder("boot-test-")?;
    let outputs = args.outputs.or_else(vm::test_outputs);
    let folder = outputs.unwrap_or_else(|| scratch.path().to_path_buf());
    // Links stay: a list is known by its name.
    let disk = std::path::absolute(&args.disk)
        .with_context(|| format!("cannot open {}", args.disk.display()))?;
    let setting = Setting {
        os: args.os.0,
        env: args.scenario.env(),
        firmware,
        secure_boot: enrolled(
            args.secure_boot,
            args.next_signer.as_ref(),
            args.dbx,
            &scratch.path().join("vars.fd"),
        )?,
        next_signer: args.next_signer,
        measured: args.measured.as_deref().map(measured::read).transpose()?,
        data_encryption: args.data_encryption,
        to_sign: args.to_sign,
        accel: choice.accel,
        disk,
        document: args.document,
        flips: args.flip,
        extras: args.extra_drive,
        update: args.update,
        delta: args.delta,
        update_key: args.update_key,
        cuts: args.cuts,
        writes: args.writes,
        units: units.lines().map(str::to_owned).collect(),
        lists: promised(&args.readme, args.scenario.env())?,
        version: version.to_owned(),
        log: folder.join("console.log"),
        scratch,
    };
    scenario::run(args.scenario, &setting)
}

/// Firmware with these: an owner and three certificates, and another one beside the last of them. None without them.
fn enrolled(
    given: Vec<String>,
    other: Option<&PathBuf>,
    dbx: Option<PathBuf>,
    vars: &Path,
) -> Result<Option<secure_boot::Firmware>> {
    let Ok([owner, platform, exchange, signer]) = <[String; 4]>::try_from(given) else {
        return Ok(None);
    };
    let keys = vm::Keys {
        platform: platform.into(),
        exchange: exchange.into(),
        signer: signer.into(),
        others: other.into_iter().cloned().collect(),
        dbx,
        revoked: Vec::new(),
        owner,
    };
    secure_boot::Firmware::new(keys, vars.to_path_buf()).map(Some)
}

/// The lists of these documents for an env.
fn promised(readmes: &[PathBuf], env: Option<&str>) -> Result<Option<lists::Lists>> {
    if readmes.is_empty() {
        return Ok(None);
    }
    let mut lists = lists::Lists::default();
    for path in readmes {
        let added = lists.add(&read(path)?, env.unwrap_or_default());
        added.map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    }
    Ok(Some(lists))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
