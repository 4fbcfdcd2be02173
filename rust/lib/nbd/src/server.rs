//! The server: a socket, and a thread for every client.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use plan::ReadAt;

use crate::error::Error;
use crate::handshake::{self, Offer};
use crate::overlay::Overlay;
use crate::proto::feature;
use crate::transmission;

/// Clients beyond this number are turned away.
const MAX_CLIENTS: usize = 32;

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
        let action = || format!("listen on {}", path.display());
        let socket = UnixListener::bind(path).map_err(Error::io(action()))?;
        let only_us = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, only_us).map_err(Error::io(action()))?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let listener = std::thread::Builder::new()
            .name("nbd".to_owned())
            .spawn(move || listen(&socket, &Arc::new(disk), read_only, &theirs))
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

fn listen<R>(socket: &UnixListener, disk: &Arc<Overlay<R>>, read_only: bool, shared: &Arc<Shared>)
where
    R: ReadAt + Send + Sync + 'static,
{
    let mut number = 0u64;
    for stream in socket.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else {
            // Out of file descriptors, perhaps: do not spin.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        number = number.wrapping_add(1);
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
