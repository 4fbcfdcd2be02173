//! What can be wrong.

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
    /// There is no such profile.
    #[error("no profile @{got}, the kernel image has {have}")]
    NoProfile {
        /// Its number.
        got: usize,
        /// How many there are.
        have: usize,
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
}
