//! Positions and lengths in images and inputs.
//!
//! Two bounds hold throughout. A position in an image is below 2^63: [`crate::Layout`] and plans refuse what would end behind it. A
//! range of an input ends within that input. So sums and products of them fit, and a panic here is a bug in this crate.

pub(crate) use base::bounded::{product, sum, without};
