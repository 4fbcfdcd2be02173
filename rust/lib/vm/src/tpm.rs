//! A TPM 2.0 for a guest, emulated by swtpm.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{self, Process};
use crate::{private_folder, Deadline, Result, VmError};

const SWTPM: &str = "swtpm";
/// It listens at once; on a starved machine that can still take a while.
const START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A TPM that has never been used, for one start of one guest, which it must outlive; the guest may restart itself. Ended, and its state removed, when
/// dropped.
#[derive(Debug)]
pub struct Tpm {
    // Dropped first: its folder goes when it writes there no more.
    process: Process,
    socket: PathBuf,
    folder: tempfile::TempDir,
}

impl Tpm {
    /// Starts it.
    pub fn start() -> Result<Self> {
        process::require(SWTPM, "swtpm")?;
        Self::serve(private_folder("tpm-")?)
    }

    /// The same TPM for another start, once the guest has ended: it has what it kept.
    pub fn again(self) -> Result<Self> {
        let Self {
            process,
            socket,
            folder,
        } = self;
        // It has ended with its guest, or ends now.
        drop(process);
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(VmError::io(format!("remove {}", socket.display()))(error))
            }
            _ => {}
        }
        Self::serve(folder)
    }

    /// One that keeps what it keeps in `folder`.
    fn serve(folder: tempfile::TempDir) -> Result<Self> {
        let socket = folder.path().join("socket");
        let process = spawn(folder.path(), &socket)?;
        let tpm = Self {
            process,
            socket,
            folder,
        };
        tpm.listens()?;
        Ok(tpm)
    }

    /// Where QEMU finds it.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits until it does.
    fn listens(&self) -> Result<()> {
        let deadline = Deadline::after(START);
        while !is_listened_at(&self.socket)? {
            if let Some(status) = self.process.ended()? {
                return Err(self.process.failure(status));
            }
            if deadline.expired() {
                return Err(VmError::Failed {
                    program: SWTPM.to_owned(),
                    status: format!("does not listen within {} s", deadline.seconds()),
                    detail: self.process.errors(),
                });
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

/// Whether somebody listens at `socket`. Its file is there a moment before that, and who connects in between is refused; who only tries
/// takes the one connection that the guest shall have.
fn is_listened_at(socket: &Path) -> Result<bool> {
    const SOCKETS: &str = "/proc/net/unix";
    /// `__SO_ACCEPTCON` of Linux.
    const LISTENS: u32 = 1 << 16;
    let text = std::fs::read(SOCKETS).map_err(VmError::io(format!("read {SOCKETS}")))?;
    let path = [b" ", socket.as_os_str().as_bytes()].concat();
    let mut lines = text.split(|byte| *byte == b'\n');
    Ok(lines.any(|line| {
        let mut words = line.split(u8::is_ascii_whitespace);
        let flags = words.nth(3).and_then(|word| std::str::from_utf8(word).ok());
        let flags = flags.and_then(|word| u32::from_str_radix(word, 16).ok());
        line.ends_with(&path) && flags.is_some_and(|flags| flags & LISTENS != 0)
    }))
}

fn spawn(folder: &Path, socket: &Path) -> Result<Process> {
    let null = || -> Result<OwnedFd> {
        let file = File::options().read(true).write(true).open("/dev/null");
        Ok(file.map_err(VmError::io("open /dev/null"))?.into())
    };
    Process::spawn(SWTPM, &args(folder, socket), None, null()?, null()?)
}

fn args(folder: &Path, socket: &Path) -> Vec<String> {
    vec![
        "socket".to_owned(),
        "--tpm2".to_owned(),
        "--tpmstate".to_owned(),
        format!("dir={}", folder.display()),
        "--ctrl".to_owned(),
        format!("type=unixio,path={}", socket.display()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_and_ends() {
        if !process::installed(SWTPM) {
            return;
        }
        let tpm = Tpm::start().unwrap();
        let socket = tpm.socket().to_path_buf();
        std::os::unix::net::UnixStream::connect(&socket).unwrap();
        let tpm = tpm.again().unwrap();
        assert_eq!(tpm.socket(), socket);
        std::os::unix::net::UnixStream::connect(&socket).unwrap();
        drop(tpm);
        assert!(!socket.exists());
    }

    #[test]
    fn a_socket_that_is_only_bound_is_not_listened_at() {
        use std::os::unix::net::{UnixDatagram, UnixListener};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a socket");
        assert!(!is_listened_at(&path).unwrap());
        let bound = UnixDatagram::bind(&path).unwrap();
        assert!(path.exists() && !is_listened_at(&path).unwrap());
        drop(bound);
        std::fs::remove_file(&path).unwrap();
        let _listens = UnixListener::bind(&path).unwrap();
        assert!(is_listened_at(&path).unwrap());
        assert!(!is_listened_at(&folder.path().join("socket")).unwrap());
    }

    #[test]
    fn the_command_line_is_as_documented() {
        let line = crate::quote(args(Path::new("/t"), Path::new("/t/socket")));
        let want = "socket --tpm2 --tpmstate dir=/t --ctrl type=unixio,path=/t/socket";
        assert_eq!(line, want);
    }
}
