//! Debian's security tracker as JSON: sources, their CVEs, and of each what it is in each release.

use std::collections::{BTreeMap, BTreeSet};

use base::as_u64;
use serde::Deserialize;

use crate::error::Error;
use crate::inventory::{Ecosystem, Inventory};
use crate::severity::Severity;
use crate::source::{Advisories, Advisory, Event};

/// A vulnerability of a source.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    description: String,
    releases: BTreeMap<String, InRelease>,
}

/// What it is in a release.
#[derive(Debug, Deserialize)]
struct InRelease {
    status: String,
    #[serde(default)]
    fixed_version: Option<String>,
    #[serde(default)]
    urgency: String,
}

/// Adds what `text` says of the sources in `inventory`, each in its own release or, if that is not known, in `release`.
pub(crate) fn read(
    text: &str,
    inventory: &Inventory,
    release: Option<&str>,
    to: &mut Advisories,
) -> Result<(), Error> {
    let sources: BTreeMap<String, BTreeMap<String, Entry>> = serde_json::from_str(text).map_err(|source| Error::Json {
        what: "this is not what Debian's security tracker gives away as JSON (an object of sources, each with its CVEs, each with its releases)",
        source,
    })?;
    let have = releases_of(&sources);
    // Two versions of a source may be of two releases.
    let mut wanted = BTreeSet::new();
    let own = inventory.components.iter();
    for component in own.filter(|one| one.ecosystem == Ecosystem::Debian) {
        let own = component.release().map(|(_, name)| name);
        let release = match own.or(release) {
            Some(release) => release,
            None => {
                return Err(Error::Release {
                    got: component
                        .distro
                        .clone()
                        .unwrap_or_else(|| "none".to_owned()),
                })
            }
        };
        if !have.contains(release) {
            return Err(no_release(release, &have));
        }
        wanted.insert((component.name.as_str(), component.distro.clone(), release));
    }
    let releases = wanted.iter().map(|one| one.2).collect();
    count(&sources, &releases, inventory, to)?;
    for (source, distro, release) in wanted {
        for (id, entry) in sources.get(source).into_iter().flatten() {
            let Some(own) = entry.releases.get(release) else {
                continue;
            };
            let Some(range) = range(own) else {
                continue;
            };
            let advisory = Advisory {
                id: id.clone(),
                aliases: BTreeSet::new(),
                upstream: BTreeSet::new(),
                distro: distro.clone(),
                severity: Severity::of_word(&own.urgency),
                summary: entry.description.clone(),
                ranges: vec![range],
                versions: BTreeSet::new(),
            };
            to.push(Ecosystem::Debian, source, advisory);
        }
    }
    Ok(())
}

/// All releases that anything is said of.
fn releases_of(sources: &BTreeMap<String, BTreeMap<String, Entry>>) -> BTreeSet<&str> {
    let entries = sources.values().flat_map(BTreeMap::values);
    let releases = entries.flat_map(|entry| entry.releases.keys());
    releases.map(String::as_str).collect()
}

/// Counts the vulnerabilities in `sources`, and those of them that are of one of `releases`.
fn count(
    sources: &BTreeMap<String, BTreeMap<String, Entry>>,
    releases: &BTreeSet<&str>,
    inventory: &Inventory,
    to: &mut Advisories,
) -> Result<(), Error> {
    let is_read = |entry: &&Entry| {
        let mut releases = releases.iter();
        releases.any(|release| entry.releases.contains_key(*release))
    };
    let all = sources.values().flat_map(BTreeMap::values);
    let read = as_u64(all.clone().filter(is_read).count());
    to.count(as_u64(all.count()), read, inventory)
}

fn no_release(release: &str, have: &BTreeSet<&str>) -> Error {
    let all: Vec<&str> = have.iter().copied().collect();
    Error::NoRelease {
        release: release.to_owned(),
        have: match all.is_empty() {
            true => "no release at all".to_owned(),
            false => all.join(", "),
        },
    }
}

/// Which versions are vulnerable; nothing if none is.
fn range(one: &InRelease) -> Option<Vec<Event>> {
    let mut events = vec![Event::Introduced("0".to_owned())];
    match (one.status.as_str(), one.fixed_version.as_deref()) {
        // `0`: this release never had it.
        ("resolved", Some("0") | None) => return None,
        (_, Some("0") | None) => {}
        (_, Some(version)) => events.push(Event::Fixed(version.to_owned())),
    }
    Some(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Component;

    #[test]
    fn releases_of_components() {
        let entry = |release: &str| {
            format!(r#"{{"releases": {{"{release}": {{"status": "open", "urgency": "low"}}}}}}"#)
        };
        let (trixie, bookworm) = (entry("trixie"), entry("bookworm"));
        let text = format!(r#"{{"x": {{"CVE-1": {trixie}, "CVE-2": {bookworm}}}}}"#);
        let ids = |distro: Option<&str>, release: Option<&str>| {
            let component = Component {
                ecosystem: Ecosystem::Debian,
                name: "x".to_owned(),
                version: "1".to_owned(),
                distro: distro.map(str::to_owned),
                in_image: BTreeSet::new(),
                within: BTreeSet::new(),
                is_code: true,
            };
            let inventory = Inventory {
                components: vec![component],
                images: Vec::new(),
            };
            let mut to = Advisories::default();
            read(&text, &inventory, release, &mut to)?;
            let all = to.about.into_values().flatten();
            Ok::<_, Error>(all.map(|one| one.id).collect::<Vec<_>>())
        };
        for distro in ["debian-13", "trixie", "trixie-security", "trixie-updates"] {
            for release in [None, Some("bookworm")] {
                assert_eq!(ids(Some(distro), release).unwrap(), ["CVE-1"], "{distro}");
            }
        }
        assert_eq!(ids(None, Some("bookworm")).unwrap(), ["CVE-2"]);
        assert!(ids(None, None).is_err());
        assert!(ids(Some("other-1"), Some("sid")).is_err());
    }

    #[test]
    fn what_a_release_says() {
        let of = |status: &str, fixed: Option<&str>| {
            range(&InRelease {
                status: status.to_owned(),
                fixed_version: fixed.map(str::to_owned),
                urgency: String::new(),
            })
            .map(|range| range.len())
        };
        assert_eq!(of("resolved", Some("1-2")), Some(2));
        assert_eq!(of("resolved", Some("0")), None);
        assert_eq!(of("open", None), Some(1));
        assert_eq!(of("undetermined", None), Some(1));
    }
}
