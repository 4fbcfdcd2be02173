//! Signatures, as a document.

use base::{hex, Sha256Digest};
use serde::{Deserialize, Serialize};

use crate::authenticode;
use crate::certificate::Certificate;
use crate::error::Error;
use crate::prefix::Prefix;
use crate::request::{check_format, document, parse, Item, Request, FORMAT};

const WHAT: &str = "list of signatures";

/// Signatures by the key of one certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signatures {
    format: u32,
    /// SHA-256 of the certificate's DER.
    pub certificate: Sha256Digest,
    /// The signatures, by what they are of.
    pub signatures: Vec<Signature>,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// What is signed, for people.
    pub name: String,
    /// The digest that was signed.
    pub digest: Sha256Digest,
    /// The raw RSA signature in hexadecimal digits.
    pub signature: String,
}

impl Signatures {
    /// The document.
    pub fn to_json(&self) -> String {
        document(self)
    }

    /// Reads a document.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let signatures: Self = parse(WHAT, text)?;
        check_format(WHAT, signatures.format)?;
        Ok(signatures)
    }

    /// The signature of a digest, verified.
    pub(crate) fn get(
        &self,
        certificate: &Certificate,
        of: &str,
        digest: &Sha256Digest,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut all = self.signatures.iter();
        let Some(found) = all.find(|signature| signature.digest == *digest) else {
            return Ok(None);
        };
        let (got, want) = (self.certificate, certificate.digest());
        if got != want {
            let what = "the list of signatures";
            return Err(Error::OtherCertificate { what, got, want });
        }
        let signature = hex::decode(&found.signature).map_err(|error| Error::Document {
            what: WHAT,
            reason: format!("signature of {of}: {error}"),
        })?;
        certificate.verify(of, digest, &signature)?;
        Ok(Some(signature))
    }
}

/// Signs all that requests ask for: `by` gives the signature of a digest, which is verified before it is used.
pub fn sign(
    requests: &[Request],
    certificate: &Certificate,
    mut by: impl FnMut(&Sha256Digest) -> Result<Vec<u8>, Error>,
) -> Result<Signatures, Error> {
    let mut done = Signatures {
        format: FORMAT,
        certificate: certificate.digest(),
        signatures: Vec::new(),
    };
    for request in requests {
        request.check(certificate)?;
        for item in &request.items {
            let digest = to_sign(item, certificate, &done)?;
            if done.signatures.iter().any(|known| known.digest == digest) {
                continue;
            }
            let signature = by(&digest)?;
            certificate.verify(item.name(), &digest, &signature)?;
            done.signatures.push(Signature {
                name: item.name().to_owned(),
                digest,
                signature: hex::encode(&signature),
            });
        }
    }
    Ok(done)
}

/// The digest of an item, once the signatures before it are there.
fn to_sign(
    item: &Item,
    certificate: &Certificate,
    done: &Signatures,
) -> Result<Sha256Digest, Error> {
    match item {
        Item::Authenticode {
            name,
            image,
            digest,
        } => {
            authenticode::check(name, image, digest)?;
            Ok(*digest)
        }
        Item::OpenPgp {
            name,
            after,
            prefix,
            suffix,
        } => {
            let signature = done.get(certificate, name, after)?;
            let signature = signature.ok_or_else(|| Error::NotSigned {
                of: name.clone(),
                digest: *after,
                have: done.signatures.len(),
            })?;
            file_digest(name, prefix, &signature, suffix)
        }
    }
}

/// The digest of a file with a signature in it, and of what OpenPGP adds.
pub(crate) fn file_digest(
    name: &str,
    prefix: &Prefix,
    signature: &[u8],
    suffix: &str,
) -> Result<Sha256Digest, Error> {
    let suffix = hex::decode(suffix).map_err(|error| Error::Document {
        what: "request",
        reason: format!("suffix of {name}: {error}"),
    })?;
    let mut prefix = prefix.clone();
    prefix.update(signature);
    prefix.update(&suffix);
    Ok(prefix.finish())
}
