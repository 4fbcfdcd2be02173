//! `config.json`: one document of one kind, read with everything that is wrong with it, and written the same way always.
//!
//! `docs/formats/config.md` describes the file.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{json, Map, Value};

use crate::convert::Pairs;
use crate::error::{Error, Problem};
use crate::part::{Part, Place};
use crate::settings::Settings;
use crate::typed::{GuestConfig, HostConfig, SetupConfig};
use crate::values::Format;

/// A `config.json` of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// For an installation medium.
    Setup(Box<SetupConfig>),
    /// For a host.
    Host(Box<HostConfig>),
    /// For the system in a virtual machine.
    Guest(Box<GuestConfig>),
}

/// Which system a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An installation medium.
    Setup,
    /// A host.
    Host,
    /// The system in a virtual machine.
    Guest,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Setup, Self::Host, Self::Guest];

    /// The word in the field `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Host => "host",
            Self::Guest => "guest",
        }
    }

    /// The system that `/opt/ic/share/os.json`, which is `identity`, says this is; `None` where there is no such file, or where the system
    /// has another name than the three.
    pub fn of_system(identity: &Path) -> Result<Option<Self>, Error> {
        let Some(bytes) = crate::store::read_file(identity)? else {
            return Ok(None);
        };
        let os = serde_json::from_slice::<Value>(&bytes)
            .ok()
            .and_then(|value| Some(value.get("os")?.as_str()?.to_owned()));
        let os = os.ok_or_else(|| Error::Invalid {
            path: identity.to_path_buf(),
            problems: vec![Problem::new(
                0,
                "not JSON with the field os, want the file that comes with the system",
            )],
        })?;
        let known = Self::ALL.iter().find(|kind| kind.system() == os);
        Ok(known.copied())
    }

    /// The system's name in `os.json`.
    pub fn system(self) -> &'static str {
        match self {
            Self::Setup => "setupos",
            Self::Host => "hostos",
            Self::Guest => "guestos",
        }
    }

    /// The JSON Schema of a document of this kind, as text.
    pub fn schema(self) -> String {
        let mut schema = match self {
            Self::Setup => SetupConfig::schema(),
            Self::Host => HostConfig::schema(),
            Self::Guest => GuestConfig::schema(),
        };
        if let Some(map) = schema.as_object_mut() {
            let draft = "https://json-schema.org/draft/2020-12/schema";
            map.insert("$schema".to_owned(), draft.into());
            let title = format!("config.json of kind {self}, format {}", Format::V1.number());
            map.insert("title".to_owned(), title.into());
        }
        format!("{schema:#}\n")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Document {
    /// Reads `bytes`; `path` is only for messages, which name fields as `host.network.mtu`.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let invalid = |problems| Error::Invalid {
            path: path.to_path_buf(),
            problems,
        };
        let value = match serde_json::from_slice::<Unique>(bytes) {
            Ok(Unique(value)) => value,
            Err(error) => {
                let problem = Problem::new(error.line(), format!("not JSON: {error}"));
                return Err(invalid(vec![problem]));
            }
        };
        let kind = head(&value).map_err(|problem| invalid(vec![problem]))?;
        let mut problems = Vec::new();
        let (place, problems_ref) = (Place::default(), &mut problems);
        let document = match kind {
            Kind::Setup => Part::read(&value, &place, problems_ref).map(Self::Setup),
            Kind::Host => Part::read(&value, &place, problems_ref).map(Self::Host),
            Kind::Guest => Part::read(&value, &place, problems_ref).map(Self::Guest),
        };
        match document {
            Some(document) if problems.is_empty() => Ok(document),
            _ => Err(invalid(problems)),
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Setup(_) => Kind::Setup,
            Self::Host(_) => Kind::Host,
            Self::Guest(_) => Kind::Guest,
        }
    }

    /// The file's text: fields in the order of the types, indented by two, a newline at the end.
    #[expect(
        clippy::expect_used,
        reason = "texts, numbers and lists, and no map with keys that are no text"
    )]
    pub fn to_json(&self) -> String {
        let text = match self {
            Self::Setup(setup) => serde_json::to_string_pretty(setup),
            Self::Host(host) => serde_json::to_string_pretty(host),
            Self::Guest(guest) => serde_json::to_string_pretty(guest),
        };
        text.expect("it is written to memory") + "\n"
    }

    /// The same as a value, to be put into other JSON.
    #[expect(clippy::expect_used, reason = "as above")]
    pub fn to_value(&self) -> Value {
        let value = match self {
            Self::Setup(setup) => serde_json::to_value(setup),
            Self::Host(host) => serde_json::to_value(host),
            Self::Guest(guest) => serde_json::to_value(guest),
        };
        value.expect("it is made of texts, numbers and lists")
    }

    /// The keys that say the same, for who asks by key.
    ///
    /// They go the way of every `config.ini`, so that both files mean the same by construction.
    pub(crate) fn settings(&self, path: &Path) -> Result<Settings, Error> {
        let pairs = match self {
            Self::Setup(setup) => Pairs::of_setup(setup),
            Self::Host(host) => Pairs::of_host(host),
            Self::Guest(guest) => Pairs::of_guest(guest),
        };
        Settings::parse(path, pairs.to_ini().as_bytes())
    }
}

impl<T: Part> Part for Box<T> {
    fn schema() -> Value {
        T::schema()
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        T::read(value, place, problems).map(Self::new)
    }
}

/// What the document is. A format that is not ours is told alone: the rest can't be judged.
fn head(value: &Value) -> Result<Kind, Problem> {
    let place = Place::default();
    let Value::Object(map) = value else {
        return Err(place.wrong(value, "an object with the fields kind and format"));
    };
    let field = |name: &str| {
        let missing = || {
            place
                .field(name)
                .problem("missing, and without it nothing can be read")
        };
        map.get(name).ok_or_else(missing)
    };
    let format = field("format")?;
    let mut problems = Vec::new();
    if Format::read(format, &place.field("format"), &mut problems).is_none() {
        let unread = || place.field("format").wrong(format, "1");
        return Err(problems.pop().unwrap_or_else(unread));
    }
    let kind = field("kind")?;
    let known = Kind::ALL.iter().find(|known| kind == known.as_str());
    known
        .copied()
        .ok_or_else(|| place.field("kind").wrong(kind, "setup, host or guest"))
}

/// JSON whose objects have each key once; serde_json's own value takes the last of several.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unique(item)) = from.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            if map.contains_key(&key) {
                let key = base::text::shorten(&key);
                return Err(A::Error::custom(format_args!("{key:?} is there twice")));
            }
            let Unique(value) = from.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
