//! What a Linux kernel image says of itself.
//!
//! Spec: Linux `Documentation/arch/x86/boot.rst`: `HdrS` at byte 0x202, at 0x20e the place of the version text less 0x200.

use base::as_usize;
use base::bounded::sum;
use plan::ReadAt;

use crate::error::Error;

const MAGIC_AT: u64 = 0x202;
const VERSION_AT: u64 = 0x20e;
const SETUP: u64 = 0x200;
/// The longest release that is looked for; `uname` has at most 64 bytes.
const MAX_RELEASE: u64 = 65;

/// The release of the kernel, as `uname -r` gives it.
pub fn release(kernel: &impl ReadAt, len: u64) -> Result<String, Error> {
    let no = |reason| Error::NoRelease { reason };
    let read = |at, count| read(kernel, len, at, count);
    if read(MAGIC_AT, 4)?.as_deref() != Some(b"HdrS") {
        return Err(no("it has no setup header"));
    }
    let place = read(VERSION_AT, 2)?.ok_or(no("it is cut"))?;
    let place = place.first_chunk().copied().map(u16::from_le_bytes);
    let Some(place) = place.filter(|place| *place != 0) else {
        return Err(no("its setup header has no version"));
    };
    let at = sum(SETUP, u64::from(place));
    let behind = len.checked_sub(at).filter(|behind| *behind > 0);
    let room = behind.ok_or(no("its version lies outside it"))?;
    let text = read(at, room.min(MAX_RELEASE))?.ok_or(no("its version is cut"))?;
    let mut words = text.split(|byte| matches!(byte, 0 | b' '));
    let release = words.next().filter(|_| words.next().is_some());
    let release = release.filter(|release| !release.is_empty());
    let release = release.filter(|release| release.iter().all(u8::is_ascii_graphic));
    let release = release.and_then(|release| std::str::from_utf8(release).ok());
    release
        .map(str::to_owned)
        .ok_or(no("its version is no text"))
}

fn read(kernel: &impl ReadAt, len: u64, at: u64, count: u64) -> Result<Option<Vec<u8>>, Error> {
    if sum(at, count) > len {
        return Ok(None);
    }
    let mut bytes = vec![0; as_usize(count)];
    let result = kernel.read_exact_at(&mut bytes, at);
    result.map_err(|source| plan::Error::Io {
        what: format!("the kernel at byte {at}"),
        source,
    })?;
    Ok(Some(bytes))
}
