//! What can be wrong.

use crate::Register;

/// Why nothing was predicted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No EFI program.
    #[error(transparent)]
    Program(#[from] pe::Error),
    /// The program can't be read.
    #[error(transparent)]
    Read(#[from] plan::Error),
    /// What a profile says of itself can't be read.
    #[error("section .profile of profile @{number}: {reason}")]
    Profile {
        /// Its number.
        number: usize,
        /// What came and what was wanted.
        reason: String,
    },
    /// Not a kernel image that can be started.
    #[error("no section .linux: not a unified kernel image")]
    NoKernel,
    /// Of these the stub takes one by the machine that it runs on.
    #[error("section {0}: the stub chooses by the machine, so nothing can be predicted")]
    Chosen(&'static str),
    /// No variable of firmware holds so much.
    #[error("a certificate of {0} bytes, want 4 GiB at most")]
    LongCertificate(usize),
    /// Not the GUID of an owner.
    #[error("owner {0:?}, want a GUID as a1b2c3d4-5e6f-4a70-8b91-0c2d3e4f5a6b")]
    Owner(String),
    /// No document of predictions.
    #[error("no predictions of a TPM's registers")]
    Document(#[from] serde_json::Error),
    /// A document of another format.
    #[error("predictions of format {format} for bank {bank}, want format 1 for bank sha256")]
    Format {
        /// Its `format`.
        format: u32,
        /// Its `bank`.
        bank: String,
    },
    /// A value that is not what the events make.
    #[error("PCR {number} is said to be {got}, its events make {want}: the document was changed")]
    Value {
        /// The register's number.
        number: u8,
        /// What is said.
        got: Register,
        /// What follows.
        want: Register,
    },
}
