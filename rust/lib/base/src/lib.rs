//! What every crate may use: small things that would otherwise be written again beside each format.
//!
//! It depends on the standard library and a few small crates, on none of ours, and knows no format.
//!
//! | module       | for                                                                          |
//! |--------------|------------------------------------------------------------------------------|
//! | [`base64`]   | bytes as digits of RFC 4648                                                  |
//! | [`bounded`]  | sums and products of numbers whose bounds a crate has stated                 |
//! | [`date`]     | seconds since 1970 as year, month, day, hour, minute, second                 |
//! | [`glob`]     | patterns of the shell: `*`, `?`, `[...]`                                     |
//! | [`hex`]      | bytes as hexadecimal digits                                                  |
//! | [`holes`]    | where a file has data, and copies that keep its holes                        |
//! | [`html`]     | text from anywhere as a part of a page                                       |
//! | [`lines`]    | what a program prints, as lines, with work and memory bounded                |
//! | [`parallel`] | work on all cores, with results and errors that depend on no schedule        |
//! | [`path`]     | names and paths that an input gave, put below a folder and never outside     |
//! | [`shell`]    | words as one line that a shell splits into them again                        |
//! | [`text`]     | what an input said, short enough for a message; near names; what differs     |
//! | [`url`]      | what may be said of a URL: no password, no query                            |
//! | [`version`]  | files that say a version, for builders and running systems alike             |
//!
//! And at the top: [`Sha256Digest`] with its [`Hasher`], the two conversions that cannot fail here,
//! [`as_u64`] and [`as_usize`], and [`past`], which counts what was done.

pub mod base64;
pub mod bounded;
pub mod date;
mod digest;
pub mod glob;
pub mod hex;
pub mod holes;
pub mod html;
mod int;
pub mod lines;
pub mod parallel;
pub mod path;
pub mod shell;
pub mod text;
pub mod url;
pub mod version;

pub use digest::{Hasher, NoDigest, Sha256Digest, SHA256_START, SHA256_STEP};
pub use int::{as_u64, as_usize, past};
