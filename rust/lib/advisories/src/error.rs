//! What can go wrong.

/// Why advisories, a bill of materials or a list of what is allowed can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not JSON, or not of the form that it must have.
    #[error("{what}")]
    Json {
        /// What was to be read.
        what: &'static str,
        /// Where and why not.
        source: serde_json::Error,
    },
    /// JSON of another kind.
    #[error("got {got}, want {want}")]
    Other {
        /// What came.
        got: String,
        /// What was wanted.
        want: &'static str,
    },
    /// A file that says nothing of whatever may be in the image.
    #[error("nothing was read: of its {all} advisories none is of {wanted}, which is what is in the image")]
    Nothing {
        /// How many advisories it has.
        all: u64,
        /// Ecosystems that components are of.
        wanted: String,
    },
    /// The image holds no such image.
    #[error("the image holds no image {got:?}, want one of: {have}")]
    NotHeld {
        /// Path that was given.
        got: String,
        /// Paths of those that it holds.
        have: String,
    },
    /// An entry of the list of what is allowed.
    #[error("entry {number} ({id}): {reason}")]
    Allowed {
        /// Which, from 1.
        number: usize,
        /// What it allows.
        id: String,
        /// What came and what was wanted.
        reason: String,
    },
    /// The image is of no release that Debian's tracker could be asked for.
    #[error("the bill of materials is of the distribution {got}, which has no release in Debian's tracker that is known here: say which one, as --release trixie")]
    Release {
        /// Distribution that package URLs name.
        got: String,
    },
    /// The tracker's file has nothing of the release.
    #[error("the advisories say nothing of the release {release}; they have {have}")]
    NoRelease {
        /// Which.
        release: String,
        /// Those that they have.
        have: String,
    },
}
