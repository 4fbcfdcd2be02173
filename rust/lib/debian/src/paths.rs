//! Rules on paths of packages: what an image does not take of the packages that it has.
//!
//! They are dpkg's own (`path-exclude`, `path-include`, dpkg(1)), written as in its configuration, so that a `dpkg` with the same rules
//! installs the same files. A pattern is one of fnmatch(3) without flags, so `*` stands for slashes, too, and it is matched with the whole
//! path, which begins with `/`. Of the rules that match, the last one counts. Folders and symbolic links stay, though left out by a rule,
//! if a rule that takes something back begins like them: what that takes back may lie there.

use std::fmt;

use archive::Kind;
use base::glob;
use serde::{Deserialize, Serialize};

/// What a rule begins with.
const EXCLUDE: &str = "path-exclude=";
const INCLUDE: &str = "path-include=";

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathRule {
    /// It takes back what rules before it leave out.
    includes: bool,
    pattern: String,
}

impl PathRule {
    /// Whether a line of a list is meant to be a rule: no package's name has `=`.
    pub(crate) fn is_meant(line: &str) -> bool {
        line.starts_with("path-") && line.contains('=')
    }

    /// Reads a rule; what is wrong with it is the error.
    pub fn parse(text: &str) -> Result<Self, String> {
        let of = |includes, pattern: &str| Self {
            includes,
            pattern: pattern.to_owned(),
        };
        let rule = match (text.strip_prefix(EXCLUDE), text.strip_prefix(INCLUDE)) {
            (Some(pattern), _) => of(false, pattern),
            (_, Some(pattern)) => of(true, pattern),
            _ => return Err(format!("want {EXCLUDE}PATTERN or {INCLUDE}PATTERN")),
        };
        // A backslash would quote the next byte for dpkg. The others cannot stand in lists or locks as they are.
        let plain = |c: char| c.is_ascii_graphic() && !"\\\"'#".contains(c);
        if !rule.pattern.chars().all(plain) {
            return Err(
                "want a pattern of printable ASCII, without spaces, quotes, # or backslashes"
                    .to_owned(),
            );
        }
        let Some(below) = rule.pattern.strip_prefix('/') else {
            return Err("want a pattern that begins with /".to_owned());
        };
        if below.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err("want a path, without a slash at its end, // or . or ..: no package has such a one, so it would match nothing".to_owned());
        }
        Ok(rule)
    }

    /// The pattern up to its first wildcard.
    fn stem(&self) -> &str {
        let stem = self.pattern.split(['*', '?', '[']).next();
        stem.unwrap_or_default().trim_end_matches('/')
    }
}

/// As in dpkg's configuration.
impl fmt::Display for PathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.includes { INCLUDE } else { EXCLUDE })?;
        f.write_str(&self.pattern)
    }
}

impl TryFrom<String> for PathRule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|problem| format!("got the rule {text:?}, {problem}"))
    }
}

impl From<PathRule> for String {
    fn from(rule: PathRule) -> Self {
        rule.to_string()
    }
}

/// Whether rules leave out a package's member; `path` has no slash in front.
pub(crate) fn leave_out(rules: &[PathRule], path: &[u8], kind: &Kind) -> bool {
    let whole = [b"/", path].concat();
    let matching = |rule: &&PathRule| glob::matches(rule.pattern.as_bytes(), &whole);
    if rules
        .iter()
        .rev()
        .find(matching)
        .is_none_or(|rule| rule.includes)
    {
        return false;
    }
    let leads = |rule: &PathRule| rule.includes && whole.starts_with(rule.stem().as_bytes());
    let may_lead = kind.is_dir() || matches!(kind, Kind::Symlink { .. });
    !(may_lead && rules.iter().any(leads))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> Vec<PathRule> {
        texts.iter().map(|t| PathRule::parse(t).unwrap()).collect()
    }

    #[test]
    fn as_dpkg_has_them() {
        let rules = rules(&[
            "path-exclude=/usr/share/doc/*",
            "path-include=/usr/share/doc/*/copyright",
            "path-exclude=/usr/share/man",
            "path-exclude=/usr/share/man/[!d]*",
            "path-exclude=/usr/share/doc/z/*",
        ]);
        let file = || Kind::File { offset: 0, len: 0 };
        let link = || Kind::Symlink {
            target: b"x".to_vec(),
        };
        for (path, kind, want) in [
            ("usr/share/doc", Kind::Dir, false),
            ("usr/share/doc/a", Kind::Dir, false),
            ("usr/share/doc/a/README", file(), true),
            ("usr/share/doc/a/copyright", file(), false),
            // A star stands for slashes, too.
            ("usr/share/doc/a/b/copyright", file(), false),
            ("usr/share/doc/a/README.link", link(), false),
            // The last that matches counts.
            ("usr/share/doc/z/copyright", file(), true),
            ("usr/share/doc/z/x", Kind::Dir, false),
            ("usr/share/man", Kind::Dir, true),
            ("usr/share/man/man1", Kind::Dir, true),
            ("usr/share/man/de", Kind::Dir, false),
            ("usr/share/manual", file(), false),
            ("", Kind::Dir, false),
        ] {
            assert_eq!(
                leave_out(&rules, path.as_bytes(), &kind),
                want,
                "{path} {kind:?}"
            );
        }
        assert!(!leave_out(&[], b"usr", &Kind::Dir));
    }

    #[test]
    fn texts() {
        for text in ["path-exclude=/a/[b-c]?*", "path-include=/a"] {
            assert_eq!(PathRule::parse(text).unwrap().to_string(), text);
        }
        for (text, want) in [
            (
                "path-excludes=/a",
                "want path-exclude=PATTERN or path-include=PATTERN",
            ),
            ("path-exclude=", "want a pattern that begins with /"),
            ("path-exclude=usr/*", "want a pattern that begins with /"),
            ("path-exclude=*", "want a pattern that begins with /"),
            (
                "path-exclude=/usr/share/doc/",
                "want a path, without a slash at its end",
            ),
            ("path-exclude=/usr//doc", "want a path, without"),
            ("path-exclude=/usr/../etc", "want a path, without"),
            ("path-exclude=/", "want a path, without"),
            ("path-exclude=/a b", "want a pattern of printable ASCII"),
            ("path-exclude=/a\\*", "want a pattern of printable ASCII"),
            ("path-exclude=/\u{e4}", "want a pattern of printable ASCII"),
        ] {
            let problem = PathRule::parse(text).unwrap_err();
            assert!(problem.starts_with(want), "{text}: {problem}");
        }
    }
}
