//! Debian packages, as `dpkg` notes them in `/var/lib/dpkg/status`.

use std::collections::BTreeMap;

use inspect::Name;

use crate::model::{facts, Area, Change, Difference, Values};

/// Where they are noted.
pub const STATUS: &[u8] = b"/var/lib/dpkg/status";

/// The installed packages by name (with the architecture, where two of one name are), each with its version.
pub fn installed(status: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for paragraph in status.split("\n\n") {
        let field = |name: &str| {
            let line = paragraph.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.strip_prefix(':')).map(str::trim)
        };
        let there = field("Status").is_none_or(|status| status.ends_with(" installed"));
        if let (Some(name), Some(version), true) = (field("Package"), field("Version"), there) {
            let architecture = field("Architecture").unwrap_or_default().to_owned();
            let versions = found.entry(name.to_owned()).or_default();
            versions.push((architecture, version.to_owned()));
        }
    }
    let mut installed = BTreeMap::new();
    for (name, versions) in found {
        let several = versions.len() > 1;
        for (architecture, version) in versions {
            let name = match several {
                true => format!("{name}:{architecture}"),
                false => name.clone(),
            };
            installed.insert(name, version);
        }
    }
    installed
}

/// What differs between the packages of two such files. Names and versions are as paths are, so that a terminal may be given them.
pub fn compare(old: &str, new: &str) -> Vec<Difference> {
    let (old, new) = (installed(old), installed(new));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let word = |text: &String| Name(text.clone().into_bytes()).word();
    let version = |packages: &BTreeMap<String, String>, name: &String| -> Values {
        let version = packages.get(name).into_iter();
        version
            .map(|version| ("version".to_owned(), word(version)))
            .collect()
    };
    let differences = names.into_iter().map(|name| Difference {
        area: Area::Package,
        place: word(name),
        change: match (old.contains_key(name), new.contains_key(name)) {
            (false, _) => Change::Added,
            (_, false) => Change::Removed,
            _ => Change::Changed,
        },
        facts: facts(&version(&old, name), &version(&new, name)),
        content: None,
    });
    differences
        .filter(|difference| !difference.facts.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let found = compare("", "Package: a\x1b[2J\nVersion: 1\x1b[31m 2\n");
        assert_eq!(found[0].place, "a\\x1b[2J");
        assert_eq!(found[0].facts[0].new.as_deref(), Some("1\\x1b[31m\\x202"));
    }

    #[test]
    fn versions() {
        let old = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
            Package: b\nStatus: deinstall ok config-files\nVersion: 1\n\n\
            Package: c\nStatus: install ok installed\nVersion: 1:2-3\n";
        let new = "Package: a\nArchitecture: amd64\nVersion: 2\n\nPackage: a\nArchitecture: i386\nVersion: 2\n\n\
            Package: c\nVersion: 1:2-3\n";
        let found: Vec<_> = compare(old, new)
            .into_iter()
            .map(|one| (one.place, one.change, one.facts))
            .map(|(place, change, facts)| {
                let [fact] = &facts[..] else {
                    panic!("{facts:?}")
                };
                (place, change, fact.old.clone(), fact.new.clone())
            })
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("a".to_owned(), Change::Removed, some("1"), None),
                ("a:amd64".to_owned(), Change::Added, None, some("2")),
                ("a:i386".to_owned(), Change::Added, None, some("2")),
            ]
        );
    }
}
