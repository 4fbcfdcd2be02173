//! Confirms a boot once the system works, or ends it.
//!
//! The boot loader counts the starts of a slot that nobody confirmed, and goes to the other one when there were too many. This is what
//! confirms: checks, which are data, must hold for a while without a break. If they don't within the deadline, the machine restarts, and the
//! boot loader decides again.
//!
//! A check may be for a slot on trial alone. What depends on the world outside, such as an address from the network, says something of
//! a new system; of one that worked before it says something of the world, and a restart would not help.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context};
use boot_files::BootFiles;
use grubenv::FileError;
use http_get::Page;
use os_config::duration;
use program::{end, say};
use serde::{Deserialize, Deserializer};

use crate::System;

/// Where everything is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The checks and times, JSON
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/opt/ic/share/confirm-boot.json"
    )]
    settings: PathBuf,
    #[command(flatten)]
    boot: BootFiles,
    /// Program whose argument `confirm` keeps the boot loader booting this slot
    #[arg(long, value_name = "PROGRAM", default_value = "/opt/ic/bin/manageboot")]
    manageboot: PathBuf,
}

/// What the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// For how long the checks must hold.
    #[serde(deserialize_with = "time")]
    held_for: Duration,
    /// When the boot has failed.
    #[serde(deserialize_with = "time")]
    deadline: Duration,
    /// Time between two looks.
    #[serde(deserialize_with = "time")]
    interval: Duration,
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    /// What holds.
    name: String,
    #[serde(default)]
    only_on_trial: bool,
    is: Question,
}

/// How one finds out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Question {
    /// `ADDRESS:PORT/PATH` answers with 200.
    Http(String),
    /// The program ends with 0.
    Command(Vec<String>),
    /// There is something at that path.
    Exists(PathBuf),
    /// The file has that line.
    Line { file: PathBuf, line: String },
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::parse(&text).map_err(serde::de::Error::custom)
}

/// How long one check may take, and a confirmation at least.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until the checks hold, then confirms; an error when the deadline is over.
pub(crate) fn run(args: &Args, system: &System) -> anyhow::Result<()> {
    let begun = Instant::now();
    let settings = settings(&system.path(&args.settings))?;
    let trial = on_trial(args, system)?;
    let checks = settings
        .checks
        .iter()
        .filter(|check| trial || !check.only_on_trial);
    let checks: Vec<&Check> = checks.collect();
    let mut good_since = None;
    let mut told = Vec::new();
    loop {
        let mut wrong: Vec<String> = checks
            .iter()
            .filter_map(|check| check.wrong(system))
            .collect();
        let now = Instant::now();
        if !wrong.is_empty() {
            good_since = None;
        } else if now.duration_since(*good_since.get_or_insert(now)) >= settings.held_for {
            // It has until the deadline.
            let left = settings.deadline.checked_sub(begun.elapsed());
            let patience = left.map_or(PATIENCE, |left| left.max(PATIENCE));
            match confirm(&args.manageboot, patience) {
                Ok(answer) => return say(&answer),
                Err(error) if !trial => {
                    // A restart would end here, too.
                    eprintln!("THIS BOOT WORKS BUT CANNOT BE CONFIRMED: {error:#}");
                    return Ok(());
                }
                Err(error) => wrong.push(format!("{error:#}")),
            }
        }
        if wrong != told {
            let what = if wrong.is_empty() {
                "all is well".to_owned()
            } else {
                wrong.join("; ")
            };
            say(&format!("not confirmed yet: {what}"))?;
            told = wrong;
        }
        if begun.elapsed() >= settings.deadline {
            let why = if told.is_empty() {
                "not for long enough".to_owned()
            } else {
                told.join("; ")
            };
            eprintln!(
                "THIS BOOT IS NOT CONFIRMED after {} s, the machine restarts: {why}",
                settings.deadline.as_secs()
            );
            return restart(system);
        }
        std::thread::sleep(settings.interval);
    }
}

/// Restarts the running system in good order; an error in any case, for this boot has failed.
fn restart(system: &System) -> anyhow::Result<()> {
    if system.is_running() {
        let status = Command::new("/usr/bin/systemctl")
            .args(["reboot", "--no-block"])
            .status()
            .context("cannot start systemctl")?;
        ensure!(status.success(), "systemctl reboot: {status}");
    }
    bail!("this boot is not confirmed")
}

fn settings(path: &Path) -> anyhow::Result<Settings> {
    let shown = path.display();
    let text = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    let settings: Settings = serde_json::from_slice(&text).with_context(|| shown.to_string())?;
    ensure!(
        settings.checks.iter().any(|check| !check.only_on_trial),
        "{shown}: got no check for every boot, want at least one"
    );
    Ok(settings)
}

/// Whether the slot that runs is an upgrade that nobody ever confirmed. Without a readable block the boot loader tries nothing, either.
fn on_trial(args: &Args, system: &System) -> anyhow::Result<bool> {
    let files = args.boot.below(system.root.as_deref());
    let blocks = files.blocks();
    let said = blocks.said();
    let (main, spare) = (blocks.main.err(), blocks.spare.err());
    // What is there and can't be read may say something else than what can.
    let main = main.filter(|error| said.is_none() || error.hides());
    for error in main.into_iter().chain(spare.filter(FileError::hides)) {
        say(&cli::chain(&error))?;
    }
    let Some(state) = said else {
        return Ok(false);
    };
    let running = match files.running() {
        Ok(slot) => slot.ok_or("it names no slot with boot_alternative=".to_owned()),
        Err(error) => Err(format!("cannot read it: {error}")),
    };
    match running {
        Ok(running) => Ok(state.is_trial_of(running)),
        Err(why) => {
            // No end here: it would take the deadline away, and with it the way back. The checks of a trial are more, so an upgrade is not
            // confirmed too early.
            say(&format!(
                "{}: {why}; the slot that runs is taken for the one that boots next, {}",
                files.cmdline.display(),
                state.alternative
            ))?;
            Ok(state.is_trial())
        }
    }
}

/// What manageboot said when it confirmed. One that does not end is ended: the deadline must come all the same.
fn confirm(manageboot: &Path, patience: Duration) -> anyhow::Result<String> {
    let shown = format!("{} confirm", manageboot.display());
    let mut command = Command::new(manageboot);
    command
        .arg("confirm")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = ended(command, &shown, patience)?
        .with_context(|| format!("`{shown}` did not end within {} s", patience.as_secs()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        text(&output.stderr)
    );
    Ok(text(&output.stdout))
}

impl Check {
    /// What is wrong, if something is.
    fn wrong(&self, system: &System) -> Option<String> {
        let error = self.is.holds(system).err()?;
        Some(format!("{}: {error:#}", self.name))
    }
}

impl Question {
    fn holds(&self, system: &System) -> anyhow::Result<()> {
        match self {
            Self::Http(place) => answers(place),
            Self::Command(words) => succeeds(words),
            Self::Exists(path) => {
                let path = system.path(path);
                ensure!(path.exists(), "there is no {}", path.display());
                Ok(())
            }
            Self::Line { file, line } => {
                let path = system.path(file);
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                ensure!(
                    text.lines().any(|have| have == line),
                    "{} has no line `{line}`",
                    path.display()
                );
                Ok(())
            }
        }
    }
}

/// Whether there is an answer with status 200.
fn answers(place: &str) -> anyhow::Result<()> {
    let page: Page = place.parse().map_err(anyhow::Error::msg)?;
    let (code, body) = http_get::get(&page, PATIENCE)?;
    // The reason, if there is one, ends it.
    let reason = body.lines().last().unwrap_or_default();
    ensure!(
        code == 200,
        "{page} answers {code}: {}",
        base::text::shorten(reason)
    );
    Ok(())
}

/// A program, shown as `shown`, that ended by itself; none: its time was over, and it was ended.
fn ended(mut command: Command, shown: &str, patience: Duration) -> anyhow::Result<Option<Output>> {
    let begun = Instant::now();
    let program = Path::new(command.get_program()).display().to_string();
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let failed = || shown.to_owned();
    if end(&mut child, begun, patience)
        .with_context(failed)?
        .is_none()
    {
        return Ok(None);
    }
    child.wait_with_output().map(Some).with_context(failed)
}

/// Whether a program ends with 0 in time.
fn succeeds(words: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = words.split_first().context("no command")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let shown = words.join(" ");
    let output = ended(command, &shown, PATIENCE)?;
    let status = output
        .with_context(|| format!("`{shown}` does not end"))?
        .status;
    ensure!(status.success(), "`{shown}` ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_that_does_not_end_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manageboot");
        stand_in::program(&path, "#!/bin/sh\nexec sleep 1000\n");
        let error = confirm(&path, Duration::ZERO).unwrap_err().to_string();
        assert!(
            error.ends_with("/manageboot confirm` did not end within 0 s"),
            "{error}"
        );
        stand_in::program(&path, "#!/bin/sh\necho \"$@\"\n");
        assert_eq!(confirm(&path, Duration::from_secs(240)).unwrap(), "confirm");
    }
}
