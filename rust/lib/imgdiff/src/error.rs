//! Why two images could not be compared.

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One of the images could not be read.
    #[error(transparent)]
    Image(#[from] inspect::Error),
    /// An archive made no sense.
    #[error("an archive (tar)")]
    Archive(#[from] archive::Error),
}
