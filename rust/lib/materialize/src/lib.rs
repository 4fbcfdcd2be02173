//! To come.

mod compress;
mod error;
mod gather;
mod inputs;
mod jobs;
mod output;
mod share;
mod write;

pub use compress::compress;
pub use error::Error;
pub use output::Output;
pub use write::{write, Options};
