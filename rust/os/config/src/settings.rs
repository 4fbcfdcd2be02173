//! `config.ini`: the keys, what each may hold, and how they go together.
//!
//! | key | value | unset means |
//! |---|---|---|
//! | `hostname` | one label or a full name, RFC 1123 | the image's own name stays |
//! | `domain` | search domain | none |
//! | `ipv6_address` | `2001:db8::2/64`, or without `/64` and with `ipv6_prefix_length` | router advertisements (SLAAC) |
//! | `ipv6_prefix_length` | 1 to 128 | part of `ipv6_address` |
//! | `ipv6_gateway` | an address in the same network, or link-local | router advertisements |
//! | `ipv4_address` | `192.0.2.2/24`, or without `/24` and with `ipv4_prefix_length` | DHCP |
//! | `ipv4_prefix_length` | 1 to 32 | part of `ipv4_address` |
//! | `ipv4_gateway` | an address in the same network | none |
//! | `name_servers` | addresses, separated by spaces or commas | from DHCP or router advertisements |
//! | `ipv6_name_servers`, `ipv4_name_servers` | the same, of one family | |
//! | `mtu` | 1280 to 9216 bytes | the card's |
//! | `serial` | a whole number, larger on each later medium that is signed | 0 |
//! | `media` | `signed` or `any`: the media that may replace this configuration, see [`Proof`](crate::Proof) | `signed` |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use crate::error::{Error, Problem};
use crate::ini::{self, Pair};

/// The keys that `config.ini` may hold.
pub const KEYS: [&str; 14] = [
    "hostname",
    "domain",
    "ipv6_address",
    "ipv6_prefix_length",
    "ipv6_gateway",
    "ipv4_address",
    "ipv4_prefix_length",
    "ipv4_gateway",
    "name_servers",
    "ipv6_name_servers",
    "ipv4_name_servers",
    "mtu",
    "serial",
    "media",
];

/// A static address of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<A> {
    /// The host's address.
    pub address: A,
    /// Bits of the network.
    pub prefix_length: u8,
    /// Where everything else goes.
    pub gateway: Option<A>,
}

/// What `config.ini` says; the default is an empty file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The machine's name.
    pub hostname: Option<String>,
    /// Search domain.
    pub domain: Option<String>,
    /// Static IPv6 address; none: router advertisements.
    pub ipv6: Option<Address<Ipv6Addr>>,
    /// Static IPv4 address; none: DHCP.
    pub ipv4: Option<Address<Ipv4Addr>>,
    /// Name servers, in the order of the file.
    pub name_servers: Vec<IpAddr>,
    /// Largest packet in bytes.
    pub mtu: Option<u32>,
    /// Of several signed media the later one has the larger.
    pub serial: u64,
    /// Whether any medium may replace this configuration.
    pub any_medium: bool,
    /// All keys that are set, as written, in the order of the file.
    pub pairs: Vec<(String, String)>,
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
        Settings {
            hostname: self.read("hostname", |v| name(v, 64)),
            domain: self.read("domain", |v| name(v, 253)),
            ipv6: self.address(&IPV6),
            ipv4: self.address(&IPV4),
            name_servers: self.name_servers(),
            mtu: self.read("mtu", mtu),
            // What has no number is older than all that have one.
            serial: self.read("serial", serial).unwrap_or(0),
            any_medium: self.read("media", any_medium).unwrap_or(false),
            pairs: self
                .pairs
                .iter()
                .map(|p| (p.key.clone(), p.value.clone()))
                .collect(),
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
    fn read<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
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

    fn name_servers(&mut self) -> Vec<IpAddr> {
        let mut servers = Vec::new();
        let families: [(&str, Fits, &str); 3] = [
            ("name_servers", |_| true, "IP addresses"),
            ("ipv6_name_servers", IpAddr::is_ipv6, "IPv6 addresses"),
            ("ipv4_name_servers", IpAddr::is_ipv4, "IPv4 addresses"),
        ];
        for (key, fits, what) in families {
            let read = self.read(key, |value| {
                value
                    .split([' ', '\t', ','])
                    .filter(|word| !word.is_empty())
                    .map(|word| match word.parse() {
                        Ok(ip) if fits(&ip) => Ok(ip),
                        _ => Err(format!("{what} separated by spaces or commas")),
                    })
                    .collect::<Result<Vec<IpAddr>, _>>()
            });
            servers.extend(read.into_iter().flatten());
        }
        servers
    }

    /// `{family}_address`, `_prefix_length` and `_gateway`, each by itself and then together.
    fn address<A>(&mut self, family: &Family<A>) -> Option<Address<A>>
    where
        A: std::str::FromStr + Copy,
    {
        let [address_key, prefix_key, gateway_key] =
            ["address", "prefix_length", "gateway"].map(|part| format!("{}_{part}", family.key));
        let alone = self.read(&prefix_key, |v| prefix_length(v, family.bits));
        let gateway = self.read(&gateway_key, |v| {
            v.parse::<A>()
                .map_err(|_| format!("an {} address", family.name))
        });
        if self.pair(&address_key).is_none() {
            for key in [&prefix_key, &gateway_key] {
                if self.pair(key).is_some() {
                    self.problem(key, &format!("given without {address_key}"));
                }
            }
            return None;
        }
        let (address, suffix) = self.read(&address_key, |v| family.split(v))?;
        let prefix_length = match suffix.or(alone) {
            Some(_) if suffix.is_some() && self.pair(&prefix_key).is_some() => {
                self.problem(&prefix_key, &format!("already part of {address_key}"));
                return None;
            }
            Some(length) => length,
            // A prefix length that is there and could not be read is a problem already.
            None if self.pair(&prefix_key).is_some() => return None,
            None => {
                let text = format!(
                    "has no prefix length, want {} or {prefix_key}",
                    family.example
                );
                self.problem(&address_key, &text);
                return None;
            }
        };
        let own = Address {
            address,
            prefix_length,
            gateway,
        };
        if let Err(text) = (family.check)(&own) {
            self.problem(&address_key, text);
        }
        if let Some(Err(text)) = gateway.map(|gateway| (family.check_gateway)(&own, gateway)) {
            self.problem(&gateway_key, text);
        }
        Some(own)
    }
}

/// What differs between IPv4 and IPv6.
struct Family<A> {
    key: &'static str,
    name: &'static str,
    bits: u8,
    example: &'static str,
    check: fn(&Address<A>) -> Result<(), &'static str>,
    check_gateway: fn(&Address<A>, A) -> Result<(), &'static str>,
}

const IPV6: Family<Ipv6Addr> = Family {
    key: "ipv6",
    name: "IPv6",
    bits: 128,
    example: "2001:db8::2/64",
    check: check_ipv6,
    check_gateway: gateway_ipv6,
};

const IPV4: Family<Ipv4Addr> = Family {
    key: "ipv4",
    name: "IPv4",
    bits: 32,
    example: "192.0.2.2/24",
    check: check_ipv4,
    check_gateway: gateway_ipv4,
};

impl<A: std::str::FromStr> Family<A> {
    /// `ADDRESS` or `ADDRESS/LENGTH`.
    fn split(&self, value: &str) -> Result<(A, Option<u8>), String> {
        let (address, suffix) = match value.split_once('/') {
            Some((address, suffix)) => (address, Some(prefix_length(suffix, self.bits)?)),
            None => (value, None),
        };
        let address = address.parse::<A>().map_err(|_| {
            format!(
                "an {} address with its prefix length, as {}",
                self.name, self.example
            )
        })?;
        Ok((address, suffix))
    }
}

fn prefix_length(value: &str, bits: u8) -> Result<u8, String> {
    match value.parse::<u8>() {
        Ok(n) if n > 0 && n <= bits && !value.starts_with('+') => Ok(n),
        _ => Err(format!("a prefix length from 1 to {bits}")),
    }
}

/// A host or domain name after RFC 1123.
fn name(value: &str, longest: usize) -> Result<String, String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if value.len() <= longest && value.split('.').all(label) {
        Ok(value.to_owned())
    } else {
        Err(format!(
            "a name of letters, digits and hyphens, at most {longest} bytes"
        ))
    }
}

fn serial(value: &str) -> Result<u64, String> {
    match value.parse() {
        Ok(n) if !value.starts_with('+') => Ok(n),
        _ => Err(format!("a whole number from 0 to {}", u64::MAX)),
    }
}

fn any_medium(value: &str) -> Result<bool, String> {
    match value {
        "any" => Ok(true),
        "signed" => Ok(false),
        _ => Err("signed or any".to_owned()),
    }
}

fn mtu(value: &str) -> Result<u32, String> {
    match value.parse::<u32>() {
        // 1280 is the least that IPv6 runs over (RFC 8200 section 5).
        Ok(n) if (1280..=9216).contains(&n) && !value.starts_with('+') => Ok(n),
        _ => Err("a number from 1280 to 9216".to_owned()),
    }
}

fn check_ipv6(own: &Address<Ipv6Addr>) -> Result<(), &'static str> {
    let address = own.address;
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return Err("not an address a host can have");
    }
    if is_link_local(address) {
        return Err("a link-local address, want a routed one");
    }
    if address.to_ipv4_mapped().is_some() {
        return Err("an IPv4 address in IPv6 form, want ipv4_address");
    }
    Ok(())
}

fn check_ipv4(own: &Address<Ipv4Addr>) -> Result<(), &'static str> {
    let address = own.address;
    if address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_broadcast()
    {
        return Err("not an address a host can have");
    }
    let host = !mask4(own.prefix_length);
    // Networks of 31 and 32 bits have neither (RFC 3021).
    if own.prefix_length <= 30 {
        if address.to_bits() & host == 0 {
            return Err("the address of the network itself");
        }
        if address.to_bits() & host == host {
            return Err("the broadcast address of the network");
        }
    }
    Ok(())
}

fn gateway_ipv6(own: &Address<Ipv6Addr>, gateway: Ipv6Addr) -> Result<(), &'static str> {
    if gateway == own.address {
        return Err("the same as ipv6_address");
    }
    // A bit of the network after the other.
    let mask = (0..own.prefix_length).fold(0_u128, |mask, _| (mask >> 1) | (1 << 127));
    if !is_link_local(gateway) && (gateway.to_bits() ^ own.address.to_bits()) & mask != 0 {
        return Err("not in the network of ipv6_address");
    }
    Ok(())
}

fn gateway_ipv4(own: &Address<Ipv4Addr>, gateway: Ipv4Addr) -> Result<(), &'static str> {
    if gateway == own.address {
        return Err("the same as ipv4_address");
    }
    if (gateway.to_bits() ^ own.address.to_bits()) & mask4(own.prefix_length) != 0 {
        return Err("not in the network of ipv4_address");
    }
    Ok(())
}

fn mask4(prefix_length: u8) -> u32 {
    (0..prefix_length).fold(0, |mask, _| (mask >> 1) | (1 << 31))
}

/// fe80::/10.
fn is_link_local(address: Ipv6Addr) -> bool {
    address.to_bits() >> 118 == 0xfe80 >> 6
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
