//! Images that travel inside another image: `deployment.json` says which, and what they must be.
//!
//! The file lies beside the images. It is JSON, at most [`MOST_BYTES`] long, with sorted keys and a newline at the end,
//! so that the same images have the same file (`docs/formats/deployment.md`):
//!
//! | key          | value                                                                                            |
//! |--------------|--------------------------------------------------------------------------------------------------|
//! | `deployment` | 1, the version of this format: a reader refuses one it does not know                              |
//! | `images`     | list, in the order given, of `file`, `name`, `properties`, `sha256`, `size`, `version`            |
//! | `name`       | name of the whole                                                                                 |
//! | `properties` | text by key: what else is to be known, such as for whom it was built                               |
//! | `version`    | version of the whole                                                                              |
//!
//! The reader trusts nothing: sizes are checked before anything is read, an unknown or repeated key is an error, file
//! names are names and not paths, and all text is printable ASCII. [`Deployment::parse`] and [`Deployment::to_json`] take
//! and give the same set of documents.
//!
//! [`digest`](fn@digest) hashes an image file without reading its holes.

mod digest;
mod document;
mod error;

pub use digest::{digest, Digest};
pub use document::{Deployment, Image, MOST_BYTES, MOST_IMAGES, MOST_PROPERTIES, VERSION};
pub use error::Error;
