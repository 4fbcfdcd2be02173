//! What each verb does, in terms of the other modules, and what it has to say.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{anyhow, ensure, Context};
use base::Sha256Digest;
use grubenv::{Blocks, Limit, Slot};
use serde_json::{json, Value};
use update::{older_formats, Bundle, Identity, Member, Policy, TrustedKeys};

use crate::envfile::{self, EnvFile};
use crate::http::Manners;
use crate::machine::Machine;
use crate::progress::Progress;
use crate::source::{shown, Hashed, Source};
use crate::status::{self, SlotStatus, Status};
use crate::upgrade::{Conditions, SlotMedia};
use crate::{counters, firmware, loader, signer, upgrade, Args, Install, Verb};
use direct::Partition;

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
        Verb::Current => Ok(slot(machine.current(|| named(&read_env(args)?))?)),
        Verb::Target => Ok(slot(machine.current(|| named(&read_env(args)?))?.other())),
        Verb::Confirm => confirm(args, &machine),
        Verb::UpgradeCommit => commit(args, &machine),
        Verb::UpgradeCancel => cancel(args, &machine),
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

fn read_env(args: &Args) -> anyhow::Result<Blocks> {
    envfile::read(&args.grubenv, &args.esp.join(loader::SPARE_ENV))
}

/// The slot that grubenv names.
fn named(blocks: &Blocks) -> anyhow::Result<Slot> {
    let named = blocks.named();
    named.map_err(|error| anyhow!(cli::chain(error)))
}

fn open_env(args: &Args) -> anyhow::Result<EnvFile<File>> {
    EnvFile::open(&args.grubenv, &args.esp.join(loader::SPARE_ENV))
}

fn status(args: &Args, machine: &Machine) -> anyhow::Result<Status> {
    let tries = identity(&args.identity)?.boot_limit;
    let limit = Limit::new(tries).with_context(|| format!("boot_limit: got {tries}"))?;
    let blocks = read_env(args)?;
    Ok(Status {
        running: machine.current(|| named(&blocks))?,
        state: blocks.state(),
        bar: blocks.bar(),
        limit,
        slots: [Slot::A, Slot::B].map(|slot| (slot, SlotStatus::of(machine.read_slot(slot)))),
    })
}

fn confirm(args: &Args, machine: &Machine) -> anyhow::Result<Answer> {
    let mut env = open_env(args)?;
    let current = machine.current(|| named(env.blocks()))?;
    let changed = upgrade::confirm(&mut env, current)?;
    let already = if changed { "" } else { " already" };
    let barred = env.blocks().bar().slot();
    let bar = barred.map_or_else(String::new, |slot| {
        format!("; slot {slot} is not to be fallen back to")
    });
    Ok(Answer {
        text: format!("slot {current} is confirmed{already}{bar}"),
        json: json!({
            "barred": barred.map(Slot::as_str),
            "changed": changed,
            "slot": current.as_str(),
        }),
    })
}

fn commit(args: &Args, machine: &Machine) -> anyhow::Result<Answer> {
    let mut env = open_env(args)?;
    let current = machine.current(|| named(env.blocks()))?;
    let target = current.other();
    let slot = machine.open_slot(target, false)?;
    // An error here, and not later: the loader that came with the slot would be left where it is.
    loader::waits(&args.esp).with_context(|| {
        format!("slot {target} is not committed: its boot loader can't be reached")
    })?;
    let too_old = is_too_old(args, &slot);
    let loader = upgrade::commit(&mut env, &slot, current, too_old == Some(true), || {
        loader::place(&args.esp).with_context(|| {
            format!("slot {target} is not committed: its boot loader is not in place")
        })
    })?;
    let with = if loader { ", by a new boot loader" } else { "" };
    let then = match too_old {
        Some(true) => format!(
            ": from then on slot {current} is too old for what it writes, and not fallen back to"
        ),
        _ => String::new(),
    };
    Ok(Answer {
        text: format!("slot {target} boots next{with}; confirm it there{then}"),
        json: json!({
            "boot_cycle": "first_boot",
            "loader": loader,
            "slot": target.as_str(),
            // What nobody can tell is null.
            "stays_fallback": too_old.map(|too_old| !too_old),
        }),
    })
}

/// Whether the running system is too old for data that the one in `slot` writes; nothing if that does not say.
fn is_too_old(args: &Args, slot: &SlotMedia<File>) -> Option<bool> {
    let running = identity(&args.identity).ok()?;
    let other = status::identity(slot.root.try_clone().ok()?).ok()?;
    let older = older_formats(&other.data_formats, &running.data_formats);
    Some(!older.is_empty())
}

fn cancel(args: &Args, machine: &Machine) -> anyhow::Result<Answer> {
    let mut env = open_env(args)?;
    let current = machine.current(|| named(env.blocks()))?;
    let boot = machine.read_slot(current)?.boot;
    let mut back = false;
    let changed = upgrade::cancel(&mut env, current, || {
        back = loader_for(args, boot, current)?;
        Ok(())
    })?;
    let text = match (changed, back) {
        (false, _) => format!("slot {current} boots next already, no upgrade is committed"),
        (true, false) => format!("slot {current} boots next, as before upgrade-commit"),
        (true, true) => format!(
            "slot {current} boots next, by the boot loader of before, as before upgrade-commit"
        ),
    };
    Ok(Answer {
        text,
        json: json!({"changed": changed, "loader": back, "slot": current.as_str()}),
    })
}

/// Makes sure that the boot loader in place starts what is in the slot with the boot partition `boot`; says whether another one had to be put there.
fn loader_for(args: &Args, boot: File, slot: Slot) -> anyhow::Result<bool> {
    let (loader, previous) = loader::in_place(&args.esp)?;
    let again = boot.try_clone().context("cannot read the slot")?;
    match signer::check(&loader, boot) {
        Err(error) if signer::is_stranger(&error) => {
            let previous = previous.with_context(|| format!("the boot loader in place does not start slot {slot}, and there is no PREVIOUS.EFI"))?;
            signer::check(&previous, again).with_context(|| {
                format!("neither the boot loader in place nor PREVIOUS.EFI starts slot {slot}")
            })?;
            loader::take_back(&args.esp)?;
            Ok(true)
        }
        // Where there is no telling, it is the one that somebody committed by.
        _ => Ok(false),
    }
}

fn rollback(args: &Args, machine: &Machine, force: bool) -> anyhow::Result<Answer> {
    let mut env = open_env(args)?;
    let current = machine.current(|| named(env.blocks()))?;
    let target = current.other();
    let slot = machine.open_slot(target, false)?;
    if !force {
        let root = slot
            .root
            .try_clone()
            .context("cannot read the other slot")?;
        check_formats(&args.identity, root)
            .and_then(|()| check_loader(args, &slot))
            .with_context(|| format!("slot {target} is not gone back to (--force does it)"))?;
    }
    let too_old = is_too_old(args, &slot) == Some(true);
    let state = upgrade::rollback(&mut env, &slot, current, too_old)?;
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

/// Refuses a slot that the boot loader in place does not start. Where there is no telling, the boot loader itself comes back to the running one.
fn check_loader(args: &Args, slot: &SlotMedia<File>) -> anyhow::Result<()> {
    let Ok((loader, _)) = loader::in_place(&args.esp) else {
        return Ok(());
    };
    let boot = slot
        .boot
        .try_clone()
        .context("cannot read the other slot")?;
    match signer::check(&loader, boot) {
        Err(error) if signer::is_stranger(&error) => {
            Err(error.context("the boot loader in place does not start it"))
        }
        _ => Ok(()),
    }
}

/// Refuses a bundle's boot loader that does not start the running slot, which is what an upgrade falls back to. The one in place evidently does.
fn check_fallback(args: &Args, new: &[u8], boot: &File, slot: Slot) -> anyhow::Result<()> {
    let (loader, _) = loader::in_place(&args.esp)?;
    if loader == new {
        return Ok(());
    }
    let boot = boot.try_clone().context("cannot read the running slot")?;
    signer::check(new, boot).with_context(|| {
        format!(
            "there is no telling that the bundle's boot loader starts slot {slot}, which an upgrade falls back to: \
             install a version whose boot loader knows both signers first (docs/signing.md, \"Rotation\"), or give up the way back with --without-fallback"
        )
    })
}

/// Refuses a bundle's boot loader that this machine's firmware does not start. It evidently starts the one in place.
fn check_firmware(args: &Args, new: &[u8]) -> anyhow::Result<()> {
    let (loader, _) = loader::in_place(&args.esp)?;
    if loader == new {
        return Ok(());
    }
    firmware::check(new, &args.efivars).context(
        "there is no telling that this machine's firmware starts the bundle's boot loader (Secure Boot is on): put the signer's certificate into its db \
         first (docs/signing.md, \"Rotation\"), or say --unknown-signer if that will be done before the restart",
    )
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
    let keys = trusted(options)?;
    let policy = Policy {
        node: &node,
        keys: &keys,
        now: now()?,
        allow_unsigned: options.allow_unsigned,
        any_version: options.any_version,
    };
    let sha256 = wanted_sum(options)?;
    let mut env = open_env(args)?;
    let current = machine.current(|| named(env.blocks()))?;
    let target = current.other();
    let slot = to_write(machine, target)?;
    let base = machine.read_slot(current)?;
    // Mounted? Later a loader that waits could not be told from none.
    loader::waits(&args.esp)?;

    let place = shown(&options.bundle);
    let mut source = Source::open(&options.bundle, &manners(options)?)?;
    let len = source.len();
    check_first(&mut source, sha256, &policy).with_context(|| place.clone())?;
    let reader = Hashed::new(source.reader(), sha256);
    let seen = reader.seen();
    let mut bundle = Bundle::open(reader, len, &policy).with_context(|| place.clone())?;
    let mut progress = Progress::of(bundle.manifest(), options.progress);
    let on = Conditions {
        loader: &|new| {
            if !options.unknown_signer {
                check_firmware(args, new)?;
            }
            match options.without_fallback {
                true => Ok(()),
                false => check_fallback(args, new, &base.boot, current),
            }
        },
        whole: &|| seen.check(),
        keep: &|new| {
            let not = || format!("slot {target} is not complete: its boot loader is not ready");
            loader::keep(&args.esp, new).with_context(not)
        },
    };
    let tell = &mut |bytes| progress.add(bytes);
    let installed = upgrade::install(&mut env, &slot, current, &mut bundle, &base, &on, tell);
    progress.end(std::io::stderr());
    let installed = installed.with_context(|| place.clone())?;
    let version = bundle.manifest().version.as_str();
    Ok(Answer {
        text: format!("slot {target} holds version {version}; upgrade-commit boots it"),
        json: json!({
            "boot": of_image(&installed.boot),
            "loader": installed.loader,
            "root": of_image(&installed.root),
            "signers": bundle.signers(),
            "slot": target.as_str(),
            "version": version,
        }),
    })
}

/// Looks at the whole bundle where it can be read twice: then nothing is written if anything is wrong with it.
fn check_first(
    source: &mut Source,
    sha256: Option<Sha256Digest>,
    policy: &Policy<'_>,
) -> anyhow::Result<()> {
    let len = source.len();
    let checked = source.first(|file| {
        let reader = Hashed::new(file, sha256);
        let seen = reader.seen();
        update::verify(reader, len, policy)?;
        seen.check()
    });
    checked.map(drop)
}

/// The images of a slot, opened to be written past the page cache.
fn to_write(machine: &Machine, slot: Slot) -> anyhow::Result<SlotMedia<Partition>> {
    let slot = machine.open_slot(slot, true)?;
    Ok(SlotMedia {
        boot: Partition::new(slot.boot),
        root: Partition::new(slot.root),
    })
}

fn trusted(options: &Install) -> anyhow::Result<TrustedKeys> {
    let keys = TrustedKeys::parse(&read(&options.update_keys)?);
    keys.with_context(|| options.update_keys.display().to_string())
}

/// The sum that the whole bundle must have, if one was given.
fn wanted_sum(options: &Install) -> anyhow::Result<Option<Sha256Digest>> {
    let sum = options.sha256.as_ref();
    let sum = sum.map(|hex| hex.to_ascii_lowercase().parse());
    sum.transpose().context("--sha256")
}

fn of_image(image: &Member) -> Value {
    json!({"sha256": image.sha256, "size": image.size})
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
