//! The guest's service: tells the host how the guest is, and takes up upgrades that the host offers.
//!
//! An offer becomes a request to root ([`crate::requests`]), whose service lets `manageboot` check and install the bundle; when that is committed and the host was
//! told so, the guest restarts. How far it is goes along with each report.

use std::time::Duration;

use anyhow::{bail, Context};
use http_get::{get, Page};
use nix::errno::Errno;
use os_config::duration;
use serde::Deserialize;
use vsock_api::message::{After, Offer, Reboot, Report, Reported, UpgradeState, UpgradeStatus};
use vsock_api::{Client, Error, Reply, Request};

use crate::system::System;
use crate::{facts, requests, Connection};

/// What to report, and how often.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Again and again; offers are taken up
    #[arg(long)]
    watch: bool,
    /// Time between two reports
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse_positive)]
    interval: Duration,
    /// Answers 200 when the guest is healthy
    #[arg(
        long,
        value_name = "ADDRESS:PORT/PATH",
        default_value = "127.0.0.1:7070/health"
    )]
    health: Page,
    /// JSON whose `height` says how far the guest's work is
    #[arg(
        long,
        value_name = "ADDRESS:PORT/PATH",
        default_value = "127.0.0.1:8080/api/v2/status"
    )]
    status: Page,
}

/// How long a service of the guest may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest wait for a host that does not answer is so many intervals.
const MOST_WAITS: u32 = 6;

/// Reports once, or for ever.
pub(crate) fn run(args: &Args, connection: &Connection, system: &System) -> anyhow::Result<()> {
    let mut guest = Guest {
        own: system.identity()?.version.as_str().to_owned(),
        args,
        connection,
        system,
        running: None,
        restarts: false,
        refused: None,
    };
    if !args.watch {
        let reply = guest.report()?;
        return program::say(&serde_json::to_string(&reply)?);
    }
    let mut trouble: Option<String> = None;
    let mut waits: u32 = 1;
    loop {
        match guest.round() {
            Ok(()) => {
                if trouble.take().is_some() {
                    eprintln!("the host answers");
                }
                waits = 1;
            }
            Err(error) if is_without_host(&error) => {
                eprintln!("no host to report to: {error:#}");
                return Ok(());
            }
            Err(error) => {
                let text = format!("{error:#}");
                if trouble.as_ref() != Some(&text) {
                    eprintln!("not reported: {text}");
                    trouble = Some(text);
                }
                waits = MOST_WAITS.min(waits.checked_mul(2).unwrap_or(MOST_WAITS));
            }
        }
        let pause = args.interval.checked_mul(waits);
        std::thread::sleep(pause.unwrap_or(args.interval));
    }
}

/// Whether this machine has no virtual sockets, so that no waiting helps.
fn is_without_host(error: &anyhow::Error) -> bool {
    let Some(Error::Connect { source, .. }) = error.downcast_ref() else {
        return false;
    };
    let errno = source.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EAFNOSUPPORT | Errno::ENODEV))
}

struct Guest<'a> {
    args: &'a Args,
    connection: &'a Connection,
    system: &'a System,
    /// The version that runs.
    own: String,
    /// An offer of what runs already.
    running: Option<UpgradeStatus>,
    /// A restart was asked for, and will come.
    restarts: bool,
    /// Why the last one that was asked for does not come.
    refused: Option<String>,
}

impl Guest<'_> {
    /// Reports, and does what follows from it.
    fn round(&mut self) -> anyhow::Result<()> {
        let upgrade = self.upgrade()?;
        let reported = self.send(upgrade.clone())?;
        let committed = upgrade.is_some_and(|it| it.state == UpgradeState::Committed);
        if committed && !self.restarts {
            self.restart();
        }
        if let Some(offer) = reported.offer {
            self.take_up(&offer);
        }
        Ok(())
    }

    /// Asks root for the restart into the upgrade. One that is refused is asked for again with the next report: the cause may pass, and
    /// nobody else asks. The same reason is logged once.
    fn restart(&mut self) {
        let after = After::Upgrade;
        match requests::reboot(self.system, &Reboot { after }) {
            Ok(()) => {
                eprintln!("the upgrade is committed: restart");
                self.restarts = true;
                self.refused = None;
            }
            Err(refusal) => {
                if self.refused.as_ref() != Some(&refusal.message) {
                    eprintln!("no restart yet: {}", refusal.message);
                    self.refused = Some(refusal.message);
                }
            }
        }
    }

    fn report(&mut self) -> anyhow::Result<Reported> {
        let upgrade = self.upgrade()?;
        self.send(upgrade)
    }

    fn send(&self, upgrade: Option<UpgradeStatus>) -> anyhow::Result<Reported> {
        let report = Report {
            version: self.own.clone(),
            healthy: get(&self.args.health, PATIENCE).is_ok_and(|(code, _)| code == 200),
            boot_id: boot_id(self.system)?,
            height: height(&self.args.status),
            upgrade,
        };
        let mut client = Client::connect(&self.connection.address, self.connection.timeout)?;
        match client.ask(&Request::Report(report))? {
            Reply::Report(reported) => Ok(reported),
            reply => bail!("got a reply `{}` to a report", reply.name()),
        }
    }

    /// What is to be said of an upgrade.
    fn upgrade(&self) -> anyhow::Result<Option<UpgradeStatus>> {
        let status = facts::upgrade(self.system)?;
        let known = (status.state != UpgradeState::None).then_some(status);
        // The later one counts.
        let all = known.into_iter().chain(self.running.clone());
        Ok(all.max_by_key(|status| status.id))
    }

    /// Asks root for what the host offers. Why it could not be said is for the log: the host offers it again.
    fn take_up(&mut self, offer: &Offer) {
        if offer.version == self.own {
            self.running = Some(UpgradeStatus {
                id: offer.id,
                state: UpgradeState::Running,
                version: Some(offer.version.clone()),
                ..UpgradeStatus::none()
            });
            return;
        }
        let asked = requests::upgrade(self.system, &self.own, &offer.bundle(), Some(offer.id));
        match asked {
            Ok(id) => {
                self.restarts = false;
                let Offer { version, url, .. } = offer;
                eprintln!("upgrade {id} to version {version} from {url}, which the host offers");
            }
            Err(refusal) => eprintln!("offer {} is not taken up: {}", offer.id, refusal.message),
        }
    }
}

fn boot_id(system: &System) -> anyhow::Result<String> {
    let path = system.path("/proc/sys/kernel/random/boot_id");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.trim_end().to_owned())
}

#[derive(Deserialize)]
struct Status {
    height: Option<u64>,
}

/// How far the work is; not known where nobody says so.
fn height(page: &Page) -> Option<u64> {
    let (_, body) = get(page, PATIENCE).ok()?;
    serde_json::from_str::<Status>(&body).ok()?.height
}
