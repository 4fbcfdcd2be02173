//! What a virtual machine may ask of the machine that runs it, over a virtual socket, and what it tells of itself.
//!
//! The guest is the client, the host the server; each is a stranger to the other. The bytes are described in
//! `docs/formats/host-api.md`: a greeting that agrees on a version, then frames, each a length and a JSON object: requests one way, replies the other, in turns.
//!
//! | module | for |
//! |---|---|
//! | [`frame`] | greeting and frames: bytes, no sockets |
//! | [`message`] | requests, replies and what their fields may hold |
//! | [`policy`] | which request is allowed to whom; what is not named is not |
//! | [`report`] | what the host keeps of a guest's report, for other programs of the host |
//! | [`server`] | many connections within limits of number, size, time and rate |
//! | [`client`] | one connection |
//! | [`socket`] | addresses and streams: virtual sockets, and TCP on the loopback for tests |
//!
//! Nobody is known by a key. Over a virtual socket the hypervisor vouches for which machine is at the other end (its context id, "cid"), and
//! the kernel of that machine for whether a port below 1024 was its root's.

pub mod client;
mod error;
pub mod frame;
pub mod message;
pub mod policy;
pub mod report;
pub mod server;
pub mod socket;

pub use client::Client;
pub use error::Error;
pub use message::{Kind, Refusal, Reply, Request};
pub use policy::Policy;
pub use server::{serve, Answer, Limits};
pub use socket::{Address, Listener, Peer, Stream};
