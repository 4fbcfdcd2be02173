//! Clients that mean no good, on loopback, with limits small enough to be reached.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::get;
use axum::Router;
use serve::{Counters, Limits};
use tokio::sync::oneshot;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
const LONG: Duration = Duration::from_secs(3600);

struct Server {
    address: SocketAddr,
    counters: Counters,
    /// How many large ones were begun.
    answers: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    fn start(connections: usize, head: Duration, lifetime: Duration) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let counters = Counters::default();
        let limits = Limits {
            connections: NonZeroUsize::new(connections).unwrap(),
            head,
            lifetime,
        };
        let (stop, stopped) = oneshot::channel();
        let theirs = counters.clone();
        let begun = Arc::new(AtomicU64::new(0));
        let answers = Arc::clone(&begun);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let large = move || {
                    answers.fetch_add(1, Ordering::SeqCst);
                    async { "x".repeat(10_000) }
                };
                let router = Router::new()
                    .route("/", get(|| async { "hello\n" }))
                    .route("/large", get(large));
                let stop = async move { drop(stopped.await) };
                serve::serve(listener, router, limits, theirs, stop).await;
            });
        });
        Self {
            address,
            counters,
            answers: begun,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The first line of the answer to a new client.
    fn get(&self) -> String {
        let mut stream = self.connect();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        first_line(&mut stream)
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn first_line(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // What a server closes with bytes of ours unread may end in a reset.
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or_default().to_owned()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_silent_make_room_for_the_next() {
    let mut server = Server::start(4, LONG, LONG);
    let silent: Vec<_> = (0..40).map(|_| server.connect()).collect();
    for _ in 0..3 {
        assert_eq!(server.get(), "HTTP/1.1 200 OK");
    }
    wait_until("all are counted", || server.counters.accepted() == 43);
    assert!(server.counters.open() <= 4);
    assert!(server.counters.made_room() >= 36);
    // The oldest are gone: the connection is at its end.
    for mut stream in silent.into_iter().take(30) {
        assert_eq!(first_line(&mut stream), "");
    }
    // Nobody who is left holds up the stop.
    server.stop();
}

#[test]
fn a_header_has_its_time() {
    let server = Server::start(100, Duration::from_millis(100), LONG);
    let mut silent = server.connect();
    assert_eq!(first_line(&mut silent), "");
    // One that never ends, a few bytes at a time.
    let mut slow = server.connect();
    wait_until("the slow one is cut off", || {
        slow.write_all(b"GET / HTTP/1.1\r\nX: y\r\n").is_err()
    });
    // One that asked and stays: the wait for the next header is the same.
    let mut kept = server.connect();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert_eq!(first_line(&mut kept), "HTTP/1.1 200 OK");
    wait_until("all are counted", || server.counters.timed_out() >= 2);
    wait_until("none is left", || server.counters.open() == 0);
}

#[test]
fn a_connection_has_its_time() {
    let server = Server::start(100, LONG, Duration::from_millis(300));
    // It asks for far more than the sockets hold, and reads nothing.
    let mut deaf = server.connect();
    let ask = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n".repeat(4000);
    // It is at its end when the server closes.
    let _ = deaf.write_all(&ask);
    wait_until("it is given up", || server.counters.timed_out() == 1);
    let answers = server.answers.load(Ordering::SeqCst);
    assert!((1..1000).contains(&answers), "{answers} of 4000");
    // It sends a body that never ends.
    let mut endless = server.connect();
    endless
        .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
        .unwrap();
    while endless.write_all(&[0; 4096]).is_ok() {}
    wait_until("none is left", || server.counters.open() == 0);
    assert_eq!(server.get(), "HTTP/1.1 200 OK");
}

#[test]
fn a_large_header_is_refused() {
    let server = Server::start(100, LONG, LONG);
    let mut stream = server.connect();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "y".repeat(60_000)
    );
    // It may be turned down before it is through.
    let _ = stream.write_all(head.as_bytes());
    let line = first_line(&mut stream);
    assert!(
        line.starts_with("HTTP/1.1 431 ") || line.is_empty(),
        "{line}"
    );
    assert_eq!(server.get(), "HTTP/1.1 200 OK");
}

#[test]
fn many_requests_on_one_connection() {
    let mut server = Server::start(2, LONG, LONG);
    let mut stream = server.connect();
    for _ in 0..500 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello\n") {
            let mut bytes = [0; 256];
            let n = stream.read(&mut bytes).unwrap();
            assert_ne!(n, 0);
            answer.extend(&bytes[..n]);
        }
    }
    assert_eq!(server.counters.accepted(), 1);
    server.stop();
}
