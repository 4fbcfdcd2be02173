//! What somebody decided to live with: a list with reasons, each of which ends on a day.

use serde::Deserialize;

use crate::date::Date;
use crate::error::Error;
use crate::source::Advisory;

/// An entry as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    package: String,
    reason: String,
    expires: String,
}

/// A vulnerability that is allowed in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: String,
    /// Debian's source package, or a crate.
    pub(crate) package: String,
    pub(crate) reason: String,
    /// The last day on which it is.
    pub(crate) expires: Date,
}

/// All that is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub(crate) entries: Vec<Entry>,
}

impl Allowed {
    /// Reads a list: JSON, `[{"id": "CVE-…", "package": "…", "reason": "…", "expires": "2026-12-31"}]`. Each has its reason and its last day.
    pub fn read(text: &str) -> Result<Self, Error> {
        let lines: Vec<Line> = serde_json::from_str(text).map_err(|source| Error::Json {
            what: "this is no list of objects with \"id\", \"package\", \"reason\" and \"expires\"",
            source,
        })?;
        let mut entries: Vec<Entry> = Vec::new();
        for (number, line) in (1..).zip(lines) {
            let bad = |reason: String| Error::Allowed {
                number,
                id: line.id.clone(),
                reason,
            };
            for (name, value) in [
                ("id", &line.id),
                ("package", &line.package),
                ("reason", &line.reason),
            ] {
                if value.trim().is_empty() {
                    return Err(bad(format!("got an empty {name:?}, want some text")));
                }
            }
            let expires = line
                .expires
                .parse::<Date>()
                .map_err(|error| bad(format!("expires: {error}")))?;
            if entries
                .iter()
                .any(|one| one.id == line.id && one.package == line.package)
            {
                return Err(bad(format!(
                    "it allows {} in {} again, want one entry for both",
                    line.id, line.package
                )));
            }
            entries.push(Entry {
                id: line.id,
                package: line.package,
                reason: line.reason,
                expires,
            });
        }
        Ok(Self { entries })
    }

    /// The entries for `package` that name the advisory or a part of it.
    pub(crate) fn about<'a: 'b, 'b>(
        &'a self,
        package: &'b str,
        advisory: &'b Advisory,
    ) -> impl Iterator<Item = &'a Entry> + 'b {
        let all = self.entries.iter();
        all.filter(move |entry| {
            entry.package == package
                && (advisory.is(&entry.id) || advisory.upstream.contains(&entry.id))
        })
    }

    /// The entry that decides on an advisory, which is the one that allows it longest: one for its id or an alias, or, where there is one for
    /// each of those that it gathers, the first of these to end.
    pub(crate) fn entry(&self, package: &str, advisory: &Advisory) -> Option<&Entry> {
        let of = |id: &String| self.about(package, advisory).find(|entry| entry.id == *id);
        let parts: Option<Vec<&Entry>> = advisory.upstream.iter().map(of).collect();
        let whole = parts.and_then(|parts| parts.into_iter().min_by_key(|entry| entry.expires));
        let named = self.about(package, advisory);
        let named = named.filter(|entry| advisory.is(&entry.id));
        named.chain(whole).max_by_key(|entry| entry.expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_must_say() {
        let line =
            r#"{"id": "CVE-1", "package": "a", "reason": "unused", "expires": "2026-12-31"}"#;
        assert_eq!(
            Allowed::read(&format!("[{line}]")).unwrap().entries.len(),
            1
        );
        for (got, want) in [
            (
                format!("[{line}, {line}]"),
                "entry 2 (CVE-1): it allows CVE-1 in a again, want one entry for both",
            ),
            (
                format!("[{}]", line.replace("unused", " ")),
                "entry 1 (CVE-1): got an empty \"reason\", want some text",
            ),
            (
                format!("[{}]", line.replace("12-31", "13-01")),
                "entry 1 (CVE-1): expires: got \"2026-13-01\", want a day as 2026-12-31",
            ),
            (
                format!("[{}]", line.replace("reason", "why")),
                "this is no list of objects with",
            ),
            (line.to_owned(), "this is no list of objects with"),
        ] {
            let error = Allowed::read(&got).unwrap_err().to_string();
            assert!(error.starts_with(want), "{error}");
        }
    }
}
