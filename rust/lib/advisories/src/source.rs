//! Advisories, whatever form they come in.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::inventory::{Component, Ecosystem, Inventory};
use crate::severity::Severity;
use crate::{osv, semver, tracker};

/// The form of a file of advisories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// What Debian's security tracker gives away as JSON: source, CVE, releases.
    DebianTracker,
    /// OSV: an object, a list of them, an object with a list `vulns`, or objects one behind the other.
    Osv,
}

impl Format {
    /// The form that `text` seems to have. Reading says whether it has.
    pub fn of(text: &str) -> Self {
        match text.trim_start().starts_with('[')
            || text.contains("\"affected\"")
            || text.contains("\"vulns\"")
        {
            true => Self::Osv,
            false => Self::DebianTracker,
        }
    }
}

/// Something that happened at a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// From here on it is vulnerable; `0` is before every version.
    Introduced(String),
    /// From here on it is not.
    Fixed(String),
    /// Behind this one it is not.
    LastAffected(String),
}

/// What an advisory says of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advisory {
    pub(crate) id: String,
    /// Other names of the same.
    pub(crate) aliases: BTreeSet<String>,
    /// The vulnerabilities that it gathers, as an advisory of a distribution does: each of them is less than the whole.
    pub(crate) upstream: BTreeSet<String>,
    /// Of Debian the distribution, as the component names it; nothing if it is of all.
    pub(crate) distro: Option<String>,
    /// Nothing if it is left open.
    pub(crate) severity: Option<Severity>,
    pub(crate) summary: String,
    /// Any of them.
    pub(crate) ranges: Vec<Vec<Event>>,
    /// Versions by name.
    pub(crate) versions: BTreeSet<String>,
}

/// Advisories by what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advisories {
    pub(crate) about: BTreeMap<(Ecosystem, String), Vec<Advisory>>,
    /// How many were read that are of the components' ecosystems, whatever package they are about.
    pub(crate) read: u64,
}

impl Advisories {
    /// Adds those in `text` that may concern what is in `inventory`; a file that has none of its ecosystems is refused. `release` is the one that Debian's tracker is asked for
    /// of components whose own is not known.
    pub fn add(
        &mut self,
        text: &str,
        format: Format,
        inventory: &Inventory,
        release: Option<&str>,
    ) -> Result<(), Error> {
        match format {
            Format::DebianTracker => tracker::read(text, inventory, release, self),
            Format::Osv => osv::read(text, inventory, self),
        }
    }

    /// Counts what a file had: `all` advisories, `read` of them of the components' ecosystems. None is an error: it would look as if nothing was
    /// to be found.
    pub(crate) fn count(
        &mut self,
        all: u64,
        read: u64,
        inventory: &Inventory,
    ) -> Result<(), Error> {
        if read == 0 {
            let own = inventory.components.iter();
            let wanted: BTreeSet<&str> = own.map(|one| one.ecosystem.name()).collect();
            return Err(Error::Nothing {
                all,
                wanted: wanted.into_iter().collect::<Vec<_>>().join(" or "),
            });
        }
        self.read = base::past(self.read, base::as_usize(read));
        Ok(())
    }

    pub(crate) fn push(&mut self, ecosystem: Ecosystem, name: &str, advisory: Advisory) {
        let key = (ecosystem, name.to_owned());
        self.about.entry(key).or_default().push(advisory);
    }
}

/// Which of two versions of an ecosystem is newer.
fn compare(ecosystem: Ecosystem, a: &str, b: &str) -> Ordering {
    match ecosystem {
        Ecosystem::Debian => debian::compare_versions(a, b),
        Ecosystem::Crates => semver::compare(a, b),
    }
}

impl Event {
    fn version(&self) -> &str {
        match self {
            Self::Introduced(version) | Self::Fixed(version) | Self::LastAffected(version) => {
                version
            }
        }
    }
}

impl Advisory {
    /// Whether `id` is a name of it.
    pub(crate) fn is(&self, id: &str) -> bool {
        self.id == id || self.aliases.contains(id)
    }

    /// Whether `component` is vulnerable.
    pub(crate) fn concerns(&self, component: &Component) -> bool {
        let is_of = self.distro.is_none() || self.distro == component.distro;
        let is_named = self.versions.contains(&component.version);
        is_of && (is_named || self.ranges.iter().any(|range| within(range, component)))
    }

    /// The first version, after the component's, in which it is fixed; nothing if none is.
    pub(crate) fn fixed(&self, component: &Component) -> Option<&str> {
        let order = |a: &str, b: &str| compare(component.ecosystem, a, b);
        let events = self.ranges.iter().flatten();
        let fixed = events.filter_map(|event| match event {
            Event::Fixed(version) if order(version, &component.version).is_gt() => {
                Some(version.as_str())
            }
            _ => None,
        });
        fixed.min_by(|a, b| order(a, b))
    }
}

/// Whether a range has the component's version: the last event up to it decides.
fn within(range: &[Event], component: &Component) -> bool {
    let order = |a: &str, b: &str| match (a, b) {
        ("0", "0") => Ordering::Equal,
        // Before every version, `0~` among them.
        ("0", _) => Ordering::Less,
        (_, "0") => Ordering::Greater,
        _ => compare(component.ecosystem, a, b),
    };
    let mut events: Vec<&Event> = range.iter().collect();
    // What ends a stretch comes before what begins another one at the same version.
    let starts = |event: &Event| matches!(event, Event::Introduced(_));
    events.sort_by(|a, b| order(a.version(), b.version()).then_with(|| starts(a).cmp(&starts(b))));
    let mut vulnerable = false;
    for event in events {
        let at = order(event.version(), &component.version);
        match event {
            Event::Introduced(_) if at.is_le() => vulnerable = true,
            Event::Fixed(_) if at.is_le() => vulnerable = false,
            Event::LastAffected(_) if at.is_lt() => vulnerable = false,
            _ => {}
        }
    }
    vulnerable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(ecosystem: Ecosystem, version: &str) -> Component {
        Component {
            ecosystem,
            name: "x".to_owned(),
            version: version.to_owned(),
            distro: None,
            in_image: BTreeSet::new(),
            within: BTreeSet::new(),
            is_code: true,
        }
    }

    #[test]
    fn ranges() {
        let of = |events: &[(&str, &str)]| -> Vec<Event> {
            let event = |(what, version): &(&str, &str)| match *what {
                "introduced" => Event::Introduced((*version).to_owned()),
                "fixed" => Event::Fixed((*version).to_owned()),
                _ => Event::LastAffected((*version).to_owned()),
            };
            events.iter().map(event).collect()
        };
        let two = of(&[
            ("introduced", "2.0.0"),
            ("fixed", "1.5.0"),
            ("fixed", "2.1.0"),
            ("introduced", "0"),
        ]);
        for (version, want) in [
            ("0.0.0-0", true),
            ("1.4.9", true),
            ("1.5.0", false),
            ("2.0.0-rc.1", false),
            ("2.0.0", true),
            ("2.1.0", false),
        ] {
            assert_eq!(
                within(&two, &component(Ecosystem::Crates, version)),
                want,
                "{version}"
            );
        }
        let last = of(&[("introduced", "1.0"), ("last", "1.2")]);
        for (version, want) in [
            ("0.9", false),
            ("1.0.0", true),
            ("1.2.0", true),
            ("1.2.1", false),
        ] {
            assert_eq!(
                within(&last, &component(Ecosystem::Crates, version)),
                want,
                "{version}"
            );
        }
        let debian = of(&[("introduced", "0"), ("fixed", "1.2-3+deb13u2")]);
        for (version, want) in [
            ("1.2-3+deb13u1", true),
            ("1.2-3+deb13u2", false),
            ("1:0.1-1", false),
            ("0~1", true),
        ] {
            assert_eq!(
                within(&debian, &component(Ecosystem::Debian, version)),
                want,
                "{version}"
            );
        }
        assert!(!within(&[], &component(Ecosystem::Debian, "1")));
    }
}
