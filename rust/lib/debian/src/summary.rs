//! What new locks change, as a person reads it before he commits them: plain text, or Markdown for a pull request.

use std::collections::{BTreeMap, BTreeSet};

use base::text::bytes;

use crate::changes::Changes;
use crate::contents::{only_in, Fact, Facts};
use crate::lock::{Lock, Package};

/// A longer table ends with how many lines it left out.
const LONGEST_TABLE: usize = 60;

/// A lock and what was in its place.
#[derive(Clone, Copy, Debug)]
pub struct Relocked<'a> {
    /// Its name, for people.
    pub name: &'a str,
    /// What there was.
    pub old: Option<&'a Lock>,
    /// What there is.
    pub new: &'a Lock,
}

impl Relocked<'_> {
    fn changes(&self) -> Changes {
        let none = Lock::new(self.new.architecture.clone(), Vec::new());
        Changes::between(self.old.unwrap_or(&none), self.new)
    }
}

/// What is to be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    sections: Vec<Section>,
    notes: Vec<String>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    title: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Summary {
    /// Of `locks`; `installed` tells what a package takes when installed, in bytes, if that is known.
    pub fn new(locks: &[Relocked<'_>], installed: impl Fn(&Package) -> Option<u64>) -> Self {
        let mut summary = Self::default();
        summary.sections.push(totals(locks, &installed));
        summary.sections.push(suites(locks));
        let all = locks.len();
        let mut added = Rows::new(all);
        let mut removed = Rows::new(all);
        let mut pairs = [Rows::new(all), Rows::new(all), Rows::new(all)];
        for (number, lock) in (1_usize..).zip(locks) {
            let changes = lock.changes();
            for p in &changes.added {
                let takes = installed(p).map_or_else(|| "?".to_owned(), bytes);
                let cells = [&p.name, &p.version, &p.suite, &bytes(p.size), &takes];
                added.put(cells.map(String::clone).to_vec(), number);
            }
            for p in &changes.removed {
                let cells = [&p.name, &p.version, &bytes(p.size)];
                removed.put(cells.map(String::clone).to_vec(), number);
            }
            let lists = [&changes.upgraded, &changes.downgraded, &changes.replaced];
            for (rows, list) in pairs.iter_mut().zip(lists) {
                for (old, new) in list {
                    let difference = difference(old.size, new.size);
                    let sizes = format!("{} ({difference})", bytes(new.size));
                    let cells = [&new.name, &old.version, &new.version, &new.suite, &sizes];
                    rows.put(cells.map(String::clone).to_vec(), number);
                }
            }
        }
        let versions = ["package", "from", "to", "suite", "to fetch", "in"];
        let [upgraded, downgraded, replaced] = pairs;
        let columns = ["package", "version", "suite", "to fetch", "installed", "in"];
        summary.section("Added", &columns, added.cells());
        summary.section(
            "Removed",
            &["package", "version", "to fetch", "in"],
            removed.cells(),
        );
        summary.section("Upgraded", &versions, upgraded.cells());
        summary.section("Downgraded", &versions, downgraded.cells());
        summary.section(
            "The same version with other content",
            &versions,
            replaced.cells(),
        );
        let columns = ["rule", "what", "in"];
        summary.section("Rules on paths of packages", &columns, rules(locks));
        summary
    }

    /// Adds what is new in the files of packages, and which kernel modules are gone.
    pub fn contents(&mut self, old: &Facts, new: &Facts) {
        let (mut rights, mut listens, mut starts, mut modules) = (vec![], vec![], vec![], vec![]);
        for (fact, package) in only_in(new, old) {
            let package = package.clone();
            match fact.clone() {
                Fact::Rights { path, how } => rights.push(vec![path, how, package]),
                Fact::Listens { unit, address } => listens.push(vec![unit, address, package]),
                Fact::Starts { unit, by } => starts.push(vec![unit, by, package]),
                Fact::Module { name } => modules.push(vec![name, package]),
            }
        }
        let gone = only_in(old, new).filter_map(|(fact, package)| match fact {
            Fact::Module { name } => Some(vec![name.clone(), package.clone()]),
            _ => None,
        });
        let gone: Vec<Vec<String>> = gone.collect();
        self.section(
            "New set-uid files and capabilities",
            &["file", "how", "package"],
            rights,
        );
        self.section(
            "New listening sockets",
            &["unit", "listens on", "package"],
            listens,
        );
        self.section("New units that start", &["unit", "by", "package"], starts);
        self.section("New kernel modules", &["module", "package"], modules);
        self.section("Kernel modules that are gone", &["module", "package"], gone);
    }

    /// Adds a sentence at the end.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// A table that has no row says nothing.
    fn section(&mut self, title: &'static str, columns: &[&'static str], rows: Vec<Vec<String>>) {
        if !rows.is_empty() {
            self.sections.push(Section {
                title,
                columns: columns.to_vec(),
                rows,
            });
        }
    }

    /// Plain text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for section in &self.sections {
            let mut widths: Vec<usize> =
                section.columns.iter().map(|c| c.chars().count()).collect();
            for row in section.shown() {
                for (width, cell) in widths.iter_mut().zip(row) {
                    *width = (*width).max(cell.chars().count());
                }
            }
            let line = |cells: &[&str]| {
                let cells = widths.iter().zip(cells);
                let cells: Vec<String> = cells
                    .map(|(width, cell)| format!("{cell:width$}"))
                    .collect();
                format!("  {}\n", cells.join("  ").trim_end())
            };
            out.push_str(&format!("{} ({})\n", section.title, section.rows.len()));
            out.push_str(&line(&section.columns));
            for row in section.shown() {
                out.push_str(&line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
            }
            out.push_str(
                &section
                    .left_out()
                    .map_or(String::new(), |text| format!("  {text}\n")),
            );
            out.push('\n');
        }
        for note in &self.notes {
            out.push_str(&format!("Note: {note}\n"));
        }
        out
    }

    /// Markdown.
    pub fn markdown(&self) -> String {
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut out = String::new();
        for section in &self.sections {
            out.push_str(&format!(
                "### {} ({})\n\n",
                section.title,
                section.rows.len()
            ));
            out.push_str(&row(section
                .columns
                .iter()
                .map(|c| (*c).to_owned())
                .collect()));
            out.push_str(&row(section
                .columns
                .iter()
                .map(|_| "---".to_owned())
                .collect()));
            for cells in section.shown() {
                out.push_str(&row(cells.iter().map(|c| escape(c)).collect()));
            }
            out.push_str(
                &section
                    .left_out()
                    .map_or(String::new(), |text| format!("\n{text}\n")),
            );
            out.push('\n');
        }
        for note in &self.notes {
            out.push_str(&format!("{}\n\n", escape(note)));
        }
        out
    }
}

impl Section {
    fn shown(&self) -> impl Iterator<Item = &Vec<String>> {
        self.rows.iter().take(LONGEST_TABLE)
    }

    fn left_out(&self) -> Option<String> {
        let count = self.rows.len().checked_sub(LONGEST_TABLE)?;
        (count > 0).then(|| format!("and {count} more"))
    }
}

/// Rows of several locks: what is the same in many is one row, and its last cell says in which it is, by their numbers.
struct Rows {
    all: usize,
    rows: BTreeMap<Vec<String>, BTreeSet<usize>>,
}

impl Rows {
    fn new(all: usize) -> Self {
        Self {
            all,
            rows: BTreeMap::new(),
        }
    }

    fn put(&mut self, cells: Vec<String>, lock: usize) {
        self.rows.entry(cells).or_default().insert(lock);
    }

    fn cells(self) -> Vec<Vec<String>> {
        let finish = |(mut cells, locks): (Vec<String>, BTreeSet<usize>)| {
            let numbers: Vec<String> = locks.iter().map(usize::to_string).collect();
            cells.push(match locks.len() == self.all {
                true => "all".to_owned(),
                false => numbers.join(", "),
            });
            cells
        };
        self.rows.into_iter().map(finish).collect()
    }
}

fn totals(locks: &[Relocked<'_>], installed: &impl Fn(&Package) -> Option<u64>) -> Section {
    let row = |(number, lock): (usize, &Relocked<'_>)| {
        let fetch = |lock: &Lock| added(lock.packages.iter().map(|p| p.size));
        let now = fetch(lock.new);
        let sizes = match lock.old {
            Some(old) => format!("{} ({})", bytes(now), difference(fetch(old), now)),
            None => bytes(now),
        };
        // Of all or of none: a sum that leaves some out is wrong.
        let takes: Option<Vec<u64>> = lock.new.packages.iter().map(installed).collect();
        let takes = takes.map_or_else(|| "?".to_owned(), |all| bytes(added(all)));
        let what = match lock.old {
            Some(_) => lock.changes().to_string(),
            None => "new".to_owned(),
        };
        let count = lock.new.packages.len().to_string();
        vec![
            number.to_string(),
            lock.name.to_owned(),
            count,
            sizes,
            takes,
            what,
        ]
    };
    Section {
        title: "Locks",
        columns: vec!["#", "lock", "packages", "to fetch", "installed", "changes"],
        rows: (1_usize..).zip(locks).map(row).collect(),
    }
}

/// Rules that come, go, or have another order, in which their meaning is.
fn rules(locks: &[Relocked<'_>]) -> Vec<Vec<String>> {
    let mut rows = Rows::new(locks.len());
    for (number, lock) in (1_usize..).zip(locks) {
        let old = lock.old.map_or(&[][..], |old| &old.paths);
        let new = &lock.new.paths;
        let mut put = |rule: String, what: &str| rows.put(vec![rule, what.to_owned()], number);
        for rule in new.iter().filter(|rule| !old.contains(rule)) {
            put(rule.to_string(), "added");
        }
        for rule in old.iter().filter(|rule| !new.contains(rule)) {
            put(rule.to_string(), "removed");
        }
        let stayed: Vec<_> = old.iter().filter(|rule| new.contains(rule)).collect();
        let stays: Vec<_> = new.iter().filter(|rule| old.contains(rule)).collect();
        if stayed != stays {
            put("those that stay".to_owned(), "another order");
        }
    }
    rows.cells()
}

fn suites(locks: &[Relocked<'_>]) -> Section {
    let all = locks.iter().flat_map(|lock| &lock.new.suites);
    let rows: BTreeSet<Vec<String>> = all
        .map(|s| vec![s.suite.clone(), s.root.name().to_owned(), s.date.clone()])
        .collect();
    Section {
        title: "Suites",
        columns: vec!["suite", "archive", "released"],
        rows: rows.into_iter().collect(),
    }
}

/// All together. What a lock or an index says may be any 64 bits.
fn added(sizes: impl IntoIterator<Item = u64>) -> u128 {
    sizes.into_iter().map(u128::from).sum()
}

/// By how much the second is larger.
fn difference(old: impl Into<u128>, new: impl Into<u128>) -> String {
    let (old, new): (u128, u128) = (old.into(), new.into());
    let sign = if new < old { '-' } else { '+' };
    format!("{sign}{}", bytes(new.abs_diff(old)))
}

/// A cell of a Markdown table.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\`*_|<>[]~#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::tests::lock;
    use crate::paths::PathRule;

    fn summary() -> Summary {
        let old = lock(&[("aa", "1"), ("bbb", "1"), ("cccc", "2")]);
        let new = lock(&[("aa", "2"), ("cccc", "1"), ("ddddd", "1~rc1")]);
        let other = lock(&[("aa", "1")]);
        let same = lock(&[("aa", "2")]);
        let relocked = |name, old, new| Relocked { name, old, new };
        let locks = [
            relocked("x/one", Some(&old), &new),
            relocked("x/two", Some(&other), &same),
        ];
        Summary::new(&locks, |p| (p.name != "cccc").then_some(2048))
    }

    #[test]
    fn plain() {
        assert_eq!(
            summary().text(),
            "Locks (2)
  #  lock   packages  to fetch    installed  changes
  1  x/one  3         3 B (+0 B)  ?          1 added, 1 removed, 1 upgraded, 1 downgraded
  2  x/two  1         1 B (+0 B)  2.0 kB     1 upgraded

Suites (2)
  suite            archive   released
  trixie           main      2026-11-21T09:15:44Z
  trixie-security  security  2026-11-21T09:15:44Z

Added (1)
  package  version  suite   to fetch  installed  in
  ddddd    1~rc1    trixie  1 B       2.0 kB     1

Removed (1)
  package  version  to fetch  in
  bbb      1        1 B       1

Upgraded (1)
  package  from  to  suite   to fetch    in
  aa       1     2   trixie  1 B (+0 B)  all

Downgraded (1)
  package  from  to  suite   to fetch    in
  cccc     2     1   trixie  1 B (+0 B)  1

"
        );
    }

    #[test]
    fn rules_on_paths() {
        let with = |texts: &[&str]| {
            let mut lock = lock(&[("aa", "1")]);
            lock.paths = texts.iter().map(|t| PathRule::parse(t).unwrap()).collect();
            lock
        };
        let (a, b, c) = ("path-exclude=/a*", "path-include=/ab", "path-exclude=/c");
        let (old, new) = (with(&[a, b]), with(&[b, c, a]));
        let locks = [
            Relocked {
                name: "x",
                old: Some(&old),
                new: &new,
            },
            Relocked {
                name: "y",
                old: Some(&old),
                new: &old,
            },
        ];
        let text = Summary::new(&locks, |_| None).text();
        let want = "Rules on paths of packages (2)\n  rule             what           in\n  \
                    path-exclude=/c  added          1\n  those that stay  another order  1\n";
        assert!(text.contains(want), "{text}");
        let locks = locks.map(|lock| Relocked {
            old: Some(&new),
            ..lock
        });
        let text = Summary::new(&locks[1..], |_| None).text();
        assert!(
            text.contains("  path-exclude=/c  removed        all\n"),
            "{text}"
        );
    }

    #[test]
    fn sizes_that_64_bits_do_not_hold_together() {
        let mut new = lock(&[("aa", "1"), ("bbb", "1")]);
        for package in &mut new.packages {
            package.size = u64::MAX;
        }
        let old = lock(&[("aa", "1")]);
        let locks = [Relocked {
            name: "x",
            old: Some(&old),
            new: &new,
        }];
        let text = Summary::new(&locks, |_| Some(u64::MAX)).text();
        assert!(text.contains("36.8 EB (+36.8 EB)  36.8 EB "), "{text}");
    }

    #[test]
    fn markdown() {
        let text = summary().markdown();
        assert!(
            text.starts_with("### Locks (2)\n\n| # | lock | packages |"),
            "{text}"
        );
        let row = "\n| ddddd | 1\\~rc1 | trixie | 1 B | 2.0 kB | 1 |\n";
        assert!(text.contains(row), "{text}");
        assert!(
            text.contains("### Downgraded (1)\n\n| package | from | to |"),
            "{text}"
        );
    }

    #[test]
    fn contents() {
        let module = |name: &str| Fact::Module {
            name: name.to_owned(),
        };
        let facts = |list: Vec<Fact>| -> Facts {
            list.into_iter()
                .map(|fact| (fact, "p".to_owned()))
                .collect()
        };
        let rights = Fact::Rights {
            path: "/usr/bin/x".to_owned(),
            how: "4755 0:0".to_owned(),
        };
        let new: Vec<Fact> = (0..70).map(|n| module(&format!("m{n}"))).collect();
        let mut summary = Summary::default();
        summary.contents(
            &facts(vec![module("m0"), module("old")]),
            &facts([new, vec![rights]].concat()),
        );
        summary.note("the end");
        let text = summary.text();
        assert!(
            text.starts_with("New set-uid files and capabilities (1)\n"),
            "{text}"
        );
        assert!(text.contains("New kernel modules (69)\n"), "{text}");
        assert!(text.contains("  and 9 more\n"), "{text}");
        assert!(
            text.contains("Kernel modules that are gone (1)\n  module  package\n  old     p\n"),
            "{text}"
        );
        assert!(text.ends_with("\nNote: the end\n"), "{text}");
    }
}
