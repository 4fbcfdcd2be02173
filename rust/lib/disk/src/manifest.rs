//! `manifest.json`: what an image consists of, for programs; `packages.txt`: its packages, for `grep` and `diff`.
//!
//! JSON with sorted keys and a newline at the end. Sizes and starts are bytes, digests SHA-256 in lower-case hex:
//!
//! | key          | value                                                                                       |
//! |--------------|---------------------------------------------------------------------------------------------|
//! | `artifacts`  | file name → `sha256`, `size`                                                                |
//! | `manifest`   | 1, the version of this format: a reader refuses one it does not know                         |
//! | `name`       | name of the image                                                                           |
//! | `packages`   | list of `architecture`, `name`, `version`, sorted by name                                   |
//! | `partitions` | list of `name`, `number`, `size`, `start`, `type`, `uuid`, and `image` (`sha256`, `size`) or null |
//! | `unlocked`   | only if packages are not the locked ones: list of what is there in place of what                |
//! | `version`    | version of the image                                                                        |

use std::collections::BTreeMap;

use partitions::{type_alias, Layout};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Why a lock file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// No JSON of the expected form.
    #[error("not a package lock")]
    Json(#[from] serde_json::Error),
    /// A field that is empty or has white space in it.
    #[error("package {index} of the lock has {field} {got:?}")]
    Field {
        /// Position of the package, from 1.
        index: usize,
        /// Which field.
        field: &'static str,
        /// Its text.
        got: String,
    },
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// `amd64`, `all`.
    pub architecture: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
}

/// The packages of a lock file, sorted by name, architecture and version. Its other fields are not looked at.
pub fn read_lock(json: &[u8]) -> Result<Vec<Package>, LockError> {
    #[derive(Deserialize)]
    struct Lock {
        packages: Vec<Package>,
    }
    let mut packages = serde_json::from_slice::<Lock>(json)?.packages;
    for (index, package) in (1_usize..).zip(&packages) {
        for (field, got) in [
            ("name", &package.name),
            ("version", &package.version),
            ("architecture", &package.architecture),
        ] {
            if got.is_empty() || got.contains(|c: char| c.is_whitespace() || c.is_control()) {
                let got = got.clone();
                return Err(LockError::Field { index, field, got });
            }
        }
    }
    packages.sort_by(|a, b| {
        (&a.name, &a.architecture, &a.version).cmp(&(&b.name, &b.architecture, &b.version))
    });
    Ok(packages)
}

/// `name version architecture`, a package a line.
pub fn packages_text(packages: &[Package]) -> String {
    packages
        .iter()
        .map(|p| format!("{} {} {}\n", p.name, p.version, p.architecture))
        .collect()
}

/// What the manifest is made from.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// Name of the image.
    pub name: &'a str,
    /// Version of the image.
    pub version: &'a str,
    /// The disk.
    pub layout: &'a Layout,
    /// Partition name to the digest of its image.
    pub images: &'a BTreeMap<String, Digest>,
    /// File name to its digest.
    pub artifacts: &'a BTreeMap<String, Digest>,
    /// Installed packages.
    pub packages: &'a [Package],
    /// What of them is not what was locked, for people.
    pub unlocked: &'a [String],
}

// Fields in the order of the alphabet: the order they are written in.
#[derive(Serialize)]
struct Document<'a> {
    artifacts: BTreeMap<&'a str, File>,
    manifest: u32,
    name: &'a str,
    packages: &'a [Package],
    partitions: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unlocked: &'a [String],
    version: &'a str,
}

#[derive(Serialize)]
struct File {
    sha256: String,
    size: u64,
}

#[derive(Serialize)]
struct Entry<'a> {
    image: Option<File>,
    name: &'a str,
    number: u32,
    size: u64,
    start: u64,
    r#type: String,
    uuid: String,
}

impl From<&Digest> for File {
    fn from(digest: &Digest) -> Self {
        Self {
            sha256: digest.to_string(),
            size: digest.len,
        }
    }
}

/// The text of `manifest.json`.
pub fn manifest_json(contents: &Contents<'_>) -> Result<String, serde_json::Error> {
    let partitions = contents.layout.partitions.iter().map(|placed| {
        let partition = &placed.partition;
        Entry {
            image: contents.images.get(&partition.name).map(File::from),
            name: &partition.name,
            number: placed.number,
            size: partition.size,
            start: placed.start,
            r#type: type_alias(partition.type_guid)
                .map_or_else(|| partition.type_guid.to_string(), str::to_owned),
            uuid: partition.uuid.to_string(),
        }
    });
    let artifacts = contents.artifacts.iter();
    let document = Document {
        artifacts: artifacts.map(|(n, d)| (n.as_str(), d.into())).collect(),
        manifest: 1,
        name: contents.name,
        packages: contents.packages,
        partitions: partitions.collect(),
        unlocked: contents.unlocked,
        version: contents.version,
    };
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use partitions::Table;

    #[test]
    fn document() {
        let table = Table::parse(
            "name,start,size,type,uuid,description\n\
             esp,,1M,esp,B1A0A1C2-0000-4000-8000-000000000001,\n\
             raw,,2M,11111111-2222-3333-4444-555555555555,b1a0a1c2-0000-4000-8000-000000000002,\n",
        )
        .unwrap();
        let digest = Digest {
            sha256: [0xab; 32].into(),
            len: 5,
        };
        let digests = BTreeMap::from([("esp".to_owned(), digest)]);
        let packages = read_lock(
            br#"{"x":1,"packages":[{"name":"b","version":"2","architecture":"all","size":3},
            {"name":"a","version":"1:1","architecture":"amd64"}]}"#,
        )
        .unwrap();
        assert_eq!(packages_text(&packages), "a 1:1 amd64\nb 2 all\n");
        let contents = Contents {
            name: "node",
            version: "1.2",
            layout: &table.layout(None).unwrap(),
            images: &digests,
            artifacts: &digests,
            packages: &packages,
            unlocked: &[],
        };
        let text = manifest_json(&contents).unwrap();
        assert!(text.ends_with("}\n"));
        // Keys in order: reading into sorted maps and writing again changes nothing.
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string_pretty(&value).unwrap() + "\n", text);
        assert_eq!(value["partitions"][0]["image"]["sha256"], "ab".repeat(32));
        assert_eq!(value["partitions"][0]["type"], "esp");
        assert_eq!(value["partitions"][1]["start"], 2 << 20);
        assert!(value["partitions"][1]["image"].is_null());
        assert_eq!(value["packages"][0]["version"], "1:1");
        // Only where there is something to be said.
        assert_eq!(value.get("unlocked"), None);
        let unlocked = ["a 1:1 in place of 1:0".to_owned()];
        let text = manifest_json(&Contents {
            unlocked: &unlocked,
            ..contents
        });
        let marked: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
        assert_eq!(marked["unlocked"], serde_json::json!(unlocked));
    }

    #[test]
    fn bad_locks() {
        for (json, want) in [
            ("{", "not a package lock"),
            (r#"{"packages":[{"name":"a"}]}"#, "not a package lock"),
            (
                r#"{"packages":[{"name":"a b","version":"1","architecture":"all"}]}"#,
                "package 1 of the lock has name \"a b\"",
            ),
        ] {
            assert_eq!(read_lock(json.as_bytes()).unwrap_err().to_string(), want);
        }
    }
}
