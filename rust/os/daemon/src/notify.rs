//! sd_notify(3): one datagram a message to the socket that systemd names in `NOTIFY_SOCKET`.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;

/// Tells systemd how we are; says nothing when no one asked.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    target: Option<Arc<(UnixDatagram, SocketAddr)>>,
}

impl Notifier {
    /// Sends to the socket that systemd gave us, if it did.
    pub fn from_environment() -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "the protocol hands over its socket in this variable and in no other way"
        )]
        match std::env::var_os("NOTIFY_SOCKET") {
            Some(name) => Self::new(&name),
            None => Self::default(),
        }
    }

    /// Sends to `name`: a path, or `@` and an abstract name.
    pub fn new(name: &OsString) -> Self {
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(name),
        };
        match address.and_then(|address| Ok((open()?, address))) {
            Ok(target) => Self {
                target: Some(Arc::new(target)),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot talk to systemd");
                Self::default()
            }
        }
    }

    /// Sends one message, such as `READY=1`.
    pub fn send(&self, message: &str) {
        if let Some((socket, address)) = self.target.as_deref() {
            if let Err(error) = socket.send_to_addr(message.as_bytes(), address) {
                tracing::warn!(%error, message, "cannot tell systemd");
            }
        }
    }
}

fn open() -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A full queue must not stop the supervisor.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::new(&path.into_os_string());
        notifier.send("READY=1");
        notifier.send("STATUS=up");
        let mut buffer = [0; 64];
        for want in ["READY=1", "STATUS=up"] {
            let n = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..n], want.as_bytes());
        }
    }

    #[test]
    fn nobody_listening_is_fine() {
        Notifier::default().send("READY=1");
        Notifier::new(&OsString::from("/nonexistent/notify")).send("READY=1");
        Notifier::new(&OsString::from("")).send("READY=1");
    }
}
