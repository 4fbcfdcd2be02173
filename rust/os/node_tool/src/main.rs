//! Turns the stored configuration into what the system reads: network, host name and SSH keys. Beside that: what the machine's own
//! partitions need before they are mounted.
//!
//! The root file system is read-only, so everything goes below `/run` and is written anew at each boot. Each command
//! may run again at any time: it changes only what differs, and removes what the configuration no longer says.

mod confirm;
mod hostname;
mod luks;
mod network;
mod ssh;
mod tpm;
mod volume;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use os_config::{Config, Origin, Store};
use program::say;

/// Sets up network, host name and SSH keys from the stored configuration, and file systems of the machine's own.
#[derive(clap::Parser)]
struct Args {
    /// Where the configuration is kept.
    #[arg(long, global = true, default_value = "/boot/config")]
    config: PathBuf,
    /// Take every path, that of --config too, below this folder, and leave the running system alone (for tests).
    #[arg(long, global = true)]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Clone)]
enum Command {
    /// Writes /run/systemd/network/20-config.network for systemd-networkd.
    #[command(name = "setup-network")]
    Network {
        /// The interface that the settings are for; default: every wired card
        #[arg(long, value_name = "NAME", value_parser = network::interface)]
        interface: Option<String>,
        /// An interface that packets go through, too, by its file FILE.network of the image: takes the settings' mtu; may be given
        /// several times
        #[arg(long, value_name = "FILE", value_parser = network::interface)]
        uplink: Vec<String>,
    },
    /// Sets the host name and writes it to /run/ic/hostname.
    #[command(name = "setup-hostname")]
    Hostname,
    /// Writes /run/ic/ssh_authorized_keys/{admin,readonly,backup} for sshd.
    #[command(name = "setup-ssh")]
    Ssh,
    /// Makes the file system of a partition ready for its mount: made if it is new, checked else, grown with its partition.
    PrepareVolume(volume::Args),
    /// Confirms this boot once the checks held for a while; fails when the deadline is over.
    ConfirmBoot(confirm::Args),
    /// Network, host name and SSH keys; one that fails does not keep the others from being done.
    #[command(name = "setup-all")]
    All,
}

/// The system to set up: the running one, or a folder in its place.
#[derive(Debug, Clone)]
struct System {
    root: Option<PathBuf>,
}

impl System {
    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        os_config::root::path(self.root.as_deref(), path)
    }

    fn is_running(&self) -> bool {
        self.root.is_none()
    }

    /// Writes `bytes` for everybody to read; says whether that changed anything.
    fn write(&self, path: &str, bytes: &[u8]) -> anyhow::Result<bool> {
        let path = self.path(path);
        if let Some(dir) = path.parent() {
            // With the mode below, and no umask's: sshd refuses keys in a folder that others may write.
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create {}", dir.display()))?;
        }
        os_config::atomic::write_if_changed(&path, bytes, 0o644)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Removes a file; says whether there was one.
    fn remove(&self, path: &str) -> anyhow::Result<bool> {
        let path = self.path(path);
        os_config::atomic::remove(&path)
            .with_context(|| format!("cannot remove {}", path.display()))
    }
}

fn main() -> ExitCode {
    cli::run("node_tool", |args: Args| -> anyhow::Result<()> {
        // Folders made on the way are 0755, whatever the caller's umask.
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        let system = System { root: args.root };
        match &args.command {
            Command::PrepareVolume(volume) => {
                return volume::prepare(volume, &args.config, &system)
            }
            Command::ConfirmBoot(args) => return confirm::run(args, &system),
            Command::Network { .. } | Command::Hostname | Command::Ssh | Command::All => {}
        }
        let store = Store::new(system.path(&args.config));
        let (config, origin) = store
            .load()
            .context("the stored configuration is refused")?;
        if origin == Origin::Defaults {
            say(&format!(
                "no configuration in {}: defaults",
                system.path(&args.config).display()
            ))?;
        }
        run(args.command, &config, &system)
    })
}

fn run(command: Command, config: &Config, system: &System) -> anyhow::Result<()> {
    match command {
        Command::Network { interface, uplink } => {
            for uplink in uplink {
                network::setup_uplink(&config.settings, system, &uplink)?;
            }
            say(&network::setup(
                &config.settings,
                system,
                interface.as_deref(),
            )?)
        }
        Command::Hostname => say(&hostname::setup(&config.settings, system)?),
        Command::Ssh => say(&ssh::setup(config, system)?),
        // These need no configuration that is right: `main` has done them.
        Command::PrepareVolume(_) | Command::ConfirmBoot(_) => Ok(()),
        Command::All => {
            let network = Command::Network {
                interface: None,
                uplink: Vec::new(),
            };
            let results = [Command::Hostname, network, Command::Ssh]
                .map(|command| run(command, config, system));
            let mut errors = results.into_iter().filter_map(Result::err);
            let Some(first) = errors.next() else {
                return Ok(());
            };
            // Only the first can be returned; the others are said here.
            for error in errors {
                say(&format!("also failed: {error:#}"))?;
            }
            Err(first)
        }
    }
}
