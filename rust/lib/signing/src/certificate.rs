//! The certificate that firmware trusts, and what follows from it.

use base::Sha256Digest;
use der::{Decode as _, DecodePem as _, Encode as _};
use rsa::pkcs8::DecodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPublicKey};

use crate::error::Error;

/// PKCS#1 v1.5: what stands before a SHA-256 digest (RFC 8017, 9.2, note 1).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];
/// Lengths of keys that firmware and GRUB know, in bytes.
const KEY_LENGTHS: [usize; 3] = [256, 384, 512];
/// The longest file that is looked at.
const MAX_LEN: usize = 64 << 10;

/// An X.509 certificate of an RSA key.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    pub(crate) x509: x509_cert::Certificate,
    key: RsaPublicKey,
    not_before: u32,
}

impl Certificate {
    /// Reads a certificate, PEM or DER: one, and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |error: der::Error| Error::certificate(error.to_string());
        if bytes.len() > MAX_LEN {
            let len = bytes.len();
            let reason = format!("a file of {len} bytes, want one certificate");
            return Err(Error::certificate(reason));
        }
        let x509 = if bytes.starts_with(b"-----") {
            x509_cert::Certificate::from_pem(bytes)
        } else {
            x509_cert::Certificate::from_der(bytes)
        };
        let x509 = x509.map_err(bad)?;
        let der = x509.to_der().map_err(bad)?;
        if !bytes.starts_with(b"-----") && der != bytes {
            return Err(Error::certificate("it is not DER throughout"));
        }
        let key = x509.tbs_certificate.subject_public_key_info.to_der();
        let key = RsaPublicKey::from_public_key_der(&key.map_err(bad)?);
        let key = key.map_err(|error| Error::certificate(format!("no RSA key: {error}")))?;
        if !KEY_LENGTHS.contains(&key.size()) {
            let reason = format!("a key of {} bytes, want 256, 384 or 512", key.size());
            return Err(Error::certificate(reason));
        }
        let validity = &x509.tbs_certificate.validity;
        let not_before = validity.not_before.to_unix_duration().as_secs();
        let not_before = u32::try_from(not_before).map_err(|_| {
            Error::certificate("it is valid from a time after 2106, which OpenPGP can't say")
        })?;
        Ok(Self {
            der,
            x509,
            key,
            not_before,
        })
    }

    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of its DER: what identifies it.
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.der)
    }

    /// Whom it names.
    pub fn subject(&self) -> String {
        self.x509.tbs_certificate.subject.to_string()
    }

    /// From when on it is valid, in seconds since 1970.
    pub fn not_before(&self) -> u32 {
        self.not_before
    }

    /// How long its key's signatures are, in bytes.
    pub fn signature_len(&self) -> usize {
        self.key.size()
    }

    /// Modulus and exponent, big-endian.
    pub(crate) fn numbers(&self) -> [Vec<u8>; 2] {
        [self.key.n().to_bytes_be(), self.key.e().to_bytes_be()]
    }

    pub(crate) fn rsa(&self) -> &RsaPublicKey {
        &self.key
    }

    /// Checks that `signature` is one of `digest` by its key; `of` is what was signed, for errors.
    pub fn verify(&self, of: &str, digest: &Sha256Digest, signature: &[u8]) -> Result<(), Error> {
        let hashed = digest_info(digest);
        let result = self
            .key
            .verify(Pkcs1v15Sign::new_unprefixed(), &hashed, signature);
        result.map_err(|_| Error::WrongSignature {
            of: of.to_owned(),
            subject: self.subject(),
            certificate: self.digest(),
        })
    }
}

/// What PKCS#1 v1.5 pads: digest and algorithm.
pub(crate) fn digest_info(digest: &Sha256Digest) -> Vec<u8> {
    [&DIGEST_INFO[..], digest.as_bytes()].concat()
}
