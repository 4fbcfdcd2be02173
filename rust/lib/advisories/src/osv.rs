//! Advisories in the form of OSV (Open Source Vulnerability format, schema 1.6): of Debian's sources and of crates.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::inventory::{Component, Ecosystem, Inventory};
use crate::severity::Severity;
use crate::source::{Advisories, Advisory, Event};

/// What is wanted, for errors.
const WANT: &str = "advisories in the form of OSV: objects with \"id\" and \"affected\"";

#[derive(Debug, Deserialize)]
struct Osv {
    id: String,
    #[serde(default)]
    aliases: BTreeSet<String>,
    #[serde(default)]
    upstream: BTreeSet<String>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    details: String,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default)]
    severity: Vec<Score>,
    affected: Vec<Affected>,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Debug, Deserialize)]
struct Score {
    score: String,
}

#[derive(Debug, Deserialize)]
struct Affected {
    #[serde(default)]
    package: Option<Package>,
    #[serde(default)]
    ranges: Vec<Range>,
    #[serde(default)]
    versions: BTreeSet<String>,
    #[serde(default)]
    severity: Vec<Score>,
    #[serde(default)]
    ecosystem_specific: Value,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Debug, Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    events: Vec<OsvEvent>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OsvEvent {
    Introduced(String),
    Fixed(String),
    LastAffected(String),
    Limit(serde::de::IgnoredAny),
}

/// Adds what `text` says of what is in `inventory`.
pub(crate) fn read(text: &str, inventory: &Inventory, to: &mut Advisories) -> Result<(), Error> {
    let failed = |source| Error::Json {
        what: WANT_ERROR,
        source,
    };
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        for one in list(value.map_err(failed)?)? {
            let osv: Osv = serde_json::from_value(one).map_err(failed)?;
            if osv.withdrawn.is_none() {
                add(&osv, inventory, to);
            }
        }
    }
    Ok(())
}

const WANT_ERROR: &str =
    "these are no advisories in the form of OSV (objects with \"id\" and \"affected\")";

/// The advisories of one JSON value.
fn list(value: Value) -> Result<Vec<Value>, Error> {
    let other = |got: String| Err(Error::Other { got, want: WANT });
    match value {
        Value::Array(all) => Ok(all),
        Value::Object(mut fields) => match fields.remove("vulns") {
            Some(Value::Array(all)) => Ok(all),
            Some(_) => other("\"vulns\" that is no list".to_owned()),
            None if fields.contains_key("id") => Ok(vec![Value::Object(fields)]),
            None => {
                let names: Vec<&str> = fields.keys().take(3).map(String::as_str).collect();
                other(format!("an object of {}", names.join(", ")))
            }
        },
        other_value => other(format!("the value {other_value}")),
    }
}

fn add(osv: &Osv, inventory: &Inventory, to: &mut Advisories) {
    for affected in &osv.affected {
        let Some(package) = &affected.package else {
            continue;
        };
        // One for each release that it is of: versions of two are not compared.
        let about = inventory
            .components
            .iter()
            .filter(|one| is_about(package, one));
        let about: BTreeSet<_> = about
            .map(|one| (one.ecosystem, one.distro.clone()))
            .collect();
        for (ecosystem, distro) in about {
            to.push(ecosystem, &package.name, advisory(osv, affected, distro));
        }
    }
}

fn advisory(osv: &Osv, affected: &Affected, distro: Option<String>) -> Advisory {
    let ranges = affected.ranges.iter().filter(|range| range.kind != "GIT");
    Advisory {
        id: osv.id.clone(),
        aliases: osv.aliases.clone(),
        upstream: osv.upstream.clone(),
        distro,
        severity: severity(osv, affected),
        summary: match osv.summary.is_empty() {
            true => osv.details.lines().next().unwrap_or_default().to_owned(),
            false => osv.summary.clone(),
        },
        ranges: ranges
            .map(|range| range.events.iter().filter_map(event).collect())
            .collect(),
        versions: affected.versions.clone(),
    }
}

/// Whether an advisory's package is a component: of the ecosystem `Debian:13` in one release, of `Debian` in all.
fn is_about(package: &Package, component: &Component) -> bool {
    let (name, release) = package
        .ecosystem
        .split_once(':')
        .unwrap_or((&package.ecosystem, ""));
    let is_of = match (name, component.ecosystem) {
        ("crates.io", Ecosystem::Crates) => true,
        ("Debian", Ecosystem::Debian) => {
            release.is_empty()
                || component
                    .release()
                    .is_none_or(|(number, _)| number == release)
        }
        _ => false,
    };
    is_of && component.name == package.name
}

fn event(event: &OsvEvent) -> Option<Event> {
    match event {
        OsvEvent::Introduced(version) => Some(Event::Introduced(version.clone())),
        OsvEvent::Fixed(version) => Some(Event::Fixed(version.clone())),
        OsvEvent::LastAffected(version) => Some(Event::LastAffected(version.clone())),
        // Where whoever wrote it stopped looking.
        OsvEvent::Limit(_) => None,
    }
}

/// The worst score, else the word that the database has for it.
fn severity(osv: &Osv, affected: &Affected) -> Option<Severity> {
    let scores = affected.severity.iter().chain(&osv.severity);
    let worst = scores
        .filter_map(|score| Severity::of_cvss(&score.score))
        .max();
    let word = |value: &Value| {
        let text = value
            .get("severity")
            .or_else(|| value.get("urgency"))?
            .as_str()?;
        Severity::of_word(text)
    };
    let words = [
        &affected.ecosystem_specific,
        &affected.database_specific,
        &osv.database_specific,
    ];
    worst.or_else(|| words.into_iter().find_map(word))
}
