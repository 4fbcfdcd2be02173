//! Lock files: JSON, sorted, one package a line, so that version control shows a change of one package as one line.
//!
//! ```json
//! {
//!  "suite": "trixie",
//!  "architecture": "amd64",
//!  "lists": ["server/packages.common"],
//!  "update": "//server:lock",
//!  "requested": ["systemd"],
//!  "packages": [
//!   {"name": "…", "version": "…", "architecture": "…", "size": 1, "sha256": "…", "path": "pool/…"}
//!  ]
//! }
//! ```
//!
//! `lists` are the files it was made from, by their paths in the source tree, and `update` is the target that makes it again: whoever reads
//! a lock can see whether it is older than these, and say what to do. `path` is relative to a mirror's root; no host is named.

use std::collections::{BTreeMap, BTreeSet};

use base::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::list::{is_name, List};

/// One locked package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// `amd64`, `all`, ….
    pub architecture: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256Digest,
    /// Path of the file below a mirror's root.
    pub path: String,
}

impl Package {
    /// Name of the file.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    fn check(&self) -> Result<(), Error> {
        let bad = |what: &str, got: &str| {
            Err(Error::Lock(format!(
                "package {}: bad {what} `{got}`",
                self.name
            )))
        };
        if !is_name(&self.name) {
            return bad("name", &self.name);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-.:~_".contains(c);
        if self.version.is_empty() || !self.version.chars().all(plain) {
            return bad("version", &self.version);
        }
        let parts: Vec<&str> = self.path.split('/').collect();
        let safe =
            |part: &&str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
        if !parts.iter().all(safe) || !self.path.ends_with(".deb") {
            return bad("path", &self.path);
        }
        Ok(())
    }
}

/// A letter or digit, then those and `-._~+`.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._~+".contains(c))
}

/// A lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Suite, such as `trixie`.
    pub suite: String,
    /// Architecture of the image.
    pub architecture: String,
    /// Files with what was asked for, from the root of the source tree.
    #[serde(default)]
    pub lists: Vec<String>,
    /// Label of the target that makes this lock.
    #[serde(default)]
    pub update: Option<String>,
    /// What the lists ask for, sorted.
    pub requested: Vec<String>,
    /// All packages, sorted by name and architecture.
    pub packages: Vec<Package>,
}

/// What differs between two locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// New packages: name and version.
    pub added: Vec<(String, String)>,
    /// Packages gone: name and version.
    pub removed: Vec<(String, String)>,
    /// Other versions: name, old and new.
    pub changed: Vec<(String, String, String)>,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (added, removed, changed) = (self.added.len(), self.removed.len(), self.changed.len());
        write!(f, "{added} added, {removed} removed, {changed} changed")?;
        for (name, version) in &self.added {
            write!(f, "\n  + {name} {version}")?;
        }
        for (name, version) in &self.removed {
            write!(f, "\n  - {name} {version}")?;
        }
        for (name, old, new) in &self.changed {
            write!(f, "\n  ~ {name} {old} -> {new}")?;
        }
        Ok(())
    }
}

impl Lock {
    /// Reads and checks a lock.
    pub fn read(text: &str) -> Result<Self, Error> {
        let lock: Self = serde_json::from_str(text).map_err(|e| Error::Lock(e.to_string()))?;
        // Both are words of command lines.
        for (what, got) in [("suite", &lock.suite), ("architecture", &lock.architecture)] {
            if !is_word(got) {
                return Err(Error::Lock(format!("bad {what} `{got}`")));
            }
        }
        lock.packages.iter().try_for_each(Package::check)?;
        for list in [
            lock.packages
                .iter()
                .map(|p| p.path.clone())
                .collect::<Vec<_>>(),
            lock.packages.iter().map(|p| p.sha256.to_string()).collect(),
        ] {
            let mut seen = BTreeSet::new();
            if let Some(twice) = list.into_iter().find(|x| !seen.insert(x.clone())) {
                return Err(Error::Lock(format!("`{twice}` occurs twice")));
            }
        }
        Ok(lock)
    }

    /// The lock's text; the same lock gives the same bytes.
    pub fn write(&self) -> Result<String, Error> {
        let mut packages = self.packages.clone();
        packages.sort();
        let mut requested = self.requested.clone();
        requested.sort();
        requested.dedup();
        let json = |text: &str| serde_json::to_string(text).map_err(|e| Error::Lock(e.to_string()));
        let mut out = String::from("{\n");
        out.push_str(&format!(" \"suite\": {},\n", json(&self.suite)?));
        out.push_str(&format!(
            " \"architecture\": {},\n",
            json(&self.architecture)?
        ));
        let row = |texts: &[String]| -> Result<String, Error> {
            let texts: Result<Vec<String>, Error> = texts.iter().map(|text| json(text)).collect();
            Ok(texts?.join(", "))
        };
        out.push_str(&format!(" \"lists\": [{}],\n", row(&self.lists)?));
        if let Some(update) = &self.update {
            out.push_str(&format!(" \"update\": {},\n", json(update)?));
        }
        out.push_str(&format!(
            " \"requested\": [{}],\n \"packages\": [\n",
            row(&requested)?
        ));
        let mut lines = Vec::new();
        for package in &packages {
            package.check()?;
            lines.push(format!(
                "  {{\"name\": {}, \"version\": {}, \"architecture\": {}, \"size\": {}, \"sha256\": \"{}\", \"path\": {}}}",
                json(&package.name)?,
                json(&package.version)?,
                json(&package.architecture)?,
                package.size,
                package.sha256,
                json(&package.path)?
            ));
        }
        out.push_str(&lines.join(",\n"));
        out.push_str("\n ]\n}\n");
        Ok(out)
    }

    /// Refuses a lock made from other lists; `target` is the label to run then.
    pub fn check_lists(&self, lists: &[List], target: &str) -> Result<(), Error> {
        let locked: BTreeSet<&str> = self.requested.iter().map(String::as_str).collect();
        let mut wanted = BTreeSet::new();
        let mut missing = Vec::new();
        for list in lists {
            for package in &list.packages {
                if wanted.insert(package.name.as_str()) && !locked.contains(package.name.as_str()) {
                    missing.push((
                        package.name.clone(),
                        format!("{}:{}", list.file, package.line),
                    ));
                }
            }
        }
        let extra: Vec<String> = locked
            .difference(&wanted)
            .map(|n| (*n).to_owned())
            .collect();
        if missing.is_empty() && extra.is_empty() {
            return Ok(());
        }
        Err(Error::Stale {
            missing,
            extra,
            target: target.to_owned(),
        })
    }

    /// What changes from `old` to this.
    pub fn changes_since(&self, old: &Self) -> Changes {
        let versions = |lock: &Self| -> BTreeMap<String, String> {
            let pair = |p: &Package| (p.name.clone(), p.version.clone());
            lock.packages.iter().map(pair).collect()
        };
        let (before, now) = (versions(old), versions(self));
        let mut changes = Changes::default();
        for (name, version) in &now {
            match before.get(name) {
                None => changes.added.push((name.clone(), version.clone())),
                Some(was) if was != version => {
                    changes
                        .changed
                        .push((name.clone(), was.clone(), version.clone()));
                }
                Some(_) => {}
            }
        }
        for (name, version) in before {
            if !now.contains_key(&name) {
                changes.removed.push((name, version));
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::parse_list;

    fn package(name: &str, version: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
            size: 1,
            sha256: format!("{:0>64}", name.len()).parse().unwrap(),
            path: format!("pool/main/x/{name}_{version}_amd64.deb"),
        }
    }

    fn lock(packages: &[(&str, &str)]) -> Lock {
        Lock {
            suite: "trixie".to_owned(),
            architecture: "amd64".to_owned(),
            lists: vec!["x/packages.common".to_owned()],
            update: Some("//x:lock".to_owned()),
            requested: vec!["bbb".to_owned(), "aa".to_owned()],
            packages: packages.iter().map(|(n, v)| package(n, v)).collect(),
        }
    }

    #[test]
    fn text() {
        let text = lock(&[("bbb", "1:2~rc1+b1"), ("aa", "1")]).write().unwrap();
        let zeros = "0".repeat(63);
        assert_eq!(
            text,
            format!(
                r#"{{
 "suite": "trixie",
 "architecture": "amd64",
 "lists": ["x/packages.common"],
 "update": "//x:lock",
 "requested": ["aa", "bbb"],
 "packages": [
  {{"name": "aa", "version": "1", "architecture": "amd64", "size": 1, "sha256": "{zeros}2", "path": "pool/main/x/aa_1_amd64.deb"}},
  {{"name": "bbb", "version": "1:2~rc1+b1", "architecture": "amd64", "size": 1, "sha256": "{zeros}3", "path": "pool/main/x/bbb_1:2~rc1+b1_amd64.deb"}}
 ]
}}
"#
            )
        );
        assert_eq!(Lock::read(&text).unwrap().write().unwrap(), text);
    }

    #[test]
    fn hostile_locks() {
        let good = lock(&[("aa", "1")]).write().unwrap();
        for (from, to) in [
            ("\"trixie\"", "\"--setup-hook=x\""),
            ("\"trixie\"", "\"\""),
            (
                "\"architecture\": \"amd64\",\n",
                "\"architecture\": \"amd64,all\",\n",
            ),
            ("pool/main/x/", "../"),
            ("pool/main/x/", "/pool/"),
            ("pool/main/x/", "pool//"),
            ("pool/main/x/", "pool/x?y/"),
            ("_amd64.deb", "_amd64.sh"),
            ("\"aa\", \"version\"", "\"a a\", \"version\""),
            ("\"version\": \"1\"", "\"version\": \"$(x)\""),
            ("\"sha256\": \"0", "\"sha256\": \"X"),
            ("\"size\": 1", "\"size\": -1"),
            ("\"size\"", "\"extra\": 1, \"size\""),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(Lock::read(&bad).is_err(), "{bad}");
        }
        let twice = lock(&[("aa", "1"), ("aa", "1")]).write().unwrap();
        assert_eq!(
            Lock::read(&twice).unwrap_err().to_string(),
            "lock: `pool/main/x/aa_1_amd64.deb` occurs twice"
        );
    }

    #[test]
    fn stale() {
        let lock = lock(&[("aa", "1")]);
        let lists = [
            parse_list("f", "aa\n").unwrap(),
            parse_list("g", "aa\n\nccc\n").unwrap(),
        ];
        let error = lock.check_lists(&lists, "//x:lock").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the lock is older than its lists: it lacks ccc (g:3) and it has bbb, which no list asks for; \
             run: bazel run //x:lock"
        );
        let lists = [parse_list("f", "bbb\naa\n").unwrap()];
        lock.check_lists(&lists, "//x:lock").unwrap();
    }

    #[test]
    fn changes() {
        let old = lock(&[("aa", "1"), ("bbb", "1"), ("cccc", "1")]);
        let new = lock(&[("aa", "1"), ("cccc", "2"), ("ddddd", "1")]);
        assert_eq!(
            new.changes_since(&old).to_string(),
            "1 added, 1 removed, 1 changed\n  + ddddd 1\n  - bbb 1\n  ~ cccc 1 -> 2"
        );
        assert!(new.changes_since(&new).is_empty());
    }
}
