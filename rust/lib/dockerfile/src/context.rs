//! The build context: the declared files and nothing else.
//!
//! Its list has a line per file: path in the context, TAB, file that holds it, and optionally TAB, octal mode; neither path
//! has a TAB or a line break in it. Without a mode it is 0644. What mode the file itself has is never looked at: a build knows
//! its inputs by their bytes, and one whose result hung on a checkout's umask would be another on every machine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::ignore::Ignore;

/// No ignore file or first line is longer than this.
const MAX_TEXT: u64 = 1 << 20;

/// Of a file whose line has no mode.
const MODE: u32 = 0o644;

/// The declared files, by their path in the context.
#[derive(Debug, Clone, Default)]
pub struct Context {
    files: BTreeMap<String, ContextFile>,
}

/// One declared file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextFile {
    /// Where its content is.
    pub source: PathBuf,
    /// Permission bits, as the list says.
    pub mode: u32,
}

impl Context {
    /// Parses the list `text`; `file` is its name in messages.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let mut context = Self::default();
        for (number, line) in (1_usize..).zip(text.lines()) {
            let error = |problem: String| Error::List {
                file: file.to_owned(),
                line: number,
                problem,
            };
            if line.is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.split('\t').collect();
            let (path, source, mode) = match fields.as_slice() {
                [path, source] => (path, source, MODE),
                [path, source, mode] => (
                    path,
                    source,
                    crate::parse::mode_bits(mode)
                        .map_err(|_| error(format!("{mode:?} is no octal mode")))?,
                ),
                _ => {
                    return Err(error(format!(
                        "wanted PATH<TAB>SOURCE or PATH<TAB>SOURCE<TAB>MODE, got {line:?}"
                    )));
                }
            };
            if base::path::check(path.as_ref()).is_err() {
                return Err(error(format!(
                    "{path:?} is no relative path inside the context"
                )));
            }
            if context.holds(path) {
                return Err(error(format!(
                    "{path:?} is declared twice, or below another file"
                )));
            }
            context.files.insert(
                (*path).to_owned(),
                ContextFile {
                    source: PathBuf::from(source),
                    mode,
                },
            );
        }
        Ok(context)
    }

    /// Whether `path` is a declared file, or a directory that holds one.
    pub(crate) fn declares(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        self.files.contains_key(path) || self.files.keys().any(|name| name.starts_with(&prefix))
    }

    /// Whether `path` is a declared file.
    pub(crate) fn has_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether `path`, one above it, or one below it is declared.
    fn holds(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        let below = self.files.range(prefix.clone()..).next();
        self.files.contains_key(path)
            || below.is_some_and(|(name, _)| name.starts_with(&prefix))
            || prefix
                .match_indices('/')
                .filter_map(|(end, _)| path.get(..end))
                .any(|above| self.files.contains_key(above))
    }

    /// The declared files, sorted.
    pub fn files(&self) -> impl Iterator<Item = (&str, &ContextFile)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The first line of the declared file `path`.
    pub fn first_line(&self, path: &str) -> Result<Option<String>> {
        let Some(file) = self.files.get(path) else {
            return Ok(None);
        };
        let failed = |source| io("read", &file.source, source);
        let mut line = String::new();
        BufReader::new(open(&file.source)?)
            .read_line(&mut line)
            .map_err(failed)?;
        limit(path, line.len())?;
        Ok(Some(line.trim().to_owned()))
    }

    /// All of the declared file `path`, as text.
    pub fn text(&self, path: &str) -> Result<Option<String>> {
        let Some(file) = self.files.get(path) else {
            return Ok(None);
        };
        let mut text = String::new();
        open(&file.source)?
            .read_to_string(&mut text)
            .map_err(|source| io("read", &file.source, source))?;
        limit(path, text.len())?;
        Ok(Some(text))
    }

    /// The ignore file that counts for the Dockerfile called `dockerfile`: its own, or the context's.
    pub fn ignore(&self, dockerfile: &str) -> Result<Ignore> {
        let own = format!("{dockerfile}.dockerignore");
        for name in [own.as_str(), ".dockerignore"] {
            if let Some(text) = self.text(name)? {
                return Ignore::parse(name, &text);
            }
        }
        Ok(Ignore::default())
    }

    /// Writes the files that `ignore` leaves into the new directory `dir`, for COPY to find.
    pub(crate) fn write(&self, ignore: &Ignore, dir: &Path) -> Result<()> {
        for (path, file) in &self.files {
            if ignore.excludes(path) {
                continue;
            }
            // Checked when the list was read.
            let target = dir.join(path);
            if let Some(parent) = target.parent() {
                make_directories(dir, parent)?;
            }
            let read = |source| io("read", &file.source, source);
            let mut from = File::open(&file.source).map_err(read)?;
            let mut to = File::create_new(&target).map_err(|e| io("write", &target, e))?;
            base::holes::copy(&mut from, &mut to).map_err(|e| io("copy", &file.source, e))?;
            fs::set_permissions(&target, fs::Permissions::from_mode(file.mode))
                .map_err(|source| io("write", &target, source))?;
        }
        Ok(())
    }
}

/// One byte more than [`MAX_TEXT`] of a file, so that it shows when it is longer.
fn open(path: &Path) -> Result<impl Read> {
    let file = File::open(path).map_err(|source| io("read", path, source))?;
    Ok(file.take(MAX_TEXT + 1))
}

fn limit(path: &str, len: usize) -> Result<()> {
    if u64::try_from(len).is_ok_and(|len| len <= MAX_TEXT) {
        return Ok(());
    }
    Err(Error::TooLong {
        path: path.to_owned(),
        most: MAX_TEXT,
    })
}

/// Directories of a context are 0755, whatever the umask says.
fn make_directories(top: &Path, dir: &Path) -> Result<()> {
    let missing: Vec<&Path> = dir
        .ancestors()
        .take_while(|dir| *dir != top && !dir.exists())
        .collect();
    for dir in missing.into_iter().rev() {
        fs::create_dir(dir).map_err(|source| io("write", dir, source))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755))
            .map_err(|source| io("write", dir, source))?;
    }
    Ok(())
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_the_list() {
        let dir = std::env::temp_dir().join(format!("context-{}", std::process::id()));
        let (sources, context) = (dir.join("sources"), dir.join("context"));
        fs::create_dir_all(&sources).unwrap();
        fs::create_dir_all(&context).unwrap();
        let mut list = String::new();
        for (name, own, mode) in [("a", 0o755, ""), ("b", 0o600, ""), ("c", 0o600, "\t0755")] {
            let source = sources.join(name);
            fs::write(&source, name).unwrap();
            fs::set_permissions(&source, fs::Permissions::from_mode(own)).unwrap();
            list.push_str(&format!("{name}\t{}{mode}\n", source.display()));
        }
        let files = Context::parse("L", &list).unwrap();
        files.write(&Ignore::default(), &context).unwrap();
        let mode = |name: &str| {
            let meta = fs::metadata(context.join(name)).unwrap();
            meta.permissions().mode() & 0o7777
        };
        let got = ["a", "b", "c"].map(mode);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(got, [0o644, 0o644, 0o755]);
    }
}
