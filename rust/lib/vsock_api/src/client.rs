//! The guest's side: one connection, a request at a time.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::frame::{self, Greeting, MOST_REPLY, MOST_REQUEST};
use crate::message::{Reply, Request};
use crate::socket::{Address, Stream, Transport};

/// A connection to the host.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    patience: Duration,
}

impl Client {
    /// Connects and greets; that and each request may take `patience`.
    pub fn connect(address: &Address, patience: Duration) -> Result<Self, Error> {
        let stream = address.connect(patience);
        let stream = stream.map_err(|source| Error::Connect {
            address: address.to_string(),
            source,
        })?;
        let mut client = Self { stream, patience };
        client.begin();
        client.stream.write_all(&Greeting::OURS.to_bytes())?;
        let theirs = Greeting::read(&mut client.stream)?;
        match (Greeting::OURS.lowest..=Greeting::OURS.highest).contains(&theirs.chosen) {
            true => Ok(client),
            false => Err(theirs.no_version()),
        }
    }

    fn begin(&mut self) {
        let deadline = Instant::now().checked_add(self.patience);
        self.stream.until(deadline);
    }

    /// Asks, and waits for the reply; a refusal is an error.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, Error> {
        self.begin();
        frame::write(&mut self.stream, &request.to_bytes()?, MOST_REQUEST)?;
        let bytes = frame::read(&mut self.stream, MOST_REPLY)?;
        let bytes = bytes.ok_or(Error::Closed { want: "a reply" })?;
        match Reply::parse(&bytes)? {
            Reply::Refused(refusal) => Err(Error::Refused(refusal)),
            reply if reply.name() == request.name() => Ok(reply),
            reply => Err(Error::OtherReply {
                request: request.name(),
                got: reply.name(),
            }),
        }
    }
}
