//! Who wants to hear of what (deb-triggers(5)): of files below a path, or of a name that others call.

use std::collections::{BTreeMap, BTreeSet};

use archive::Entry;

use super::package::Package;
use crate::error::Error;

/// What packages are interested in. What they activate dpkg reads itself.
#[derive(Debug, Default)]
pub(super) struct Triggers {
    /// Paths, and who waits for what comes there, in the order of packages.
    paths: Vec<(String, String)>,
    /// Those who wait for a name.
    names: BTreeMap<String, Vec<String>>,
}

impl Triggers {
    /// Takes what a package says of itself.
    pub(super) fn read(&mut self, package: &Package<'_>) -> Result<(), Error> {
        let Some(file) = package.control.get("triggers") else {
            return Ok(());
        };
        for bytes in file.bytes.split(|byte| *byte == b'\n') {
            // For messages.
            let line = &*String::from_utf8_lossy(bytes);
            let words = words(bytes).ok_or_else(|| bad(package, line))?;
            let (directive, name) = match words.as_slice() {
                [] => continue,
                [directive, name] => (*directive, *name),
                _ => return Err(bad(package, line)),
            };
            let waits = match directive {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                "activate" | "activate-await" | "activate-noawait" => continue,
                _ => return Err(bad(package, line)),
            };
            let who = format!("{}{waits}", package.label());
            if name.starts_with('/') {
                self.paths.push((name.to_owned(), who));
            } else if base::path::check_name(name.as_ref()).is_ok() {
                self.names.entry(name.to_owned()).or_default().push(who);
            } else {
                return Err(bad(package, line));
            }
        }
        Ok(())
    }

    /// The paths, each once, at or below which one of these members lies, in the order of their bytes.
    pub(super) fn hit(&self, entries: &[Entry]) -> BTreeSet<&str> {
        let paths = self.paths.iter().map(|(path, _)| path.as_str());
        let is_below = |entry: &Entry, path: &str| {
            let path = path.trim_matches('/').as_bytes();
            let rest = entry.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        paths
            .filter(|path| entries.iter().any(|entry| is_below(entry, path)))
            .collect()
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
    use archive::Kind;

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
            let hit = [Entry::new(path, Kind::Dir, 0o755)];
            let hit: Vec<&str> = triggers.hit(&hit).into_iter().collect();
            assert_eq!(hit, want, "{path}");
        }
        let both = ["usr/b/x", "usr/a"].map(|path| Entry::new(path, Kind::Dir, 0o755));
        let hit: Vec<&str> = triggers.hit(&both).into_iter().collect();
        assert_eq!(hit, ["/usr/a", "/usr/b"]);
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
