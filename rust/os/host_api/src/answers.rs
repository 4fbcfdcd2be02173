//! What the host does with each request that is allowed.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use update::Identity;
use vsock_api::message::{Accepted, Offer, Report, Reported, UpgradeStatus, Version};
use vsock_api::report::GuestReport;
use vsock_api::server::Bucket;
use vsock_api::{Answer, Peer, Refusal, Reply, Request};

use crate::facts;
use crate::requests::{self, failed};
use crate::system::{System, GUEST, GUEST_UPGRADE, OFFER};

/// The host.
pub(crate) struct Host {
    pub(crate) system: System,
    pub(crate) identity: Identity,
    /// Held while something changes: one at a time.
    pub(crate) changing: Mutex<()>,
    pub(crate) said: Mutex<Said>,
}

/// What goes to the log of what strangers may let happen as often as they like.
#[derive(Default)]
pub(crate) struct Said {
    bucket: Bucket,
    left_out: u64,
}

/// Lines in a second, evenly, and at once.
const LINES: NonZeroU32 = NonZeroU32::MIN;
const LINES_AT_ONCE: u32 = 10;

impl Host {
    fn report(&self, report: &Report) -> anyhow::Result<Reported> {
        let reported = self.system.uptime()?;
        let guest = GuestReport::of(report, reported);
        self.system.write(GUEST, guest.to_json()?.as_bytes())?;
        if let Some(upgrade) = &report.upgrade {
            self.system.store(GUEST_UPGRADE, upgrade)?;
        }
        Ok(Reported {
            reported,
            offer: self.offer()?,
        })
    }

    /// What root offers, as long as the guest did not take it up.
    fn offer(&self) -> anyhow::Result<Option<Offer>> {
        let Some(offer) = self.system.load::<Offer>(OFFER)? else {
            return Ok(None);
        };
        let taken = self.system.load::<UpgradeStatus>(GUEST_UPGRADE)?;
        let taken = taken.is_some_and(|taken| taken.id == offer.id);
        Ok((!taken).then_some(offer))
    }
}

impl Answer for Host {
    fn answer(&self, request: Request) -> Result<Reply, Refusal> {
        let _one = match &request {
            Request::Report(_) | Request::UpgradeHost(_) | Request::Reboot(_) => {
                let held = self.changing.lock();
                Some(held.unwrap_or_else(PoisonError::into_inner))
            }
            _ => None,
        };
        Ok(match request {
            Request::Version => Reply::Version(Version {
                os: self.identity.os.clone(),
                env: self.identity.env.clone(),
                version: self.identity.version.as_str().to_owned(),
                protocol: vsock_api::frame::HIGHEST,
            }),
            Request::HostInfo => {
                let info = facts::host_info(&self.system, &self.identity);
                Reply::HostInfo(info.map_err(failed)?)
            }
            Request::Logs(of) => Reply::Logs(facts::logs(&self.system, &of).map_err(failed)?),
            Request::Report(report) => Reply::Report(self.report(&report).map_err(failed)?),
            Request::UpgradeHost(bundle) => {
                let own = self.identity.version.as_str();
                let id = requests::upgrade(&self.system, own, &bundle, None)?;
                eprintln!(
                    "upgrade {id} to version {} from {}",
                    bundle.version, bundle.url
                );
                Reply::UpgradeHost(Accepted { id })
            }
            Request::UpgradeStatus => {
                Reply::UpgradeStatus(facts::upgrade(&self.system).map_err(failed)?)
            }
            Request::Reboot(reboot) => {
                requests::reboot(&self.system, &reboot)?;
                eprintln!("the guest asks for a restart");
                Reply::Reboot
            }
        })
    }

    fn refused(&self, peer: &Peer, why: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.bucket.admit(Instant::now(), LINES, LINES_AT_ONCE) {
            // A count for people: it ends where it can't go on.
            said.left_out = said.left_out.saturating_add(1);
            return;
        }
        let left_out = std::mem::take(&mut said.left_out);
        if left_out > 0 {
            eprintln!("{left_out} more refusals");
        }
        eprintln!("{peer}: {}", base::text::shorten(why).escape_debug());
    }
}
