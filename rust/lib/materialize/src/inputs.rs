//! Inputs must stay as they are while an image is made of them.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use plan::Reader;

use crate::error::Error;

/// How long each input is, and when it was last written to.
pub(crate) struct Snapshot(Vec<(u64, i64, i64)>);

impl Snapshot {
    pub(crate) fn take(reader: &Reader<File>) -> Result<Self, Error> {
        let mut all = Vec::with_capacity(reader.inputs().len());
        for (name, file) in reader.inputs() {
            let metadata = file.metadata().map_err(|source| plan::Error::Io {
                what: name.clone(),
                source,
            })?;
            all.push((metadata.len(), metadata.mtime(), metadata.mtime_nsec()));
        }
        Ok(Self(all))
    }

    /// Refuses what was made of inputs that differ from what they were.
    pub(crate) fn check(&self, reader: &Reader<File>) -> Result<(), Error> {
        let now = Self::take(reader)?;
        for ((name, _), (before, after)) in reader.inputs().iter().zip(self.0.iter().zip(&now.0)) {
            if before != after {
                return Err(Error::Changed { name: name.clone() });
            }
        }
        Ok(())
    }
}
