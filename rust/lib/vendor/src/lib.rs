//! Bundles: a folder with every file that builds fetch, so that they need no network (docs/formats/vendor.md).
//!
//! - [`Items`] is what has to be in one: the files of package locks and of a `Cargo.lock`.
//! - [`gather`] brings them in, from wherever they are to be had.
//! - [`Folder`] is the bundle itself. A file enters it when its digest is right, and its index is written last: without an index it is no
//!   bundle, and one that was there stays as it was until the new index is.
//! - [`Archives`] says where packages may lie; they are fetched with apt's own helper, and so by apt's settings and proxies.

mod archives;
mod cargo;
mod error;
mod folder;
mod gather;
mod index;
mod items;

pub use archives::Archives;
pub use error::Error;
pub use folder::Folder;
pub use gather::{gather, Came, Gathered, Missing, Sources};
pub use items::{Item, Items, Kind, Root};
