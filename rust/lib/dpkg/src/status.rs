//! The file `status`: a paragraph for each package that dpkg knows.

use std::collections::BTreeMap;

use deb822_fast::borrowed::{BorrowedParagraph, BorrowedParser};

use crate::error::Error;
use crate::field::{exactly, installed_size, source};
use crate::list::List;

/// Where it is in an image, without a slash in front.
pub const STATUS: &str = "var/lib/dpkg/status";

/// Last word of `Status` of packages whose files are in the image, or some of them.
const WITH_FILES: [&str; 6] = [
    "half-configured",
    "half-installed",
    "installed",
    "triggers-awaited",
    "triggers-pending",
    "unpacked",
];
/// Of those that have none.
const WITHOUT_FILES: [&str; 2] = ["config-files", "not-installed"];

/// A package that has files in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// As `amd64`, or `all`.
    pub architecture: String,
    /// The source that it was built from.
    pub source: String,
    /// Version of the source.
    pub source_version: String,
    /// Names and versions of other sources that it has parts of, as a signed kernel has the kernel.
    pub built_using: Vec<(String, String)>,
    /// What the archive files it under, as `libs`.
    pub section: Option<String>,
    /// Who looks after it.
    pub maintainer: Option<String>,
    /// What its maintainer reckons that it takes, in bytes.
    pub installed: Option<u64>,
}

/// The packages that have files in the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    packages: Vec<Package>,
    /// Positions in `packages`.
    by_name: BTreeMap<String, Vec<usize>>,
}

impl Status {
    /// Reads the file.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let (before, _) = bytes.split_at(error.valid_up_to());
            Error::NotText {
                line: before.split(|byte| *byte == b'\n').count(),
            }
        })?;
        let paragraphs = BorrowedParser::new(text).parse_all();
        let paragraphs = paragraphs.map_err(|error| Error::NotFields {
            got: error.to_string(),
        })?;
        let mut status = Self::default();
        for (paragraph, fields) in (1..).zip(&paragraphs) {
            if let Some(package) = package(paragraph, fields)? {
                status.add(package)?;
            }
        }
        Ok(status)
    }

    fn add(&mut self, package: Package) -> Result<(), Error> {
        if self
            .find(&package.name, Some(&package.architecture))
            .is_some()
        {
            return Err(Error::Twice {
                package: package.name,
                architecture: package.architecture,
            });
        }
        let same = self.by_name.entry(package.name.clone()).or_default();
        same.push(self.packages.len());
        self.packages.push(package);
        Ok(())
    }

    /// All of them, in the file's order.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Where in [`Self::packages()`] the package is whose list of files that is; nothing if it has no files, as one that was removed and left its
    /// configuration.
    pub fn position(&self, list: &List) -> Option<usize> {
        self.find(&list.name, list.architecture.as_deref())
    }

    fn find(&self, name: &str, architecture: Option<&str>) -> Option<usize> {
        let mut same = self.by_name.get(name)?.iter().copied();
        same.find(|position| {
            let package = self.packages.get(*position);
            package.is_some_and(|package| {
                architecture.is_none_or(|architecture| architecture == package.architecture)
            })
        })
    }

    /// What to call a package: by its name, or `NAME:ARCHITECTURE` where another has the same.
    pub fn label(&self, package: &Package) -> String {
        let Package {
            name, architecture, ..
        } = package;
        match self.by_name.get(name) {
            Some(same) if same.len() > 1 => format!("{name}:{architecture}"),
            _ => name.clone(),
        }
    }

    /// The version of each package by what it is called ([`Self::label()`]).
    pub fn versions(&self) -> BTreeMap<String, &str> {
        let packages = self.packages.iter();
        packages
            .map(|package| (self.label(package), package.version.as_str()))
            .collect()
    }
}

/// Whether `text` is letters, digits and `marks`, and begins with one of the former, as dpkg has it: what names a package or an architecture is told from
/// all around it.
fn is_name(text: &str, marks: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && chars.all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
}

/// The package of a paragraph; nothing if it has no files.
fn package(paragraph: usize, fields: &BorrowedParagraph<'_>) -> Result<Option<Package>, Error> {
    let of = |field: &str| {
        let value = fields.get(field)?.join("\n");
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let name = of("Package").ok_or(Error::NoName { paragraph })?;
    let must = |field| {
        of(field).ok_or_else(|| Error::NoField {
            package: name.clone(),
            field,
        })
    };
    let bad = |field, want| Error::BadField {
        package: name.clone(),
        field,
        got: of(field).unwrap_or_default(),
        want,
    };
    let status = must("Status")?;
    match status.split_whitespace().last() {
        Some(state) if WITHOUT_FILES.contains(&state) => return Ok(None),
        Some(state) if WITH_FILES.contains(&state) => {}
        _ => return Err(bad("Status", "a state that dpkg knows as its last word")),
    }
    let (version, architecture) = (must("Version")?, must("Architecture")?);
    if !is_name(&name, "-+._") {
        return Err(bad("Package", "letters, digits and -+._"));
    }
    if !is_name(&architecture, "-") {
        return Err(bad("Architecture", "letters, digits and -"));
    }
    let own = of("Source");
    let (source, source_version) = source(own.as_deref(), &name, &version)
        .ok_or_else(|| bad("Source", "`NAME` or `NAME (VERSION)`"))?;
    let (source, source_version) = (source.to_owned(), source_version.to_owned());
    let mut built_using = Vec::new();
    for field in ["Built-Using", "Static-Built-Using"] {
        let all = exactly(&of(field).unwrap_or_default());
        built_using.extend(all.ok_or_else(|| bad(field, "`NAME (= VERSION), …`"))?);
    }
    let installed = match of("Installed-Size") {
        Some(size) => {
            let bytes = installed_size(&size);
            Some(bytes.ok_or_else(|| bad("Installed-Size", "a number of units of 1024 bytes"))?)
        }
        None => None,
    };
    Ok(Some(Package {
        version,
        architecture,
        source,
        source_version,
        built_using,
        section: of("Section"),
        maintainer: of("Maintainer"),
        installed,
        name,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: &str = "Package: tool\nStatus: install ok installed\nSection: utils\nInstalled-Size: 12\nMaintainer: Ann <ann@example.org>\n\
        Architecture: amd64\nSource: tools (2.1-1)\nVersion: 2.1-3\nBuilt-Using: a (= 1:2),\n b (= 3)\nConffiles:\n /etc/tool 0123\n\
        Description: a\n text: b\n";

    fn read(text: &str) -> Result<Status, Error> {
        Status::read(text.as_bytes())
    }

    fn bare(name: &str, architecture: &str) -> String {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\nVersion: 1\n")
    }

    #[test]
    fn all_of_a_package() {
        let status = read(TOOL).unwrap();
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(
            status.packages(),
            [Package {
                name: "tool".to_owned(),
                version: "2.1-3".to_owned(),
                architecture: "amd64".to_owned(),
                source: "tools".to_owned(),
                source_version: "2.1-1".to_owned(),
                built_using: vec![pair("a", "1:2"), pair("b", "3")],
                section: Some("utils".to_owned()),
                maintainer: Some("Ann <ann@example.org>".to_owned()),
                installed: Some(12 * 1024),
            }]
        );
        let status = read(&bare("a", "all")).unwrap();
        let [package] = status.packages() else {
            panic!("{status:?}")
        };
        let source = (&*package.source, &*package.source_version);
        assert_eq!(source, ("a", "1"));
        assert_eq!(read("").unwrap(), Status::default());
    }

    #[test]
    fn those_that_have_files() {
        for (state, there) in WITH_FILES
            .map(|state| (state, 1))
            .into_iter()
            .chain(WITHOUT_FILES.map(|state| (state, 0)))
        {
            let text = TOOL.replace("ok installed", &format!("ok {state}"));
            assert_eq!(read(&text).unwrap().packages().len(), there, "{state}");
        }
        // dpkg keeps paragraphs of packages that were never there.
        let never = "Package: never\nStatus: unknown ok not-installed\n\n";
        assert_eq!(read(never).unwrap(), Status::default());
    }

    #[test]
    fn names() {
        let list = |name: &str, architecture: Option<&str>| List {
            name: name.to_owned(),
            architecture: architecture.map(str::to_owned),
        };
        let (a, c) = (bare("a", "amd64"), bare("c", "all"));
        let text = format!("{a}\n{}\n{c}", a.replace("amd64", "i386"));
        let status = read(&text).unwrap();
        let labels: Vec<_> = status.packages().iter().map(|p| status.label(p)).collect();
        assert_eq!(labels, ["a:amd64", "a:i386", "c"]);
        let versions: Vec<_> = status.versions().into_iter().collect();
        let want = labels.into_iter().map(|label| (label, "1"));
        assert_eq!(versions, want.collect::<Vec<_>>());
        assert_eq!(status.position(&list("a", Some("i386"))), Some(1));
        assert_eq!(status.position(&list("c", None)), Some(2));
        assert_eq!(status.position(&list("c", Some("amd64"))), None);
        assert_eq!(status.position(&list("b", None)), None);
    }

    #[test]
    fn what_dpkg_never_writes() {
        let package = || "tool".to_owned();
        let no = |field| Error::NoField {
            package: package(),
            field,
        };
        let bad = |field, got: &str, want| Error::BadField {
            package: package(),
            field,
            got: got.to_owned(),
            want,
        };
        for (from, to, want) in [
            ("Package: tool\n", "", Error::NoName { paragraph: 1 }),
            ("Status: install ok installed\n", "", no("Status")),
            ("Version: 2.1-3\n", "", no("Version")),
            ("Version: 2.1-3\n", "Version:\n", no("Version")),
            ("Architecture: amd64\n", "", no("Architecture")),
            (
                "ok installed",
                "ok there",
                bad(
                    "Status",
                    "install ok there",
                    "a state that dpkg knows as its last word",
                ),
            ),
            (
                "Architecture: amd64",
                "Architecture: amd:64",
                bad("Architecture", "amd:64", "letters, digits and -"),
            ),
            (
                "(2.1-1)",
                "(2.1-1",
                bad("Source", "tools (2.1-1", "`NAME` or `NAME (VERSION)`"),
            ),
            (
                "a (= 1:2),\n b (= 3)",
                "a (= 1:2), b",
                bad("Built-Using", "a (= 1:2), b", "`NAME (= VERSION), …`"),
            ),
            (
                "Size: 12",
                "Size: 99999999999999999999",
                bad(
                    "Installed-Size",
                    "99999999999999999999",
                    "a number of units of 1024 bytes",
                ),
            ),
            (
                "Section: utils",
                "Section",
                Error::NotFields {
                    got: "Unexpected token: Section".to_owned(),
                },
            ),
        ] {
            assert_eq!(read(&TOOL.replace(from, to)), Err(want), "{from} {to}");
        }
        for name in ["a:b", "-a", "a b", "\u{e4}"] {
            let error = read(&bare(name, "all")).unwrap_err();
            assert!(
                error.to_string().ends_with("want letters, digits and -+._"),
                "{error}"
            );
        }
        assert_eq!(
            Status::read(b"Package: a\nMaintainer: \xff\n"),
            Err(Error::NotText { line: 2 })
        );
        let twice = format!("{TOOL}\n{TOOL}");
        assert_eq!(
            read(&twice),
            Err(Error::Twice {
                package: package(),
                architecture: "amd64".to_owned(),
            })
        );
    }
}
