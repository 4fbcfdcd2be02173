//! Debian packages of an image: what is wanted, what is locked, and whose files the result holds.
//!
//! - [`parse_list`] reads what a person wants: one package a line, and with [`PathRule`]s what of their files is not taken.
//! - [`Lock`] is what they get: every package with version, suite, size, SHA-256 and path on any mirror. [`Archive`] makes one,
//!   with apt's own resolver in a private folder and against signed indexes only. [`Changes`] is what a newer one brings,
//!   [`Facts`] what is in the files of its packages, and [`Summary`] says both to people.
//! - [`match_debs`] finds the files of a lock by their content.
//! - [`install`] turns them into a tree, offline, and [`normalise`] takes out of it what differs from run to run.
//! - [`ownership`] gives each installed package a digest over its files, so that two images that differ can be explained;
//!   [`listed`] says which packages list a path.

mod apt;
mod changes;
mod contents;
mod digest;
mod error;
mod index;
mod install;
mod links;
mod list;
mod lock;
mod machine;
mod normalise;
mod ownership;
mod package_file;
mod paths;
mod release;
mod resolve;
mod summary;
mod version;

pub use changes::Changes;
pub use contents::{facts, Fact, Facts};
pub use digest::match_debs;
pub use error::Error;
pub use install::{install, Install};
pub use list::{parse_list, List, Listed};
pub use lock::{Lock, Package, Root, Suite};
pub use normalise::normalise;
pub use ownership::{listed, ownership, Owned};
pub use paths::PathRule;
pub use resolve::{Archive, ArchiveOptions, Newer};
pub use summary::{Relocked, Summary};
pub use version::compare_versions;
