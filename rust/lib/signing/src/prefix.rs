//! SHA-256 of the beginning of something, to be finished elsewhere.
//!
//! Spec: FIPS 180-4. The state after whole steps of 64 bytes is all that is needed to go on.

use serde::{Deserialize, Serialize};
use sha2::compress256;
use sha2::digest::generic_array::GenericArray;

use base::bounded::product;
use base::{hex, past, Sha256Digest, SHA256_START as START, SHA256_STEP as STEP};

/// [`STEP`] as a length of a file.
const STEP_LEN: u64 = 64;

/// What was hashed so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Text", try_from = "Text")]
pub struct Prefix {
    state: [u32; 8],
    /// Bytes in the state: whole steps.
    hashed: u64,
    /// What comes behind them: less than a step.
    rest: Vec<u8>,
}

impl Default for Prefix {
    fn default() -> Self {
        Self {
            state: START,
            hashed: 0,
            rest: Vec::new(),
        }
    }
}

impl Prefix {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if !self.rest.is_empty() {
            let fill = STEP.abs_diff(self.rest.len()).min(bytes.len());
            let (front, behind) = bytes.split_at(fill);
            self.rest.extend(front);
            if self.rest.len() < STEP {
                return;
            }
            let step = std::mem::take(&mut self.rest);
            self.steps(&step);
            bytes = behind;
        }
        let whole = bytes.len().abs_diff(bytes.len() % STEP);
        let (steps, rest) = bytes.split_at(whole);
        self.steps(steps);
        self.rest.extend(rest);
    }

    /// The digest of all that was added.
    pub fn finish(mut self) -> Sha256Digest {
        // Images end before 2^60 bytes, and so do prefixes that were read.
        let bits = product(past(self.hashed, self.rest.len()), 8);
        self.update(&[0x80]);
        while self.rest.len() != STEP.abs_diff(size_of::<u64>()) {
            self.update(&[0]);
        }
        self.update(&bits.to_be_bytes());
        let mut digest = [0; 32];
        for (to, from) in digest.chunks_exact_mut(4).zip(self.state) {
            to.copy_from_slice(&from.to_be_bytes());
        }
        Sha256Digest(digest)
    }

    /// Whole steps.
    fn steps(&mut self, bytes: &[u8]) {
        for step in bytes.chunks_exact(STEP) {
            let step = GenericArray::from_slice(step);
            compress256(&mut self.state, std::slice::from_ref(step));
        }
        self.hashed = past(self.hashed, bytes.len());
    }
}

/// The same in a document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    state: String,
    hashed: u64,
    rest: String,
}

impl From<Prefix> for Text {
    fn from(prefix: Prefix) -> Self {
        let state = prefix.state.map(u32::to_be_bytes).concat();
        Self {
            state: hex::encode(&state),
            hashed: prefix.hashed,
            rest: hex::encode(&prefix.rest),
        }
    }
}

impl TryFrom<Text> for Prefix {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        let bytes: [u8; 32] = hex::decode_array(&text.state).map_err(|e| format!("state: {e}"))?;
        let mut state = START;
        for (to, from) in state.iter_mut().zip(bytes.chunks_exact(4)) {
            *to = from
                .iter()
                .fold(0, |number, byte| (number << 8) | u32::from(*byte));
        }
        let rest = hex::decode(&text.rest).map_err(|e| format!("rest: {e}"))?;
        if rest.len() >= STEP {
            return Err(format!("rest: {} bytes, want less than {STEP}", rest.len()));
        }
        if text.hashed % STEP_LEN != 0 || text.hashed >= 1 << 60 {
            return Err(format!(
                "hashed: {}, want a multiple of {STEP} below 2^60",
                text.hashed
            ));
        }
        Ok(Self {
            state,
            hashed: text.hashed,
            rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sha256_however_it_is_cut() {
        let bytes: Vec<u8> = (0..300u32).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
        for end in 0..bytes.len() {
            for cut in [0, 1, 55, 56, 63, 64, 65, 128, end] {
                let (front, back) = bytes[..end].split_at(cut.min(end));
                let mut prefix = Prefix::default();
                prefix.update(front);
                let text = serde_json::to_string(&prefix).unwrap();
                let mut prefix: Prefix = serde_json::from_str(&text).unwrap();
                prefix.update(back);
                assert_eq!(
                    prefix.finish(),
                    Sha256Digest::of(&bytes[..end]),
                    "{cut} of {end}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_state() {
        let text = |state: &str, hashed: u64, rest: &str| {
            let text = format!(r#"{{"state":"{state}","hashed":{hashed},"rest":"{rest}"}}"#);
            serde_json::from_str::<Prefix>(&text).map(|_| ())
        };
        let state = "00".repeat(32);
        text(&state, 64, "").unwrap();
        for (got, want) in [
            (
                text("00", 64, ""),
                "state: 1 bytes in hexadecimal digits, want 32",
            ),
            (
                text(&state, 63, ""),
                "hashed: 63, want a multiple of 64 below 2^60",
            ),
            (
                text(&state, 1 << 60, ""),
                "want a multiple of 64 below 2^60",
            ),
            (
                text(&state, 0, &"00".repeat(64)),
                "rest: 64 bytes, want less than 64",
            ),
        ] {
            let got = got.unwrap_err().to_string();
            assert!(got.contains(want), "{got}");
        }
    }
}
