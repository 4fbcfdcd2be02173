//! The signed image.

use base::Sha256Digest;
use pe::Signable;
use plan::{Plan, ReadAt, Reader};

use crate::authenticode;
use crate::certificate::Certificate;
use crate::error::Error;
use crate::openpgp;
use crate::request::{Item, Request};
use crate::signatures::{file_digest, Signatures};

/// A signed image, and its detached signature.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The image with its certificate table.
    pub plan: Plan,
    /// The OpenPGP signature of that, if the request has one.
    pub detached: Option<Vec<u8>>,
}

impl Signed {
    /// Puts signatures to the image in `reader`, of which `request` says the digests. Of the image only the headers are read: that
    /// the request is about it, whoever made the request has seen to.
    pub fn of<R: ReadAt>(
        reader: &Reader<R>,
        certificate: &Certificate,
        request: &Request,
        signatures: &[Signatures],
    ) -> Result<Self, Error> {
        request.check(certificate)?;
        let signable = Signable::open(reader)?;
        let mut plan = None;
        let mut first = Vec::new();
        let mut detached = None;
        for item in &request.items {
            match item {
                Item::Authenticode {
                    name,
                    image,
                    digest,
                } => {
                    authenticode::check(name, image, digest)?;
                    first = find(signatures, certificate, name, digest)?;
                    let message = authenticode::signed_data(certificate, image, &first)?;
                    let table = signable.table(&message)?;
                    plan = Some(signable.attach(reader.plan(), &table)?);
                }
                Item::OpenPgp {
                    name,
                    prefix,
                    suffix,
                    ..
                } => {
                    let digest = file_digest(name, prefix, &first, suffix)?;
                    let signature = find(signatures, certificate, name, &digest)?;
                    detached = Some(openpgp::signature(certificate, &digest, &signature)?);
                }
            }
        }
        let plan = plan.ok_or_else(|| Error::Document {
            what: "request",
            reason: "it asks for no signature of an EFI program".to_owned(),
        })?;
        Ok(Self { plan, detached })
    }
}

fn find(
    signatures: &[Signatures],
    certificate: &Certificate,
    of: &str,
    digest: &Sha256Digest,
) -> Result<Vec<u8>, Error> {
    for list in signatures {
        if let Some(signature) = list.get(certificate, of, digest)? {
            return Ok(signature);
        }
    }
    Err(Error::NotSigned {
        of: of.to_owned(),
        digest: *digest,
        have: signatures.iter().map(|list| list.signatures.len()).sum(),
    })
}
