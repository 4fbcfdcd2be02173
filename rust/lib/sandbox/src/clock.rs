//! Clocks that count from the sandbox's start, not from the machine's.
//!
//! Linux can shift the clocks that count from boot, for a namespace. The time of day it cannot: commands are told which one
//! stands for now by `SOURCE_DATE_EPOCH`.

use std::fs;

use nix::errno::Errno;
use nix::sched::{unshare, CloneFlags};
use nix::time::{clock_gettime, ClockId};

use crate::error::Error;

/// `CLONE_NEWTIME`, which crate nix lacks.
const NEW_TIME: CloneFlags = CloneFlags::from_bits_retain(0x80);

/// For the processes that this one starts from here on. A kernel without such namespaces (before 5.6) goes without.
pub(crate) fn restart() -> Result<(), Error> {
    match unshare(NEW_TIME) {
        Ok(()) => {}
        Err(Errno::EINVAL) => return Ok(()),
        Err(e) => return Err(Error::setup("make a time namespace", e)),
    }
    let failed = |e| Error::setup("read a clock", e);
    let mut offsets = String::new();
    for (name, clock) in [
        ("monotonic", ClockId::CLOCK_MONOTONIC),
        ("boottime", ClockId::CLOCK_BOOTTIME),
    ] {
        let now = clock_gettime(clock).map_err(failed)?;
        offsets.push_str(&format!("{name} -{} 0\n", now.tv_sec()));
    }
    fs::write("/proc/self/timens_offsets", offsets).map_err(|e| Error::setup("set the clocks", e))
}
