//! Which known vulnerabilities are in an image: its bill of materials (crate `sbom`) beside a file of advisories, with nothing fetched.
//!
//! | to …                                                     | use                   |
//! |----------------------------------------------------------|-----------------------|
//! | know what is in the image, and in those that it holds    | [`Inventory`]         |
//! | read advisories of Debian's tracker or in the form of OSV | [`Advisories`]       |
//! | read what somebody decided to live with, and until when  | [`Allowed`]           |
//! | bring them together                                      | [`check`]             |
//! | show the outcome                                         | [`Report::text`]      |
//!
//! Debian packages are matched by the name and version of their source, in dpkg's order of versions; crates by the ranges of OSV in the
//! order of semantic versions. A package none of whose files but documents is in the image is no finding.

mod allow;
mod check;
mod date;
mod error;
mod inventory;
mod osv;
mod semver;
mod severity;
mod source;
mod tracker;

pub use allow::Allowed;
pub use check::{check, Finding, Options, Report, State};
pub use date::Date;
pub use error::Error;
pub use inventory::{Component, Ecosystem, Inventory, ITSELF};
pub use severity::Severity;
pub use source::{Advisories, Format};
