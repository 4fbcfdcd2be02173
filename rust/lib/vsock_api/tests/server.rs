//! The server against clients that keep to nothing, over TCP of this machine.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vsock_api::frame::{self, Greeting, MOST_REPLY, MOST_REQUEST};
use vsock_api::message::{Logs, LogsOf, UpgradeStatus, MOST_LOG};
use vsock_api::{
    serve, Address, Answer, Client, Error, Kind, Limits, Listener, Peer, Policy, Refusal, Reply,
    Request,
};

/// For what must come; for what must not, a test waits for something that comes instead.
const PATIENCE: Duration = Duration::from_secs(240);

const POLICY: &str = r#"{
    "format": 1,
    "peers": ["loopback"],
    "requests": {"version": "any", "upgrade-status": "any", "logs": "any", "reboot": "root"},
    "log_units": ["a.service", "large.service"],
    "upgrade_from": []
}"#;

const LIMITS: Limits = Limits {
    connections: 3,
    frame: PATIENCE,
    lifetime: PATIENCE,
    per_second: NonZeroU32::MAX,
    burst: u32::MAX,
};

#[derive(Default)]
struct Answers {
    refused: Mutex<Vec<String>>,
}

impl Answer for Answers {
    fn answer(&self, request: Request) -> Result<Reply, Refusal> {
        match request {
            Request::UpgradeStatus => Ok(Reply::UpgradeStatus(UpgradeStatus::none())),
            Request::Logs(logs) if logs.unit == "large.service" => Ok(Reply::Logs(Logs {
                lines: vec!["\u{1}".repeat(2 * MOST_LOG)],
                left_out: false,
            })),
            _ => Err(Refusal::of(Kind::Failed, "not in this test")),
        }
    }

    fn refused(&self, _: &Peer, why: &str) {
        self.refused.lock().unwrap().push(why.to_owned());
    }
}

struct Server {
    address: Address,
    answers: Arc<Answers>,
}

impl Server {
    fn new(limits: Limits) -> Self {
        Self::with(limits, POLICY)
    }

    fn with(limits: Limits, policy: &str) -> Self {
        let listener = Listener::bind(&"tcp:127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address().unwrap();
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        let answers = Arc::new(Answers::default());
        let own: Arc<dyn Answer> = answers.clone();
        std::thread::spawn(move || serve(&listener, policy, limits, own));
        Self { address, answers }
    }

    fn client(&self) -> Client {
        Client::connect(&self.address, PATIENCE).unwrap()
    }

    /// A connection that was not greeted.
    fn raw(&self) -> TcpStream {
        let Address::Tcp(address) = self.address else {
            panic!("{}", self.address);
        };
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection that was greeted.
    fn greeted(&self) -> TcpStream {
        let mut stream = self.raw();
        stream.write_all(&Greeting::OURS.to_bytes()).unwrap();
        assert_eq!(Greeting::read(&mut stream).unwrap().chosen, 1);
        stream
    }

    /// Waits until something of that kind was refused.
    fn hears(&self, what: &str) {
        let begun = Instant::now();
        loop {
            let refused = self.answers.refused.lock().unwrap().clone();
            if refused.iter().any(|why| why.contains(what)) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: {refused:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn refusal(stream: &mut TcpStream) -> (Kind, String) {
    let bytes = frame::read(stream, MOST_REPLY).unwrap().unwrap();
    match Reply::parse(&bytes).unwrap() {
        Reply::Refused(refusal) => (refusal.kind, refusal.message),
        reply => panic!("{reply:?}"),
    }
}

/// Nothing more comes; that a connection is cut instead of ended makes no difference.
fn is_over(stream: &mut TcpStream) -> bool {
    !matches!(stream.read(&mut [0; 1]), Ok(1..))
}

#[test]
fn requests_in_turns_over_one_connection() {
    let server = Server::new(LIMITS);
    let mut client = server.client();
    for _ in 0..3 {
        let reply = client.ask(&Request::UpgradeStatus).unwrap();
        assert_eq!(reply, Reply::UpgradeStatus(UpgradeStatus::none()));
    }
    // A refusal does not end it.
    let error = client.ask(&Request::Version).unwrap_err().to_string();
    assert_eq!(error, "refused (failed): not in this test");
    assert!(client.ask(&Request::UpgradeStatus).is_ok());
}

#[test]
fn what_is_not_allowed_is_told_by_name() {
    let server = Server::new(LIMITS);
    let mut stream = server.greeted();
    for (text, kind, want) in [
        (
            r#"{"request":"host-info"}"#,
            Kind::NotAllowed,
            "host-info: the host allows that to nobody",
        ),
        (
            r#"{"request":"shell"}"#,
            Kind::BadRequest,
            "unknown variant `shell`",
        ),
        (
            r#"{"request":"logs","params":{"unit":"a.service","lines":1,"follow":1}}"#,
            Kind::BadRequest,
            "unknown field `follow`",
        ),
        (
            r#"{"request":"logs","params":{"unit":"b.service","lines":1}}"#,
            Kind::NotAllowed,
            "want one of a.service, large.service",
        ),
        (
            r#"{"request":"reboot","params":{"after":"anything"}}"#,
            Kind::NotAllowed,
            "want one below 1024",
        ),
        ("\u{0}", Kind::BadRequest, "the request: "),
    ] {
        frame::write(&mut stream, text.as_bytes(), MOST_REQUEST).unwrap();
        let (got, message) = refusal(&mut stream);
        assert!(got == kind && message.contains(want), "{got}: {message}");
        server.hears(want);
    }
}

#[test]
fn who_is_not_on_the_list_is_told_so_and_no_more() {
    let policy = POLICY.replace("loopback", "vsock:3");
    let server = Server::with(LIMITS, &policy);
    let mut stream = server.greeted();
    // What it sends is not looked at.
    frame::write(&mut stream, b"junk", MOST_REQUEST).unwrap();
    let (kind, message) = refusal(&mut stream);
    assert_eq!(kind, Kind::NotAllowed);
    let own = stream.local_addr().unwrap();
    let want = format!("tcp:{own} is not on the list of who may ask");
    assert_eq!(message, want);
    assert!(is_over(&mut stream));
}

#[test]
fn versions_that_do_not_meet() {
    let server = Server::new(LIMITS);
    let mut stream = server.raw();
    let later = Greeting {
        chosen: 0,
        lowest: 2,
        highest: 3,
    };
    stream.write_all(&later.to_bytes()).unwrap();
    let answer = Greeting::read(&mut stream).unwrap();
    assert_eq!((answer.chosen, answer.lowest, answer.highest), (0, 1, 1));
    assert!(is_over(&mut stream));
    server.hears("speaks versions 2 to 3");

    let mut stream = server.raw();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    assert!(is_over(&mut stream));
    server.hears("for a greeting");
}

#[test]
fn a_frame_that_is_too_long_is_refused_unread() {
    let server = Server::new(LIMITS);
    for len in [0, MOST_REQUEST + 1, u32::MAX] {
        let mut stream = server.greeted();
        stream.write_all(&len.to_le_bytes()).unwrap();
        if len == MOST_REQUEST + 1 {
            let body = vec![b' '; base_len(len)];
            stream.write_all(&body).unwrap();
        }
        let (kind, message) = refusal(&mut stream);
        assert_eq!(kind, Kind::BadRequest);
        assert_eq!(message, format!("a frame of {len} bytes, want 1 to 16384"));
        assert!(is_over(&mut stream));
    }
    // One that is as long as it may be is read: blanks are nothing to JSON.
    let mut stream = server.greeted();
    let mut body = br#"{"request":"upgrade-status"}"#.to_vec();
    body.resize(base_len(MOST_REQUEST), b' ');
    frame::write(&mut stream, &body, MOST_REQUEST).unwrap();
    let reply = frame::read(&mut stream, MOST_REPLY).unwrap().unwrap();
    assert!(matches!(
        Reply::parse(&reply).unwrap(),
        Reply::UpgradeStatus(_)
    ));
}

fn base_len(len: u32) -> usize {
    usize::try_from(len).unwrap()
}

#[test]
fn a_reply_that_is_too_long_is_a_failure_that_is_told() {
    let server = Server::new(LIMITS);
    let request = Request::Logs(LogsOf {
        unit: "large.service".to_owned(),
        lines: 1,
    });
    // Twice as much as the host reads, of a character that JSON writes in six.
    let error = server.client().ask(&request).unwrap_err().to_string();
    assert!(
        error.starts_with("refused (failed): the reply: a frame of 157"),
        "{error}"
    );
}

#[test]
fn who_is_slow_is_cut_off() {
    let limits = Limits {
        frame: Duration::from_millis(100),
        ..LIMITS
    };
    let server = Server::new(limits);
    let begun = Instant::now();
    // Silent from the start, half a greeting, silent afterwards, half a frame, a byte at a time.
    let mut silent = server.raw();
    let mut half = server.raw();
    half.write_all(b"HOSTAPI").unwrap();
    assert!(is_over(&mut silent) && is_over(&mut half));
    let mut drops = server.raw();
    for byte in Greeting::OURS.to_bytes().iter().cycle() {
        if drops.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        assert!(begun.elapsed() < PATIENCE);
    }
    server.hears("took too long for a frame");
}

#[test]
fn a_connection_does_not_last_for_ever() {
    let limits = Limits {
        lifetime: Duration::from_millis(300),
        ..LIMITS
    };
    let server = Server::new(limits);
    // Its time begins when the server takes it, which is before this process goes on.
    let begun = Instant::now();
    let mut client = server.client();
    // Busy all the time.
    while client.ask(&Request::UpgradeStatus).is_ok() {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert!(begun.elapsed() >= limits.lifetime);
}

#[test]
fn one_connection_too_many_ends_the_oldest() {
    let server = Server::new(LIMITS);
    let mut open: Vec<TcpStream> = (0..3).map(|_| server.greeted()).collect();
    let mut newest = server.client();
    assert!(is_over(&mut open[0]), "the oldest");
    // The others and the new one go on.
    for stream in &mut open[1..] {
        let request = Request::UpgradeStatus.to_bytes().unwrap();
        frame::write(stream, &request, MOST_REQUEST).unwrap();
        assert!(frame::read(stream, MOST_REPLY).unwrap().is_some());
    }
    assert!(newest.ask(&Request::UpgradeStatus).is_ok());
    // Places come back: many more than there are, one after another.
    for _ in 0..40 {
        assert!(server.client().ask(&Request::UpgradeStatus).is_ok());
    }
}

#[test]
fn a_flood_is_refused_and_ended() {
    let limits = Limits {
        per_second: NonZeroU32::new(1).unwrap(),
        burst: 4,
        ..LIMITS
    };
    let server = Server::new(limits);
    let mut client = server.client();
    let error = loop {
        match client.ask(&Request::UpgradeStatus) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let Error::Refused(refusal) = error else {
        panic!("{error}");
    };
    assert_eq!(refusal.kind, Kind::TooMany);
    assert_eq!(
        refusal.message,
        "more than 1 requests in a second: wait for one"
    );
    // Who waits is heard again.
    let begun = Instant::now();
    while server.client().ask(&Request::UpgradeStatus).is_err() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn who_never_reads_is_cut_off() {
    let limits = Limits {
        frame: Duration::from_millis(200),
        ..LIMITS
    };
    let server = Server::new(limits);
    let mut stream = server.greeted();
    let request = Request::Logs(LogsOf {
        unit: "a.service".to_owned(),
        lines: 1,
    });
    let bytes = frame::frame(&request.to_bytes().unwrap(), MOST_REQUEST).unwrap();
    let begun = Instant::now();
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    // Asks until nothing goes out any more, then looks whether it is gone.
    while stream.write_all(&bytes).is_ok() {
        assert!(begun.elapsed() < PATIENCE);
    }
    server.hears("the connection failed");
}

#[test]
fn who_says_goodbye_is_no_news() {
    let server = Server::new(LIMITS);
    let mut stream = server.greeted();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(is_over(&mut stream));
    assert_eq!(*server.answers.refused.lock().unwrap(), [""; 0]);
    let error = Client::connect(&"tcp:127.0.0.1:1".parse().unwrap(), PATIENCE).unwrap_err();
    assert_eq!(error.to_string(), "cannot reach tcp:127.0.0.1:1");
}
