//! Programs of the system that are run: mke2fs, efibootmgr, systemctl.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::system::System;

/// Runs `program`, a path of the machine, and gives what it printed; an error says what it said.
pub(crate) fn run<I, S>(system: &System, program: &str, args: I) -> Result<String, String>
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let path = system.path(program);
    let output = Command::new(&path)
        .args(args)
        .stdin(Stdio::null())
        // Messages that are read here are those of no language.
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| format!("cannot start {}: {error}", path.display()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{}: {}", name(program), said(&output))),
    }
}

fn name(program: &str) -> &str {
    let name = Path::new(program).file_name();
    name.and_then(|name| name.to_str()).unwrap_or(program)
}

/// The last of what it said, on one line.
pub(crate) fn said(output: &Output) -> String {
    ::program::said(output, 4)
}
