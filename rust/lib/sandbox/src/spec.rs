//! What the caller and process 1 of the sandbox tell each other: one JSON line each way at a time.

use std::ffi::OsString;
use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

/// The hidden first argument.
pub(crate) const CHILD_FLAG: &str = "--sandbox-child";
/// First process: leaves the caller's namespaces.
pub(crate) const ROLE_UNSHARE: &str = "unshare";
/// Second process: process 1 of the new namespaces.
pub(crate) const ROLE_INIT: &str = "init";
/// Stays in the caller's namespaces when the caller leaves them.
pub(crate) const ROLE_OUTSIDE: &str = "outside";

/// The folder of a run's scripts. It lies in the run's own `/dev`, so no file of the root's is in the way or left over.
pub(crate) const SCRIPTS: &str = "/dev/pipes";

/// The most a line may hold: here-documents travel in it.
const MAX_LINE: u64 = 256 << 20;

/// Everything about one run. Names are bytes: nothing says they are UTF-8.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) hostname: String,
    /// (target in the root, read-only); the first process has gathered the sources, in this order.
    pub(crate) binds: Vec<(OsString, bool)>,
    /// (name in [`SCRIPTS`], content): programs that only this run sees.
    pub(crate) scripts: Vec<(OsString, Vec<u8>)>,
    /// (target in the root, mount options).
    pub(crate) tmpfs: Vec<(OsString, String)>,
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) cwd: OsString,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) umask: u32,
    pub(crate) stdin: Option<Vec<u8>>,
}

/// What the caller hears.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The first process is in a user namespace that has no ids yet.
    Apart,
    /// The command could not be started.
    Failed(String),
    /// Namespaces are not permitted: errno.
    NotPermitted(i32),
    /// The command ended by itself.
    Exited(i32),
    /// The command was killed.
    Signaled(i32),
}

/// Sends one value.
pub(crate) fn send<T: Serialize>(mut to: impl Write, value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Receives one value, or none if the other side closed.
pub(crate) fn receive<T: for<'de> Deserialize<'de>>(from: impl Read) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    io::BufReader::new(from.take(MAX_LINE)).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}
