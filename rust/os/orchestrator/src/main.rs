//! Runs the replica and watches over it.
//!
//! One process, one thread: a supervisor that starts the replica as an unprivileged user and starts it again when it
//! ends, a probe that asks the replica's status endpoint, and two pages, `/health` and `/metrics`, that tell of both, and of the node's slot.
//! Everything that decides something sits in [`supervisor`]; [`status`] is what the others read.

mod node;
mod passwd;
mod probe;
mod server;
mod status;
mod supervisor;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use daemon::{stop, Backoff, Notifier};
use os_config::{duration, logging, version};
use tokio::net::TcpListener;

use crate::status::Shared;
use crate::supervisor::{Program, Supervisor};

/// Supervises the replica; serves /health and /metrics.
#[derive(clap::Parser)]
struct Args {
    /// Address and port of /health and /metrics.
    #[arg(long, default_value = "[::]:7070")]
    listen: SocketAddr,
    /// The program to supervise.
    #[arg(long, default_value = "/opt/ic/bin/replica")]
    replica_bin: PathBuf,
    /// The user it runs as.
    #[arg(long, default_value = "ic-replica")]
    replica_user: String,
    /// Address and port it is told to listen on, and is asked at.
    #[arg(long, default_value = "[::]:8080")]
    replica_listen: SocketAddr,
    /// One more argument for it; may be given several times.
    #[arg(long, allow_hyphen_values = true)]
    replica_arg: Vec<String>,
    /// The folder it keeps its state in; made for its user when absent.
    #[arg(long, default_value = "/var/lib/ic/data")]
    state_dir: PathBuf,
    /// File whose first line is the image's version.
    #[arg(long, default_value = "/opt/ic/share/version.txt")]
    version_file: PathBuf,
    /// Where the user is looked up.
    #[arg(long, default_value = "/etc/passwd")]
    passwd_file: PathBuf,
    /// Time between two questions to the status endpoint.
    #[arg(long, default_value = "2s", value_parser = duration::parse_positive)]
    probe_interval: Duration,
    /// How long an answer may take.
    #[arg(long, default_value = "2s", value_parser = duration::parse_positive)]
    probe_timeout: Duration,
    /// Time without an answer after which the replica is stopped and started again; 0: never.
    #[arg(long, default_value = "2min", value_parser = duration::parse)]
    unresponsive_after: Duration,
    /// Wait before the first restart; doubles with each further one.
    #[arg(long, default_value = "1s", value_parser = duration::parse_positive)]
    backoff_initial: Duration,
    /// Longest wait before a restart.
    #[arg(long, default_value = "1min", value_parser = duration::parse_positive)]
    backoff_max: Duration,
    /// A run this long makes the next wait the first one again.
    #[arg(long, default_value = "1min", value_parser = duration::parse)]
    stable_after: Duration,
    /// Time between SIGTERM and SIGKILL.
    #[arg(long, default_value = "20s", value_parser = duration::parse)]
    stop_grace: Duration,
    /// Time between two signs of life to systemd.
    #[arg(long, default_value = "10s", value_parser = duration::parse_positive)]
    watchdog_interval: Duration,
    #[command(flatten)]
    node: node::Files,
    #[command(flatten)]
    serve: serve::Flags,
    /// Least severe log level: error, warn, info, debug or trace.
    #[arg(long, default_value = "info", value_parser = logging::Level::parse)]
    log_level: logging::Level,
}

fn main() -> ExitCode {
    cli::run("orchestrator", |args: Args| -> anyhow::Result<()> {
        logging::init(args.log_level);
        // Inherited by the replica: nothing it starts can gain rights, whatever file it finds.
        nix::sys::prctl::set_no_new_privs().context("cannot set no_new_privs")?;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?
            .block_on(run(args))
    })
}

async fn run(args: Args) -> anyhow::Result<()> {
    let stop = stop::signals()?;
    let notifier = Notifier::from_environment();
    let version = version::read_or_unknown(&args.version_file);
    let user = passwd::lookup(&args.passwd_file, &args.replica_user)?;
    supervisor::prepare_state_dir(&args.state_dir, &user)?;

    let bound = TcpListener::bind(args.listen).await;
    let listener = bound.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr().context("cannot read own address")?;
    tracing::info!(%address, version, "listening");

    let status = Shared::new(version);
    let limits = args.serve.limits().context("cannot serve")?;
    let counters = serve::Counters::default();
    let server = tokio::spawn(serve::serve(
        listener,
        server::router(status.clone(), counters.clone(), args.node.clone()),
        limits,
        counters,
        std::future::pending(),
    ));
    let unresponsive = Arc::new(tokio::sync::Notify::new());
    let probe = tokio::spawn(probe::run(
        probe::Settings {
            target: reachable(args.replica_listen),
            interval: args.probe_interval,
            timeout: args.probe_timeout,
            unresponsive_after: args.unresponsive_after,
        },
        status.clone(),
        Arc::clone(&unresponsive),
    ));
    let supervisor = Supervisor {
        program: program(&args, user)?,
        backoff: Backoff::new(args.backoff_initial, args.backoff_max, args.stable_after),
        grace: args.stop_grace,
        status,
        unresponsive,
        notifier: notifier.clone(),
    };
    let supervised = supervisor.run(stop);
    daemon::attend(supervised, server, args.watchdog_interval, &notifier).await?;
    probe.abort();
    tracing::info!("stopped");
    Ok(())
}

/// What is supervised, as `user`. The replica has a working folder of its own, hence absolute paths.
fn program(args: &Args, user: passwd::User) -> anyhow::Result<Program> {
    Ok(Program {
        binary: absolute(&args.replica_bin)?,
        user,
        listen: args.replica_listen,
        state_dir: absolute(&args.state_dir)?,
        version_file: absolute(&args.version_file)?,
        more: args.replica_arg.clone(),
    })
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot make {} absolute", path.display()))
}

/// Where a server that listens on `listen` is reached from the same machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_is_reached_on_loopback() {
        for (listen, want) in [
            ("[::]:8080", "[::1]:8080"),
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("192.0.2.1:1", "192.0.2.1:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), want);
        }
    }
}
