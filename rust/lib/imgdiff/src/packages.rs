//! Debian packages, as `dpkg` notes them in `/var/lib/dpkg/status`.

use std::collections::BTreeMap;

use dpkg::Status;
use inspect::Name;

use crate::model::{facts, Area, Change, Difference, Values};

/// What differs between the packages that have files in two images. Names and versions are as paths are, so that a terminal may be given them.
pub fn compare(old: &Status, new: &Status) -> Vec<Difference> {
    let (old, new) = (old.versions(), new.versions());
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let word = |text: &str| Name(text.as_bytes().to_vec()).word();
    let version = |packages: &BTreeMap<String, &str>, name: &String| -> Values {
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

    /// Packages by name, architecture and version.
    fn status(packages: &[(&str, &str, &str)]) -> Status {
        let paragraphs = packages.iter().map(|(name, architecture, version)| {
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\nVersion: {version}\n\n")
        });
        Status::read(paragraphs.collect::<String>().as_bytes()).unwrap()
    }

    #[test]
    fn escapes() {
        let found = compare(&Status::default(), &status(&[("a", "all", "1\x1b[31m 2")]));
        assert_eq!(found[0].facts[0].new.as_deref(), Some("1\\x1b[31m\\x202"));
    }

    #[test]
    fn versions() {
        let old = status(&[
            ("a", "amd64", "1"),
            ("c", "all", "1:2-3"),
            ("d", "all", "1"),
        ]);
        let new = status(&[
            ("a", "amd64", "2"),
            ("a", "i386", "2"),
            ("c", "all", "1:2-3"),
            ("d", "all", "2"),
        ]);
        let found: Vec<_> = compare(&old, &new)
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
                ("d".to_owned(), Change::Changed, some("1"), some("2")),
            ]
        );
    }
}
