//! The host's people: offers an upgrade to the guest, and tells how the guest is.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context};
use os_config::duration;
use program::say;
use serde::Serialize;
use vsock_api::message::{Bundle, Offer, UpgradeState, UpgradeStatus};
use vsock_api::report::GuestReport;

use crate::system::{System, GUEST, GUEST_UPGRADE, OFFER};

/// What to offer.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The bundle: a URL (http, https) that the guest can reach
    #[arg(value_name = "URL", required_unless_present = "withdraw")]
    url: Option<String>,
    /// The version that the bundle must have
    #[arg(long, value_name = "VERSION", required_unless_present = "withdraw")]
    version: Option<String>,
    /// Wait until the guest runs it, and say how far it is; an error when it does not within this time
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
    wait: Option<Duration>,
    /// Offer nothing any more; what the guest has taken up goes on
    #[arg(long, conflicts_with_all = ["url", "version", "wait"])]
    withdraw: bool,
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Writes or removes the offer.
pub(crate) fn run(args: &Args, json: bool, system: &System) -> anyhow::Result<()> {
    let (Some(url), Some(version)) = (&args.url, &args.version) else {
        let was = system.remove(OFFER)?;
        return tell(
            json,
            &serde_json::json!({ "withdrawn": was }),
            || match was {
                true => "the offer is withdrawn".to_owned(),
                false => "there was no offer".to_owned(),
            },
        );
    };
    let mut problems = Vec::new();
    let (url, version) = (url.clone(), version.clone());
    let bundle = Bundle { url, version };
    bundle.problems(&mut problems);
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    let before: Option<GuestReport> = guest(system)?;
    let Bundle { url, version } = bundle;
    let id = system.hundredths()?;
    let offer = Offer { id, url, version };
    system.store(OFFER, &offer)?;
    match args.wait {
        Some(patience) => wait(&offer, before.as_ref(), patience, json, system),
        None => tell(json, &offer, || {
            let Offer { id, version, .. } = &offer;
            format!("offer {id}: version {version}; the guest hears of it with its next report (host_api guest-status)")
        }),
    }
}

/// The guest's last report.
fn guest(system: &System) -> anyhow::Result<Option<GuestReport>> {
    let Some(bytes) = system.bytes(GUEST)? else {
        return Ok(None);
    };
    let report = GuestReport::parse(&bytes);
    Ok(Some(report.with_context(|| GUEST.to_owned())?))
}

/// Follows an offer until the guest runs it.
fn wait(
    offer: &Offer,
    before: Option<&GuestReport>,
    patience: Duration,
    json: bool,
    system: &System,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut shown = String::new();
    loop {
        let upgrade = system.load::<UpgradeStatus>(GUEST_UPGRADE)?;
        let upgrade = upgrade.filter(|upgrade| upgrade.id == offer.id);
        let guest = guest(system)?;
        let stage = stage(offer, before, upgrade.as_ref(), guest.as_ref())?;
        if let Stage::Done = stage {
            let version = &offer.version;
            return tell(json, &guest, || {
                format!("the guest runs version {version} and is healthy")
            });
        }
        let text = stage.to_string();
        if text != shown {
            eprintln!("{text}");
            shown = text;
        }
        if begun.elapsed() >= patience {
            bail!(
                "after {} s: {shown}; the offer stands (--withdraw takes it back)",
                patience.as_secs()
            );
        }
        std::thread::sleep(PAUSE);
    }
}

/// How far an offer is.
enum Stage {
    /// The guest has not heard of it.
    Open,
    /// The guest says so.
    Told(UpgradeState, Option<u8>),
    /// It has restarted and is not healthy yet.
    Started,
    /// It runs.
    Done,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => f.write_str("the guest has not taken it up yet"),
            Self::Told(UpgradeState::Installing, Some(percent)) => {
                write!(f, "the guest installs it: {percent} %")
            }
            Self::Told(UpgradeState::Committed, _) => {
                f.write_str("the guest is going to restart with it")
            }
            Self::Told(..) => f.write_str("the guest has taken it up"),
            Self::Started => f.write_str("the guest runs it and is not healthy yet"),
            Self::Done => f.write_str("the guest runs it"),
        }
    }
}

fn stage(
    offer: &Offer,
    before: Option<&GuestReport>,
    upgrade: Option<&UpgradeStatus>,
    guest: Option<&GuestReport>,
) -> anyhow::Result<Stage> {
    let Some(upgrade) = upgrade else {
        return Ok(Stage::Open);
    };
    let Some(guest) = guest else {
        // The host's file goes when the guest is started by it.
        return Ok(Stage::Told(upgrade.state, upgrade.percent));
    };
    match upgrade.state {
        UpgradeState::Failed => {
            let why = upgrade.error.as_deref().unwrap_or("it does not say why");
            bail!("the guest did not install it: {why}");
        }
        UpgradeState::Committed | UpgradeState::Running if guest.version == offer.version => {
            Ok(match guest.healthy {
                true => Stage::Done,
                false => Stage::Started,
            })
        }
        UpgradeState::Committed if before.is_some_and(|it| it.boot_id != guest.boot_id) => bail!(
            "the guest restarted and runs version {}, want {}: it went back, or was never started with it",
            guest.version,
            offer.version
        ),
        state => Ok(Stage::Told(state, upgrade.percent)),
    }
}

/// What is known of the guest.
#[derive(Serialize)]
struct Known {
    guest: Option<GuestReport>,
    offer: Option<Offer>,
    upgrade: Option<UpgradeStatus>,
    /// Seconds since the guest's last report.
    silent_seconds: Option<u64>,
}

/// Tells how the guest is.
pub(crate) fn status(json: bool, system: &System) -> anyhow::Result<()> {
    let guest = guest(system)?;
    let now = system.uptime()?;
    let silent = guest.as_ref().map(|guest| {
        let silent = now.checked_sub(guest.reported);
        silent.with_context(|| format!("{GUEST}: reported at {}, now is {now}", guest.reported))
    });
    let known = Known {
        guest,
        offer: system.load(OFFER)?,
        upgrade: system.load(GUEST_UPGRADE)?,
        silent_seconds: silent.transpose()?,
    };
    tell(json, &known, || text(&known))
}

fn text(known: &Known) -> String {
    let mut lines = Vec::new();
    match (&known.guest, known.silent_seconds) {
        (Some(guest), Some(silent)) => {
            let health = match guest.healthy {
                true => "healthy",
                false => "not healthy",
            };
            let height = guest.height.map(|height| format!(", height {height}"));
            lines.push(format!(
                "guest: version {}, {health}{}, reported {silent} s ago",
                guest.version,
                height.unwrap_or_default()
            ));
        }
        _ => lines.push("guest: has not reported since it was started".to_owned()),
    }
    if let Some(offer) = &known.offer {
        lines.push(format!(
            "offer {}: version {}, {}",
            offer.id, offer.version, offer.url
        ));
    }
    if let Some(upgrade) = &known.upgrade {
        lines.push(crate::call::upgrade(upgrade));
    }
    lines.join("\n")
}

/// JSON for programs, or text for people.
fn tell(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    match json {
        true => say(&serde_json::to_string(value)?),
        false => say(&text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(version: &str, boot_id: &str, healthy: bool) -> GuestReport {
        GuestReport {
            format: 1,
            version: version.to_owned(),
            healthy,
            boot_id: boot_id.to_owned(),
            height: None,
            reported: 1,
        }
    }

    #[test]
    fn how_far_an_offer_is() {
        let offer = Offer {
            id: 7,
            url: "http://a".to_owned(),
            version: "2".to_owned(),
        };
        let old = report("1", "a", true);
        let of = |state, guest: &GuestReport| {
            let upgrade = UpgradeStatus {
                id: 7,
                state,
                percent: Some(40),
                ..UpgradeStatus::none()
            };
            let stage = stage(&offer, Some(&old), Some(&upgrade), Some(guest));
            stage.map_or_else(|error| format!("{error:#}"), |stage| stage.to_string())
        };
        for (state, guest, want) in [
            (UpgradeState::Requested, &old, "the guest has taken it up"),
            (UpgradeState::Installing, &old, "the guest installs it: 40 %"),
            (UpgradeState::Committed, &old, "the guest is going to restart with it"),
            (UpgradeState::Failed, &old, "the guest did not install it: it does not say why"),
            (UpgradeState::Committed, &report("2", "b", false), "the guest runs it and is not healthy yet"),
            (UpgradeState::Committed, &report("2", "b", true), "the guest runs it"),
            (UpgradeState::Running, &report("2", "a", true), "the guest runs it"),
            (
                UpgradeState::Committed,
                &report("1", "b", true),
                "the guest restarted and runs version 1, want 2: it went back, or was never started with it",
            ),
        ] {
            assert_eq!(of(state, guest), want);
        }
        let open = stage(&offer, None, None, Some(&old)).unwrap();
        assert_eq!(open.to_string(), "the guest has not taken it up yet");
    }
}
