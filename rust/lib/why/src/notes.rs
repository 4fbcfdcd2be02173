//! What one file of notes says of the files of an image, for who has the image's notes already and asks for no single byte.

use std::path::Path;

use crate::answer::Injected;
use crate::error::Error;
use crate::side::{lines, Line};

/// What a file of notes says of files; the other lines are about inputs and notes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What trees were given.
    pub injected: Vec<Injected>,
    /// Steps of a Dockerfile.
    pub steps: Vec<Step>,
}

/// A step of a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The instruction's line.
    pub line: u64,
    /// The instruction.
    pub text: String,
    /// What it changed last: paths from the root, without the slash in front, as `base::path::text` has them.
    pub paths: Vec<String>,
}

impl Notes {
    /// Reads the file of notes at `path`, and none that it names.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut missing = Vec::new();
        let lines = lines(path, &mut missing)?;
        if !missing.is_empty() {
            return Err(Error::Read {
                path: path.to_owned(),
                source: std::io::ErrorKind::NotFound.into(),
            });
        }
        let mut notes = Self::default();
        for line in lines {
            match line {
                Line::Injected {
                    tree,
                    dest,
                    by,
                    label,
                    ..
                } => notes.injected.push(Injected {
                    dest,
                    tree,
                    by,
                    label,
                }),
                Line::Step(step) => notes.steps.push(Step {
                    line: step.line,
                    text: step.text,
                    paths: step.paths,
                }),
                _ => {}
            }
        }
        Ok(notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_notes_say_of_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tree.why");
        let text = "{\"is\":\"injected\",\"tree\":\"//a:t\",\"dest\":\"/etc/x\",\"by\":\"files\",\"src\":\"a/x\",\"label\":\"//a:x\"}\n\
            {\"is\":\"file\",\"path\":\"other.why\"}\n\
            {\"is\":\"step\",\"line\":4,\"text\":\"RUN a\",\"paths\":[\"etc/y\"]}\n";
        std::fs::write(&path, text).unwrap();
        let notes = Notes::read(&path).unwrap();
        assert_eq!(notes.injected.len(), 1);
        assert_eq!(notes.injected[0].label.as_deref(), Some("//a:x"));
        assert_eq!(notes.steps[0].paths, ["etc/y"]);
        std::fs::write(&path, "{\"is\":\"else\"}\n").unwrap();
        let error = Notes::read(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("line 1: not a side file of an image"),
            "{error}"
        );
        let error = Notes::read(&dir.path().join("none")).unwrap_err();
        assert!(matches!(error, Error::Read { .. }), "{error}");
    }
}
