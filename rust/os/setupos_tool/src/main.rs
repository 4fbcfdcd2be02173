//! Shows what an installation stick found: itself, its configuration, the images it carries, the machine; and installs them.
//!
//! Everything is a step of the framework in `rust/os/steps`. `status` and `check` only look: no drive is written to. What was
//! found is data ([`facts`]); the screen ([`screen`]) and `--json` are two views of it. `install` ([`mod@install`]) writes HostOS and
//! GuestOS to a drive, if somebody asked for that.

mod bar;
mod block;
mod console;
mod facts;
mod inspect;
mod install;
mod screen;
mod system;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use program::say;
use steps::{Lines, Report, Silent};

use crate::console::Console;
use crate::facts::Facts;
use crate::inspect::{Context, Places};
use crate::install::{Job, Say};
use crate::screen::Screen;
use crate::system::System;
use crate::watch::Watch;

/// Shows and checks what this installation medium found, and installs HostOS and GuestOS. No command but `install` writes to any drive.
#[derive(clap::Parser)]
#[command(
    after_help = "Exit status: 0 shown, or nothing wrong; 1 something is wrong, or a bad flag; 2 reading or writing failed."
)]
struct Args {
    #[command(flatten)]
    places: Places,
    /// Take every path, those of the other flags too, below this folder (for tests).
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows version, configuration, images, drives, network and machine, and what is wrong with them.
    #[command(
        long_about = "Shows version, configuration, images, drives, network and machine, and what is wrong with \
            them, in at most 80 columns.\n\nVirtual terminals (ttyN), and stdout with --watch if it is a terminal, are \
            repainted in place. Serial lines, pipes and files get the screen once, then only lines that are new; there, \
            \"setupos: status shown\" follows the first screen, and \"setupos: images verified\" comes when all digests \
            are right. A console that takes nothing for a second is tried again the next time. Colours only on \
            terminals, and not if NO_COLOR is set."
    )]
    Status(StatusArgs),
    /// Installs HostOS and GuestOS on a drive.
    #[command(
        long_about = "Installs HostOS and GuestOS on the drive that config.ini names, with its settings.\n\nOnly if somebody asked \
            for it: unattended=yes in config.ini, or --asked. Everything is checked before anything is written; a drive that holds \
            something is taken only with erase=yes, or with keep_data=yes if it has an installation of ours. Cut off anywhere and \
            started again it goes on. Consoles get lines \"setupos: install: STEP: ...\" and at the end \"setupos: installed\" or \
            \"setupos: NOT INSTALLED: CAUSE\"; virtual terminals are repainted. setupos-result.json and setupos-log.txt go to the \
            CONFIG volume. Then the machine restarts, unless after_install= or --stay say otherwise."
    )]
    Install(Box<InstallArgs>),
    /// Ends with status 0 if config.ini says unattended=yes or FILE is there, else with 1.
    IsAsked {
        /// Where `status --ask` says that somebody typed install.
        #[arg(long, value_name = "FILE", default_value = "/run/setupos/install")]
        typed: PathBuf,
        /// The other way round.
        #[arg(long)]
        not: bool,
    },
    /// Checks everything; what is wrong goes to stderr, all of it, and the exit status is 1.
    Check {
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// Print facts and results as JSON in place of progress.
        #[arg(long)]
        json: bool,
        /// Leave the images' digests out: they take as long as reading the images.
        #[arg(long)]
        skip_digests: bool,
    },
}

#[derive(clap::Args)]
struct StatusArgs {
    /// Show it on the consoles of the kernel and on tty1.
    #[arg(long, conflicts_with = "console")]
    all_consoles: bool,
    /// Show it on this device in place of stdout; may be repeated.
    #[arg(long, value_name = "DEV")]
    console: Vec<PathBuf>,
    /// Show it once, with digests, and end (the default).
    #[arg(long, conflicts_with = "watch")]
    once: bool,
    /// Look again every so many seconds, for ever; digests are computed meanwhile.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch: Option<u64>,
    /// Print facts and results as JSON; with --watch a line at each change.
    #[arg(long, conflicts_with_all = ["all_consoles", "console"])]
    json: bool,
    /// Leave the images' digests out: they take as long as reading the images.
    #[arg(long)]
    skip_digests: bool,
    /// Rows of the virtual terminals, if not those that they have: what does not fit is left out there.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(12..=500))]
    rows: Option<u16>,
    /// Make FILE when somebody types "install" and Enter at a console.
    #[arg(long, value_name = "FILE", requires = "watch", conflicts_with = "json")]
    ask: Option<PathBuf>,
}

#[derive(clap::Args)]
struct InstallArgs {
    /// Check everything and say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Show it on the consoles of the kernel and on tty1.
    #[arg(long, conflicts_with = "console")]
    all_consoles: bool,
    /// Show it on this device in place of stdout; may be repeated.
    #[arg(long, value_name = "DEV")]
    console: Vec<PathBuf>,
    /// Print the result as JSON; nothing else goes to stdout.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: install::Options,
}

fn main() -> ExitCode {
    cli::run("setupos_tool", |args: Args| -> anyhow::Result<()> {
        let context = Context {
            system: System::new(args.root),
            places: args.places,
            facts: Facts::default(),
            medium: None,
            properties: Default::default(),
        };
        match args.command {
            Command::Status(args) => status(context, &args),
            Command::Install(args) => run_install(context, *args),
            Command::IsAsked { typed, not } => is_asked(&context, &typed, not),
            Command::Check {
                dry_run,
                json,
                skip_digests,
            } => check(context, dry_run, json, !skip_digests),
        }
    })
}

fn run_install(context: Context, mut args: InstallArgs) -> anyhow::Result<()> {
    let colour = wants_colour();
    let paths = devices(&context.system, args.all_consoles, &args.console);
    let device = |path| Console::device(path, None, colour);
    let mut consoles: Vec<Console> = paths.into_iter().map(device).collect();
    let say = match args.json {
        true => Say::Json,
        false => Say::Text,
    };
    if consoles.is_empty() && !args.json {
        consoles.push(Console::stdout(false, colour));
    }
    // Who typed it at a console asked, too: once.
    let typed = context.system.path(install::TYPED);
    if typed.exists() {
        args.options.asked = true;
        if !args.dry_run {
            std::fs::remove_file(&typed)
                .with_context(|| format!("cannot remove {}", typed.display()))?;
        }
    }
    let job = Job::new(context, args.options);
    install::install(job, consoles, args.dry_run, say)
}

/// Whether an installation was asked for, by the settings or at a console.
fn is_asked(context: &Context, typed: &Path, not: bool) -> anyhow::Result<()> {
    let dir = context.system.path(&context.places.config);
    let setup =
        os_config::Medium::read(&dir).and_then(|medium| os_config::SetupConfig::of(&medium.config));
    let unattended = match setup {
        Ok(setup) => setup.install.unattended,
        Err(_) => says_unattended(&context.system, &context.places.config),
    };
    let asked = unattended || context.system.exists(typed);
    anyhow::ensure!(
        asked != not,
        match asked {
            true => "an installation is asked for",
            false => "nobody asked for an installation",
        }
    );
    Ok(())
}

/// Whether settings with something wrong in them say that nobody is there: then it is the installation that says what is wrong, and
/// keeps it on the medium.
fn says_unattended(system: &System, dir: &Path) -> bool {
    let ini = system.text(dir.join(os_config::CONFIG_INI));
    let says = |line: &str| {
        let pair = line.split_once('=');
        pair.is_some_and(|(key, value)| key.trim() == "unattended" && value.trim() == "yes")
    };
    let json = system.text(dir.join(os_config::CONFIG_JSON));
    let json = json.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    let json = json.and_then(|value| value.pointer("/install/unattended")?.as_bool());
    ini.is_some_and(|text| text.lines().any(says)) || json == Some(true)
}

fn status(mut context: Context, args: &StatusArgs) -> anyhow::Result<()> {
    let mut consoles = consoles(&context.system, args);
    if let Some(seconds) = args.watch {
        return watch(context, args, &mut consoles, Duration::from_secs(seconds));
    }
    // Digests take long: who waits at a console sees the rest meanwhile. A pipe or a terminal gets the screen once.
    if !args.skip_digests && consoles.iter().all(|console| !console.is_stdout()) {
        let report = inspect::inspect(&mut context, false, false, &mut Silent);
        let screen = Screen::new(&context.facts, &report, None);
        // One that does not work is reported below.
        consoles
            .iter_mut()
            .for_each(|console| drop(console.show(&screen)));
    }
    let report = inspect::inspect(&mut context, !args.skip_digests, false, &mut Silent);
    if args.json {
        return say(&format!("{:#}", json(&context.facts, &report)?));
    }
    show(&Screen::new(&context.facts, &report, None), &mut consoles)
}

/// Shows `screen` everywhere; an error only if nobody takes it: the kernel may name consoles that are not there.
fn show(screen: &Screen, consoles: &mut [Console]) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for console in consoles.iter_mut() {
        if let Err(error) = console.show(screen) {
            failed.push((console.name(), error));
        }
    }
    for (name, error) in &failed {
        eprintln!("setupos_tool: cannot show the status on {name}: {error}");
    }
    let nobody = failed.len() == consoles.len();
    match failed.pop() {
        Some((name, error)) if nobody => {
            Err(error).with_context(|| format!("no console took the status, such as {name}"))
        }
        _ => Ok(()),
    }
}

fn watch(
    context: Context,
    args: &StatusArgs,
    consoles: &mut [Console],
    interval: Duration,
) -> anyhow::Result<()> {
    let mut watch = Watch::new(context, !args.skip_digests);
    let mut last_json = None;
    // What was said of each console that does not work.
    let mut complaints = vec![None; consoles.len()];
    loop {
        let report = watch.look();
        let facts = &watch.context().facts;
        if args.json {
            let json = json(facts, &report)?.to_string();
            if last_json.as_ref() != Some(&json) {
                say(&json)?;
                last_json = Some(json);
            }
        } else {
            let mut screen = Screen::new(facts, &report, watch.going_on());
            if args.ask.is_some() {
                screen.invite(INVITATION);
            }
            for (console, complaint) in consoles.iter_mut().zip(&mut complaints) {
                let result = console.show(&screen);
                if console.is_stdout() {
                    result.context("cannot write to stdout")?;
                    continue;
                }
                let error = result.err().map(|e| e.to_string());
                if let Some(error) = error.as_ref().filter(|_| error != *complaint) {
                    let name = console.name();
                    eprintln!("setupos_tool: cannot show the status on {name}: {error}");
                }
                *complaint = error;
            }
        }
        if let Some(file) = &args.ask {
            ask(&watch.context().system.path(file), consoles)?;
        }
        watch.wait(interval);
    }
}

/// What consoles say that are read.
const INVITATION: &str = "To install HostOS and GuestOS: type install and press Enter.";

/// Makes `file` if somebody typed the word.
fn ask(file: &Path, consoles: &mut [Console]) -> anyhow::Result<()> {
    for console in consoles {
        if console.typed().iter().any(|line| line == install::WORD) {
            os_config::atomic::write(file, b"", 0o600)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

fn consoles(system: &System, args: &StatusArgs) -> Vec<Console> {
    let colour = wants_colour();
    let paths = devices(system, args.all_consoles, &args.console);
    if paths.is_empty() {
        return vec![Console::stdout(args.watch.is_some(), colour)];
    }
    let device = |path| Console::device(path, args.rows.map(usize::from), colour);
    paths.into_iter().map(device).collect()
}

/// The devices that the flags mean.
fn devices(system: &System, all: bool, given: &[PathBuf]) -> Vec<PathBuf> {
    match all {
        true => console::all(system),
        false => given.iter().map(|path| system.path(path)).collect(),
    }
}

/// Unless NO_COLOR is there and not empty (no-color.org).
#[allow(
    clippy::disallowed_methods,
    reason = "it is for whoever looks at the screen, and no image depends on it"
)]
fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn check(mut context: Context, dry_run: bool, as_json: bool, digests: bool) -> anyhow::Result<()> {
    let report = if as_json {
        inspect::inspect(&mut context, digests, dry_run, &mut Silent)
    } else {
        let mut lines = Lines::new(std::io::stdout().lock());
        inspect::inspect(&mut context, digests, dry_run, &mut lines)
    };
    if as_json {
        say(&format!("{:#}", json(&context.facts, &report)?))?;
    }
    let problems: Vec<&str> = report.problems().map(|(_, text)| text).collect();
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
    if !as_json && !dry_run {
        say("nothing is wrong")?;
    }
    Ok(())
}

fn json(facts: &Facts, report: &Report) -> anyhow::Result<serde_json::Value> {
    Ok(serde_json::json!({
        "facts": serde_json::to_value(facts)?,
        "report": serde_json::to_value(report)?,
        "verified": screen::is_verified(facts, report),
    }))
}
