//! What is checked in: documents of every format that was ever released, which must stay readable, and the schemas.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::path::{Path, PathBuf};

use os_config::{Config, Document, HostConfig, Kind, Medium};
use serde_json::Value;

/// Whether files are written instead of compared.
#[expect(clippy::disallowed_methods, reason = "who runs the tests says so")]
fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// A path in the tree, from this package's folder or, under Bazel, from the root of the sources.
fn tree(path: &str) -> PathBuf {
    let here = Path::new("../../..");
    match here.join("docs/formats").exists() {
        true => here.join(path),
        false => PathBuf::from(path),
    }
}

fn fixture(name: &str) -> PathBuf {
    tree("rust/os/config/tests/data/v1").join(name)
}

const NAMES: [&str; 3] = ["full", "empty", "derived"];

/// What `NAME.ini` says, for a system of `kind`.
fn from_ini(name: &str, kind: Kind) -> Document {
    // Bazel's tests see files through links, which a medium must not have.
    let path = fixture(&format!("{name}.ini")).canonicalize().unwrap();
    let config = Medium::read_file(&path).unwrap().config;
    let guest = |host: HostConfig| match host.network.management_mac {
        Some(card) => host.on_machine(card).guest,
        None => host.guest,
    };
    match kind {
        // As a host hands it on, which is how every guest's comes about.
        Kind::Guest => Document::Guest(Box::new(guest(HostConfig::of(&config).unwrap()))),
        kind => Document::of(&config, kind).unwrap(),
    }
}

/// Files of format 1 are never changed, only added to: a machine may hold any of them.
#[test]
fn format_1_is_read_and_written() {
    for name in NAMES {
        for kind in Kind::ALL {
            let path = fixture(&format!("{name}.{kind}.json"));
            let document = from_ini(name, kind);
            if updating() && !path.exists() {
                std::fs::write(&path, document.to_json()).unwrap();
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let read = Document::parse(&path, text.as_bytes()).unwrap();
            assert_eq!(read, document, "{}", path.display());
            assert_eq!(read.to_json(), text, "{}", path.display());
        }
    }
}

/// `UPDATE_GOLDEN=1 cargo test -p os_config --test formats` writes them.
#[test]
fn schemas_are_those_of_the_types() {
    for kind in Kind::ALL {
        let path = tree(&format!("docs/formats/config.{kind}.schema.json"));
        if updating() {
            std::fs::write(&path, kind.schema()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let names = ("checked in", "the types'");
        let differences = base::text::unified(names, &text, &kind.schema(), 3);
        let how = "UPDATE_GOLDEN=1 cargo test -p os_config --test formats";
        assert!(
            differences.is_empty(),
            "{}: {how}\n{differences}",
            path.display()
        );
    }
}

/// Where `value` is not as `schema` says, as far as keywords go that need no engine for patterns.
fn violations(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let number = |name: &str| schema[name].as_u64();
    let good = (types.is_empty() || types.iter().any(|known| known == kind))
        && (schema["const"].is_null() || schema["const"] == *value)
        && schema["enum"]
            .as_array()
            .is_none_or(|words| words.contains(value))
        && value.as_u64().is_none_or(|n| {
            number("minimum").is_none_or(|least| n >= least)
                && number("maximum").is_none_or(|most| n <= most)
        });
    if !good {
        found.push(place.to_owned());
    }
    for item in value.as_array().into_iter().flatten() {
        violations(&schema["items"], item, &format!("{place}[]"), found);
    }
    if let Value::Object(map) = value {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            if !map.contains_key(name) {
                found.push(format!("{place}.{name}"));
            }
        }
        for (name, value) in map {
            let place = format!("{place}.{name}");
            match &schema["properties"][name] {
                Value::Null => found.push(place),
                schema => violations(schema, value, &place, found),
            }
        }
    }
}

/// A value of another type in place of each one in turn: schema and reader refuse it alike.
#[test]
fn schema_and_reader_agree() {
    for (name, kind) in NAMES
        .iter()
        .flat_map(|name| Kind::ALL.map(|kind| (name, kind)))
    {
        let schema: Value = serde_json::from_str(&kind.schema()).unwrap();
        let good = from_ini(name, kind).to_value();
        let judge = |value: &Value| {
            let mut found = Vec::new();
            violations(&schema, value, "", &mut found);
            let read = Document::parse(Path::new("x"), value.to_string().as_bytes());
            assert_eq!(
                found.is_empty(),
                read.is_ok(),
                "{value:#} {found:?} {read:?}"
            );
        };
        judge(&good);
        let mut places = Vec::new();
        pointers(&good, "", &mut places);
        for place in places {
            for other in [
                Value::from(0.5),
                Value::from(-1),
                Value::from(true),
                Value::Null,
                serde_json::json!([[]]),
                serde_json::json!({"x": 1}),
            ] {
                let mut bad = good.clone();
                *bad.pointer_mut(&place).unwrap() = other;
                judge(&bad);
            }
            let (parent, field) = place.rsplit_once('/').unwrap();
            let mut bad = good.clone();
            if let Some(map) = bad.pointer_mut(parent).and_then(Value::as_object_mut) {
                map.remove(field);
                judge(&bad);
            }
        }
    }
}

/// JSON pointers of everything below `value`.
fn pointers(value: &Value, place: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let place = format!("{place}/{name}");
        found.push(place.clone());
        pointers(child, &place, found);
    }
}

#[test]
fn a_default_configuration_is_one_of_no_keys() {
    let config = Config::default();
    assert_eq!(
        Document::of(&config, Kind::Setup).unwrap(),
        from_ini("empty", Kind::Setup)
    );
}
