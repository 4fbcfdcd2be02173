//! How a system is, as it says itself.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use update::Identity;
use vsock_api::message::{
    Accel, Boot, HostInfo, InterfaceAddress, Logs, LogsOf, UpgradeState, UpgradeStatus, MOST_LOG,
};

use crate::requests::Upgrade;
use crate::run::ask;
use crate::system::{System, UPGRADE, UPGRADE_REQUEST};

/// How long a program that is asked may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of what `ip` and `systemctl` say.
const MOST: u64 = 256 * 1024;
/// Most addresses that are told.
const MOST_ADDRESSES: usize = 64;

/// The host, to a guest.
pub(crate) fn host_info(system: &System, identity: &Identity) -> anyhow::Result<HostInfo> {
    let hostname = system.path("/proc/sys/kernel/hostname");
    let hostname = std::fs::read_to_string(&hostname)
        .with_context(|| hostname.display().to_string())?
        .trim_end()
        .to_owned();
    let slot = system.boot_files().running().ok().flatten();
    let accel = match system.has("/sys/class/misc/kvm") {
        true => Accel::Kvm,
        false => Accel::Emulated,
    };
    Ok(HostInfo {
        hostname,
        version: identity.version.as_str().to_owned(),
        env: identity.env.clone(),
        slot: slot.map(|slot| slot.as_str().to_owned()),
        boot: boot(system),
        uptime_seconds: system.uptime()?,
        addresses: addresses(system).ok(),
        accel,
    })
}

/// A property of a unit, by `systemctl`.
fn property(system: &System, unit: &str, property: &str) -> anyhow::Result<String> {
    let program = system.path("/usr/bin/systemctl");
    let args = ["show", "--value", "--property", property, unit];
    let said = ask(&program, &args, MOST, PATIENCE)?;
    Ok(said.text()?.trim().to_owned())
}

/// Whether this start is confirmed: by the service that does so, for who confirms a start is who knows.
pub(crate) fn boot(system: &System) -> Boot {
    match property(system, "confirm-boot.service", "SubState").as_deref() {
        Ok("exited") => Boot::Confirmed,
        Ok("start" | "running") => Boot::Waiting,
        Ok("failed") => Boot::Failed,
        Ok(_) | Err(_) => Boot::Unknown,
    }
}

#[derive(Deserialize)]
struct Interface {
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<std::net::IpAddr>,
    prefixlen: Option<u8>,
    scope: Option<String>,
}

/// Addresses that reach beyond machine and link, sorted.
fn addresses(system: &System) -> anyhow::Result<Vec<InterfaceAddress>> {
    let said = ask(
        &system.path("/usr/bin/ip"),
        &["-json", "address", "show"],
        MOST,
        PATIENCE,
    )?;
    let interfaces: Vec<Interface> = serde_json::from_str(&said.text()?)?;
    let mut addresses = Vec::new();
    for interface in interfaces {
        for address in interface.addr_info {
            let (Some(local), Some(prefix)) = (address.local, address.prefixlen) else {
                continue;
            };
            if address.scope.as_deref() == Some("global") {
                addresses.push(InterfaceAddress {
                    interface: interface.ifname.clone(),
                    address: format!("{local}/{prefix}"),
                });
            }
        }
    }
    addresses.sort();
    addresses.truncate(MOST_ADDRESSES);
    Ok(addresses)
}

/// The last lines of a unit. The journal is read from its end, so that where there is too much the oldest is left out.
pub(crate) fn logs(system: &System, of: &LogsOf) -> anyhow::Result<Logs> {
    let unit = format!("--unit={}", of.unit);
    let count = format!("--lines={}", of.lines);
    let args = [
        "--quiet",
        "--no-pager",
        "--reverse",
        "--output=short-iso",
        &unit,
        &count,
    ];
    let program = system.path(Path::new("/usr/bin/journalctl"));
    let said = ask(&program, &args, base::as_u64(MOST_LOG), PATIENCE)?;
    let text = said.text()?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if said.more {
        // Cut off somewhere.
        lines.pop();
    }
    lines.reverse();
    Ok(Logs {
        lines,
        left_out: said.more,
    })
}

/// How far this system's own upgrade is.
pub(crate) fn upgrade(system: &System) -> anyhow::Result<UpgradeStatus> {
    if let Some(request) = system.load::<Upgrade>(UPGRADE_REQUEST)? {
        return Ok(UpgradeStatus {
            id: request.id,
            state: UpgradeState::Requested,
            version: Some(request.version),
            ..UpgradeStatus::none()
        });
    }
    let told = told(system)?;
    if told.state != UpgradeState::Installing {
        return Ok(told);
    }
    let active = property(system, "requested-upgrade.service", "ActiveState")?;
    if active == "activating" {
        return Ok(told);
    }
    // It may have ended between the two questions.
    let told = self::told(system)?;
    if told.state != UpgradeState::Installing {
        return Ok(told);
    }
    Ok(UpgradeStatus {
        state: UpgradeState::Failed,
        error: Some(format!(
            "requested-upgrade.service is {active} and did not say how it ended: see its log"
        )),
        ..told
    })
}

fn told(system: &System) -> anyhow::Result<UpgradeStatus> {
    Ok(system.load(UPGRADE)?.unwrap_or_else(UpgradeStatus::none))
}
