//! QMP, QEMU's machine protocol: one JSON object a line, over a socket.
//!
//! Spec: QEMU `docs/interop/qmp-spec.rst`. The server greets with `{"QMP": …}`; after `qmp_capabilities` it answers each
//! `{"execute": NAME, "id": N}` with `{"return": …, "id": N}` or `{"error": {"class", "desc"}, "id": N}`, and sends
//! `{"event": NAME, "data": …}` whenever something happens.
//!
//! [`Qmp`] is the client: a thread of its own reads all that arrives, so that events are told of while nobody asks anything. QEMU is
//! not trusted with this process's memory, for a guest may have taken it over: lines, events and answers that are kept are bounded,
//! and what nobody waits for is dropped.

mod client;
mod error;

pub use client::{Event, Qmp};
pub use error::Error;
