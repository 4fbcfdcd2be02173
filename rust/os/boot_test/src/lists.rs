//! Lists in Markdown: what a README says of its image, for people and for tests.
//!
//! A list is a block ```` ```KIND ````, an entry a line: it holds in every env. A block ```` ```KIND ENV ```` holds in that env in addition. Several
//! blocks of a kind, also of several documents, are one list.

use std::collections::BTreeMap;

const FENCE: &str = "```";

/// The lists of some documents, by kind; entries are sorted.
#[derive(Debug, Default)]
pub(crate) struct Lists(BTreeMap<String, Vec<String>>);

impl Lists {
    /// Adds what `document` lists for `env`. A block that is not closed is an error: half a list would promise less than it says.
    pub(crate) fn add(&mut self, document: &str, env: &str) -> Result<(), String> {
        let mut block: Option<(usize, &str)> = None;
        for (number, line) in (1_usize..).zip(document.lines()) {
            block = match (line.strip_prefix(FENCE), block) {
                (Some(kind), None) => Some((number, kind.trim())),
                (Some(_), Some(_)) => None,
                (None, Some((start, kind))) => {
                    self.entry(kind, env, line);
                    Some((start, kind))
                }
                (None, None) => None,
            };
        }
        match block {
            None => Ok(()),
            Some((line, kind)) => Err(format!(
                "line {line}: block {FENCE}{kind} has no end, want a line {FENCE}"
            )),
        }
    }

    fn entry(&mut self, kind: &str, env: &str, line: &str) {
        let kind = match kind.split_once(' ') {
            Some((kind, only)) if only == env => kind,
            Some(_) => return,
            None => kind,
        };
        let list = self.0.entry(kind.to_owned()).or_default();
        list.push(line.to_owned());
        list.sort();
    }

    /// The entries of a kind; none of that kind: nothing.
    pub(crate) fn of(&self, kind: &str) -> &[String] {
        self.0.get(kind).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "Text\n```ports\ntcp 22\n```\nmore\n```ports dev\ntcp 1\n```\n```ports prod\ntcp 2\n```\n";

    #[test]
    fn lists_of_an_env() {
        let mut lists = Lists::default();
        lists.add(TEXT, "dev").unwrap();
        lists.add("```ports\ntcp 0\n```\n", "dev").unwrap();
        assert_eq!(lists.of("ports"), ["tcp 0", "tcp 1", "tcp 22"]);
        assert_eq!(lists.of("units"), [""; 0]);
        let mut lists = Lists::default();
        lists.add(TEXT, "prod").unwrap();
        assert_eq!(lists.of("ports"), ["tcp 2", "tcp 22"]);
    }

    #[test]
    fn an_open_block_is_an_error() {
        let error = Lists::default().add("a\n```ports\ntcp 1", "dev");
        let want = "line 2: block ```ports has no end, want a line ```";
        assert_eq!(error.unwrap_err(), want);
    }
}
