//! A stand-in for a node's replica: the interface that the image needs of one, and nothing of its work.
//!
//! It listens, answers `/api/v2/status`, keeps a counter in its state folder and stops when asked to, so that
//! supervision, health checks, upgrades and the keeping of `/var` can be built and tested with something real.

mod server;
mod state;
mod ticker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use os_config::{duration, logging, version};
use tokio::net::TcpListener;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::watch;

use crate::server::Status;
use crate::state::{State, StateDir};

/// How long open requests may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(3);

/// A stand-in replica: answers /api/v2/status and keeps a counter, computes nothing.
#[derive(clap::Parser)]
struct Args {
    /// Address and port of the status endpoint.
    #[arg(long, default_value = "[::]:8080")]
    listen: SocketAddr,
    /// Folder for what must survive a restart; made when absent.
    #[arg(long, default_value = "/var/lib/ic/data")]
    state_dir: PathBuf,
    /// File whose first line is the version to report.
    #[arg(long, default_value = "/opt/ic/share/version.txt")]
    version_file: PathBuf,
    /// Time between two heights.
    #[arg(long, default_value = "1s", value_parser = duration::parse_positive)]
    tick: Duration,
    /// File that says which boot this is.
    #[arg(long, default_value = "/proc/sys/kernel/random/boot_id")]
    boot_id_file: PathBuf,
    #[command(flatten)]
    serve: serve::Flags,
    /// Least severe log level: error, warn, info, debug or trace.
    #[arg(long, default_value = "info", value_parser = logging::Level::parse)]
    log_level: logging::Level,
}

fn main() -> ExitCode {
    cli::run("replica", |args: Args| -> anyhow::Result<()> {
        logging::init(args.log_level);
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?
            .block_on(run(args))
    })
}

/// Takes the state folder, and counts this start.
fn begin(args: &Args, version: &str) -> anyhow::Result<(StateDir, State)> {
    let boot_id = std::fs::read_to_string(&args.boot_id_file)
        .with_context(|| format!("cannot read {}", args.boot_id_file.display()))?;
    let dir = StateDir::open(&args.state_dir)?;
    let state = dir.start(boot_id.trim())?;
    tracing::info!(
        version,
        boots = state.boots,
        starts = state.starts,
        height = state.height,
        state_dir = %args.state_dir.display(),
        "stand-in replica started"
    );
    Ok((dir, state))
}

async fn run(args: Args) -> anyhow::Result<()> {
    // Handlers first: a SIGTERM from here on ends in a clean stop.
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;

    let version = version::read_or_unknown(&args.version_file);
    let (dir, state) = begin(&args, &version)?;
    let bound = TcpListener::bind(args.listen).await;
    let listener = bound.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr().context("cannot read own address")?;
    tracing::info!(%address, "listening");

    let status = Arc::new(Status::new(version, &state));
    let (stop, stopped) = watch::channel(());
    let mut closing = stopped.clone();
    let limits = args.serve.limits().context("cannot serve")?;
    let counters = serve::Counters::default();
    let router = server::router(Arc::clone(&status));
    let mut server = tokio::spawn(serve::serve(
        listener,
        router,
        limits,
        counters,
        async move {
            // An error means that the sender is gone, which is a stop as well.
            let _ = closing.changed().await;
        },
    ));
    let ticker = tokio::spawn(ticker::run(
        dir,
        state,
        args.tick,
        Arc::clone(&status),
        stopped,
    ));

    let signal = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        ended = &mut server => {
            ended.context("the server failed")?;
            anyhow::bail!("the server ended by itself");
        }
    };
    tracing::info!(signal, "stopping");
    // No receiver left means that both tasks ended already.
    let _ = stop.send(());
    if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
        tracing::warn!("requests were still open, dropped");
    }
    ticker.await.context("the ticker failed")?;
    tracing::info!(height = status.height(), "stopped");
    Ok(())
}
