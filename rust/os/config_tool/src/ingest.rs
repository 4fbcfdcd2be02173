//! `config_tool ingest`: takes over what a medium says, if it counts.

use std::path::Path;

use anyhow::Context;
use os_config::{atomic, DataKey, Error, KeptKey, Kind, Medium, Origin, Store, DATA_KEY};
use program::say;

use crate::medium::{Sought, Volume};
use crate::{data, signature, Refused};

/// Where the medium is: a folder, or a volume with a label.
pub(crate) struct From<'a> {
    pub(crate) medium: Option<&'a Path>,
    pub(crate) label: Option<&'a str>,
    /// Where a volume is mounted.
    pub(crate) mount_dir: &'a Path,
}

/// What a medium is held to.
pub(crate) struct Rules<'a> {
    /// It need not be its owner's.
    pub(crate) unsigned: bool,
    /// The partition of the machine's data.
    pub(crate) data: Option<&'a Path>,
    /// Where a key goes that is not kept in the store: a file in memory.
    pub(crate) hand_key: Option<&'a Path>,
    /// The system that it is for.
    pub(crate) kind: Option<Kind>,
}

/// A data.key that would close the machine's data up.
const NOT_ENCRYPTED: &str = "it has a data.key, and what it would be for holds something that is not encrypted, so nothing could be opened with it: take data.key \
                             off the medium; or save what is there, zero the partition's first 160 MiB, and start again with the medium";

/// Takes over what the medium says, if there is one.
pub(crate) fn ingest(from: &From<'_>, store: &Store, rules: &Rules<'_>) -> anyhow::Result<()> {
    let Some((medium, from)) = read(from, store, rules.kind)? else {
        return Ok(());
    };
    let taken = take_over(&medium, &from, store, rules);
    let handed = match (rules.hand_key, &medium.config.data_key) {
        (Some(file), Some(key)) => hand(key, &from, store, file),
        _ => Ok(()),
    };
    taken.and(handed)
}

/// Puts the key of a medium where `node_tool prepare-volume` finds it, if it is the one whose sum is kept. It vouches for itself, so what else the medium
/// says, and whether that counts, is all the same: a machine may need it whose settings have long been others.
fn hand(key: &DataKey, from: &str, store: &Store, file: &Path) -> anyhow::Result<()> {
    let is_it = |kept: KeptKey| matches!(kept, KeptKey::Sum(_)) && kept.is(key);
    if !store.kept_key()?.is_some_and(is_it) {
        return Ok(());
    }
    atomic::write(file, format!("{}\n", key.digits()).as_bytes(), 0o600)
        .with_context(|| format!("cannot write {}", file.display()))?;
    say(&format!(
        "{DATA_KEY} of {from} is handed over, to open or to seal the data in this start; it is not stored"
    ))
}

/// Keeps what the medium says, if it counts.
fn take_over(medium: &Medium, from: &str, store: &Store, rules: &Rules<'_>) -> anyhow::Result<()> {
    let refused = || Refused::medium(&from);
    let config = &medium.config;
    if !rules.unsigned && !store.holds(config) {
        let proof = medium.proof.as_ref();
        let ownership = store.ownership()?;
        let admitted = ownership.admit(config, proof, signature::verify)?;
        admitted.with_context(refused)?;
    }
    if let (Some(partition), Some(_)) = (rules.data, &config.data_key) {
        let is_new = store.key_to_keep()?.is_none();
        if is_new && !data::takes_a_key(partition)? {
            let why = format!("{}: {NOT_ENCRYPTED}", partition.display());
            return Err(anyhow::anyhow!(why).context(refused()));
        }
    }
    let changed = match store.ingest(config) {
        Err(error @ (Error::OtherKey { .. } | Error::NoKey { .. })) => {
            return Err(error).with_context(refused)
        }
        other => other?,
    };
    say(&match changed {
        true => format!("configuration taken over from {from}"),
        false => format!("configuration of {from} is the stored one already"),
    })?;
    let of_system = rules.kind.map(|kind| config.remarks(kind));
    for remark in of_system.iter().flatten().chain(&medium.remarks()) {
        say(&format!("remark: {remark}"))?;
    }
    Ok(())
}

/// The medium, and what it is called; `None`, after saying why: there is none.
fn read(
    from: &From<'_>,
    store: &Store,
    kind: Option<Kind>,
) -> anyhow::Result<Option<(Medium, String)>> {
    let checked = |dir: &Path| {
        let medium = Medium::read(dir)?;
        if let Some(kind) = kind {
            medium.config.check_for(kind, dir)?;
        }
        Ok::<_, Error>(medium)
    };
    let (medium, from) = match (from.medium, from.label) {
        (Some(dir), _) => {
            anyhow::ensure!(dir.is_dir(), "{} is not a folder", dir.display());
            (checked(dir), dir.display().to_string())
        }
        (None, Some(label)) => match Volume::find(label, from.mount_dir)? {
            Sought::Mounted(volume) => {
                // Read to the end before the volume is let go of.
                let medium = checked(volume.dir());
                let from = volume.describe();
                volume.release()?;
                (medium, from)
            }
            Sought::Installer(device) => {
                say(&format!(
                    "{device}, labelled {label}, is on a stick of SetupOS and says what to install: it is left alone, {}",
                    kept(store)?
                ))?;
                return Ok(None);
            }
            Sought::Absent => {
                say(&format!("no medium labelled {label}, {}", kept(store)?))?;
                return Ok(None);
            }
        },
        (None, None) => anyhow::bail!("want --medium or --label"),
    };
    let medium = medium.with_context(|| Refused::medium(&from))?;
    Ok(Some((medium, from)))
}

/// What the machine goes on with.
fn kept(store: &Store) -> anyhow::Result<&'static str> {
    let (_, origin) = store
        .load()
        .context("and the stored configuration does not read")?;
    Ok(match origin {
        Origin::Stored => "keeping the stored configuration",
        Origin::Defaults => "nothing stored: defaults",
    })
}
