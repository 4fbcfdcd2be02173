//! Why a byte of an image is what it is: which structures it is in, and where it came from.
//!
//! [`Image::open`] opens an image with the side files that rules write beside it (`docs/formats/why.md`); [`Image::ask`] answers for a
//! place, [`write_text`] shows that to people. Crate `inspect` knows the structures, crate `plan` the inputs.
//!
//! | part of an answer                               | from                                                             |
//! |-------------------------------------------------|------------------------------------------------------------------|
//! | partition, file system, inode, file …           | the image alone                                                  |
//! | zero, laid out, a range of an input             | its plan                                                         |
//! | label of an input, destination, map             | side files that rules wrote when they were analysed              |
//! | member of a root file system, package, version  | the archives themselves, when somebody asks                      |
//! | line of the Dockerfile                          | what `mkrootfs` noted                                            |
//!
//! What is not there is not said, and that it is not: an image without side files has its structures all the same.

mod answer;
mod error;
mod image;
mod notes;
mod packages;
mod roots;
mod side;
mod text;

pub use answer::{Answer, Answers, Change, Injected, Member, Origin, Total};
pub use error::Error;
pub use image::Image;
pub use notes::{Notes, Step};
pub use text::write as write_text;
