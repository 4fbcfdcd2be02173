//! Addresses of hosts, by `/etc/hosts` and the name servers in `/etc/resolv.conf`.
//!
//! Not by the C library: ours is linked in, and `getaddrinfo` would load modules for that of the image (`nsswitch.conf`), which is another one.
//! A question as RFC 1035 has it goes to each server by UDP; answers are addresses, whoever's: what is fetched from there is checked by
//! signatures, and https servers by their certificates.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

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
const A: u16 = 1;
const AAAA: u16 = 28;
const IN: u16 = 1;

/// Where names are looked up.
#[derive(Debug)]
pub(crate) struct Names {
    hosts: String,
    resolv_conf: String,
}

impl Names {
    /// Of this machine; a file that is missing names nobody.
    pub(crate) fn of_machine() -> Self {
        let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
        Self {
            hosts: read("/etc/hosts"),
            resolv_conf: read("/etc/resolv.conf"),
        }
    }

    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse() {
            return Ok(vec![address]);
        }
        let known = in_hosts(&self.hosts, host);
        if !known.is_empty() {
            return Ok(known);
        }
        let mut last = Ok(Vec::new());
        for server in servers(&self.resolv_conf) {
            match ask(SocketAddr::new(server, DOMAIN), host) {
                Ok(found) if found.is_empty() => {}
                answer @ Ok(_) => return answer,
                error => last = error,
            }
        }
        last
    }
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let usual = match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        let port = uri.port_u16().unwrap_or(usual);
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

/// The addresses that hosts(5) gives `host`.
fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or(""));
    lines
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|name| name.eq_ignore_ascii_case(host))
                .then_some(address)
        })
        .collect()
}

/// The name servers of resolv.conf(5).
fn servers(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == "nameserver").then_some(words.next()?)
    });
    lines.filter_map(|server| server.parse().ok()).collect()
}

/// IPv6 and IPv4 addresses of `host`, by the server at `server`. None: there is no such host.
fn ask(server: SocketAddr, host: &str) -> io::Result<Vec<IpAddr>> {
    let any = match server {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let mut all = Vec::new();
    for kind in [AAAA, A] {
        let [high, low, ..] = RandomState::new().hash_one(kind).to_be_bytes();
        let id = u16::from_be_bytes([high, low]);
        let question = question(id, host, kind)
            .ok_or_else(|| io::Error::other(format!("{host:?} is no name of a host")))?;
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send(&question)?;
        let mut answer = [0; MAX_ANSWER];
        let len = socket.recv(&mut answer)?;
        let found = addresses(id, answer.get(..len).unwrap_or_default());
        all.extend(
            found.ok_or_else(|| io::Error::other(format!("{server}: no answer for {host}")))?,
        );
    }
    Ok(all)
}

/// RFC 1035 section 4: one question, to be answered by asking others.
fn question(id: u16, host: &str, kind: u16) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for word in [id, 0x0100, 1, 0, 0, 0] {
        out.extend(word.to_be_bytes());
    }
    for label in host.trim_end_matches('.').split('.') {
        let len = u8::try_from(label.len()).ok();
        out.push(len.filter(|len| (1..=63).contains(len))?);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out.extend(kind.to_be_bytes());
    out.extend(IN.to_be_bytes());
    Some(out)
}

/// The addresses in an answer to the question `id`. Nothing for what is no answer to it.
fn addresses(id: u16, message: &[u8]) -> Option<Vec<IpAddr>> {
    /// No such name.
    const NXDOMAIN: u16 = 3;
    let mut rest = Rest(message);
    let (found, flags) = (rest.word()?, rest.word()?);
    let is_answer = flags & 0x8000 != 0;
    let code = flags & 0xf;
    if found != id || !is_answer || (code != 0 && code != NXDOMAIN) {
        return None;
    }
    let (questions, answers) = (rest.word()?, rest.word()?);
    rest.take(4)?;
    for _ in 0..questions {
        rest.name()?;
        rest.take(4)?;
    }
    let mut all = Vec::new();
    for _ in 0..answers {
        rest.name()?;
        let (kind, class) = (rest.word()?, rest.word()?);
        rest.take(4)?;
        let len = rest.word()?;
        let data = rest.take(len.into())?;
        match (kind, class) {
            (A, IN) => all.push(<[u8; 4]>::try_from(data).ok()?.into()),
            (AAAA, IN) => all.push(<[u8; 16]>::try_from(data).ok()?.into()),
            _ => {}
        }
    }
    Some(all)
}

/// What is left of a message.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(part)
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// Passes over a name, which may end in a pointer to another.
    fn name(&mut self) -> Option<()> {
        loop {
            match self.take(1)? {
                [0] => return Some(()),
                [len @ 1..=63] => self.take(usize::from(*len)).map(drop)?,
                [0xc0..=0xff] => return self.take(1).map(drop),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn files_are_read_as_their_pages_say() {
        let hosts = "127.0.0.1 localhost # alias\n::1 ip6 LocalHost\nx y\n";
        let both: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(in_hosts(hosts, "localhost"), both);
        assert_eq!(in_hosts(hosts, "alias"), Vec::<IpAddr>::new());
        let found = servers("# x\nnameserver 127.0.0.53\noptions edns0\nnameserver fe80::1%eth0\n");
        assert_eq!(found, ["127.0.0.53".parse::<IpAddr>().unwrap()]);
        let names = Names {
            hosts: hosts.to_owned(),
            resolv_conf: String::new(),
        };
        assert_eq!(names.addresses("[::1]").unwrap(), [both[1]]);
        assert_eq!(names.addresses("192.0.2.7").unwrap().len(), 1);
        assert_eq!(names.addresses("elsewhere").unwrap(), Vec::<IpAddr>::new());
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
        });
        let found = ask(at, "updates.example").unwrap();
        thread.join().unwrap();
        assert_eq!(
            found,
            [IpAddr::from([0xfd; 16]), IpAddr::from([192, 0, 2, 7])]
        );
    }

    #[test]
    fn answers_to_something_else_are_none() {
        let asked = question(7, "a.example", A).unwrap();
        let good = answer(&asked, &[192, 0, 2, 7]);
        assert_eq!(addresses(7, &good).unwrap().len(), 1);
        assert_eq!(addresses(8, &good), None);
        assert_eq!(addresses(7, &asked), None);
        for len in 0..good.len() {
            assert_eq!(addresses(7, &good[..len]), None, "{len}");
        }
        let mut failed = good.clone();
        failed[3] = 2;
        assert_eq!(addresses(7, &failed), None);
        // No such name.
        let mut none = asked.clone();
        none[2..4].copy_from_slice(&[0x81, 0x83]);
        assert_eq!(addresses(7, &none), Some(vec![]));
        for name in ["", "a..b", &"x".repeat(64)] {
            assert_eq!(question(7, name, A), None, "{name}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let good = answer(&question(7, "a.example", A).unwrap(), &[192, 0, 2, 7]);
        let mut random: u64 = 88_172_645_463_325_252;
        for _ in 0..100_000 {
            // xorshift64, Marsaglia 2003.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let [at, value, other, second, ..] = random.to_le_bytes();
            let mut bytes = good.clone();
            let len = bytes.len();
            bytes[usize::from(at) % len] = value;
            bytes[usize::from(other) % len] = second;
            // More addresses than bytes there can't be.
            let found = addresses(7, &bytes);
            assert!(found.is_none_or(|found| found.len() < len));
        }
    }
}
