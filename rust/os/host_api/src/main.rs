//! What the virtual machine may ask of the machine that runs it, and what it tells of itself: both ends, and the little that root does for them.
//!
//! | runs as | command | does |
//! |---|---|---|
//! | `ic-api` on the host | `serve` | answers; writes what the guest reports; writes requests |
//! | root, on either | `apply-upgrade`, `apply-reboot` | does one request: started by a path unit when there is one |
//! | `ic-api` in the guest | `report --watch` | reports; makes requests of what the host offers |
//! | people | `call`, `offer-guest-upgrade`, `guest-status` | |
//!
//! Who talks to the other machine is not root, and root does not talk to it. The protocol is crate `vsock_api`.

mod answers;
mod apply;
mod call;
mod facts;
mod offer;
mod report;
mod requests;
mod run;
mod serve;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use os_config::duration;
use vsock_api::Address;

use system::System;

/// Host and guest: what the guest may ask, what it reports, and upgrades that one asks of the other.
///
/// Exit status: 0 done, 1 refused, 2 reading, writing or the connection failed.
#[derive(clap::Parser)]
struct Args {
    /// Take every path below this folder, programs' too (for tests).
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Print one line of JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// Where the other side is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Connection {
    /// Where the host listens: vsock:CID:PORT, or tcp:IP:PORT of this machine (for tests).
    #[arg(long, value_name = "ADDRESS", default_value = "vsock:2:9181")]
    pub(crate) address: Address,
    /// How long connecting may take, and each reply.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse_positive)]
    pub(crate) timeout: Duration,
}

#[derive(Subcommand)]
enum Command {
    /// On the host: answers what its list allows.
    Serve(serve::Args),
    /// In the guest: asks the host.
    Call {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        call: call::Call,
    },
    /// In the guest: tells the host how the guest is; with --watch, again and again, taking up what the host offers.
    Report {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        args: report::Args,
    },
    /// On the host: offers the guest an upgrade, which the guest checks and installs by itself.
    OfferGuestUpgrade(offer::Args),
    /// On the host: what the guest reported last, and how far an offer is.
    GuestStatus,
    /// As root: does the upgrade that a request asks for (requested-upgrade.service).
    ApplyUpgrade,
    /// As root: does the restart that a request asks for (requested-reboot.service).
    ApplyReboot,
}

fn main() -> ExitCode {
    cli::run("host_api", |args: Args| -> anyhow::Result<()> {
        let system = System { root: args.root };
        match &args.command {
            Command::Serve(serve) => serve::run(serve, system),
            Command::Call { connection, call } => call::run(call, args.json, connection),
            Command::Report { connection, args } => report::run(args, connection, &system),
            Command::OfferGuestUpgrade(offer) => offer::run(offer, args.json, &system),
            Command::GuestStatus => offer::status(args.json, &system),
            Command::ApplyUpgrade => apply::upgrade(&system),
            Command::ApplyReboot => apply::reboot(&system),
        }
    })
}
