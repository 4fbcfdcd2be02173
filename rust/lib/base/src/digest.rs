//! SHA-256 of bytes, as a value that compares, sorts, prints and parses.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{de, Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::{as_u64, as_usize, hex, past, text};

/// The state that SHA-256 begins with (FIPS 180-4, 5.3.3), for who keeps the state itself.
pub const SHA256_START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// What SHA-256 takes at a time, in bytes.
pub const SHA256_STEP: usize = 64;

/// The SHA-256 digest of some bytes. Its text, in JSON too, is 64 lower-case hexadecimal digits: one text per digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

impl Sha256Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of all that `from` has to give. For a file, better without a buffer around it.
    pub fn of_reader(from: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher::new();
        hasher.update_from(from)?;
        Ok(hasher.finish())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Sha256Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Sha256Digest {
    type Err = NoDigest;

    fn from_str(digits: &str) -> Result<Self, NoDigest> {
        let upper = digits.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_array(digits) {
            Ok(bytes) if !upper => Ok(Self(bytes)),
            _ => Err(NoDigest {
                got: text::shorten(digits).into_owned(),
            }),
        }
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Sha256Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a SHA-256 digest in 64 lower-case hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sha256Digest, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A text that is not the one of a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is no SHA-256 digest: want 64 lower-case hexadecimal digits")]
pub struct NoDigest {
    /// The text, or its ends if it is long.
    pub got: String,
}

/// Read or hashed at a time: small enough to be hashed out of the processor's cache.
const PART: usize = 1 << 18;
/// What zeros are hashed from.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Digests what comes in pieces, and counts it.
#[derive(Clone, Debug, Default)]
pub struct Hasher {
    state: Sha256,
    len: u64,
}

impl Hasher {
    /// Of nothing so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.len = past(self.len, bytes.len());
    }

    /// Adds all that `from` has to give, and says how much that was.
    pub fn update_from(&mut self, mut from: impl Read) -> io::Result<u64> {
        let mut buffer = vec![0; PART];
        let before = self.len;
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(self.len.abs_diff(before)),
                Ok(len) => self.update(buffer.get(..len).unwrap_or(&buffer)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Adds `count` zeros, which nobody has to have in memory.
    pub fn update_zeros(&mut self, count: u64) {
        const STEP: u64 = as_u64(ZEROS.len());
        for _ in 0..count / STEP {
            self.update(&ZEROS);
        }
        let rest = as_usize(count % STEP);
        self.update(ZEROS.get(..rest).unwrap_or(&ZEROS));
    }

    /// How many bytes there were so far.
    pub fn count(&self) -> u64 {
        self.len
    }

    /// The digest of all of them.
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(self.state.finalize().into())
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn one_text_per_digest() {
        assert_eq!(Sha256Digest::of("").to_string(), EMPTY);
        assert_eq!(format!("{:?}", Sha256Digest::of("")), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(Sha256Digest::of("")));
        let bytes = *Sha256Digest::of("").as_bytes();
        assert_eq!(hex::encode(&bytes), EMPTY);
        assert_eq!(Sha256Digest::from(bytes), Sha256Digest::of(""));
        for bad in [
            "",
            &EMPTY[1..],
            &EMPTY[2..],
            &EMPTY.to_uppercase(),
            "sha256:00",
        ] {
            let error = bad.parse::<Sha256Digest>().unwrap_err();
            assert_eq!(error.got, bad);
        }
        let error = "x".repeat(9999).parse::<Sha256Digest>().unwrap_err();
        assert!(error.to_string().len() < 500, "{error}");
    }

    #[test]
    fn json() {
        let json = format!("\"{EMPTY}\"");
        let digest = Sha256Digest::of("");
        assert_eq!(serde_json::to_string(&digest).unwrap(), json);
        assert_eq!(serde_json::from_str::<Sha256Digest>(&json).unwrap(), digest);
        // From a value, whose text is its own, too.
        let value = serde_json::Value::String(EMPTY.to_owned());
        assert_eq!(
            serde_json::from_value::<Sha256Digest>(value).unwrap(),
            digest
        );
        for (bad, want) in [
            ("\"00\"", "\"00\" is no SHA-256 digest"),
            ("7", "expected a SHA-256 digest in 64 lower-case"),
        ] {
            let error = serde_json::from_str::<Sha256Digest>(bad).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
        }
    }

    #[test]
    fn pieces() {
        let bytes = [&b"abc"[..], &[0; 200_001], b"def"].concat();
        let mut hasher = Hasher::new();
        hasher.write_all(b"abc").unwrap();
        hasher.update_zeros(200_001);
        hasher.update_zeros(0);
        hasher.update(b"def");
        assert_eq!(hasher.count(), as_u64(bytes.len()));
        assert_eq!(hasher.finish(), Sha256Digest::of(&bytes));
        assert_eq!(
            Sha256Digest::of_reader(&bytes[..]).unwrap(),
            Sha256Digest::of(bytes)
        );
    }

    /// A reader that is interrupted by a signal, and then fails or is at its end.
    struct Interrupted(Vec<io::ErrorKind>);

    impl Read for Interrupted {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.pop().map_or(Ok(0), |kind| Err(kind.into()))
        }
    }

    #[test]
    fn a_signal_is_no_error_and_an_error_is_no_end() {
        let kinds = vec![io::ErrorKind::Interrupted; 2];
        assert_eq!(Hasher::new().update_from(Interrupted(kinds)).unwrap(), 0);
        let kinds = vec![io::ErrorKind::TimedOut, io::ErrorKind::Interrupted];
        let error = Sha256Digest::of_reader(Interrupted(kinds)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(Hasher::new().update_from(&b"abc"[..]).unwrap(), 3);
    }
}
