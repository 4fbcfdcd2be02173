//! What is inside an image: a bill of materials in the form of SPDX 2.3.
//!
//! [`Image`] says what an image was made of, by files that the build has anyway: trees of its partitions ([`Parts`]), notes on where
//! bytes come from (`docs/formats/why.md`), archives of root file systems and of their base images, locks. [`Image::document`] finds an owner
//! for every regular file of every partition and refuses an image with a file that has none.
//!
//! | a file is of                                  | if                                                                            |
//! |-----------------------------------------------|-------------------------------------------------------------------------------|
//! | a program built here, with its crates         | a tree was given it late, and it is the output of such a program              |
//! | a map of late files, or an image in the image | a tree was given it late                                                      |
//! | a Debian package                              | dpkg's list of it in the base image names it, and no step gave it other bytes |
//! | a step of a Dockerfile                        | the step wrote it                                                             |
//! | the base image                                | it is there already, written by a maintainer script                           |
//!
//! The document has no clock and no random name in it: times are arguments, and its namespace is the digest of its content. The same inputs
//! are the same bytes. `docs/formats/sbom.md` says what stands where.

mod cargo;
mod deb822;
mod error;
mod hash;
mod ids;
mod image;
mod installed;
mod licences;
mod notes;
mod owners;
mod parts;
pub mod provenance;
pub mod purl;
pub mod spdx;
mod writer;

pub use error::Error;
pub use image::Image;
pub use parts::Parts;
