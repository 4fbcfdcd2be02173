//! `config.ini`: the keys, what each may hold, and how they go together.
//!
//! | key | value | unset means |
//! |---|---|---|
//! | `hostname` | one label or a full name, RFC 1123 | the image's own name stays |
//! | `domain` | search domain | none |
//! | `ipv6_address` | `2001:db8::2/64`, or without `/64` and with `ipv6_prefix_length` | by `ipv6_prefix`, else router advertisements (SLAAC) |
//! | `ipv6_prefix_length` | 1 to 128 | part of `ipv6_address` |
//! | `ipv6_gateway` | an address in the same network, or link-local | router advertisements |
//! | `ipv6_prefix` | `2001:db8::/64`: addresses that are not given are derived from hardware addresses, see [`Mac`] | |
//! | `management_mac` | the hardware address that others are derived from | that of the first wired card |
//! | `ipv4_address` | `192.0.2.2/24`, or without `/24` and with `ipv4_prefix_length` | DHCP |
//! | `ipv4_prefix_length` | 1 to 32 | part of `ipv4_address` |
//! | `ipv4_gateway` | an address in the same network | none |
//! | `name_servers` | addresses, separated by spaces or commas | from DHCP or router advertisements |
//! | `ipv6_name_servers`, `ipv4_name_servers` | the same, of one family | |
//! | `mtu` | 1280 to 9216 bytes | the card's |
//! | `serial` | a whole number, larger on each later medium that is signed | 0 |
//! | `media` | `signed` or `any`: the media that may replace this configuration, see [`Proof`](crate::Proof) | `signed` |
//! | `data_encryption` | `none`, `key` or `tpm2`: how the machine's own data are encrypted, see [`DataKey`](crate::DataKey) | `key` if there is a `data.key`, else `none` |
//!
//! Of a host, about its virtual machine ([`HOST_KEYS`]):
//!
//! | key | value | unset means |
//! |---|---|---|
//! | `vm_memory_mib` | 512 to 16777216 MiB | what the machine has to spare |
//! | `vm_cpus` | 1 to 1024 | what the machine has to spare |
//! | `vm_hugepages` | `yes` or `no` | `no` |
//! | `guest_hostname` | as `hostname` | the image's own name |
//! | `guest_ipv6_address`, `_prefix_length`, `_gateway` | as those without `guest_` | by `ipv6_prefix`, else router advertisements |
//! | `guest_ipv4_address`, `_prefix_length`, `_gateway` | as those without `guest_` | DHCP |
//! | `guest_name_servers` | as `name_servers` | those of the host |
//!
//! Of an installation medium ([`INSTALLER_KEYS`]):
//!
//! | key | value | unset means |
//! |---|---|---|
//! | `drive` | `auto`, or a drive's serial number, WWN or name in `/dev/disk/by-id` | `auto` |
//! | `erase` | `yes` or `no`: whether a drive that holds something may be overwritten | `no` |
//! | `keep_data` | `yes` or `no`: whether the data of an installed system stays | `no` |
//! | `unattended` | `yes` or `no`: whether nobody is asked | `no` |
//! | `after_install` | `reboot`, `poweroff` or `halt` | `reboot` |
//! | `node_type` | what kind of machine it is | `default` |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use crate::address::{self, prefix_length, Address, Family};
use crate::error::{Error, Problem};
use crate::ini::{self, Pair};
use crate::mac::{DerivedIpv6, Ipv6Prefix, Mac};
use crate::typed::{InstallConfig, VmSettings};
use crate::values::{
    digits, yes_no, AfterInstall, Cpus, DataEncryption, DomainName, DriveChoice, HostName, Media,
    MemoryMib, Mtu, NodeType, Parsed,
};

/// The keys that `config.ini` may hold.
pub const KEYS: [&str; 34] = [
    "hostname",
    "domain",
    "ipv6_address",
    "ipv6_prefix_length",
    "ipv6_gateway",
    "ipv6_prefix",
    "management_mac",
    "ipv4_address",
    "ipv4_prefix_length",
    "ipv4_gateway",
    "name_servers",
    "ipv6_name_servers",
    "ipv4_name_servers",
    "mtu",
    "serial",
    "media",
    "data_encryption",
    "vm_memory_mib",
    "vm_cpus",
    "vm_hugepages",
    "guest_hostname",
    "guest_ipv6_address",
    "guest_ipv6_prefix_length",
    "guest_ipv6_gateway",
    "guest_ipv4_address",
    "guest_ipv4_prefix_length",
    "guest_ipv4_gateway",
    "guest_name_servers",
    "drive",
    "erase",
    "keep_data",
    "unattended",
    "after_install",
    "node_type",
];

/// Those of [`KEYS`] that mean something only on a host: they are about its virtual machine.
pub const HOST_KEYS: [&str; 11] = [
    "vm_memory_mib",
    "vm_cpus",
    "vm_hugepages",
    "guest_hostname",
    "guest_ipv6_address",
    "guest_ipv6_prefix_length",
    "guest_ipv6_gateway",
    "guest_ipv4_address",
    "guest_ipv4_prefix_length",
    "guest_ipv4_gateway",
    "guest_name_servers",
];

/// Those of [`KEYS`] that mean something only on an installation medium.
pub const INSTALLER_KEYS: [&str; 6] = [
    "drive",
    "erase",
    "keep_data",
    "unattended",
    "after_install",
    "node_type",
];

/// What `config.ini` says; the default is an empty file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The machine's name.
    pub hostname: Option<HostName>,
    /// Search domain.
    pub domain: Option<DomainName>,
    /// Static IPv6 address; none: as `ipv6_derived` says, else router advertisements.
    pub ipv6: Option<Address<Ipv6Addr>>,
    /// Where addresses are derived that are not given; of this machine and of its guest.
    pub ipv6_derived: Option<DerivedIpv6>,
    /// The hardware address that others are derived from; none: that of the first wired card.
    pub management_mac: Option<Mac>,
    /// Static IPv4 address; none: DHCP.
    pub ipv4: Option<Address<Ipv4Addr>>,
    /// Name servers, in the order of the file.
    pub name_servers: Vec<IpAddr>,
    /// Largest packet in bytes.
    pub mtu: Option<Mtu>,
    /// Of several signed media the later one has the larger.
    pub serial: u64,
    /// Whether any medium may replace this configuration.
    pub any_medium: bool,
    /// How the machine's own data are encrypted; none: with a `data.key` if there is one.
    pub data_encryption: Option<DataEncryption>,
    /// What the virtual machine is given.
    pub vm: VmSettings,
    /// What the virtual machine's system is told.
    pub guest: GuestSettings,
    /// What the installer does.
    pub install: InstallConfig,
    /// All keys that are set, as written, in the order of the file.
    pub pairs: Vec<(String, String)>,
    /// The line of each of these.
    lines: Vec<usize>,
}

/// The keys that begin with `guest_`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestSettings {
    /// The guest's name.
    pub hostname: Option<HostName>,
    /// Static IPv6 address.
    pub ipv6: Option<Address<Ipv6Addr>>,
    /// The gateway of an address that is derived, if it is not the host's.
    pub ipv6_gateway: Option<Ipv6Addr>,
    /// Static IPv4 address.
    pub ipv4: Option<Address<Ipv4Addr>>,
    /// Name servers; none: those of the host.
    pub name_servers: Vec<IpAddr>,
}

impl Settings {
    /// Reads `bytes`; `path` is only for messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let (mut pairs, mut problems) = ini::parse(bytes);
        pairs.retain(|pair| {
            let known = KEYS.contains(&pair.key.as_str());
            if !known {
                problems.push(Problem::new(pair.line, unknown_key(&pair.key)));
            }
            known && !pair.value.is_empty()
        });
        let mut reader = Reader { pairs, problems };
        let settings = reader.settings();
        if reader.problems.is_empty() {
            return Ok(settings);
        }
        reader.problems.sort_by_key(|p| p.line);
        Err(Error::Invalid {
            path: path.to_path_buf(),
            problems: reader.problems,
        })
    }

    /// Line, key and value of all keys that are set.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let pairs = self.lines.iter().zip(&self.pairs);
        pairs.map(|(line, (key, value))| (*line, key.as_str(), value.as_str()))
    }

    /// The value of `key` as written; `None` for a key that is not set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

fn unknown_key(key: &str) -> String {
    match base::text::nearest(key, &KEYS) {
        Some(known) => format!("unknown key {key:?}, did you mean {known}?"),
        None => format!("unknown key {key:?}, want one of {}", KEYS.join(", ")),
    }
}

/// Whether an address is of a family.
type Fits = fn(&IpAddr) -> bool;

/// The pairs not yet looked at, and what was wrong with the others.
struct Reader {
    pairs: Vec<Pair>,
    problems: Vec<Problem>,
}

impl Reader {
    fn settings(&mut self) -> Settings {
        let may_derive = self.pair("ipv6_prefix").is_some();
        let (ipv6, gateway) = self.address::<Ipv6Addr>("", may_derive);
        let ipv6_derived = self.derived(ipv6, gateway);
        let (ipv4, _) = self.address::<Ipv4Addr>("", false);
        let guest = self.guest(ipv6_derived, may_derive);
        self.different("ipv6_address", ipv6, guest.ipv6);
        self.different("ipv4_address", ipv4, guest.ipv4);
        Settings {
            hostname: self.read("hostname", HostName::parse),
            domain: self.read("domain", DomainName::parse),
            ipv6,
            ipv6_derived,
            management_mac: self.read("management_mac", Mac::parse),
            ipv4,
            name_servers: self.name_servers(),
            mtu: self.read("mtu", Mtu::parse),
            // What has no number is older than all that have one.
            serial: self.read("serial", serial).unwrap_or(0),
            any_medium: self.read("media", Media::parse) == Some(Media::Any),
            data_encryption: self.read("data_encryption", DataEncryption::parse),
            vm: VmSettings {
                memory_mib: self.read("vm_memory_mib", MemoryMib::parse),
                cpus: self.read("vm_cpus", Cpus::parse),
                hugepages: self.said_yes("vm_hugepages"),
            },
            guest,
            install: self.install(),
            pairs: self
                .pairs
                .iter()
                .map(|p| (p.key.clone(), p.value.clone()))
                .collect(),
            lines: self.pairs.iter().map(|p| p.line).collect(),
        }
    }

    fn guest(&mut self, derived: Option<DerivedIpv6>, may_derive: bool) -> GuestSettings {
        let (ipv6, ipv6_gateway) = self.address::<Ipv6Addr>("guest_", may_derive);
        if let Some((derived, gateway)) = derived.zip(ipv6_gateway) {
            if !derived.prefix.reaches(gateway) {
                self.problem("guest_ipv6_gateway", "not in the network of ipv6_prefix");
            }
        }
        let (ipv4, _) = self.address::<Ipv4Addr>("guest_", false);
        let name_servers = self.read("guest_name_servers", |v| {
            servers(v, |_| true, "IP addresses")
        });
        GuestSettings {
            hostname: self.read("guest_hostname", HostName::parse),
            ipv6,
            ipv6_gateway,
            ipv4,
            name_servers: name_servers.unwrap_or_default(),
        }
    }

    /// What a key that is not set means is what the types' own defaults say; one that is refused refuses the file.
    fn install(&mut self) -> InstallConfig {
        InstallConfig {
            drive: self.read("drive", DriveChoice::parse).unwrap_or_default(),
            erase: self.said_yes("erase"),
            keep_data: self.said_yes("keep_data"),
            unattended: self.said_yes("unattended"),
            after_install: self
                .read("after_install", AfterInstall::parse)
                .unwrap_or_default(),
            node_type: self.read("node_type", NodeType::parse).unwrap_or_default(),
        }
    }

    fn pair(&self, key: &str) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.key == key)
    }

    fn line(&self, key: &str) -> usize {
        self.pair(key).map_or(0, |pair| pair.line)
    }

    fn problem(&mut self, key: &str, text: &str) {
        let line = self.line(key);
        self.problems
            .push(Problem::new(line, format!("{key}: {text}")));
    }

    /// The value of `key` through `parse`; what parse refuses becomes a problem of its line.
    fn read<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Parsed<T>) -> Option<T> {
        let pair = self.pair(key)?;
        match parse(&pair.value) {
            Ok(value) => Some(value),
            Err(want) => {
                let text = format!("got {:?}, want {want}", pair.value);
                self.problem(key, &text);
                None
            }
        }
    }

    fn said_yes(&mut self, key: &str) -> bool {
        self.read(key, yes_no) == Some(true)
    }

    fn name_servers(&mut self) -> Vec<IpAddr> {
        let mut all = Vec::new();
        let families: [(&str, Fits, &str); 3] = [
            ("name_servers", |_| true, "IP addresses"),
            ("ipv6_name_servers", IpAddr::is_ipv6, "IPv6 addresses"),
            ("ipv4_name_servers", IpAddr::is_ipv4, "IPv4 addresses"),
        ];
        for (key, fits, what) in families {
            let read = self.read(key, |value| servers(value, fits, what));
            all.extend(read.into_iter().flatten());
        }
        all
    }

    /// What `ipv6_prefix` says, with the gateway that is there and fits: of this machine's own address, or alone.
    fn derived(
        &mut self,
        own: Option<Address<Ipv6Addr>>,
        alone: Option<Ipv6Addr>,
    ) -> Option<DerivedIpv6> {
        let prefix = self.read("ipv6_prefix", Ipv6Prefix::parse)?;
        if alone.is_some_and(|gateway| !prefix.reaches(gateway)) {
            self.problem("ipv6_gateway", "not in the network of ipv6_prefix");
        }
        // An address of its own may lie in another network; its gateway is then nobody else's.
        let gateway = own.map_or(alone, |own| own.gateway);
        Some(DerivedIpv6 {
            prefix,
            gateway: gateway.filter(|gateway| prefix.reaches(*gateway)),
        })
    }

    /// Two machines on one network can't have one address.
    fn different<A: Family>(
        &mut self,
        key: &str,
        host: Option<Address<A>>,
        guest: Option<Address<A>>,
    ) {
        if host
            .zip(guest)
            .is_some_and(|(host, guest)| host.address == guest.address)
        {
            let text = format!("the same as {key}, want one of the guest's own");
            self.problem(&format!("guest_{key}"), &text);
        }
    }

    /// `{owner}{family}_address`, `_prefix_length` and `_gateway`, each by itself and then together: the address, and if there is none
    /// but one `may_derive` it, the gateway alone.
    fn address<A: Family>(
        &mut self,
        owner: &str,
        may_derive: bool,
    ) -> (Option<Address<A>>, Option<A>) {
        let [address_key, prefix_key, gateway_key] =
            ["address", "prefix_length", "gateway"].map(|part| format!("{owner}{}_{part}", A::KEY));
        let alone = self.read(&prefix_key, prefix_length::<A>);
        let gateway = self.read(&gateway_key, A::parse);
        if self.pair(&address_key).is_none() {
            let lone = [(&prefix_key, false), (&gateway_key, may_derive)];
            for (key, _) in lone.into_iter().filter(|(_, taken)| !taken) {
                if self.pair(key).is_some() {
                    self.problem(key, &format!("given without {address_key}"));
                }
            }
            return (None, gateway);
        }
        let own = self.own_address(&address_key, &prefix_key, alone, gateway);
        if let Some(own) = &own {
            if let Err(text) = address::check(own) {
                self.problem(&address_key, text);
            }
            if let Some(Err(text)) = gateway.map(|gateway| address::check_gateway(own, gateway)) {
                self.problem(&gateway_key, text);
            }
        }
        (own, None)
    }

    /// The address in `address_key`, with the prefix length that is part of it or stands `alone` in `prefix_key`.
    fn own_address<A: Family>(
        &mut self,
        address_key: &str,
        prefix_key: &str,
        alone: Option<u8>,
        gateway: Option<A>,
    ) -> Option<Address<A>> {
        let (address, suffix) = self.read(address_key, A::split)?;
        let prefix_length = match suffix.or(alone) {
            Some(_) if suffix.is_some() && self.pair(prefix_key).is_some() => {
                self.problem(prefix_key, &format!("already part of {address_key}"));
                return None;
            }
            Some(length) => length,
            // A prefix length that is there and could not be read is a problem already.
            None if self.pair(prefix_key).is_some() => return None,
            None => {
                let example = A::EXAMPLE;
                let text = format!("has no prefix length, want {example} or {prefix_key}");
                self.problem(address_key, &text);
                return None;
            }
        };
        Some(Address {
            address,
            prefix_length,
            gateway,
        })
    }
}

fn servers(value: &str, fits: Fits, what: &str) -> Parsed<Vec<IpAddr>> {
    value
        .split([' ', '\t', ','])
        .filter(|word| !word.is_empty())
        .map(|word| match word.parse() {
            Ok(ip) if fits(&ip) => Ok(ip),
            _ => Err(format!("{what} separated by spaces or commas")),
        })
        .collect()
}

fn serial(value: &str) -> Parsed<u64> {
    digits(value).ok_or_else(|| format!("a whole number from 0 to {}", u64::MAX))
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
