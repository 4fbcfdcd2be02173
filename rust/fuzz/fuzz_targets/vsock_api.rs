//! What a guest says to its host, what a host says to its guest, and the documents of both.
#![no_main]

use std::io::{self, Read, Write};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use vsock_api::frame::{self, Greeting, MOST_REPLY};
use vsock_api::message::{Logs, UpgradeStatus};
use vsock_api::report::GuestReport;
use vsock_api::server::Conversation;
use vsock_api::socket::Transport;
use vsock_api::{Answer, Kind, Limits, Peer, Policy, Refusal, Reply, Request};

/// What is said, and what is answered.
struct Both<'a> {
    said: &'a [u8],
    answers: Vec<u8>,
}

impl Read for Both<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.said.read(buffer)
    }
}

impl Write for Both<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answers.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Both<'_> {
    fn until(&mut self, _: Option<Instant>) {}
}

struct Host;

impl Answer for Host {
    fn answer(&self, request: Request) -> Result<Reply, Refusal> {
        // What is answered is right, and means the same when it is written.
        let bytes = request.to_bytes().expect("it was read");
        assert_eq!(Request::parse(&bytes).expect("it was written"), request);
        match request {
            Request::UpgradeStatus => Ok(Reply::UpgradeStatus(UpgradeStatus::none())),
            Request::Logs(of) => Ok(Reply::Logs(Logs {
                lines: vec![of.unit],
                left_out: false,
            })),
            request => Err(Refusal::of(Kind::Failed, format!("{request:?}"))),
        }
    }

    fn refused(&self, _: &Peer, why: &str) {
        assert!(!why.is_empty());
    }
}

const POLICY: &str = r#"{"format":1,"peers":["vsock:3"],"requests":{"version":"any","host-info":"any","logs":"any","report":"any",
    "upgrade-host":"root","upgrade-status":"any","reboot":"no"},"log_units":["a"],"upgrade_from":["https://"]}"#;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let mut said = Vec::new();
    if choice & 1 == 0 {
        said.extend_from_slice(&Greeting::OURS.to_bytes());
    }
    for part in rest.split(|byte| *byte == 0xff) {
        match choice & 2 == 0 && !part.is_empty() {
            true => frame::write(&mut said, part, MOST_REPLY).expect("a few bytes"),
            false => said.extend_from_slice(part),
        }
    }
    let mut both = Both {
        said: &said,
        answers: Vec::new(),
    };
    let conversation = Conversation {
        peer: &Peer::Vsock {
            cid: 3,
            port: u32::from(choice & 4) * 256,
        },
        policy: &Policy::parse(POLICY.as_bytes()).expect("right"),
        limits: &Limits {
            connections: 1,
            frame: Duration::from_secs(1),
            lifetime: Duration::from_secs(1),
            per_second: NonZeroU32::MAX,
            burst: u32::MAX,
        },
        answers: &Host,
        admit: &|| true,
    };
    let _ = conversation.hold(&mut both);
    // A greeting, and whole frames with replies that a client reads.
    let mut answers = both.answers.as_slice();
    if !answers.is_empty() {
        Greeting::read(&mut answers).expect("greeted");
        while let Some(reply) = frame::read(&mut answers, MOST_REPLY).expect("whole") {
            Reply::parse(&reply).expect("a reply");
        }
    }
    let _ = Reply::parse(rest);
    let _ = Policy::parse(rest);
    if let Ok(report) = GuestReport::parse(rest) {
        let text = report.to_json().expect("it was read");
        assert_eq!(
            GuestReport::parse(text.as_bytes()).expect("it was written"),
            report
        );
    }
    if let Ok(text) = std::str::from_utf8(rest) {
        if let Ok(address) = text.parse::<vsock_api::Address>() {
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }
});
