//! Other programs: what they said, and an end to the time they take.

use std::io;
use std::process::{Child, ExitStatus, Output};
use std::time::{Duration, Instant};

/// Between two looks whether a program has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits for the end of a program that was started at `begun`, and makes one when `patience` is over; none: it was made.
///
/// Only its own end: what it started itself goes on.
pub fn end(
    child: &mut Child,
    begun: Instant,
    patience: Duration,
) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() >= patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}

/// How a program ended, and the last `most` lines of what it said, on one line: `status 1: no room; nothing was made`.
pub fn said(output: &Output, most: usize) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut last: Vec<&str> = lines.rev().take(most).collect();
    last.reverse();
    let lines = last.join("; ");
    match output.status.code() {
        Some(code) => format!("status {code}: {lines}"),
        None => format!("{}: {lines}", output.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn how_it_ended_and_what_it_said_last() {
        let of = |script, most| said(&sh(script).output().unwrap(), most);
        let all = "echo a; printf ' b \\r\\n\\n' >&2; echo c >&2; exit 3";
        assert_eq!(of(all, 9), "status 3: a; b; c");
        assert_eq!(of(all, 2), "status 3: b; c");
        assert_eq!(of("exit 0", 2), "status 0: ");
        assert_eq!(of("echo a; kill -9 $$", 1), "signal: 9 (SIGKILL): a");
        assert_eq!(of("printf '\\377'", 1), "status 0: \u{fffd}");
    }

    #[test]
    fn one_that_does_not_end_is_ended() {
        let begun = Instant::now();
        let mut child = sh("exit 3").spawn().unwrap();
        let ended = end(&mut child, begun, Duration::from_secs(240)).unwrap();
        assert_eq!(ended.and_then(|status| status.code()), Some(3));
        let mut child = sh("exec sleep 1000").spawn().unwrap();
        let ended = end(&mut child, begun, Duration::ZERO).unwrap();
        assert_eq!(ended, None);
        // It was waited for, too.
        assert!(child.try_wait().unwrap().is_some());
    }
}
