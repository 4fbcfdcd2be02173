//! Reading the bytes that a tree's entries name.

use std::io::{self, Read};
use std::path::Path;

use base::{as_u64, as_usize, past};
use files::InputFile;

use crate::entry::{Input, Source};
use crate::error::Error;
use crate::tree::Tree;

/// The inputs of a tree, in its order: as many as there are, also more than may be open at once.
#[derive(Debug)]
pub struct Sources {
    /// Nothing where an input is no file.
    files: Vec<Option<InputFile>>,
}

impl Sources {
    /// Opens those inputs of `tree` that are files, each of the length it says; there is none for an input that exists as a plan only.
    pub fn open_files<P: AsRef<Path>>(tree: &Tree, paths: &[Option<P>]) -> Result<Self, Error> {
        if paths.len() != tree.inputs.len() {
            let reason = format!(
                "the manifest was made from {} inputs, but {} are given",
                tree.inputs.len(),
                paths.len()
            );
            return Err(Error::Inputs { reason });
        }
        let mut files = Vec::with_capacity(paths.len());
        for (input, path) in tree.inputs.iter().zip(paths) {
            files.push(match path {
                Some(path) => Some(open_input(*input, path.as_ref())?),
                None => None,
            });
        }
        Ok(Self { files })
    }

    /// All bytes of `source`.
    pub fn read(&self, source: Source) -> Result<Vec<u8>, Error> {
        let file = match self.files.get(source.input) {
            Some(Some(file)) => file,
            Some(None) => {
                let reason = format!("input {} is an image that nobody has written", source.input);
                return Err(Error::Inputs { reason });
            }
            None => {
                let reason = format!("there is no input {}", source.input);
                return Err(Error::Inputs { reason });
            }
        };
        let mut content = Content {
            file,
            at: source.offset,
            left: source.len,
        };
        let mut bytes = Vec::new();
        let action = format!("read {}", file.path().display());
        content.read_to_end(&mut bytes).map_err(Error::io(action))?;
        Ok(bytes)
    }
}

fn open_input(input: Input, path: &Path) -> Result<InputFile, Error> {
    let file = InputFile::open(path).map_err(Error::io(format!("open {}", path.display())))?;
    let len = file.stamp().len;
    if len != input.len {
        let reason = format!(
            "{} has {len} bytes, but the manifest was made from {}",
            path.display(),
            input.len
        );
        return Err(Error::Inputs { reason });
    }
    Ok(file)
}

/// Reads a range of a file.
struct Content<'a> {
    file: &'a InputFile,
    at: u64,
    left: u64,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (buffer, _) = buffer.split_at_mut(buffer.len().min(as_usize(self.left)));
        if buffer.is_empty() {
            return Ok(0);
        }
        let got = self.file.read_at(buffer, self.at)?;
        if got == 0 {
            // The length was checked on opening: somebody cut the file since.
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{} became shorter", self.file.path().display()),
            ));
        }
        self.at = past(self.at, got);
        // Never more than was asked for.
        self.left = self.left.abs_diff(as_u64(got));
        Ok(got)
    }
}
