//! Salted digests of blocks, the block of zeros hashed once.

use std::fmt::Write;

use sha2::{Digest as _, Sha256};

/// SHA-256 of something.
pub type Digest = [u8; 32];

/// Length of a digest.
pub(crate) const DIGEST: usize = 32;

/// Hashes blocks of one size with one salt.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    /// The state behind the salt.
    salted: Sha256,
    /// A block that is hashed already, and its digest.
    known: Vec<u8>,
    known_digest: Digest,
}

impl Hasher {
    /// Blocks of `size` bytes; that of zeros is known.
    pub(crate) fn new(salt: &[u8], size: usize) -> Self {
        Self::knowing(salt, vec![0; size])
    }

    /// Blocks as long as `known`, which may come often.
    pub(crate) fn knowing(salt: &[u8], known: Vec<u8>) -> Self {
        let salted = Sha256::new_with_prefix(salt);
        let known_digest = digest(&salted, &known);
        Self {
            salted,
            known,
            known_digest,
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn known_digest(&self) -> &Digest {
        &self.known_digest
    }

    /// The digest of one block.
    pub(crate) fn block(&self, block: &[u8]) -> Digest {
        // Memory is compared many times faster than hashed, and mostly the first bytes differ.
        if block == self.known {
            return self.known_digest;
        }
        digest(&self.salted, block)
    }

    /// The digests of all blocks in `bytes`, one after another, appended to `out`.
    pub(crate) fn blocks(&self, bytes: &[u8], out: &mut Vec<u8>) {
        for block in bytes.chunks(self.size().max(1)) {
            out.extend_from_slice(&self.block(block));
        }
    }
}

fn digest(salted: &Sha256, block: &[u8]) -> Digest {
    let mut state = salted.clone();
    state.update(block);
    state.finalize().into()
}

/// `bytes` as small hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // A String takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
