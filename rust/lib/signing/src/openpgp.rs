//! OpenPGP, version 4: a public key, a detached signature, and one of the key by itself. Two kinds of packets, which is less than a dependency is long.
//!
//! | packet     | bytes                                                                                                        |
//! |------------|--------------------------------------------------------------------------------------------------------------|
//! | both       | tag and length, old format with 2 bytes (RFC 4880, 4.2.1): 0x99 a key, 0x89 a signature                       |
//! | public key | 4, time of creation (4 bytes), 1 (RSA), modulus, exponent                                                    |
//! | signature  | 4, 0 (binary document) or 0x1f (of a key), 1 (RSA), 8 (SHA-256), length of hashed subpackets (2 bytes) and these: time, issuer's |
//! |            | fingerprint; length of others and these: issuer; first two bytes of the digest, the signature                |
//!
//! Numbers are big-endian; modulus, exponent and signature are MPIs: a count of bits (2 bytes) and the number without zeros before
//! it. The times are the certificate's `notBefore`. What is signed is the file or the key's packet, the signature packet up to the
//! hashed subpackets, 4, 0xff and the length of that part (4 bytes).

use base::Sha256Digest;
use sha1::{Digest as _, Sha1};

use crate::certificate::Certificate;
use crate::error::Error;

const VERSION: u8 = 4;
const RSA: u8 = 1;
const SHA256: u8 = 8;
/// Types of signatures.
const BINARY: u8 = 0;
const DIRECT: u8 = 0x1f;
/// Tags in the old format, with a length of two bytes.
const PUBLIC_KEY: u8 = 0x99;
const SIGNATURE: u8 = 0x89;
/// Types of subpackets.
const CREATED: u8 = 2;
const ISSUER: u8 = 16;
const ISSUER_FINGERPRINT: u8 = 33;

/// The public key of a certificate as a packet: what GRUB is given.
pub fn public_key(certificate: &Certificate) -> Result<Vec<u8>, Error> {
    let [modulus, exponent] = certificate.numbers();
    let mut body = vec![VERSION];
    body.extend(certificate.not_before().to_be_bytes());
    body.push(RSA);
    body.extend(number(&modulus)?);
    body.extend(number(&exponent)?);
    packet(PUBLIC_KEY, &body)
}

/// The same with a signature by itself, without which `gpgv` takes no key. `by` gives the signature of a digest.
pub fn keyring(
    certificate: &Certificate,
    by: impl FnOnce(&Sha256Digest) -> Result<Vec<u8>, Error>,
) -> Result<Vec<u8>, Error> {
    let key = public_key(certificate)?;
    let digest = Sha256Digest::of([&key[..], &suffix_of(certificate, DIRECT)?].concat());
    let signed = by(&digest)?;
    certificate.verify("the key itself", &digest, &signed)?;
    let signature = packet_of(certificate, DIRECT, &digest, &signed)?;
    Ok([key, signature].concat())
}

/// What is hashed behind the file.
pub(crate) fn suffix(certificate: &Certificate) -> Result<Vec<u8>, Error> {
    suffix_of(certificate, BINARY)
}

/// The packet of a signature of a file.
pub(crate) fn signature(
    certificate: &Certificate,
    digest: &Sha256Digest,
    signature: &[u8],
) -> Result<Vec<u8>, Error> {
    packet_of(certificate, BINARY, digest, signature)
}

fn suffix_of(certificate: &Certificate, kind: u8) -> Result<Vec<u8>, Error> {
    let part = hashed(certificate, kind)?;
    let len = u32::try_from(part.len()).map_err(|_| too_long())?;
    Ok([&part[..], &[VERSION, 0xff], &len.to_be_bytes()].concat())
}

fn packet_of(
    certificate: &Certificate,
    kind: u8,
    digest: &Sha256Digest,
    signature: &[u8],
) -> Result<Vec<u8>, Error> {
    // The key's id is the end of its fingerprint.
    let [.., a, b, c, d, e, f, g, h] = fingerprint(certificate)?;
    let issuer = subpacket(ISSUER, &[a, b, c, d, e, f, g, h])?;
    let [first, second, ..] = *digest.as_bytes();
    let body = [
        &hashed(certificate, kind)?[..],
        &length(&issuer)?,
        &issuer,
        &[first, second],
        &number(signature)?,
    ];
    packet(SIGNATURE, &body.concat())
}

/// The beginning of the signature packet, which is signed.
fn hashed(certificate: &Certificate, kind: u8) -> Result<Vec<u8>, Error> {
    let created = subpacket(CREATED, &certificate.not_before().to_be_bytes())?;
    let fingerprint = [&[VERSION][..], &fingerprint(certificate)?].concat();
    let issuer = subpacket(ISSUER_FINGERPRINT, &fingerprint)?;
    let subpackets = [created, issuer].concat();
    let head = [VERSION, kind, RSA, SHA256];
    Ok([&head[..], &length(&subpackets)?, &subpackets].concat())
}

/// SHA-1 of the key's packet (12.2): a name, no protection.
fn fingerprint(certificate: &Certificate) -> Result<[u8; 20], Error> {
    Ok(Sha1::digest(public_key(certificate)?).into())
}

fn packet(tag: u8, body: &[u8]) -> Result<Vec<u8>, Error> {
    Ok([&[tag][..], &length(body)?, body].concat())
}

fn subpacket(kind: u8, body: &[u8]) -> Result<Vec<u8>, Error> {
    let body = [&[kind][..], body].concat();
    let len = u8::try_from(body.len()).ok().filter(|len| *len < 192);
    Ok([&[len.ok_or_else(too_long)?][..], &body].concat())
}

/// A length of two bytes.
fn length(bytes: &[u8]) -> Result<[u8; 2], Error> {
    let len = u16::try_from(bytes.len()).map_err(|_| too_long())?;
    Ok(len.to_be_bytes())
}

/// A number as OpenPGP has it.
fn number(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let (_, digits) = bytes.split_at(zeros);
    let unused = digits.first().map_or(0, |first| first.leading_zeros());
    let bits = u32::try_from(digits.len()).ok();
    let bits = bits.and_then(|bytes| bytes.checked_mul(8)?.checked_sub(unused));
    let bits = bits.and_then(|bits| u16::try_from(bits).ok());
    Ok([&bits.ok_or_else(too_long)?.to_be_bytes()[..], digits].concat())
}

fn too_long() -> Error {
    Error::Encode {
        what: "an OpenPGP packet",
        reason: "a part of it is longer than its field can say".to_owned(),
    }
}
