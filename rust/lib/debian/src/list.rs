//! Package lists: one package a line, or one rule on their paths ([`PathRule`]); `#` begins a comment.

use base::text::slips;

use crate::error::Error;
use crate::paths::PathRule;

/// A package somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Name.
    pub name: String,
    /// Line it stands in, from 1.
    pub line: usize,
}

/// A list file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Name of the file as messages show it.
    pub file: String,
    /// What it asks for, in its order.
    pub packages: Vec<Listed>,
    /// Which files of packages are not taken, in its order.
    pub paths: Vec<PathRule>,
}

/// Reads a list; `file` is its name in messages.
pub fn parse_list(file: &str, text: &str) -> Result<List, Error> {
    let (mut packages, mut paths) = (Vec::new(), Vec::new());
    for (number, line) in (1_usize..).zip(text.lines()) {
        let name = line.split_once('#').map_or(line, |(name, _)| name).trim();
        if name.is_empty() {
            continue;
        }
        if PathRule::is_meant(name) {
            let rule = PathRule::parse(name).map_err(|problem| Error::BadRule {
                file: file.to_owned(),
                line: number,
                text: name.to_owned(),
                problem,
            })?;
            paths.push(rule);
            continue;
        }
        if !is_name(name) {
            return Err(Error::BadName {
                file: file.to_owned(),
                line: number,
                text: name.to_owned(),
            });
        }
        packages.push(Listed {
            name: name.to_owned(),
            line: number,
        });
    }
    Ok(List {
        file: file.to_owned(),
        packages,
        paths,
    })
}

/// Debian policy 5.6.1: lower-case letters, digits, `+`, `-`, `.`; at least two, beginning with a letter or digit.
pub(crate) fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    begins && name.len() >= 2 && name.chars().all(rest)
}

/// Up to five of `candidates` that `name` may have been meant for, the nearest first.
pub(crate) fn near_names<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let most = (name.chars().count() / 3).clamp(1, 3);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            // The index has tens of thousands: most are out of question by their lengths.
            let close = name.len().abs_diff(candidate.len()) <= most;
            let distance = close.then(|| slips(name, candidate));
            let distance = distance.filter(|distance| *distance <= most);
            // One that extends the name, as `cryptsetup` and `cryptsetup-bin`, ranks after slips of the finger.
            let extends = name.len() >= 4 && candidate.split('-').next() == Some(name);
            distance.or(extends.then_some(4)).map(|d| (d, candidate))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
        .into_iter()
        .take(5)
        .map(|(_, name)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let list = parse_list(
            "packages.common",
            "# all\n\nsystemd\nudev # devices\n  g++\n",
        )
        .unwrap();
        let got: Vec<_> = list
            .packages
            .iter()
            .map(|p| (p.name.as_str(), p.line))
            .collect();
        assert_eq!(got, [("systemd", 3), ("udev", 4), ("g++", 5)]);
        for (bad, shown) in [
            ("a\nsystemd udev", "systemd udev"),
            ("bb\nSystemd", "Systemd"),
            ("bb\nx=1", "x=1"),
        ] {
            let bad = bad.replacen("a\n", "aa\n", 1);
            let error = parse_list("f", &bad).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("f:2: `{shown}` is not a package name")),
                "{error}"
            );
        }
    }

    #[test]
    fn rules_on_paths() {
        let text = "path-exclude=/usr/share/doc/*  # documentation\nsystemd\n\npath-include=/usr/share/doc/*/copyright\n";
        let list = parse_list("f", text).unwrap();
        let rules: Vec<String> = list.paths.iter().map(ToString::to_string).collect();
        let want = [
            "path-exclude=/usr/share/doc/*",
            "path-include=/usr/share/doc/*/copyright",
        ];
        assert_eq!(rules, want);
        assert_eq!(list.packages.len(), 1);
        let error = parse_list("f", "aa\npath-exclude=usr/*\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "f:2: `path-exclude=usr/*` is no rule on paths: want a pattern that begins with /"
        );
    }

    #[test]
    fn near() {
        let all = [
            "systemd",
            "systemd-sysv",
            "udev",
            "openssh-server",
            "chrony",
            "cryptsetup-bin",
            "vim",
            "vi",
        ];
        assert_eq!(near_names("sytsemd", all), ["systemd"]);
        assert_eq!(near_names("openssh-sever", all), ["openssh-server"]);
        assert_eq!(near_names("cryptsetup", all), ["cryptsetup-bin"]);
        assert_eq!(near_names("chronyd", all), ["chrony"]);
        assert!(near_names("postgresql", all).is_empty());
    }
}
