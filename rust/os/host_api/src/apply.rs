//! Root's side: does what a request file asks, once, with fixed programs and arguments.
//!
//! Whoever may write the file is not trusted with more than asking: a bundle is checked by `manageboot`, by the keys in this system's verified
//! root, and a restart is not allowed to count against the slot that runs.
//!
//! What was asked and can't be done is no failure of the service that tried: it is told by `upgrade-status` and in the log. A service that
//! failed would make the start of a system on trial one that is not confirmed, and that is not for strangers to say.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{bail, ensure, Context};
use grubenv::BootState;
use serde::Deserialize;
use vsock_api::message::{bounded, Reboot, UpgradeState, UpgradeStatus};

use crate::requests::Upgrade;
use crate::system::{System, REBOOT_REQUEST, UPGRADE, UPGRADE_REQUEST};

const MANAGEBOOT: &str = "/opt/ic/bin/manageboot";
/// Lines of what manageboot says that explain why it did not.
const LAST_LINES: usize = 5;
/// Most bytes of its answer.
const MOST_ANSWER: u64 = 64 * 1024;
/// Pause when a request can't be taken away.
const STUCK: Duration = Duration::from_secs(10);
/// Most bytes of a line that it says.
const LONGEST_LINE: usize = 1024;

/// Reads the request for an upgrade, and does it.
pub(crate) fn upgrade(system: &System) -> anyhow::Result<()> {
    let Some(request) = taken::<Upgrade>(system, UPGRADE_REQUEST) else {
        return Ok(());
    };
    let status = UpgradeStatus {
        id: request.id,
        state: UpgradeState::Installing,
        version: Some(request.version.clone()),
        percent: Some(0),
        error: None,
    };
    // Before the request goes, so that there is no time at which nothing is known of it.
    system.store(UPGRADE, &status)?;
    let mut told = |percent| {
        let percent = Some(percent);
        let status = UpgradeStatus {
            percent,
            ..status.clone()
        };
        system.store(UPGRADE, &status)
    };
    // What is still there would be done again and again.
    let removed = remove(system, UPGRADE_REQUEST);
    let ended = match removed.and_then(|()| install(system, &request, &mut told)) {
        Ok(()) => UpgradeStatus {
            state: UpgradeState::Committed,
            percent: Some(100),
            ..status
        },
        Err(error) => {
            let error = bounded(&format!("{error:#}"));
            eprintln!("upgrade {} failed: {error}", request.id);
            UpgradeStatus {
                state: UpgradeState::Failed,
                percent: None,
                error: Some(error),
                ..status
            }
        }
    };
    system.store(UPGRADE, &ended)
}

/// A request that somebody wrote. What is none is told and removed, so that it is not read for ever; it is no failure, for the folder is a
/// stranger's, and what stands there is the stranger's say.
fn taken<T: for<'de> Deserialize<'de>>(system: &System, path: &str) -> Option<T> {
    match system.load::<T>(path) {
        Ok(Some(request)) => return Some(request),
        Ok(None) => eprintln!("{path}: nothing is asked for"),
        Err(error) => {
            tell("not a request", &error);
            match remove(system, path) {
                Ok(()) => eprintln!("{path} is removed"),
                Err(error) => tell("it stays", &error),
            }
        }
    }
    None
}

/// Says in one line what went wrong: some of it is a stranger's words.
fn tell(what: &str, error: &anyhow::Error) {
    let why = format!("{error:#}");
    eprintln!("{what}: {}", base::text::one_line(&why));
}

/// Takes a request away. As long as something is there the path unit starts this again: what can't be taken away, such as a folder, is
/// not tried without a pause.
fn remove(system: &System, path: &str) -> anyhow::Result<()> {
    let removed = system.remove(path);
    if removed.is_err() {
        std::thread::sleep(STUCK);
    }
    removed.map(|_| ())
}

#[derive(Deserialize)]
struct Installed {
    version: String,
}

/// Installs and commits.
fn install(
    system: &System,
    request: &Upgrade,
    told: &mut dyn FnMut(u8) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let problems = request.problems();
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    let args = [
        "upgrade-install",
        "--json",
        "--progress",
        "--",
        &request.url,
    ];
    let answer = manageboot(system, &args, told)?;
    let installed: Installed = serde_json::from_str(&answer)
        .with_context(|| format!("{MANAGEBOOT} upgrade-install: its answer"))?;
    ensure!(
        installed.version == request.version,
        "the bundle has version {}, want {}: it is not committed",
        installed.version,
        request.version
    );
    manageboot(system, &["upgrade-commit", "--json"], told)?;
    Ok(())
}

/// Runs manageboot; gives what it says on stdout. What it says on stderr goes to the log, but for lines such as `40 %`.
fn manageboot(
    system: &System,
    args: &[&str],
    told: &mut dyn FnMut(u8) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let program = system.path(MANAGEBOOT);
    let name = program.display().to_string();
    let mut child = Command::new(&program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        bail!("{name}: no pipes from it");
    };
    let answer = std::thread::spawn(move || {
        let mut answer = String::new();
        let read = stdout.take(MOST_ANSWER).read_to_string(&mut answer);
        read.map(|_| answer)
    });
    let last = listen(stderr, told);
    let status = child.wait().with_context(|| name.clone())?;
    let last = last?;
    ensure!(status.success(), "{}", why(&name, &status, &last));
    let Ok(answer) = answer.join() else {
        bail!("{name}: its answer was not read");
    };
    answer.context(name)
}

/// Passes lines on; gives the last ones.
fn listen(
    stderr: impl Read,
    told: &mut dyn FnMut(u8) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<String>> {
    let mut reader = BufReader::new(stderr);
    let mut lines = base::lines::Lines::new(LONGEST_LINE);
    let mut last: Vec<String> = Vec::new();
    let mut percents = Vec::new();
    loop {
        let bytes = reader.fill_buf().context("what manageboot says")?;
        let len = bytes.len();
        let mut each = |line: &[u8]| {
            let line = String::from_utf8_lossy(line).into_owned();
            match percent(&line) {
                Some(percent) => percents.push(percent),
                None => {
                    eprintln!("{line}");
                    last.push(line);
                    if last.len() > LAST_LINES {
                        last.remove(0);
                    }
                }
            }
        };
        match len {
            0 => lines.end(&mut each),
            _ => lines.push(bytes, &mut each),
        }
        reader.consume(len);
        // Of several at once the last one is what counts.
        if let Some(percent) = std::mem::take(&mut percents).pop() {
            told(percent)?;
        }
        if len == 0 {
            return Ok(last);
        }
    }
}

fn percent(line: &str) -> Option<u8> {
    let number = line.strip_suffix(" %")?;
    number.parse().ok().filter(|percent| *percent <= 100)
}

/// Why a program did not: what it said last, or else how it ended.
fn why(name: &str, status: &std::process::ExitStatus, last: &[String]) -> String {
    match last.is_empty() {
        true => format!("{name}: {status}"),
        false => last.join("\n"),
    }
}

/// Reads the request for a restart, and restarts if that does not count against the slot that runs.
pub(crate) fn reboot(system: &System) -> anyhow::Result<()> {
    let Some(Reboot { .. }) = taken::<Reboot>(system, REBOOT_REQUEST) else {
        return Ok(());
    };
    let removed = remove(system, REBOOT_REQUEST);
    if let Err(error) = removed.and_then(|()| may_restart(system)) {
        tell("no restart", &error);
        return Ok(());
    }
    let systemctl = system.path("/usr/bin/systemctl");
    let status = Command::new(&systemctl)
        .args(["reboot", "--no-block"])
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", systemctl.display()))?;
    ensure!(status.success(), "{}: {status}", systemctl.display());
    Ok(())
}

/// Whether the boot loader takes a restart for what it is: this start is confirmed, or an upgrade is to be started.
fn may_restart(system: &System) -> anyhow::Result<()> {
    let files = system.boot_files();
    let cmdline = files.cmdline.display();
    let running = files.running().with_context(|| cmdline.to_string())?;
    let running = running.with_context(|| format!("{cmdline} names no slot"))?;
    let blocks = files.blocks();
    let said = blocks.said();
    for error in blocks.hidden() {
        // What GRUB can't read it can't have written, either.
        let error = cli::chain(error);
        eprintln!("warning: {error}, taken for one that says nothing");
    }
    let Some(state) = said else {
        blocks.main?;
        bail!("nothing says which slot boots next");
    };
    ensure!(
        state == BootState::confirmed(running) || state.alternative != running,
        "this start of slot {running} is not confirmed, and a restart would count against it"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_progress() {
        let percents = std::cell::RefCell::new(Vec::new());
        let mut told = |percent| {
            percents.borrow_mut().push(percent);
            Ok(())
        };
        let said = "0 %\nwarning: a\n7 %\n101 %\nx %\nb\nc\nd\n100 %\ne";
        let last = listen(said.as_bytes(), &mut told).unwrap();
        assert_eq!(last, ["x %", "b", "c", "d", "e"]);
        // All of it came at once.
        assert_eq!(*percents.borrow(), [100]);
        let long = "y".repeat(LONGEST_LINE * 3);
        let last = listen(long.as_bytes(), &mut told).unwrap();
        assert!(last.iter().all(|line| line.len() == LONGEST_LINE) && last.len() == 3);
    }
}
