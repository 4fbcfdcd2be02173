//! Lock files: JSON, sorted, one package a line, so that version control shows a change of one package as one line.
//! The format and its rules: `docs/formats/lock.md`.

use std::collections::BTreeSet;
use std::io;

use base::Sha256Digest;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::list::{is_name, List};
use crate::paths::PathRule;
use crate::release::is_date;

/// The version of the format that a lock without rules on paths has.
const FORMAT: u64 = 2;

/// That of one with such rules: a reader that does not know them would install what they leave out.
const WITH_PATHS: u64 = 3;

/// Which root of the archive something lies below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Root {
    /// Debian's archive.
    Main,
    /// The security archive.
    Security,
}

impl Root {
    /// The root of a suite: those that end in `-security` have their own.
    pub fn of(suite: &str) -> Self {
        match suite.ends_with("-security") {
            true => Self::Security,
            false => Self::Main,
        }
    }

    /// Its name in locks.
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Security => "security",
        }
    }
}

/// A suite that packages were taken from, and its state then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Name, such as `trixie-updates`.
    pub suite: String,
    /// Which root it lies below.
    pub root: Root,
    /// Components of it that were looked at.
    pub components: Vec<String>,
    /// The date of its release file in UTC, as `2026-11-21T09:15:44Z`.
    pub date: String,
}

impl Suite {
    fn check(&self) -> Result<(), Error> {
        let bad = |what: &str, got: &str| {
            Err(Error::Lock(format!(
                "suite {}: bad {what} `{got}`",
                self.suite
            )))
        };
        // A word of command lines.
        if !is_word(&self.suite) {
            return bad("name", &self.suite);
        }
        if self.root != Root::of(&self.suite) {
            return bad("root", self.root.name());
        }
        if let Some(component) = self.components.iter().find(|c| !is_word(c)) {
            return bad("component", component);
        }
        if !is_date(&self.date) {
            return bad("date", &self.date);
        }
        Ok(())
    }
}

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
    /// Suite that it is from.
    pub suite: String,
    /// Source package that it was built from.
    pub source: String,
    /// Version of the source package.
    pub source_version: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256Digest,
    /// Path of the file below its suite's root.
    pub path: String,
}

impl Package {
    /// Which root [`Package::path`] is below.
    pub fn root(&self) -> Root {
        Root::of(&self.suite)
    }

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
        if !is_name(&self.source) {
            return bad("source", &self.source);
        }
        if self.source_version.is_empty() || !self.source_version.chars().all(plain) {
            return bad("source_version", &self.source_version);
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Follows from `paths`: [`Lock::read`] has compared what the file says.
    format: IgnoredAny,
    /// Architecture of the image.
    pub architecture: String,
    /// What packages were taken from, the most general first.
    pub suites: Vec<Suite>,
    /// Files with what was asked for, from the root of the source tree.
    #[serde(default)]
    pub lists: Vec<String>,
    /// Label of the target that makes this lock.
    #[serde(default)]
    pub update: Option<String>,
    /// What the lists ask for, sorted.
    pub requested: Vec<String>,
    /// Which files of packages are not taken, in the order of the lists.
    #[serde(default)]
    pub paths: Vec<PathRule>,
    /// All packages, sorted by name and version.
    pub packages: Vec<Package>,
}

/// What tells how to read a lock.
#[derive(Deserialize)]
struct Head {
    format: Option<u64>,
    update: Option<String>,
}

/// Format 1, as far as it is compared with.
#[derive(Deserialize)]
struct Old {
    suite: String,
    architecture: String,
    packages: Vec<OldPackage>,
}

#[derive(Deserialize)]
struct OldPackage {
    name: String,
    version: String,
    architecture: String,
    size: u64,
    sha256: Sha256Digest,
    path: String,
}

impl Lock {
    /// A lock of nothing, to be filled.
    pub fn new(architecture: impl Into<String>, suites: Vec<Suite>) -> Self {
        Self {
            format: IgnoredAny,
            architecture: architecture.into(),
            suites,
            lists: Vec::new(),
            update: None,
            requested: Vec::new(),
            paths: Vec::new(),
            packages: Vec::new(),
        }
    }

    /// Reads and checks a lock.
    pub fn read(text: &str) -> Result<Self, Error> {
        let head: Head = parse(text)?;
        let got = head.format.unwrap_or(1);
        if !matches!(got, FORMAT | WITH_PATHS) {
            return Err(Error::LockFormat {
                got,
                want: WITH_PATHS,
                update: head.update,
            });
        }
        let lock: Self = parse(text)?;
        lock.check_format(got)?;
        lock.check()?;
        Ok(lock)
    }

    /// Reads a lock to compare a newer one with; format 1 as well. What that did not say is the least that is true: every package is
    /// of its only suite and its own source.
    pub fn read_old(text: &str) -> Result<Self, Error> {
        let head: Head = parse(text)?;
        if head.format.is_some() {
            return Self::read(text);
        }
        let old: Old = parse(text)?;
        let mut lock = Self::new(old.architecture, Vec::new());
        let suite = old.suite;
        let package = |p: OldPackage| Package {
            suite: suite.clone(),
            source: p.name.clone(),
            source_version: p.version.clone(),
            name: p.name,
            version: p.version,
            architecture: p.architecture,
            size: p.size,
            sha256: p.sha256,
            path: p.path,
        };
        lock.packages = old.packages.into_iter().map(package).collect();
        lock.packages.iter().try_for_each(Package::check)?;
        Ok(lock)
    }

    fn check(&self) -> Result<(), Error> {
        // A word of command lines.
        if !is_word(&self.architecture) {
            let got = &self.architecture;
            return Err(Error::Lock(format!("bad architecture `{got}`")));
        }
        if self.suites.is_empty() {
            return Err(Error::Lock("no suite".to_owned()));
        }
        self.suites.iter().try_for_each(Suite::check)?;
        self.packages.iter().try_for_each(Package::check)?;
        for package in &self.packages {
            if !self.suites.iter().any(|s| s.suite == package.suite) {
                return Err(Error::Lock(format!(
                    "package {}: its suite `{}` is none of the lock's",
                    package.name, package.suite
                )));
            }
        }
        let path = |p: &Package| format!("{}:{}", p.root().name(), p.path);
        for list in [
            self.suites
                .iter()
                .map(|s| s.suite.clone())
                .collect::<Vec<_>>(),
            self.packages.iter().map(path).collect(),
            self.packages.iter().map(|p| p.sha256.to_string()).collect(),
        ] {
            let mut seen = BTreeSet::new();
            if let Some(twice) = list.into_iter().find(|x| !seen.insert(x.clone())) {
                return Err(Error::Lock(format!("`{twice}` occurs twice")));
            }
        }
        Ok(())
    }

    /// The format that it is to have.
    fn format(&self) -> u64 {
        match self.paths.is_empty() {
            true => FORMAT,
            false => WITH_PATHS,
        }
    }

    /// Refuses a file whose format is not that of what it has.
    fn check_format(&self, got: u64) -> Result<(), Error> {
        let (want, rules) = (self.format(), self.paths.len());
        if got == want {
            return Ok(());
        }
        Err(Error::Lock(format!(
            "got format {got} with {rules} rules on paths, want format {want} for that"
        )))
    }

    /// Whether the two differ in nothing but the dates of their suites.
    pub fn is_but_for_dates(&self, other: &Self) -> bool {
        let undated = |lock: &Self| {
            let mut lock = lock.clone();
            lock.suites.iter_mut().for_each(|s| s.date.clear());
            lock
        };
        undated(self) == undated(other)
    }

    /// The suite that base programs call the system by: the first.
    pub fn release(&self) -> &str {
        self.suites.first().map_or("", |s| s.suite.as_str())
    }

    /// The lock's text; the same lock gives the same bytes.
    pub fn write(&self) -> Result<String, Error> {
        self.check()?;
        let mut packages = self.packages.clone();
        packages.sort();
        let mut requested = self.requested.clone();
        requested.sort();
        requested.dedup();
        let suites = lines(&self.suites)?;
        let packages = lines(&packages)?;
        let mut out = format!("{{\n \"format\": {},\n", self.format());
        out.push_str(&format!(
            " \"architecture\": {},\n",
            json(&self.architecture)?
        ));
        out.push_str(&format!(" \"suites\": [\n{suites}\n ],\n"));
        out.push_str(&format!(" \"lists\": {},\n", json(&self.lists)?));
        if let Some(update) = &self.update {
            out.push_str(&format!(" \"update\": {},\n", json(update)?));
        }
        out.push_str(&format!(" \"requested\": {},\n", json(&requested)?));
        if !self.paths.is_empty() {
            let paths = lines(&self.paths)?;
            out.push_str(&format!(" \"paths\": [\n{paths}\n ],\n"));
        }
        out.push_str(&format!(" \"packages\": [\n{packages}\n ]\n}}\n"));
        Ok(out)
    }

    /// Refuses a lock made from lists with other rules on paths: their order counts.
    fn check_paths(&self, lists: &[List], target: &str) -> Result<(), Error> {
        let want = paths(lists);
        if want == self.paths {
            return Ok(());
        }
        let texts = |rules: &[PathRule]| rules.iter().map(ToString::to_string).collect();
        Err(Error::StalePaths {
            want: texts(&want),
            have: texts(&self.paths),
            target: target.to_owned(),
        })
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
            return self.check_paths(lists, target);
        }
        Err(Error::Stale {
            missing,
            extra,
            target: target.to_owned(),
        })
    }
}

/// The rules on paths of lists, in their order.
pub(crate) fn paths(lists: &[List]) -> Vec<PathRule> {
    let rules = lists.iter().flat_map(|list| &list.paths);
    rules.cloned().collect()
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::Lock(e.to_string()))
}

/// JSON in one line, with a space behind each comma and colon.
fn json(value: &impl Serialize) -> Result<String, Error> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Spaced);
    let written = value.serialize(&mut serializer);
    written.map_err(|e| Error::Lock(e.to_string()))?;
    String::from_utf8(out).map_err(|e| Error::Lock(e.to_string()))
}

/// One a line, indented.
fn lines(values: &[impl Serialize]) -> Result<String, Error> {
    let lines: Result<Vec<String>, Error> = values
        .iter()
        .map(|value| Ok(format!("  {}", json(value)?)))
        .collect();
    Ok(lines?.join(",\n"))
}

/// How [`json`] writes.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
pub(crate) mod tests;
