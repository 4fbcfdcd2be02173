//! What can be wrong.

use std::io;

use base::Sha256Digest;

/// Why something was not signed, or a signature refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A certificate that can't be used.
    #[error("the certificate can't be used: {reason}")]
    Certificate {
        /// What came and what was wanted.
        reason: String,
    },
    /// A private key that can't be used.
    #[error("the private key can't be used: {reason}")]
    Key {
        /// What came and what was wanted.
        reason: String,
    },
    /// A certificate or key of another pair.
    #[error("signature of {of}: it is not by the key of the certificate ({subject}, SHA-256 {certificate})")]
    WrongSignature {
        /// What is signed.
        of: String,
        /// Whom the certificate names.
        subject: String,
        /// Its digest.
        certificate: Sha256Digest,
    },
    /// Something was made with another certificate.
    #[error("{what} is for the certificate with SHA-256 {got}, but the one given has {want}")]
    OtherCertificate {
        /// What.
        what: &'static str,
        /// Its certificate.
        got: Sha256Digest,
        /// The one given.
        want: Sha256Digest,
    },
    /// A document of another format, or one that is none.
    #[error("no valid {what}: {reason}")]
    Document {
        /// Which.
        what: &'static str,
        /// What came and what was wanted.
        reason: String,
    },
    /// Nobody signed it.
    #[error("no signature of {of} (digest {digest}) among {have} given: sign what `to_sign` says and give it (docs/signing.md)")]
    NotSigned {
        /// What should be signed.
        of: String,
        /// Its digest.
        digest: Sha256Digest,
        /// How many signatures there are.
        have: usize,
    },
    /// A request that does not belong to the image.
    #[error("{of}: the request is for another image or certificate: {reason}")]
    OtherImage {
        /// What the item is called.
        of: String,
        /// What differs.
        reason: String,
    },
    /// The program that signs did not.
    #[error("the signer {program}: {reason}")]
    Program {
        /// Which.
        program: String,
        /// What it did.
        reason: String,
    },
    /// The program that signs could not be run.
    #[error("the signer {program} can't be run")]
    Run {
        /// Which.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// An encoder refused what it was given.
    #[error("cannot encode {what}: {reason}")]
    Encode {
        /// What.
        what: &'static str,
        /// The encoder's words.
        reason: String,
    },
    /// The image.
    #[error(transparent)]
    Image(#[from] pe::Error),
}

impl Error {
    pub(crate) fn encode(what: &'static str) -> impl Fn(der::Error) -> Self {
        move |error| Self::Encode {
            what,
            reason: error.to_string(),
        }
    }

    pub(crate) fn certificate(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Certificate { reason }
    }

    pub(crate) fn key(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Key { reason }
    }
}
