//! A register.

use std::fmt;

use base::Sha256Digest;
use serde::{Deserialize, Serialize};

/// What a register of a TPM holds, SHA-256 bank: zeros at the start. Its text, in JSON too, is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
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
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
