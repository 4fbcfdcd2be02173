//! RUN: one command in a sandbox whose root is the tree.

use std::path::Path;

use sandbox::{Command, Finished, Sandbox};

use super::log::Log;
use crate::error::{At, Error, Result};
use crate::ir::Run;
use crate::plan::RunAction;
use crate::users::User;

/// The host name that steps see.
const HOSTNAME: &str = "localhost";
/// Lines of output that an error repeats.
const LAST_LINES: usize = 20;

/// Runs `action` of the instruction at `at` in `tree`.
pub(crate) fn run(
    at: &At,
    action: &RunAction,
    user: &User,
    tree: &Path,
    timestamp: i64,
    log: &mut Log<'_>,
) -> Result<()> {
    // /run and /tmp carry files from one step to the next; they are emptied at the end.
    let mut sandbox = Sandbox::new(tree)
        .hostname(HOSTNAME)
        .keep("/run")
        .keep("/tmp");
    let not_started = |source: sandbox::Error| Error::Sandbox {
        at: at.clone(),
        source: source.into(),
    };
    let command = match &action.command {
        Run::Shell(script) => Command::new("/bin/sh").arg("-c").arg(script),
        Run::Exec(argv) => {
            let mut argv = argv.iter();
            // The reader refuses an empty one.
            Command::new(argv.next().map_or("", String::as_str)).args(argv)
        }
        Run::Script { name, body } => {
            let script = sandbox.script(name.as_ref(), body.as_bytes());
            Command::new(script.map_err(not_started)?)
        }
    };
    let command = command
        .env("HOME", &user.home)
        .env("SOURCE_DATE_EPOCH", timestamp.to_string())
        // What the file sets wins over these.
        .envs(action.env.iter())
        .cwd(&action.workdir)
        .user(user.uid, user.gid);
    let finished = sandbox.run(&command, |bytes| log.output(bytes));
    log.end_output();
    let finished = finished.map_err(not_started)?;
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
