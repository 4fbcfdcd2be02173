//! Root without root: a user namespace with many users, through the set-uid helpers `newuidmap` and `newgidmap`.
//!
//! They must run outside the namespace, for a process inside it. So a helper process is started first; it waits until
//! this process has left, then calls them with this process's number.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};

use nix::errno::Errno;
use nix::sched::{unshare, CloneFlags};
use nix::unistd::{getegid, geteuid, getpid, User};

use crate::error::Error;
use crate::spec::{CHILD_FLAG, ROLE_IDMAP};

/// Becomes root of a user namespace.
pub(crate) fn become_root() -> Result<(), Error> {
    let mut helper = Command::new("/proc/self/exe")
        .args([CHILD_FLAG, ROLE_IDMAP, &getpid().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Error::setup("start the helper that maps users", e))?;
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| match e {
        Errno::EPERM | Errno::ENOSPC | Errno::EUSERS => Error::NotPermitted {
            what: "a user namespace",
            source: e.into(),
        },
        e => Error::setup("make a user namespace", e),
    })?;
    if let Some(mut pipe) = helper.stdin.take() {
        // If this fails the helper is gone, and its message follows.
        let _ = pipe.write_all(b"go\n");
    }
    let output = helper
        .wait_with_output()
        .map_err(|e| Error::setup("wait for the helper that maps users", e))?;
    if output.status.success() {
        Ok(())
    } else {
        let text = String::from_utf8_lossy(&output.stderr);
        Err(Error::Idmap(text.trim_end().to_owned()))
    }
}

/// The helper's side.
pub(crate) fn helper(pid: Option<OsString>) -> ExitCode {
    match map(pid) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn map(pid: Option<OsString>) -> Result<(), String> {
    let pid = pid.ok_or("no process")?;
    let mut go = [0; 3];
    std::io::stdin()
        .read_exact(&mut go)
        .map_err(|_| "the caller is gone")?;
    let uid = geteuid();
    let user = User::from_uid(uid).ok().flatten().map(|u| u.name);
    for (program, file, id) in [
        ("newuidmap", "/etc/subuid", uid.as_raw()),
        ("newgidmap", "/etc/subgid", getegid().as_raw()),
    ] {
        let text = fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
        let (start, count) = range(&text, user.as_deref(), uid.as_raw()).ok_or_else(|| {
            let name = user.clone().unwrap_or_else(|| uid.to_string());
            format!("{file} gives {name} no range of at least 65535: add `{name}:100000:65536`")
        })?;
        let status = Command::new(program)
            .arg(&pid)
            .args(["0", &id.to_string(), "1"])
            .args(["1", &start.to_string(), &count.to_string()])
            .status()
            .map_err(|e| format!("{program} (package uidmap): {e}"))?;
        if !status.success() {
            return Err(format!("{program} failed ({status})"));
        }
    }
    Ok(())
}

/// The first range for this user that is large enough, of lines `USER:START:COUNT`.
fn range(text: &str, user: Option<&str>, uid: u32) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        if Some(owner) != user && owner != uid.to_string() {
            return None;
        }
        let start = fields.next()?.trim().parse().ok()?;
        let count: u32 = fields.next()?.trim().parse().ok()?;
        (count >= 65_535).then_some((start, count))
    })
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges() {
        let text = "other:1:65536\nme:100:10\nme:100000:65536\n1000:200000:65536\nbad\n";
        assert_eq!(range(text, Some("me"), 7), Some((100_000, 65_536)));
        assert_eq!(range(text, None, 1000), Some((200_000, 65_536)));
        assert_eq!(range(text, Some("nobody"), 8), None);
    }
}
