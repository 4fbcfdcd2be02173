//! What a node takes: all checks of a manifest, in one place.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use base::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::documents::{self, Document, Fault, Format};
use crate::expiry::shown;
use crate::manifest::check_name;
use crate::{Expiry, Manifest, Signatures, TrustedKeys, Version};

/// The format of `os.json` that is written and read here.
const KNOWN: Format = Format {
    number: Identity::FORMAT,
    remedy: "that system comes after this program, which does not know what it says",
};
/// The boot loader counts by one digit.
const BOOT_LIMIT: std::ops::RangeInclusive<u8> = 1..=9;

/// `os.json`: what a system is (`docs/formats/os.json.md`). It lies in the root under dm-verity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// [`Identity::FORMAT`].
    pub format: u64,
    /// The operating system.
    pub os: String,
    /// Its environment.
    pub env: String,
    /// Its version.
    pub version: Version,
    /// How many starts a slot gets to be confirmed in: 1 to 9, the number that the system's boot loader has.
    pub boot_limit: u8,
    /// As in [`Manifest`].
    pub data_formats: BTreeMap<String, u64>,
}

impl Document for Identity {
    const NAME: &'static str = "os.json";
    const MAX: usize = 64 << 10;
    const KNOWN: Option<Format> = Some(KNOWN);

    fn check(&self) -> Result<(), Fault> {
        KNOWN.check(&self.format.into())?;
        check_name("os", &self.os)?;
        check_name("env", &self.env)?;
        if !BOOT_LIMIT.contains(&self.boot_limit) {
            let (from, to) = BOOT_LIMIT.into_inner();
            return Err(Fault::of(
                "boot_limit",
                self.boot_limit,
                format!("{from} to {to}"),
            ));
        }
        let mut names = self.data_formats.keys();
        names.try_for_each(|name| check_name("data_formats", name))
    }
}

impl Identity {
    /// The format that is written and read here. A key more is another one: who does not know a key can't tell whether it may be passed over.
    pub const FORMAT: u64 = 1;

    /// The file has no more bytes.
    pub const MAX_LEN: usize = <Self as Document>::MAX;

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, documents::Error> {
        documents::parse(bytes)
    }

    /// The file's text.
    pub fn to_json(&self) -> Result<String, documents::Error> {
        documents::to_json(self)
    }
}

/// What a node knows when it looks at a bundle.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// What is running.
    pub node: &'a Identity,
    /// Whose signatures count.
    pub keys: &'a TrustedKeys,
    /// Seconds since 1970.
    pub now: i64,
    /// Whether somebody said `--allow-unsigned`.
    pub allow_unsigned: bool,
    /// Whether somebody said `--any-version`: a version of which there is no telling whether it is older counts as newer.
    pub any_version: bool,
}

impl Policy<'_> {
    /// Everything that a manifest alone can be refused for. Returns the names of the keys that signed it; none if it need not be signed.
    ///
    /// Signatures are checked over the bytes before anything in them is looked at.
    pub fn check(
        &self,
        manifest_json: &[u8],
        signatures_json: &[u8],
    ) -> Result<(Manifest, Vec<String>), Refusal> {
        if self.allow_unsigned && !self.keys.allow_unsigned {
            let env = self.node.env.clone();
            return Err(Refusal::NeverUnsigned { env });
        }
        let signatures = Signatures::parse(signatures_json)?;
        let signers = match signatures.signers(manifest_json, self.keys) {
            Err(Refusal::TooFewSigners { signers, .. }) if self.allow_unsigned => signers,
            signers => signers?,
        };
        let manifest = Manifest::parse(manifest_json)?;
        self.check_target(&manifest)?;
        Ok((manifest, signers))
    }

    /// Whether what the manifest describes is for this node, now.
    fn check_target(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let node = self.node;
        for (what, ours, theirs) in [
            ("os", &node.os, &manifest.os),
            ("env", &node.env, &manifest.env),
        ] {
            if ours != theirs {
                let (node, bundle) = (ours.clone(), theirs.clone());
                return Err(Refusal::Other { what, node, bundle });
            }
        }
        let (running, bundle) = (node.version.clone(), manifest.version.clone());
        match bundle.age(&running) {
            Some(Ordering::Less) => return Err(Refusal::Older { running, bundle }),
            None if !self.any_version => return Err(Refusal::NoOrder { running, bundle }),
            _ => {}
        }
        if let Some(minimum) = &manifest.minimum_version {
            // What the minimum is there for has to be known, whatever somebody says.
            if !running.age(minimum).is_some_and(Ordering::is_ge) {
                let minimum = minimum.clone();
                return Err(Refusal::TooOldToCome {
                    running,
                    bundle,
                    minimum,
                });
            }
        }
        if let Some(expires) = manifest.expires {
            if self.now >= expires.seconds() {
                let now = self.now;
                return Err(Refusal::Expired {
                    bundle,
                    expires,
                    now,
                });
            }
        }
        match older_formats(&node.data_formats, &manifest.data_formats)
            .into_iter()
            .next()
        {
            Some(change) => Err(Refusal::OlderData { bundle, change }),
            None => Ok(()),
        }
    }
}

/// A kind of data whose format one version writes and the other one is too old for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatChange {
    /// The kind of data.
    pub name: String,
    /// The format of the version that one comes from.
    pub from: u64,
    /// The lower one of the version that one goes to; 0 if it does not know that kind of data.
    pub to: u64,
}

impl fmt::Display for FormatChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, from, to } = self;
        write!(
            f,
            "{name} is kept in format {from}, and the other version knows up to {to}"
        )
    }
}

/// The data that a version which knows the formats `to` can't be trusted with, after one that wrote the formats `from`.
pub fn older_formats(
    from: &BTreeMap<String, u64>,
    to: &BTreeMap<String, u64>,
) -> Vec<FormatChange> {
    let changes = from.iter().map(|(name, from)| FormatChange {
        name: name.clone(),
        from: *from,
        to: to.get(name).copied().unwrap_or(0),
    });
    changes.filter(|change| change.to < change.from).collect()
}

/// Names in a message.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("nobody"),
            names => f.write_str(&names.join(", ")),
        }
    }
}

/// Why a bundle is not installed. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// `--allow-unsigned` on a system that is not for development.
    #[error("--allow-unsigned: a system of env {env} never takes what is not signed; leave it out and install a signed bundle")]
    NeverUnsigned {
        /// The node's env.
        env: String,
    },
    /// Fewer trusted keys signed than must.
    #[error("signed by {} of the trusted keys {}, want {threshold} of them{}: have it signed by more of them (docs/signing.md)", Names(signers), Names(trusted), foreign(unknown))]
    TooFewSigners {
        /// Trusted keys that did.
        signers: Vec<String>,
        /// Others that did.
        unknown: Vec<String>,
        /// How many must.
        threshold: usize,
        /// All trusted keys.
        trusted: Vec<String>,
    },
    /// A signature that is not by the key in whose name it is.
    #[error("the signature of key {key_id} is not over this manifest.json: the bundle was altered, or put together of two; get it anew")]
    BadSignature {
        /// The key.
        key_id: String,
    },
    /// A manifest, or the list of its signatures, that is none.
    #[error(transparent)]
    Document(#[from] documents::Error),
    /// For another system or another env.
    #[error("this bundle is for {what} {bundle}, and this node is {what} {node}: get the bundle of {node}")]
    Other {
        /// `os` or `env`.
        what: &'static str,
        /// This node's.
        node: String,
        /// The bundle's.
        bundle: String,
    },
    /// Older than what is running.
    #[error("version {bundle} is older than {running}, which is running: install {running} or a newer one, or go back with `manageboot rollback`")]
    Older {
        /// What is running.
        running: Version,
        /// What the bundle has.
        bundle: Version,
    },
    /// There is no telling whether it is older than what is running.
    #[error("there is no telling which of version {bundle} and {running}, which is running, is the newer one: one that follows from an image's inputs has no order; --any-version installs it all the same, if you know that it is not an older one")]
    NoOrder {
        /// What is running.
        running: Version,
        /// What the bundle has.
        bundle: Version,
    },
    /// What is running is too old, or there is no telling.
    #[error("version {bundle} takes upgrades from {minimum} on, and {running} is running: install a version between them first")]
    TooOldToCome {
        /// What is running.
        running: Version,
        /// What the bundle has.
        bundle: Version,
        /// The oldest version it can be installed from.
        minimum: Version,
    },
    /// Too late.
    #[error("the bundle of version {bundle} expired at {expires}, and it is {} here: get a newer one, or set the clock", shown(*now))]
    Expired {
        /// What the bundle has.
        bundle: Version,
        /// From when on.
        expires: Expiry,
        /// What time it is here.
        now: i64,
    },
    /// The bundle's version can't read what the running one has written.
    #[error("version {bundle} is too old for this node's data: {change}; install a version that knows it")]
    OlderData {
        /// What the bundle has.
        bundle: Version,
        /// Which data.
        change: FormatChange,
    },
    /// Another member than the one whose turn it is.
    #[error("member {got} comes where {want} should: the bundle was put together of others; get it anew")]
    Order {
        /// The name, or what is there instead of a file.
        got: String,
        /// The name.
        want: String,
    },
    /// Something behind the last member.
    #[error("member {got} comes behind the last one, {last}: the bundle was altered; get it anew")]
    More {
        /// The name.
        got: String,
        /// The last one of the manifest.
        last: String,
    },
    /// A bundle that ends before its last member.
    #[error("the bundle ends before member {want}: it is cut short; get it anew")]
    Missing {
        /// The member that does not come.
        want: String,
    },
    /// A member of another length.
    #[error("member {member} has {got} bytes, and the manifest says {want}: it is of another bundle; get it anew")]
    Size {
        /// Its name.
        member: String,
        /// Its length.
        got: u64,
        /// What the manifest says.
        want: u64,
    },
    /// A chunk of other bytes.
    #[error("member {member}: the chunk at byte {offset} has SHA-256 {got}, and the manifest says {want}: it was altered, or is of another bundle; get it anew")]
    Chunk {
        /// The member's name.
        member: String,
        /// Where the chunk begins.
        offset: u64,
        /// Its digest.
        got: Sha256Digest,
        /// What the manifest says.
        want: Sha256Digest,
    },
    /// A member that ends too early.
    #[error("the bundle ends {at} bytes into member {member}: it is cut short; get it anew")]
    CutShort {
        /// The member's name.
        member: String,
        /// How many of its bytes there are, up to a chunk less.
        at: u64,
    },
    /// VERSION.TXT does not say what the manifest says.
    #[error("VERSION.TXT says {got:?}, and the manifest says {want}: have the bundle made anew")]
    VersionText {
        /// Its first line.
        got: String,
        /// The manifest's version.
        want: Version,
    },
    /// A file that is shorter or longer than its members.
    #[error("the bundle has {got} bytes, and with the members of its manifest it has {want}: it is {}; get it anew", if got < want { "cut short" } else { "longer than it was made" })]
    Length {
        /// How long it is.
        got: u64,
        /// How long it should be.
        want: u64,
    },
    /// No archive, or a damaged one.
    #[error("the bundle is no tar that `mkbundle` made")]
    Archive(#[source] archive::Error),
    /// A compressed bundle that can't be decompressed.
    #[error("the bundle can't be decompressed: it is damaged, or compressed with a window of more than {} MiB (zstd --long, --ultra)", 1u64 << crate::input::WINDOW_LOG >> 20)]
    Zstd(#[source] std::io::Error),
    /// More than the members of the manifest need.
    #[error("the bundle goes on for more than {most} bytes, more than its members need: it was altered; get it anew")]
    TooLong {
        /// The most that it may have.
        most: u64,
    },
    /// A delta for another system than the one that is running.
    #[error("member {member} is a difference to another {base} than the one of this node (SHA-256 {want}, here it is {got}): install the whole bundle")]
    Base {
        /// The member's name in the bundle.
        member: String,
        /// What it is a difference to.
        base: String,
        /// The digest of what is here.
        got: Sha256Digest,
        /// The digest of what it was made from.
        want: Sha256Digest,
    },
    /// A delta that is none.
    #[error("member {member}: byte {at} of the difference: {reason}; get the bundle anew")]
    Delta {
        /// The member's name in the bundle.
        member: String,
        /// Where, after decompression.
        at: u64,
        /// What is wrong.
        reason: String,
    },
}

fn foreign(unknown: &[String]) -> String {
    match unknown {
        [] => String::new(),
        _ => format!(
            " ({} signed too, which this node does not know)",
            unknown.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        let identity = Identity {
            format: Identity::FORMAT,
            os: "node".to_owned(),
            env: "test".to_owned(),
            version: "1.2.3".parse().unwrap(),
            boot_limit: 3,
            data_formats: BTreeMap::from([("history".to_owned(), 2)]),
        };
        let text = identity.to_json().unwrap();
        assert_eq!(Identity::parse(text.as_bytes()).unwrap(), identity);
        // As a build writes it.
        let line: String = text.lines().map(str::trim).collect();
        assert_eq!(Identity::parse(line.as_bytes()).unwrap(), identity);
        text
    }

    #[test]
    fn what_a_system_is() {
        for (from, to, why) in [
            (
                "\"format\": 1,",
                "\"format\": 2, \"more\": 1,",
                "format: got 2, want 1: that system comes after this program",
            ),
            (
                "\"format\": 1,",
                "\"format\": null,",
                "format: got null, want 1",
            ),
            ("\"format\": 1,", "", "missing field `format`"),
            (
                "\"format\": 1,",
                "\"format\": 1, \"more\": 1,",
                "unknown field `more`, expected one of `format`, `os`",
            ),
            (
                "\"format\": 1,",
                "\"format\": 1, \"format\": 2,",
                "duplicate field `format`",
            ),
            ("boot_limit", "boot_tries", "unknown field `boot_tries`"),
            (
                "\"boot_limit\": 3",
                "\"boot_limit\": 10",
                "boot_limit: got 10, want 1 to 9",
            ),
            (
                "\"env\": \"test\"",
                "\"env\": \"\"",
                "env: got \"\", want 1 to 64 letters",
            ),
            ("\"history\"", "\"a/b\"", "data_formats: got \"a/b\""),
        ] {
            let changed = text().replacen(from, to, 1);
            assert_ne!(changed, text());
            let error = Identity::parse(changed.as_bytes()).unwrap_err().to_string();
            assert!(
                error.starts_with("os.json: ") && error.contains(why),
                "{error}"
            );
        }
    }
}
