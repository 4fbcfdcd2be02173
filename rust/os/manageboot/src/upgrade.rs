//! The three verbs that write. The order of their steps is what the crate's documentation relies on.

use std::io::{self, Read, Seek};
use std::ops::Range;

use anyhow::{bail, ensure, Context};
use base::{as_u64, as_usize, Hasher, Sha256Digest};
use grubenv::{BootState, Cycle, Slot};

use crate::bundle::{Bundle, Span};
use crate::envfile::{Content, EnvFile};
use crate::medium::Medium;

/// The bytes of the boot partition that an incomplete slot lacks: the first sector of the ext4 superblock, with the magic
/// number by which GRUB knows the file system. One sector, because that is written whole or not at all.
pub(crate) const MARK: Range<usize> = 1024..1536;
const MARK_OFFSET: u64 = 1024;
const MARK_LEN: usize = 512;
/// `s_magic` of the superblock, little-endian, and where it lies in [`MARK`].
const MAGIC: (usize, [u8; 2]) = (56, [0x53, 0xef]);
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
    pub(crate) sha256: Sha256Digest,
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
    env.store(BootState::confirmed(current))
}

/// Makes the slot that is not `current` the next one to boot, once.
pub(crate) fn commit<M: Medium, E: Medium>(
    env: &mut EnvFile<E>,
    target: &mut SlotMedia<M>,
    current: Slot,
) -> anyhow::Result<()> {
    let slot = current.other();
    refuse_unconfirmed(env, current)?;
    let mut mark = [0; MARK_LEN];
    target
        .boot
        .read_exact_at(&mut mark, MARK_OFFSET)
        .with_context(|| format!("cannot read {slot}_boot"))?;
    ensure!(
        has_magic(&mark),
        "slot {slot} holds no complete system: run upgrade-install first"
    );
    env.store(BootState::trial(slot))?;
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
    let (boot, root) = (format!("{slot}_boot"), format!("{slot}_root"));
    refuse_unconfirmed(env, current)?;
    check_fits(&mut target.boot, bundle.boot, &boot)?;
    check_fits(&mut target.root, bundle.root, &root)?;
    let mark = read_mark(bundle)?;
    env.store(BootState::confirmed(current))?;

    let failed = |name: &str| format!("cannot write {name}");
    write_mark(&mut target.boot, &[0; MARK_LEN]).with_context(|| failed(&boot))?;
    let root_digest =
        copy(bundle, bundle.root, None, &mut target.root).with_context(|| failed(&root))?;
    let boot_digest =
        copy(bundle, bundle.boot, Some(&MARK), &mut target.boot).with_context(|| failed(&boot))?;
    verify(&mut target.root, bundle.root, None, &root_digest, &root)?;
    verify(
        &mut target.boot,
        bundle.boot,
        Some(&mark),
        &boot_digest,
        &boot,
    )?;
    write_mark(&mut target.boot, &mark).with_context(|| failed(&boot))?;
    if let Err(error) = verify(&mut target.boot, bundle.boot, None, &boot_digest, &boot) {
        // Not complete after all. Should this fail as well, the slot is still only booted by a commit.
        let _ = write_mark(&mut target.boot, &[0; MARK_LEN]);
        return Err(error);
    }
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

/// The bytes of boot.img at [`MARK`].
fn read_mark<R: Read + Seek>(bundle: &mut Bundle<R>) -> anyhow::Result<[u8; MARK_LEN]> {
    let mut start = Vec::with_capacity(MARK.end);
    let limit = as_u64(MARK.end);
    bundle
        .read(bundle.boot)
        .and_then(|reader| reader.take(limit).read_to_end(&mut start))
        .context("cannot read the bundle")?;
    start
        .get(MARK)
        .and_then(|mark| mark.try_into().ok())
        .filter(has_magic)
        .context("boot.img is no ext4 file system")
}

fn write_mark<M: Medium>(boot: &mut M, mark: &[u8; MARK_LEN]) -> io::Result<()> {
    boot.write_all_at(mark, MARK_OFFSET)?;
    boot.flush()
}

fn has_magic(mark: &[u8; MARK_LEN]) -> bool {
    let (at, magic) = MAGIC;
    mark.get(at..)
        .is_some_and(|bytes| bytes.starts_with(&magic))
}

/// Copies a member to `medium`, zeros in place of the bytes `without`, and flushes. Returns the digest of the member.
fn copy<M: Medium, R: Read + Seek>(
    bundle: &mut Bundle<R>,
    span: Span,
    without: Option<&Range<usize>>,
    medium: &mut M,
) -> io::Result<Sha256Digest> {
    let mut reader = bundle.read(span)?;
    let mut hasher = Hasher::new();
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        buffer.clear();
        let mut part = reader.by_ref().take(as_u64(BUFFER));
        part.read_to_end(&mut buffer)?;
        if buffer.is_empty() {
            break;
        }
        let offset = hasher.count();
        hasher.update(&buffer);
        if let Some(range) = without.filter(|_| offset == 0) {
            mark_of(&mut buffer, range)?.fill(0);
        }
        medium.write_all_at(&buffer, offset)?;
    }
    if hasher.count() != span.len {
        let (got, want) = (hasher.count(), span.len);
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the bundle ended after {got} of {want} bytes"),
        ));
    }
    medium.flush()?;
    Ok(hasher.finish())
}

/// The bytes `range` of what an image begins with.
fn mark_of<'a>(start: &'a mut [u8], range: &Range<usize>) -> io::Result<&'a mut [u8]> {
    let len = start.len();
    start.get_mut(range.clone()).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("an image of {len} bytes, want at least {}", range.end),
        )
    })
}

/// Reads an image back, its [`MARK`] replaced by `mark` if given, and compares its digest.
fn verify<M: Medium>(
    medium: &mut M,
    image: Span,
    mark: Option<&[u8; MARK_LEN]>,
    want: &Sha256Digest,
    name: &str,
) -> anyhow::Result<()> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; BUFFER];
    while let Some(left @ 1..) = image.len.checked_sub(hasher.count()) {
        let offset = hasher.count();
        let (chunk, _) = buffer.split_at_mut(as_usize(left).min(BUFFER));
        medium
            .read_exact_at(chunk, offset)
            .with_context(|| format!("cannot read {name} back"))?;
        if let Some(mark) = mark.filter(|_| offset == 0) {
            mark_of(chunk, &MARK)?.copy_from_slice(mark);
        }
        hasher.update(chunk);
    }
    let got = hasher.finish();
    ensure!(
        got == *want,
        "{name} reads back as SHA-256 {got}, {want} was written: the disk may be failing"
    );
    Ok(())
}
