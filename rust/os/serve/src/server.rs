//! The server: one loop that accepts and makes room, one task for each connection.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{service_fn, Service};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinSet};

use crate::{is_own_want, Limits};

/// Larger headers are refused; none that a probe or a browser sends comes near.
const MOST_HEAD: usize = 16 * 1024;
/// Answers that wait for a client to read them.
const SEND_BUFFER: usize = 32 * 1024;
/// For an answer that is on its way when a connection is told to end.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Connections that were told to end and have not yet; fewer than [`RESERVE`](crate::RESERVE).
const MOST_ENDING: usize = 32;
/// Wait when the machine has no room for a connection and we have none to give up.
const PAUSE: Duration = Duration::from_millis(50);

/// What became of the connections so far.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    open: AtomicUsize,
    accepted: AtomicU64,
    made_room: AtomicU64,
    timed_out: AtomicU64,
    not_accepted: AtomicU64,
}

impl Counters {
    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Connections that were accepted.
    pub fn accepted(&self) -> u64 {
        self.0.accepted.load(Ordering::Relaxed)
    }

    /// Connections that were closed to make room for later ones.
    pub fn made_room(&self) -> u64 {
        self.0.made_room.load(Ordering::Relaxed)
    }

    /// Connections that were closed because a header or the whole took too long.
    pub fn timed_out(&self) -> u64 {
        self.0.timed_out.load(Ordering::Relaxed)
    }

    /// Failures to accept for want of descriptors or memory.
    pub fn not_accepted(&self) -> u64 {
        self.0.not_accepted.load(Ordering::Relaxed)
    }
}

fn count(number: &AtomicU64) {
    number.fetch_add(1, Ordering::Relaxed);
}

/// Serves `router` until `stop` is ready; then requests that are being answered come to their end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    counters: Counters,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let (tell, told) = watch::channel(());
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    count(&counters.0.accepted);
                    while connections.oldest_first.len() >= limits.connections.get() {
                        connections.end_oldest(&counters);
                    }
                    let service = TowerToHyperService::new(router.clone());
                    let one = connection(stream, service, limits, counters.clone(), told.clone());
                    connections.start(one);
                }
                Err(error) => not_accepted(&error, &mut connections, &counters).await,
            },
            Some(ended) = connections.tasks.join_next() => connections.ended(ended),
            () = &mut stop => break,
        }
        connections.settle().await;
        let open = connections.oldest_first.len();
        counters.0.open.store(open, Ordering::Relaxed);
    }
    drop(listener);
    // Nobody listening means that there are no connections.
    let _ = tell.send(());
    while connections.tasks.join_next().await.is_some() {}
}

/// An error of accept: one of a client that is gone already is no news; with one of ours, somebody has to go.
async fn not_accepted(error: &io::Error, connections: &mut Connections, counters: &Counters) {
    if !is_own_want(error) {
        return;
    }
    count(&counters.0.not_accepted);
    connections.end_oldest(counters);
    // Let go of before the next try.
    match tokio::time::timeout(PAUSE, connections.tasks.join_next()).await {
        Ok(Some(ended)) => connections.ended(ended),
        Ok(None) => tokio::time::sleep(PAUSE).await,
        Err(_) => {}
    }
}

/// The open connections, by age.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<u64>,
    oldest_first: BTreeMap<u64, AbortHandle>,
    next: u64,
}

impl Connections {
    fn start(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        let number = self.next;
        // A connection each nanosecond would take 584 years.
        self.next = self.next.wrapping_add(1);
        let task = self.tasks.spawn(async move {
            connection.await;
            number
        });
        self.oldest_first.insert(number, task);
    }

    fn ended(&mut self, result: Result<u64, JoinError>) {
        match result {
            Ok(number) => drop(self.oldest_first.remove(&number)),
            Err(error) if error.is_cancelled() => {}
            // Its entry is found ended when its turn to make room comes.
            Err(error) => tracing::error!(%error, "an answer failed"),
        }
    }

    /// Tells the oldest connection to end, which it does when its turn comes. Not waited for: all others have theirs before.
    fn end_oldest(&mut self, counters: &Counters) {
        while let Some((_, task)) = self.oldest_first.pop_first() {
            if !task.is_finished() {
                count(&counters.0.made_room);
                task.abort();
                break;
            }
        }
    }

    /// Waits when too many that were told to end are still there: they have descriptors.
    async fn settle(&mut self) {
        let too_many = |tasks: usize, open: usize| {
            let ending = tasks.checked_sub(open);
            ending.is_some_and(|ending| ending > MOST_ENDING)
        };
        while too_many(self.tasks.len(), self.oldest_first.len()) {
            match self.tasks.join_next().await {
                Some(ended) => self.ended(ended),
                None => return,
            }
        }
    }
}

/// One connection from its first byte to its last.
async fn connection(
    stream: TcpStream,
    service: TowerToHyperService<Router>,
    limits: Limits,
    counters: Counters,
    mut told: watch::Receiver<()>,
) {
    // Answers are single small writes; one that waits for more is only late.
    let _ = stream.set_nodelay(true);
    // The kernel would take megabytes of answers for a client that asks on and on and reads none. What it does not take is not
    // computed. A socket that refuses is one that is gone.
    let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
    // One request of each connection in turn: who sends a thousand at once waits for the others a thousand times.
    let service = service_fn(move |request| {
        let service = service.clone();
        async move {
            tokio::task::yield_now().await;
            service.call(request).await
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    tokio::select! {
        result = &mut served => {
            if result.is_err_and(|error| error.is_timeout()) {
                count(&counters.0.timed_out);
            }
            return;
        }
        () = tokio::time::sleep(limits.lifetime) => count(&counters.0.timed_out),
        // An error means that the server is gone, which is a stop as well.
        _ = told.changed() => {}
    }
    served.as_mut().graceful_shutdown();
    // Over is over: who has not read the answer by now does not get it.
    let _ = tokio::time::timeout(LAST_WORDS, served).await;
}
