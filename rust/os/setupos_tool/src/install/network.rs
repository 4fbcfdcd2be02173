//! Whether the addresses that the machine is to have can work: gateways and name servers answer from here.
//!
//! SetupOS has the address of the machine to be, so what answers it will answer HostOS. A gateway is asked by a TCP connection that it
//! may accept, refuse or ignore: only "no such neighbour" counts against it. That needs no right that a ping would. A name server is
//! asked for the name servers of the root, and any answer will do.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use os_config::{Card, NetworkConfig};

use crate::facts::Interface;
use crate::system::System;

/// So long a neighbour is looked for: the kernel asks three times, a second each (`ucast_solicit`, `mcast_solicit`).
const NEIGHBOUR: Duration = Duration::from_secs(6);
/// "No route" that comes faster is an answer of somebody, a firewall's.
const ANSWER: Duration = Duration::from_millis(800);
/// For an answer of a name server, of which it gets several.
const DNS: Duration = Duration::from_secs(2);
const TRIES: u32 = 3;
/// So long links and addresses are waited for: a switch takes up to that long to let a port through (spanning tree), and DHCP comes after it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// In between the cards are not looked at.
const PAUSE: Duration = Duration::from_millis(500);
/// Any port: what counts is that somebody is there.
const PORT: u16 = 53;

/// Who must answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Peers {
    pub(crate) gateways: Vec<IpAddr>,
    pub(crate) name_servers: Vec<IpAddr>,
}

/// Gateways and name servers: those of the settings, else those that the network offers.
pub(crate) fn peers(system: &System, network: &NetworkConfig) -> Peers {
    let derived = network.ipv6_derived.and_then(|derived| derived.gateway);
    let ipv6 = network.ipv6.and_then(|own| own.gateway).or(derived);
    let ipv4 = network.ipv4.and_then(|own| own.gateway);
    let mut gateways: Vec<IpAddr> = ipv6.map(IpAddr::from).into_iter().collect();
    gateways.extend(ipv4.map(IpAddr::from));
    if gateways.is_empty() {
        let route = system.text("/proc/net/route");
        gateways.extend(
            route
                .and_then(|text| default_route(&text))
                .map(IpAddr::from),
        );
    }
    let mut name_servers = network.name_servers.clone();
    if name_servers.is_empty() {
        let text = system.text("/run/systemd/resolve/resolv.conf");
        let lines = text.iter().flat_map(|text| text.lines());
        let words = lines.filter_map(|line| line.strip_prefix("nameserver "));
        // One with a scope (`fe80::1%eth0`) is a router's, which was asked as a gateway.
        name_servers.extend(words.filter_map(|word| word.trim().parse::<IpAddr>().ok()));
    }
    Peers {
        gateways,
        name_servers,
    }
}

/// The gateway of the line of `/proc/net/route` for all destinations.
fn default_route(text: &str) -> Option<Ipv4Addr> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (destination, gateway) = (words.next()?, words.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        let is_default = destination == "00000000" && gateway != 0;
        is_default.then(|| Ipv4Addr::from_bits(gateway.swap_bytes()))
    })
}

/// What is not there yet of links and addresses: the addresses of the settings, or any that the network gives.
pub(crate) fn missing(
    system: &System,
    network: &NetworkConfig,
    cards: &[Interface],
) -> Option<String> {
    if !cards.iter().any(|card| card.link) {
        return Some("no network card has a link".to_owned());
    }
    let card = Card::first(&system.path("/sys/class/net")).ok().flatten();
    let ipv6 = network.ipv6_of(card.map(|card| card.mac));
    let mut wanted: Vec<IpAddr> = ipv6.map(|own| own.address.into()).into_iter().collect();
    wanted.extend(network.ipv4.map(|own| IpAddr::from(own.address)));
    if wanted.is_empty() {
        let some = cards.iter().any(is_global);
        return (!some)
            .then(|| "no card has an address by DHCP or router advertisements".to_owned());
    }
    let addresses = cards.iter().flat_map(|card| &card.addresses);
    let words = addresses.filter_map(|address| address.split('/').next());
    let present: Vec<IpAddr> = words.filter_map(|word| word.parse().ok()).collect();
    wanted.retain(|ip| !present.contains(ip));
    let names: Vec<String> = wanted.iter().map(IpAddr::to_string).collect();
    (!names.is_empty()).then(|| format!("no card has the address {}", names.join(", ")))
}

/// Looks again and again until nothing is missing, or for `limit`: what still is.
pub(crate) fn wait(limit: Duration, mut look: impl FnMut() -> Option<String>) -> Option<String> {
    let begun = Instant::now();
    loop {
        let missing = look()?;
        if begun.elapsed() >= limit {
            return Some(missing);
        }
        std::thread::sleep(PAUSE);
    }
}

/// What is wrong with the network, and what was found, for people.
pub(crate) fn check(
    system: &System,
    network: &NetworkConfig,
    cards: &[Interface],
) -> (Vec<String>, Vec<String>) {
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    if !cards.iter().any(|card| card.link) {
        problems.push("no network card has a link: plug in a cable".to_owned());
    }
    let card = Card::first(&system.path("/sys/class/net")).ok().flatten();
    match (network.management_mac, &card) {
        (Some(mac), _) => notes.push(format!("addresses derive from {mac} (management_mac)")),
        (None, Some(card)) => {
            notes.push(format!(
                "addresses derive from {} of {}",
                card.mac, card.name
            ));
        }
        (None, None) => problems.push("no wired network card to derive addresses from".to_owned()),
    }
    if let Some(own) = network.ipv6_of(card.map(|card| card.mac)) {
        notes.push(format!(
            "the machine is to have {}/{}",
            own.address, own.prefix_length
        ));
    } else if network.ipv4.is_none() && cards.iter().all(|card| !is_global(card)) {
        problems.push(
            "no address: none is set, and the network gave none by DHCP or router advertisements"
                .to_owned(),
        );
    }
    let peers = peers(system, network);
    let scope = scope(system, cards);
    let (gateways, servers) = (&peers.gateways, &peers.name_servers);
    // All at once: each may take seconds to be silent.
    let silent: Vec<String> = std::thread::scope(|threads| {
        let gateways = gateways
            .iter()
            .map(|ip| threads.spawn(move || gateway(*ip, scope)));
        let servers = servers
            .iter()
            .map(|ip| threads.spawn(move || name_server(*ip, scope)));
        let started: Vec<_> = gateways.chain(servers).collect();
        let ended = started.into_iter();
        let answers = ended.map(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Some("a check ended by a panic".to_owned()))
        });
        answers.flatten().collect()
    });
    problems.extend(silent);
    (problems, notes)
}

/// Whether a card has an address that others reach.
fn is_global(card: &Interface) -> bool {
    let mut addresses = card.addresses.iter();
    addresses.any(|address| !address.starts_with("fe80:") && !address.starts_with("169.254."))
}

/// Number of the first card that has a link: link-local addresses are on one.
fn scope(system: &System, cards: &[Interface]) -> u32 {
    let mut linked = cards.iter().filter(|card| card.link);
    let index =
        linked.find_map(|card| system.number(format!("/sys/class/net/{}/ifindex", card.name)));
    // 0 is the kernel's own word for none.
    index
        .and_then(|index| u32::try_from(index).ok())
        .unwrap_or(0)
}

fn socket(ip: IpAddr, scope: u32) -> SocketAddr {
    match ip {
        IpAddr::V6(ip) if (ip.segments()[0] & 0xffc0) == 0xfe80 => {
            SocketAddr::V6(SocketAddrV6::new(ip, PORT, 0, scope))
        }
        ip => SocketAddr::new(ip, PORT),
    }
}

/// What is wrong with a gateway.
fn gateway(ip: IpAddr, scope: u32) -> Option<String> {
    let begun = Instant::now();
    let error = TcpStream::connect_timeout(&socket(ip, scope), NEIGHBOUR).err()?;
    let kind = error.kind();
    let silent = kind == io::ErrorKind::HostUnreachable && begun.elapsed() > ANSWER;
    let absent = silent || kind == io::ErrorKind::NetworkUnreachable;
    absent.then(|| format!("gateway {ip} is not there: {error}"))
}

/// A question for the name servers of the root: RFC 1035, section 4.1.
const QUESTION: [u8; 17] = [
    0x49, 0x43, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, // id, recursion wanted, one question
    0, 0, 2, 0, 1, // the root, NS, IN
];

/// What is wrong with a name server.
fn name_server(ip: IpAddr, scope: u32) -> Option<String> {
    ask(socket(ip, scope))
        .err()
        .map(|error| format!("name server {ip} does not answer: {error}"))
}

fn ask(server: SocketAddr) -> io::Result<()> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(DNS))?;
    let mut error = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..TRIES {
        socket.send(&QUESTION)?;
        let mut answer = [0; 512];
        match socket.recv(&mut answer) {
            Ok(len) if len >= 12 && answer.starts_with(&[0x49, 0x43]) => return Ok(()),
            Ok(_) => {}
            Err(failed) if failed.kind() == io::ErrorKind::WouldBlock => {}
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> NetworkConfig {
        let path = std::path::Path::new("config.ini");
        let settings = os_config::Settings::parse(path, text.as_bytes()).unwrap();
        NetworkConfig::from(&settings)
    }

    #[test]
    fn links_and_addresses_are_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let system = System::new(Some(dir.path().to_owned()));
        let card = |link, addresses: &[&str]| {
            let addresses = addresses.iter().map(|text| (*text).to_owned()).collect();
            vec![Interface {
                name: "eth0".to_owned(),
                mac: None,
                driver: None,
                link,
                speed_mbps: None,
                mtu: None,
                addresses,
            }]
        };
        let none = settings("");
        let set = settings("ipv6_address=2001:db8::2/64\nipv6_gateway=fe80::1\nipv4_address=192.0.2.2/24\nipv4_gateway=192.0.2.1\n");
        let both = ["192.0.2.2/24", "2001:db8::2/64"];
        for (network, cards, want) in [
            (&none, vec![], Some("no network card has a link")),
            (
                &none,
                card(false, &both),
                Some("no network card has a link"),
            ),
            (
                &none,
                card(true, &["fe80::2/64", "169.254.0.1/16"]),
                Some("no card has an address by DHCP or router advertisements"),
            ),
            (&none, card(true, &["2001:db8::9/64"]), None),
            (
                &set,
                card(true, &["2001:db8::9/64"]),
                Some("no card has the address 2001:db8::2, 192.0.2.2"),
            ),
            (
                &set,
                card(true, &["192.0.2.2/24"]),
                Some("no card has the address 2001:db8::2"),
            ),
            (&set, card(true, &both), None),
        ] {
            assert_eq!(missing(&system, network, &cards).as_deref(), want);
        }
        // They come at the third look; or they don't.
        let mut looks = 0;
        let late = wait(LIMIT, || {
            looks += 1;
            (looks < 3).then(|| "x".to_owned())
        });
        assert_eq!((late, looks), (None, 3));
        let late = wait(Duration::ZERO, || Some("x".to_owned()));
        assert_eq!(late.as_deref(), Some("x"));
    }

    #[test]
    fn a_name_server_that_answers() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let place = server.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut question = [0; 64];
            let (len, from) = server.recv_from(&mut question).unwrap();
            assert_eq!(&question[..len], QUESTION);
            server.send_to(&question[..len], from).unwrap();
        });
        ask(place).unwrap();
        thread.join().unwrap();
        // Nobody is there any more: the kernel says so.
        assert_eq!(
            ask(place).unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
    }

    #[test]
    fn a_gateway_that_refuses_is_there() {
        // Port 53 of this machine may be open or not: either is an answer.
        assert_eq!(gateway(Ipv4Addr::LOCALHOST.into(), 0), None);
    }

    #[test]
    fn who_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let system = System::new(Some(dir.path().to_owned()));
        let none = NetworkConfig::default();
        assert_eq!(peers(&system, &none), Peers::default());
        std::fs::create_dir_all(dir.path().join("proc/net")).unwrap();
        std::fs::create_dir_all(dir.path().join("run/systemd/resolve")).unwrap();
        std::fs::write(
            dir.path().join("proc/net/route"),
            "Iface\tDestination\tGateway\neth0\t0002000A\t00000000\neth0\t00000000\t0202000A\n",
        )
        .unwrap();
        std::fs::write(
            dir.path().join("run/systemd/resolve/resolv.conf"),
            "# x\nnameserver 10.0.2.3\nnameserver fe80::1%2\nsearch x\n",
        )
        .unwrap();
        let found = peers(&system, &none);
        assert_eq!(found.gateways, [IpAddr::from([10, 0, 2, 2])]);
        assert_eq!(found.name_servers, [IpAddr::from([10, 0, 2, 3])]);
        let text = "ipv4_address=192.0.2.2/24\nipv4_gateway=192.0.2.1\nname_servers=192.0.2.9\nipv6_prefix=2001:db8::/64\nipv6_gateway=fe80::1\n";
        let path = std::path::Path::new("config.ini");
        let settings = os_config::Settings::parse(path, text.as_bytes()).unwrap();
        let found = peers(&system, &NetworkConfig::from(&settings));
        assert_eq!(
            found.gateways,
            ["fe80::1".parse().unwrap(), IpAddr::from([192, 0, 2, 1])]
        );
        assert_eq!(found.name_servers, [IpAddr::from([192, 0, 2, 9])]);
    }
}
