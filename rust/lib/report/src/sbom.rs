//! A bill of materials: SPDX 2.x as JSON (the SPDX specification, clauses 6 and 7), counted.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::input;

/// What SPDX says where nothing is known, or there is nothing.
const NOT_SAID: [&str; 2] = ["NOASSERTION", "NONE"];

/// A bill of materials in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sbom {
    /// Name of the document.
    pub name: String,
    /// Kind of package, as in its package URL, to how many there are; empty for those without one.
    pub kinds: BTreeMap<String, u64>,
    /// Licence expression to how many packages have it.
    pub licences: BTreeMap<String, u64>,
    /// How many packages have no licence stated.
    pub unlicensed: u64,
    /// How many files are listed.
    pub files: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    packages: Vec<Package>,
    #[serde(default)]
    files: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    license_concluded: Option<String>,
    license_declared: Option<String>,
    #[serde(default)]
    external_refs: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    reference_locator: String,
}

impl Sbom {
    /// Reads and counts the bill of materials at `path`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let document: Document = input::json(path, "a bill of materials of SPDX 2.x as JSON")?;
        if !document.spdx_version.starts_with("SPDX-2.") {
            return Err(Error::SbomVersion {
                path: path.to_owned(),
                got: document.spdx_version,
            });
        }
        let mut sbom = Self {
            name: document.name,
            files: base::as_u64(document.files.len()),
            ..Self::default()
        };
        for package in &document.packages {
            count(&mut sbom.kinds, package.kind());
            match package.licence() {
                Some(licence) => count(&mut sbom.licences, licence),
                None => sbom.unlicensed = base::past(sbom.unlicensed, 1),
            }
        }
        Ok(sbom)
    }

    /// How many packages there are.
    pub fn packages(&self) -> u64 {
        self.kinds.values().sum()
    }
}

impl Package {
    /// `deb` of `pkg:deb/debian/zlib1g@1`.
    fn kind(&self) -> &str {
        let locators = self.external_refs.iter().map(|r| &r.reference_locator);
        let mut kinds = locators.filter_map(|url| url.strip_prefix("pkg:")?.split('/').next());
        kinds.next().unwrap_or("")
    }

    /// What was concluded, else what its makers declare.
    fn licence(&self) -> Option<&str> {
        let said = [&self.license_concluded, &self.license_declared];
        let mut said = said.into_iter().flatten().map(String::as_str);
        said.find(|licence| !NOT_SAID.contains(licence) && !licence.is_empty())
    }
}

fn count(counts: &mut BTreeMap<String, u64>, of: &str) {
    let number = counts.entry(of.to_owned()).or_default();
    *number = base::past(*number, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Sbom, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Sbom::read(file.path())
    }

    #[test]
    fn counts() {
        let purl = |url: &str| {
            format!(
                r#"[{{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "{url}"}}]"#
            )
        };
        let text = format!(
            r#"{{"spdxVersion": "SPDX-2.3", "name": "image", "files": [{{"fileName": "./x"}}], "packages": [
            {{"name": "a", "licenseConcluded": "NOASSERTION", "licenseDeclared": "MIT", "externalRefs": {}}},
            {{"name": "b", "licenseConcluded": "GPL-2.0-only", "licenseDeclared": "MIT", "externalRefs": {}}},
            {{"name": "c", "licenseDeclared": "NONE", "externalRefs": {}}},
            {{"name": "d"}}]}}"#,
            purl("pkg:cargo/a@1"),
            purl("pkg:deb/debian/b@1"),
            purl("pkg:deb/debian/c@1")
        );
        let got = read(&text).unwrap();
        let counts = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
        };
        assert_eq!(got.kinds, counts(&[("", 1), ("cargo", 1), ("deb", 2)]));
        assert_eq!(got.licences, counts(&[("GPL-2.0-only", 1), ("MIT", 1)]));
        assert_eq!((got.unlicensed, got.files, got.packages()), (2, 1, 4));
        assert_eq!(got.name, "image");
    }

    #[test]
    fn refusals() {
        let error = read("[]").unwrap_err().to_string();
        assert!(
            error.ends_with(": not a bill of materials of SPDX 2.x as JSON"),
            "{error}"
        );
        let error = read(r#"{"spdxVersion": "SPDX-3.0"}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("format \"SPDX-3.0\", want one"), "{error}");
    }
}
