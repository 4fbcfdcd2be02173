//! A configuration for the partition `config` of an image that is made already.
//!
//! [`Wanted`] is what a person wants there, checked by `os_config` as `config_tool check` does it: every file of it, all problems at once.
//! [`Target`] is the partition (or a bare volume), [`Target::place`] works out what to write. Checked again is what the volume holds then, all
//! of it: a list of sums that an older configuration left makes a medium that a machine refuses.
//!
//! Nothing is written here; `fat`'s module `edit` says why what is written may be cut off at any instant.

mod error;
mod target;
mod wanted;

pub use error::Error;
pub use target::{Placed, Target};
pub use wanted::{KeyFile, Wanted};
