//! Advisories in the form of OSV (Open Source Vulnerability format, schema 1.6): of Debian's sources and of crates.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};
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
    #[serde(default, deserialize_with = "or_none")]
    aliases: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_none")]
    upstream: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_none")]
    summary: String,
    #[serde(default, deserialize_with = "or_none")]
    details: String,
    #[serde(default, deserialize_with = "or_none")]
    severity: Vec<Score>,
    #[serde(default, deserialize_with = "or_none")]
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
    #[serde(default, deserialize_with = "or_none")]
    ranges: Vec<Range>,
    #[serde(default, deserialize_with = "or_none")]
    versions: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_none")]
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

/// A field for which `null` stands where there is nothing.
fn or_none<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Adds what `text` says of what is in `inventory`.
pub(crate) fn read(text: &str, inventory: &Inventory, to: &mut Advisories) -> Result<(), Error> {
    let failed = |source| Error::Json {
        what: WANT_ERROR,
        source,
    };
    let mut all = 0;
    let mut read = 0;
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        for one in list(value.map_err(failed)?)? {
            all = base::past(all, 1);
            // Whatever else it says.
            if one.get("withdrawn").is_some_and(|day| !day.is_null()) {
                continue;
            }
            let osv: Osv = serde_json::from_value(one).map_err(failed)?;
            let mut packages = osv.affected.iter().filter_map(|one| one.package.as_ref());
            if packages.any(|package| inventory.components.iter().any(|one| is_of(package, one))) {
                read = base::past(read, 1);
            }
            add(&osv, inventory, to);
        }
    }
    to.count(all, read, inventory)
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

/// Whether an advisory's package is a component.
fn is_about(package: &Package, component: &Component) -> bool {
    component.name == package.name && is_of(package, component)
}

/// Whether an advisory's package is of a component's ecosystem: of `Debian:13` in one release, of `Debian` in all.
fn is_of(package: &Package, component: &Component) -> bool {
    let (name, release) = package
        .ecosystem
        .split_once(':')
        .unwrap_or((&package.ecosystem, ""));
    match (name, component.ecosystem) {
        ("crates.io", Ecosystem::Crates) => true,
        ("Debian", Ecosystem::Debian) => {
            release.is_empty()
                || component
                    .release()
                    .is_none_or(|(number, _)| number == release)
        }
        _ => false,
    }
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

/// The worst score, else the word that the database has for it. Scores none of which is understood are high where no word is.
fn severity(osv: &Osv, affected: &Affected) -> Option<Severity> {
    let scores = affected.severity.iter().chain(&osv.severity);
    let scores: Vec<Option<Severity>> = scores
        .map(|score| Severity::of_cvss(&score.score))
        .collect();
    let unread = (!scores.is_empty()).then_some(Severity::High);
    let worst = scores.into_iter().flatten().max();
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
    let said = || words.into_iter().find_map(word);
    worst.or_else(said).or(unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory() -> Inventory {
        let component = Component {
            ecosystem: Ecosystem::Crates,
            name: "x".to_owned(),
            version: "1.0.0".to_owned(),
            distro: None,
            in_image: BTreeSet::new(),
            within: BTreeSet::new(),
            is_code: true,
        };
        Inventory {
            components: vec![component],
            images: Vec::new(),
        }
    }

    const AFFECTED: &str = r#""affected": [{"package": {"ecosystem": "crates.io", "name": "x"}, "versions": ["1.0.0"]}]"#;

    #[test]
    fn severities() {
        for (more, want) in [
            ("", None),
            (r#""severity": null,"#, None),
            (
                r#""database_specific": {"severity": "LOW"},"#,
                Some(Severity::Low),
            ),
            (
                r#""severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}],"#,
                Some(Severity::High),
            ),
            (
                r#""severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}], "database_specific": {"severity": "CRITICAL"},"#,
                Some(Severity::Critical),
            ),
            (
                r#""severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}, {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N"}],"#,
                Some(Severity::Low),
            ),
        ] {
            let mut to = Advisories::default();
            read(
                &format!(r#"{{"id": "A", {more} {AFFECTED}}}"#),
                &inventory(),
                &mut to,
            )
            .unwrap();
            let got: Vec<_> = to
                .about
                .values()
                .flatten()
                .map(|one| one.severity)
                .collect();
            assert_eq!(got, [want], "{more}");
        }
    }

    #[test]
    fn records_with_little_in_them() {
        let text = format!(
            r#"[{{"id": "A", {AFFECTED}}}, {{"id": "B"}}, {{"id": "C", "affected": null, "aliases": null}}, {{"withdrawn": "2026-01-01T00:00:00Z", "affected": 1}},
            {{"id": "D", "affected": [{{"package": {{"ecosystem": "crates.io", "name": "y"}}, "ranges": null}}]}}]"#
        );
        let mut to = Advisories::default();
        read(&text, &inventory(), &mut to).unwrap();
        assert_eq!(to.about.values().flatten().count(), 1);
        assert_eq!(to.read, 2);
    }

    #[test]
    fn files_with_nothing_in_them() {
        let other =
            r#"{"id": "A", "affected": [{"package": {"ecosystem": "Debian:13", "name": "x"}}]}"#;
        for (text, count) in [
            ("", 0),
            ("[]", 0),
            (r#"{"vulns": []}"#, 0),
            (r#"{"id": "A"}"#, 1),
            (other, 1),
        ] {
            let error = read(text, &inventory(), &mut Advisories::default()).unwrap_err();
            let want = format!("nothing was read: of its {count} advisories none is of crates.io, which is what is in the image");
            assert_eq!(error.to_string(), want, "{text}");
        }
    }
}
