//! What is to be signed, as a document.

use base::bounded::{sum, without};
use base::{as_u64, as_usize, hex, Hasher, Sha256Digest};
use pe::Signable;
use plan::{ReadAt, Reader};
use serde::{Deserialize, Serialize};

use crate::authenticode;
use crate::certificate::Certificate;
use crate::error::Error;
use crate::openpgp;
use crate::prefix::Prefix;

/// The version of both documents.
pub(crate) const FORMAT: u32 = 1;

/// Digests to be signed by the key of one certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    format: u32,
    /// SHA-256 of the certificate's DER.
    pub certificate: Sha256Digest,
    /// What is to be signed, in this order.
    pub items: Vec<Item>,
}

/// Something to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Item {
    /// An EFI program.
    Authenticode {
        /// What it is called.
        name: String,
        /// Authenticode's SHA-256 of it, which `sbverify --list` and a firmware's `dbx` have.
        image: Sha256Digest,
        /// What is signed: SHA-256 of the signed attributes, which hold the image's digest.
        digest: Sha256Digest,
    },
    /// The file of an EFI program with its signature.
    OpenPgp {
        /// What the signature is called.
        name: String,
        /// The digest of the item whose signature stands in the file.
        after: Sha256Digest,
        /// The file before that signature.
        prefix: Prefix,
        /// What is hashed behind that signature, in hexadecimal digits: the end of the file, and what OpenPGP adds.
        suffix: String,
    },
}

impl Item {
    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Authenticode { name, .. } | Self::OpenPgp { name, .. } => name,
        }
    }
}

impl Request {
    /// What makes a signed image of the one in `reader`; with `detached`, an OpenPGP signature of that, too.
    pub fn of<R: ReadAt>(
        reader: &Reader<R>,
        certificate: &Certificate,
        name: &str,
        detached: bool,
    ) -> Result<Self, Error> {
        let signable = Signable::open(reader)?;
        let mut image = Hasher::new();
        for part in signable.hashed_head() {
            image.update(part);
        }
        let mut file = Prefix::default();
        file.update(&signed_head(&signable, certificate)?);
        signable.body(reader, |bytes| {
            image.update(bytes);
            if detached {
                file.update(bytes);
            }
        })?;
        let image = image.finish();
        let digest = authenticode::digest(&image)?;
        let mut items = vec![Item::Authenticode {
            name: name.to_owned(),
            image,
            digest,
        }];
        if detached {
            let (front, back) = around_signature(&signable, certificate, &image)?;
            file.update(&front);
            items.push(Item::OpenPgp {
                name: format!("{name}.sig"),
                after: digest,
                prefix: file,
                suffix: hex::encode(&[back, openpgp::suffix(certificate)?].concat()),
            });
        }
        Ok(Self {
            format: FORMAT,
            certificate: certificate.digest(),
            items,
        })
    }

    /// The document.
    pub fn to_json(&self) -> String {
        document(self)
    }

    /// Reads a document.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const WHAT: &str = "request";
        let request: Self = parse(WHAT, text)?;
        check_format(WHAT, request.format)?;
        Ok(request)
    }

    /// Checks that it is for the certificate's key.
    pub(crate) fn check(&self, certificate: &Certificate) -> Result<(), Error> {
        let (got, want) = (self.certificate, certificate.digest());
        if got != want {
            let what = "the request";
            return Err(Error::OtherCertificate { what, got, want });
        }
        Ok(())
    }
}

/// The headers that the signed image will have: its certificate table is as long for any digest and signature.
fn signed_head(signable: &Signable, certificate: &Certificate) -> Result<Vec<u8>, Error> {
    let (front, back) = around_signature(signable, certificate, &Sha256Digest([0; 32]))?;
    let len = [front.len(), certificate.signature_len(), back.len()];
    let len: usize = len.into_iter().sum();
    let len = u32::try_from(len).map_err(|_| Error::Encode {
        what: "the certificate table",
        reason: format!("{len} bytes are more than its field can say"),
    })?;
    Ok(signable.signed_head(len)?)
}

/// The certificate table of an image: what stands before the signature, and what behind it.
fn around_signature(
    signable: &Signable,
    certificate: &Certificate,
    image: &Sha256Digest,
) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let zeros = vec![0; certificate.signature_len()];
    let message = authenticode::signed_data(certificate, image, &zeros)?;
    let mut front = signable.table(&message)?;
    // The message ends with the signature; behind it the table has padding.
    let end = sum(as_u64(Signable::ENTRY_HEADER), as_u64(message.len()));
    let back = front.split_off(as_usize(end));
    front.truncate(as_usize(without(end, as_u64(zeros.len()))));
    Ok((front, back))
}

/// A document of this format, as all of ours: one line of JSON would be hard to read, and this is for people, too.
pub(crate) fn document<T: Serialize>(value: &T) -> String {
    #[expect(
        clippy::expect_used,
        reason = "our documents are structs, lists, texts and numbers, which JSON has"
    )]
    let text = serde_json::to_string_pretty(value).expect("a document is JSON");
    text + "\n"
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Document {
        what,
        reason: error.to_string(),
    })
}

pub(crate) fn check_format(what: &'static str, format: u32) -> Result<(), Error> {
    if format != FORMAT {
        let reason = format!("format {format}, want {FORMAT}");
        return Err(Error::Document { what, reason });
    }
    Ok(())
}
