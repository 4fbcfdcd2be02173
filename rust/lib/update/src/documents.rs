//! What the JSON files have in common: one text for one meaning, and an error that says where another one differs.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use std::fmt::Display;

/// A field whose value is of the right kind and not right all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: got {got}, want {want}")]
pub struct Fault {
    /// Where.
    pub field: String,
    /// What came.
    pub got: String,
    /// What was wanted.
    pub want: String,
}

impl Fault {
    pub(crate) fn of(field: impl Display, got: impl Display, want: impl Display) -> Self {
        Self {
            field: field.to_string(),
            got: got.to_string(),
            want: want.to_string(),
        }
    }
}

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No JSON of the expected form.
    #[error("{name}: {source}")]
    Json {
        /// The file.
        name: &'static str,
        /// Line, column, and what is wrong there.
        source: serde_json::Error,
    },
    /// A field has no right value.
    #[error("{name}: {fault}")]
    Field {
        /// The file.
        name: &'static str,
        /// Which, and what is wrong with it.
        fault: Fault,
    },
    /// More bytes than a file of that kind has.
    #[error("{name}: got {got} bytes, want at most {max}")]
    Long {
        /// The file.
        name: &'static str,
        /// Its length.
        got: usize,
        /// The most.
        max: usize,
    },
    /// The same meaning in another text.
    #[error("{name}: line {line} is not written as it is written here: let `mkupdate` make the file, and change nothing in it")]
    Form {
        /// The file.
        name: &'static str,
        /// The first line that differs.
        line: usize,
    },
}

/// The number of a format, the only one that is read and written here.
pub(crate) struct Format {
    pub(crate) number: u64,
    /// What a file of another one means, and what to do.
    pub(crate) remedy: &'static str,
}

impl Format {
    /// Refuses another number, or what is none.
    pub(crate) fn check(&self, got: &Value) -> Result<(), Fault> {
        let Self { number, remedy } = self;
        if got.as_u64() == Some(*number) {
            return Ok(());
        }
        let got = got.to_string();
        let want = format!("{number}: {remedy}");
        Err(Fault::of("format", base::text::shorten(&got), want))
    }
}

/// A JSON file of ours.
pub(crate) trait Document: Serialize + DeserializeOwned {
    /// What it is called.
    const NAME: &'static str;
    /// The most bytes it has.
    const MAX: usize;
    /// The format that is known here, of files that have a field `format`.
    const KNOWN: Option<Format> = None;

    /// What types alone don't say.
    fn check(&self) -> Result<(), Fault>;
}

/// Reads a file in whatever layout people gave it.
pub(crate) fn parse<D: Document>(bytes: &[u8]) -> Result<D, Error> {
    if bytes.len() > D::MAX {
        let (name, got, max) = (D::NAME, bytes.len(), D::MAX);
        return Err(Error::Long { name, got, max });
    }
    // First: in another format there are other fields, and to say that one is unknown would send a reader the wrong way.
    if let (Some(known), Ok(head)) = (D::KNOWN, serde_json::from_slice::<Head>(bytes)) {
        known.check(&head.format).map_err(fault_of::<D>)?;
    }
    let document: D = serde_json::from_slice(bytes).map_err(|source| Error::Json {
        name: D::NAME,
        source,
    })?;
    checked(&document)?;
    Ok(document)
}

/// What a file of any format has.
#[derive(Deserialize)]
struct Head {
    format: Value,
}

/// Reads a file that has the one text that [`to_json`] gives it.
pub(crate) fn parse_exact<D: Document>(bytes: &[u8]) -> Result<D, Error> {
    let document: D = parse(bytes)?;
    let want = to_json(&document)?;
    if want.as_bytes() == bytes {
        return Ok(document);
    }
    let lines = want.as_bytes().split(|byte| *byte == b'\n');
    let same = lines.zip(bytes.split(|byte| *byte == b'\n'));
    let line = (1..).zip(same).find(|(_, (want, got))| want != got);
    let line = line.map_or_else(|| want.lines().count(), |(line, _)| line);
    Err(Error::Form {
        name: D::NAME,
        line,
    })
}

/// The text of a file.
pub(crate) fn to_json<D: Document>(document: &D) -> Result<String, Error> {
    checked(document)?;
    let text = serde_json::to_string_pretty(document);
    let mut text = text.map_err(|source| Error::Json {
        name: D::NAME,
        source,
    })?;
    text.push('\n');
    Ok(text)
}

fn checked<D: Document>(document: &D) -> Result<(), Error> {
    document.check().map_err(fault_of::<D>)
}

fn fault_of<D: Document>(fault: Fault) -> Error {
    let name = D::NAME;
    Error::Field { name, fault }
}
