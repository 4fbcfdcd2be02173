//! Commands as root of namespaces of their own, and work folders that vanish with the process.
//!
//! Building an operating system's tree means running maintainer scripts and Dockerfile steps that expect to be root of
//! a whole machine. A [`Sandbox`] gives them one: fresh mount, pid, network, IPC and host name namespaces, the tree as
//! `/`, its own `/proc`, a small `/dev`, no network, only the environment asked for. Everything dies with the caller.
//!
//! A main that uses any of this begins with
//!
//! ```no_run
//! # use std::process::ExitCode;
//! fn main() -> ExitCode {
//!     if let Some(code) = sandbox::child_entry() {
//!         return code;
//!     }
//!     // While there is one thread: a mount namespace of our own, and with it, without root, a user namespace.
//!     let mounts = match sandbox::private_mounts() {
//!         Ok(mounts) => mounts,
//!         Err(error) => {
//!             eprintln!("{error}");
//!             return ExitCode::from(2);
//!         }
//!     };
//!     // let work = sandbox::Workdir::new(&mounts)?; …
//!     # drop(mounts);
//!     ExitCode::SUCCESS
//! }
//! ```
//!
//! How it works without `fork`: the program starts itself again (`/proc/self/exe`) with a hidden first argument.
//! The first such process leaves the caller's namespaces, the second is process 1 of the new ones: it mounts, changes
//! root, starts the command, reaps, and reports through the socket that is its standard input. That socket closing
//! is how it learns that the caller is gone.

mod child;
mod disk;
mod error;
mod idmap;
mod private;
mod room;
mod root;
mod run;
mod spec;

pub use child::child_entry;
pub use error::Error;
pub use private::{private_mounts, PrivateMounts, Workdir};
pub use room::{is_full, says_full, Room};
pub use run::{Command, Finished, Sandbox};
