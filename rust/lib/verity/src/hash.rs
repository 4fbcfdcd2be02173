//! Salted digests of blocks, the block of zeros hashed once.

use std::fmt::Write;

use sha2::{Digest as _, Sha256};

/// SHA-256 of something.
pub type Digest = [u8; 32];

/// Length of a digest.
pub(crate) const DIGEST: usize = 32;

/// How much of one block is hashed before it is the other's turn: two blocks of SHA-256.
const STEP: usize = 128;

/// Hashes blocks of one size with one salt.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    /// The state behind the salt.
    salted: Sha256,
    /// How many bytes of a block complete the salt's last block of SHA-256.
    lead: usize,
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
            lead: salt.len().wrapping_neg() & 63,
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
        let mut blocks = bytes.chunks(self.size().max(1));
        while let Some(first) = blocks.next() {
            match blocks.next() {
                Some(second) if *first != self.known && *second != self.known => {
                    for digest in self.pair(first, second) {
                        out.extend_from_slice(&digest);
                    }
                }
                second => {
                    out.extend_from_slice(&self.block(first));
                    out.extend(second.iter().flat_map(|block| self.block(block)));
                }
            }
        }
    }

    /// The digests of two blocks, a few bytes of each in turn: the processor waits for its own results within one digest,
    /// and has something to do meanwhile. A fifth faster than one after the other.
    fn pair(&self, first: &[u8], second: &[u8]) -> [Digest; 2] {
        let mut states = [self.salted.clone(), self.salted.clone()];
        let split = |block| <[u8]>::split_at_checked(block, self.lead).unwrap_or((block, &[]));
        let ((lead_a, rest_a), (lead_b, rest_b)) = (split(first), split(second));
        let [a, b] = &mut states;
        a.update(lead_a);
        b.update(lead_b);
        // Blocks have the same length.
        for (of_a, of_b) in rest_a.chunks(STEP).zip(rest_b.chunks(STEP)) {
            a.update(of_a);
            b.update(of_b);
        }
        states.map(|state| state.finalize().into())
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
