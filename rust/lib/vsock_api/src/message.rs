//! Requests, replies, and what their fields may hold.
//!
//! A request is `{"request": NAME, "params": {…}}`, a reply `{"reply": NAME, "result": {…}}`; what takes or gives nothing has no `params` or
//! `result`. A name or field that is not known is refused, by name.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Longest version, in bytes.
pub const MOST_VERSION: usize = 128;
/// Longest address of a bundle, in bytes.
pub const MOST_URL: usize = 1024;
/// Longest name of a unit, in bytes.
pub const MOST_UNIT: usize = 128;
/// Most lines of a log that can be asked for.
pub const MOST_LINES: u32 = 10_000;
/// Most bytes of a log's lines in a reply: six times as many, for characters that JSON writes as `\u0001`, still fit into a frame.
pub const MOST_LOG: usize = 128 * 1024;
/// Longest explanation, in bytes.
pub const MOST_ERROR: usize = 2048;

/// What a guest asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "request",
    content = "params",
    rename_all = "kebab-case",
    deny_unknown_fields
)]
pub enum Request {
    /// What the host runs.
    Version,
    /// How the host is.
    HostInfo,
    /// The last lines that a unit of the host logged.
    Logs(LogsOf),
    /// How the guest is.
    Report(Report),
    /// Upgrade the host.
    UpgradeHost(Bundle),
    /// How far that is.
    UpgradeStatus,
    /// Restart the host.
    Reboot(Reboot),
}

/// The names of all requests.
pub const REQUESTS: [&str; 7] = [
    "version",
    "host-info",
    "logs",
    "report",
    "upgrade-host",
    "upgrade-status",
    "reboot",
];

/// Lines of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogsOf {
    /// Whose, such as `ssh.service`.
    pub unit: String,
    /// How many, 1 at least.
    pub lines: u32,
}

/// How a guest is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// What runs.
    pub version: String,
    /// Whether its services answer.
    pub healthy: bool,
    /// The kernel's name for this start of the guest: a UUID.
    pub boot_id: String,
    /// How far its work is; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// What became of an offered upgrade, once it was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeStatus>,
}

/// An upgrade's bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Where it is: http or https.
    pub url: String,
    /// The version that it must have.
    pub version: String,
}

/// When to restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reboot {
    /// On what condition.
    pub after: After,
}

/// On what condition to restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    /// Only if an upgrade is committed, which the restart starts.
    Upgrade,
    /// Whatever was before.
    Anything,
}

/// What the host says to a request of that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "reply",
    content = "result",
    rename_all = "kebab-case",
    deny_unknown_fields
)]
pub enum Reply {
    /// To `version`.
    Version(Version),
    /// To `host-info`.
    HostInfo(HostInfo),
    /// To `logs`.
    Logs(Logs),
    /// To `report`.
    Report(Reported),
    /// To `upgrade-host`: it is going to be done.
    UpgradeHost(Accepted),
    /// To `upgrade-status`.
    UpgradeStatus(UpgradeStatus),
    /// To `reboot`: it is going to be done.
    Reboot,
    /// To any of them: no.
    Refused(Refusal),
}

/// What the host runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Which of the operating systems.
    pub os: String,
    /// What it was built for.
    pub env: String,
    /// Its version.
    pub version: String,
    /// The version of this protocol that is spoken.
    pub protocol: u16,
}

/// How the host is. What can't be found out is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostInfo {
    /// Its name.
    pub hostname: String,
    /// Its version.
    pub version: String,
    /// What it was built for.
    pub env: String,
    /// The slot that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Whether this start was found to work.
    pub boot: Boot,
    /// Seconds since its kernel started.
    pub uptime_seconds: u64,
    /// Its addresses that reach beyond the machine and the link, by interface and address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<InterfaceAddress>>,
    /// What runs guests: `kvm` or, where the machine has no virtualisation, `emulated`.
    pub accel: Accel,
}

/// Whether a start was found to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// It was.
    Confirmed,
    /// Not yet.
    Waiting,
    /// It was not, and the machine restarts.
    Failed,
    /// There is no telling.
    Unknown,
}

/// What runs guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// The processor.
    Kvm,
    /// A program.
    Emulated,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceAddress {
    /// The interface.
    pub interface: String,
    /// The address with its prefix, such as `2001:db8::2/64`.
    pub address: String,
}

/// Lines of a log, the newest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// The lines.
    pub lines: Vec<String>,
    /// Whether older ones of those that were asked for are left out, for want of room.
    pub left_out: bool,
}

/// What a report is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// When it came: seconds since the host's kernel started.
    pub reported: u64,
    /// An upgrade that the host offers and the guest has not taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
}

/// An upgrade that the host offers to the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Its number: another one for each offer.
    pub id: u64,
    /// Where the bundle is: http or https.
    pub url: String,
    /// The version that it must have.
    pub version: String,
}

/// An upgrade that is going to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Its number, by which `upgrade-status` speaks of it.
    pub id: u64,
}

/// How far an upgrade is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpgradeStatus {
    /// Its number; 0 while there was none since the start.
    pub id: u64,
    /// How far it is.
    pub state: UpgradeState,
    /// The version that is asked for; absent while there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How much is written and read back, of 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far an upgrade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpgradeState {
    /// There was none since the start.
    None,
    /// It is going to begin.
    Requested,
    /// The bundle is being written to the other slot.
    Installing,
    /// The next start starts it.
    Committed,
    /// It is what runs.
    Running,
    /// Nothing has changed, but for the content of the other slot.
    Failed,
}

impl UpgradeStatus {
    /// That there was none since the start.
    pub fn none() -> Self {
        Self {
            id: 0,
            state: UpgradeState::None,
            version: None,
            percent: None,
            error: None,
        }
    }

    /// Whether it goes on by itself.
    pub fn is_under_way(&self) -> bool {
        matches!(
            self.state,
            UpgradeState::Requested | UpgradeState::Installing
        )
    }
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Of which kind that is.
    pub kind: Kind,
    /// In words: what came, what was wanted.
    pub message: String,
}

/// Kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The request is none, or a field holds what it may not. Asking again does not help.
    BadRequest,
    /// The host's list does not allow it, or not to this client.
    NotAllowed,
    /// Not at this time, such as an upgrade during another one.
    NotNow,
    /// Too many requests: wait a second.
    TooMany,
    /// The host tried and could not.
    Failed,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadRequest => "bad-request",
            Self::NotAllowed => "not-allowed",
            Self::NotNow => "not-now",
            Self::TooMany => "too-many",
            Self::Failed => "failed",
        })
    }
}

impl Refusal {
    /// One of that kind, with as much of `message` as a reply may have.
    pub fn of(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: bounded(&message.into()),
        }
    }
}

/// As much of `text` as [`MOST_ERROR`] allows, cut between two characters.
pub fn bounded(text: &str) -> String {
    let ends = text.char_indices().map(|(at, c)| (at, c.len_utf8()));
    let fits =
        ends.take_while(|(at, len)| at.checked_add(*len).is_some_and(|end| end <= MOST_ERROR));
    text.chars().take(fits.count()).collect()
}

impl Request {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::HostInfo => "host-info",
            Self::Logs(_) => "logs",
            Self::Report(_) => "report",
            Self::UpgradeHost(_) => "upgrade-host",
            Self::UpgradeStatus => "upgrade-status",
            Self::Reboot(_) => "reboot",
        }
    }

    /// Reads and checks a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let request: Self = json("the request", bytes)?;
        let problems = request.problems();
        all_right("the request", problems)?;
        Ok(request)
    }

    /// The bytes that [`Request::parse`] reads; what it would refuse is not written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        all_right("the request", self.problems())?;
        to_json("the request", self)
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match self {
            Self::Version | Self::HostInfo | Self::UpgradeStatus | Self::Reboot(_) => {}
            Self::Logs(LogsOf { unit, lines }) => {
                want(&mut problems, "unit", unit, is_unit, UNIT);
                if !(1..=MOST_LINES).contains(lines) {
                    problems.push(format!("lines: got {lines}, want 1 to {MOST_LINES}"));
                }
            }
            Self::Report(report) => report.problems(&mut problems),
            Self::UpgradeHost(bundle) => bundle.problems(&mut problems),
        }
        problems
    }
}

impl Report {
    pub(crate) fn problems(&self, problems: &mut Vec<String>) {
        want(problems, "version", &self.version, is_version, VERSION);
        want(problems, "boot_id", &self.boot_id, is_boot_id, BOOT_ID);
        if let Some(upgrade) = &self.upgrade {
            upgrade.problems("upgrade.", problems);
        }
    }
}

impl Bundle {
    /// All that is wrong with it.
    pub fn problems(&self, problems: &mut Vec<String>) {
        want(problems, "url", &self.url, is_url, URL);
        want(problems, "version", &self.version, is_version, VERSION);
    }
}

impl UpgradeStatus {
    /// All that is wrong with it; `before` stands before the names of its fields.
    pub fn problems(&self, before: &str, problems: &mut Vec<String>) {
        if let Some(version) = &self.version {
            let field = format!("{before}version");
            want(problems, &field, version, is_version, VERSION);
        }
        if let Some(percent) = self.percent.filter(|percent| *percent > 100) {
            problems.push(format!("{before}percent: got {percent}, want 0 to 100"));
        }
        if let Some(len) = self.error.as_ref().map(String::len) {
            if len > MOST_ERROR {
                problems.push(format!(
                    "{before}error: got {len} bytes, want at most {MOST_ERROR}"
                ));
            }
        }
    }
}

impl Reply {
    /// The name of the request that it answers, or `refused`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Version(_) => "version",
            Self::HostInfo(_) => "host-info",
            Self::Logs(_) => "logs",
            Self::Report(_) => "report",
            Self::UpgradeHost(_) => "upgrade-host",
            Self::UpgradeStatus(_) => "upgrade-status",
            Self::Reboot => "reboot",
            Self::Refused(_) => "refused",
        }
    }

    /// Reads and checks a reply.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let reply: Self = json("the reply", bytes)?;
        let mut problems = Vec::new();
        match &reply {
            Self::UpgradeStatus(status) => status.problems("", &mut problems),
            Self::Report(Reported {
                offer: Some(offer), ..
            }) => offer.bundle().problems(&mut problems),
            _ => {}
        }
        all_right("the reply", problems)?;
        Ok(reply)
    }

    /// The bytes that [`Reply::parse`] reads.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        to_json("the reply", self)
    }
}

impl Offer {
    /// What is offered.
    pub fn bundle(&self) -> Bundle {
        Bundle {
            url: self.url.clone(),
            version: self.version.clone(),
        }
    }
}

const UNIT: &str = "the name of a unit: letters, digits and any of @ . _ : -";
const VERSION: &str = "a version: letters, digits and any of . - _ +, at most 128";
const BOOT_ID: &str = "a UUID in lower case, as /proc/sys/kernel/random/boot_id has it";
const URL: &str = "http:// or https://, a server, and visible ASCII characters, at most 1024 in all, without a user's name";

fn want(problems: &mut Vec<String>, field: &str, got: &str, is: fn(&str) -> bool, want: &str) {
    if !is(got) {
        let got = base::text::shorten(got);
        problems.push(format!("{field}: got {got:?}, want {want}"));
    }
}

fn is_unit(text: &str) -> bool {
    let known = |c: u8| c.is_ascii_alphanumeric() || b"@._:-".contains(&c);
    // A name that begins with `-` would be a flag to who is given it.
    (1..=MOST_UNIT).contains(&text.len()) && text.bytes().all(known) && !text.starts_with('-')
}

/// Whether it may be a version.
pub fn is_version(text: &str) -> bool {
    let known = |c: u8| c.is_ascii_alphanumeric() || b".-_+".contains(&c);
    (1..=MOST_VERSION).contains(&text.len()) && text.bytes().all(known) && !text.starts_with('-')
}

fn is_boot_id(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let lens = text.split('-').map(str::len);
    lens.eq([8, 4, 4, 4, 12]) && text.split('-').all(digits)
}

/// Whether it may be the address of a bundle.
pub fn is_url(text: &str) -> bool {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let Some(rest) = rest else {
        return false;
    };
    let server = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    text.len() <= MOST_URL
        && text.bytes().all(|c| c.is_ascii_graphic())
        && !server.is_empty()
        && !server.contains(['@', '\\'])
}

pub(crate) fn all_right(what: &'static str, problems: Vec<String>) -> Result<(), Error> {
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::Invalid { what, problems }),
    }
}

pub(crate) fn json<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json { what, source })
}

fn to_json(what: &'static str, value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| Error::Json { what, source })
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
