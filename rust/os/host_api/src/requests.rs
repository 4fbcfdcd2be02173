//! What an unprivileged process asks root to do: files in a folder of its own, for which path units start root's services.
//!
//! Root reads them as what a stranger wrote ([`crate::apply`]); whoever writes one says here first why not, if not.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use vsock_api::message::{After, Boot, Bundle, Reboot, UpgradeState};
use vsock_api::{Kind, Refusal};

use crate::facts;
use crate::system::{System, REBOOT_REQUEST, UPGRADE_REQUEST};

/// An upgrade of this system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upgrade {
    /// Its number.
    pub(crate) id: u64,
    /// Where the bundle is.
    pub(crate) url: String,
    /// The version that it must have.
    pub(crate) version: String,
}

impl Upgrade {
    /// All that is wrong with it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let (url, version) = (self.url.clone(), self.version.clone());
        Bundle { url, version }.problems(&mut problems);
        problems
    }
}

/// What went wrong here, to who asked.
pub(crate) fn failed(error: anyhow::Error) -> Refusal {
    Refusal::of(Kind::Failed, format!("{error:#}"))
}

/// Asks for an upgrade; gives its number: `id`, or the next one.
pub(crate) fn upgrade(
    system: &System,
    own: &str,
    bundle: &Bundle,
    id: Option<u64>,
) -> Result<u64, Refusal> {
    let status = facts::upgrade(system).map_err(failed)?;
    let not_now = |why: String| Err(Refusal::of(Kind::NotNow, why));
    if status.is_under_way() {
        let version = status.version.unwrap_or_default();
        return not_now(format!(
            "upgrade {} to version {version} is under way: ask for upgrade-status",
            status.id
        ));
    }
    if bundle.version == own {
        return not_now(format!("version: got {own}, which is what runs"));
    }
    if system.has(REBOOT_REQUEST) {
        return not_now("the machine is about to restart".to_owned());
    }
    let next = || status.id.checked_add(1).context("no number is left");
    let id = id.map_or_else(next, Ok).map_err(failed)?;
    let request = Upgrade {
        id,
        url: bundle.url.clone(),
        version: bundle.version.clone(),
    };
    system.store(UPGRADE_REQUEST, &request).map_err(failed)?;
    Ok(id)
}

/// Asks for a restart.
///
/// One that comes before a start is confirmed would count against the slot that runs: who may ask could send the machine back to its other
/// system. Root looks again, at the boot loader's own variables.
pub(crate) fn reboot(system: &System, reboot: &Reboot) -> Result<(), Refusal> {
    let status = facts::upgrade(system).map_err(failed)?;
    let not_now = |why: String| Err(Refusal::of(Kind::NotNow, why));
    if status.is_under_way() {
        return not_now(format!("upgrade {} is under way", status.id));
    }
    let committed = status.state == UpgradeState::Committed;
    match reboot.after {
        After::Upgrade if !committed => {
            return not_now("no upgrade is committed: ask for upgrade-status".to_owned())
        }
        After::Anything if !committed && facts::boot(system) != Boot::Confirmed => {
            return not_now(
                "this start is not confirmed yet: wait until host-info says so".to_owned(),
            )
        }
        After::Upgrade | After::Anything => {}
    }
    system.store(REBOOT_REQUEST, reboot).map_err(failed)
}
