//! Commands as root of namespaces of their own, and work folders that vanish with the process.
//!
//! Building an operating system's tree means running maintainer scripts and Dockerfile steps that expect to be root of
//! a whole machine. A [`Sandbox`] gives them one that is not the caller's: its users are 65,536 that are nobody outside, all
//! its namespaces are new, it has no network, its own `/proc`, a small `/dev`, few capabilities, a filter of system calls, and
//! only the environment asked for. Its `/` is a tree. Everything dies with the caller.
//! docs/container.md lists what is seen.
//!
//! A main that uses any of this begins with
//!
//! ```no_run
//! # use std::process::ExitCode;
//! fn main() -> ExitCode {
//!     if let Some(code) = sandbox::child_entry() {
//!         return code;
//!     }
//!     // While there is one thread: user and mount namespaces of our own.
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
//! How it works without `fork`: the program starts itself again with a hidden first argument. One such process stays outside
//! ([`private_mounts`]), to map users and to clear up. For each run, one leaves the namespaces and the next is process 1 of new
//! ones: it mounts, changes root, gives up rights, starts the command, reaps, and reports through the socket that is its
//! standard input. That socket closing is how it learns that the caller is gone.

mod child;
mod clock;
mod disk;
mod error;
mod idmap;
mod init;
mod outside;
mod private;
mod rights;
mod room;
mod root;
mod run;
mod spec;

pub use child::child_entry;
pub use error::Error;
pub use private::{private_mounts, PrivateMounts, Workdir};
pub use room::{is_full, says_full, Room};
pub use run::{Command, Finished, Sandbox};
