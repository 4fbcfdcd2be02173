//! `advisories`: which known vulnerabilities are in an image, offline: its bill of materials beside files of advisories.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use advisories::{check, Advisories, Allowed, Date, Format, Inventory, Options, Severity};
use anyhow::{ensure, Context, Result};
use disk::NamedFile;

/// Lists known vulnerabilities of what is in an image. Nothing is fetched.
///
/// Exit status: 0 none of the severity asked for or worse, but what is allowed; 1 some; 2 a wrong flag or a file that can't be used.
#[derive(clap::Parser)]
struct Args {
    /// The bill of materials: the sbom.spdx.json of the image.
    #[arg(long, value_name = "FILE")]
    sbom: PathBuf,
    /// The bill of materials of an image that this one holds as the file PATH, as data/guest-os.img; may be given several times.
    #[arg(long, value_name = "PATH=FILE")]
    holds: Vec<NamedFile>,
    /// Advisories; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    advisories: Vec<PathBuf>,
    /// Their form; default: what each file looks like.
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// The release that Debian's tracker is asked for, as trixie, of packages whose own is not known.
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// From this severity on a vulnerability counts: negligible, low, medium, high, critical.
    #[arg(long, value_name = "SEVERITY", default_value = "high")]
    fail_on: Severity,
    /// The severity of those whose advisories leave it open.
    #[arg(long, value_name = "SEVERITY", default_value = "high")]
    unknown: Severity,
    /// What is allowed, until when and why: JSON (docs/guides/vulnerabilities.md).
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// The day on which that is looked at, as 2026-12-31; default: today.
    #[arg(long, value_name = "DATE")]
    today: Option<Date>,
    /// Print JSON in place of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormatArg {
    /// The JSON of Debian's security tracker.
    DebianTracker,
    /// OSV.
    Osv,
}

/// Vulnerabilities that count.
const FOUND: u8 = 1;
/// Nothing can be said.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let mut counted = None;
    let code = cli::run("advisories", |args: Args| -> Result<()> {
        counted = Some(run(&args)?);
        Ok(())
    });
    match counted {
        Some(0) => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(FOUND),
        // Help and version.
        None if code == ExitCode::SUCCESS => code,
        None => ExitCode::from(UNUSABLE),
    }
}

/// Prints what there is, and says how many count.
fn run(args: &Args) -> Result<usize> {
    let mut inventory = inventory(&args.sbom)?;
    for NamedFile { name, path } in &args.holds {
        let held = inventory.hold(name, self::inventory(path)?);
        held.with_context(|| format!("--holds {name}={}", path.display()))?;
    }
    let mut advisories = Advisories::default();
    for path in &args.advisories {
        let path = cli::from_user(path);
        let text = read(&path)?;
        let format = match args.format {
            Some(FormatArg::DebianTracker) => Format::DebianTracker,
            Some(FormatArg::Osv) => Format::Osv,
            None => Format::of(&text),
        };
        let added = advisories.add(&text, format, &inventory, args.release.as_deref());
        added.with_context(|| path.display().to_string())?;
    }
    let allowed = match &args.allow {
        Some(path) => {
            let path = cli::from_user(path);
            Allowed::read(&read(&path)?).with_context(|| path.display().to_string())?
        }
        None => Allowed::default(),
    };
    let options = Options {
        fail_on: args.fail_on,
        unknown: args.unknown,
        today: match args.today {
            Some(today) => today,
            None => today()?,
        },
    };
    let report = check(&inventory, &advisories, &allowed, options);
    let text = match args.json {
        true => serde_json::to_string_pretty(&report)? + "\n",
        false => report.text(),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).context("cannot write")?;
    Ok(report.counted)
}

/// What is in the image of the bill of materials at `path`.
fn inventory(path: &Path) -> Result<Inventory> {
    let path = &cli::existing(path);
    let inventory = Inventory::read(&read(path)?).with_context(|| path.display().to_string())?;
    ensure!(
        !inventory.components.is_empty(),
        "{}: got no Debian package and no crate, want the bill of materials of an image",
        path.display()
    );
    Ok(inventory)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[allow(
    clippy::disallowed_methods,
    reason = "what is allowed until a day depends on what day it is; no action runs this"
)]
fn today() -> Result<Date> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds =
        since.context("the clock of this machine is before 1970: say the day with --today")?;
    Ok(Date::of(seconds.as_secs().try_into()?))
}
