//! What every crate may use: small things that would otherwise be written again beside each format.
//!
//! It depends on the standard library and a few small crates, on none of ours, and knows no format.
//!
//! | module    | for                                                                     |
//! |-----------|-------------------------------------------------------------------------|
//! | [`holes`] | where a file has data, and copies that keep its holes                   |
//! | [`lines`] | what a program prints, as lines, with work and memory bounded           |
//! | [`path`]  | names and paths that an input gave, put below a folder and never outside |

pub mod holes;
pub mod lines;
pub mod path;
