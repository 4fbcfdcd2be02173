//! HTTP for programs that must answer whatever strangers do.
//!
//! Whoever reaches the port may connect as often as they like, say nothing, send a header a byte at a time, or ask and
//! never read the answer. None of it may keep others out, or take the memory and descriptors that the program's own work
//! needs:
//!
//! - At most [`Limits::connections`] are open, and [`RESERVE`] descriptors stay free besides. When there is no room, the
//!   oldest connection makes it: a request is answered in less than a millisecond, so what has been open longest is what
//!   has nothing to say. A newcomer is never turned away.
//! - A header that is not there in [`Limits::head`] ends its connection; a header larger than 16 KiB is answered 431.
//! - No connection lives longer than [`Limits::lifetime`], whatever it does. Clients that keep one open connect again.
//! - Connections take turns, one request each: a thousand requests sent at once keep nobody else waiting for all of them.
//! - A client that reads no answers gets few: 64 KiB wait for it in the kernel, and no more are computed.
//! - Bodies of requests are not read: nothing here asks for one.
//!
//! What happened is counted ([`Counters`]). How many connections one address may have is the firewall's business.

mod limits;
mod server;

pub use limits::{is_own_want, Flags, Limits, RESERVE};
pub use server::{serve, Counters};
