//! The node's configuration: takes it over from a CONFIG medium, checks it, shows it.
//!
//! What a configuration is, and how it is kept, says the library `os_config`; here are the commands and the medium.

mod medium;
mod signature;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use os_config::{Config, Origin, Settings, Store, KEYS, OWNER, SSH_KEYS_DIR};

use crate::medium::Volume;

/// Takes over, checks and shows the node's configuration.
#[derive(clap::Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replaces the stored configuration by that of a medium, whole or not at all; no medium: nothing to do.
    ///
    /// Once a key for admin is stored, a medium must be signed by one, unless the stored config.ini says media=any.
    Ingest {
        #[command(flatten)]
        source: Source,
        /// Where the configuration is kept.
        #[arg(long, default_value = "/boot/config")]
        config: PathBuf,
        /// Where a medium found by its label is mounted; made when absent.
        #[arg(long, default_value = "/run/config_tool/medium")]
        mount_dir: PathBuf,
        /// Take it whoever signed it: for who is root here already.
        #[arg(long)]
        unsigned: bool,
    },
    /// Checks a config.ini, or a folder laid out as a medium.
    Check {
        /// The file or folder.
        path: PathBuf,
    },
    /// Prints the value of one key of config.ini; exit status 3 when it is not set.
    Get {
        /// The key.
        key: String,
        /// Where the configuration is kept.
        #[arg(long, default_value = "/boot/config")]
        config: PathBuf,
    },
    /// Prints the stored configuration.
    Show {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Where the configuration is kept.
        #[arg(long, default_value = "/boot/config")]
        config: PathBuf,
    },
}

/// One of the two ways to name a medium.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// A folder: a medium that is mounted already.
    #[arg(long)]
    medium: Option<PathBuf>,
    /// The volume label of a medium to look for and mount.
    #[arg(long, value_parser = medium::label)]
    label: Option<String>,
}

/// `get` of a key that may exist and is not set.
const EXIT_NOT_SET: u8 = 3;

fn main() -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    let result = cli::run("config_tool", |args: Args| -> anyhow::Result<()> {
        status = run(args.command)?;
        Ok(())
    });
    if result == ExitCode::SUCCESS {
        status
    } else {
        result
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Ingest {
            source,
            config,
            mount_dir,
            unsigned,
        } => ingest(&source, &Store::new(config), &mount_dir, unsigned)?,
        Command::Check { path } => {
            check(&path)?;
            say(&format!("{}: ok", path.display()))?;
        }
        Command::Get { key, config } => {
            anyhow::ensure!(
                KEYS.contains(&key.as_str()),
                "unknown key {key:?}, want one of {}",
                KEYS.join(", ")
            );
            match Store::new(config).load()?.0.settings.get(&key) {
                Some(value) => say(value)?,
                None => return Ok(ExitCode::from(EXIT_NOT_SET)),
            }
        }
        Command::Show { json, config } => {
            let (config, origin) = Store::new(config).load()?;
            if json {
                say(&format!("{:#}", config.to_json()))?;
            } else {
                say(text(&config, origin).trim_end())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ingest(source: &Source, store: &Store, mount_dir: &Path, unsigned: bool) -> anyhow::Result<()> {
    let (medium, from) = match (&source.medium, &source.label) {
        (Some(dir), _) => {
            anyhow::ensure!(dir.is_dir(), "{} is not a folder", dir.display());
            (os_config::Medium::read(dir)?, dir.display().to_string())
        }
        (None, Some(label)) => match Volume::find(label, mount_dir)? {
            Some(volume) => {
                // Read to the end before the volume is let go of.
                let medium = os_config::Medium::read(volume.dir());
                let from = volume.describe();
                volume.release()?;
                let medium = medium.with_context(|| format!("the medium {from} is refused"))?;
                (medium, from)
            }
            None => return say(&format!("no medium labelled {label}, {}", kept(store)?)),
        },
        (None, None) => anyhow::bail!("want --medium or --label"),
    };
    let config = medium.config;
    if !unsigned && !store.holds(&config) {
        let proof = medium.proof.as_ref();
        let ownership = store.ownership()?;
        let admitted = ownership.admit(&config, proof, signature::verify)?;
        admitted.with_context(|| format!("the medium {from} is refused"))?;
    }
    if store.ingest(&config)? {
        say(&format!("configuration taken over from {from}"))?;
    } else {
        say(&format!(
            "configuration of {from} is the stored one already"
        ))?;
    }
    remark(&config)
}

/// What is right, and may not be meant.
fn remark(config: &Config) -> anyhow::Result<()> {
    if config.has_owner() {
        return Ok(());
    }
    say(&format!(
        "remark: no key in {SSH_KEYS_DIR}/{OWNER}: nobody can log in to a production system, and any later medium counts"
    ))
}

/// What the machine goes on with.
fn kept(store: &Store) -> anyhow::Result<&'static str> {
    let (_, origin) = store
        .load()
        .context("and the stored configuration does not read")?;
    Ok(match origin {
        Origin::Stored => "keeping the stored configuration",
        Origin::Defaults => "nothing stored: defaults",
    })
}

fn check(path: &Path) -> anyhow::Result<()> {
    let meta =
        std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if meta.is_dir() {
        remark(&os_config::Medium::read(path)?.config)?;
    } else {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Settings::parse(path, &bytes)?;
    }
    Ok(())
}

/// The configuration for people.
fn text(config: &Config, origin: Origin) -> String {
    let mut text = match origin {
        Origin::Stored => String::new(),
        Origin::Defaults => "# nothing stored: defaults\n".to_owned(),
    };
    for (key, value) in &config.settings.pairs {
        text.push_str(&format!("{key}={value}\n"));
    }
    for (user, keys) in &config.keys {
        text.push_str(&format!("# ssh keys of {user}: {}\n", keys.keys.len()));
    }
    text
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").context("cannot write to stdout")
}
