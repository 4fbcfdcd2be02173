//! Runs the guest: one QEMU on the partition `guestos`, watched over.
//!
//! One process, one thread beside those that wait for QEMU's monitor: a supervisor that starts QEMU and starts it again when it ends
//! ([`supervisor`], [`run`]), and three pages that tell of it ([`server`]). What QEMU is started with is planned without changing
//! anything ([`plan`]), and its command line is a pure function of that ([`qemu`]).

mod client;
mod config;
mod console;
mod disk;
mod firmware;
mod flags;
mod host;
mod hugepages;
mod medium;
mod plan;
mod process;
mod qemu;
mod report;
mod run;
mod serial;
mod server;
mod status;
mod supervisor;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use daemon::{stop, Backoff, Notifier};
use os_config::{duration, logging, version};
use program::say;
use tokio::net::TcpListener;
use tokio::signal::unix::{signal, SignalKind};

use crate::disk::{Disk, Refused};
use crate::serial::SerialLog;
use crate::status::Shared;
use crate::supervisor::Supervisor;

/// Runs the guest, the virtual machine of this host, and tells how it is.
#[derive(clap::Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Starts the guest and watches over it, until SIGTERM; SIGHUP has it look at disk and configuration again.
    Run(Box<RunArgs>),
    /// Says how the guest is.
    Status {
        /// Print the service's answer, a JSON object.
        #[arg(long)]
        json: bool,
        /// Where the service listens.
        #[arg(long, default_value = LISTEN)]
        address: SocketAddr,
    },
    /// Shows what the guest printed on its serial line.
    Console {
        /// Go on with what it prints, until Ctrl-C.
        #[arg(long)]
        follow: bool,
        /// So many lines of the past.
        #[arg(long, value_name = "N", default_value = "1000")]
        lines: usize,
        /// The log.
        #[arg(long, value_name = "FILE", default_value = SERIAL_LOG)]
        serial_log: PathBuf,
    },
    /// Prints the QEMU command that would be started now; starts and writes nothing.
    Command(Box<flags::Guest>),
    /// Writes the guest's CONFIG medium, a FAT image.
    Medium {
        #[command(flatten)]
        configuration: flags::Configuration,
        /// Where it goes.
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Asks the kernel for the huge pages that the configuration wants, or gives them back; as root, before the service starts.
    ReserveHugepages(flags::Configuration),
    /// Becomes QEMU; for `run` alone.
    #[command(hide = true)]
    ExecQemu(process::Exec),
}

const LISTEN: &str = "127.0.0.1:9180";
const SERIAL_LOG: &str = "/var/log/guest-vm/serial.log";

#[derive(clap::Args)]
struct RunArgs {
    #[command(flatten)]
    guest: flags::Guest,
    /// Address and port of /ready, /status and /metrics.
    #[arg(long, default_value = LISTEN)]
    listen: SocketAddr,
    /// Where what the guest prints is kept.
    #[arg(long, value_name = "FILE", default_value = SERIAL_LOG)]
    serial_log: PathBuf,
    /// What the guest reported of itself, written by host_api.
    #[arg(long, value_name = "FILE", default_value = "/run/ic/guest.json")]
    report: PathBuf,
    /// A guest that reports nothing for so long is not taken for well; it reports every 10 s, and at least once a minute.
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = duration::parse_positive)]
    silent_after: Duration,
    /// File whose first line is the image's version.
    #[arg(long, value_name = "FILE", default_value = "/opt/ic/share/version.txt")]
    version_file: PathBuf,
    /// How long the guest may take to stop, before QEMU is ended.
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = duration::parse)]
    stop_grace: Duration,
    /// Wait before the first restart; doubles with each further one.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration::parse_positive)]
    backoff_initial: Duration,
    /// Longest wait before a restart.
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = duration::parse_positive)]
    backoff_max: Duration,
    /// A run this long makes the next wait the first one again.
    #[arg(long, value_name = "TIME", default_value = "10min", value_parser = duration::parse)]
    stable_after: Duration,
    /// Time between two signs of life to systemd.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse_positive)]
    watchdog_interval: Duration,
    /// A log file of the serial line begins anew at this size (for tests).
    #[arg(long, value_name = "BYTES", default_value_t = serial::MOST_BYTES, hide = true)]
    serial_bytes: u64,
    #[command(flatten)]
    serve: serve::Flags,
    /// Least severe log level: error, warn, info, debug or trace.
    #[arg(long, default_value = "info", value_parser = logging::Level::parse)]
    log_level: logging::Level,
}

fn main() -> ExitCode {
    // A program that becomes another one has no status of its own.
    let mut exec = None;
    let status = cli::run("guest_vm", |args: Args| match args.verb {
        Verb::ExecQemu(args) => {
            exec = Some(args);
            Ok(())
        }
        verb => perform(verb),
    });
    match exec {
        Some(args) => process::exec(&args),
        None => status,
    }
}

fn perform(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Run(args) => start(*args),
        Verb::Status { json, address } => {
            let told = client::ask(address)?;
            match json {
                true => say(&told),
                false => say(client::for_people(&told)?.trim_end()),
            }
        }
        Verb::Console {
            follow,
            lines,
            serial_log,
        } => console::show(&serial_log, lines, follow),
        Verb::Command(guest) => {
            let planned = plan::plan(&guest, None)?;
            for remark in &planned.remarks {
                eprintln!("guest_vm: {remark}");
            }
            say(&base::shell::quote(planned.machine.command()))
        }
        Verb::Medium {
            configuration,
            output,
        } => {
            let wanted = config::Wanted::read(&configuration.config, &configuration.host())?;
            let image = medium::image(&wanted.files)?;
            os_config::atomic::write(&output, &image, 0o600)
                .with_context(|| format!("cannot write {}", output.display()))
        }
        Verb::ReserveHugepages(configuration) => say(&hugepages::reserve(&configuration)?),
        Verb::ExecQemu(_) => Ok(()),
    }
}

fn start(args: RunArgs) -> anyhow::Result<()> {
    logging::init(args.log_level);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(run(args))
}

async fn run(args: RunArgs) -> anyhow::Result<()> {
    let stop = stop::signals()?;
    let look = signal(SignalKind::hangup()).context("cannot handle SIGHUP")?;
    let notifier = Notifier::from_environment();
    // Before anything else: a second start ends here, and says who is the first.
    let disk = match Disk::take(&args.guest.disk) {
        Ok(disk) => Some(disk),
        Err(refused @ Refused::Held { .. }) => return Err(refused.into()),
        // Told by the pages; it may come yet.
        Err(Refused::Io { .. }) => None,
    };
    let version = version::read_or_unknown(&args.version_file);
    let bound = TcpListener::bind(args.listen).await;
    let listener = bound.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr().context("cannot read own address")?;
    tracing::info!(%address, version, "listening");

    let status = Shared::new(version, args.silent_after);
    let limits = args.serve.limits().context("cannot serve")?;
    let server = tokio::spawn(serve::serve(
        listener,
        server::router(status.clone()),
        limits,
        serve::Counters::default(),
        std::future::pending(),
    ));
    let supervisor = Supervisor {
        flags: args.guest,
        disk,
        backoff: Backoff::new(args.backoff_initial, args.backoff_max, args.stable_after),
        grace: args.stop_grace,
        report: args.report,
        serial: Arc::new(Mutex::new(SerialLog::new(
            &args.serial_log,
            args.serial_bytes,
        ))),
        status,
        notifier: notifier.clone(),
        kvm_broken: None,
    };
    // The service is there, whatever becomes of the guest: a boot does not wait for it.
    let supervised = supervisor.run(stop, look);
    daemon::attend(supervised, server, args.watchdog_interval, &notifier).await?;
    tracing::info!("stopped");
    Ok(())
}
