//! COPY, as Docker and buildah do it.
//!
//! - A directory's contents are copied, not the directory; also where a wildcard matched it.
//! - A file goes into the destination if that is a directory or ends in `/`, else it becomes the destination.
//! - A source that is a link is followed (inside what is copied from); links below it are copied as links.
//! - Directories that are missing are made: 0755, owned like the copy. Files of the context belong to 0:0, files of a
//!   stage to whom they belong there, unless `--chown` says other.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::tree::{children, make_directories, resolve, Attributes, Copier, CopyError};
use crate::error::{At, Error, Result};
use crate::glob::Glob;
use crate::plan::{CopyAction, SourceAction};

/// Wildcards for folders that are full of links to themselves match any number of paths.
const MOST_MATCHES: usize = 1 << 20;

/// One COPY at work.
pub(crate) struct CopyStep<'a> {
    pub(crate) at: &'a At,
    pub(crate) action: &'a CopyAction,
    /// Tree copied from.
    pub(crate) from: &'a Path,
    /// What it is, for messages: `the context`, `stage build`.
    pub(crate) from_name: &'a str,
    /// Tree copied to.
    pub(crate) to: &'a Path,
    /// Owner that `--chown` names, or 0:0 for files of the context.
    pub(crate) owner: Option<(u32, u32)>,
    /// Says why a missing source is missing.
    pub(crate) why_missing: &'a dyn Fn(&str) -> Option<String>,
}

struct Item {
    /// Name it gets in a directory.
    name: OsString,
    /// The file itself, links followed.
    path: PathBuf,
    is_dir: bool,
}

impl CopyStep<'_> {
    /// Copies; `scratch` is an empty directory for the files of here-documents.
    pub(crate) fn run(&self, scratch: &Path) -> Result<()> {
        let items = self.items(scratch)?;
        let wants_dir = self.action.dest.ends_with('/');
        let dest =
            resolve(self.to, Path::new(&self.action.dest)).map_err(|e| self.io(self.to, e))?;
        let into_dir = wants_dir || dest.is_dir();
        if items.len() > 1 && !into_dir {
            return Err(self.error(format!(
                "{} sources matched, so the destination must be a directory and end with /, got {:?}",
                items.len(),
                self.action.dest
            )));
        }
        let mut copier = Copier::new(Attributes {
            owner: self.owner,
            mode: self.action.chmod,
        });
        for item in &items {
            if item.is_dir {
                self.make_directories(&dest)?;
                copier
                    .contents(&item.path, &dest)
                    .map_err(|e| self.copy_error(e))?;
            } else if into_dir {
                self.make_directories(&dest)?;
                copier
                    .item(&item.path, &dest.join(&item.name))
                    .map_err(|e| self.copy_error(e))?;
            } else {
                self.refuse_link()?;
                self.make_directories(dest.parent().unwrap_or(self.to))?;
                copier
                    .item(&item.path, &dest)
                    .map_err(|e| self.copy_error(e))?;
            }
        }
        Ok(())
    }

    fn make_directories(&self, dir: &Path) -> Result<()> {
        make_directories(self.to, dir, self.owner.unwrap_or((0, 0))).map_err(|e| self.io(dir, e))
    }

    /// Docker writes through a link at the destination, buildah replaces it.
    fn refuse_link(&self) -> Result<()> {
        let dest = Path::new(&self.action.dest);
        let parent =
            resolve(self.to, dest.parent().unwrap_or(dest)).map_err(|e| self.io(self.to, e))?;
        let Some(link) = dest.file_name().map(|name| parent.join(name)) else {
            return Ok(());
        };
        match fs::read_link(&link) {
            Ok(target) => Err(self.error(format!(
                "the destination {:?} is a link to {target:?}; builders differ in whether it is followed, so name the \
                 file itself or remove the link first",
                self.action.dest
            ))),
            Err(_) => Ok(()),
        }
    }

    fn items(&self, scratch: &Path) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for source in &self.action.sources {
            match source {
                SourceAction::Inline { name, content } => {
                    items.push(self.inline(scratch, name, content)?)
                }
                SourceAction::Path(path) => {
                    let found = self.find(path).map_err(|e| {
                        // As the tree has it: it is shown, and not opened.
                        let path = Path::new("/").join(path);
                        super::step_io(self.at, "copy from", self.from, &path, e)
                    })?;
                    if found.is_empty() {
                        return Err(self.missing(path));
                    }
                    items.extend(found);
                }
            }
        }
        Ok(items)
    }

    fn inline(&self, scratch: &Path, name: &str, content: &str) -> Result<Item> {
        let path = base::path::join_name(scratch, name)
            .map_err(|error| self.error(format!("here-document {error}")))?;
        fs::write(&path, content).map_err(|e| self.io(&path, e))?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(&path, mode).map_err(|e| self.io(&path, e))?;
        Ok(Item {
            name: name.into(),
            path,
            is_dir: false,
        })
    }

    /// What `path`, which may have wildcards, matches; sorted.
    fn find(&self, path: &str) -> io::Result<Vec<Item>> {
        let mut found = vec![PathBuf::new()];
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let glob = match Glob::is_wild(part) {
                true => Some(Glob::new(part, false).map_err(io::Error::other)?),
                false => None,
            };
            let mut next = Vec::new();
            for dir in &found {
                match &glob {
                    None => next.push(dir.join(part)),
                    Some(glob) => {
                        let real = resolve(self.from, dir)?;
                        if !real.is_dir() {
                            continue;
                        }
                        let names = children(&real)?.into_iter();
                        next.extend(
                            names
                                .filter(|name| glob.matches(&name.to_string_lossy()))
                                .map(|name| dir.join(name)),
                        );
                    }
                }
            }
            if next.len() > MOST_MATCHES {
                return Err(io::Error::other(format!(
                    "{path:?} matches more than {MOST_MATCHES} files"
                )));
            }
            found = next;
        }
        let mut items = Vec::new();
        for path in found {
            let real = match resolve(self.from, &path) {
                Ok(real) => real,
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
                Err(error) => return Err(error),
            };
            let meta = match fs::symlink_metadata(&real) {
                Ok(meta) => meta,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.refuse_loose(&path)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let name = match path.file_name() {
                Some(name) => name.to_owned(),
                // All there is: a directory, whose name is not used.
                None => OsString::new(),
            };
            items.push(Item {
                name,
                path: real,
                is_dir: meta.is_dir(),
            });
        }
        Ok(items)
    }

    /// Refuses a link that leads nowhere: of several that a wildcard matches it would be left out, and nobody would know.
    fn refuse_loose(&self, path: &Path) -> io::Result<()> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(());
        };
        let link = resolve(self.from, folder)?.join(name);
        match fs::read_link(&link) {
            Ok(target) => Err(io::Error::other(format!(
                "{path:?} in {} is a link to {target:?}, where nothing is: name what is to be copied, or remove the link first",
                self.from_name
            ))),
            // There is nothing, as where a wildcard stands for several folders.
            Err(_) => Ok(()),
        }
    }

    fn missing(&self, path: &str) -> Error {
        let why = (self.why_missing)(path).map_or_else(String::new, |why| format!(" ({why})"));
        let verb = if Glob::is_wild(path) {
            "matches nothing"
        } else {
            "does not exist"
        };
        self.error(format!("source {path:?} {verb} in {}{why}", self.from_name))
    }

    fn error(&self, problem: String) -> Error {
        Error::Step {
            at: self.at.clone(),
            instruction: "COPY",
            problem,
        }
    }

    fn copy_error(&self, error: CopyError) -> Error {
        self.io(&error.path, error.source)
    }

    fn io(&self, path: &Path, source: io::Error) -> Error {
        super::step_io(self.at, "copy to", self.to, path, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_nothing_is_not_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let action = CopyAction {
            from: None,
            chown: None,
            chmod: None,
            sources: Vec::new(),
            dest: "/x/".to_owned(),
        };
        let at = At {
            file: "Dockerfile".into(),
            line: 2,
        };
        let step = CopyStep {
            at: &at,
            action: &action,
            from: dir.path(),
            from_name: "the context",
            to: dir.path(),
            owner: None,
            why_missing: &|_| None,
        };
        for name in ["one", "two"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("one/file"), "").unwrap();
        let found = |path: &str| step.find(path).map(|items| items.len());
        assert_eq!(found("*/file").unwrap(), 1);
        assert_eq!(found("none").unwrap(), 0);
        std::os::unix::fs::symlink("gone", dir.path().join("two/file")).unwrap();
        for path in ["*/file", "two/f*", "two/file"] {
            let error = found(path).unwrap_err().to_string();
            let want = r#""two/file" in the context is a link to "gone", where nothing is"#;
            assert!(error.starts_with(want), "{error}");
        }
    }
}
