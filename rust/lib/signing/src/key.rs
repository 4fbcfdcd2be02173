//! A private key in a file, for tests and small deployments: a key that matters lies in a token ([`crate::Program`]).

use base::Sha256Digest;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};

use crate::certificate::{digest_info, Certificate};
use crate::error::Error;

/// An RSA key.
pub struct PrivateKey(RsaPrivateKey);

impl PrivateKey {
    /// Reads a key, PEM: PKCS#8 or PKCS#1, not encrypted.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let key = if text.starts_with("-----BEGIN RSA PRIVATE KEY-----") {
            RsaPrivateKey::from_pkcs1_pem(text).map_err(|error| Error::key(error.to_string()))
        } else if text.starts_with("-----BEGIN PRIVATE KEY-----") {
            let wrong = |error| Error::key(format!("want an RSA key in PKCS#8: {error}"));
            RsaPrivateKey::from_pkcs8_pem(text).map_err(wrong)
        } else {
            let reason = "want PEM, `PRIVATE KEY` or `RSA PRIVATE KEY`, not encrypted";
            Err(Error::key(reason))
        };
        Ok(Self(key?))
    }

    /// Checks that it is the one of the certificate.
    pub fn check(&self, certificate: &Certificate) -> Result<(), Error> {
        if &RsaPublicKey::from(&self.0) != certificate.rsa() {
            let reason = format!("it is not that of {}", certificate.subject());
            return Err(Error::key(reason));
        }
        Ok(())
    }

    /// The signature of a digest.
    pub fn sign(&self, digest: &Sha256Digest) -> Result<Vec<u8>, Error> {
        let padding = Pkcs1v15Sign::new_unprefixed();
        let signature = self.0.sign(padding, &digest_info(digest));
        signature.map_err(|error| Error::key(error.to_string()))
    }
}
