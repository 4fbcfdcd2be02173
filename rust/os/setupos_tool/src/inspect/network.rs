//! The network cards and their addresses.
//!
//! Addresses are read from /proc/net: `if_inet6` has those of IPv6 with their card; IPv4 has them in `fib_trie` without,
//! so each goes to the card whose network in `route` it is in (the longest prefix; the first of several cards in one
//! network). An address outside all networks is not shown.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::Look;
use crate::facts::Interface;
use crate::system::System;

pub(super) const STEP: Look = Look {
    name: "network",
    plan: |context| {
        format!(
            "look at {} and {}",
            context.system.path("/sys/class/net").display(),
            context.system.path("/proc/net").display()
        )
    },
    run: |context, _| {
        let system = &context.system;
        // A kernel without one of the protocols has no file of it, and no addresses.
        let text = |file: &str| {
            let text = system.text(format!("/proc/net/{file}"));
            text.unwrap_or_else(String::new)
        };
        let ipv6 = ipv6(&text("if_inet6"));
        let ipv4 = ipv4(&text("fib_trie"), &text("route"));
        let mut names = system.names("/sys/class/net");
        // Without a device: lo, bridges, tunnels.
        names.retain(|name| system.exists(format!("/sys/class/net/{name}/device")));
        let cards = names.into_iter().map(|name| {
            let addresses = ipv6.iter().chain(&ipv4);
            let own = addresses.filter(|(card, _)| *card == name);
            let addresses = own.map(|(_, address)| address.clone()).collect();
            interface(system, name, addresses)
        });
        let cards: Vec<Interface> = cards.collect();
        let note = match cards.as_slice() {
            [] => Some("no network card is seen"),
            cards if !cards.iter().any(|card| card.link) => Some("no network card has a link"),
            _ => None,
        };
        context.facts.network = cards;
        Ok(note.map(str::to_owned).into_iter().collect())
    },
};

fn interface(system: &System, name: String, addresses: Vec<String>) -> Interface {
    let dir = format!("/sys/class/net/{name}");
    Interface {
        mac: system.text(format!("{dir}/address")),
        driver: system.link_name(format!("{dir}/device/driver")),
        link: system.number(format!("{dir}/carrier")) == Some(1),
        // -1: the driver does not know.
        speed_mbps: system.number(format!("{dir}/speed")).filter(|n| *n > 0),
        mtu: system.number(format!("{dir}/mtu")),
        addresses,
        name,
    }
}

/// `if_inet6`: address, index, prefix length, scope, flags (all hex) and card. Card and address of each line, sorted.
fn ipv6(text: &str) -> Vec<(String, String)> {
    /// Not yet, or not at all, the card's own: duplicate address detection (linux/if_addr.h).
    const TENTATIVE: u8 = 0x40;
    const DAD_FAILED: u8 = 0x08;
    let line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let length = u8::from_str_radix(words.nth(1)?, 16).ok()?;
        let flags = u8::from_str_radix(words.nth(1)?, 16).ok()?;
        let card = words.next()?.to_owned();
        let own = flags & (TENTATIVE | DAD_FAILED) == 0;
        own.then(|| (card, format!("{}/{length}", Ipv6Addr::from_bits(address))))
    };
    let mut found: Vec<_> = text.lines().filter_map(line).collect();
    found.sort();
    found
}

/// A network that a card is in.
struct Network {
    card: String,
    destination: u32,
    mask: u32,
}

/// Card and address of each address in `fib_trie`.
fn ipv4(fib_trie: &str, route: &str) -> Vec<(String, String)> {
    let networks: Vec<Network> = route.lines().filter_map(network).collect();
    let mut found = Vec::new();
    for address in local_ipv4(fib_trie) {
        let fits = networks
            .iter()
            .filter(|net| address.to_bits() & net.mask == net.destination);
        // Of equal ones the first.
        let best = fits.rev().max_by_key(|net| net.mask);
        if let Some(net) = best {
            let length = net.mask.count_ones();
            found.push((net.card.clone(), format!("{address}/{length}")));
        }
    }
    found
}

/// The addresses of this machine, without those of loopback, sorted: the leaves that are `/32 host LOCAL`.
fn local_ipv4(fib_trie: &str) -> BTreeSet<Ipv4Addr> {
    let mut leaf = None;
    let mut found = BTreeSet::new();
    for line in fib_trie.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf.filter(|address| !address.is_loopback()));
        }
    }
    found
}

/// A line of `route`: card, destination, gateway, flags, references, uses, metric, mask, …; addresses are hex of the four
/// bytes in the order of a little-endian machine. Only networks without a gateway.
fn network(line: &str) -> Option<Network> {
    let number = |word: &str| u32::from_str_radix(word, 16).ok().map(u32::swap_bytes);
    let mut words = line.split_ascii_whitespace();
    let card = words.next()?.to_owned();
    let destination = number(words.next()?)?;
    let gateway = number(words.next()?)?;
    let mask = number(words.nth(4)?)?;
    (gateway == 0 && mask != 0).then_some(Network {
        card,
        destination,
        mask,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(found: &[(String, String)]) -> Vec<(&str, &str)> {
        let both = found.iter();
        both.map(|(a, b)| (a.as_str(), b.as_str())).collect()
    }

    #[test]
    fn ipv6_lines() {
        let text = "fe80000000000000505400fffe123456 02 40 20 80     eth0\n\
                    00000000000000000000000000000001 01 80 10 80       lo\n\
                    20010db8000000000000000000000001 02 40 00 00     eth0\n\
                    20010db8000000000000000000000002 02 40 00 40     eth0\n\
                    20010db8000000000000000000000003 02 40 00 08     eth0\n\
                    garbage\n20010db8 02\n";
        assert_eq!(
            pairs(&ipv6(text)),
            [
                ("eth0", "2001:db8::1/64"),
                ("eth0", "fe80::5054:ff:fe12:3456/64"),
                ("lo", "::1/128"),
            ]
        );
    }

    #[test]
    fn ipv4_addresses_go_to_their_cards() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                    \x20    |-- 10.0.2.0\n        /24 link UNICAST\n        |-- 10.0.2.15\n           /32 host LOCAL\n\
                    \x20    |-- 10.0.2.255\n           /32 link BROADCAST\n\
                    \x20    |-- 127.0.0.1\n           /32 host LOCAL\n\
                    Local:\n     |-- 10.0.2.15\n        /32 host LOCAL\n     |-- 192.0.2.9\n        /32 host LOCAL\n\
                    \x20    |-- x\n        /32 host LOCAL\n";
        let route =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0202000A\t0003\t0\t0\t1024\t00000000\t0\t0\t0\n\
                     wide\t0000000A\t00000000\t0001\t0\t0\t1024\t000000FF\t0\t0\t0\n\
                     eth0\t0002000A\t00000000\t0001\t0\t0\t1024\t00FFFFFF\t0\t0\t0\n\
                     eth1\t0002000A\t00000000\t0001\t0\t0\t1024\t00FFFFFF\t0\t0\t0\n\
                     eth0\t0202000A\t00000000\t0005\t0\t0\t1024\tFFFFFFFF\t0\t0\t0\n";
        assert_eq!(pairs(&ipv4(trie, route)), [("eth0", "10.0.2.15/24")]);
    }
}
