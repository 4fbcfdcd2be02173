//! Why a description of images was refused.

/// Why a description of images was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is longer than anybody's list of images.
    #[error("{got} bytes, want at most {most}")]
    TooLarge {
        /// Its length.
        got: u64,
        /// Longest taken.
        most: u64,
    },
    /// It is of a format that this reader does not know.
    #[error("format {got}, this program knows format {}", crate::VERSION)]
    Format {
        /// What it says.
        got: u64,
    },
    /// It is not JSON, or lacks a key, or has one too many.
    #[error("not a description of images")]
    Json(#[from] serde_json::Error),
    /// A field holds what it can't.
    #[error("{place}: got {got:?}, want {want}")]
    Field {
        /// Which: `images[0].file`.
        place: String,
        /// What came.
        got: String,
        /// What it may be.
        want: &'static str,
    },
    /// Two images have the same name or file.
    #[error("{place}: {got:?} is that of images[{first}] already")]
    Again {
        /// Which: `images[1].file`.
        place: String,
        /// What came twice.
        got: String,
        /// Position of the first.
        first: usize,
    },
    /// There are none, or more than anybody carries.
    #[error("{place}: {got} entries, want {least} to {most}")]
    Count {
        /// `images`, or some `properties`.
        place: String,
        /// How many.
        got: usize,
        /// Fewest taken.
        least: usize,
        /// Most taken.
        most: usize,
    },
}
