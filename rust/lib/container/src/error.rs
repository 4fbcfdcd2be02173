//! What can be wrong with images, their names and their pins.

/// Why an image was not made, or not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of a tree that a layer would not hold as one.
    #[error("{path}: in a layer such a name says that there is no file; want one that does not begin with .wh.")]
    Whiteout {
        /// Its path.
        path: String,
    },
    /// A layer's digest is of other bytes.
    #[error("a layer of {got} bytes came with the digest of {want} bytes")]
    LayerLength {
        /// Its length.
        got: u64,
        /// The length that the digest states.
        want: u64,
    },
    /// What an image cannot be called.
    #[error("image name {got:?}: {reason}; want NAME:TAG")]
    Name {
        /// The name.
        got: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A pin file that names no image: its first line.
    #[error(
        "a pin's first line is {0:?}, want NAME@sha256:HEX, as the command that pins writes it"
    )]
    Pin(String),
    /// An argument that names no base image.
    #[error("{0:?} is not PINFILE=IMAGE=STEM")]
    Built(String),
    /// No place of a registry.
    #[error("{0:?} is not REGISTRY/NAME: want a host (with a dot or a port, or localhost), a slash, and a name of a-z, 0-9 and . _ - / without a tag")]
    Repository(String),
    /// What is published is another image than the one asked for.
    #[error("{what}: got {got}, want {want}")]
    Published {
        /// What of it.
        what: &'static str,
        /// What came.
        got: String,
        /// What was asked for.
        want: String,
    },
    /// Not the JSON wanted.
    #[error("{what}: {source}")]
    Json {
        /// The document.
        what: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A document or digest that is none.
    #[error(transparent)]
    Oci(#[from] oci::Error),
    /// What no archive can hold.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// The pieces do not make a plan.
    #[error(transparent)]
    Plan(#[from] plan::Error),
}
