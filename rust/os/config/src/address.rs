//! Static addresses of both families: what a host can have, and which gateway goes with it.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Serialize;
use serde_json::{json, Value};

use crate::error::Problem;
use crate::part::{object_schema, read_text, Object, Part, Place};
use crate::values::{digits, Parsed};

/// A static address of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Address<A> {
    /// The host's address.
    pub address: A,
    /// Bits of the network.
    pub prefix_length: u8,
    /// Where everything else goes.
    pub gateway: Option<A>,
}

/// What differs between IPv4 and IPv6.
pub(crate) trait Family: Copy + PartialEq + FromStr + Display {
    /// In names of keys.
    const KEY: &'static str;
    /// For people.
    const NAME: &'static str;
    /// Of an address.
    const WIDTH: u8;
    /// An address as it is wanted.
    const EXAMPLE: &'static str;
    /// What JSON Schema calls such a text.
    const FORMAT: &'static str;

    /// Whether a host can have this address in a network of so many bits, or why not.
    fn check(self, prefix_length: u8) -> Result<(), &'static str>;

    /// Whether the first `bits` of both are the same.
    fn is_near(self, other: Self, bits: u8) -> bool;

    /// Whether it is reached without a route: a link-local one.
    fn is_on_link(self) -> bool;

    /// An address alone.
    fn parse(text: &str) -> Parsed<Self> {
        let want = |_| format!("an {} address", Self::NAME);
        text.parse().map_err(want)
    }

    /// `ADDRESS` or `ADDRESS/LENGTH`.
    fn split(text: &str) -> Parsed<(Self, Option<u8>)> {
        let (address, suffix) = match text.split_once('/') {
            Some((address, suffix)) => (address, Some(prefix_length::<Self>(suffix)?)),
            None => (text, None),
        };
        let want = |_| {
            let (name, example) = (Self::NAME, Self::EXAMPLE);
            format!("an {name} address with its prefix length, as {example}")
        };
        Ok((address.parse().map_err(want)?, suffix))
    }
}

/// Whether a host can have `own`.
pub(crate) fn check<A: Family>(own: &Address<A>) -> Result<(), &'static str> {
    own.address.check(own.prefix_length)
}

/// Whether `gateway` can be that of `own`.
pub(crate) fn check_gateway<A: Family>(own: &Address<A>, gateway: A) -> Result<(), &'static str> {
    if gateway == own.address {
        return Err("the same as the address");
    }
    match gateway.is_on_link() || gateway.is_near(own.address, own.prefix_length) {
        true => Ok(()),
        false => Err("not in the network of the address"),
    }
}

pub(crate) fn prefix_length<A: Family>(text: &str) -> Parsed<u8> {
    digits(text)
        .and_then(fitting::<A>)
        .ok_or_else(want_length::<A>)
}

fn fitting<A: Family>(number: u64) -> Option<u8> {
    let length = u8::try_from(number).ok()?;
    (1..=A::WIDTH).contains(&length).then_some(length)
}

fn want_length<A: Family>() -> String {
    format!("a prefix length from 1 to {}", A::WIDTH)
}

impl Family for Ipv6Addr {
    const KEY: &'static str = "ipv6";
    const NAME: &'static str = "IPv6";
    const WIDTH: u8 = 128;
    const EXAMPLE: &'static str = "2001:db8::2/64";
    const FORMAT: &'static str = "ipv6";

    fn check(self, _: u8) -> Result<(), &'static str> {
        if self.is_unspecified() || self.is_loopback() || self.is_multicast() {
            return Err("not an address a host can have");
        }
        if is_link_local(self) {
            return Err("a link-local address, want a routed one");
        }
        if self.to_ipv4_mapped().is_some() {
            return Err("an IPv4 address in IPv6 form, want it as the IPv4 address");
        }
        Ok(())
    }

    fn is_near(self, other: Self, bits: u8) -> bool {
        // A bit of the network after the other.
        let mask = (0..bits).fold(0_u128, |mask, _| (mask >> 1) | (1 << 127));
        (self.to_bits() ^ other.to_bits()) & mask == 0
    }

    fn is_on_link(self) -> bool {
        is_link_local(self)
    }
}

impl Family for Ipv4Addr {
    const KEY: &'static str = "ipv4";
    const NAME: &'static str = "IPv4";
    const WIDTH: u8 = 32;
    const EXAMPLE: &'static str = "192.0.2.2/24";
    const FORMAT: &'static str = "ipv4";

    fn check(self, prefix_length: u8) -> Result<(), &'static str> {
        if self.is_unspecified() || self.is_loopback() || self.is_multicast() || self.is_broadcast()
        {
            return Err("not an address a host can have");
        }
        let host = !mask4(prefix_length);
        // Networks of 31 and 32 bits have neither (RFC 3021).
        if prefix_length <= 30 {
            if self.to_bits() & host == 0 {
                return Err("the address of the network itself");
            }
            if self.to_bits() & host == host {
                return Err("the broadcast address of the network");
            }
        }
        Ok(())
    }

    fn is_near(self, other: Self, bits: u8) -> bool {
        (self.to_bits() ^ other.to_bits()) & mask4(bits) == 0
    }

    fn is_on_link(self) -> bool {
        false
    }
}

fn mask4(prefix_length: u8) -> u32 {
    (0..prefix_length).fold(0, |mask, _| (mask >> 1) | (1 << 31))
}

/// fe80::/10.
pub(crate) fn is_link_local(address: Ipv6Addr) -> bool {
    address.to_bits() >> 118 == 0xfe80 >> 6
}

/// Whether hosts of the network that begins with `address` can be reached from elsewhere.
pub(crate) fn is_routed(address: Ipv6Addr) -> bool {
    address.check(<Ipv6Addr as Family>::WIDTH).is_ok()
}

/// An address alone, in JSON.
pub(crate) struct Alone<A>(pub(crate) A);

impl<A: Family> Part for Alone<A> {
    fn schema() -> Value {
        json!({ "type": "string", "format": A::FORMAT })
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        read_text(value, place, problems, A::parse).map(Self)
    }
}

/// A prefix length, in JSON.
struct Length<A>(u8, std::marker::PhantomData<A>);

impl<A: Family> Part for Length<A> {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": A::WIDTH })
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        let length = value.as_u64().and_then(fitting::<A>);
        if length.is_none() {
            problems.push(place.wrong(value, &want_length::<A>()));
        }
        length.map(|length| Self(length, std::marker::PhantomData))
    }
}

impl<A: Family> Part for Address<A> {
    fn schema() -> Value {
        object_schema(
            "A static address.",
            vec![
                ("address", "The machine's address.", Alone::<A>::schema()),
                ("prefix_length", "Bits of the network.", Length::<A>::schema()),
                (
                    "gateway",
                    "Where everything else goes: in the same network, or (IPv6) link-local. null: from router advertisements (IPv6), none (IPv4).",
                    Option::<Alone<A>>::schema(),
                ),
            ],
        )
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        let fields = ["address", "prefix_length", "gateway"];
        let object = Object::open(value, place, &fields, problems)?;
        let address = object.take::<Alone<A>>("address", problems);
        let length = object.take::<Length<A>>("prefix_length", problems);
        let gateway = object.take::<Option<Alone<A>>>("gateway", problems);
        let own = Self {
            address: address?.0,
            prefix_length: length?.0,
            gateway: gateway?.map(|gateway| gateway.0),
        };
        if let Err(text) = check(&own) {
            problems.push(
                place
                    .field("address")
                    .problem(format!("{}: {text}", own.address)),
            );
        }
        if let Some((gateway, Err(text))) = own.gateway.map(|g| (g, check_gateway(&own, g))) {
            problems.push(place.field("gateway").problem(format!("{gateway}: {text}")));
        }
        Some(own)
    }
}

impl Part for IpAddr {
    fn schema() -> Value {
        json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        let parse = |text: &str| text.parse().map_err(|_| "an IP address".to_owned());
        read_text(value, place, problems, parse)
    }
}
