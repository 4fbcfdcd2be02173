//! What is wrong with a configuration on one system and not in itself, and what is right and may not be meant.

use std::path::Path;

use crate::document::{Document, Kind};
use crate::error::{Error, Problem};
use crate::medium::Medium;
use crate::proof::OWNER;
use crate::settings::{Settings, HOST_KEYS, INSTALLER_KEYS};
use crate::store::{Config, CONFIG_INI, SSH_KEYS_DIR};
use crate::typed::{HostConfig, NetworkConfig, SetupConfig};
use crate::values::{DataEncryption, DriveChoice, Media};

impl Config {
    /// Whether a system of this kind can be told this configuration, which was read from `dir`.
    ///
    /// A guest refuses keys that only an installer or a host reads. Where they stand, `hostname` and `ipv6_address` are meant for the
    /// host, and a guest that took them would answer in the host's place. A host takes an installation medium as it is: the same
    /// stick that installed it may change its settings.
    pub fn check_for(&self, kind: Kind, dir: &Path) -> Result<(), Error> {
        let refused = |name: &Path, problems| Error::Invalid {
            path: dir.join(name),
            problems,
        };
        match Document::of(self, kind) {
            Err(Error::Invalid { path, problems }) => return Err(refused(&path, problems)),
            Err(other) => return Err(other),
            Ok(_) => {}
        }
        if kind != Kind::Guest || self.document.is_some() {
            return Ok(());
        }
        let foreign = self.settings.lines().filter_map(|(line, key, value)| {
            let of = owner_of(key)?;
            let text = format!("{key}: got {value:?}, and only {of} reads that: this is a guest, whose own keys have no prefix; take the line out");
            Some(Problem::new(line, text))
        });
        let problems: Vec<Problem> = foreign.collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(refused(Path::new(CONFIG_INI), problems)),
        }
    }

    /// What is right for a system of this kind and may not be meant, a sentence each.
    pub fn remarks(&self, kind: Kind) -> Vec<String> {
        let mut said = Vec::new();
        if self.has_owner() && self.settings.any_medium && kind != Kind::Guest {
            said.push(
                "media=any: whoever plugs in a medium replaces this configuration and its keys"
                    .to_owned(),
            );
        }
        if self.settings.data_encryption == Some(DataEncryption::Tpm2) {
            if self.data_key.is_none() && self.data_key_sum.is_none() {
                said.push("data_encryption=tpm2 without data.key: only a machine that was told its key before takes it".to_owned());
            }
            if kind == Kind::Setup {
                said.push("data_encryption=tpm2: the key is not written to the drive, so HostOS needs this medium once more, at its first start".to_owned());
            }
        }
        match kind {
            Kind::Setup => said.extend(SetupConfig::of(self).iter().flat_map(of_install)),
            Kind::Host => said.extend(for_installer(&self.settings)),
            Kind::Guest => {}
        }
        if kind != Kind::Guest {
            said.extend(HostConfig::of(self).iter().flat_map(of_host));
            said.extend(of_prefix(&self.settings));
        }
        let network = NetworkConfig::from(&self.settings);
        said.extend(no_servers("", &network));
        said
    }
}

impl Medium {
    /// What is right and may not be meant, of keys and signature.
    pub fn remarks(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.config.has_owner() {
            said.push(format!("no key in {SSH_KEYS_DIR}/{OWNER}: nobody can log in to a production system, and any later medium counts"));
        }
        if self.proof.is_some() && self.config.settings.serial == 0 {
            said.push("signed, and without serial: a machine that has a configuration takes only a larger one than its own".to_owned());
        }
        said
    }
}

/// Who alone reads `key`.
fn owner_of(key: &str) -> Option<&'static str> {
    if HOST_KEYS.contains(&key) {
        Some("a host")
    } else if INSTALLER_KEYS.contains(&key) {
        Some("an installer")
    } else {
        None
    }
}

fn of_install(setup: &SetupConfig) -> Vec<String> {
    let install = &setup.install;
    let mut said = Vec::new();
    if install.erase && install.unattended {
        let which = match &install.drive {
            DriveChoice::Auto => "the drive that it chooses".to_owned(),
            DriveChoice::Named(name) => format!("the drive {name}"),
        };
        said.push(format!("erase=yes and unattended=yes: a machine that starts from this medium overwrites {which}, and nobody is asked"));
    }
    said
}

fn for_installer(settings: &Settings) -> Option<String> {
    let lines = settings.lines();
    let keys: Vec<&str> = lines
        .filter(|(_, key, _)| INSTALLER_KEYS.contains(key))
        .map(|(_, key, _)| key)
        .collect();
    (!keys.is_empty()).then(|| {
        let keys = keys.join(", ");
        format!("{keys}: only an installer reads that; this system is installed already")
    })
}

fn of_host(host: &HostConfig) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(name) = host
        .hostname
        .as_ref()
        .filter(|name| host.guest.hostname.as_ref() == Some(name))
    {
        said.push(format!("guest_hostname: {name} is the host's name too"));
    }
    if host.guest.media == Media::Signed {
        said.push(
            "the guest takes signed media only: what the host says later does not reach it"
                .to_owned(),
        );
    }
    said.extend(no_servers("guest_", &host.guest.network));
    said
}

fn of_prefix(settings: &Settings) -> Option<String> {
    let prefix = settings.ipv6_derived?.prefix;
    let own = settings.ipv6?;
    if settings.guest.ipv6.is_some() {
        return Some(
            "ipv6_prefix: nothing is derived from it, both addresses are given".to_owned(),
        );
    }
    (!prefix.reaches(own.address)).then(|| {
        format!(
            "ipv6_prefix: the guest's address is derived in {prefix}, where the host's {} is not",
            own.address
        )
    })
}

/// A machine that asks nobody for its addresses is told of no name servers by anybody.
fn no_servers(owner: &str, network: &NetworkConfig) -> Option<String> {
    let routers = match (network.ipv6, network.ipv6_derived) {
        (Some(own), _) => own.gateway.is_none(),
        (None, Some(derived)) => derived.gateway.is_none(),
        (None, None) => true,
    };
    let told = network.ipv4.is_none() || routers;
    (!told && network.name_servers.is_empty()).then(|| {
        format!("{owner}name_servers: none, and with {owner}ipv4_address and an IPv6 gateway given the network is not asked for any")
    })
}

#[cfg(test)]
#[path = "remarks_tests.rs"]
mod tests;
