//! The network: one file for systemd-networkd, systemd.network(5).
//!
//! Each family stands for itself: IPv6 is static, derived from a hardware address or by router advertisements, IPv4 is static or by
//! DHCP. Name servers
//! of the configuration replace those that the network offers. The file applies to every wired card, since a node has
//! one; or to the one interface that is named, such as the bridge in front of a host's cards.

use std::fmt::{Display, Write};
use std::net::Ipv6Addr;

use anyhow::Context;
use os_config::{Address, Card, NetworkConfig, Settings};

use crate::System;

const FILE: &str = "/run/systemd/network/20-config.network";
/// Where the kernel shows the cards.
const CARDS: &str = "/sys/class/net";

/// A name that the kernel takes for an interface, and systemd.network(5) for itself and not for a pattern.
pub(crate) fn interface(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 15 || name.starts_with('.') || !name.chars().all(plain) {
        return Err("want at most 15 letters, digits and -_.".to_owned());
    }
    Ok(name.to_owned())
}

/// Writes the file.
pub(crate) fn setup(
    settings: &Settings,
    system: &System,
    interface: Option<&str>,
) -> anyhow::Result<String> {
    let own = ipv6(settings, system)?;
    let changed = system.write(FILE, render(settings, own, interface).as_bytes())?;
    let ipv6 = own.map_or("router advertisements".to_owned(), |a| {
        format!("{}/{}", a.address, a.prefix_length)
    });
    let ipv4 = settings.ipv4.map_or("DHCP".to_owned(), |a| {
        format!("{}/{}", a.address, a.prefix_length)
    });
    let note = if changed { "" } else { " (unchanged)" };
    Ok(format!("network: IPv6 {ipv6}, IPv4 {ipv4}{note}"))
}

/// The IPv6 address that is given or derived; the card is asked only if its hardware address is what is missing.
fn ipv6(settings: &Settings, system: &System) -> anyhow::Result<Option<Address<Ipv6Addr>>> {
    let network = NetworkConfig::from(settings);
    if network.ipv6_derived.is_none() || network.management_mac.is_some() {
        return Ok(network.ipv6_of(None));
    }
    let cards = system.path(CARDS);
    let first = Card::first(&cards)
        .with_context(|| format!("cannot read {}", cards.display()))?
        .with_context(|| {
            let cards = cards.display();
            format!("no wired card in {cards} to derive an address of ipv6_prefix from: set management_mac")
        })?;
    Ok(network.ipv6_of(Some(first.mac)))
}

/// Writes what the settings mean for the interface below, as an addition to its own file: packets must fit through both.
pub(crate) fn setup_uplink(
    settings: &Settings,
    system: &System,
    uplink: &str,
) -> anyhow::Result<()> {
    let path = format!("/run/systemd/network/{uplink}.network.d/20-config.conf");
    match settings.mtu {
        Some(mtu) => {
            let mut file = File::default();
            file.section("Link").set("MTUBytes", mtu);
            system.write(&path, file.text.as_bytes()).map(drop)
        }
        None => system.remove(&path).map(drop),
    }
}

/// The file's text.
fn render(settings: &Settings, ipv6: Option<Address<Ipv6Addr>>, interface: Option<&str>) -> String {
    let mut file = File::default();
    file.section("Match");
    match interface {
        Some(name) => file.set("Name", name),
        None => file.set("Type", "ether").set("Kind", "!*"),
    };
    file.section("Link").set("RequiredForOnline", "no");
    if let Some(mtu) = settings.mtu {
        file.set("MTUBytes", mtu);
    }
    // A static address whose gateway is not given takes the route, and nothing else, from the router.
    let advertised_route = ipv6.is_some_and(|a| a.gateway.is_none());
    let routers = ipv6.is_none() || advertised_route;
    file.section("Network")
        .set("LinkLocalAddressing", "ipv6")
        .set(
            "DHCP",
            if settings.ipv4.is_some() {
                "no"
            } else {
                "ipv4"
            },
        )
        .set("IPv6AcceptRA", yes(routers));
    if let Some(ipv6) = ipv6 {
        file.address(ipv6.address, ipv6.prefix_length, ipv6.gateway);
    }
    if let Some(ipv4) = settings.ipv4 {
        file.address(ipv4.address, ipv4.prefix_length, ipv4.gateway);
    }
    for server in &settings.name_servers {
        file.set("DNS", server);
    }
    if let Some(domain) = &settings.domain {
        file.set("Domains", domain);
    }
    from_the_network(&mut file, settings, routers, advertised_route);
    file.text
}

/// What is taken of what the network says of itself.
fn from_the_network(file: &mut File, settings: &Settings, routers: bool, advertised_route: bool) {
    let own_servers = !settings.name_servers.is_empty();
    if settings.ipv4.is_none() {
        file.section("DHCPv4");
        // By the card's address, so that both slots get the same lease.
        file.set("ClientIdentifier", "mac");
        file.set("UseDNS", yes(!own_servers));
        // The name is the configuration's or the image's, never the network's.
        file.set("UseHostname", "no");
    }
    if routers {
        file.section("IPv6AcceptRA");
        file.set("UseDNS", yes(!own_servers));
        if advertised_route {
            file.set("UseAutonomousPrefix", "no")
                .set("DHCPv6Client", "no");
        } else {
            // Which the router may ask us to use.
            file.section("DHCPv6")
                .set("UseDNS", yes(!own_servers))
                .set("UseHostname", "no");
        }
    }
}

fn yes(condition: bool) -> &'static str {
    if condition {
        "yes"
    } else {
        "no"
    }
}

struct File {
    text: String,
}

impl Default for File {
    fn default() -> Self {
        Self {
            text: "# Written by node_tool from the configuration at each boot.\n".to_owned(),
        }
    }
}

impl File {
    fn section(&mut self, name: &str) -> &mut Self {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "\n[{name}]");
        self
    }

    fn set(&mut self, key: &str, value: impl Display) -> &mut Self {
        let _ = writeln!(self.text, "{key}={value}");
        self
    }

    fn address(&mut self, address: impl Display, prefix_length: u8, gateway: Option<impl Display>) {
        self.set("Address", format!("{address}/{prefix_length}"));
        if let Some(gateway) = gateway {
            self.set("Gateway", gateway);
        }
    }
}
