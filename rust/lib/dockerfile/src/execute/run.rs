//! RUN: one command in a sandbox whose root is the tree.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sandbox::{Command, Finished, Sandbox};

use super::{step_io, Log};
use crate::error::{At, Error, Result};
use crate::ir::Run;
use crate::plan::RunAction;
use crate::users::User;

/// The host name that steps see.
const HOSTNAME: &str = "localhost";
/// Lines of output that an error repeats.
const LAST_LINES: usize = 20;
/// Where a here-document with a `#!` line stands while it runs.
const SCRIPTS: &str = ".dockerfile-script";

/// Runs `action` of the instruction at `at` in `tree`.
pub(crate) fn run(
    at: &At,
    action: &RunAction,
    user: &User,
    tree: &Path,
    timestamp: i64,
    log: &mut Log<'_>,
) -> Result<()> {
    let script = tree.join(SCRIPTS);
    let failed = |source| step_io(at, "write", tree, &script, source);
    let command = match &action.command {
        Run::Shell(script) => Command::new("/bin/sh").arg("-c").arg(script),
        Run::Exec(argv) => {
            let mut argv = argv.iter();
            Command::new(argv.next().cloned().unwrap_or_default()).args(argv)
        }
        Run::Script { name, body } => {
            fs::create_dir(&script).map_err(failed)?;
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).map_err(failed)?;
            let file = script.join(name);
            fs::write(&file, body).map_err(failed)?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).map_err(failed)?;
            Command::new(format!("/{SCRIPTS}/{name}"))
        }
    };
    let command = command
        .env("HOME", &user.home)
        .env("SOURCE_DATE_EPOCH", timestamp.to_string())
        // What the file sets wins over these.
        .envs(action.env.iter())
        .cwd(&action.workdir)
        .user(user.uid, user.gid);
    // /run and /tmp carry files from one step to the next; they are emptied at the end.
    let sandbox = Sandbox::new(tree)
        .hostname(HOSTNAME)
        .keep("/run")
        .keep("/tmp");
    let finished = sandbox
        .run(&command, |bytes| log.output(bytes))
        .map_err(|source| Error::Sandbox {
            at: at.clone(),
            source: source.into(),
        });
    log.end_line();
    if script.exists() {
        fs::remove_dir_all(&script).map_err(failed)?;
    }
    let finished = finished?;
    if finished.success() {
        Ok(())
    } else {
        Err(failure(at, action, &finished))
    }
}

fn failure(at: &At, action: &RunAction, finished: &Finished) -> Error {
    let mut output = String::new();
    for line in finished.last_lines(LAST_LINES).lines() {
        output.push_str("\n  | ");
        output.push_str(line);
    }
    Error::Failed {
        at: at.clone(),
        status: match finished.signal {
            Some(signal) => format!("signal {signal}"),
            None => format!("exit status {}", finished.code),
        },
        command: match &action.command {
            Run::Shell(script) => script.trim_end().to_owned(),
            Run::Exec(argv) => format!("{argv:?}"),
            Run::Script { name, .. } => format!("here-document {name}"),
        },
        output,
    }
}

/// Step lines and output, each line prefixed with the step's number.
pub(crate) struct Out<'a> {
    pub(crate) to: &'a mut dyn Write,
}

impl Out<'_> {
    /// Writes one whole line; a reader that is gone stops nothing.
    pub(crate) fn line(&mut self, step: usize, line: &str) {
        let _ = writeln!(self.to, "#{step} {line}");
    }
}

/// Turns pieces of output into prefixed lines.
pub(crate) fn split_lines(
    pending: &mut Vec<u8>,
    bytes: &[u8],
    mut emit: impl FnMut(&str),
) -> io::Result<()> {
    pending.extend_from_slice(bytes);
    while let Some(end) = pending.iter().position(|b| *b == b'\n') {
        let rest = pending.split_off(end.saturating_add(1));
        emit(String::from_utf8_lossy(pending).trim_end_matches(['\r', '\n']));
        *pending = rest;
    }
    Ok(())
}
