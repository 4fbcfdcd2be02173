//! Reading the bytes that a tree's entries name.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use base::{as_u64, as_usize, past};
use files::InputFile;

use crate::entry::{Input, Source, Sparse};
use crate::error::Error;
use crate::tree::Tree;

/// The inputs of a tree, in its order: as many as there are, also more than may be open at once.
#[derive(Debug)]
pub struct Sources {
    /// Nothing where an input is no file.
    files: Vec<Option<InputFile>>,
}

impl Sources {
    /// Opens the inputs of `tree`: as many files as it has, each of the length it says.
    pub fn open<P: AsRef<Path>>(tree: &Tree, paths: &[P]) -> Result<Self, Error> {
        let paths: Vec<Option<&P>> = paths.iter().map(Some).collect();
        Self::open_files(tree, &paths)
    }

    /// Opens those inputs of `tree` that are files; there is none for an input that exists as a plan only.
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

    /// A reader of the bytes of `source`.
    pub fn content(&self, source: Source) -> Result<Content<'_>, Error> {
        match self.files.get(source.input) {
            Some(Some(file)) => Ok(Content {
                file,
                at: source.offset,
                left: source.len,
            }),
            Some(None) => Err(Error::Inputs {
                reason: format!("input {} is an image that nobody has written", source.input),
            }),
            None => Err(Error::Inputs {
                reason: format!("there is no input {}", source.input),
            }),
        }
    }

    /// A reader of what a file with holes holds, one piece after another.
    pub(crate) fn pieces(&self, sparse: &Sparse) -> Result<Pieces<'_>, Error> {
        let sources = sparse.pieces.iter();
        let mut contents = Vec::with_capacity(sparse.pieces.len());
        for (_, source) in sources {
            contents.push(self.content(*source)?);
        }
        contents.reverse();
        Ok(Pieces(contents))
    }

    /// All bytes of `source`.
    pub fn read(&self, source: Source) -> Result<Vec<u8>, Error> {
        let mut content = self.content(source)?;
        let mut bytes = Vec::new();
        let action = || format!("read {}", content.file.path().display());
        let action = action();
        content.read_to_end(&mut bytes).map_err(Error::io(action))?;
        Ok(bytes)
    }

    /// Writes the bytes of `source` to `out`.
    pub fn copy(&self, source: Source, mut out: impl Write) -> Result<(), Error> {
        let mut content = self.content(source)?;
        let action = format!("copy from {}", content.file.path().display());
        io::copy(&mut content, &mut out).map_err(Error::io(action))?;
        Ok(())
    }
}

/// Reads the manifest at `manifest` and opens its inputs.
pub fn open<P: AsRef<Path>>(manifest: &Path, inputs: &[P]) -> Result<(Tree, Sources), Error> {
    let file = File::open(manifest).map_err(Error::io(format!("open {}", manifest.display())))?;
    let tree = Tree::read(BufReader::with_capacity(1 << 16, file))?;
    let sources = Sources::open(&tree, inputs)?;
    Ok((tree, sources))
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

/// Reads one file's bytes; several may be read side by side.
#[derive(Debug)]
pub struct Content<'a> {
    file: &'a InputFile,
    at: u64,
    left: u64,
}

impl Content<'_> {
    /// Bytes not read yet.
    pub fn left(&self) -> u64 {
        self.left
    }
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

/// Pieces of a file, the next one last.
#[derive(Debug)]
pub(crate) struct Pieces<'a>(Vec<Content<'a>>);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(content) = self.0.last_mut() {
            if content.left > 0 {
                return content.read(buffer);
            }
            self.0.pop();
        }
        Ok(0)
    }
}
