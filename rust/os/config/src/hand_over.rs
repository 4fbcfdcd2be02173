//! Handing over: from the configuration of one system that of the next.
//!
//! ```text
//! SetupOS   Medium::read -> SetupConfig::of -> .host.on_machine(card) -> hand_over(Host)  -> Store::ingest on HostOS's partition
//! HostOS    Store::load  -> HostConfig::of  -> .on_machine(card).guest -> hand_over(Guest) -> files() on a FAT volume named CONFIG
//! ```

use std::path::{Path, PathBuf};

use crate::document::{Document, Kind};
use crate::error::{Error, Problem};
use crate::store::{Config, CONFIG_JSON, SSH_KEYS_DIR};
use crate::typed::{GuestConfig, HostConfig, SetupConfig};

impl SetupConfig {
    /// What `config` says for an installation; refused is a `config.json` of another kind.
    pub fn of(config: &Config) -> Result<Self, Error> {
        match &config.document {
            None => Ok(Self::from(&config.settings)),
            Some(Document::Setup(setup)) => Ok(*setup.clone()),
            Some(other) => Err(wrong_kind(other.kind(), "setup")),
        }
    }
}

impl HostConfig {
    /// What `config` says for a host, on an installation medium or on the host itself; refused is a `config.json` for a guest.
    pub fn of(config: &Config) -> Result<Self, Error> {
        match &config.document {
            None => Ok(Self::from(&config.settings)),
            Some(Document::Setup(setup)) => Ok(setup.host.clone()),
            Some(Document::Host(host)) => Ok(*host.clone()),
            Some(other) => Err(wrong_kind(other.kind(), "setup or host")),
        }
    }
}

impl GuestConfig {
    /// What `config`, which lies on the guest, says for it: keys without `guest_` are its own. Refused is a `config.json` of another
    /// kind.
    pub fn of(config: &Config) -> Result<Self, Error> {
        match &config.document {
            None => Ok(Self::from(&config.settings)),
            Some(Document::Guest(guest)) => Ok(*guest.clone()),
            Some(other) => Err(wrong_kind(other.kind(), "guest")),
        }
    }
}

impl Document {
    /// What `config` says for a system of this kind.
    pub fn of(config: &Config, kind: Kind) -> Result<Self, Error> {
        Ok(match kind {
            Kind::Setup => Self::Setup(Box::new(SetupConfig::of(config)?)),
            Kind::Host => Self::Host(Box::new(HostConfig::of(config)?)),
            Kind::Guest => Self::Guest(Box::new(GuestConfig::of(config)?)),
        })
    }
}

impl Config {
    /// The configuration that says `document` and is else as this one: its `config.json` and the files beside it. A guest gets none
    /// of them but the keys for logging in.
    ///
    /// The same configuration and document make the same bytes. What a reader would refuse is refused.
    pub fn hand_over(&self, document: &Document) -> Result<Self, Error> {
        let mut next = Self::default();
        let bytes = document.to_json().into_bytes();
        next.put_main(CONFIG_JSON, Path::new(CONFIG_JSON), bytes)?;
        let all = document.kind() != Kind::Guest;
        let handed = self
            .others()
            .filter(|(path, _)| all || path.starts_with(SSH_KEYS_DIR));
        next.put_others(handed, &self.keys);
        if all {
            // As its file, which is among the others.
            next.data_key.clone_from(&self.data_key);
        }
        Ok(next)
    }
}

fn wrong_kind(got: Kind, want: &str) -> Error {
    let text = format!("kind: got \"{got}\", want {want}: it was made for another system");
    Error::Invalid {
        path: PathBuf::from(CONFIG_JSON),
        problems: vec![Problem::new(0, text)],
    }
}

#[cfg(test)]
#[path = "hand_over_tests.rs"]
mod tests;
