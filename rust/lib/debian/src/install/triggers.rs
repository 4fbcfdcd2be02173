//! Who wants to hear of what (deb-triggers(5)): of files below a path, or of a name that others call.

use std::collections::{BTreeMap, BTreeSet};

use super::package::Package;
use crate::error::Error;

/// What packages are interested in. What they activate when they are configured dpkg reads itself.
#[derive(Debug, Default)]
pub(super) struct Triggers {
    /// Paths, and who waits for what comes there, in the order of packages.
    paths: Vec<(String, String)>,
    /// Those who wait for a name.
    names: BTreeMap<String, Vec<String>>,
}

impl Triggers {
    /// Takes what a package waits for; whether that is anything.
    pub(super) fn read(&mut self, package: &Package<'_>) -> Result<bool, Error> {
        let mut waits = false;
        for (directive, name) in lines(package)? {
            let who = match directive {
                Directive::Interest(how) => format!("{}{how}", package.label()),
                Directive::Activate => continue,
            };
            waits = true;
            if name.starts_with('/') {
                self.paths.push((name.to_owned(), who));
            } else {
                self.names.entry(name.to_owned()).or_default().push(who);
            }
        }
        Ok(waits)
    }

    /// The paths that somebody waits for, each once, to which one of these comes, in the order of their bytes.
    pub(super) fn hit<'e>(&self, come: impl Iterator<Item = Came<'e>>) -> BTreeSet<&str> {
        let come: Vec<Came<'_>> = come.collect();
        let paths = self.paths.iter().map(|(path, _)| path.as_str());
        let is_hit = |path: &&str| {
            let path = path.trim_matches('/').as_bytes();
            come.iter().any(|came| match came {
                Came::At(at) => at
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")),
                Came::Diverted(at) => *at == path,
            })
        };
        paths.filter(is_hit).collect()
    }

    /// What a package calls as it comes, as far as somebody waits for it: names in its order, and paths with those above them.
    pub(super) fn called<'s>(&'s self, package: &'s Package<'_>) -> Result<Vec<&'s str>, Error> {
        let mut called = Vec::new();
        for (directive, name) in lines(package)? {
            if !matches!(directive, Directive::Activate) {
                continue;
            }
            called.extend(match name.strip_prefix('/') {
                Some(path) => self.hit(std::iter::once(Came::At(path.as_bytes()))),
                None => self
                    .names
                    .contains_key(name)
                    .then_some(name)
                    .into_iter()
                    .collect(),
            });
        }
        Ok(called)
    }

    /// The names and texts of dpkg's files of them.
    pub(super) fn files(&self) -> Vec<(&str, String)> {
        let lines = |who: &[String]| who.iter().map(|who| format!("{who}\n")).collect();
        let paths = self
            .paths
            .iter()
            .map(|(path, who)| format!("{path} {who}\n"));
        let names = self.names.iter();
        let mut files = vec![("File", paths.collect())];
        files.extend(names.map(|(name, who)| (name.as_str(), lines(who))));
        files
    }
}

/// A member of a package, by the path of its place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Came<'a> {
    /// Where its package has it.
    At(&'a [u8]),
    /// Elsewhere: dpkg tells those who wait for this very path, and not those who wait for a folder above it.
    Diverted(&'a [u8]),
}

/// What a line of a package's triggers is about.
#[derive(Clone, Copy, Debug)]
enum Directive {
    /// It waits, with this behind its name where that is noted.
    Interest(&'static str),
    /// It calls.
    Activate,
}

/// A package's lines, with the name in each.
fn lines<'p>(package: &'p Package<'_>) -> Result<Vec<(Directive, &'p str)>, Error> {
    let Some(file) = package.control.get("triggers") else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for bytes in file.bytes.split(|byte| *byte == b'\n') {
        let bad = || bad(package, &String::from_utf8_lossy(bytes));
        let (directive, name) = match words(bytes).ok_or_else(bad)?.as_slice() {
            [] => continue,
            [directive, name] => (*directive, *name),
            _ => return Err(bad()),
        };
        let directive = match directive {
            "interest" | "interest-await" => Directive::Interest(""),
            "interest-noawait" => Directive::Interest("/noawait"),
            "activate" | "activate-await" | "activate-noawait" => Directive::Activate,
            _ => return Err(bad()),
        };
        // Such a name is that of a file of dpkg's.
        if !name.starts_with('/') && base::path::check_name(name.as_ref()).is_err() {
            return Err(bad());
        }
        found.push((directive, name));
    }
    Ok(found)
}

/// The words before a comment, which may be anything; nothing if they are no text: a path of them is written where dpkg reads it, and has to
/// be this one.
fn words(line: &[u8]) -> Option<Vec<&str>> {
    let said = line.split(|byte| *byte == b'#').next()?;
    Some(std::str::from_utf8(said).ok()?.split_whitespace().collect())
}

fn bad(package: &Package<'_>, line: &str) -> Error {
    Error::Package {
        package: package.name.to_owned(),
        problem: format!("got the line {line:?} in its triggers, want `interest` or `activate` (or these with -await or -noawait) and a name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_at_a_path_or_below() {
        let who = |path: &str| (path.to_owned(), "t".to_owned());
        let triggers = Triggers {
            paths: ["/usr/b", "/usr/a", "/usr/b", "/etc/c/", "/us"]
                .map(who)
                .to_vec(),
            names: BTreeMap::new(),
        };
        for (path, want) in [
            ("usr/b/x", &["/usr/b"][..]),
            ("usr/b", &["/usr/b"]),
            ("usr/bc", &[]),
            ("usr", &[]),
            ("etc/c/d/e", &["/etc/c/"]),
        ] {
            let hit = triggers.hit([Came::At(path.as_bytes())].into_iter());
            assert_eq!(hit.into_iter().collect::<Vec<_>>(), want, "{path}");
        }
        let both = [Came::At(b"usr/b/x"), Came::Diverted(b"usr/a")];
        let hit = triggers.hit(both.into_iter());
        assert_eq!(hit.into_iter().collect::<Vec<_>>(), ["/usr/a", "/usr/b"]);
        let below = triggers.hit([Came::Diverted(b"usr/a/x")].into_iter());
        assert!(below.is_empty());
    }

    #[test]
    fn paths_of_triggers_are_text_and_comments_anything() {
        assert_eq!(
            words(b" interest\t/usr/x # caf\xe9"),
            Some(vec!["interest", "/usr/x"])
        );
        assert_eq!(words(b"# interest /x"), Some(Vec::new()));
        assert_eq!(words(b"interest /caf\xe9"), None);
    }
}
