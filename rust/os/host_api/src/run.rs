//! Programs that are asked: an end to what they say, and to the time they take.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context};
use program::end;

/// What a program said.
pub(crate) struct Said {
    /// How it ended; of one that had more to say, that it was not let.
    status: ExitStatus,
    /// The first bytes.
    bytes: Vec<u8>,
    /// Whether it had more to say.
    pub(crate) more: bool,
    name: String,
}

impl Said {
    /// What a program that went well said.
    pub(crate) fn text(&self) -> anyhow::Result<String> {
        ensure!(
            self.status.success() || self.more,
            "{}: {}",
            self.name,
            self.status
        );
        Ok(String::from_utf8_lossy(&self.bytes).into_owned())
    }
}

/// Runs a program with an empty environment and takes at most `most` bytes of what it says on stdout.
pub(crate) fn ask(
    program: &Path,
    args: &[&str],
    most: u64,
    patience: Duration,
) -> anyhow::Result<Said> {
    let name = program.display().to_string();
    let begun = Instant::now();
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let Some(stdout) = child.stdout.take() else {
        bail!("{name}: no pipe from it");
    };
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let more = most.checked_add(1).unwrap_or(most);
        let read = stdout.take(more).read_to_end(&mut bytes);
        // Nobody listens any more once the time is over.
        let _ = send.send(read.map(|_| bytes));
    });
    let read = receive.recv_timeout(patience);
    let status = end(&mut child, begun, patience).with_context(|| name.clone())?;
    let (Ok(read), Some(status)) = (read, status) else {
        bail!("{name}: not done after {} s", patience.as_secs());
    };
    let mut bytes = read.with_context(|| name.clone())?;
    let more = base::as_u64(bytes.len()) > most;
    bytes.truncate(base::as_usize(most));
    Ok(Said {
        status,
        bytes,
        more,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, most: u64, patience: Duration) -> anyhow::Result<Said> {
        ask(Path::new("/bin/sh"), &["-c", script], most, patience)
    }

    #[test]
    fn what_they_say_is_bounded() {
        let patience = Duration::from_secs(240);
        let said = sh("echo a; echo b >&2", 9, patience).unwrap();
        assert_eq!((said.text().unwrap().as_str(), said.more), ("a\n", false));
        let said = sh("while :; do echo abcdefgh; done", 12, patience).unwrap();
        assert_eq!(
            (said.text().unwrap().as_str(), said.more),
            ("abcdefgh\nabc", true)
        );
        let error = sh("exit 3", 9, patience).unwrap().text().unwrap_err();
        assert_eq!(error.to_string(), "/bin/sh: exit status: 3");
        let error = ask(Path::new("/nowhere"), &[], 1, patience).err().unwrap();
        assert_eq!(error.to_string(), "cannot start /nowhere");
    }

    #[test]
    fn the_time_they_take_is_bounded() {
        for script in ["exec sleep 1000", "exec >&-; exec sleep 1000"] {
            let error = sh(script, 9, Duration::from_millis(50)).err().unwrap();
            assert_eq!(error.to_string(), "/bin/sh: not done after 0 s");
        }
    }
}
