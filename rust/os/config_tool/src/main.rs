//! The node's configuration: takes it over from a CONFIG medium, checks it, shows it.
//!
//! What a configuration is, and how it is kept, says the library `os_config`; here are the commands and the medium.

mod check;
mod data;
mod ingest;
mod medium;
mod place;
mod signature;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use os_config::{Config, Document, Kind, Origin, Store, KEYS};
use program::say;

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
    /// A medium that is refused: exit status 4, and nothing changed. A stick of SetupOS that --label finds is left alone.
    Ingest {
        #[command(flatten)]
        source: Source,
        /// The partition of the machine's data: a first data.key is refused when that holds something that is not encrypted.
        #[arg(long, value_name = "DEVICE")]
        data: Option<PathBuf>,
        /// A file in memory for a data.key that is not stored, since the TPM keeps it (data_encryption=tpm2).
        #[arg(long, value_name = "FILE")]
        hand_key: Option<PathBuf>,
        /// Where the configuration is kept.
        #[arg(long, default_value = "/boot/config")]
        config: PathBuf,
        /// Where a medium found by its label is mounted; made when absent.
        #[arg(long, default_value = "/run/config_tool/medium")]
        mount_dir: PathBuf,
        /// Take it whoever signed it: for who is root here already.
        #[arg(long)]
        unsigned: bool,
        #[command(flatten)]
        system: System,
    },
    /// Checks a config.ini or config.json, or a folder laid out as a medium, and says which addresses its machines will have.
    ///
    /// Everything that is wrong is told at once, as file, line and text; exit status 1. Remarks are what is right and may not be meant.
    Check {
        /// The file or folder.
        path: PathBuf,
        /// The system that shall read it; not given: that of the config.json, and for a config.ini setupos, the installation medium.
        #[arg(long = "for", value_name = "SYSTEM", value_parser = system)]
        system: Option<Kind>,
        /// One JSON object on stdout, also if something is wrong.
        #[arg(long)]
        json: bool,
    },
    /// Prints the value of one key of config.ini; exit status 3 when it is not set.
    Get {
        /// The key.
        key: String,
        /// Where the configuration is kept.
        #[arg(long, default_value = "/boot/config")]
        config: PathBuf,
    },
    /// Prints the stored configuration, as keys of config.ini.
    Show {
        /// As JSON: its typed form (configuration), the keys (settings), and who may log in.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        system: System,
        /// Where the configuration is kept.
        #[arg(long, default_value = "/boot/config")]
        config: PathBuf,
    },
}

/// The system that a configuration is for.
#[derive(clap::Args)]
struct System {
    /// The system that reads the configuration: setupos, hostos or guestos; not given: the one that --identity names.
    #[arg(long = "for", value_name = "SYSTEM", value_parser = system)]
    kind: Option<Kind>,
    /// The file that says which system this is.
    #[arg(long, default_value = "/opt/ic/share/os.json")]
    identity: PathBuf,
}

impl System {
    /// Which of the three it is; `None`: none of them, or nobody says.
    fn kind(&self) -> anyhow::Result<Option<Kind>> {
        match self.kind {
            Some(kind) => Ok(Some(kind)),
            None => Ok(Kind::of_system(&self.identity)?),
        }
    }
}

fn system(name: &str) -> Result<Kind, String> {
    let known = Kind::ALL.iter().find(|kind| kind.system() == name);
    let names = Kind::ALL.map(Kind::system).join(", ");
    known.copied().ok_or_else(|| format!("want {names}"))
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

/// What an error is about: a medium that is not taken over, while all is well with the machine.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl Refused {
    /// The medium that is called `from`.
    pub(crate) fn medium(from: &dyn std::fmt::Display) -> Self {
        Self(from.to_string())
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the medium {} is refused", self.0)
    }
}

/// Something is wrong with what was given; for `check --json`, which says that on stdout.
const EXIT_REFUSED: u8 = 1;
/// `ingest` of a medium that does not count; the machine is as it was, so `ingest-config.service` takes it for no failure.
const EXIT_MEDIUM: u8 = 4;
/// `get` of a key that may exist and is not set.
const EXIT_NOT_SET: u8 = 3;

fn main() -> ExitCode {
    let mut status = None;
    let result = cli::run("config_tool", |args: Args| -> anyhow::Result<()> {
        let done = run(args.command);
        status = match &done {
            Ok(status) => Some(*status),
            Err(error) => error.is::<Refused>().then_some(ExitCode::from(EXIT_MEDIUM)),
        };
        done.map(drop)
    });
    // Without one, `cli` knows it: of what was printed, or of an error.
    status.unwrap_or(result)
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Ingest {
            source,
            data,
            hand_key,
            config,
            mount_dir,
            unsigned,
            system,
        } => {
            let from = ingest::From {
                medium: source.medium.as_deref(),
                label: source.label.as_deref(),
                mount_dir: &mount_dir,
            };
            let rules = ingest::Rules {
                unsigned,
                data: data.as_deref(),
                hand_key: hand_key.as_deref(),
                kind: system.kind()?,
            };
            ingest::ingest(&from, &Store::new(config), &rules)?;
        }
        Command::Check { path, system, json } => {
            let report = check::look(&path, system)?;
            if !json {
                say(&report.text()?)?;
                return Ok(ExitCode::SUCCESS);
            }
            let (good, all) = report.json();
            say(&format!("{all:#}"))?;
            if !good {
                return Ok(ExitCode::from(EXIT_REFUSED));
            }
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
        Command::Show {
            json,
            system,
            config,
        } => show(&Store::new(config), json, &system)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is stored.
fn show(store: &Store, json: bool, system: &System) -> anyhow::Result<()> {
    let (config, origin) = store.load()?;
    match json {
        true => say(&format!("{:#}", typed(&config, system.kind()?)?)),
        false => say(text(&config, origin).trim_end()),
    }
}

/// The configuration for scripts. A `config.ini` on a system that nobody names is taken for a host's, which says all that such a file can
/// say of running systems.
fn typed(config: &Config, kind: Option<Kind>) -> anyhow::Result<serde_json::Value> {
    let itself = config.document.as_ref().map(Document::kind);
    let document = Document::of(config, kind.or(itself).unwrap_or(Kind::Host))?;
    let mut all = config.to_json();
    if let Some(map) = all.as_object_mut() {
        map.insert("configuration".to_owned(), document.to_value());
    }
    Ok(all)
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
    let key = match (&config.data_key, &config.data_key_sum) {
        (Some(_), _) => "# the machine's data are encrypted (data.key)\n",
        (None, Some(_)) => {
            "# the machine's data are encrypted, and the TPM keeps the key (data.key.sha256)\n"
        }
        (None, None) => "",
    };
    text.push_str(key);
    text
}
