//! Image plans: what an image holds, said as extents over its inputs instead of as bytes.
//!
//! A [`Plan`] says of every byte of an image where it comes from: zero, bytes that the plan itself holds (metadata that
//! somebody computed), or a range of an input. Inputs are known by position and length, never by path. A plan is sorted, gap-free and *canonical*: two plans that say the same are equal, and so are their
//! encodings (`docs/formats/plan.md`).
//!
//! | to …                                        | use                                                   |
//! |---------------------------------------------|-------------------------------------------------------|
//! | write an image front to back                | [`Builder`]                                           |
//! | put pieces into an image in any order       | [`Canvas`]: overlaps are an error                     |
//! | put a plan into another one                 | [`Builder::plan`], [`Canvas::plan`], [`Plan::slice`]  |
//! | read the image without writing it           | [`Reader`]                                            |
//! | open an image, raw or by plan, from a path  | [`Reader::open_any`], [`List`]                        |
//! | open images that become parts of another    | [`ImageSet`]: all over one list of inputs             |
//! | put a part of an image into another one     | [`Builder::range`], [`Canvas::range`]                 |
//! | change bytes of an image here and there    | [`Plan::replaced`]                                    |
//! | take the digest of an image, or read it      | [`Digest`]                                            |
//! | look at a plan                              | [`Plan::dump`]                                        |
//!
//! The canonical form: neighbours that continue each other are one extent. The bytes between two ranges of inputs (or
//! an end of the image) are one *known run*; a run that is all zero is one zero extent, and in any other run exactly the
//! stretches of at least [`ZERO_RUN`] zeros are zero extents. All else the plan holds; of bytes that repeat every 32 bytes
//! over 16 KiB or more (hash trees over zeros, full bitmaps) it holds the first 32. Iterators give such bytes as any
//! others that the plan holds, in pieces.

mod builder;
mod canvas;
mod digest;
mod dump;
mod error;
mod format;
mod list;
mod pack;
#[allow(clippy::module_inception, reason = "the crate's subject is its name")]
mod plan;
mod read;
mod repeats;
mod replaced;
mod set;
mod sparse;

pub use builder::Builder;
pub use canvas::Canvas;
pub use digest::{BadDigest, Digest};
pub use error::Error;
pub use files::InputFile;
pub use format::{MAGIC, VERSION};
pub use list::List;
pub use plan::{Extent, Input, Piece, Plan, ZERO_RUN};
pub use read::{ReadAt, Reader};
pub use set::ImageSet;
