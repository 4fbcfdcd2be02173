//! A file-system tree as data: what a root file system holds, and where each file's bytes lie.
//!
//! A [`Tree`] comes from the index of a tar ([`Tree::from_tar`]) or from its manifest ([`Tree::read`], [`Tree::open_list`]), takes in
//! files one by one ([`Tree::insert`]), is cut to size ([`Tree::subtree`], [`Tree::without`]) and goes to the image
//! writers. File contents are never copied into it: an entry names a range of one of the ordered inputs, and
//! [`Sources`] reads that range when a writer asks for it.
//!
//! The manifest is JSON lines, sorted by path; `docs/formats/tree.md` has the fields. A manifest is not trusted: every
//! path, link and range is checked, and a [`Tree`] that exists holds these promises:
//!
//! - the root directory is there, and each entry's parent is a directory of the tree;
//! - no path has an empty, `.` or `..` component or a NUL byte;
//! - a hard link names the first path of its file in byte order, which is not a directory;
//! - nothing is of an earlier layer than its parent, or than the file that it links to;
//! - a source range lies inside its input, and two ranges are equal or apart.

mod entry;
mod error;
mod from_tar;
mod insert;
mod links;
mod listed;
mod manifest;
mod name;
mod parse;
mod scan;
mod sources;
#[allow(clippy::module_inception, reason = "the type this crate is about")]
mod tree;

pub use base::base64::encode as base64;
pub use entry::{Entry, Input, Kind, Source, Sparse, Stamp};
pub use error::Error;
pub use name::{display, relative};
pub use sources::Sources;
pub use tree::Tree;
