//! Mounts for a tree that comes to be while a command runs.
//!
//! A tree's `/proc`, `/dev` and `/sys` can be mounted only once the packages' own folders of these names are unpacked, and
//! must be there before the first package's script runs. The command has no right to mount, so it asks process 1: it writes
//! a line to one pipe, and reads `mounted`, or why not, from another ([`crate::Sandbox::tree`]). Once: then the right is gone.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::error::Error;
use crate::root;

/// Where the command writes its line, in the sandbox.
pub(crate) const ASK: &str = "/run/mount-tree";
/// Where it reads the answer.
pub(crate) const ANSWER: &str = "/run/mounted-tree";

/// Waits for the command's line on a thread of its own.
pub(crate) fn offer(tree: OsString) -> Result<(), Error> {
    for pipe in [ASK, ANSWER] {
        mkfifo(pipe, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|e| Error::setup(format!("make the pipe {pipe}"), e))?;
    }
    std::thread::spawn(move || {
        let asked = File::open(ASK).and_then(|mut pipe| pipe.read(&mut [0]));
        let answer = match asked {
            Ok(_) => match root::share(&tree, &["/proc", "/dev", "/sys"]) {
                Ok(()) => "mounted".to_owned(),
                Err(e) => e.to_string(),
            },
            Err(e) => e.to_string(),
        };
        // A command that has gone does not read it.
        let _ = File::options()
            .write(true)
            .open(ANSWER)
            .and_then(|mut pipe| writeln!(pipe, "{answer}"));
    });
    Ok(())
}

/// For a shell: asks, and fails with the reason if there is one.
pub(crate) fn question() -> String {
    format!(
        r#"echo >{ASK}; read -r answer <{ANSWER}; [ "$answer" = mounted ] || {{ echo "$answer" >&2; exit 1; }}"#
    )
}
