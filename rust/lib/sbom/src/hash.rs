//! Digests of files in an image that nobody has written: read through the plans of what holds them.

use std::path::PathBuf;

use base::{as_u64, as_usize, Hasher, Sha256Digest};
use files::InputFile;
use plan::{Builder, ImageSet, Piece, Plan};
use sha1::{Digest, Sha1};
use tree::Entry;

use crate::error::Error;

/// Read at a time: small enough to be hashed out of the processor's cache.
const PART: usize = 1 << 18;
static ZEROS: [u8; PART] = [0; PART];

/// Both digests that a document has of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) sha1: String,
    pub(crate) sha256: Sha256Digest,
    pub(crate) len: u64,
}

/// Opened inputs of images.
pub(crate) struct Inputs(Vec<InputFile>);

impl Inputs {
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Self, Error> {
        let open = |path: &PathBuf| InputFile::open(path).map_err(Error::read(path));
        paths.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// The digests of what `plan` says.
    pub(crate) fn digests(&self, plan: &Plan) -> Result<Digests, Error> {
        let (mut sha1, mut sha256) = (Sha1::new(), Hasher::new());
        let mut add = |bytes: &[u8]| {
            sha1.update(bytes);
            sha256.update(bytes);
        };
        let mut buffer = vec![0; PART];
        for extent in plan.extents() {
            match extent.piece {
                Piece::Inline(bytes) => add(bytes),
                Piece::Zero => {
                    for at in (0..extent.len).step_by(PART) {
                        let len = as_u64(PART).min(extent.len.abs_diff(at));
                        add(ZEROS.get(..as_usize(len)).unwrap_or(&ZEROS));
                    }
                }
                Piece::Source { input, offset } => {
                    let file = self.0.get(as_usize(input)).ok_or_else(|| Error::NoPart {
                        what: format!("input {input} of a plan"),
                    })?;
                    // Extents of a plan lie within its inputs.
                    let end = offset.checked_add(extent.len).ok_or(plan::Error::TooLong)?;
                    for at in (offset..end).step_by(PART) {
                        let len = as_u64(PART).min(end.abs_diff(at));
                        let (part, _) = buffer.split_at_mut(as_usize(len));
                        file.read_exact_at(part, at)
                            .map_err(Error::read(file.path()))?;
                        add(part);
                    }
                }
            }
        }
        Ok(Digests {
            sha1: base::hex::encode(&sha1.finalize()),
            sha256: sha256.finish(),
            len: plan.len(),
        })
    }
}

/// The content of a regular file as a plan over `images`, which are what its tree's inputs stand for.
pub(crate) fn content(entry: &Entry, images: &ImageSet) -> Result<Plan, Error> {
    let mut builder = Builder::new(images.inputs());
    for (at, source) in entry.kind.pieces() {
        builder.zero_to(at)?;
        builder.range(images.plan(source.input)?, source.offset, source.len)?;
    }
    if let Some(len) = entry.kind.file_len() {
        builder.zero_to(len)?;
    }
    Ok(builder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_extent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        std::fs::write(&path, b"xxabcxx").unwrap();
        let mut builder = Builder::new(vec![plan::Input::of_len(7)]);
        builder.source(0, 2, 3).unwrap();
        builder.zero(300_000).unwrap();
        builder.inline(b"end").unwrap();
        let inputs = Inputs::open(&[path]).unwrap();
        let got = inputs.digests(&builder.finish().unwrap()).unwrap();
        let mut bytes = b"abc".to_vec();
        bytes.resize(300_003, 0);
        bytes.extend_from_slice(b"end");
        assert_eq!(got.sha256, Sha256Digest::of(&bytes));
        assert_eq!(got.sha1, base::hex::encode(&Sha1::digest(&bytes)));
        assert_eq!(got.len, 300_006);
        // FIPS 180: the empty text.
        let empty = Builder::new(Vec::new()).finish().unwrap();
        assert_eq!(
            inputs.digests(&empty).unwrap().sha1,
            "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        );
    }
}
