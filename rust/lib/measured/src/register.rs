//! A register.

use std::fmt;

use base::Sha256Digest;

/// A register of a TPM, SHA-256 bank: zeros at the start. Its text is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register(Sha256Digest);

impl Default for Register {
    fn default() -> Self {
        Self(Sha256Digest([0; 32]))
    }
}

impl Register {
    /// What it holds when a digest was added.
    #[must_use]
    pub fn extend(self, digest: &Sha256Digest) -> Self {
        let both = [*self.0.as_bytes(), *digest.as_bytes()];
        Self(Sha256Digest::of(both.as_flattened()))
    }

    /// What it holds when bytes were measured.
    #[must_use]
    pub fn measure(self, bytes: &[u8]) -> Self {
        self.extend(&Sha256Digest::of(bytes))
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
