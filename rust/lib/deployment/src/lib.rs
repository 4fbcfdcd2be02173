//! Images that travel inside another image: `deployment.json` says which, and what they must be.
//!
//! The file lies beside the images. It is JSON, at most [`MOST_BYTES`] long, with sorted keys and a newline at the end,
//! so that the same images have the same file (`docs/formats/deployment.md`):
//!
//! | key          | value                                                                                            |
//! |--------------|--------------------------------------------------------------------------------------------------|
//! | `deployment` | 2, the version of this format: a reader refuses one it does not know                              |
//! | `images`     | list, in the order given, of `file`, `fsverity`, `name`, `properties`, `size`, `version`          |
//! | `name`       | name of the whole                                                                                 |
//! | `properties` | text by key: what else is to be known, such as for whom it was built                               |
//! | `version`    | version of the whole                                                                              |
//!
//! The reader trusts nothing: sizes are checked before anything is read, an unknown or repeated key is an error, file
//! names are names and not paths, and all text is printable ASCII. [`Deployment::parse`] and [`Deployment::to_json`] take
//! and give the same set of documents.

mod document;
mod error;

pub use document::{Deployment, Image, MOST_BYTES, MOST_IMAGES, MOST_PROPERTIES, VERSION};
pub use error::Error;
