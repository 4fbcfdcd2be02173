//! Licences of Debian packages as SPDX licence expressions.
//!
//! Machine-readable copyright files (Debian's `copyright-format` 1.0) name licences by short names, `GPL-2+ and (Expat or …)` among them.
//! Those that SPDX has a name for get it; any other becomes a `LicenseRef-…` with its text. A file of another form says nothing here: its
//! package's licence is NOASSERTION, and the file itself is in the image.

use std::collections::BTreeMap;

use base::Sha256Digest;

use crate::deb822::{field, paragraphs, Paragraph};
use crate::ids::short;
use crate::spdx::ExtractedLicence;

/// What a package's copyright file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Licence {
    /// The expression; nothing if the file is not machine-readable.
    pub(crate) expression: Option<String>,
    /// Texts of the licences in it that SPDX has no name for.
    pub(crate) texts: Vec<ExtractedLicence>,
}

/// Names that SPDX has and copyright files use as they are, whatever letters are large.
const KNOWN: [&str; 62] = [
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0-only",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSD-4-Clause-UC",
    "BSL-1.0",
    "Beerware",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "EPL-1.0",
    "FSFAP",
    "FSFUL",
    "FSFULLR",
    "HPND",
    "HPND-sell-variant",
    "ICU",
    "IJG",
    "ISC",
    "JSON",
    "LPPL-1.3c",
    "Libpng",
    "MIT",
    "MIT-0",
    "MPL-1.1",
    "MPL-2.0",
    "NCSA",
    "NTP",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "QPL-1.0",
    "Ruby",
    "SISSL",
    "SSH-OpenSSH",
    "TCL",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "Zlib",
    "bzip2-1.0.6",
    "curl",
    "libtiff",
];

/// Names of the copyright format for others of SPDX.
const ALIASES: [(&str, &str); 9] = [
    ("apache", "Apache-2.0"),
    ("artistic", "Artistic-1.0-Perl"),
    ("bsd-4-clause-uc", "BSD-4-Clause-UC"),
    ("cc0", "CC0-1.0"),
    ("expat", "MIT"),
    ("perl", "(Artistic-1.0-Perl OR GPL-1.0-or-later)"),
    ("python", "Python-2.0"),
    ("boost-1.0", "BSL-1.0"),
    ("openldap-2.8", "OLDAP-2.8"),
];

/// The licences of GNU: name, and which versions SPDX knows.
const GNU: [(&str, &[&str]); 4] = [
    ("gpl", &["1.0", "2.0", "3.0"]),
    ("lgpl", &["2.0", "2.1", "3.0"]),
    ("agpl", &["1.0", "3.0"]),
    ("gfdl", &["1.1", "1.2", "1.3"]),
];

/// What the copyright file `text` says.
pub(crate) fn of_copyright(text: &str) -> Licence {
    let all = paragraphs(text);
    let is_machine_readable = all.first().is_some_and(|first| {
        let format = field(first, "format").or_else(|| field(first, "format-specification"));
        format.is_some_and(|format| {
            format.contains("copyright-format")
                || format.contains("/dep5")
                || format.contains("DEP5")
                || format.contains("/dep/")
        })
    });
    if !is_machine_readable {
        return Licence::default();
    }
    let texts = texts(&all);
    let mut found = BTreeMap::new();
    // Of those that stand alone, only the text is of interest: what they are of names them.
    for paragraph in all
        .iter()
        .filter(|paragraph| field(paragraph, "files").is_some())
    {
        let name = field(paragraph, "license").and_then(|value| value.lines().next());
        if let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) {
            let mut refs = Vec::new();
            let expression = expression(name, &texts, &mut refs);
            found.insert(expression, refs);
        }
    }
    let mut refs: Vec<ExtractedLicence> = found.values().flatten().cloned().collect();
    refs.sort();
    refs.dedup();
    Licence {
        expression: join(found.into_keys().collect(), " AND "),
        texts: refs,
    }
}

/// The texts that the paragraphs give for short names, the longest of several.
fn texts(all: &[Paragraph]) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for paragraph in all {
        let Some((name, body)) =
            field(paragraph, "license").and_then(|value| value.split_once('\n'))
        else {
            continue;
        };
        let lines = body
            .lines()
            .map(|line| line.strip_prefix([' ', '\t']).unwrap_or(line));
        let lines = lines.map(|line| {
            if line.trim() == "." {
                ""
            } else {
                line.trim_end()
            }
        });
        let body = lines.collect::<Vec<_>>().join("\n");
        let known = texts.entry(name.trim().to_ascii_lowercase()).or_default();
        if body.len() > known.len() {
            *known = body;
        }
    }
    texts
}

/// What `field` says as an expression; licences that SPDX has no name for go to `refs`.
fn expression(
    field: &str,
    texts: &BTreeMap<String, String>,
    refs: &mut Vec<ExtractedLicence>,
) -> String {
    // A comma ends what words before it bind: `A or B, and C`.
    let mut out = String::new();
    for part in field.split(',') {
        let words: Vec<&str> = part.split_whitespace().collect();
        let (operator, words) = match words.split_first() {
            Some((word, rest)) if word.eq_ignore_ascii_case("or") => (" OR ", rest),
            Some((word, rest)) if word.eq_ignore_ascii_case("and") => (" AND ", rest),
            Some(_) => (" AND ", words.as_slice()),
            None => continue,
        };
        let either = words.split(|word| word.eq_ignore_ascii_case("or"));
        let either = either.filter_map(|words| {
            let all = words.split(|word| word.eq_ignore_ascii_case("and"));
            let all = all.filter(|words| !words.is_empty());
            join(
                all.map(|words| one(&words.join(" "), texts, refs))
                    .collect(),
                " AND ",
            )
        });
        let Some(part) = join(either.collect(), " OR ") else {
            continue;
        };
        out = match out.is_empty() {
            true => part,
            false => join(vec![out, part], operator).unwrap_or_default(),
        };
    }
    out
}

/// Expressions as one; each in brackets that has a word in it. Nothing of nothing.
fn join(mut all: Vec<String>, operator: &str) -> Option<String> {
    all.retain(|one| !one.is_empty());
    match all.len() {
        0 | 1 => all.pop(),
        _ => {
            let braced =
                all.into_iter()
                    .map(|one| match one.contains(' ') && !one.starts_with('(') {
                        true => format!("({one})"),
                        false => one,
                    });
            Some(braced.collect::<Vec<_>>().join(operator))
        }
    }
}

/// A short name, perhaps with an exception, as SPDX has it.
fn one(name: &str, texts: &BTreeMap<String, String>, refs: &mut Vec<ExtractedLicence>) -> String {
    let name = name.trim_matches(['(', ')']);
    if let Some(known) = known(name) {
        return known;
    }
    let plain = |c: char| match c {
        '.' | '-' => c,
        _ if c.is_ascii_alphanumeric() => c,
        _ => '-',
    };
    let stem: String = name.chars().map(plain).collect();
    let text = match texts.get(&name.to_ascii_lowercase()) {
        Some(text) if !text.is_empty() => text.clone(),
        _ => {
            format!("The copyright file names this licence {name:?} and has no text of that name.")
        }
    };
    // The same name may mean another text elsewhere.
    let license_id = format!("LicenseRef-{stem}-{}", short(&Sha256Digest::of(&text)));
    refs.push(ExtractedLicence {
        license_id: license_id.clone(),
        name: name.to_owned(),
        extracted_text: text,
    });
    license_id
}

/// SPDX's name for `name`, if it has one.
fn known(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, id)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        return Some((*id).to_owned());
    }
    if let Some(id) = KNOWN.iter().find(|id| id.eq_ignore_ascii_case(name)) {
        return Some((*id).to_owned());
    }
    let (lower, later) = match lower
        .strip_suffix('+')
        .or_else(|| lower.strip_suffix("-or-later"))
    {
        Some(lower) => (lower, "or-later"),
        None => (lower.strip_suffix("-only").unwrap_or(&lower), "only"),
    };
    let (stem, version) = lower.rsplit_once('-')?;
    let (stem, invariants) = match stem.strip_suffix("-niv") {
        Some(stem) if stem == "gfdl" => (stem, "no-invariants-"),
        _ => (stem, ""),
    };
    let (_, versions) = GNU.iter().find(|(gnu, _)| *gnu == stem)?;
    let version = match version.contains('.') {
        true => version.to_owned(),
        false => format!("{version}.0"),
    };
    let stem = stem.to_ascii_uppercase();
    versions
        .contains(&version.as_str())
        .then(|| format!("{stem}-{version}-{invariants}{later}"))
}

/// What a crate says of its licence, whose older form has a slash for OR.
pub(crate) fn of_crate(license: &str) -> String {
    let parts: Vec<&str> = license.split('/').map(str::trim).collect();
    parts.join(" OR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Format: https://example.org/copyright-format/1.0/\n\n";

    fn expression_of(files: &[&str]) -> Option<String> {
        let mut text = HEAD.to_owned();
        for license in files {
            text.push_str(&format!("Files: *\nCopyright: x\nLicense: {license}\n\n"));
        }
        of_copyright(&text).expression
    }

    #[test]
    fn short_names() {
        for (got, want) in [
            ("GPL-2+", "GPL-2.0-or-later"),
            ("GPL-2", "GPL-2.0-only"),
            ("GPL-2.0-or-later", "GPL-2.0-or-later"),
            ("LGPL-2.1", "LGPL-2.1-only"),
            ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
            ("Expat", "MIT"),
            ("BSD-3-clause", "BSD-3-Clause"),
            (
                "GPL-2+ or LGPL-3+ and Expat",
                "GPL-2.0-or-later OR (LGPL-3.0-or-later AND MIT)",
            ),
            (
                "GPL-1+ or Artistic, and Expat",
                "(GPL-1.0-or-later OR Artistic-1.0-Perl) AND MIT",
            ),
            ("ISC or Expat, or Zlib", "(ISC OR MIT) OR Zlib"),
        ] {
            assert_eq!(expression_of(&[got]).as_deref(), Some(want), "{got}");
        }
        assert_eq!(
            expression_of(&["Expat", "GPL-2 or ISC", "Expat"]).as_deref(),
            Some("(GPL-2.0-only OR ISC) AND MIT")
        );
        assert_eq!(known("GPL-4"), None);
        assert_eq!(known("BSD-NIV-1"), None);
    }

    #[test]
    fn others_by_their_text() {
        let text = format!("{HEAD}Files: *\nLicense: GPL-2+ with OpenSSL exception or public-domain\n\nLicense: public-domain\n Nobody's.\n .\n At all.\n");
        let licence = of_copyright(&text);
        let [gpl, free] = licence.texts.as_slice() else {
            panic!("{:?}", licence.texts);
        };
        assert_eq!(
            licence.expression.unwrap(),
            format!("{} OR {}", gpl.license_id, free.license_id)
        );
        assert!(gpl
            .license_id
            .starts_with("LicenseRef-GPL-2--with-OpenSSL-exception-"));
        assert!(gpl.extracted_text.ends_with("has no text of that name."));
        assert_eq!(free.extracted_text, "Nobody's.\n\nAt all.");
    }

    #[test]
    fn what_people_wrote() {
        assert_eq!(
            of_copyright("This package was made by …\nLicense: GPL-2\n"),
            Licence::default()
        );
        assert_eq!(of_copyright(""), Licence::default());
        assert_eq!(expression_of(&["", ",", "and"]), None);
        assert_eq!(of_crate("MIT/Apache-2.0"), "MIT OR Apache-2.0");
        assert_eq!(of_crate("MIT OR Apache-2.0"), "MIT OR Apache-2.0");
    }
}
