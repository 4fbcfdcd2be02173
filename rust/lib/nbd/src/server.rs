//! The server: a socket, and a thread for every client.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use plan::ReadAt;
use rustix::fs::Mode;
use rustix::io::Errno;

use crate::error::Error;
use crate::handshake::{self, Offer};
use crate::overlay::Overlay;
use crate::proto::feature;
use crate::transmission;

/// Clients beyond this number are turned away.
const MAX_CLIENTS: usize = 32;

/// Connections that wait until they are accepted.
const BACKLOG: i32 = 128;

/// As many bytes has an address of the kernel's for a path, without the zero at its end.
const LONGEST_PATH: usize = 107;

/// A client that says nothing for so long before it has chosen an image is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a unix socket; dropping it ends all connections and removes the socket.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    clients: Mutex<BTreeMap<u64, UnixStream>>,
    left: Condvar,
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, UnixStream>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Serves `disk` on a new socket at `path`, which only this user may connect to.
    pub fn start<R>(disk: Overlay<R>, read_only: bool, path: &Path) -> Result<Self, Error>
    where
        R: ReadAt + Send + Sync + 'static,
    {
        Self::share(Arc::new(disk), read_only, path)
    }

    /// [`Server::start`] for a disk that its owner looks at, too.
    pub fn share<R>(disk: Arc<Overlay<R>>, read_only: bool, path: &Path) -> Result<Self, Error>
    where
        R: ReadAt + Send + Sync + 'static,
    {
        let socket = socket(path)?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let listener = std::thread::Builder::new()
            .name("nbd".to_owned())
            .spawn(move || listen(&socket, &disk, read_only, &theirs))
            .map_err(Error::io("start a thread"))?;
        Ok(Self {
            path: path.to_owned(),
            shared,
            listener: Some(listener),
        })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // A last client wakes the listener. If that fails it has ended already.
        let woken = UnixStream::connect(&self.path);
        // Nothing can be done about a socket that somebody else has removed.
        let _ = std::fs::remove_file(&self.path);
        if let (Ok(_), Some(listener)) = (woken, self.listener.take()) {
            let _ = listener.join();
        }
        let mut clients = self.shared.clients();
        for stream in clients.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        while !clients.is_empty() {
            clients = self
                .shared
                .left
                .wait(clients)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A listening socket at `path` for this user only.
fn socket(path: &Path) -> Result<UnixListener, Error> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let len = path.as_os_str().as_bytes().len();
    if len > LONGEST_PATH {
        return Err(Error::SocketPath {
            path: path.to_owned(),
            len,
            max: LONGEST_PATH,
        });
    }
    let listen = || {
        let address = SocketAddrUnix::new(path)?;
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // Linux makes the file with the mode that the socket has when it is bound: there is no moment at which others may connect.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(UnixListener::from(socket))
    };
    listen()
        .map_err(|errno: Errno| Error::io(format!("listen on {}", path.display()))(errno.into()))
}

fn listen<R>(socket: &UnixListener, disk: &Arc<Overlay<R>>, read_only: bool, shared: &Arc<Shared>)
where
    R: ReadAt + Send + Sync + 'static,
{
    for (number, stream) in (0u64..).zip(socket.incoming()) {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else {
            // Out of file descriptors, perhaps: do not spin.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        // A client that cannot be served is turned away by closing its stream.
        let _ = admit(number, stream, disk, read_only, shared);
    }
}

/// Starts a thread for a client.
fn admit<R>(
    number: u64,
    stream: UnixStream,
    disk: &Arc<Overlay<R>>,
    read_only: bool,
    shared: &Arc<Shared>,
) -> std::io::Result<()>
where
    R: ReadAt + Send + Sync + 'static,
{
    let mut clients = shared.clients();
    if clients.len() >= MAX_CLIENTS {
        return Ok(());
    }
    let handle = stream.try_clone()?;
    let guest = Guest {
        number,
        shared: Arc::clone(shared),
    };
    let disk = Arc::clone(disk);
    let thread = std::thread::Builder::new().name("nbd client".to_owned());
    clients.insert(number, handle);
    drop(clients);
    // When the thread cannot start, `guest` is dropped with the closure.
    thread.spawn(move || {
        let guest = guest;
        // Whatever is wrong with this client is nothing to the others.
        let _ = converse(&stream, &disk, read_only);
        drop((stream, disk, guest));
    })?;
    Ok(())
}

/// Takes a client off the list at the end of its thread, however that comes.
struct Guest {
    number: u64,
    shared: Arc<Shared>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.shared.clients().remove(&self.number);
        self.shared.left.notify_all();
    }
}

fn converse<R: ReadAt>(
    stream: &UnixStream,
    disk: &Overlay<R>,
    read_only: bool,
) -> Result<(), Error> {
    let timeouts = |time| {
        stream
            .set_read_timeout(time)
            .map_err(Error::io("set up a connection"))
    };
    timeouts(Some(PATIENCE))?;
    let mut output = stream;
    let mut input = BufReader::with_capacity(64 << 10, stream);
    let offer = offer(disk.len(), read_only);
    let session = handshake::negotiate(&mut input, &mut output, &offer)?;
    let Some(session) = session else {
        return Ok(());
    };
    timeouts(None)?;
    transmission::transmit(&mut input, &mut output, disk, read_only, session)
}

/// Talks with one client over streams of the caller's, until it leaves. An error means that it broke the protocol, or hung up; what goes
/// wrong with a command is told to the client.
pub fn talk<R: ReadAt>(
    input: &mut impl Read,
    output: &mut impl Write,
    disk: &Overlay<R>,
    read_only: bool,
) -> Result<(), Error> {
    match handshake::negotiate(input, output, &offer(disk.len(), read_only))? {
        Some(session) => transmission::transmit(input, output, disk, read_only, session),
        None => Ok(()),
    }
}

/// What an image of `len` bytes is offered as.
pub(crate) fn offer(len: u64, read_only: bool) -> Offer {
    let common = feature::HAS_FLAGS
        | feature::SEND_FLUSH
        | feature::SEND_FUA
        | feature::SEND_DF
        | feature::SEND_CACHE
        | feature::CAN_MULTI_CONN;
    let features = match read_only {
        true => common | feature::READ_ONLY,
        false => common | feature::SEND_TRIM | feature::SEND_WRITE_ZEROES,
    };
    Offer {
        name: String::new(),
        len,
        features,
        max_len: transmission::MAX_LEN,
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A second thread looks all the time: it never sees a socket that others may connect to.
    #[test]
    fn a_socket_is_its_users_from_the_first_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let before = rustix::process::umask(Mode::empty());
        let done = AtomicBool::new(false);
        let looks = std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut looks = 0u32;
                while !done.load(Ordering::SeqCst) {
                    if let Ok(found) = std::fs::metadata(&path) {
                        assert_eq!(found.permissions().mode() & 0o777, 0o600);
                        looks = looks.wrapping_add(1);
                    }
                }
                looks
            });
            let mut rounds = 0;
            while rounds < 500 && !watch.is_finished() {
                let listener = socket(&path).unwrap();
                UnixStream::connect(&path).unwrap();
                drop(listener);
                std::fs::remove_file(&path).unwrap();
                rounds += 1;
            }
            done.store(true, Ordering::SeqCst);
            watch.join().unwrap()
        });
        rustix::process::umask(before);
        println!("seen {looks} times");
    }

    #[test]
    fn a_path_that_is_too_long_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(130));
        let error = socket(&path).unwrap_err().to_string();
        let len = path.as_os_str().as_bytes().len();
        let want = format!("a path of {len} bytes, a socket's has at most 107");
        assert!(error.contains(&want), "{error}");
    }
}
