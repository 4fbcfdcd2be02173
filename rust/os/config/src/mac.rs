//! Hardware addresses, and what is derived from them: the guest's own, and IPv6 addresses. No random, no state: whoever knows
//! the address of the machine's first card knows the rest.
//!
//! **The guest's address** is made of the host's management address: the SHA-256 of the text `icos guest mac 1 ADDRESS` and a
//! newline, where ADDRESS is six pairs of small hexadecimal digits with colons. Its first six bytes are the address, with two bits
//! of the first byte set as IEEE 802 has them for an address that is nobody's by purchase: bit 1 (local) is 1, bit 0 (group) is 0.
//!
//! ```sh
//! printf 'icos guest mac 1 %s\n' 34:56:78:9a:bc:de | sha256sum
//! ```
//!
//! **An IPv6 address** is the 64 bits of the prefix and the interface identifier of RFC 4291 appendix A (modified EUI-64): the
//! first three bytes with bit 1 of the first one inverted, `ff fe`, the last three. Test vectors: `docs/formats/config.md`.

use std::fmt;
use std::net::Ipv6Addr;

use base::Sha256Digest;
use serde::{Serialize, Serializer};
use serde_json::{json, Value};

use crate::address::{self, Address, Alone, Family};
use crate::error::Problem;
use crate::part::{object_schema, read_text, Object, Part, Place};
use crate::values::Parsed;

/// What the digest of the guest's address begins with; another derivation would have another number.
const GUEST: &str = "icos guest mac 1 ";
/// Bit 0 of the first byte: more than one card.
const GROUP: u8 = 1;
/// Bit 1 of the first byte: nobody's by purchase.
const LOCAL: u8 = 2;

/// The hardware address of one card (EUI-48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

impl Mac {
    /// The address of these bytes; `None` for that of no card (all zeros) or of a group of them.
    pub fn new(bytes: [u8; 6]) -> Option<Self> {
        let [first, ..] = bytes;
        (bytes != [0; 6] && first & GROUP == 0).then_some(Self(bytes))
    }

    /// Six pairs of hexadecimal digits, between them colons or hyphens; or what was wanted instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let want = || "the hardware address of one card, as 34:56:78:9a:bc:de".to_owned();
        let separator = if text.contains('-') { '-' } else { ':' };
        let pairs: Vec<&str> = text.split(separator).collect();
        let bytes: [u8; 6] = base::hex::decode_array(&pairs.concat()).map_err(|_| want())?;
        match pairs.len() == bytes.len() && pairs.iter().all(|pair| pair.len() == 2) {
            true => Self::new(bytes).ok_or_else(want),
            false => Err(want()),
        }
    }

    /// The six bytes.
    pub fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// The address of the virtual machine's card, on the host whose management address this is.
    pub fn guest(self) -> Self {
        let digest = Sha256Digest::of(format!("{GUEST}{self}\n"));
        let [first, b1, b2, b3, b4, b5, ..] = *digest.as_bytes();
        // With the bit for "local" it is never all zeros.
        Self([(first & !GROUP) | LOCAL, b1, b2, b3, b4, b5])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [b0, b1, b2, b3, b4, b5] = self.0;
        write!(f, "{b0:02x}:{b1:02x}:{b2:02x}:{b3:02x}:{b4:02x}:{b5:02x}")
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Part for Mac {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$" })
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        read_text(value, place, problems, Self::parse)
    }
}

/// An IPv6 network of 64 bits, in which addresses are derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv6Prefix(Ipv6Addr);

impl Ipv6Prefix {
    /// Bits of the network, always.
    pub const LENGTH: u8 = 64;

    /// `2001:db8::/64`, or what was wanted instead.
    pub fn parse(text: &str) -> Parsed<Self> {
        let want = || "an IPv6 network of 64 bits, as 2001:db8::/64".to_owned();
        let (network, length) = text.split_once('/').ok_or_else(want)?;
        let network: Ipv6Addr = network.parse().map_err(|_| want())?;
        if length != "64" {
            return Err(want());
        }
        if network.to_bits() << 64 != 0 {
            let bits = network.to_bits() >> 64 << 64;
            let network = Ipv6Addr::from_bits(bits);
            return Err(format!("the network alone, {network}/64"));
        }
        match address::is_routed(network) {
            true => Ok(Self(network)),
            false => Err("a network that is routed, as 2001:db8::/64".to_owned()),
        }
    }

    /// The address of the card `mac` in this network.
    pub fn address(self, mac: Mac) -> Ipv6Addr {
        let [b0, b1, b2, b3, b4, b5] = mac.bytes();
        let interface = u64::from_be_bytes([b0 ^ LOCAL, b1, b2, 0xff, 0xfe, b3, b4, b5]);
        Ipv6Addr::from_bits(self.0.to_bits() | u128::from(interface))
    }

    /// Whether a machine of this network reaches `gateway` without another one.
    pub fn reaches(self, gateway: Ipv6Addr) -> bool {
        address::is_link_local(gateway) || gateway.is_near(self.0, Self::LENGTH)
    }
}

impl fmt::Display for Ipv6Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, Self::LENGTH)
    }
}

impl Serialize for Ipv6Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Part for Ipv6Prefix {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9A-Fa-f:]+/64$" })
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        read_text(value, place, problems, Self::parse)
    }
}

/// An IPv6 address of which only the network is given: the rest is the hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DerivedIpv6 {
    /// The network.
    pub prefix: Ipv6Prefix,
    /// Where everything else goes; none: from router advertisements.
    pub gateway: Option<Ipv6Addr>,
}

impl DerivedIpv6 {
    /// The address of the card `mac`.
    pub fn of(self, mac: Mac) -> Address<Ipv6Addr> {
        Address {
            address: self.prefix.address(mac),
            prefix_length: Ipv6Prefix::LENGTH,
            gateway: self.gateway,
        }
    }
}

impl Part for DerivedIpv6 {
    fn schema() -> Value {
        object_schema(
            "An IPv6 address of which only the network is given: the rest is the hardware address (EUI-64).",
            vec![
                ("prefix", "The network, of 64 bits.", Ipv6Prefix::schema()),
                (
                    "gateway",
                    "Where everything else goes: in the same network, or link-local. null: from router advertisements.",
                    Option::<Alone<Ipv6Addr>>::schema(),
                ),
            ],
        )
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        let object = Object::open(value, place, &["prefix", "gateway"], problems)?;
        let prefix = object.take::<Ipv6Prefix>("prefix", problems);
        let gateway = object.take::<Option<Alone<Ipv6Addr>>>("gateway", problems);
        let (prefix, gateway) = (prefix?, gateway?.map(|gateway| gateway.0));
        if let Some(gateway) = gateway.filter(|gateway| !prefix.reaches(*gateway)) {
            let text = format!("{gateway}: not in the network {prefix}");
            problems.push(place.field("gateway").problem(text));
        }
        Some(Self { prefix, gateway })
    }
}

#[cfg(test)]
#[path = "mac_tests.rs"]
mod tests;
