//! Arguments of the form `NAME=VALUE`.

use std::path::PathBuf;
use std::str::FromStr;

/// An argument without `=`, or with nothing or a line break before or after it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is not NAME=VALUE")]
pub struct BadPair {
    /// The argument.
    pub got: String,
}

/// `NAME=VALUE`; the value may be empty and may contain `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What stands before the first `=`.
    pub name: String,
    /// What stands after it.
    pub value: String,
}

impl FromStr for Pair {
    type Err = BadPair;

    fn from_str(text: &str) -> Result<Self, BadPair> {
        text.split_once('=')
            .filter(|(name, _)| !name.is_empty() && !name.contains(['\n', '\r', '\0']))
            .map(|(name, value)| Self {
                name: name.to_owned(),
                value: value.to_owned(),
            })
            .ok_or_else(|| BadPair {
                got: text.to_owned(),
            })
    }
}

/// `NAME=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// What the file is called in the result.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

impl FromStr for NamedFile {
    type Err = BadPair;

    fn from_str(text: &str) -> Result<Self, BadPair> {
        let pair = Pair::from_str(text)?;
        if pair.value.is_empty() {
            return Err(BadPair {
                got: text.to_owned(),
            });
        }
        Ok(Self {
            name: pair.name,
            path: pair.value.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        let file: NamedFile = "a=b=c".parse().unwrap();
        assert_eq!((file.name.as_str(), file.path), ("a", PathBuf::from("b=c")));
        assert!("a=".parse::<Pair>().is_ok());
        for bad in ["", "a", "=b", "a="] {
            assert!(bad.parse::<NamedFile>().is_err(), "{bad}");
        }
        assert!("a\nb=c".parse::<Pair>().is_err());
    }
}
