//! Inputs must stay as they are while an image is made of them.

use plan::Reader;

use crate::error::Error;

/// Refuses what was made of inputs that are no longer what they were when they were opened.
pub(crate) fn check(reader: &Reader) -> Result<(), Error> {
    for (name, file) in reader.inputs() {
        let same = file.is_unchanged().map_err(|source| plan::Error::Io {
            what: name.clone(),
            source,
        })?;
        if !same {
            return Err(Error::Changed { name: name.clone() });
        }
    }
    Ok(())
}
