//! What has to be in a bundle, read from locks.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use base::Sha256Digest;
use serde::Deserialize;

use crate::error::Error;

/// The newest format of package locks that is read here.
const LOCK_FORMAT: u32 = 3;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A source package of Rust's registry.
    Crate,
    /// A Debian package.
    Deb,
}

/// Which root of an archive a path is below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Root {
    /// Debian's archive.
    Main,
    /// The archive of security updates.
    Security,
}

/// Where a Debian package lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) root: Root,
    pub(crate) path: String,
    /// Of the suite's release file, as the lock has it.
    pub(crate) date: Option<String>,
}

/// A file that builds fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its digest, by which builds ask for it.
    pub sha256: Sha256Digest,
    /// What it is.
    pub kind: Kind,
    /// Its name for people: `adduser 3.152 all`, `anyhow 1.0.100`.
    pub name: String,
    /// Its size in bytes, if a lock says it.
    pub size: Option<u64>,
    /// The locks that name it.
    pub of: BTreeSet<String>,
    pub(crate) place: Option<Place>,
}

impl Item {
    /// Name of the file in cargo's folder.
    pub(crate) fn crate_file(&self) -> String {
        format!("{}.crate", self.name.replace(' ', "-"))
    }
}

/// Files by their digests.
#[derive(Clone, Debug, Default)]
pub struct Items(BTreeMap<Sha256Digest, Item>);

/// What is read of a package lock; its other fields are not looked at.
#[derive(Deserialize)]
struct Lock {
    #[serde(default = "first")]
    format: u32,
    #[serde(default)]
    suite: Option<String>,
    #[serde(default)]
    suites: Vec<Suite>,
    packages: Vec<Package>,
}

fn first() -> u32 {
    1
}

#[derive(Deserialize)]
struct Suite {
    suite: String,
    root: Root,
    date: String,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    architecture: String,
    #[serde(default)]
    suite: Option<String>,
    size: u64,
    sha256: Sha256Digest,
    path: String,
}

impl Items {
    /// All of them, in the order of their digests.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.0.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the packages of the lock `file`, whose content is `text`.
    pub fn add_packages(&mut self, file: &str, text: &str) -> Result<(), Error> {
        let bad = |problem: String| Error::Lock {
            file: file.to_owned(),
            problem,
        };
        let lock: Lock =
            serde_json::from_str(text).map_err(|e| bad(format!("no package lock: {e}")))?;
        if lock.format == 0 || lock.format > LOCK_FORMAT {
            return Err(bad(format!(
                "a lock of format {}, want {LOCK_FORMAT} at most",
                lock.format
            )));
        }
        for package in lock.packages {
            let Package { name, version, .. } = &package;
            let parts = package.path.split('/');
            if parts
                .into_iter()
                .any(|p| p.is_empty() || p.starts_with('.'))
            {
                let path = &package.path;
                return Err(bad(format!("package {name}: bad path {path:?}")));
            }
            let (root, date) = match (lock.format, package.suite.as_ref().or(lock.suite.as_ref())) {
                (1, _) => (Root::Main, None),
                (_, Some(suite)) => match lock.suites.iter().find(|s| s.suite == *suite) {
                    Some(suite) => (suite.root, Some(suite.date.clone())),
                    None => {
                        return Err(bad(format!(
                            "package {name}: suite {suite:?} is none of the lock's"
                        )))
                    }
                },
                (_, None) => return Err(bad(format!("package {name}: no suite"))),
            };
            self.add(Item {
                sha256: package.sha256,
                kind: Kind::Deb,
                name: format!("{name} {version} {}", package.architecture),
                size: Some(package.size),
                of: BTreeSet::from([file.to_owned()]),
                place: Some(Place {
                    root,
                    path: package.path,
                    date,
                }),
            });
        }
        Ok(())
    }

    /// Adds the crates from a registry that the `Cargo.lock` `file`, whose content is `text`, names.
    pub fn add_crates(&mut self, file: &str, text: &str) -> Result<(), Error> {
        let bad = |problem: String| Error::Lock {
            file: file.to_owned(),
            problem,
        };
        // Written by cargo, a key a line; nothing else of TOML is in it.
        let mut blocks = text.split("\n[[package]]\n");
        if !blocks
            .next()
            .is_some_and(|head| head.contains("\nversion = "))
        {
            return Err(bad("no lock of cargo's: it has no version".to_owned()));
        }
        for block in blocks {
            let key = |key: &str| {
                block.lines().find_map(|line| {
                    let value = line.strip_prefix(key)?.strip_prefix(" = \"")?;
                    value.strip_suffix('"')
                })
            };
            let (Some(name), Some(version)) = (key("name"), key("version")) else {
                return Err(bad("a package without name or version".to_owned()));
            };
            check_crate(file, name, version)?;
            // Ours have none.
            let Some(sum) = key("checksum") else { continue };
            let sha256 = sum
                .parse()
                .map_err(|e| bad(format!("package {name}: bad checksum: {e}")))?;
            self.add_crate(file, name, version, sha256)?;
        }
        Ok(())
    }

    /// Adds a crate that `of` wants.
    pub fn add_crate(
        &mut self,
        of: &str,
        name: &str,
        version: &str,
        sha256: Sha256Digest,
    ) -> Result<(), Error> {
        check_crate(of, name, version)?;
        self.add(Item {
            sha256,
            kind: Kind::Crate,
            name: format!("{name} {version}"),
            size: None,
            of: BTreeSet::from([of.to_owned()]),
            place: None,
        });
        Ok(())
    }

    fn add(&mut self, item: Item) {
        match self.0.entry(item.sha256) {
            Entry::Vacant(free) => {
                free.insert(item);
            }
            Entry::Occupied(mut known) => known.get_mut().of.extend(item.of),
        }
    }
}

/// Refuses a crate's name or version that could be more than a part of a file's name; messages quote them.
fn check_crate(of: &str, name: &str, version: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    let good = |text: &str| !text.is_empty() && text.chars().all(plain);
    if !good(name) || !good(version) {
        return Err(Error::Lock {
            file: of.to_owned(),
            problem: format!("package {name:?} {version:?}: bad name"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222222222222222222222222222";

    fn lock(head: &str, package: &str) -> String {
        format!(
            r#"{{{head}, "architecture": "amd64", "packages": [
  {{"name": "a", "version": "1:2", "architecture": "all"{package}, "size": 7, "sha256": "{ONE}", "path": "pool/a.deb"}}]}}"#
        )
    }

    const SUITES: &str = r#""format": 2, "suites": [
        {"suite": "x", "root": "main", "components": ["main"], "date": "2026-11-21T09:14:08Z"},
        {"suite": "x-security", "root": "security", "date": "2026-11-22T09:14:08Z"}]"#;

    #[test]
    fn packages_of_both_formats() {
        let mut items = Items::default();
        items
            .add_packages("f", &lock(r#""suite": "x""#, ""))
            .unwrap();
        let first = items.iter().next().unwrap();
        assert_eq!(first.name, "a 1:2 all");
        assert_eq!(first.size, Some(7));
        let place = first.place.as_ref().unwrap();
        assert_eq!((place.root, &place.date), (Root::Main, &None));
        let mut items = Items::default();
        let text = lock(SUITES, r#", "suite": "x-security", "source": "b""#);
        items.add_packages("f", &text).unwrap();
        items.add_packages("g", &text).unwrap();
        assert_eq!(items.len(), 1);
        let first = items.iter().next().unwrap();
        assert_eq!(first.of.iter().collect::<Vec<_>>(), ["f", "g"]);
        let place = first.place.as_ref().unwrap();
        assert_eq!(place.root, Root::Security);
        assert_eq!(place.date.as_deref(), Some("2026-11-22T09:14:08Z"));
    }

    #[test]
    fn bad_locks() {
        for (text, want) in [
            ("{".to_owned(), "f: no package lock: "),
            (
                lock(r#""format": 4"#, ""),
                "f: a lock of format 4, want 3 at most",
            ),
            (
                lock(r#""format": 0"#, ""),
                "f: a lock of format 0, want 3 at most",
            ),
            (lock(SUITES, ""), "f: package a: no suite"),
            (
                lock(SUITES, r#", "suite": "y""#),
                "f: package a: suite \"y\" is none of the lock's",
            ),
            (
                lock(r#""suite": "x""#, "").replace("pool/", "../"),
                "f: package a: bad path \"../a.deb\"",
            ),
        ] {
            let error = Items::default().add_packages("f", &text).unwrap_err();
            assert!(error.to_string().starts_with(want), "{error}");
        }
    }

    #[test]
    fn crates() {
        let text = format!(
            "# generated\nversion = 4\n\n[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\ndependencies = [\n \"a\",\n]\n\n\
             [[package]]\nname = \"zstd-sys\"\nversion = \"2.0.16+zstd.1.5.7\"\nsource = \"registry+x\"\nchecksum = \"{TWO}\"\n"
        );
        let mut items = Items::default();
        items.add_crates("Cargo.lock", &text).unwrap();
        assert_eq!(items.len(), 1);
        let only = items.iter().next().unwrap();
        assert_eq!(only.crate_file(), "zstd-sys-2.0.16+zstd.1.5.7.crate");
        assert_eq!(only.kind, Kind::Crate);
        for (from, to, want) in [
            (TWO, "22", "f: package zstd-sys: bad checksum: "),
            ("name = \"z", "name = \"../z", "f: package \"../zstd-sys\""),
            (
                "name = \"z",
                "name = \"z\u{1b}",
                "f: package \"z\\u{1b}std-sys\" \"2",
            ),
            (
                "\"zstd-sys\"",
                "\"\"",
                "f: package \"\" \"2.0.16+zstd.1.5.7\": bad name",
            ),
            (
                "\"2.0.16",
                "\"/2",
                "f: package \"zstd-sys\" \"/2+zstd.1.5.7\": bad name",
            ),
            // Also of one that no registry has, and so no checksum.
            (
                "\"ours\"",
                "\"../ours\"",
                "f: package \"../ours\" \"0.1.0\": bad name",
            ),
            ("name = ", "title = ", "f: a package without name"),
            ("version = 4", "", "f: no lock of cargo's"),
        ] {
            let error = Items::default().add_crates("f", &text.replace(from, to));
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with(want), "{error}");
        }
    }

    /// Nothing is said of a crate, nor done with it, before its name was looked at.
    #[test]
    fn a_crates_name_is_looked_at_first() {
        let text = "# generated\nversion = 4\n\n[[package]]\nname = \"../../a\"\nversion = \"1\"\nchecksum = \"22\"\n";
        let mut items = Items::default();
        let error = items.add_crates("f", text).unwrap_err();
        assert_eq!(error.to_string(), "f: package \"../../a\" \"1\": bad name");
        let error = items.add_crate("g", "a/b", "1", TWO.parse().unwrap());
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "g: package \"a/b\" \"1\": bad name");
        assert_eq!(items.len(), 0);
    }
}
