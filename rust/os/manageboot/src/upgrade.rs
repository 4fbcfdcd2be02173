//! The three verbs that write. The order of their steps is what the crate's documentation relies on.

use std::fmt::Write as _;
use std::io::{self, Read, Seek};

use anyhow::{bail, ensure, Context};
use grubenv::{BootState, Cycle, Slot};
use sha2::{Digest, Sha256};

use crate::bundle::{Bundle, Span};
use crate::envfile::{Content, EnvFile};
use crate::medium::Medium;

/// What a complete boot partition begins with, and an incomplete one lacks; holds the ext4 superblock at 1024.
pub(crate) const HEAD: usize = 4096;
/// Read and written at a time.
const BUFFER: usize = 1 << 20;

/// The partitions of a slot.
#[derive(Debug)]
pub(crate) struct SlotMedia<M> {
    /// The boot partition.
    pub(crate) boot: M,
    /// The root partition.
    pub(crate) root: M,
}

/// An image that is on the disk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Its digest, read back from the disk.
    pub(crate) sha256: String,
    /// Its length.
    pub(crate) size: u64,
}

/// A slot that is complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    /// boot.img.
    pub(crate) boot: Written,
    /// root.img.
    pub(crate) root: Written,
}

/// Makes `current` the slot to boot from now on, if grubenv agrees that it was booted. Says whether anything changed.
pub(crate) fn confirm<M: Medium>(env: &mut EnvFile<M>, current: Slot) -> anyhow::Result<bool> {
    let named = env.content().state().alternative;
    // A damaged grubenv names no slot; the running one is as good as it gets.
    if named != current && matches!(env.content(), Content::Block(_)) {
        bail!("slot {current} is running, but grubenv says that slot {named} boots: nothing to confirm");
    }
    env.store(stable(current))
}

/// Makes the slot that is not `current` the next one to boot, once.
pub(crate) fn commit<M: Medium, E: Medium>(
    env: &mut EnvFile<E>,
    target: &mut SlotMedia<M>,
    current: Slot,
) -> anyhow::Result<()> {
    let slot = current.other();
    refuse_unconfirmed(env, current)?;
    let mut head = vec![0; HEAD];
    target
        .boot
        .read_exact_at(&mut head, 0)
        .with_context(|| format!("cannot read {slot}_boot"))?;
    ensure!(
        head.iter().any(|byte| *byte != 0),
        "slot {slot} holds no complete system: run upgrade-install first"
    );
    env.store(BootState {
        alternative: slot,
        cycle: Cycle::FirstBoot,
    })?;
    Ok(())
}

/// Writes `bundle` to the slot that is not `current`.
pub(crate) fn install<M: Medium, E: Medium, R: Read + Seek>(
    env: &mut EnvFile<E>,
    target: &mut SlotMedia<M>,
    current: Slot,
    bundle: &mut Bundle<R>,
) -> anyhow::Result<Installed> {
    let slot = current.other();
    refuse_unconfirmed(env, current)?;
    check_fits(&mut target.boot, bundle.boot, &format!("{slot}_boot"))?;
    check_fits(&mut target.root, bundle.root, &format!("{slot}_root"))?;
    env.store(stable(current))?;

    let boot = format!("{slot}_boot");
    let root = format!("{slot}_root");
    let failed = |name: &str| format!("cannot write {name}");
    (|| {
        target.boot.write_all_at(&[0; HEAD], 0)?;
        target.boot.flush()
    })()
    .with_context(|| failed(&boot))?;

    let root_digest =
        copy(bundle, bundle.root, &mut target.root, None).with_context(|| failed(&root))?;
    let mut head = Vec::new();
    let boot_digest = copy(bundle, bundle.boot, &mut target.boot, Some(&mut head))
        .with_context(|| failed(&boot))?;

    verify(&mut target.root, bundle.root, &[], &root_digest, &root)?;
    verify(&mut target.boot, bundle.boot, &head, &boot_digest, &boot)?;
    (|| {
        target.boot.write_all_at(&head, 0)?;
        target.boot.flush()
    })()
    .with_context(|| failed(&boot))?;
    verify(&mut target.boot, bundle.boot, &[], &boot_digest, &boot)?;
    Ok(Installed {
        boot: Written {
            sha256: boot_digest,
            size: bundle.boot.len,
        },
        root: Written {
            sha256: root_digest,
            size: bundle.root.len,
        },
    })
}

fn stable(slot: Slot) -> BootState {
    BootState {
        alternative: slot,
        cycle: Cycle::Stable,
    }
}

/// While the running slot is on trial, the other one is what a failure falls back to.
fn refuse_unconfirmed<E: Medium>(env: &EnvFile<E>, current: Slot) -> anyhow::Result<()> {
    let state = env.content().state();
    let trial = matches!(state.cycle, Cycle::FirstBoot | Cycle::FailsafeCheck);
    ensure!(
        !(trial && state.alternative == current),
        "slot {current} is running on trial and slot {} is what it falls back to: confirm first",
        current.other()
    );
    Ok(())
}

fn check_fits<M: Medium>(medium: &mut M, image: Span, name: &str) -> anyhow::Result<()> {
    let size = medium
        .size()
        .with_context(|| format!("cannot tell the size of {name}"))?;
    if let Some(by @ 1..) = image.len.checked_sub(size) {
        bail!(
            "image of {} bytes is {by} bytes larger than partition {name} of {size} bytes",
            image.len
        );
    }
    Ok(())
}

/// Copies a member to the start of `medium` and flushes. With `head`, its first [`HEAD`] bytes go there instead. Returns the
/// digest of all of it.
fn copy<M: Medium, R: Read + Seek>(
    bundle: &mut Bundle<R>,
    span: Span,
    medium: &mut M,
    mut head: Option<&mut Vec<u8>>,
) -> io::Result<String> {
    let mut reader = bundle.read(span)?;
    let mut hasher = Sha256::new();
    let mut offset: u64 = 0;
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        let want = if offset == 0 && head.is_some() {
            HEAD
        } else {
            BUFFER
        };
        buffer.clear();
        let limit = u64::try_from(want).unwrap_or(u64::MAX);
        reader.by_ref().take(limit).read_to_end(&mut buffer)?;
        if buffer.is_empty() {
            break;
        }
        hasher.update(&buffer);
        match head.take() {
            Some(head) => head.clone_from(&buffer),
            None => medium.write_all_at(&buffer, offset)?,
        }
        offset = offset.saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
    }
    if offset != span.len {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the bundle ended after {offset} of {} bytes", span.len),
        ));
    }
    medium.flush()?;
    Ok(hex(&hasher.finalize()))
}

/// Reads an image back, its start replaced by `head`, and compares its digest.
fn verify<M: Medium>(
    medium: &mut M,
    image: Span,
    head: &[u8],
    want: &str,
    name: &str,
) -> anyhow::Result<()> {
    let mut hasher = Sha256::new();
    hasher.update(head);
    let mut offset = u64::try_from(head.len()).unwrap_or(u64::MAX);
    let mut buffer = vec![0; BUFFER];
    while let Some(left @ 1..) = image.len.checked_sub(offset) {
        let want = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
        let chunk = buffer.get_mut(..want).unwrap_or_default();
        medium
            .read_exact_at(chunk, offset)
            .with_context(|| format!("cannot read {name} back"))?;
        hasher.update(&*chunk);
        offset = offset.saturating_add(u64::try_from(want).unwrap_or(u64::MAX));
    }
    let got = hex(&hasher.finalize());
    ensure!(
        got == want,
        "{name} reads back as SHA-256 {got}, {want} was written: the disk may be failing"
    );
    Ok(())
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
