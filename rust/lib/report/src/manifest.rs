//! `manifest.json`, as far as a report needs it, and how two of them differ. `docs/formats/manifest.md` has the format.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::input;

/// The version of the format that is read here.
const VERSION: u64 = 1;

/// What an image consists of.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    manifest: u64,
    /// Name of the image.
    pub name: String,
    /// Version of the image.
    pub version: String,
    packages: Vec<Package>,
    partitions: Vec<Partition>,
    artifacts: BTreeMap<String, Digest>,
}

#[derive(Clone, Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Partition {
    name: String,
    size: u64,
    image: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Digest {
    sha256: String,
    size: u64,
}

impl Manifest {
    /// Reads the manifest at `path`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let manifest: Self = input::json(path, "a manifest.json")?;
        if manifest.manifest != VERSION {
            return Err(Error::ManifestVersion {
                path: path.to_owned(),
                got: manifest.manifest,
                want: VERSION,
            });
        }
        Ok(manifest)
    }
}

/// One thing that differs: what it is, what it was, what it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) what: String,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
}

/// What differs between two manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) packages: Vec<Change>,
    pub(crate) partitions: Vec<Change>,
    pub(crate) artifacts: Vec<Change>,
}

/// What differs between an `old` manifest and a `new` one.
pub(crate) fn changes(old: &Manifest, new: &Manifest) -> Changes {
    let packages = |manifest: &Manifest| -> BTreeMap<String, String> {
        let all = manifest.packages.iter();
        all.map(|p| (p.name.clone(), p.version.clone())).collect()
    };
    let partitions = |manifest: &Manifest| -> BTreeMap<String, String> {
        let all = manifest.partitions.iter();
        let said = |p: &Partition| {
            let content = p.image.as_ref().map_or("nothing".to_owned(), said);
            format!("{}: {content}", base::text::bytes(p.size))
        };
        all.map(|p| (p.name.clone(), said(p))).collect()
    };
    let artifacts = |manifest: &Manifest| -> BTreeMap<String, String> {
        let all = manifest.artifacts.iter();
        all.map(|(name, digest)| (name.clone(), said(digest)))
            .collect()
    };
    Changes {
        packages: differ(&packages(old), &packages(new)),
        partitions: differ(&partitions(old), &partitions(new)),
        artifacts: differ(&artifacts(old), &artifacts(new)),
    }
}

/// Length and digest, the latter as long as it is told apart from others by eye.
fn said(digest: &Digest) -> String {
    let short: String = digest.sha256.chars().take(12).collect();
    format!("{}, SHA-256 {short}…", base::text::bytes(digest.size))
}

fn differ(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Change> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let changed = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name));
    let change = |name: &String| Change {
        what: name.clone(),
        old: old.get(name).cloned(),
        new: new.get(name).cloned(),
    };
    changed.map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Manifest::read(file.path())
    }

    #[test]
    fn what_differs() {
        let old = read(
            r#"{"artifacts": {"a": {"sha256": "aa", "size": 1}}, "manifest": 1, "name": "n", "version": "1",
            "packages": [{"architecture": "all", "name": "gone", "version": "1"},
                         {"architecture": "all", "name": "same", "version": "1"},
                         {"architecture": "all", "name": "up", "version": "1"}],
            "partitions": [{"name": "p", "number": 1, "start": 0, "size": 4096, "type": "t", "uuid": "u", "image": null}]}"#,
        )
        .unwrap();
        let new = read(
            r#"{"artifacts": {"a": {"sha256": "aa", "size": 1}}, "manifest": 1, "name": "n", "version": "2",
            "packages": [{"architecture": "all", "name": "new", "version": "1"},
                         {"architecture": "all", "name": "same", "version": "1"},
                         {"architecture": "all", "name": "up", "version": "2"}],
            "partitions": [{"name": "p", "number": 1, "start": 0, "size": 4096, "type": "t", "uuid": "u",
                            "image": {"sha256": "0123456789abcdef", "size": 5}}]}"#,
        )
        .unwrap();
        let change = |what: &str, old: Option<&str>, new: Option<&str>| Change {
            what: what.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        let got = changes(&old, &new);
        assert_eq!(
            got.packages,
            [
                change("gone", Some("1"), None),
                change("new", None, Some("1")),
                change("up", Some("1"), Some("2")),
            ]
        );
        let now = "4.0 kB: 5 B, SHA-256 0123456789ab…";
        assert_eq!(
            got.partitions,
            [change("p", Some("4.0 kB: nothing"), Some(now))]
        );
        assert_eq!(got.artifacts, []);
        assert_eq!(changes(&new, &new), Changes::default());
    }

    #[test]
    fn refusals() {
        let error = read("{").unwrap_err().to_string();
        assert!(error.ends_with(": not a manifest.json"), "{error}");
        let error = read(
            r#"{"artifacts": {}, "manifest": 2, "name": "n", "version": "1", "packages": [], "partitions": []}"#,
        );
        let error = error.unwrap_err().to_string();
        assert!(
            error.ends_with(": a manifest of format 2, want 1"),
            "{error}"
        );
    }
}
