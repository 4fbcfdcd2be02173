//! The guest's people: one request, and its reply.

use std::time::{Duration, Instant};

use anyhow::bail;
use os_config::duration;
use program::say;
use vsock_api::message::{After, Bundle, HostInfo, LogsOf, Reboot, UpgradeState, UpgradeStatus};
use vsock_api::{Client, Reply, Request};

use crate::Connection;

/// What to ask.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Call {
    /// What the host runs
    Version,
    /// How the host is: name, version, slot, whether its start is confirmed, uptime, addresses
    HostInfo,
    /// The last lines that a unit of the host logged, of the units that it lists
    Logs {
        /// The unit, such as host-api.service
        unit: String,
        /// How many lines
        #[arg(long, value_name = "N", default_value_t = 100)]
        lines: u32,
    },
    /// Upgrade the host: its manageboot fetches the bundle, checks who signed it, and commits it
    UpgradeHost {
        /// The bundle: a URL (http, https) that the host can reach
        url: String,
        /// The version that the bundle must have
        #[arg(long)]
        version: String,
        /// Wait until it is committed, and say how far it is; an error when it is not within this time
        #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
        wait: Option<Duration>,
    },
    /// How far that is
    UpgradeStatus,
    /// Restart the host, and with it this guest
    Reboot {
        /// Only if an upgrade is committed, which the restart starts
        #[arg(long)]
        after_upgrade: bool,
    },
}

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks, and prints the reply.
pub(crate) fn run(call: &Call, json: bool, connection: &Connection) -> anyhow::Result<()> {
    let mut client = Client::connect(&connection.address, connection.timeout)?;
    let reply = client.ask(&request(call))?;
    let wait = match call {
        Call::UpgradeHost { wait, .. } => *wait,
        _ => None,
    };
    let reply = match (&reply, wait) {
        (Reply::UpgradeHost(accepted), Some(patience)) => {
            follow(accepted.id, patience, connection)?
        }
        _ => reply,
    };
    match json {
        true => say(&serde_json::to_string(&reply)?),
        false => say(&text(&reply)),
    }
}

fn request(call: &Call) -> Request {
    match call {
        Call::Version => Request::Version,
        Call::HostInfo => Request::HostInfo,
        Call::Logs { unit, lines } => Request::Logs(LogsOf {
            unit: unit.clone(),
            lines: *lines,
        }),
        Call::UpgradeHost { url, version, .. } => Request::UpgradeHost(Bundle {
            url: url.clone(),
            version: version.clone(),
        }),
        Call::UpgradeStatus => Request::UpgradeStatus,
        Call::Reboot { after_upgrade } => Request::Reboot(Reboot {
            after: match after_upgrade {
                true => After::Upgrade,
                false => After::Anything,
            },
        }),
    }
}

/// Asks until upgrade `id` has ended. A connection of its own for each question: the host lets none last.
fn follow(id: u64, patience: Duration, connection: &Connection) -> anyhow::Result<Reply> {
    let begun = Instant::now();
    let mut shown = String::new();
    loop {
        let mut client = Client::connect(&connection.address, connection.timeout)?;
        let Reply::UpgradeStatus(status) = client.ask(&Request::UpgradeStatus)? else {
            bail!("got a reply to something else");
        };
        if status.id != id {
            bail!(
                "upgrade {id} is not the last one any more: {}",
                upgrade(&status)
            );
        }
        match status.state {
            UpgradeState::Failed => bail!("{}", upgrade(&status)),
            UpgradeState::Committed => return Ok(Reply::UpgradeStatus(status)),
            _ => {}
        }
        let line = upgrade(&status);
        if line != shown {
            eprintln!("{line}");
            shown = line;
        }
        if begun.elapsed() >= patience {
            bail!("after {} s: {shown}; it goes on", patience.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
}

/// An upgrade in a line.
pub(crate) fn upgrade(status: &UpgradeStatus) -> String {
    let version = status.version.as_deref().unwrap_or("unknown");
    let id = status.id;
    let state = match (status.state, status.percent) {
        (UpgradeState::None, _) => return "no upgrade since the start".to_owned(),
        (UpgradeState::Requested, _) => "is going to begin".to_owned(),
        (UpgradeState::Installing, Some(percent)) => format!("is being installed, {percent} %"),
        (UpgradeState::Installing, None) => "is being installed".to_owned(),
        (UpgradeState::Committed, _) => "is committed: the next start starts it".to_owned(),
        (UpgradeState::Running, _) => "is what runs".to_owned(),
        (UpgradeState::Failed, _) => {
            let why = status.error.as_deref().unwrap_or("it is not said why");
            format!("failed: {}", printable(why))
        }
    };
    format!("upgrade {id} to version {version} {state}")
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Version(version) => {
            let (os, env, version) = (&version.os, &version.env, &version.version);
            printable(&format!("{os} {env} {version}"))
        }
        Reply::HostInfo(info) => printable(&host(info)),
        Reply::Logs(logs) => {
            let lines = logs.lines.iter().map(|line| printable(line));
            let left_out = logs.left_out.then(|| "… older lines left out".to_owned());
            let lines: Vec<String> = left_out.into_iter().chain(lines).collect();
            lines.join("\n")
        }
        Reply::Report(_) => "reported".to_owned(),
        Reply::UpgradeHost(accepted) => {
            format!(
                "upgrade {} is going to begin (host_api call upgrade-status)",
                accepted.id
            )
        }
        Reply::UpgradeStatus(status) => upgrade(status),
        Reply::Reboot => "the host is going to restart".to_owned(),
        Reply::Refused(refusal) => refusal.message.clone(),
    }
}

fn host(info: &HostInfo) -> String {
    let word = |value: serde_json::Result<String>| {
        value.map_or_else(|_| String::new(), |text| text.trim_matches('"').to_owned())
    };
    let mut lines = vec![
        format!("hostname: {}", info.hostname),
        format!("version: {} ({})", info.version, info.env),
        format!("slot: {}", info.slot.as_deref().unwrap_or("unknown")),
        format!("boot: {}", word(serde_json::to_string(&info.boot))),
        format!("uptime: {} s", info.uptime_seconds),
        format!("accel: {}", word(serde_json::to_string(&info.accel))),
    ];
    match &info.addresses {
        Some(addresses) => {
            let addresses = addresses.iter();
            lines.extend(addresses.map(|it| format!("address: {} {}", it.interface, it.address)));
        }
        None => lines.push("address: unknown".to_owned()),
    }
    lines.join("\n")
}

/// Without what a terminal would take for more than text: the other machine is a stranger.
fn printable(text: &str) -> String {
    let shown = text
        .chars()
        .map(|c| match c.is_control() && c != '\n' && c != '\t' {
            true => '\u{fffd}',
            false => c,
        });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escapes_on_a_terminal() {
        let line = "a\u{1b}]0;title\u{7}\u{9b}b\tc\nd";
        assert_eq!(printable(line), "a\u{fffd}]0;title\u{fffd}\u{fffd}b\tc\nd");
    }
}
