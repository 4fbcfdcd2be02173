//! Notes on where bytes come from, as rules and `mkrootfs` write them: `docs/formats/why.md` has the format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
use crate::parts::lines;

/// A line; what is not needed here is passed over.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
enum Line {
    Injected {
        tree: String,
        dest: String,
        by: String,
        src: Option<PathBuf>,
        label: Option<String>,
    },
    Rootfs {
        path: PathBuf,
        dockerfile: String,
        base: PathBuf,
        steps: Option<PathBuf>,
    },
    Made {
        path: PathBuf,
        image: PathBuf,
    },
    Step(Step),
    #[serde(other)]
    Other,
}

/// A file that a tree was given late.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The map or attribute that says so.
    pub(crate) by: String,
    pub(crate) src: PathBuf,
    pub(crate) label: String,
}

/// A step of a Dockerfile.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) line: u64,
    pub(crate) text: String,
    #[serde(default)]
    paths: Vec<String>,
}

/// A root file system.
#[derive(Clone, Debug)]
pub(crate) struct Rootfs {
    pub(crate) dockerfile: String,
    /// Archive of the base image.
    pub(crate) base: PathBuf,
    pub(crate) steps: Vec<Step>,
    /// Which step changed a path last, as [`base::path::text`] has it.
    changed: BTreeMap<String, usize>,
}

impl Rootfs {
    /// The step that changed `path` last.
    pub(crate) fn step(&self, path: &[u8]) -> Option<usize> {
        self.changed.get(&base::path::text(path)).copied()
    }
}

/// All notes of an image.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// By the tree's label and the destination.
    pub(crate) given: BTreeMap<(String, String), Given>,
    /// By the path of the archive.
    pub(crate) rootfs: BTreeMap<PathBuf, Rootfs>,
    /// Of a file that was made of parts of others (an initrd), by its path: the list of the image of all these parts.
    pub(crate) made: BTreeMap<PathBuf, PathBuf>,
}

impl Notes {
    /// Reads the files at `paths`, and the files of steps that they name; but of root file systems over none of `bases` nothing is read.
    pub(crate) fn read(paths: &[PathBuf], is_base: impl Fn(&Path) -> bool) -> Result<Self, Error> {
        let mut notes = Self::default();
        for path in paths {
            for line in lines(path)? {
                match line {
                    Line::Injected {
                        tree,
                        dest,
                        by,
                        src: Some(src),
                        label: Some(label),
                    } => {
                        notes.given.insert((tree, dest), Given { by, src, label });
                    }
                    Line::Rootfs {
                        path,
                        dockerfile,
                        base,
                        steps,
                    } if is_base(&base) => {
                        let rootfs = rootfs(dockerfile, base, steps)?;
                        notes.rootfs.insert(path, rootfs);
                    }
                    Line::Made { path, image } => {
                        notes.made.insert(path, image);
                    }
                    _ => {}
                }
            }
        }
        Ok(notes)
    }
}

fn rootfs(dockerfile: String, base: PathBuf, steps: Option<PathBuf>) -> Result<Rootfs, Error> {
    let read = match steps {
        Some(path) => lines(&path)?,
        None => Vec::new(),
    };
    let steps: Vec<Step> = read
        .into_iter()
        .filter_map(|line| match line {
            Line::Step(step) => Some(step),
            _ => None,
        })
        .collect();
    let mut changed = BTreeMap::new();
    for (number, step) in steps.iter().enumerate() {
        changed.extend(step.paths.iter().map(|path| (path.clone(), number)));
    }
    Ok(Rootfs {
        dockerfile,
        base,
        steps,
        changed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_text_is_no_other_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("steps.jsonl");
        let text = r#"{"is":"step","line":3,"text":"RUN a","paths":["etc/\\xe9"]}
{"is":"step","line":4,"text":"RUN b","paths":["etc/\\xea","etc/a\\\\b"]}
"#;
        std::fs::write(&path, text).unwrap();
        let rootfs = rootfs("Dockerfile".to_owned(), "base.tar".into(), Some(path)).unwrap();
        assert_eq!(rootfs.step(b"etc/\xe9"), Some(0));
        assert_eq!(rootfs.step(b"etc/\xea"), Some(1));
        assert_eq!(rootfs.step(br"etc/a\b"), Some(1));
        assert_eq!(rootfs.step("etc/\u{fffd}".as_bytes()), None);
    }
}
