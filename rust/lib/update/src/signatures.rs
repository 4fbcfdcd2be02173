//! `manifest.json.sig`: who signed a manifest.

use base::{base64, text};
use serde::{de, Deserialize, Deserializer, Serialize, Serializer};

use crate::documents::{self, Document, Fault};
use crate::keys::{is_id, MAX_KEYS};
use crate::policy::Refusal;
use crate::TrustedKeys;

/// A signature over the bytes of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The name of the key.
    pub key_id: String,
    /// Its 64 bytes, in base64.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub signature: [u8; 64],
}

fn write<S: Serializer>(bytes: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64::encode(bytes))
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = base64::decode(&text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| {
        let got = text::shorten(&text);
        de::Error::custom(format!("{got:?}: want 64 bytes in base64"))
    })
}

/// The signatures of a manifest, sorted by the names of their keys; an empty list if nobody signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signatures(pub Vec<Signature>);

impl Document for Signatures {
    const NAME: &'static str = "manifest.json.sig";
    const MAX: usize = 64 << 10;

    fn check(&self) -> Result<(), Fault> {
        if self.0.len() > MAX_KEYS {
            return Err(Fault::of(
                "signatures",
                self.0.len(),
                format!("at most {MAX_KEYS}"),
            ));
        }
        let mut last = "";
        for Signature { key_id, .. } in &self.0 {
            if !is_id(key_id) {
                let want = "1 to 64 lower-case letters, digits and any of . - _";
                return Err(Fault::of(
                    "key_id",
                    format!("{:?}", text::shorten(key_id)),
                    want,
                ));
            }
            if key_id.as_str() <= last {
                return Err(Fault::of(
                    "signatures",
                    format!("{key_id:?} after {last:?}"),
                    "them sorted by key_id, each once",
                ));
            }
            last = key_id;
        }
        Ok(())
    }
}

/// A signature from outside that fits no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of the keys {} made this signature over this manifest.json: sign the file as it is now, by one of them", known.join(", "))]
pub struct NobodysSignature {
    /// The keys that were tried.
    pub known: Vec<String>,
}

impl Signatures {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, documents::Error> {
        documents::parse(bytes)
    }

    /// The file's text.
    pub fn to_json(&self) -> Result<String, documents::Error> {
        documents::to_json(self)
    }

    /// Adds a signature over `manifest`, by whichever of the keys made it. Once more by the same key is the same.
    pub fn add(
        &mut self,
        manifest: &[u8],
        signature: [u8; 64],
        keys: &TrustedKeys,
    ) -> Result<(), NobodysSignature> {
        let mut keys_of = keys.keys.iter();
        let Some(key) = keys_of.find(|key| key.ed25519.verifies(manifest, &signature)) else {
            return Err(NobodysSignature { known: keys.ids() });
        };
        if self.0.iter().all(|known| known.key_id != key.id) {
            let key_id = key.id.clone();
            self.0.push(Signature { key_id, signature });
            self.0.sort_by(|a, b| a.key_id.cmp(&b.key_id));
        }
        Ok(())
    }

    /// The names of the trusted keys that signed `manifest`, if there are enough.
    ///
    /// A signature by a key that nobody here knows does not count and does no harm: another node may know it. One in the name of a known
    /// key that is not that key's is refused whatever the others are.
    pub fn signers(&self, manifest: &[u8], keys: &TrustedKeys) -> Result<Vec<String>, Refusal> {
        let (mut signers, mut unknown) = (Vec::new(), Vec::new());
        for Signature { key_id, signature } in &self.0 {
            match keys.key(key_id) {
                None => unknown.push(key_id.clone()),
                Some(key) if key.verifies(manifest, signature) => signers.push(key_id.clone()),
                Some(_) => {
                    let key_id = key_id.clone();
                    return Err(Refusal::BadSignature { key_id });
                }
            }
        }
        if signers.len() >= keys.threshold {
            return Ok(signers);
        }
        Err(Refusal::TooFewSigners {
            signers,
            unknown,
            threshold: keys.threshold,
            trusted: keys.ids(),
        })
    }
}
