//! The host's service.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use os_config::duration;
use program::say;
use vsock_api::{Address, Limits, Listener, Policy};

use crate::answers::{Host, Said};
use crate::system::{System, API_DIR};

/// Where to listen, and how much strangers may take.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Where to listen: vsock:CID:PORT, or tcp:IP:PORT of this machine (for tests)
    #[arg(long, value_name = "ADDRESS", default_value = "vsock:2:9181")]
    address: Address,
    /// What is allowed to whom, JSON
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/opt/ic/share/host-api.json"
    )]
    allow: PathBuf,
    /// Most connections of each kind (root of a guest, its other programs, everybody else); one more ends the oldest
    #[arg(long, value_name = "N", default_value = "8")]
    max_connections: NonZeroUsize,
    /// How long a frame may take, and silence before it
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse_positive)]
    frame_timeout: Duration,
    /// How long a connection may last
    #[arg(long, value_name = "TIME", default_value = "1min", value_parser = duration::parse_positive)]
    connection_lifetime: Duration,
    /// Requests of each kind in a second; one more is refused
    #[arg(long, value_name = "N", default_value = "10")]
    requests_per_second: NonZeroU32,
    /// Requests of each kind that may come at once before that counts
    #[arg(long, value_name = "N", default_value_t = 20)]
    burst: u32,
}

/// Serves for ever.
pub(crate) fn run(args: &Args, system: System) -> anyhow::Result<()> {
    let allow = system.path(&args.allow);
    let shown = || allow.display().to_string();
    let policy = std::fs::read(&allow).with_context(shown)?;
    let policy = Policy::parse(&policy).with_context(shown)?;
    let identity = system.identity()?;
    let folder = system.path(API_DIR);
    std::fs::metadata(&folder).with_context(|| folder.display().to_string())?;
    let address = args.address;
    let cannot = || format!("cannot listen on {address}");
    let listener = Listener::bind(&address).with_context(cannot)?;
    let limits = Limits {
        connections: args.max_connections.get(),
        frame: args.frame_timeout,
        lifetime: args.connection_lifetime,
        per_second: args.requests_per_second,
        burst: args.burst,
    };
    let host = Host {
        system,
        identity,
        changing: Mutex::default(),
        said: Mutex::new(Said::default()),
    };
    say(&format!(
        "listening on {}",
        listener.address().with_context(cannot)?
    ))?;
    vsock_api::serve(&listener, policy, limits, Arc::new(host))
}
