//! Authenticode: PKCS#7 signed data about the digest of an image.
//!
//! The digest stands in `SpcIndirectDataContent`, which every tool writes alike ([`CONTENT`]). Signed are, as PKCS#7 has it for
//! content that is no data, attributes: the content's type and the SHA-256 of the content without its tag and length. There
//! is no signing time among them.

use base::Sha256Digest;
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier,
    SignerInfo, SignerInfos,
};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Encode as _, Tag};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::Attribute;

use crate::certificate::Certificate;
use crate::error::Error;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const SPC_INDIRECT_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// `SpcIndirectDataContent` before the digest, without its own tag and length.
///
/// `SpcAttributeTypeAndOptionalValue`: `SPC_PE_IMAGE_DATA`, `SpcPeImageData` with no flags and the file's name, which nobody gives
/// any more ("<<<Obsolete>>>" in UTF-16); `DigestInfo`: SHA-256 and the digest, which follows.
const CONTENT: [u8; 72] = *b"\
    \x30\x33\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0f\x30\x25\x03\x01\x00\xa0\x20\xa2\x1e\x80\x1c\
    \0<\0<\0<\0O\0b\0s\0o\0l\0e\0t\0e\0>\0>\0>\
    \x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

fn content(image: &Sha256Digest) -> Vec<u8> {
    [&CONTENT[..], image.as_bytes()].concat()
}

/// What is signed to sign an image.
pub(crate) fn digest(image: &Sha256Digest) -> Result<Sha256Digest, Error> {
    // As a set of its own, not as the field that it is in the message (RFC 2315, 9.3).
    let attributes = attributes(image).and_then(|attributes| attributes.to_der());
    Ok(Sha256Digest::of(attributes.map_err(encode())?))
}

/// Refuses a digest to sign, of the item called `of`, that is not the one of `image`: whoever signs it would sign something else than
/// the request says.
pub(crate) fn check(of: &str, image: &Sha256Digest, got: &Sha256Digest) -> Result<(), Error> {
    let want = digest(image)?;
    if *got == want {
        return Ok(());
    }
    Err(Error::OtherImage {
        of: of.to_owned(),
        reason: format!("digest {got}, want {want} for image {image}"),
    })
}

/// The message. The signature is what it ends with.
pub(crate) fn signed_data(
    certificate: &Certificate,
    image: &Sha256Digest,
    signature: &[u8],
) -> Result<Vec<u8>, Error> {
    let message = message(certificate, image, signature);
    message.map_err(encode())
}

fn encode() -> impl Fn(der::Error) -> Error {
    Error::encode("PKCS#7 signed data")
}

fn message(
    certificate: &Certificate,
    image: &Sha256Digest,
    signature: &[u8],
) -> der::Result<Vec<u8>> {
    let sha256 = algorithm(SHA256)?;
    let tbs = &certificate.x509.tbs_certificate;
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: tbs.issuer.clone(),
            serial_number: tbs.serial_number.clone(),
        }),
        digest_alg: sha256.clone(),
        signed_attrs: Some(attributes(image)?),
        signature_algorithm: algorithm(RSA)?,
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    };
    let x509 = CertificateChoices::Certificate(certificate.x509.clone());
    let data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![sha256])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: SPC_INDIRECT_DATA,
            econtent: Some(Any::new(Tag::Sequence, content(image))?),
        },
        certificates: Some(CertificateSet(SetOfVec::try_from(vec![x509])?)),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::try_from(vec![signer])?),
    };
    let info = ContentInfo {
        content_type: SIGNED_DATA,
        content: Any::encode_from(&data)?,
    };
    info.to_der()
}

fn attributes(image: &Sha256Digest) -> der::Result<SignedAttributes> {
    let attribute = |oid, value: Any| -> der::Result<Attribute> {
        Ok(Attribute {
            oid,
            values: SetOfVec::try_from(vec![value])?,
        })
    };
    let of_content = Sha256Digest::of(content(image));
    let of_content = OctetString::new(of_content.as_bytes().as_slice())?;
    SetOfVec::try_from(vec![
        attribute(CONTENT_TYPE, Any::encode_from(&SPC_INDIRECT_DATA)?)?,
        attribute(MESSAGE_DIGEST, Any::encode_from(&of_content)?)?,
    ])
}

fn algorithm(oid: ObjectIdentifier) -> der::Result<AlgorithmIdentifierOwned> {
    Ok(AlgorithmIdentifierOwned {
        oid,
        parameters: Some(Any::new(Tag::Null, [])?),
    })
}
