//! What is in an image beside what is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use base::text::one_line;
use serde::Serialize;

use crate::allow::{Allowed, Entry};
use crate::date::Date;
use crate::inventory::{Component, Ecosystem, Inventory, ITSELF};
use crate::severity::Severity;
use crate::source::{Advisories, Advisory};

/// What counts.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// From this severity on a vulnerability counts.
    pub fail_on: Severity,
    /// The severity of those whose advisories leave it open.
    pub unknown: Severity,
    /// The day on which entries of the list are looked at.
    pub today: Date,
}

/// Whether a vulnerability counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is there.
    Found,
    /// It is there, and was allowed until a day that is past.
    Expired,
    /// It is there, and is allowed.
    Allowed,
    /// Of the package only documents are in the image.
    NoCode,
}

/// A vulnerability of something in the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it counts.
    pub state: State,
    /// How bad it is.
    pub severity: Severity,
    /// Whether the advisory leaves that open.
    pub severity_unknown: bool,
    /// Its name.
    pub id: String,
    /// Other names.
    pub aliases: BTreeSet<String>,
    /// The vulnerabilities that it gathers.
    pub upstream: BTreeSet<String>,
    /// Where the package is from.
    pub ecosystem: Ecosystem,
    /// Debian's source package, or a crate.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The version that has it no more.
    pub fixed: Option<String>,
    /// Debian packages of the source, or programs that link the crate; `PATH: NAME` in an image that it holds.
    pub in_image: BTreeSet<String>,
    /// Which images have it: `.` is the image itself, a path one that it holds.
    pub within: BTreeSet<String>,
    /// What it is.
    pub summary: String,
    /// Why it is allowed.
    pub reason: Option<String>,
    /// Until when.
    pub expires: Option<String>,
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What counts first, the worst first.
    pub findings: Vec<Finding>,
    /// How many count: those found or no longer allowed, of the severity that was asked for or worse.
    pub counted: usize,
    /// From this severity on.
    pub fail_on: Severity,
    /// Entries of the list that allow nothing which is there: `ID in PACKAGE`.
    pub unused: Vec<String>,
    /// Images that it holds, which have bills of materials of their own: nothing in them was looked at.
    pub images: Vec<String>,
    /// How many components were looked at.
    pub components: usize,
    /// How many advisories were read, those of packages that are not in the image among them.
    pub advisories: u64,
}

/// Brings together what is in an image, what is known of that, and what is allowed.
pub fn check(
    inventory: &Inventory,
    advisories: &Advisories,
    allowed: &Allowed,
    options: Options,
) -> Report {
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for component in &inventory.components {
        let key = (component.ecosystem, component.name.clone());
        let all = advisories.about.get(&key).into_iter().flatten();
        let mut by_id: BTreeMap<&str, Vec<&Advisory>> = BTreeMap::new();
        for advisory in all.filter(|one| one.concerns(component)) {
            by_id.entry(&advisory.id).or_default().push(advisory);
        }
        for advisory in by_id.values().filter_map(|same| merged(same, options)) {
            let advisory = &advisory;
            let about = allowed.about(&component.name, advisory);
            used.extend(about.map(|entry| (&entry.id, &entry.package)));
            let entry = allowed.entry(&component.name, advisory);
            findings.push(finding(component, advisory, entry, options));
        }
    }
    findings.sort_by(|a: &Finding, b| {
        let by = |one: &Finding| {
            (
                one.state,
                std::cmp::Reverse(one.severity),
                one.package.clone(),
                one.id.clone(),
            )
        };
        by(a).cmp(&by(b))
    });
    let counts = |one: &&Finding| one.state <= State::Expired && one.severity >= options.fail_on;
    let unused = allowed
        .entries
        .iter()
        .filter(|entry| !used.contains(&(&entry.id, &entry.package)));
    Report {
        counted: findings.iter().filter(counts).count(),
        fail_on: options.fail_on,
        unused: unused
            .map(|entry| format!("{} in {}", entry.id, entry.package))
            .collect(),
        images: inventory.images.clone(),
        components: inventory.components.len(),
        advisories: advisories.read,
        findings,
    }
}

/// What several files say of the same: the worst, with the names that any of them has.
fn merged(same: &[&Advisory], options: Options) -> Option<Advisory> {
    let severity = |one: &&&Advisory| {
        let known = one.severity.is_some();
        (one.severity.unwrap_or(options.unknown), known)
    };
    let mut worst = (**same.iter().max_by_key(severity)?).clone();
    for one in same {
        worst.aliases.extend(one.aliases.iter().cloned());
        worst.upstream.extend(one.upstream.iter().cloned());
    }
    Some(worst)
}

fn finding(
    component: &Component,
    advisory: &Advisory,
    entry: Option<&Entry>,
    options: Options,
) -> Finding {
    let state = match entry {
        _ if !component.is_code => State::NoCode,
        None => State::Found,
        Some(entry) if entry.expires < options.today => State::Expired,
        Some(_) => State::Allowed,
    };
    Finding {
        state,
        severity: advisory.severity.unwrap_or(options.unknown),
        severity_unknown: advisory.severity.is_none(),
        id: advisory.id.clone(),
        aliases: advisory.aliases.clone(),
        upstream: advisory.upstream.clone(),
        ecosystem: component.ecosystem,
        package: component.name.clone(),
        version: component.version.clone(),
        fixed: advisory.fixed(component).map(str::to_owned),
        in_image: component.in_image.clone(),
        within: component.within.clone(),
        summary: advisory.summary.clone(),
        reason: entry.map(|entry| entry.reason.clone()),
        expires: entry.map(|entry| entry.expires.to_string()),
    }
}

/// So much of a summary is shown.
const SHOWN: usize = 60;

impl Report {
    /// The findings, a row each.
    fn table(&self) -> String {
        // Where there is one image, everything is in that.
        let several = self.findings.iter().any(|one| one.within != only_itself());
        let in_columns = |[within, rest @ ..]: [String; 7]| {
            let within = several.then_some(within);
            within.into_iter().chain(rest).collect::<Vec<_>>()
        };
        let rows: Vec<_> = self.findings.iter().map(row).map(in_columns).collect();
        let head = [
            "IN", "SEVERITY", "ID", "PACKAGE", "VERSION", "FIXED IN", "STATE",
        ];
        let head = in_columns(head.map(str::to_owned));
        let mut widths = [0; 7];
        for row in std::iter::once(&head).chain(&rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        let head = (!rows.is_empty()).then_some(&head);
        for row in head.into_iter().chain(&rows) {
            let cells = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    /// A table for people, and what it comes to.
    pub fn text(&self) -> String {
        let mut text = self.table();
        let of = |state| {
            self.findings
                .iter()
                .filter(|one| one.state == state)
                .count()
        };
        // Nothing can go wrong when a string is written to.
        let _ = writeln!(
            text,
            "{} components, {} advisories read: {} vulnerabilities found, {} no longer allowed, {} allowed, {} of packages without code in the image",
            self.components,
            self.advisories,
            of(State::Found),
            of(State::Expired),
            of(State::Allowed),
            of(State::NoCode),
        );
        for unused in self.unused.iter().map(|one| one_line(one)) {
            let _ = writeln!(
                text,
                "the list allows {unused}, which is not there: the entry can go"
            );
        }
        for image in self.images.iter().map(|one| one_line(one)) {
            let _ = writeln!(
                text,
                "holds another image, {image}, whose own bill of materials is to be given with --holds"
            );
        }
        let _ = match self.counted {
            0 => writeln!(text, "none counts: of severity {} or worse", self.fail_on),
            counted => writeln!(text, "{counted} of severity {} or worse", self.fail_on),
        };
        text
    }
}

fn only_itself() -> BTreeSet<String> {
    BTreeSet::from([ITSELF.to_owned()])
}

fn row(one: &Finding) -> [String; 7] {
    let open = if one.severity_unknown { "?" } else { "" };
    let day = one.expires.as_deref().unwrap_or_default();
    let reason = one.reason.as_deref().unwrap_or_default();
    let summary: String = one.summary.chars().take(SHOWN).collect();
    let state = match one.state {
        State::Found => summary,
        State::Expired => format!("NO LONGER ALLOWED since {day}: {reason}"),
        State::Allowed => format!("allowed until {day}: {reason}"),
        State::NoCode => "no code of it in the image".to_owned(),
    };
    let within: Vec<&str> = one.within.iter().map(String::as_str).collect();
    [
        within.join(" "),
        format!("{}{open}", one.severity),
        one.id.clone(),
        one.package.clone(),
        one.version.clone(),
        one.fixed.clone().unwrap_or_else(|| "-".to_owned()),
        state,
    ]
    // Files that others wrote are no program of the terminal.
    .map(|cell| one_line(&cell))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Format;

    fn component(name: &str) -> Component {
        Component {
            ecosystem: Ecosystem::Debian,
            name: name.to_owned(),
            version: "1".to_owned(),
            distro: Some("debian-13".to_owned()),
            in_image: BTreeSet::new(),
            within: BTreeSet::new(),
            is_code: true,
        }
    }

    /// An advisory on `openssl`, with `more` fields.
    fn osv(id: &str, more: &str) -> String {
        format!(
            r#"{{"id": "{id}", {more} "affected": [{{"package": {{"ecosystem": "Debian:13", "name": "openssl"}}, "versions": ["1"]}}]}}"#
        )
    }

    /// What there is of `openssl` on 2026-07-01, where `allowed` are ids and their last days.
    fn checked(files: &[String], allowed: &[(&str, &str)]) -> Report {
        let inventory = Inventory {
            components: vec![component("openssl")],
            images: vec!["./data/guest-os.img".to_owned()],
        };
        let mut advisories = Advisories::default();
        for text in files {
            let added = advisories.add(text, Format::Osv, &inventory, None);
            added.unwrap();
        }
        let entries = allowed.iter().map(|(id, expires)| Entry {
            id: (*id).to_owned(),
            package: "openssl".to_owned(),
            reason: format!("of {id}"),
            expires: expires.parse().unwrap(),
        });
        let allowed = Allowed {
            entries: entries.collect(),
        };
        let options = Options {
            fail_on: Severity::High,
            unknown: Severity::High,
            today: "2026-07-01".parse().unwrap(),
        };
        check(&inventory, &advisories, &allowed, options)
    }

    #[test]
    fn an_advisory_that_gathers_several() {
        let dsa = [osv("DSA-1", r#""upstream": ["CVE-1", "CVE-2"],"#)];
        let (early, late, past) = ("2026-08-01", "2026-09-01", "2026-06-30");
        for (allowed, state, expires) in [
            (vec![], State::Found, None),
            // Nothing of the whole but a part.
            (vec![("CVE-1", late)], State::Found, None),
            (
                vec![("CVE-1", late), ("CVE-2", early)],
                State::Allowed,
                Some(early),
            ),
            (
                vec![("CVE-1", late), ("CVE-2", past)],
                State::Expired,
                Some(past),
            ),
            (vec![("DSA-1", late)], State::Allowed, Some(late)),
            // Whichever allows it longest.
            (
                vec![("CVE-1", late), ("CVE-2", past), ("DSA-1", early)],
                State::Allowed,
                Some(early),
            ),
        ] {
            let report = checked(&dsa, &allowed);
            let one = &report.findings[0];
            assert_eq!(
                (one.state, one.expires.as_deref()),
                (state, expires),
                "{allowed:?}"
            );
            assert!(report.unused.is_empty(), "{:?}", report.unused);
        }
    }

    #[test]
    fn one_entry_that_ended_beside_one_that_did_not() {
        let one = [osv("RUSTSEC-1", r#""aliases": ["CVE-1"],"#)];
        for allowed in [
            [("CVE-1", "2026-06-30"), ("RUSTSEC-1", "2026-07-01")],
            [("CVE-1", "2026-07-01"), ("RUSTSEC-1", "2026-06-30")],
        ] {
            let report = checked(&one, &allowed);
            assert_eq!(report.findings[0].state, State::Allowed, "{allowed:?}");
            assert_eq!(report.counted, 0);
        }
    }

    #[test]
    fn the_same_of_two_files() {
        let of = |id: &str, word: &str| {
            let more = format!(r#""database_specific": {{"severity": "{word}"}},"#);
            osv(id, &more)
        };
        // Another one of the same severity stands between them.
        let files = [of("A", "LOW"), of("B", "HIGH"), of("A", "CRITICAL")];
        let report = checked(&files, &[]);
        let got = report.findings.iter();
        let got: Vec<_> = got.map(|one| (one.id.as_str(), one.severity)).collect();
        assert_eq!(got, [("A", Severity::Critical), ("B", Severity::High)]);
        let files = [
            osv("A", r#""aliases": ["CVE-1"],"#),
            osv("A", r#""aliases": ["CVE-2"],"#),
        ];
        let report = checked(&files, &[("CVE-2", "2026-12-31")]);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.counted, 0);
    }

    #[test]
    fn controls_stay_out_of_the_terminal() {
        let odd = r#"\u001b[2J\u0007a\nb\u009bc"#;
        let file = osv(&format!("CVE-1{odd}"), &format!(r#""summary": "{odd}","#));
        let report = checked(&[file], &[("CVE-\u{1b}[31m", "2026-12-31")]);
        let text = report.text();
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "{text:?}"
        );
        // Head, finding, two lines of what it comes to, the entry, the image.
        assert_eq!(text.lines().count(), 6, "{text}");
    }

    #[test]
    fn how_many_were_read() {
        let report = checked(&[osv("A", ""), osv("B", "")], &[]);
        assert_eq!(report.advisories, 2);
        let text = report.text();
        assert!(
            text.contains("1 components, 2 advisories read: 2 vulnerabilities found"),
            "{text}"
        );
        assert!(
            text.contains("\nholds another image, ./data/guest-os.img, whose own"),
            "{text}"
        );
    }
}
