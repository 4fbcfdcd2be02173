//! The image as a compressed stream.

use std::fs::File;
use std::os::unix::fs::FileExt;

use base::as_u64;
use plan::Reader;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::inputs;
use crate::write::Options;

/// Writes the image into `file`, which must be empty, compressed so that it can be read from the middle (crate `seekable`).
/// Returns the digest of the compressed bytes, if one was wanted.
pub fn compress(
    reader: &Reader,
    file: &File,
    level: i32,
    options: &Options<'_>,
) -> Result<Option<[u8; 32]>, Error> {
    let params = seekable::Params {
        level,
        ..seekable::Params::default()
    };
    let mut hash = options.digest.then(Sha256::new);
    let mut at = 0u64;
    seekable::compress(reader, params, options.threads, |bytes, done| {
        file.write_all_at(bytes, at).map_err(Error::write(at))?;
        let end = at.checked_add(as_u64(bytes.len()));
        at = end.ok_or(plan::Error::TooLong)?;
        if let Some(hash) = &mut hash {
            hash.update(bytes);
        }
        (options.progress)(done);
        Ok::<(), Error>(())
    })?;
    inputs::check(reader)?;
    Ok(hash.map(|hash| hash.finalize().into()))
}
