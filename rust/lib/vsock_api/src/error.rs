//! Why a conversation ended.

use std::io;

use crate::message::Refusal;

/// Why a conversation ended, or a document was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answers there.
    #[error("cannot reach {address}")]
    Connect {
        /// Where.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// The connection failed, or took too long.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The other side closed the connection where a frame or a greeting was to come.
    #[error("the other side closed the connection, want {want}")]
    Closed {
        /// What was to come.
        want: &'static str,
    },
    /// The other side speaks something else.
    #[error("got {got:02x?} for a greeting, want {want}")]
    NoGreeting {
        /// The 16 bytes.
        got: [u8; 16],
        /// What they should be.
        want: &'static str,
    },
    /// No version of the protocol is known to both sides.
    #[error("the other side speaks versions {lowest} to {highest} of the protocol, this one {own_lowest} to {own_highest}: upgrade the older one")]
    NoVersion {
        /// The lowest that the other side speaks.
        lowest: u16,
        /// The highest that the other side speaks.
        highest: u16,
        /// The lowest that is spoken here.
        own_lowest: u16,
        /// The highest that is spoken here.
        own_highest: u16,
    },
    /// A frame without bytes, or with more than it may have.
    #[error("a frame of {got} bytes, want 1 to {most}")]
    FrameLength {
        /// Its length.
        got: u64,
        /// The most.
        most: u32,
    },
    /// No JSON of the expected form.
    #[error("{what}: {source}")]
    Json {
        /// What it should be.
        what: &'static str,
        /// Line, column, and what is wrong there.
        source: serde_json::Error,
    },
    /// A document whose fields are not right.
    #[error("{what}: {}", problems.join("; "))]
    Invalid {
        /// The document.
        what: &'static str,
        /// All that is wrong, each with its field.
        problems: Vec<String>,
    },
    /// The host does not do it.
    #[error("refused ({}): {}", .0.kind, .0.message)]
    Refused(Refusal),
    /// A reply to something else.
    #[error("got a reply `{got}` to the request `{request}`")]
    OtherReply {
        /// What was asked.
        request: &'static str,
        /// What was replied to.
        got: &'static str,
    },
}
