//! From `config.ini` to what is handed on, and from that to the keys that say the same.
//!
//! A guest's configuration takes over from the host's what it does not say itself: name servers if it has none, domain, mtu, the
//! gateway of a derived address. Its medium comes from the host, which took it over from an owner: the guest listens to any medium
//! (`media` is `any`), since nobody but the host can plug one in.

use std::fmt::Display;

use crate::address::{Address, Family};
use crate::mac::DerivedIpv6;
use crate::settings::Settings;
use crate::typed::{GuestConfig, HostConfig, NetworkConfig, SetupConfig};
use crate::values::{Format, Media};

impl From<&Settings> for SetupConfig {
    fn from(settings: &Settings) -> Self {
        Self {
            format: Format::V1,
            install: settings.install.clone(),
            host: HostConfig::from(settings),
        }
    }
}

impl From<&Settings> for HostConfig {
    fn from(settings: &Settings) -> Self {
        Self {
            format: Format::V1,
            hostname: settings.hostname.clone(),
            serial: settings.serial,
            media: settings.media(),
            data_encryption: settings.data_encryption,
            network: NetworkConfig::from(settings),
            vm: settings.vm.clone(),
            guest: guest_of_host(settings),
        }
    }
}

/// Of a `config.ini` that lies on the guest itself: keys without `guest_` are its own.
impl From<&Settings> for GuestConfig {
    fn from(settings: &Settings) -> Self {
        Self {
            format: Format::V1,
            hostname: settings.hostname.clone(),
            serial: settings.serial,
            media: settings.media(),
            data_encryption: settings.data_encryption,
            network: NetworkConfig::from(settings),
        }
    }
}

impl From<&Settings> for NetworkConfig {
    fn from(settings: &Settings) -> Self {
        let unless_given = |_: &DerivedIpv6| settings.ipv6.is_none();
        Self {
            management_mac: settings.management_mac,
            ipv6: settings.ipv6,
            ipv6_derived: settings.ipv6_derived.filter(unless_given),
            ipv4: settings.ipv4,
            name_servers: settings.name_servers.clone(),
            domain: settings.domain.clone(),
            mtu: settings.mtu,
        }
    }
}

impl Settings {
    fn media(&self) -> Media {
        match self.any_medium {
            true => Media::Any,
            false => Media::Signed,
        }
    }
}

fn guest_of_host(settings: &Settings) -> GuestConfig {
    let guest = &settings.guest;
    let derived = settings.ipv6_derived.filter(|_| guest.ipv6.is_none());
    let name_servers = match guest.name_servers.is_empty() {
        true => &settings.name_servers,
        false => &guest.name_servers,
    };
    GuestConfig {
        format: Format::V1,
        hostname: guest.hostname.clone(),
        serial: settings.serial,
        media: Media::Any,
        // Of its own no key is handed to it.
        data_encryption: None,
        network: NetworkConfig {
            // Derived from the host's, which only the machine itself may know.
            management_mac: None,
            ipv6: guest.ipv6,
            ipv6_derived: derived.map(|derived| DerivedIpv6 {
                gateway: guest.ipv6_gateway.or(derived.gateway),
                ..derived
            }),
            ipv4: guest.ipv4,
            name_servers: name_servers.clone(),
            domain: settings.domain.clone(),
            mtu: settings.mtu,
        },
    }
}

/// Keys that are set, in the order in which they are documented.
#[derive(Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn put(&mut self, key: &str, value: Option<impl Display>) {
        let pair = value.map(|value| (key.to_owned(), value.to_string()));
        self.0.extend(pair);
    }

    fn yes(&mut self, key: &str, value: bool) {
        self.put(key, value.then_some("yes"));
    }

    fn address<A: Family>(&mut self, owner: &str, address: Option<Address<A>>) {
        let family = A::KEY;
        let full = address.map(|a| format!("{}/{}", a.address, a.prefix_length));
        self.put(&format!("{owner}{family}_address"), full);
        let gateway = address.and_then(|a| a.gateway);
        self.put(&format!("{owner}{family}_gateway"), gateway);
    }

    fn list(&mut self, key: &str, values: &[impl Display]) {
        let words: Vec<String> = values.iter().map(ToString::to_string).collect();
        self.put(key, (!words.is_empty()).then(|| words.join(" ")));
    }

    fn network(&mut self, network: &NetworkConfig) {
        self.put("domain", network.domain.as_ref());
        self.address("", network.ipv6);
        if let Some(derived) = network.ipv6_derived {
            self.put("ipv6_gateway", derived.gateway);
            self.put("ipv6_prefix", Some(derived.prefix));
        }
        self.put("management_mac", network.management_mac);
        self.address("", network.ipv4);
        self.list("name_servers", &network.name_servers);
        self.put("mtu", network.mtu);
    }

    fn ownership(&mut self, serial: u64, media: Media) {
        self.put("serial", (serial != 0).then_some(serial));
        self.put("media", (media == Media::Any).then_some(media));
    }

    /// What a document says of a guest goes beyond what keys can say: another prefix than the host's is left out.
    fn guest_ipv6(&mut self, host: &NetworkConfig, guest: &NetworkConfig) {
        self.address("guest_", guest.ipv6);
        let Some(derived) = guest.ipv6_derived.filter(|_| guest.ipv6.is_none()) else {
            return;
        };
        match host.ipv6_derived {
            Some(of_host) if of_host.prefix != derived.prefix => return,
            Some(of_host) if of_host.gateway == derived.gateway => return,
            Some(_) => {}
            // Of a host that has no address of its own the key would make one.
            None if host.ipv6.is_none() => return,
            None => self.put("ipv6_prefix", Some(derived.prefix)),
        }
        self.put("guest_ipv6_gateway", derived.gateway);
    }

    pub(crate) fn of_guest(guest: &GuestConfig) -> Self {
        let mut pairs = Self::default();
        pairs.put("hostname", guest.hostname.as_ref());
        pairs.network(&guest.network);
        pairs.ownership(guest.serial, guest.media);
        pairs.put("data_encryption", guest.data_encryption);
        pairs
    }

    pub(crate) fn of_host(host: &HostConfig) -> Self {
        let mut pairs = Self::default();
        pairs.put("hostname", host.hostname.as_ref());
        pairs.network(&host.network);
        pairs.ownership(host.serial, host.media);
        pairs.put("data_encryption", host.data_encryption);
        pairs.put("vm_memory_mib", host.vm.memory_mib);
        pairs.put("vm_cpus", host.vm.cpus);
        pairs.yes("vm_hugepages", host.vm.hugepages);
        let guest = &host.guest;
        pairs.put("guest_hostname", guest.hostname.as_ref());
        pairs.guest_ipv6(&host.network, &guest.network);
        pairs.address("guest_", guest.network.ipv4);
        pairs.list("guest_name_servers", &guest.network.name_servers);
        pairs
    }

    pub(crate) fn of_setup(setup: &SetupConfig) -> Self {
        let mut pairs = Self::of_host(&setup.host);
        let (install, unset) = (&setup.install, crate::InstallConfig::default());
        pairs.put("drive", Some(&install.drive).filter(|v| **v != unset.drive));
        pairs.yes("erase", install.erase);
        pairs.yes("keep_data", install.keep_data);
        pairs.yes("unattended", install.unattended);
        let after = Some(install.after_install);
        pairs.put("after_install", after.filter(|v| *v != unset.after_install));
        let node_type = Some(&install.node_type);
        pairs.put("node_type", node_type.filter(|v| **v != unset.node_type));
        pairs
    }

    /// As `config.ini`.
    pub(crate) fn to_ini(&self) -> String {
        let lines = self.0.iter().map(|(key, value)| format!("{key}={value}\n"));
        lines.collect()
    }
}
