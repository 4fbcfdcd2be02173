//! What the medium keeps of an installation, on its CONFIG volume: `setupos-result.json` for programs, `setupos-log.txt` for people.
//!
//! | key         | value                                                                                             |
//! |-------------|---------------------------------------------------------------------------------------------------|
//! | `format`    | 1                                                                                                 |
//! | `installed` | whether the drive has a whole installation of this medium                                          |
//! | `version`, `env` | of this medium                                                                               |
//! | `drive`     | null, or `name`, `serial`, `wwn`, `size` of the drive that was chosen                              |
//! | `kept_data` | whether data of an older installation stay                                                         |
//! | `written`   | whether anything was written to the drive                                                          |
//! | `problems`  | what was in the way, a line each                                                                   |
//! | `state`, `remedy` | what state the drive is in, and what to do, for people                                       |
//! | `request`   | SHA-256 that stands for images, settings, keys and drive: the same again is not done by itself      |
//! | `report`    | all steps with their plans, problems and remarks                                                   |
//!
//! Only these two files are written, in place: the volume is FAT and is mounted read-only but for this.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use base::Sha256Digest;
use nix::mount::{mount, MsFlags};
use os_config::plain;
use serde::{Deserialize, Serialize};
use steps::Report;

use crate::block;
use crate::system::System;

pub(crate) const RESULT: &str = "setupos-result.json";
pub(crate) const LOG: &str = "setupos-log.txt";
const FORMAT: u32 = 1;
/// More of a result is none of ours.
const MOST_BYTES: u64 = 1 << 20;

/// The drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Drive {
    pub(crate) name: String,
    pub(crate) serial: Option<String>,
    pub(crate) wwn: Option<String>,
    pub(crate) size: Option<u64>,
}

/// The result.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    pub(crate) format: u32,
    pub(crate) installed: bool,
    pub(crate) version: Option<String>,
    pub(crate) env: Option<String>,
    pub(crate) drive: Option<Drive>,
    pub(crate) kept_data: bool,
    pub(crate) written: bool,
    pub(crate) problems: Vec<String>,
    pub(crate) state: String,
    pub(crate) remedy: String,
    pub(crate) request: Option<Sha256Digest>,
    pub(crate) report: Report,
}

impl Outcome {
    pub(crate) fn format() -> u32 {
        FORMAT
    }
}

/// What of an older result counts.
#[derive(Deserialize)]
struct Old {
    format: u32,
    installed: bool,
    request: Option<Sha256Digest>,
}

/// Whether the result on the medium at `dir` says that `request` was done.
pub(crate) fn was_done(dir: &Path, request: &Sha256Digest) -> bool {
    let mut bytes = Vec::new();
    let read = plain::open(&dir.join(RESULT))
        .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
    // One that does not read says nothing: then it is done again.
    let old = read
        .ok()
        .and_then(|_| serde_json::from_slice::<Old>(&bytes).ok());
    old.is_some_and(|old| {
        old.format == FORMAT && old.installed && old.request.as_ref() == Some(request)
    })
}

/// Writes both files to the CONFIG volume at `place`.
pub(crate) fn write(
    system: &System,
    place: &Path,
    outcome: &Outcome,
    log: &str,
) -> Result<(), String> {
    let json = serde_json::to_string_pretty(outcome).map_err(|error| error.to_string())?;
    on_volume(system, place, |dir| {
        put(dir, RESULT, &format!("{json}\n")).and_then(|()| put(dir, LOG, log))
    })
}

/// Whether the CONFIG volume at `place` takes anything: the log says from now on that an installation began.
pub(crate) fn begin(system: &System, place: &Path) -> Result<(), String> {
    const BEGUN: &str = "An installation began, and has not come to its end.\n";
    on_volume(system, place, |dir| put(dir, LOG, BEGUN))
}

/// Writes to the volume at `place`, which is mounted read-only before and afterwards.
fn on_volume(
    system: &System,
    place: &Path,
    write: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let dir = system.path(place);
    // A folder that stands for the volume is written as it is.
    let mounted = block::is_mounted(system, place) && dir == place;
    if mounted {
        remount(&dir, false)?;
    }
    let written = write(&dir);
    if mounted {
        // What was written is on the volume; that it stays writable is no loss before a restart.
        remount(&dir, true)?;
    }
    written
}

/// As /etc/fstab has it mounted, but for this.
fn remount(dir: &Path, read_only: bool) -> Result<(), String> {
    let mut flags =
        MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    flags.set(MsFlags::MS_RDONLY, read_only);
    mount(None::<&str>, dir, None::<&str>, flags, None::<&str>)
        .map_err(|error| format!("{}: cannot mount it again: {error}", dir.display()))
}

fn put(dir: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = dir.join(name);
    File::create(&path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(|error| format!("{}: {error}", path.display()))
}
