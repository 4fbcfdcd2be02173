//! `data.key`: what the machine's own data are encrypted with.
//!
//! A line of 64 hexadecimal digits in lower case, as `openssl rand -hex 32` prints it. The digits themselves, 64 bytes, are the passphrase of the
//! LUKS2 volume: so the file's first 64 bytes do by hand, too (`head -c 64 data.key | cryptsetup open --key-file - …`), and there is one text for one key.
//! A passphrase that a person makes up is not taken: nothing slows down who tries them all.
//!
//! A key is kept with the configuration; or, with `data_encryption=tpm2`, by the machine's TPM. Then the configuration has its sum alone
//! ([`DATA_KEY_SUM`]): a line of 64 hexadecimal digits, as `head -c 64 data.key | sha256sum` begins. A key has 256 random bits, so the sum tells nobody
//! what it is, and it tells the machine whether a key that comes later is the one that it was told first.

use std::fmt;
use std::path::Path;

use base::Sha256Digest;

use crate::error::{Error, Problem};

/// Name of the file.
pub const DATA_KEY: &str = "data.key";
/// Name of the file that is kept in its place when the TPM keeps the key.
pub const DATA_KEY_SUM: &str = "data.key.sha256";

/// Digits of a key: 256 bits.
const DIGITS: usize = 64;

/// A key. What it is, only [`DataKey::digits`] says.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey(String);

impl DataKey {
    /// Reads the content of the file at `path`. No error has anything of the key in it.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let bytes = bytes.trim_ascii_end();
        let refused = |line, text: String| Error::Invalid {
            path: path.to_path_buf(),
            problems: vec![Problem::new(line, text)],
        };
        const WANT: &str = "want 64 digits 0-9 a-f on a line, as `openssl rand -hex 32` prints";
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if let Some((at, _)) = (1_usize..).zip(bytes).find(|(_, byte)| !is_digit(byte)) {
            let text = format!("byte {at} is none of 0-9 a-f, {WANT}");
            return Err(refused(1, text));
        }
        if bytes.len() != DIGITS {
            let text = format!("got {} digits, {WANT}", bytes.len());
            return Err(refused(1, text));
        }
        if bytes.iter().all(|byte| Some(byte) == bytes.first()) {
            let text = format!("got the same digit 64 times, {WANT}");
            return Err(refused(1, text));
        }
        Ok(Self(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// The passphrase of the volume.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// What tells it from every other key, and tells nothing of it.
    pub fn sum(&self) -> Sha256Digest {
        Sha256Digest::of(self.0.as_bytes())
    }
}

/// What the configuration keeps of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptKey {
    /// The key.
    Whole(DataKey),
    /// That there is one, which the TPM keeps.
    Sum(Sha256Digest),
}

impl KeptKey {
    /// Whether `key` is the one.
    pub fn is(&self, key: &DataKey) -> bool {
        self.sum() == key.sum()
    }

    /// The sum of the key.
    pub fn sum(&self) -> Sha256Digest {
        match self {
            Self::Whole(key) => key.sum(),
            Self::Sum(sum) => *sum,
        }
    }
}

/// Reads the content of [`DATA_KEY_SUM`] at `path`.
pub(crate) fn parse_sum(path: &Path, bytes: &[u8]) -> Result<Sha256Digest, Error> {
    let text = std::str::from_utf8(bytes.trim_ascii_end());
    let sum = text.ok().and_then(|text| text.parse().ok());
    sum.ok_or_else(|| Error::Invalid {
        path: path.to_path_buf(),
        problems: vec![Problem::new(
            1,
            "not the sum of a key: want 64 digits 0-9 a-f on a line",
        )],
    })
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn a_line_of_digits() {
        for end in ["", "\n", "\r\n", " \n\n"] {
            let key = DataKey::parse(Path::new("M"), format!("{DIGITS}{end}").as_bytes()).unwrap();
            assert_eq!(key.digits(), DIGITS);
            assert_eq!(format!("{key:?}"), "DataKey(…)");
        }
    }

    #[test]
    fn a_sum_tells_keys_apart() {
        let key = |digits: &str| DataKey::parse(Path::new("M"), digits.as_bytes()).unwrap();
        let (one, other) = (key(DIGITS), key(&DIGITS.replace('0', "f")));
        // head -c 64 data.key | sha256sum
        let sum = "2a8abfa8cb9906290437854193ca6bca41d4d4e26d1d454bd66a35158095e737";
        assert_eq!(one.sum().to_string(), sum);
        let read = parse_sum(Path::new("S"), format!("{sum}\n").as_bytes()).unwrap();
        for kept in [KeptKey::Sum(read), KeptKey::Whole(one.clone())] {
            assert!(kept.is(&one) && !kept.is(&other));
        }
        for text in ["", "0", DIGITS.get(1..).unwrap()] {
            let error = parse_sum(Path::new("S"), text.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("S:1: not the sum of a key"));
        }
    }

    #[test]
    fn what_is_no_key() {
        let short = DIGITS.get(1..).unwrap();
        for (text, why) in [
            (String::new(), "got 0 digits, "),
            (short.to_owned(), "got 63 digits, "),
            (format!("{DIGITS}0"), "got 65 digits, "),
            (DIGITS.to_uppercase(), "byte 21 is none of 0-9 a-f, "),
            (format!(" {DIGITS}"), "byte 1 is none of 0-9 a-f, "),
            (
                format!("{DIGITS}\n{DIGITS}"),
                "byte 65 is none of 0-9 a-f, ",
            ),
            (format!("\u{feff}{DIGITS}"), "byte 1 is none of 0-9 a-f, "),
            ("correct horse".to_owned(), "byte 2 is none of 0-9 a-f, "),
            ("7".repeat(64), "got the same digit 64 times, "),
        ] {
            let error = DataKey::parse(Path::new("M/data.key"), text.as_bytes()).unwrap_err();
            let want = format!("M/data.key:1: {why}want 64 digits 0-9 a-f on a line, as `openssl rand -hex 32` prints");
            assert_eq!(error.to_string(), want);
        }
    }
}
