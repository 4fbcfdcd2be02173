//! What the build hands over of an image: a file of JSON lines, written by the rule that asks for the document.
//!
//! It names files and says how they belong together; `docs/formats/sbom.md` has the fields.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::Deserialize;

use crate::error::Error;

/// A line.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    Partition(Partition),
    Raw(Raw),
    Base(Base),
    Crate(Crate),
    Program(Program),
    Input { path: PathBuf, label: String },
    Disk { image: PathBuf, digest: PathBuf },
}

/// A partition with a file system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Partition {
    pub(crate) name: String,
    /// Label of the tree.
    pub(crate) label: String,
    /// The tree's list.
    pub(crate) tree: PathBuf,
    /// The folder of the tree that is the file system's root.
    #[serde(default)]
    pub(crate) subdir: String,
    #[serde(default)]
    pub(crate) exclude: Vec<String>,
}

/// A partition without a file system that is known.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    pub(crate) name: String,
    pub(crate) label: String,
    /// The image's list, or a file.
    pub(crate) image: PathBuf,
}

/// A base image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Base {
    pub(crate) label: String,
    pub(crate) tar: PathBuf,
    pub(crate) lock: PathBuf,
    /// File with the digest that names it.
    pub(crate) digest: PathBuf,
}

/// A crate that a program links.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crate {
    pub(crate) label: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Its Cargo.toml, if it is from a registry.
    #[serde(default)]
    pub(crate) manifest: Option<PathBuf>,
    /// Labels of the crates that it links.
    pub(crate) deps: Vec<String>,
}

/// A program of Rust.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    pub(crate) label: String,
    pub(crate) name: String,
    /// Its own; nothing if it is that of the image.
    #[serde(default)]
    pub(crate) version: Option<String>,
    /// The program's file.
    pub(crate) path: PathBuf,
    pub(crate) deps: Vec<String>,
}

/// All that a file of parts says.
#[derive(Debug, Default)]
pub struct Parts {
    pub(crate) partitions: Vec<Partition>,
    pub(crate) raw: Vec<Raw>,
    /// By the path of the archive.
    pub(crate) bases: BTreeMap<PathBuf, Base>,
    /// By label.
    pub(crate) crates: BTreeMap<String, Crate>,
    /// By label.
    pub(crate) programs: BTreeMap<String, Program>,
    /// Labels by path.
    pub(crate) inputs: BTreeMap<PathBuf, String>,
    /// Of disks, by the list of the image: the file with the digest.
    pub(crate) disks: BTreeMap<PathBuf, PathBuf>,
}

impl Parts {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut parts = Self::default();
        for line in lines(path)? {
            match line {
                Line::Partition(partition) => parts.partitions.push(partition),
                Line::Raw(raw) => parts.raw.push(raw),
                Line::Base(base) => {
                    parts.bases.insert(base.tar.clone(), base);
                }
                Line::Crate(one) => {
                    parts.crates.insert(one.label.clone(), one);
                }
                Line::Program(program) => {
                    parts.programs.insert(program.label.clone(), program);
                }
                Line::Input { path, label } => {
                    parts.inputs.insert(path, label);
                }
                Line::Disk { image, digest } => {
                    parts.disks.insert(image, digest);
                }
            }
        }
        parts.partitions.sort_by(|a, b| a.name.cmp(&b.name));
        parts.raw.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(parts)
    }

    /// Labels of all crates that a program with these `deps` links, sorted.
    pub(crate) fn linked(&self, deps: &[String]) -> Result<Vec<&Crate>, Error> {
        let mut found: BTreeMap<&str, &Crate> = BTreeMap::new();
        let mut todo: Vec<&String> = deps.iter().collect();
        while let Some(label) = todo.pop() {
            if found.contains_key(label.as_str()) {
                continue;
            }
            let one = self.crates.get(label).ok_or_else(|| Error::NoPart {
                what: format!("the crate {label}"),
            })?;
            found.insert(label, one);
            todo.extend(&one.deps);
        }
        Ok(found.into_values().collect())
    }
}

/// The lines of the file at `path`.
pub(crate) fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let file = File::open(path).map_err(Error::read(path))?;
    let mut all = Vec::new();
    for (line, text) in (1..).zip(BufReader::new(file).lines()) {
        let text = text.map_err(Error::read(path))?;
        let parsed = serde_json::from_str(&text).map_err(|source| Error::Line {
            path: path.to_owned(),
            line,
            source,
        });
        all.push(parsed?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("parts");
        let of = |label: &str, deps: &str| {
            format!(
                r#"{{"is":"crate","label":"{label}","name":"{label}","version":"1","deps":[{deps}]}}"#
            ) + "\n"
        };
        let text =
            of("a", r#""b","c""#) + &of("b", r#""c""#) + &of("c", r#""b""#) + &of("d", r#""gone""#);
        std::fs::write(&path, &text).unwrap();
        let parts = Parts::read(&path).unwrap();
        let linked = parts.linked(&["a".to_owned()]).unwrap();
        let names: Vec<_> = linked.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let error = parts.linked(&["d".to_owned()]).unwrap_err().to_string();
        assert_eq!(
            error,
            "got no part for the crate gone, which another part refers to"
        );
        std::fs::write(&path, text + "{\"is\":\"thing\"}\n").unwrap();
        let error = Parts::read(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("parts line 5: not a line of its format"),
            "{error}"
        );
    }
}
