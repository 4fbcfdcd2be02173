//! Which request is allowed to whom: a JSON document in the host's image. What it does not allow by name is not allowed.
//!
//! ```json
//! {
//!   "format": 1,
//!   "peers": ["vsock:3"],
//!   "requests": {"version": "any", "report": "root", "reboot": "no"},
//!   "log_units": ["ssh.service"],
//!   "upgrade_from": ["https://"]
//! }
//! ```
//!
//! | field | |
//! |---|---|
//! | `format` | 1 |
//! | `peers` | who may connect: `vsock:CID`, and `loopback` for TCP of the same machine |
//! | `requests` | by name: `any` program of the guest, its `root` alone (a port below 1024), or `no`; one that is absent is `no` |
//! | `log_units` | units of which `logs` tells |
//! | `upgrade_from` | what the address of a bundle may begin with |

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Error;
use crate::message::{self, Kind, Refusal, Request, REQUESTS};
use crate::socket::Peer;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// [`FORMAT`].
    pub format: u32,
    /// Who may connect.
    pub peers: Vec<String>,
    /// To whom each request is allowed.
    #[serde(deserialize_with = "unique")]
    pub requests: BTreeMap<String, Who>,
    /// Units of which `logs` tells.
    pub log_units: Vec<String>,
    /// What the address of a bundle may begin with.
    pub upgrade_from: Vec<String>,
}

/// To whom a request is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Every program of the guest.
    Any,
    /// Who may use a port below 1024 in the guest.
    Root,
    /// Nobody.
    No,
}

/// A map in which no key stands twice: of two rules for one request, neither is the one that counts.
fn unique<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Who>, D::Error> {
    struct Rules;
    impl<'de> serde::de::Visitor<'de> for Rules {
        type Value = BTreeMap<String, Who>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map of requests to any, root or no")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut rules = BTreeMap::new();
            while let Some((name, who)) = map.next_entry::<String, Who>()? {
                if rules.contains_key(&name) {
                    let text = format!("two rules for the request `{name}`, want one");
                    return Err(serde::de::Error::custom(text));
                }
                rules.insert(name, who);
            }
            Ok(rules)
        }
    }
    deserializer.deserialize_map(Rules)
}

const WHAT: &str = "the list of what is allowed";

impl Policy {
    /// Reads and checks the document.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let policy: Self = message::json(WHAT, bytes)?;
        let mut problems = Vec::new();
        if policy.format != FORMAT {
            let got = policy.format;
            problems.push(format!("format: got {got}, want {FORMAT}"));
        }
        for peer in &policy.peers {
            if peer != LOOPBACK && cid(peer).is_none() {
                problems.push(format!("peers: got {peer:?}, want vsock:CID or {LOOPBACK}"));
            }
        }
        for name in policy.requests.keys() {
            if !REQUESTS.contains(&name.as_str()) {
                let hint = base::text::hint(name, &REQUESTS);
                let known = REQUESTS.join(", ");
                problems.push(format!("requests: got {name:?}, want one of {known}{hint}"));
            }
        }
        for start in &policy.upgrade_from {
            if !start.starts_with("https://") && !start.starts_with("http://") {
                problems.push(format!(
                    "upgrade_from: got {start:?}, want what begins with https:// or http://"
                ));
            }
        }
        message::all_right(WHAT, problems)?;
        Ok(policy)
    }

    /// Whether `peer` may talk at all.
    pub fn knows(&self, peer: &Peer) -> bool {
        self.peers.iter().any(|listed| match peer {
            Peer::Vsock { cid: got, .. } => cid(listed) == Some(*got),
            Peer::Tcp(address) => listed == LOOPBACK && address.ip().is_loopback(),
        })
    }

    /// Whether `peer` may ask that.
    pub fn allows(&self, request: &Request, peer: &Peer) -> Result<(), Refusal> {
        let no = |why: String| Err(Refusal::of(Kind::NotAllowed, why));
        let name = request.name();
        match self.requests.get(name).unwrap_or(&Who::No) {
            Who::No => return no(format!("{name}: the host allows that to nobody")),
            Who::Root if !peer.is_root() => {
                return no(format!(
                    "{name}: got port {}, want one below 1024: the host allows that to root alone",
                    peer.port()
                ))
            }
            Who::Root | Who::Any => {}
        }
        match request {
            Request::Logs(logs) if !self.log_units.contains(&logs.unit) => no(format!(
                "unit: got {:?}, want one of {}",
                logs.unit,
                self.log_units.join(", ")
            )),
            Request::UpgradeHost(bundle) => self.takes_from(&bundle.url),
            _ => Ok(()),
        }
    }

    /// Whether a bundle may come from that address.
    pub fn takes_from(&self, url: &str) -> Result<(), Refusal> {
        let starts = &self.upgrade_from;
        if starts.iter().any(|start| url.starts_with(start.as_str())) {
            return Ok(());
        }
        let message = format!(
            "url: got {url:?}, want what begins with one of: {}",
            starts.join(", ")
        );
        Err(Refusal::of(Kind::NotAllowed, message))
    }
}

/// Stands for TCP connections of the same machine.
const LOOPBACK: &str = "loopback";

fn cid(peer: &str) -> Option<u32> {
    peer.strip_prefix("vsock:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{After, Bundle, LogsOf, Reboot};

    const TEXT: &str = r#"{
        "format": 1,
        "peers": ["vsock:3"],
        "requests": {"version": "any", "logs": "any", "reboot": "root", "upgrade-status": "no", "upgrade-host": "root"},
        "log_units": ["ssh.service", "a@b.service"],
        "upgrade_from": ["https://", "http://10.0.0.1/"]
    }"#;
    const ROOT: Peer = Peer::Vsock { cid: 3, port: 1023 };
    const USER: Peer = Peer::Vsock { cid: 3, port: 1024 };

    fn policy() -> Policy {
        Policy::parse(TEXT.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_not_named_is_not_allowed() {
        let policy = policy();
        let reboot = Request::Reboot(Reboot {
            after: After::Anything,
        });
        for (request, peer, want) in [
            (Request::Version, USER, ""),
            (Request::Version, ROOT, ""),
            (reboot.clone(), ROOT, ""),
            (
                reboot,
                USER,
                "reboot: got port 1024, want one below 1024: the host allows that to root alone",
            ),
            (
                Request::UpgradeStatus,
                ROOT,
                "upgrade-status: the host allows that to nobody",
            ),
            (
                Request::HostInfo,
                ROOT,
                "host-info: the host allows that to nobody",
            ),
        ] {
            let got = policy.allows(&request, &peer);
            let text = got.err().map_or_else(String::new, |refusal| {
                assert_eq!(refusal.kind, Kind::NotAllowed);
                refusal.message
            });
            assert_eq!(text, want);
        }
    }

    #[test]
    fn units_and_addresses_of_the_list_alone() {
        let policy = policy();
        let logs = |unit: &str| {
            let unit = unit.to_owned();
            let request = Request::Logs(LogsOf { unit, lines: 1 });
            policy.allows(&request, &USER)
        };
        assert_eq!(logs("ssh.service"), Ok(()));
        assert_eq!(
            logs("ssh").unwrap_err().message,
            "unit: got \"ssh\", want one of ssh.service, a@b.service"
        );
        let from = |url: &str| {
            let (url, version) = (url.to_owned(), "1".to_owned());
            let request = Request::UpgradeHost(Bundle { url, version });
            policy.allows(&request, &ROOT)
        };
        assert_eq!(from("https://anywhere/u.tar"), Ok(()));
        assert_eq!(from("http://10.0.0.1/u.tar"), Ok(()));
        assert_eq!(
            from("http://10.0.0.11/u.tar").unwrap_err().message,
            "url: got \"http://10.0.0.11/u.tar\", want what begins with one of: https://, http://10.0.0.1/"
        );
    }

    #[test]
    fn peers_of_the_list_alone() {
        let policy = policy();
        let here: std::net::SocketAddr = "127.0.0.1:9".parse().unwrap();
        assert!(policy.knows(&USER));
        assert!(!policy.knows(&Peer::Vsock { cid: 4, port: 1 }));
        assert!(!policy.knows(&Peer::Tcp(here)));
        let tests = TEXT.replace("vsock:3", "loopback");
        let policy = Policy::parse(tests.as_bytes()).unwrap();
        assert!(policy.knows(&Peer::Tcp(here)));
        assert!(!policy.knows(&Peer::Tcp("192.0.2.1:9".parse().unwrap())));
        assert!(!policy.knows(&USER));
    }

    #[test]
    fn a_list_that_says_something_else_is_refused() {
        let text = TEXT
            .replace("\"format\": 1", "\"format\": 3")
            .replace("vsock:3", "vsock:x")
            .replace("\"reboot\"", "\"rebot\"")
            .replace("http://10", "ftp://10");
        let error = Policy::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            error,
            "the list of what is allowed: format: got 3, want 1; peers: got \"vsock:x\", want vsock:CID or loopback; \
             requests: got \"rebot\", want one of version, host-info, logs, report, upgrade-host, upgrade-status, reboot; did you mean reboot?; \
             upgrade_from: got \"ftp://10.0.0.1/\", want what begins with https:// or http://"
        );
        for (from, to, want) in [
            (
                "\"reboot\": \"root\"",
                "\"version\": \"no\"",
                "two rules for the request `version`, want one",
            ),
            ("\"root\"", "\"admin\"", "unknown variant `admin`"),
            (
                "\"format\": 1",
                "\"format\": 1, \"more\": 1",
                "unknown field `more`",
            ),
            ("\"log_units\"", "\"units\"", "unknown field `units`"),
        ] {
            let error = Policy::parse(TEXT.replacen(from, to, 1).as_bytes()).unwrap_err();
            let Error::Json { source, .. } = error else {
                panic!("{error}");
            };
            let text = source.to_string();
            assert!(text.contains(want), "{text}");
        }
    }
}
