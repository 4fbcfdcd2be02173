//! What an image is made of, as one page for people: HTML that needs no network, no script and no other file.
//!
//! [`page`] looks into a disk by its structures alone, puts beside it what notes, records and documents say, and writes the page. The same
//! inputs give the same page.
//!
//! | section                         | from                                                                        |
//! |---------------------------------|-----------------------------------------------------------------------------|
//! | disk                            | partition table, and which bytes are not known to be zero (crate `plan`)    |
//! | what takes the space            | file systems (crate `inspect`), dpkg's records, notes (crate `why`)         |
//! | packages, largest files         | the same                                                                    |
//! | injected                        | notes                                                                       |
//! | difference to another image     | two `manifest.json`                                                         |
//! | bill of materials               | a document of SPDX 2.x                                                      |
//! | build time                      | a profile of Bazel                                                          |
//!
//! The last three are there if the file is given. The page is HTML as well as XML, every text in it is escaped, and it forbids itself to fetch
//! anything (`Content-Security-Policy`). Treemaps are computed here, for two widths of screen ([`treemap`]).
//!
//! Lengths and sums of them are those of one image, which has fewer than 2^63 bytes, each in one file at most: all additions fit.

mod disk;
mod error;
mod gunzip;
mod html;
mod input;
mod manifest;
mod maps;
mod packages;
mod page;
mod profile;
mod sbom;
mod sections;
mod style;
pub mod treemap;

pub use disk::OfPartition;
pub use error::Error;
pub use manifest::Manifest;
pub use page::{page, Sources};
pub use profile::{Action, Kind, Profile};
pub use sbom::Sbom;
