//! Parts of `config.json`: for each type its JSON Schema, and how it is read with everything that is wrong told at once.
//!
//! Both come from the type itself: [`record!`] takes the struct as it stands, with its comments, so that no second list of
//! fields can differ from it. serde alone would do for good files; of a bad one it tells the first problem, takes the last of
//! two equal keys, and has no word for a missing one that is an `Option`.
//!
//! Every field is always there; what is not set is `null`. So a file says everything, and a reader that misses a field knows
//! that the writer did not know it.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{json, Map, Value};

use crate::error::Problem;

/// A field of the document, as `guest.network.name_servers[1]`; the document itself is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place(String);

impl Place {
    pub(crate) fn field(&self, name: &str) -> Self {
        match self.0.is_empty() {
            true => Self(name.to_owned()),
            false => Self(format!("{}.{name}", self.0)),
        }
    }

    pub(crate) fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// What is wrong here.
    pub(crate) fn problem(&self, text: impl AsRef<str>) -> Problem {
        let place = if self.0.is_empty() {
            "document"
        } else {
            &self.0
        };
        Problem::new(0, format!("{place}: {}", text.as_ref()))
    }

    /// `value` came where `want` was wanted.
    pub(crate) fn wrong(&self, value: &Value, want: &str) -> Problem {
        let got = match value {
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
            other => base::text::shorten(&other.to_string()).into_owned(),
        };
        self.problem(format!("got {got}, want {want}"))
    }
}

/// A type that a document is made of.
pub(crate) trait Part: Sized {
    /// What its JSON may be, in JSON Schema (draft 2020-12).
    fn schema() -> Value;

    /// Reads `value`; `None` comes with at least one problem.
    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self>;
}

/// An object that is being read.
pub(crate) struct Object<'a> {
    map: &'a Map<String, Value>,
    place: &'a Place,
}

impl<'a> Object<'a> {
    /// `value` as an object of exactly `fields`: each that is missing or unknown is a problem.
    pub(crate) fn open(
        value: &'a Value,
        place: &'a Place,
        fields: &[&str],
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let Value::Object(map) = value else {
            problems.push(place.wrong(value, &format!("an object of {}", fields.join(", "))));
            return None;
        };
        for key in map.keys().filter(|key| !fields.contains(&key.as_str())) {
            let shown = base::text::shorten(key);
            let text = match base::text::nearest(key, fields) {
                Some(known) => format!("unknown field, did you mean {known}?"),
                None => format!("unknown field, want {}", fields.join(", ")),
            };
            problems.push(place.field(&shown).problem(text));
        }
        let missing = fields.iter().filter(|field| !map.contains_key(**field));
        problems.extend(missing.map(|field| {
            let text = "missing; what is not set is null, and every field is there";
            place.field(field).problem(text)
        }));
        Some(Self { map, place })
    }

    /// The field `name`; a missing one is a problem already.
    pub(crate) fn take<T: Part>(&self, name: &str, problems: &mut Vec<Problem>) -> Option<T> {
        T::read(self.map.get(name)?, &self.place.field(name), problems)
    }

    /// The field `kind`, which says what the object is.
    pub(crate) fn kind(&self, want: &str, problems: &mut Vec<Problem>) {
        match self.map.get("kind") {
            Some(Value::String(kind)) if kind == want => {}
            Some(other) => {
                let place = self.place.field("kind");
                problems.push(place.wrong(other, &format!("{want:?}")));
            }
            None => {}
        }
    }
}

/// The schema of an object of exactly `fields`: name, comment, schema.
pub(crate) fn object_schema(about: &str, fields: Vec<(&str, &str, Value)>) -> Value {
    let names: Vec<&str> = fields.iter().map(|(name, ..)| *name).collect();
    let mut properties = Map::new();
    for (name, comment, mut schema) in fields {
        if let Some(schema) = schema.as_object_mut().filter(|_| !comment.is_empty()) {
            schema.insert("description".to_owned(), comment.trim().into());
        }
        properties.insert(name.to_owned(), schema);
    }
    json!({
        "type": "object",
        "description": about.trim(),
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}

/// For serde: all problems as one message.
pub(crate) fn from_serde<'de, T: Part, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let value = Value::deserialize(from)?;
    let mut problems = Vec::new();
    match T::read(&value, &Place::default(), &mut problems) {
        Some(part) if problems.is_empty() => Ok(part),
        _ => {
            let texts: Vec<String> = problems.into_iter().map(|p| p.text).collect();
            Err(D::Error::custom(texts.join("; ")))
        }
    }
}

impl Part for bool {
    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        let read = value.as_bool();
        if read.is_none() {
            problems.push(place.wrong(value, "true or false"));
        }
        read
    }
}

impl Part for u64 {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX })
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        let read = value.as_u64();
        if read.is_none() {
            let want = format!("a whole number from 0 to {}", u64::MAX);
            problems.push(place.wrong(value, &want));
        }
        read
    }
}

/// What may not be set.
impl<T: Part> Part for Option<T> {
    fn schema() -> Value {
        let mut schema = T::schema();
        if let Some(kind) = schema.get_mut("type") {
            *kind = json!([kind.take(), "null"]);
        }
        if let Some(Value::Array(words)) = schema.get_mut("enum") {
            words.push(Value::Null);
        }
        schema
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::read(value, place, problems).map(Some),
        }
    }
}

impl<T: Part> Part for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        let Value::Array(items) = value else {
            problems.push(place.wrong(value, "a list"));
            return None;
        };
        // All of them are looked at, also behind a bad one.
        let read: Vec<Option<T>> = (0..)
            .zip(items)
            .map(|(index, item)| T::read(item, &place.item(index), problems))
            .collect();
        read.into_iter().collect()
    }
}

/// A string through `parse`, which says what it wants instead.
pub(crate) fn read_text<T>(
    value: &Value,
    place: &Place,
    problems: &mut Vec<Problem>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let parsed = match value {
        Value::String(text) => parse(text),
        // What would be wanted of no text at all is what is wanted.
        _ => parse("").and(Err("text".to_owned())),
    };
    match parsed {
        Ok(part) => Some(part),
        Err(want) => {
            problems.push(place.wrong(value, &want));
            None
        }
    }
}

/// A struct as an object of exactly its fields, with its comments in the schema; with `as "KIND"` it has a field `kind` as well,
/// with `checked FUNCTION` that says what is wrong with fields together.
macro_rules! record {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident $(as $kind:literal)? {
            $( $(#[doc = $comment:literal])* pub $field:ident: $type:ty, )*
        }
        $(checked $check:path)?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
        $(#[serde(tag = "kind", rename = $kind)])?
        pub struct $name {
            $( $(#[doc = $comment])* pub $field: $type, )*
        }

        impl $crate::part::Part for $name {
            fn schema() -> serde_json::Value {
                $crate::part::object_schema(concat!($($about),*), vec![
                    $( ("kind", "What this is.", serde_json::json!({ "const": $kind })), )?
                    $( (
                        stringify!($field),
                        concat!($($comment),*),
                        <$type as $crate::part::Part>::schema(),
                    ), )*
                ])
            }

            fn read(
                value: &serde_json::Value,
                place: &$crate::part::Place,
                problems: &mut Vec<$crate::error::Problem>,
            ) -> Option<Self> {
                let fields = [$( { let _ = $kind; "kind" }, )? $( stringify!($field), )*];
                let object = $crate::part::Object::open(value, place, &fields, problems)?;
                $( object.kind($kind, problems); )?
                $( let $field = object.take(stringify!($field), problems); )*
                let read = Self { $( $field: $field?, )* };
                $( $check(&read, place, problems); )?
                Some(read)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::part::from_serde(from)
            }
        }
    };
}
pub(crate) use record;
