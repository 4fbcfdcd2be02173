//! The verbs that change what boots. The order of their steps is what the crate's documentation relies on.

use std::io::Read;

use anyhow::{bail, ensure, Context};
use grubenv::{Bar, BootState, Slot};
use update::{Bundle, Item, Member, ReadAt};

use crate::envfile::EnvFile;
use crate::mark::{has_magic, read_mark, write_mark, Mark, MARK, NO_MARK};
use crate::pipe::{copy, verify, Chunks, Heard};
use direct::Medium;

/// A boot loader larger than this is none: it is kept in memory.
pub(crate) const LOADER_MAX: u64 = 16 << 20;

/// The partitions of a slot.
#[derive(Debug)]
pub(crate) struct SlotMedia<M> {
    /// The boot partition.
    pub(crate) boot: M,
    /// The root partition.
    pub(crate) root: M,
}

/// A slot that is complete.
#[derive(Debug)]
pub(crate) struct Installed {
    /// boot.img.
    pub(crate) boot: Member,
    /// root.img.
    pub(crate) root: Member,
    /// Whether the bundle has another loader.efi than the one in place, which waits now.
    pub(crate) loader: bool,
}

/// What an installation asks on its way.
pub(crate) struct Conditions<'a> {
    /// Whether the bundle's boot loader may come. Asked before anything is written.
    pub(crate) loader: &'a dyn Fn(&[u8]) -> anyhow::Result<()>,
    /// Whether the bundle is the right one. Asked once all of it was read; without it the slot does not become complete.
    pub(crate) whole: &'a dyn Fn() -> anyhow::Result<()>,
    /// Keeps the bundle's boot loader, or none, and says whether it is another one than now. Done before the slot may look complete: there is never
    /// one that could be committed without the loader that came with it.
    pub(crate) keep: &'a dyn Fn(Option<&[u8]>) -> anyhow::Result<bool>,
}

/// Makes `current` the slot to boot from now on, if grubenv agrees that it was booted. Says whether anything changed.
pub(crate) fn confirm<M: Medium>(env: &mut EnvFile<M>, current: Slot) -> anyhow::Result<bool> {
    // A damaged grubenv names no slot; the running one is as good as it gets.
    match env.blocks().said().map(|state| state.alternative) {
        Some(named) if named != current => bail!(
            "slot {current} is running, but grubenv says that slot {named} boots: nothing to confirm"
        ),
        _ => (),
    }
    let bar = env.blocks().bar().confirmed(current);
    env.store(BootState::confirmed(current), bar)
}

/// Makes the slot that is not `current` the next one to boot, on trial. `place` puts the boot loader that came with it in place, if there is one: first,
/// so that what fails there leaves everything as it was, and either loader starts either slot. Returns what it says.
pub(crate) fn commit<M: Medium, E: Medium>(
    env: &mut EnvFile<E>,
    target: &SlotMedia<M>,
    current: Slot,
    too_old: bool,
    place: impl FnOnce() -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    refuse_unconfirmed(env, current)?;
    check_complete(target, current.other())?;
    let loader = place()?;
    env.store(BootState::trial(current.other()), left(current, too_old))?;
    Ok(loader)
}

/// What becomes of the slot that is left for a trial: if it is too old for data that the other one writes, it is barred once that is confirmed.
fn left(current: Slot, too_old: bool) -> Bar {
    match too_old {
        true => Bar::OnceConfirmed(current),
        false => Bar::None,
    }
}

/// Takes back a commit that was not booted: `current`, which runs, boots next, and the other one not unless it is committed again. `place` makes sure
/// that the boot loader in place starts `current`. Says whether there was anything to take back.
///
/// One write of one sector, as all of the verbs: before it the commit holds, and after it the running slot does, which is complete. A boot loader that was
/// put in place stays there, unless it does not start the running slot.
pub(crate) fn cancel<E: Medium>(
    env: &mut EnvFile<E>,
    current: Slot,
    place: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let (state, other) = (env.blocks().state(), current.other());
    ensure!(
        !state.is_trial_of(current),
        "slot {current} is running on trial: what is committed runs already, rollback goes back from it"
    );
    if state.alternative == current {
        return Ok(false);
    }
    ensure!(
        state.is_trial(),
        "slot {other} boots next for good, so it is no commit that waits: slot {current} was gone back from"
    );
    place()?;
    env.store(BootState::confirmed(current), Bar::Now(other))
}

/// Goes back to the slot that is not `current`. From a trial it goes back for good, as the boot loader would: that slot is the one which was left
/// for the trial. Otherwise nobody knows whether it ever ran, so it is on trial, and `current` is what it falls back to, until it is confirmed if that is
/// `too_old` for data that it writes.
pub(crate) fn rollback<M: Medium, E: Medium>(
    env: &mut EnvFile<E>,
    target: &SlotMedia<M>,
    current: Slot,
    too_old: bool,
) -> anyhow::Result<BootState> {
    check_complete(target, current.other())?;
    let (state, bar) = match is_trial(env, current) {
        // Nobody wants the one that was tried.
        true => (BootState::confirmed(current.other()), Bar::Now(current)),
        false => (BootState::trial(current.other()), left(current, too_old)),
    };
    env.store(state, bar)?;
    Ok(state)
}

/// Writes `bundle` to the slot that is not `current`, whose images are `base`, on these conditions. `progress` hears how many bytes are done.
pub(crate) fn install<M: Medium, E: Medium, R: Read + Send>(
    env: &mut EnvFile<E>,
    target: &SlotMedia<M>,
    current: Slot,
    bundle: &mut Bundle<R>,
    base: &SlotMedia<impl ReadAt + Sync>,
    on: &Conditions<'_>,
    progress: Heard<'_>,
) -> anyhow::Result<Installed> {
    let slot = current.other();
    let (boot, root) = (format!("{slot}_boot"), format!("{slot}_root"));
    refuse_unconfirmed(env, current)?;
    let manifest = bundle.manifest();
    let member = |name: &str| {
        let member = manifest.member(name).cloned();
        member.with_context(|| format!("no member {name}"))
    };
    let mut installed = Installed {
        boot: member(update::BOOT)?,
        root: member(update::ROOT)?,
        loader: false,
    };
    check_fits(&target.boot, &installed.boot, &boot)?;
    check_fits(&target.root, &installed.root, &root)?;
    let (mut mark, mut loader) = (None, None);
    while let Some(mut item) = bundle.next_member()? {
        match item.member().name.as_str() {
            update::BOOT => {
                item.check_base(&base.boot)?;
                let mut chunks = Chunks::start(&mut item, &base.boot)?;
                mark = Some(read_mark(chunks.first())?);
                // From here on things are written: first that the running slot boots and the other one must not, then that the other one does not.
                env.store(BootState::confirmed(current), Bar::Now(slot))?;
                write_mark(&target.boot, &NO_MARK).with_context(|| failed(&boot))?;
                chunks.blank(&MARK)?;
                copy(chunks, &target.boot, &boot, progress)?;
            }
            update::ROOT => {
                item.check_base(&base.root)?;
                let chunks = Chunks::start(&mut item, &base.root)?;
                copy(chunks, &target.root, &root, progress)?;
            }
            _ => {
                // It comes before the images.
                let bytes = read_loader(&mut item)?;
                (on.loader)(&bytes)?;
                loader = Some(bytes);
            }
        }
    }
    (on.whole)()?;
    // The manifest has both images, and all of its members came.
    let mark = mark.context("the bundle has no boot.img")?;
    verify(&target.root, &installed.root, None, &root, progress)?;
    verify(&target.boot, &installed.boot, Some(&mark), &boot, progress)?;
    installed.loader = (on.keep)(loader.as_deref())?;
    complete(target, &installed, &mark, &boot)?;
    Ok(installed)
}

/// Makes the slot look complete: both images were read back.
fn complete<M: Medium>(
    target: &SlotMedia<M>,
    installed: &Installed,
    mark: &Mark,
    boot: &str,
) -> anyhow::Result<()> {
    write_mark(&target.boot, mark).with_context(|| failed(boot))?;
    if let Err(error) = verify(&target.boot, &installed.boot, None, boot, &mut |_| {}) {
        // Not complete after all. Should this fail as well, the slot is still only booted by a commit.
        let _ = write_mark(&target.boot, &NO_MARK);
        return Err(error);
    }
    Ok(())
}

fn failed(name: &str) -> String {
    format!("cannot write {name}")
}

fn read_loader<R: Read>(item: &mut Item<'_, R>) -> anyhow::Result<Vec<u8>> {
    let Member { name, size, .. } = item.member();
    ensure!(
        *size <= LOADER_MAX,
        "member {name} has {size} bytes, want at most {LOADER_MAX}"
    );
    let mut loader = Vec::new();
    while let Some(chunk) = item.next_chunk(&Vec::new())? {
        loader.extend_from_slice(chunk.bytes);
    }
    Ok(loader)
}

fn is_trial<E: Medium>(env: &EnvFile<E>, current: Slot) -> bool {
    env.blocks().state().is_trial_of(current)
}

/// While the running slot is on trial, the other one is what a failure falls back to.
fn refuse_unconfirmed<E: Medium>(env: &EnvFile<E>, current: Slot) -> anyhow::Result<()> {
    ensure!(
        !is_trial(env, current),
        "slot {current} is running on trial and slot {} is what it falls back to: confirm first",
        current.other()
    );
    Ok(())
}

/// Whether the slot has its mark.
pub(crate) fn is_complete<M: Medium>(slot: &SlotMedia<M>) -> std::io::Result<bool> {
    let mut mark = NO_MARK;
    slot.boot
        .read_exact_at(&mut mark, base::as_u64(MARK.start))?;
    Ok(has_magic(&mark))
}

fn check_complete<M: Medium>(target: &SlotMedia<M>, slot: Slot) -> anyhow::Result<()> {
    let complete = is_complete(target).with_context(|| format!("cannot read {slot}_boot"))?;
    ensure!(
        complete,
        "slot {slot} holds no complete system: run upgrade-install first"
    );
    Ok(())
}

fn check_fits<M: Medium>(medium: &M, image: &Member, name: &str) -> anyhow::Result<()> {
    let size = medium
        .size()
        .with_context(|| format!("cannot tell the size of {name}"))?;
    if let Some(by @ 1..) = image.size.checked_sub(size) {
        bail!(
            "{} of {} bytes is {by} bytes larger than partition {name} of {size} bytes",
            image.name,
            image.size
        );
    }
    Ok(())
}
