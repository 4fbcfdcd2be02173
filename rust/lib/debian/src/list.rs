//! Package lists: one package a line, `#` begins a comment.

use crate::error::Error;

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
}

/// Reads a list; `file` is its name in messages.
pub fn parse_list(file: &str, text: &str) -> Result<List, Error> {
    let mut packages = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let name = line.split('#').next().unwrap_or_default().trim();
        if name.is_empty() {
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
    })
}

/// Debian policy 5.6.1: lower-case letters, digits, `+`, `-`, `.`; at least two, beginning with a letter or digit.
pub(crate) fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    begins && name.len() >= 2 && name.chars().all(rest)
}

/// Up to five of `candidates` that `name` may have been meant for, the nearest first.
pub fn near_names<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let most = (name.chars().count() / 3).clamp(1, 3);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = distance(name, candidate, most);
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

/// Edits from one to the other (insert, delete, replace, swap neighbours), if no more than `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let get = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, cb) in b.iter().enumerate() {
            let replace = get(&last, j).saturating_add(usize::from(ca != cb));
            let delete = get(&last, j.saturating_add(1)).saturating_add(1);
            let insert = get(&row, j).saturating_add(1);
            let mut best = replace.min(delete).min(insert);
            if let (Some(pi), Some(pj)) = (i.checked_sub(1), j.checked_sub(1)) {
                if Some(ca) == b.get(pj) && a.get(pi) == Some(cb) {
                    best = best.min(get(&before, pj).saturating_add(1));
                }
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|d| *d <= most)
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
