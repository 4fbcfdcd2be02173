//! The three jobs one after the other, and what is said, kept and done at the end.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use os_config::AfterInstall;
use steps::{Report, Runner, Step};

use super::record::{self, Outcome};
use super::screen::Show;
use super::{checks, program, writes, Job};
use crate::console::Console;
use crate::inspect::{HASH, LOOKS};

/// How an installation is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Somebody at the machine asks for it: unattended=yes is not needed.
    #[arg(long)]
    pub(crate) asked: bool,
    /// What kinds of machines must have.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/opt/ic/share/node-types.json"
    )]
    pub(crate) node_types: PathBuf,
    /// Folder in memory for what is made before it is written.
    #[arg(long, value_name = "DIR", default_value = "/run/setupos-install")]
    pub(crate) work_dir: PathBuf,
    /// Keep data (keep_data=yes) in a format that the systems of this medium don't know, too: they put them aside.
    #[arg(long)]
    pub(crate) any_data_format: bool,
    /// How long the last screen stays before the machine restarts.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = os_config::duration::parse)]
    pub(crate) pause: Duration,
    /// Leave the machine running at the end, whatever the settings say.
    #[arg(long)]
    pub(crate) stay: bool,
    /// If the machine stays as it is at the end: wait until somebody types "install" and Enter at a console, make FILE, and end.
    #[arg(long, value_name = "FILE")]
    pub(crate) ask: Option<PathBuf>,
}

/// What goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Say {
    /// Lines, or a screen.
    Text,
    /// The result at the end.
    Json,
}

/// What somebody types at a console who wants an installation.
pub(crate) const WORD: &str = "install";

type Steps = Vec<&'static dyn Step<Job>>;

fn look() -> Steps {
    let mut steps: Steps = Vec::new();
    for look in LOOKS {
        steps.push(look);
    }
    let ours: [&'static dyn Step<Job>; 6] = [
        &checks::ASKED,
        &checks::AGE,
        &checks::TIME,
        &checks::HARDWARE,
        &checks::LINK,
        &checks::DRIVE,
    ];
    steps.extend(ours);
    steps
}

fn ready() -> Steps {
    vec![&checks::MEDIUM, HASH, &checks::PREPARE]
}

fn write() -> Steps {
    vec![
        &writes::WIPE,
        &writes::HOST,
        &writes::GUEST,
        &writes::CONFIG,
        &writes::VERIFY,
        &writes::TABLES,
        &writes::FIRMWARE,
    ]
}

/// Runs `steps` and adds what came of them to `report`.
fn take(steps: &Steps, dry_run: bool, job: &mut Job, show: &mut Show, report: &mut Report) {
    let new = Runner::writing(dry_run).run(steps, job, show);
    for record in new.steps {
        report.put(record);
    }
}

/// Installs, or says what it would do.
pub(crate) fn install(
    mut job: Job,
    consoles: Vec<Console>,
    dry_run: bool,
    say: Say,
) -> anyhow::Result<()> {
    let (look, ready, write) = (look(), ready(), write());
    let names = |steps: &Steps| -> Vec<&'static str> { steps.iter().map(|s| s.name()).collect() };
    let checks = [names(&look), names(&ready)].concat();
    let mut show = Show::new(consoles, &checks, &names(&write));
    // What only looks does so in a dry run, too: without that nobody knows what would be written where.
    let mut report = Runner::reading(false).run(&look, &mut job, &mut show);
    show.set_title(title(&job));
    if job.done_before {
        take(
            &vec![&writes::FIRMWARE],
            dry_run,
            &mut job,
            &mut show,
            &mut report,
        );
        job.whole = true;
    } else {
        for steps in [&ready, &write] {
            if report.ok {
                take(steps, dry_run, &mut job, &mut show, &mut report);
            }
        }
    }
    let outcome = outcome(&job, report);
    let kept = dry_run || end(&job, &mut show, &outcome);
    if say == Say::Json {
        ::program::say(&serde_json::to_string_pretty(&outcome)?)?;
    }
    let leaves = !dry_run
        && outcome.installed
        && !job.options.stay
        && !job.done_before
        && (kept || !job.would_repeat());
    if let Some(file) = job.options.ask.as_ref().filter(|_| !dry_run && !leaves) {
        let file = job.context.system.path(file);
        show.wait_for(WORD);
        os_config::atomic::write(&file, b"", 0o600)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let problems = outcome.problems.join("\n");
    anyhow::ensure!(outcome.problems.is_empty(), "not installed: {problems}");
    if leaves {
        std::thread::sleep(job.options.pause);
        leave(&job).map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

fn title(job: &Job) -> String {
    let facts = &job.context.facts;
    let version = facts.version.as_deref().unwrap_or("of unknown version");
    let env = facts.env.as_deref().unwrap_or("unknown env");
    format!("SetupOS {version} ({env}) installs HostOS and GuestOS.")
}

fn outcome(job: &Job, report: Report) -> Outcome {
    let problems = report.problems();
    let problems: Vec<String> = problems
        .map(|(step, text)| format!("{step}: {text}"))
        .collect();
    let installed = job.whole && problems.is_empty();
    let (state, remedy) = match installed {
        true => ("The machine is installed.".to_owned(), String::new()),
        false => job.state(),
    };
    Outcome {
        format: Outcome::format(),
        installed,
        version: job.context.facts.version.clone(),
        env: job.context.facts.env.clone(),
        drive: job.drive_record(),
        kept_data: job
            .target
            .as_ref()
            .is_some_and(|t| !t.decision.keep.is_empty()),
        written: job.written,
        problems,
        state,
        remedy,
        request: job.request,
        report,
    }
}

/// How to go on at a console, if consoles are read.
fn invitation(job: &Job) -> Option<String> {
    let ask = job.options.ask.as_ref();
    ask.map(|_| format!("To install once more: type {WORD} and press Enter."))
}

/// What people are told, and what the medium keeps: whether it does.
fn end(job: &Job, show: &mut Show, outcome: &Outcome) -> bool {
    let place = &job.context.places.config;
    // What people are told stands at the end of the log, too.
    let saved = |show: &Show, lines: &[String]| {
        let log = format!("{}{}\n", show.log, lines.join("\n"));
        record::write(&job.context.system, place, outcome, &log)
    };
    if outcome.installed {
        let drive = job.target.as_ref().map(|t| super::choose::shown(&t.drive));
        let mut lines = vec![format!("INSTALLED  {}", drive.unwrap_or_default())];
        lines.push(if job.done_before {
            "This medium installed just that before, so nothing was written. Take it out and restart the machine. To install once more, take setupos-result.json off the medium, or ask for it at a console.".to_owned()
        } else {
            match job.after() {
                AfterInstall::Reboot => "The machine restarts now. Take this medium out.".to_owned(),
                AfterInstall::Poweroff => "The machine is switched off now. Take this medium out.".to_owned(),
                AfterInstall::Halt => "The machine stops now. Take this medium out.".to_owned(),
            }
        });
        if job.done_before {
            lines.extend(invitation(job));
        }
        let result = saved(show, &lines);
        let kept = result.is_ok();
        if let Err(error) = result {
            if job.would_repeat() && !job.done_before {
                lines.truncate(1);
                lines.push("The machine stays as it is, for this medium would install once more: take it out, and restart the machine.".to_owned());
                lines.extend(invitation(job));
            }
            lines.push(format!("The result is not kept on the medium: {error}"));
        }
        show.end(true, lines, "setupos: installed");
        return kept;
    }
    let mut causes = outcome.problems.iter();
    let first = causes.next().cloned().unwrap_or_default();
    let mut lines = vec!["NOT INSTALLED".to_owned(), format!("Cause:  {first}")];
    let more = causes.len();
    if more > 0 {
        lines.push(format!(
            "        and {more} more, named above and in {}",
            record::LOG
        ));
    }
    lines.push(format!("State:  {}", outcome.state));
    lines.push(format!("Remedy: {}", outcome.remedy));
    lines.extend(invitation(job));
    let result = saved(show, &lines);
    let kept = result.is_ok();
    if let Err(error) = result {
        lines.push(format!("The result is not kept on the medium: {error}"));
    }
    show.end(false, lines, &format!("setupos: NOT INSTALLED: {first}"));
    kept
}

/// As the settings have it.
fn leave(job: &Job) -> Result<(), String> {
    let verb = match job.after() {
        AfterInstall::Reboot => "reboot",
        AfterInstall::Poweroff => "poweroff",
        AfterInstall::Halt => "halt",
    };
    program::run(
        &job.context.system,
        "/usr/bin/systemctl",
        ["--no-block", verb],
    )
    .map(drop)
}
