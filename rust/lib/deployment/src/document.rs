//! The document: its types, what each field may hold, reading and writing.

use std::collections::BTreeMap;
use std::fmt;

use base::{as_u64, Sha256Digest};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Error;

/// The version of the format.
pub const VERSION: u32 = 2;
/// Longer files are refused unread.
pub const MOST_BYTES: u64 = 64 * 1024;
/// Most images in one document.
pub const MOST_IMAGES: usize = 64;
/// Most properties of one image or of the whole.
pub const MOST_PROPERTIES: usize = 64;

/// What is carried. Fields in the order of the alphabet: the order they are written in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// [`VERSION`].
    pub deployment: u32,
    /// The images.
    pub images: Vec<Image>,
    /// Name of the whole.
    pub name: String,
    /// What else is to be known of the whole.
    #[serde(deserialize_with = "unique")]
    pub properties: BTreeMap<String, String>,
    /// Version of the whole.
    pub version: String,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Its file, beside the document.
    pub file: String,
    /// The file's fs-verity digest, 64 lower-case hex digits.
    pub fsverity: String,
    /// What it is.
    pub name: String,
    /// What else is to be known of it.
    #[serde(deserialize_with = "unique")]
    pub properties: BTreeMap<String, String>,
    /// Length of the file.
    pub size: u64,
    /// Its version.
    pub version: String,
}

/// One of an image's texts.
type TextOf = fn(&Image) -> &str;

/// The one key that every version of the format has.
#[derive(Deserialize)]
struct Header {
    deployment: u64,
}

impl Deployment {
    /// Reads and checks a document.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let got = as_u64(bytes.len());
        if got > MOST_BYTES {
            let most = MOST_BYTES;
            return Err(Error::TooLarge { got, most });
        }
        // First, so that a later format is called that and not a wrong one of ours.
        let header: Header = serde_json::from_slice(bytes)?;
        if header.deployment != u64::from(VERSION) {
            let got = header.deployment;
            return Err(Error::Format { got });
        }
        let document: Self = serde_json::from_slice(bytes)?;
        document.check()?;
        Ok(document)
    }

    /// The text of the document; what [`Deployment::parse`] would refuse is not written.
    pub fn to_json(&self) -> Result<String, Error> {
        self.check()?;
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let got = as_u64(text.len());
        if got > MOST_BYTES {
            let most = MOST_BYTES;
            return Err(Error::TooLarge { got, most });
        }
        Ok(text)
    }

    fn check(&self) -> Result<(), Error> {
        if self.deployment != VERSION {
            let got = u64::from(self.deployment);
            return Err(Error::Format { got });
        }
        field("name", &self.name, is_name, NAME)?;
        field("version", &self.version, is_version, VERSION_TEXT)?;
        properties("properties", &self.properties)?;
        count("images", self.images.len(), 1, MOST_IMAGES)?;
        for (index, image) in self.images.iter().enumerate() {
            image.check(&format!("images[{index}]"))?;
            let fields: [(&str, TextOf); 2] = [("name", |i| &i.name), ("file", |i| &i.file)];
            for (what, get) in fields {
                let mut before = self.images.iter().take(index);
                if let Some(first) = before.position(|other| get(other) == get(image)) {
                    return Err(Error::Again {
                        place: format!("images[{index}].{what}"),
                        got: get(image).to_owned(),
                        first,
                    });
                }
            }
        }
        Ok(())
    }
}

impl Image {
    fn check(&self, place: &str) -> Result<(), Error> {
        let at = |name: &str| format!("{place}.{name}");
        field(&at("file"), &self.file, is_file, FILE)?;
        field(&at("fsverity"), &self.fsverity, is_sha256, SHA256)?;
        field(&at("name"), &self.name, is_name, NAME)?;
        field(&at("version"), &self.version, is_version, VERSION_TEXT)?;
        if self.size == 0 || i64::try_from(self.size).is_err() {
            return Err(Error::Field {
                place: at("size"),
                got: self.size.to_string(),
                want: "the length of a file that is not empty",
            });
        }
        properties(&at("properties"), &self.properties)
    }
}

const NAME: &str = "letters, digits and any of . - _, starting with a letter or digit, at most 64";
const FILE: &str =
    "a file name of letters, digits and any of . - _, starting with a letter or digit, at most 255";
const SHA256: &str = "64 lower-case hex digits";
const VERSION_TEXT: &str = "printable ASCII without spaces, at most 128";
const VALUE: &str = "printable ASCII, at most 256";

fn is_plain(text: &str, most: usize) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let first = text.bytes().next();
    text.len() <= most
        && first.is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(plain)
}

fn is_name(text: &str) -> bool {
    is_plain(text, 64)
}

fn is_file(text: &str) -> bool {
    is_plain(text, 255)
}

fn is_sha256(text: &str) -> bool {
    text.parse::<Sha256Digest>().is_ok()
}

fn is_version(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_value(text: &str) -> bool {
    text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

fn field(place: &str, got: &str, fits: fn(&str) -> bool, want: &'static str) -> Result<(), Error> {
    match fits(got) {
        true => Ok(()),
        false => Err(Error::Field {
            place: place.to_owned(),
            // It may be as long as the document.
            got: got.chars().take(80).collect(),
            want,
        }),
    }
}

fn properties(place: &str, map: &BTreeMap<String, String>) -> Result<(), Error> {
    count(place, map.len(), 0, MOST_PROPERTIES)?;
    for (key, value) in map {
        field(&format!("a key of {place}"), key, is_name, NAME)?;
        field(&format!("{place}.{key}"), value, is_value, VALUE)?;
    }
    Ok(())
}

fn count(place: &str, got: usize, least: usize, most: usize) -> Result<(), Error> {
    match (least..=most).contains(&got) {
        true => Ok(()),
        false => Err(Error::Count {
            place: place.to_owned(),
            got,
            least,
            most,
        }),
    }
}

/// A map that has each key once; serde's own takes the last of several.
fn unique<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Unique;
    impl<'de> Visitor<'de> for Unique {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of text")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = access.next_entry::<String, String>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format_args!("duplicate key {key:?}")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }
    from.deserialize_map(Unique)
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
