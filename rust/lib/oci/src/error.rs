//! What can be wrong with an image's documents.

/// Why a document or digest was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a digest.
    #[error("`{0}` is not a digest: want sha256: and 64 lower-case hexadecimal digits")]
    Digest(String),
    /// Not the JSON wanted.
    #[error("{what}: {source}")]
    Json {
        /// The document.
        what: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A document of another kind.
    #[error("{what}: got {got}, want {want}")]
    Kind {
        /// The field.
        what: &'static str,
        /// Its value.
        got: String,
        /// The value it must have.
        want: String,
    },
}
