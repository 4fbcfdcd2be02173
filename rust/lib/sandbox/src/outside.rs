//! A process that stays outside the caller's new namespaces, for what can be done only there.
//!
//! Ids are mapped into a user namespace from outside it. And the folder on which a work folder is mounted stands in the
//! machine's files: it is removed when the caller has ended, however it did, as the socket between the two closes then.

use std::ffi::OsString;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::spec::{receive, send, CHILD_FLAG, ROLE_OUTSIDE};
use crate::{child, idmap};

#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    /// Map the ids of this process.
    Map(u32),
    /// Make a folder.
    Folder,
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// The caller's user and group as it sees them now.
    Mapped(u32, u32),
    Folder(OsString),
    Failed(String),
}

/// The caller's end.
#[derive(Debug)]
pub(crate) struct Outside {
    process: Child,
    socket: UnixStream,
}

impl Outside {
    pub(crate) fn start() -> Result<Self, Error> {
        let failed = |e| Error::setup("start the process that stays outside", e);
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        let process = Command::new("/proc/self/exe")
            .args([CHILD_FLAG, ROLE_OUTSIDE])
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            // It may outlive the caller for a moment: whoever waits for the end of the caller's output must not notice.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal to the caller's group leaves it time to clean up.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        Ok(Self { process, socket })
    }

    /// Maps this process's ids; it has just entered a user namespace. Returns the numbers that its own ids have there.
    pub(crate) fn map(&self) -> Result<(u32, u32), Error> {
        match self.ask(&Ask::Map(std::process::id()))? {
            Answer::Mapped(uid, gid) => Ok((uid, gid)),
            other => Err(Error::Outside(format!("use {other:?}"))),
        }
    }

    /// A new empty folder, for the time that this process lives.
    pub(crate) fn folder(&self) -> Result<PathBuf, Error> {
        match self.ask(&Ask::Folder)? {
            Answer::Folder(path) => Ok(path.into()),
            other => Err(Error::Outside(format!("use {other:?}"))),
        }
    }

    fn ask(&self, ask: &Ask) -> Result<Answer, Error> {
        let answer = send(&self.socket, ask).and_then(|()| receive(&self.socket));
        match answer.map_err(|e| Error::setup("ask the process that stays outside", e))? {
            Some(Answer::Failed(text)) => Err(Error::Outside(text)),
            Some(answer) => Ok(answer),
            None => Err(Error::Lost("the process that stays outside".to_owned())),
        }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // It ends at this; where it has ended already there is nothing left to do.
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ = self.process.wait();
    }
}

/// The process itself.
pub(crate) fn serve() -> ExitCode {
    let mut folders = Vec::new();
    match answer(&mut folders) {
        Ok(()) => ExitCode::SUCCESS,
        // The caller is gone in the middle of a question.
        Err(_) => ExitCode::FAILURE,
    }
}

fn answer(folders: &mut Vec<tempfile::TempDir>) -> io::Result<()> {
    let socket = child::socket()?;
    while let Some(ask) = receive(&socket)? {
        let answer = match ask {
            Ask::Map(pid) => idmap::map(pid)
                .map(|(uid, gid)| Answer::Mapped(uid, gid))
                .map_err(|e| format!("map users: {e}")),
            Ask::Folder => match tempfile::Builder::new().prefix("work-").tempdir() {
                Ok(folder) => {
                    let path = folder.path().as_os_str().to_owned();
                    folders.push(folder);
                    Ok(Answer::Folder(path))
                }
                Err(e) => Err(format!(
                    "make a folder in {} (TMPDIR chooses another): {e}",
                    std::env::temp_dir().display()
                )),
            },
        };
        send(&socket, &answer.unwrap_or_else(Answer::Failed))?;
    }
    Ok(())
}
