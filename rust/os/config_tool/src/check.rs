//! `check`: everything that is wrong with a configuration, what may not be meant, and which addresses its machines will have.
//!
//! It looks at files alone, so that it runs on any desk before a stick is written.

use std::path::Path;

use anyhow::Context;
use os_config::{
    Address, Document, Error, GuestConfig, HostConfig, Ipv6Prefix, Kind, Mac, Medium, NetworkConfig,
};
use serde_json::{json, Value};

/// What was found.
pub(crate) struct Report {
    /// The file or folder.
    path: String,
    /// Whom it was looked at for.
    kind: Kind,
    /// What it says, or everything that is wrong.
    found: Result<Found, Error>,
}

/// A configuration that is right.
struct Found {
    /// What is handed on.
    document: Document,
    /// What may not be meant.
    remarks: Vec<String>,
    /// Whom it tells who they are.
    machines: Vec<Machine>,
}

/// Looks at a folder laid out as a medium, or at one `config.ini` or `config.json`. Without `kind`, `config.json` says itself whom it is
/// for, and `config.ini` is an installation medium's.
pub(crate) fn look(path: &Path, kind: Option<Kind>) -> anyhow::Result<Report> {
    let meta =
        std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (read, dir) = match meta.is_dir() {
        true => (Medium::read(path), path),
        false => {
            let folder = path.parent().unwrap_or(Path::new(""));
            (Medium::read_file(path), folder)
        }
    };
    if let Err(error @ Error::Io { .. }) = read {
        return Err(error.into());
    }
    let document = |medium: &Medium| medium.config.document.as_ref().map(Document::kind);
    let itself = read.as_ref().ok().and_then(document);
    let kind = kind.or(itself).unwrap_or(Kind::Setup);
    let found = read.and_then(|medium| found(&medium, kind, dir, meta.is_dir()));
    Ok(Report {
        path: path.display().to_string(),
        kind,
        found,
    })
}

fn found(medium: &Medium, kind: Kind, dir: &Path, is_whole: bool) -> Result<Found, Error> {
    let config = &medium.config;
    config.check_for(kind, dir)?;
    let document = Document::of(config, kind)?;
    let mut remarks = config.remarks(kind);
    // Of one file alone nothing is known of keys and signatures.
    if is_whole {
        remarks.extend(medium.remarks());
    }
    let machines = Machine::all(&document);
    Ok(Found {
        document,
        remarks,
        machines,
    })
}

impl Report {
    /// For people; what is wrong is the error.
    pub(crate) fn text(self) -> Result<String, Error> {
        let found = self.found?;
        let remarks = found.remarks.iter().map(|text| format!("remark: {text}"));
        let machines = found.machines.iter().map(Machine::text);
        let end = [format!("{}: ok", self.path)];
        Ok(remarks
            .chain(machines)
            .chain(end)
            .collect::<Vec<_>>()
            .join("\n"))
    }

    /// For scripts; whether nothing is wrong, and one object that says what.
    pub(crate) fn json(&self) -> (bool, Value) {
        let mut all = json!({ "path": self.path, "for": self.kind.system() });
        let (problems, rest) = match &self.found {
            Ok(found) => {
                let machines: Vec<Value> = found.machines.iter().map(Machine::json).collect();
                let rest = json!({
                    "configuration": found.document.to_value(),
                    "machines": machines,
                    "remarks": found.remarks,
                });
                (Vec::new(), rest)
            }
            Err(error) => {
                let each = error.problems();
                let of = |(file, problem): &(&Path, os_config::Problem)| {
                    let line = (problem.line != 0).then_some(problem.line);
                    json!({ "file": file.to_string_lossy(), "line": line, "text": problem.text })
                };
                (each.iter().map(of).collect(), json!({}))
            }
        };
        let good = problems.is_empty();
        if let (Value::Object(all), Value::Object(rest)) = (&mut all, rest) {
            all.insert("problems".to_owned(), problems.into());
            all.extend(rest);
        }
        (good, all)
    }
}

/// A machine as the configuration makes it.
struct Machine {
    /// `host` or `guest`.
    who: &'static str,
    hostname: Option<String>,
    /// What is known of its card's hardware address.
    mac: Option<Mac>,
    ipv6: Ipv6,
    ipv4: Option<String>,
}

/// Where an IPv6 address comes from.
enum Ipv6 {
    /// It is known.
    Known { address: String, derived: bool },
    /// In this network, when the card is known.
    Later(Ipv6Prefix),
    /// By router advertisements.
    Routers,
}

impl Machine {
    fn all(document: &Document) -> Vec<Self> {
        match document {
            Document::Setup(setup) => Self::of_host(&setup.host).into(),
            Document::Host(host) => Self::of_host(host).into(),
            Document::Guest(guest) => {
                vec![Self::of_guest(guest, guest.network.management_mac)]
            }
        }
    }

    fn of_host(host: &HostConfig) -> [Self; 2] {
        let mac = host.network.management_mac;
        let hostname = host.hostname.as_deref();
        [
            Self::new("host", hostname, mac, &host.network),
            Self::of_guest(&host.guest, host.guest_mac(None)),
        ]
    }

    fn of_guest(guest: &GuestConfig, mac: Option<Mac>) -> Self {
        Self::new("guest", guest.hostname.as_deref(), mac, &guest.network)
    }

    fn new(
        who: &'static str,
        hostname: Option<&str>,
        mac: Option<Mac>,
        network: &NetworkConfig,
    ) -> Self {
        let ipv6 = match (network.ipv6_of(mac), network.ipv6_derived) {
            (Some(own), derived) => Ipv6::Known {
                address: length(&own),
                derived: derived.is_some(),
            },
            (None, Some(derived)) => Ipv6::Later(derived.prefix),
            (None, None) => Ipv6::Routers,
        };
        Self {
            who,
            hostname: hostname.map(str::to_owned),
            mac,
            ipv6,
            ipv4: network.ipv4.as_ref().map(length),
        }
    }

    /// `host: node-1, card 34:56:78:9a:bc:de, IPv6 2001:db8::2/64, IPv4 by DHCP`.
    fn text(&self) -> String {
        let name = self.hostname.as_deref().unwrap_or("the image's name");
        let mac = match self.mac {
            Some(mac) => format!("card {mac}"),
            None if self.who == "guest" => "card derived from the host's".to_owned(),
            None => "the first wired card".to_owned(),
        };
        let ipv6 = match &self.ipv6 {
            Ipv6::Known { address, derived } => {
                let how = if *derived { " (derived)" } else { "" };
                format!("{address}{how}")
            }
            Ipv6::Later(prefix) => format!("derived in {prefix}, known with management_mac"),
            Ipv6::Routers => "by router advertisements".to_owned(),
        };
        let ipv4 = self.ipv4.as_deref().unwrap_or("by DHCP");
        format!("{}: {name}, {mac}, IPv6 {ipv6}, IPv4 {ipv4}", self.who)
    }

    fn json(&self) -> Value {
        let (address, how) = match &self.ipv6 {
            Ipv6::Known { address, derived } => {
                let how = if *derived { "derived" } else { "static" };
                (Some(address), how)
            }
            Ipv6::Later(_) => (None, "derived"),
            Ipv6::Routers => (None, "router advertisements"),
        };
        json!({
            "machine": self.who,
            "hostname": self.hostname,
            "mac": self.mac.map(|mac| mac.to_string()),
            "ipv6": address,
            "ipv6_by": how,
            "ipv4": self.ipv4,
            "ipv4_by": if self.ipv4.is_some() { "static" } else { "DHCP" },
        })
    }
}

fn length<A: std::fmt::Display>(own: &Address<A>) -> String {
    format!("{}/{}", own.address, own.prefix_length)
}
