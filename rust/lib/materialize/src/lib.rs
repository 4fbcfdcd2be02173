//! The one place that writes big files: a plan and its inputs become an image.
//!
//! [`write()`] makes the image itself, [`compress`] the same as a compressed stream; both go into a new file, which [`Output`]
//! gives its name when it is whole.
//!
//! | what is promised                | how                                                                                     |
//! |---------------------------------|-----------------------------------------------------------------------------------------|
//! | the bytes are the plan's        | one writer for all of them; threads do not decide anything                              |
//! | sparse                          | what is zero in the plan is never touched, and blocks of 4 KiB that turn out zero are not written |
//! | shared, where it can be         | aligned ranges of at least 64 KiB share extents with their input: on XFS and btrfs no data is written for them |
//! | little memory                   | at most 8 threads with a buffer of 512 KiB, or as many with two of 4 MiB as stay below 256 MiB when they compress |
//! | few system calls                | small pieces that lie near each other in an input are read by one call, and written by one |
//! | whole or absent                 | the file has no name before it is whole, where the file system has such files: nothing is left even by a killed process |
//! | inputs as they were             | an input that is written to or truncated meanwhile is an error, and the image is not kept |
//! | the digest is of what is written | it is taken from the buffers that are written, in order, while other threads go on     |
//!
//! [`write_over`] writes the image over a medium ([`Target`]) that has other content, zeros included; [`compare`] reads it back.
//!
//! Threads do ranges of the image in any order, but take turns in order for what has one: the digest, and the compressed stream.

mod compress;
mod error;
mod gather;
mod inputs;
mod jobs;
mod output;
mod over;
mod share;
mod write;

pub use compress::compress;
pub use error::Error;
pub use output::Output;
pub use over::{compare, data_len, write_over, Aligned, Target, CHUNK};
pub use write::{write, Options};
