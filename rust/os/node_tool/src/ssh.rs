//! SSH keys: one file a user, where sshd's `AuthorizedKeysFile /run/ic/ssh_authorized_keys/%u` finds it.
//!
//! The files are root's and readable by all, so that a user can't give a key to himself and sshd's strict modes are
//! content. They are written at each boot: what the configuration does not say is gone.

use std::os::unix::fs::PermissionsExt;

use anyhow::Context;
use os_config::{Config, SSH_USERS};

use crate::System;

const DIR: &str = "/run/ic/ssh_authorized_keys";

/// Writes the keys of all users.
pub(crate) fn setup(config: &Config, system: &System) -> anyhow::Result<String> {
    let dir = system.path(DIR);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot set the mode of {}", dir.display()))?;
    let mut counts = Vec::new();
    for user in SSH_USERS {
        let path = format!("{DIR}/{user}");
        match config.keys_of(user) {
            Some(keys) => {
                system.write(&path, keys.to_text().as_bytes())?;
                counts.push(format!("{user} {}", keys.keys.len()));
            }
            None => {
                system.remove(&path)?;
                counts.push(format!("{user} none"));
            }
        }
    }
    Ok(format!("ssh keys: {}", counts.join(", ")))
}
