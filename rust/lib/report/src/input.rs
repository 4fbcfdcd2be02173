//! Files that a report is made from.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::Error;

/// Opens the file at `path`.
pub(crate) fn open(path: &Path) -> Result<BufReader<File>, Error> {
    let file = File::open(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

/// The JSON document in the file at `path`.
pub(crate) fn json<T: DeserializeOwned>(path: &Path, want: &'static str) -> Result<T, Error> {
    serde_json::from_reader(open(path)?).map_err(|source| Error::Json {
        path: path.to_owned(),
        want,
        source,
    })
}
