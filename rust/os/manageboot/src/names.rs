//! Addresses of hosts, by `/etc/hosts` and the name servers in `/etc/resolv.conf`.
//!
//! Not by the C library: ours is linked in, and `getaddrinfo` would load modules for that of the image (`nsswitch.conf`), which is another one.
//! A question as RFC 1035 has it goes to each server by UDP; answers are addresses, whoever's: what is fetched from there is checked by
//! signatures, and https servers by their certificates.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{Name, Packet, PacketFlag, Question, CLASS, RCODE, TYPE};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::Error;

/// How long one server has for one question.
const PATIENCE: Duration = Duration::from_secs(3);
/// An answer is not longer, without an extension that we don't ask for.
const MAX_ANSWER: usize = 512;
/// More addresses are of no use.
const MAX_ADDRESSES: usize = 16;
const DOMAIN: u16 = 53;

/// Where names are looked up; read anew each time, as they change with the network.
#[derive(Debug)]
pub(crate) struct Names {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    /// Where name servers listen.
    port: u16,
}

impl Names {
    /// Of this machine.
    pub(crate) fn of_machine() -> Self {
        Self {
            hosts: "/etc/hosts".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            port: DOMAIN,
        }
    }

    /// None: there is no such host.
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse() {
            return Ok(vec![address]);
        }
        let known = in_hosts(&read(&self.hosts)?, host).map_err(|error| of(&self.hosts, &error))?;
        if !known.is_empty() {
            return Ok(known);
        }
        let text = read(&self.resolv_conf)?;
        let missing = format!(
            "it names no server to ask for {host}: want a line such as \"nameserver 192.0.2.53\""
        );
        let (mut nobody, mut wrong) = (false, Vec::new());
        for server in servers(&text) {
            let server = server.map_err(|error| of(&self.resolv_conf, &error));
            let found = server.and_then(|server| ask(SocketAddr::new(server, self.port), host));
            match found {
                Ok(found) if !found.is_empty() => return Ok(found),
                Ok(_) => nobody = true,
                Err(error) => wrong.push(error.to_string()),
            }
        }
        match (nobody, &wrong[..]) {
            // One that knows of no such host has said more than one that says nothing.
            (true, _) => Ok(Vec::new()),
            (false, []) => Err(of(&self.resolv_conf, &missing)),
            (false, wrong) => Err(io::Error::other(wrong.join("; "))),
        }
    }
}

/// What a file says; one that is missing names nobody.
fn read(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        result => result.map_err(|error| of(path, &error)),
    }
}

/// What is wrong, with the file that it is wrong in.
fn of(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let port = port(uri);
        let found = self.addresses(host).map_err(Error::Io)?;
        if found.is_empty() {
            return Err(Error::HostNotFound);
        }
        let mut all = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            all.push(SocketAddr::new(address, port));
        }
        Ok(all)
    }
}

fn port(uri: &Uri) -> u16 {
    let usual = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    uri.port_u16().unwrap_or(usual)
}

/// The addresses that hosts(5) gives `host`.
fn in_hosts(text: &str, host: &str) -> Result<Vec<IpAddr>, String> {
    let mut all = Vec::new();
    for (at, line) in (1..).zip(text.lines()) {
        let line = line.split_once('#').map_or(line, |(line, _)| line);
        let mut words = line.split_ascii_whitespace();
        let Some(address) = words.next() else {
            continue;
        };
        if words.any(|name| name.eq_ignore_ascii_case(host)) {
            let error = |_| format!("line {at}: {address:?} is no address, and stands for {host}");
            all.push(address.parse().map_err(error)?);
        }
    }
    Ok(all)
}

/// The name servers of resolv.conf(5).
fn servers(text: &str) -> impl Iterator<Item = Result<IpAddr, String>> + '_ {
    let lines = (1..).zip(text.lines()).filter_map(|(at, line)| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == "nameserver").then_some((at, words.next().unwrap_or("nothing")))
    });
    lines.map(|(at, server): (u64, _)| {
        // One of a link (`fe80::1%eth0`) is not asked either: resolved, which images have, is.
        let error = |_| format!("line {at}: nameserver {server}: want an address without a link");
        server.parse().map_err(error)
    })
}

/// IPv6 and IPv4 addresses of `host`, by the server at `server`. None: there is no such host.
///
/// Both are asked for, whatever becomes of the first: there are servers that fail at what they have no records of, and an address of one kind is enough. Only
/// when there is none, what was wrong counts: without the other answer nobody knows that there is no such host.
fn ask(server: SocketAddr, host: &str) -> io::Result<Vec<IpAddr>> {
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for kind in [TYPE::AAAA, TYPE::A] {
        let asked = question(host, kind).map_err(io::Error::other)?;
        let found = exchange(server, &asked)
            .map_err(|error| error.to_string())
            .and_then(|answer| addresses(&asked, &answer));
        match found {
            Ok(found) => all.extend(found),
            Err(error) => wrong.push(format!("{kind:?}: {error}")),
        }
    }
    match all.is_empty() && !wrong.is_empty() {
        true => Err(io::Error::other(format!(
            "name server {server}, asked for {host}: {}",
            wrong.join(", ")
        ))),
        false => Ok(all),
    }
}

/// Sends a question, and takes the first answer.
fn exchange(server: SocketAddr, question: &Packet) -> io::Result<Vec<u8>> {
    let any = match server {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let bytes = question.build_bytes_vec().map_err(io::Error::other)?;
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(&bytes)?;
    let mut answer = vec![0; MAX_ANSWER];
    let len = socket.recv(&mut answer)?;
    answer.truncate(len);
    Ok(answer)
}

/// RFC 1035 section 4: one question, to be answered by asking others.
fn question(host: &str, kind: TYPE) -> Result<Packet<'_>, String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    // The crate leaves out empty labels: `a..b` would be asked for as `a.b`.
    let name = Name::new(host).ok();
    let name = name.filter(|name| !host.is_empty() && name.to_string() == host);
    let name = name.ok_or_else(|| {
        format!("{host:?} is no name of a host: want labels of 1 to 63 characters with dots between them")
    })?;
    // Nobody is to guess which answer we wait for.
    let [high, low, ..] = RandomState::new().hash_one(host).to_be_bytes();
    let mut packet = Packet::new_query(u16::from_be_bytes([high, low]));
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let question = Question::new(name, kind.into(), CLASS::IN.into(), false);
    packet.questions.push(question);
    Ok(packet)
}

/// The addresses in an answer. None: there is no such host.
fn addresses(asked: &Packet, message: &[u8]) -> Result<Vec<IpAddr>, String> {
    let answer =
        Packet::parse(message).map_err(|error| format!("the answer does not read: {error}"))?;
    let questions = |packet: &Packet| {
        let all = packet.questions.iter();
        let all = all.map(|q| (q.qname.to_string().to_ascii_lowercase(), q.qtype, q.qclass));
        all.collect::<Vec<_>>()
    };
    if !answer.has_flags(PacketFlag::RESPONSE)
        || answer.id() != asked.id()
        || questions(&answer) != questions(asked)
    {
        return Err("what came is no answer to the question".to_owned());
    }
    match answer.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Ok(Vec::new()),
        code => return Err(format!("it says {code:?}")),
    }
    let records = answer.answers.iter();
    let records = records.filter(|record| record.class == CLASS::IN);
    let found: Vec<IpAddr> = records
        .filter_map(|record| match &record.rdata {
            RData::A(data) => Some(Ipv4Addr::from(data.address).into()),
            RData::AAAA(data) => Some(Ipv6Addr::from(data.address).into()),
            _ => None,
        })
        .collect();
    if found.is_empty() && answer.has_flags(PacketFlag::TRUNCATION) {
        return Err(format!("its answer is longer than {MAX_ANSWER} bytes"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    use proptest::prelude::*;

    const HOST: &str = "updates.example";

    #[test]
    fn files_are_read_as_their_pages_say() {
        let hosts = "127.0.0.1 localhost # alias\n\n::1 ip6 LocalHost\nx y\n";
        let both: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(in_hosts(hosts, "localhost").unwrap(), both);
        assert_eq!(in_hosts(hosts, "alias").unwrap(), Vec::<IpAddr>::new());
        let error = in_hosts(hosts, "y").unwrap_err();
        assert_eq!(error, "line 4: \"x\" is no address, and stands for y");
        let text =
            "# x\nnameserver 127.0.0.53\noptions edns0\nnameserver fe80::1%eth0\nnameserver\n";
        let mut found = servers(text);
        assert_eq!(found.next().unwrap(), Ok("127.0.0.53".parse().unwrap()));
        let said = "line 4: nameserver fe80::1%eth0: want an address without a link";
        assert_eq!(found.next().unwrap().unwrap_err(), said);
        let said = "line 5: nameserver nothing: want an address without a link";
        assert_eq!(found.next().unwrap().unwrap_err(), said);
        assert_eq!(found.next(), None);
    }

    #[test]
    fn what_cannot_be_looked_up_is_not_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let names = Names {
            hosts: dir.path().join("hosts"),
            resolv_conf: dir.path().join("resolv.conf"),
            port: DOMAIN,
        };
        let one = |address: &str| vec![address.parse::<IpAddr>().unwrap()];
        assert_eq!(names.addresses("[::1]").unwrap(), one("::1"));
        assert_eq!(names.addresses("192.0.2.7").unwrap(), one("192.0.2.7"));
        let error = |host| names.addresses(host).unwrap_err().to_string();
        let path = names.resolv_conf.display();
        assert_eq!(
            error(HOST),
            format!("{path}: it names no server to ask for {HOST}: want a line such as \"nameserver 192.0.2.53\"")
        );
        std::fs::write(&names.hosts, "192.0.2.8 there\n").unwrap();
        assert_eq!(names.addresses("there").unwrap(), one("192.0.2.8"));
        std::fs::write(&names.resolv_conf, "nameserver one\n").unwrap();
        let said = error(HOST);
        assert!(
            said.contains("resolv.conf: line 1: nameserver one: "),
            "{said}"
        );
        // Each server's trouble.
        std::fs::write(&names.resolv_conf, "nameserver one\nnameserver two\n").unwrap();
        let said = error(HOST);
        assert!(
            said.contains("nameserver one: ") && said.contains("; "),
            "{said}"
        );
        assert!(said.contains("line 2: nameserver two: "), "{said}");
        // Not a text, and not a file.
        std::fs::write(&names.hosts, b"\xff").unwrap();
        assert!(error(HOST).contains("/hosts: "));
        std::fs::remove_file(&names.hosts).unwrap();
        std::fs::create_dir(&names.hosts).unwrap();
        assert!(error(HOST).contains("/hosts: "));
    }

    fn asked(kind: TYPE) -> Packet<'static> {
        let mut asked = question(HOST, kind).unwrap();
        asked.set_id(7);
        asked
    }

    /// An answer with an alias and an address, whose names are pointers.
    fn answer(question: &[u8], data: &[u8]) -> Vec<u8> {
        let mut out = question.to_vec();
        out[2] = 0x81;
        out[7] = 2;
        let [.., high, low, _, _] = question else {
            panic!("a question ends in kind and class");
        };
        out.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, b'x', 0xc0, 12]);
        out.extend([0xc0, 12]);
        out.extend([high, low]);
        out.extend([0, 1, 0, 0, 0, 9, 0]);
        out.push(data.len().try_into().unwrap());
        out.extend(data);
        out
    }

    fn good() -> Vec<u8> {
        answer(&asked(TYPE::A).build_bytes_vec().unwrap(), &[192, 0, 2, 7])
    }

    /// RFC 1035 by hand, not by the crate: identifier, recursion, one question; labels; kind and class.
    #[test]
    fn questions_are_those_of_the_rfc() {
        let bytes = asked(TYPE::A).build_bytes_vec().unwrap();
        let want = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x07updates\x07example\0\0\x01\0\x01";
        assert_eq!(bytes, want);
        let (one, other) = (
            question(HOST, TYPE::A),
            question("updates.example.", TYPE::A),
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.questions[0].qname, other.questions[0].qname);
        let long = [&"x".repeat(63)[..]; 4].join(".");
        for name in ["", ".", "a..b", ".a", &"x".repeat(64), &long] {
            let error = question(name, TYPE::A).unwrap_err();
            assert!(error.contains(" is no name of a host: want "), "{error}");
        }
    }

    #[test]
    fn a_server_is_asked_for_both_kinds() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let thread = thread::spawn(move || {
            for data in [&[0xfd; 16][..], &[192, 0, 2, 7]] {
                let mut buffer = [0; 512];
                let (len, from) = server.recv_from(&mut buffer).unwrap();
                server.send_to(&answer(&buffer[..len], data), from).unwrap();
            }
            // And then with what is no answer, to both.
            for _ in 0..2 {
                let (_, from) = server.recv_from(&mut [0; 512]).unwrap();
                server.send_to(b"no", from).unwrap();
            }
        });
        let found = ask(at, HOST).unwrap();
        let error = ask(at, HOST).unwrap_err().to_string();
        thread.join().unwrap();
        assert_eq!(
            found,
            [IpAddr::from([0xfd; 16]), IpAddr::from([192, 0, 2, 7])]
        );
        let place = format!("name server {at}, asked for {HOST}: AAAA: the answer does not read: ");
        assert!(error.starts_with(&place), "{error}");
        assert!(error.contains(", A: the answer does not read: "), "{error}");
    }

    /// A server that knows of no address is not the last that is asked.
    #[test]
    fn servers_are_asked_in_turn() {
        let first = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let second = UdpSocket::bind(("127.0.0.2", port)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let names = Names {
            hosts: dir.path().join("hosts"),
            resolv_conf: dir.path().join("resolv.conf"),
            port,
        };
        let lines = "nameserver 127.0.0.1\nnameserver 127.0.0.2\n";
        std::fs::write(&names.resolv_conf, lines).unwrap();
        let serve = |server: UdpSocket, data: Option<[u8; 4]>| {
            thread::spawn(move || {
                for knows in [false, true] {
                    let mut buffer = [0; 512];
                    let (len, from) = server.recv_from(&mut buffer).unwrap();
                    buffer[2] = 0x81;
                    let said = match data.filter(|_| knows) {
                        Some(data) => answer(&buffer[..len], &data),
                        None => buffer[..len].to_vec(),
                    };
                    server.send_to(&said, from).unwrap();
                }
            })
        };
        let threads = [serve(first, None), serve(second, Some([192, 0, 2, 7]))];
        let found = names.addresses(HOST).unwrap();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(found, [IpAddr::from([192, 0, 2, 7])]);
    }

    #[test]
    fn ports_are_those_of_the_scheme() {
        let of = |url: &str| port(&url.parse().unwrap());
        assert_eq!((of("http://x/y"), of("https://x/y")), (80, 443));
        assert_eq!(of("https://x:8443/y"), 8443);
    }

    /// What a server makes of a question.
    #[derive(Clone, Copy)]
    enum Says {
        Fails,
        Nothing,
        Address,
    }

    /// What is found when AAAA and A are answered so.
    fn asked_of([six, four]: [Says; 2]) -> Result<usize, String> {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let thread = thread::spawn(move || {
            for (says, data) in [(six, &[0xfd; 16][..]), (four, &[192, 0, 2, 7])] {
                let mut buffer = [0; 512];
                let (len, from) = server.recv_from(&mut buffer).unwrap();
                let mut plain = buffer[..len].to_vec();
                plain[2] = 0x81;
                let said = match says {
                    Says::Fails => {
                        // SERVFAIL.
                        plain[3] = 2;
                        plain
                    }
                    Says::Nothing => plain,
                    Says::Address => answer(&buffer[..len], data),
                };
                server.send_to(&said, from).unwrap();
            }
        });
        let found = ask(at, HOST);
        thread.join().unwrap();
        found
            .map(|found| found.len())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn one_kind_is_enough() {
        use Says::{Address, Fails, Nothing};
        assert_eq!(asked_of([Fails, Address]), Ok(1));
        assert_eq!(asked_of([Address, Fails]), Ok(1));
        assert_eq!(asked_of([Nothing, Nothing]), Ok(0));
        for (says, want) in [
            ([Fails, Nothing], ": AAAA: it says ServerFailure"),
            ([Nothing, Fails], ": A: it says ServerFailure"),
            (
                [Fails, Fails],
                ": AAAA: it says ServerFailure, A: it says ServerFailure",
            ),
        ] {
            let error = asked_of(says).unwrap_err();
            assert!(error.ends_with(want), "{error}");
        }
    }

    #[test]
    fn answers_to_something_else_are_none() {
        let (asked, good) = (asked(TYPE::A), good());
        assert_eq!(
            addresses(&asked, &good).unwrap(),
            [IpAddr::from([192, 0, 2, 7])]
        );
        let error = |bytes: &[u8]| addresses(&asked, bytes).unwrap_err();
        let changed = |at: usize, to: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + to.len()].copy_from_slice(to);
            bytes
        };
        // Upper case is the same name.
        assert_eq!(
            addresses(&asked, &changed(13, b"UPDATES")).unwrap().len(),
            1
        );
        for (what, bytes) in [
            ("another identifier", changed(1, &[8])),
            ("no response", changed(2, &[1])),
            ("another name", changed(13, b"replace")),
            ("another kind", changed(30, &[28])),
        ] {
            let said = error(&bytes);
            assert_eq!(said, "what came is no answer to the question", "{what}");
        }
        assert_eq!(error(&changed(3, &[2])), "it says ServerFailure");
        assert_eq!(error(&changed(3, &[5])), "it says Refused");
        for len in 0..good.len() {
            let said = error(&good[..len]);
            assert!(
                said.starts_with("the answer does not read: "),
                "{len}: {said}"
            );
        }
        // An address that is too short for one.
        let (len, rest) = (good.len() - 5, &good[good.len() - 4..]);
        let short = [&good[..len], &[3], &rest[..3]].concat();
        assert!(error(&short).starts_with("the answer does not read: "));
    }

    #[test]
    fn no_such_host() {
        let asked = asked(TYPE::A);
        let question = asked.build_bytes_vec().unwrap();
        // As servers say it: with the zone's SOA, whose names are pointers to pointers.
        let mut none = question.clone();
        none[2..4].copy_from_slice(&[0x81, 0x83]);
        assert_eq!(addresses(&asked, &none), Ok(vec![]));
        none[9] = 1;
        none.extend([0xc0, 20, 0, 6, 0, 1, 0, 0, 0, 9, 0, 27]);
        none.extend([2, b'n', b's', 0xc0, 33, 0xc0, 33]);
        none.extend([0; 20]);
        assert_eq!(addresses(&asked, &none), Ok(vec![]));
        // The host is there and has no such address.
        let mut empty = question.clone();
        empty[2] = 0x81;
        assert_eq!(addresses(&asked, &empty), Ok(vec![]));
        // What did not fit is not the same as nothing.
        empty[2] = 0x83;
        let error = addresses(&asked, &empty).unwrap_err();
        assert_eq!(error, "its answer is longer than 512 bytes");
    }

    /// Names that are pointers to themselves, to each other, forward, and beyond the end.
    #[test]
    fn names_that_never_end_are_refused() {
        let asked = asked(TYPE::A);
        let good = good();
        // The alias' name stands at byte 33, the address' at byte 49.
        for (first, second) in [
            (33, 12),
            (12, 49),
            (49, 33),
            (12, 0x3fff),
            (50, 12),
            (12, 50),
        ] {
            let mut bytes = good.clone();
            for (at, to) in [(33, first), (49, second)] {
                bytes[at..at + 2].copy_from_slice(&(0xc000_u16 | to).to_be_bytes());
            }
            let error = addresses(&asked, &bytes).unwrap_err();
            assert!(
                error.starts_with("the answer does not read: "),
                "{first}, {second}: {error}"
            );
        }
        // A kind of label that nobody has defined.
        let mut bytes = good;
        bytes[33] = 0x80;
        addresses(&asked, &bytes).unwrap_err();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Any bytes are read or refused, and an answer has no more addresses than fit into it.
        #[test]
        fn any_bytes(
            noise in prop::collection::vec(any::<u8>(), 0..MAX_ANSWER),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut near = good();
            for (at, value) in changes {
                let at = at.index(near.len());
                near[at] = value;
            }
            let behind = [&good()[..12], &noise].concat();
            for bytes in [noise, near, behind] {
                // A record has 11 bytes beside its address.
                let found = addresses(&asked(TYPE::A), &bytes).map_or(0, |found| found.len());
                prop_assert!(found <= bytes.len() / 15);
            }
        }
    }
}
