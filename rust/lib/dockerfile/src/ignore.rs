//! `.dockerignore`: which files of the context COPY does not see.
//!
//! Reference: Docker's "Build context", section ".dockerignore files". One pattern a line; `#` at the start of a line is a
//! comment; a pattern matches a path or any directory above it; `!` takes back; the last pattern that matches counts.

use crate::error::{Error, Result};
use crate::glob::Glob;

/// The patterns of an ignore file.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    keep: bool,
    glob: Glob,
}

impl Ignore {
    /// Parses the ignore file `text`; `file` is its name in messages.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let mut patterns = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in (1_usize..).zip(text.lines()) {
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (keep, pattern) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            if line.is_empty() {
                continue;
            }
            let error = |problem| Error::Pattern {
                file: file.to_owned(),
                line: number,
                pattern: line.to_owned(),
                problem,
            };
            if pattern.is_empty() {
                return Err(error("! without a pattern"));
            }
            let pattern = clean(pattern);
            // `.` and `/`: nothing, as in Docker.
            if pattern.is_empty() {
                continue;
            }
            patterns.push(Pattern {
                keep,
                glob: Glob::new(&pattern, true).map_err(error)?,
            });
        }
        Ok(Self { patterns })
    }

    /// Whether the file at `path` (relative, `/` between names) is left out.
    pub fn excludes(&self, path: &str) -> bool {
        let mut excluded = false;
        for pattern in &self.patterns {
            // A pattern that changes nothing need not be looked at.
            if pattern.keep == excluded && pattern.matches(path) {
                excluded = !pattern.keep;
            }
        }
        excluded
    }
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        let above = path
            .char_indices()
            .filter(|(_, c)| *c == '/')
            .filter_map(|(end, _)| path.get(..end));
        above.chain([path]).any(|path| self.glob.matches(path))
    }
}

/// `pattern` without `.`, empty and `..` names, as Go's `filepath.Clean` leaves it, and without a leading `/`.
fn clean(pattern: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in pattern.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                // What leads out of the context matches nothing in it, so keep it as a name.
                if names.last().is_none_or(|last| *last == "..") {
                    if !pattern.starts_with('/') {
                        names.push("..");
                    }
                } else {
                    names.pop();
                }
            }
            name => names.push(name),
        }
    }
    names.join("/")
}
