//! Side files: what rules and tools noted of inputs. `docs/formats/why.md` has the format.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
use crate::roots::Roots;

/// A line of a side file.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Line {
    /// The list of the image that a raw file was written from.
    Image { path: PathBuf },
    /// An input and what the build calls it.
    Input { path: String, label: String },
    /// Another side file.
    File { path: PathBuf },
    /// What a tree was given.
    Injected {
        tree: String,
        dest: String,
        by: String,
        src: Option<String>,
        label: Option<String>,
    },
    /// A root file system.
    Rootfs {
        path: String,
        dockerfile: String,
        base: String,
        steps: Option<String>,
    },
    /// A file of a root file system's build context.
    Context {
        rootfs: String,
        path: String,
        label: String,
    },
    /// An input that was made, and the list of the image of all that it was made from.
    #[expect(
        dead_code,
        reason = "a line of the format; no byte of what it was made from has a place in the input"
    )]
    Made { path: String, image: String },
    /// A step of a Dockerfile and what it changed.
    Step(Step),
}

/// A step of a Dockerfile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) line: u64,
    pub(crate) text: String,
    /// What it changed: paths from the root, without the slash in front, as [`base::path::text`] has them.
    #[serde(default)]
    pub(crate) paths: Vec<String>,
    /// Of these the ones that are files of the context, with their paths there.
    #[serde(default)]
    pub(crate) copied: BTreeMap<String, String>,
}

/// A root file system.
#[derive(Clone, Debug)]
pub(crate) struct Rootfs {
    pub(crate) dockerfile: String,
    /// Archive of the base image.
    pub(crate) base: String,
    /// Where its steps are, if somebody noted them.
    pub(crate) steps: Option<String>,
    /// Labels of files of the context.
    pub(crate) context: BTreeMap<String, String>,
}

/// What a tree was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) tree: String,
    pub(crate) dest: String,
    pub(crate) by: String,
    pub(crate) src: Option<String>,
    pub(crate) label: Option<String>,
}

/// All side files of an image.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// The list of the image.
    pub(crate) image: Option<PathBuf>,
    /// Labels by the paths of inputs.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) given: Vec<Given>,
    /// By the path of the archive.
    pub(crate) rootfs: BTreeMap<String, Rootfs>,
    /// What could not be found.
    pub(crate) missing: Vec<String>,
}

impl Side {
    /// Reads the side file at `path` and those that it names. One that is not there is noted.
    pub(crate) fn read(path: &Path, roots: &Roots) -> Result<Self, Error> {
        let mut side = Self::default();
        let (mut open, mut seen) = (vec![path.to_owned()], BTreeSet::new());
        let mut contexts = Vec::new();
        while let Some(path) = open.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            for line in lines(&path, &mut side.missing)? {
                match line {
                    Line::Image { path } => side.image = Some(roots.find(&path)),
                    Line::Input { path, label } => {
                        side.labels.insert(path, label);
                    }
                    Line::File { path } => open.push(roots.find(&path)),
                    Line::Injected {
                        tree,
                        dest,
                        by,
                        src,
                        label,
                    } => side.given.push(Given {
                        tree,
                        dest,
                        by,
                        src,
                        label,
                    }),
                    Line::Rootfs {
                        path,
                        dockerfile,
                        base,
                        steps,
                    } => {
                        let rootfs = Rootfs {
                            dockerfile,
                            base,
                            steps,
                            context: BTreeMap::new(),
                        };
                        side.rootfs.insert(path, rootfs);
                    }
                    Line::Context {
                        rootfs,
                        path,
                        label,
                    } => contexts.push((rootfs, path, label)),
                    Line::Made { .. } | Line::Step(_) => {}
                }
            }
        }
        for (rootfs, path, label) in contexts {
            if let Some(rootfs) = side.rootfs.get_mut(&rootfs) {
                rootfs.context.insert(path, label);
            }
        }
        Ok(side)
    }
}

/// The steps in the file at `path`, in their order.
pub(crate) fn steps(path: &Path, missing: &mut Vec<String>) -> Result<Vec<Step>, Error> {
    let lines = lines(path, missing)?.into_iter();
    let steps = lines.filter_map(|line| match line {
        Line::Step(step) => Some(step),
        _ => None,
    });
    Ok(steps.collect())
}

/// The lines of the file at `path`; none if it is not there.
pub(crate) fn lines(path: &Path, missing: &mut Vec<String>) -> Result<Vec<Line>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            missing.push(format!("{} is not there", path.display()));
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut lines = Vec::new();
    for (line, text) in (1..).zip(BufReader::new(file).lines()) {
        let parsed = serde_json::from_str(&text.map_err(failed)?);
        lines.push(parsed.map_err(|source| Error::Line {
            path: path.to_owned(),
            line,
            source,
        })?);
    }
    Ok(lines)
}
