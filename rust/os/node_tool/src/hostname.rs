//! The host name: set in the kernel, and written to /run for those who look for a file.

use anyhow::Context;
use os_config::Settings;

use crate::System;

const FILE: &str = "/run/ic/hostname";

/// Sets the name of the configuration; without one the image's stays.
pub(crate) fn setup(settings: &Settings, system: &System) -> anyhow::Result<String> {
    let Some(name) = &settings.hostname else {
        system.remove(FILE)?;
        return Ok("hostname: not configured, the image's name stays".to_owned());
    };
    if system.is_running() {
        nix::unistd::sethostname(&**name)
            .with_context(|| format!("cannot set the host name {name}"))?;
    }
    system.write(FILE, format!("{name}\n").as_bytes())?;
    Ok(format!("hostname: {name}"))
}
