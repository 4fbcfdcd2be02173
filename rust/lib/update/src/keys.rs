//! Keys: who may sign, and how many of them must.

use std::collections::BTreeSet;
use std::fmt;

use base::{base64, text};
use ed25519_dalek::{Signer as _, VerifyingKey};
use serde::{de, Deserialize, Deserializer, Serialize, Serializer};

use crate::documents::{self, Document, Fault, Format};

/// The most keys of a file, and signatures of a bundle.
pub const MAX_KEYS: usize = 64;

/// What stands before the 32 bytes of a public key: `SubjectPublicKeyInfo` of RFC 8410, which has one form for ed25519.
const PUBLIC_DER: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// What stands before the 32 bytes of a private key: `OneAsymmetricKey` of RFC 8410 without a public key, as OpenSSL writes it.
const PRIVATE_DER: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The name of a key: lower-case letters, digits and any of `. - _`, at most 64 of them.
pub(crate) fn is_id(id: &str) -> bool {
    let good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(good)
}

/// Why a key was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No PEM of that kind.
    #[error("this is no ed25519 {what} key in PEM: make one with `openssl {command}`")]
    Pem {
        /// `public` or `private`.
        what: &'static str,
        /// What makes one.
        command: &'static str,
    },
    /// 32 bytes that no ed25519 key is, or one for which anybody can sign.
    #[error(
        "these 32 bytes are no point of the curve, one in another than its one form, or one of the few for which anybody can sign"
    )]
    Weak,
}

/// An ed25519 public key that a signature can be checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key of these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        // Some points have two texts: the other one would be a second signer.
        let exact = |key: &VerifyingKey| key.to_edwards().compress().as_bytes() == bytes;
        match VerifyingKey::from_bytes(bytes) {
            Ok(key) if !key.is_weak() && exact(&key) => Ok(Self(key)),
            _ => Err(KeyError::Weak),
        }
    }

    /// Reads what `openssl pkey -pubout` writes.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let bytes = der(pem, "PUBLIC KEY", PUBLIC_DER).ok_or(KeyError::Pem {
            what: "public",
            command: "pkey -in update.key -pubout -out update.pub",
        })?;
        Self::from_bytes(&bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether `signature` is this key's, over `message`. Strict: one signature of a message by a key is one sequence of bytes.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::encode(self.as_bytes()))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::encode(self.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = base64::decode(&text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| {
            let got = text::shorten(&text);
            de::Error::custom(format!("{got:?}: want 32 bytes in base64"))
        })?;
        Self::from_bytes(&bytes).map_err(de::Error::custom)
    }
}

/// A private key in a file: for tests and development. Who signs releases keeps keys elsewhere and hands signatures in.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Reads what `openssl genpkey -algorithm ed25519` writes.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let bytes = der(pem, "PRIVATE KEY", PRIVATE_DER).ok_or(KeyError::Pem {
            what: "private",
            command: "genpkey -algorithm ed25519 -out update.key",
        })?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The key of these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(bytes))
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature over `message`: the same bytes each time.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the private key of {:?}", self.public())
    }
}

/// The 32 bytes behind `prefix` in a PEM of that label and nothing else.
fn der(pem: &str, label: &str, prefix: &[u8]) -> Option<[u8; 32]> {
    let body = pem
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let body = body.strip_suffix(&format!("-----END {label}-----"))?;
    let digits: String = body.split_ascii_whitespace().collect();
    let bytes = base64::decode(&digits)?;
    bytes.strip_prefix(prefix)?.try_into().ok()
}

/// A key with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// Its name, by which signatures and messages know it.
    pub id: String,
    /// The key.
    pub ed25519: PublicKey,
}

/// `update-keys.json`: whose signatures a system takes updates by. It lies in the root under dm-verity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKeys {
    /// [`TrustedKeys::FORMAT`].
    pub format: u64,
    /// How many of the keys must have signed.
    pub threshold: usize,
    /// Whether `--allow-unsigned` may be said: for development.
    pub allow_unsigned: bool,
    /// The keys, sorted by their names.
    pub keys: Vec<TrustedKey>,
}

/// The format of `update-keys.json` that is written and read here.
const KNOWN: Format = Format {
    number: TrustedKeys::FORMAT,
    remedy: "it is of a system that comes after this program, which does not know what it says",
};

impl Document for TrustedKeys {
    const NAME: &'static str = "update-keys.json";
    const MAX: usize = 64 << 10;
    const KNOWN: Option<Format> = Some(KNOWN);

    fn check(&self) -> Result<(), Fault> {
        KNOWN.check(&self.format.into())?;
        let count = self.keys.len();
        if !(1..=MAX_KEYS).contains(&count) {
            return Err(Fault::of("keys", format!("{count} of them"), "1 to 64"));
        }
        if !(1..=count).contains(&self.threshold) {
            let want = format!("1 to {count}, the number of keys");
            return Err(Fault::of("threshold", self.threshold, want));
        }
        let mut bytes = BTreeSet::new();
        let mut last = "";
        for key in &self.keys {
            if !is_id(&key.id) {
                let want = "1 to 64 lower-case letters, digits and any of . - _";
                return Err(Fault::of("id of a key", format!("{:?}", key.id), want));
            }
            if key.id.as_str() <= last {
                return Err(Fault::of(
                    "keys",
                    format!("{:?} after {last:?}", key.id),
                    "them sorted by id, each once",
                ));
            }
            // Two names of one key would count as two signers.
            if !bytes.insert(key.ed25519.as_bytes()) {
                return Err(Fault::of(
                    "keys",
                    format!("{:?}, the same key as another one", key.id),
                    "each key once",
                ));
            }
            last = &key.id;
        }
        Ok(())
    }
}

impl TrustedKeys {
    /// The format that is written and read here. A key more is another one: who does not know a key can't tell whether it may be passed over.
    pub const FORMAT: u64 = 1;

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, documents::Error> {
        documents::parse(bytes)
    }

    /// The file's text.
    pub fn to_json(&self) -> Result<String, documents::Error> {
        documents::to_json(self)
    }

    /// The key of that name.
    pub fn key(&self, id: &str) -> Option<&PublicKey> {
        let found = self.keys.iter().find(|key| key.id == id);
        found.map(|key| &key.ed25519)
    }

    /// The names of all keys.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(threshold: usize, ids: &[(&str, u8)]) -> TrustedKeys {
        let key = |(id, seed): &(&str, u8)| TrustedKey {
            id: (*id).to_owned(),
            ed25519: SigningKey::from_bytes(&[*seed; 32]).public(),
        };
        TrustedKeys {
            format: TrustedKeys::FORMAT,
            threshold,
            allow_unsigned: false,
            keys: ids.iter().map(key).collect(),
        }
    }

    #[test]
    fn files_of_keys() {
        let good = keys(2, &[("a", 1), ("b", 2)]);
        let text = good.to_json().unwrap();
        assert_eq!(TrustedKeys::parse(text.as_bytes()).unwrap(), good);
        assert_eq!(good.ids(), ["a", "b"]);
        let later = text.replace("\"format\": 1", "\"format\": 2");
        let error = TrustedKeys::parse(later.as_bytes()).unwrap_err();
        assert!(
            error.to_string().contains("format: got 2, want 1"),
            "{error}"
        );
        let none = text.replace("\"format\": 1,", "");
        assert!(later != text && none != text);
        TrustedKeys::parse(none.as_bytes()).unwrap_err();
        assert!(good.key("a") != good.key("b") && good.key("c").is_none());
        for (bad, why) in [
            (keys(0, &[("a", 1)]), "threshold: got 0, want 1 to 1"),
            (keys(2, &[("a", 1)]), "threshold: got 2, want 1 to 1"),
            (keys(1, &[]), "keys: got 0 of them, want 1 to 64"),
            (
                keys(1, &[("b", 1), ("a", 2)]),
                "keys: got \"a\" after \"b\"",
            ),
            (
                keys(1, &[("a", 1), ("a", 2)]),
                "keys: got \"a\" after \"a\"",
            ),
            (
                keys(1, &[("a", 1), ("b", 1)]),
                "keys: got \"b\", the same key",
            ),
            (keys(1, &[("A", 1)]), "id of a key: got \"A\""),
            (keys(1, &[("", 1)]), "id of a key: got \"\""),
        ] {
            let error = bad.to_json().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn rfc_8032_section_7_1() {
        // TEST 2: one byte.
        let secret = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        let key = SigningKey::from_bytes(&base::hex::decode_array(secret).unwrap());
        assert_eq!(base::hex::encode(key.public().as_bytes()), public);
        let mut made = key.sign(&[0x72]);
        assert_eq!(base::hex::encode(&made), signature);
        assert!(key.public().verifies(&[0x72], &made));
        assert!(!key.public().verifies(&[0x73], &made));
        made[63] ^= 1;
        assert!(!key.public().verifies(&[0x72], &made));
        assert!(!format!("{key:?}").contains("4ccd"));
    }

    #[test]
    fn weak_keys() {
        let mut identity = [0; 32];
        identity[0] = 1;
        for bytes in [[0; 32], identity, [0xff; 32]] {
            assert_eq!(PublicKey::from_bytes(&bytes), Err(KeyError::Weak));
        }
    }

    #[test]
    fn pem() {
        let private = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
            -----END PRIVATE KEY-----\n";
        let key = SigningKey::from_pem(private).unwrap();
        assert_eq!(key.public(), SigningKey::from_bytes(&[0; 32]).public());
        for bad in [
            "",
            "x",
            &private.replace("MC4C", "MC5C"),
            &private.replace("PRIVATE", "PUBLIC"),
        ] {
            let error = SigningKey::from_pem(bad).unwrap_err();
            assert!(error.to_string().contains("genpkey"), "{bad}");
        }
        assert!(PublicKey::from_pem(private)
            .unwrap_err()
            .to_string()
            .contains("-pubout"));
    }
}
