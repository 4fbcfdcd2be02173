//! What each verb does, in terms of the other modules, and what it has to say.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{anyhow, ensure, Context};
use base::Sha256Digest;
use grubenv::{Limit, Slot};
use serde_json::{json, Value};
use update::{older_formats, Bundle, Identity, Member, Policy, TrustedKeys};

use crate::envfile::{Content, EnvFile};
use crate::http::Manners;
use crate::machine::Machine;
use crate::medium::Partition;
use crate::progress::Progress;
use crate::source::{Hashed, Source};
use crate::status::{self, SlotStatus, Status};
use crate::upgrade::SlotMedia;
use crate::{counters, loader, upgrade, Args, Install, Verb};

/// What a verb has to say.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) json: Value,
}

/// Does it.
pub(crate) fn answer(args: &Args) -> anyhow::Result<Answer> {
    let machine = Machine::new(&args.cmdline, &args.partitions, &args.device_dir)?;
    let slot = |slot: Slot| Answer {
        text: slot.to_string(),
        json: json!({"slot": slot.as_str()}),
    };
    match &args.verb {
        Verb::Current => Ok(slot(machine.current(|| read_env(args))?)),
        Verb::Target => Ok(slot(machine.current(|| read_env(args))?.other())),
        Verb::Confirm => confirm(args, &machine),
        Verb::UpgradeCommit => commit(args, &machine),
        Verb::Rollback { force } => rollback(args, &machine, *force),
        Verb::Next => {
            let next = status(args, &machine)?.next();
            Ok(Answer {
                text: next.alternative.to_string(),
                json: json!({"boot_cycle": next.cycle.as_str(), "slot": next.alternative.as_str()}),
            })
        }
        Verb::Status => {
            let status = status(args, &machine)?;
            Ok(Answer {
                text: status.text(),
                json: status.json(),
            })
        }
        Verb::UpgradeInstall(options) => {
            let done = install(args, &machine, options);
            let counted = counters::note(&options.counters, done.as_ref().err());
            if let Err(error) = counted {
                // A machine that can't count can be upgraded all the same.
                eprintln!("manageboot: warning: {error:#}");
            }
            // What a decompressor says of bad bytes is no failed reading.
            done.map_err(|error| match counters::is_refusal(&error) {
                true => anyhow!(cli::chain(error.as_ref())),
                false => error,
            })
        }
    }
}

fn read_env(args: &Args) -> anyhow::Result<Content> {
    EnvFile::read(&args.grubenv, &args.esp.join(loader::SPARE_ENV))
}

fn open_env(args: &Args) -> anyhow::Result<EnvFile<File>> {
    EnvFile::open(&args.grubenv, &args.esp.join(loader::SPARE_ENV))
}

fn status(args: &Args, machine: &Machine) -> anyhow::Result<Status> {
    let tries = identity(&args.identity)?.boot_limit;
    let limit = Limit::new(tries).with_context(|| format!("boot_limit: got {tries}"))?;
    let content = read_env(args)?;
    let state = content.state();
    Ok(Status {
        running: machine.current(|| Ok(content))?,
        state,
        limit,
        slots: [Slot::A, Slot::B].map(|slot| (slot, SlotStatus::of(machine.read_slot(slot)))),
    })
}

fn confirm(args: &Args, machine: &Machine) -> anyhow::Result<Answer> {
    let mut env = open_env(args)?;
    let current = machine.current(|| Ok(env.content()))?;
    let changed = upgrade::confirm(&mut env, current)?;
    let already = if changed { "" } else { " already" };
    Ok(Answer {
        text: format!("slot {current} is confirmed{already}"),
        json: json!({"changed": changed, "slot": current.as_str()}),
    })
}

fn commit(args: &Args, machine: &Machine) -> anyhow::Result<Answer> {
    let mut env = open_env(args)?;
    let current = machine.current(|| Ok(env.content()))?;
    let mut slot = machine.open_slot(current.other(), false)?;
    upgrade::commit(&mut env, &mut slot, current)?;
    let target = current.other();
    let loader = loader::after_commit(&args.esp).with_context(|| {
        format!("slot {target} boots next, but the boot loader is the one of before")
    })?;
    let with = if loader { ", by a new boot loader" } else { "" };
    Ok(Answer {
        text: format!("slot {target} boots next{with}; confirm it there"),
        json: json!({"boot_cycle": "first_boot", "loader": loader, "slot": target.as_str()}),
    })
}

fn rollback(args: &Args, machine: &Machine, force: bool) -> anyhow::Result<Answer> {
    let mut env = open_env(args)?;
    let current = machine.current(|| Ok(env.content()))?;
    let target = current.other();
    let mut slot = machine.open_slot(target, false)?;
    if !force {
        let root = slot
            .root
            .try_clone()
            .context("cannot read the other slot")?;
        check_formats(&args.identity, root)
            .with_context(|| format!("slot {target} is not gone back to (--force does it)"))?;
    }
    let state = upgrade::rollback(&mut env, &mut slot, current)?;
    let trial = if state.is_trial() {
        "; confirm it there"
    } else {
        ""
    };
    Ok(Answer {
        text: format!("slot {target} boots next{trial}"),
        json: json!({"boot_cycle": state.cycle.as_str(), "slot": target.as_str()}),
    })
}

/// Refuses a system that is too old for the data which the running one has written.
fn check_formats(running: &Path, other: File) -> anyhow::Result<()> {
    let running = identity(running)?;
    let other = status::identity(other)?;
    match older_formats(&running.data_formats, &other.data_formats).first() {
        None => Ok(()),
        Some(change) => Err(anyhow!("{change}")),
    }
}

fn identity(path: &Path) -> anyhow::Result<Identity> {
    let text = read(path)?;
    Identity::parse(&text).with_context(|| path.display().to_string())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether a bundle expired depends on what time it is"
)]
fn now() -> anyhow::Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.context("the clock is before 1970: set it")?;
    i64::try_from(since.as_secs()).context("the clock is far off: set it")
}

fn install(args: &Args, machine: &Machine, options: &Install) -> anyhow::Result<Answer> {
    let node = identity(&args.identity)?;
    let keys = TrustedKeys::parse(&read(&options.update_keys)?)
        .with_context(|| options.update_keys.display().to_string())?;
    let policy = Policy {
        node: &node,
        keys: &keys,
        now: now()?,
        allow_unsigned: options.allow_unsigned,
        any_version: options.any_version,
    };
    let sha256 = options
        .sha256
        .as_ref()
        .map(|hex| hex.to_ascii_lowercase().parse());
    let sha256: Option<Sha256Digest> = sha256.transpose().context("--sha256")?;
    let mut env = open_env(args)?;
    let current = machine.current(|| Ok(env.content()))?;
    let target = current.other();
    let slot = machine.open_slot(target, true)?;
    let slot = SlotMedia {
        boot: Partition::new(slot.boot),
        root: Partition::new(slot.root),
    };
    let base = machine.read_slot(current)?;

    let place = &options.bundle;
    let mut source = Source::open(place, &manners(options)?)?;
    let len = source.len();
    // What can be read twice is checked whole first: then nothing is written if anything is wrong with it.
    let looked = source.first(|file| {
        let reader = Hashed::new(file, sha256);
        let seen = reader.seen();
        update::verify(reader, len, &policy)?;
        seen.check()
    });
    looked.with_context(|| place.clone())?;
    let reader = Hashed::new(source.reader(), sha256);
    let seen = reader.seen();
    let mut bundle = Bundle::open(reader, len, &policy).with_context(|| place.clone())?;
    let mut progress = Progress::of(bundle.manifest());
    let installed = upgrade::install(
        &mut env,
        &slot,
        current,
        &mut bundle,
        &base,
        || seen.check(),
        &mut |bytes| progress.add(bytes),
    );
    progress.end();
    let installed = installed.with_context(|| place.clone())?;
    let loader = loader::after_install(&args.esp, installed.loader.as_deref())
        .with_context(|| format!("slot {target} is complete, but its boot loader is not ready"))?;
    let version = bundle.manifest().version.as_str();
    let image = |image: &Member| json!({"sha256": image.sha256, "size": image.size});
    Ok(Answer {
        text: format!("slot {target} holds version {version}; upgrade-commit boots it"),
        json: json!({
            "boot": image(&installed.boot),
            "loader": loader,
            "root": image(&installed.root),
            "signers": bundle.signers(),
            "slot": target.as_str(),
            "version": version,
        }),
    })
}

fn manners(options: &Install) -> anyhow::Result<Manners> {
    ensure!(options.timeout > 0, "--timeout 0: want at least 1 second");
    ensure!(options.tries > 0, "--tries 0: want at least 1");
    Ok(Manners {
        ca_certs: options.ca_certs.clone(),
        timeout: Duration::from_secs(options.timeout),
        tries: options.tries,
    })
}
