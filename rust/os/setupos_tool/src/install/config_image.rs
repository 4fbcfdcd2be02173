//! HostOS's partition `config` as it leaves the installer: an ext4 file system with `config.json` and the keys for logging in.
//!
//! HostOS's image has an empty one there (`empty_partitions` of ic-os/os.bzl), whose place this one takes: blocks of 4096 bytes, inodes of 256,
//! nothing reserved. The installer makes it in memory, since nothing may be
//! written to the drive before everything is known to be right.

use std::fs::{self, File};
use std::path::Path;

use os_config::{Config, Store};
use uuid::Uuid;

use super::program;
use super::source::Source;
use crate::system::System;

const MKE2FS: &str = "/usr/sbin/mke2fs";
/// Label of the file system.
const LABEL: &str = "config";

/// Makes it, `len` bytes long, below the folder `at`, with `config` in it. Its UUID is `uuid`, which every machine of ours has.
pub(crate) fn make(
    system: &System,
    at: &Path,
    config: &Config,
    len: u64,
    uuid: Uuid,
) -> Result<Source, String> {
    let cannot = |path: &Path| {
        let shown = path.display().to_string();
        move |error: std::io::Error| format!("{shown}: {error}")
    };
    let folder = at.join("config");
    let image = at.join("config.img");
    // Of an installation that failed before.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(cannot(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(cannot(&folder))?;
    Store::new(&folder)
        .ingest(config)
        .map_err(|error| error.to_string())?;
    let file = File::create(&image).map_err(cannot(&image))?;
    file.set_len(len).map_err(cannot(&image))?;
    let extended = format!("hash_seed={uuid},root_owner=0:0,nodiscard,lazy_itable_init=0");
    let uuid = uuid.to_string();
    let fixed = [
        "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-L", LABEL, "-U", &uuid,
        "-E", &extended, "-d",
    ];
    let args = fixed.iter().map(std::ffi::OsStr::new);
    let places = [folder.as_os_str(), image.as_os_str()];
    program::run(system, MKE2FS, args.chain(places))?;
    let image = Source::open(&image)?;
    match image.len == len {
        true => Ok(image),
        false => Err(format!("{}: {} bytes, want {len}", image.name, image.len)),
    }
}
