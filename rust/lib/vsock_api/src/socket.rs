//! Addresses, and streams whose every reading and writing has an end.
//!
//! | address | |
//! |---|---|
//! | `vsock:CID:PORT` | a virtual socket; the host is cid 2, a guest one from 3 on |
//! | `tcp:IP:PORT` | TCP of the same machine, for tests: nobody is known by an address of a network |

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

/// Ports below this one are root's.
pub const FIRST_OF_ALL: u32 = 1024;
/// The first port that a client of root's tries to have.
const FIRST_OF_ROOT: u32 = 512;
/// Any cid of this machine.
const CID_ANY: u32 = u32::MAX;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// A virtual socket.
    Vsock {
        /// The machine.
        cid: u32,
        /// The port there.
        port: u32,
    },
    /// TCP of the same machine.
    Tcp(SocketAddr),
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A virtual machine, or the host.
    Vsock {
        /// The machine.
        cid: u32,
        /// The port there.
        port: u32,
    },
    /// Somebody on the same machine.
    Tcp(SocketAddr),
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got:?}: want vsock:CID:PORT, or tcp:IP:PORT with an IP of the loopback")]
pub struct NoAddress {
    /// The text.
    got: String,
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let vsock = || {
            let (cid, port) = text.strip_prefix("vsock:")?.split_once(':')?;
            let (cid, port) = (cid.parse().ok()?, port.parse().ok()?);
            Some(Self::Vsock { cid, port })
        };
        let tcp = || {
            let address: SocketAddr = text.strip_prefix("tcp:")?.parse().ok()?;
            address.ip().is_loopback().then_some(Self::Tcp(address))
        };
        vsock().or_else(tcp).ok_or_else(|| NoAddress {
            got: base::text::shorten(text).into_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match *self {
            Self::Vsock { cid, port } => Address::Vsock { cid, port },
            Self::Tcp(address) => Address::Tcp(address),
        };
        address.fmt(f)
    }
}

impl Peer {
    /// Its port.
    pub fn port(&self) -> u32 {
        match self {
            Self::Vsock { port, .. } => *port,
            Self::Tcp(address) => u32::from(address.port()),
        }
    }

    /// Whether its kernel let it have a port that it keeps for root.
    pub fn is_root(&self) -> bool {
        self.port() < FIRST_OF_ALL
    }

    fn of(address: &SockAddr) -> io::Result<Self> {
        if let Some((cid, port)) = address.as_vsock_address() {
            return Ok(Self::Vsock { cid, port });
        }
        let socket = address.as_socket().map(Self::Tcp);
        socket.ok_or_else(|| io::Error::other("an address of neither kind"))
    }
}

impl Address {
    fn socket(&self) -> io::Result<(Socket, SockAddr)> {
        Ok(match self {
            Self::Vsock { cid, port } => (
                Socket::new(Domain::VSOCK, Type::STREAM, None)?,
                SockAddr::vsock(*cid, *port),
            ),
            Self::Tcp(address) => (
                Socket::new(Domain::for_address(*address), Type::STREAM, None)?,
                SockAddr::from(*address),
            ),
        })
    }

    /// Connects, within `patience` as far as the kernel has no time of its own (2 s for virtual sockets). Over a virtual socket, from a port below 1024 if this process may.
    pub fn connect(&self, patience: Duration) -> io::Result<Stream> {
        let (socket, address) = self.socket()?;
        match self {
            Self::Vsock { .. } => {
                bind_of_root(&socket)?;
                socket.connect(&address)?;
            }
            Self::Tcp(_) => socket.connect_timeout(&address, patience)?,
        }
        Ok(Stream::of(socket))
    }
}

/// Takes a port of root's, if this process may.
fn bind_of_root(socket: &Socket) -> io::Result<()> {
    for port in (FIRST_OF_ROOT..FIRST_OF_ALL).rev() {
        match socket.bind(&SockAddr::vsock(CID_ANY, port)) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            // Then the kernel gives it one of those that are everybody's.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A server's socket.
#[derive(Debug)]
pub struct Listener(Socket);

impl Listener {
    /// Listens.
    pub fn bind(address: &Address) -> io::Result<Self> {
        let (socket, at) = address.socket()?;
        if matches!(address, Address::Tcp(_)) {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&at)?;
        socket.listen(BACKLOG)?;
        Ok(Self(socket))
    }

    /// Where it listens, with the port that the kernel gave if none was asked for.
    pub fn address(&self) -> io::Result<Address> {
        Ok(match Peer::of(&self.0.local_addr()?)? {
            Peer::Vsock { cid, port } => Address::Vsock { cid, port },
            Peer::Tcp(address) => Address::Tcp(address),
        })
    }

    /// Waits for the next connection.
    pub fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (socket, address) = self.0.accept()?;
        Ok((Stream::of(socket), Peer::of(&address)?))
    }
}

/// Bytes both ways, until a deadline.
pub trait Transport: Read + Write {
    /// From here on, reading and writing fail when it is that time; none: never.
    fn until(&mut self, deadline: Option<Instant>);
}

/// A connection. Without a deadline it waits for ever.
#[derive(Debug)]
pub struct Stream {
    socket: Arc<Socket>,
    deadline: Option<Instant>,
}

/// Ends a connection from outside of the thread that has it.
#[derive(Debug)]
pub struct Ender(Arc<Socket>);

impl Ender {
    /// Reading and writing there end now.
    pub fn end(&self) {
        // One that is not connected any more has ended.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Stream {
    fn of(socket: Socket) -> Self {
        Self {
            socket: Arc::new(socket),
            deadline: None,
        }
    }

    /// What ends it from outside.
    pub fn ender(&self) -> Ender {
        Ender(Arc::clone(&self.socket))
    }

    /// The time that is left; none: no deadline. Zero would mean that to the kernel, too.
    fn left(&self) -> io::Result<Option<Duration>> {
        let Some(deadline) = self.deadline else {
            return Ok(None);
        };
        match deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left.max(Duration::from_millis(1)))),
            _ => Err(late()),
        }
    }
}

fn late() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the other side took too long for a frame",
    )
}

/// What the kernel says when a time of its own is over.
fn timed<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => late(),
        _ => error,
    })
}

impl Transport for Stream {
    fn until(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        timed((&*self.socket).read(buffer))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        timed((&*self.socket).write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for text in [
            "vsock:2:9181",
            "vsock:4294967295:1",
            "tcp:127.0.0.1:80",
            "tcp:[::1]:80",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "vsock:2",
            "vsock:host:1",
            "vsock:-1:1",
            "vsock:2:4294967296",
            "tcp:192.0.2.1:80",
            "tcp:0.0.0.0:80",
            "tcp:localhost:80",
            "unix:/x",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("{text:?}: want vsock:CID:PORT, or tcp:IP:PORT with an IP of the loopback")
            );
        }
    }

    #[test]
    fn ports_of_root() {
        let peer = |port| Peer::Vsock { cid: 3, port };
        assert!(peer(0).is_root() && peer(1023).is_root());
        assert!(!peer(1024).is_root() && !peer(u32::MAX).is_root());
        assert_eq!(peer(9).to_string(), "vsock:3:9");
    }

    #[test]
    fn reading_ends_at_its_deadline() {
        let listener = Listener::bind(&"tcp:127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address().unwrap();
        let mut client = address.connect(Duration::from_secs(60)).unwrap();
        let (mut server, peer) = listener.accept().unwrap();
        assert!(!peer.is_root());
        // Over before it begins, and over while it waits.
        for wait in [0, 20] {
            server.until(Instant::now().checked_add(Duration::from_millis(wait)));
            let error = server.read(&mut [0; 9]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        }
        // What comes in time is read; and who is ended from outside reads the end.
        server.until(Instant::now().checked_add(Duration::from_secs(600)));
        client.write_all(b"x").unwrap();
        assert_eq!(server.read(&mut [0; 9]).unwrap(), 1);
        server.ender().end();
        assert_eq!(server.read(&mut [0; 9]).unwrap(), 0);
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
    }
}
