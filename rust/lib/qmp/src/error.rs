//! What can go wrong between a program and QEMU's monitor.

use std::io;

/// An error of a QMP connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection can't be used.
    #[error("cannot {action}")]
    Io {
        /// What was being done, as a verb phrase.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
    /// Nothing that greets is at the other end.
    #[error("QEMU did not greet within {seconds} s")]
    NoGreeting {
        /// Time allowed.
        seconds: u64,
    },
    /// A command got no answer: QEMU ended, or hangs.
    #[error("QMP command {command}: QEMU gave no answer within {seconds} s")]
    NoAnswer {
        /// The command.
        command: String,
        /// Time allowed.
        seconds: u64,
    },
    /// QEMU refused a command.
    #[error("QMP command {command}: {detail}")]
    Refused {
        /// The command.
        command: String,
        /// QEMU's words, as JSON.
        detail: String,
    },
    /// An answer is not what the specification says.
    #[error("QMP command {command}: {detail}")]
    Malformed {
        /// The command.
        command: String,
        /// What is wrong with the answer.
        detail: String,
    },
    /// An event did not come in time.
    #[error("no QMP event {event} within {seconds} s")]
    NoEvent {
        /// Name of the event.
        event: String,
        /// Time allowed.
        seconds: u64,
    },
}

impl Error {
    /// An I/O error while doing `action`; for `map_err`.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
