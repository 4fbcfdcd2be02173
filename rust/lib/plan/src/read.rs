//! Reading an image through its plan.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use base::{as_u64, as_usize};
use files::{Changed, InputFile};

use crate::error::Error;
use crate::plan::{Input, Piece, Plan};

/// Something that bytes can be read from at any position, by several threads at once.
pub trait ReadAt {
    /// Fills `buffer` from `offset` on.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for InputFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        Self::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.get(as_usize(offset)..);
        let bytes = bytes.and_then(|bytes| bytes.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl<R: ReadAt> ReadAt for &R {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buffer, offset)
    }
}

/// A plan and its open inputs: the image, byte by byte, without writing it.
///
/// There may be more inputs than a process may have files open: an [`InputFile`] is opened again when it is read.
#[derive(Debug)]
pub struct Reader<R = InputFile> {
    plan: Plan,
    inputs: Vec<(String, R)>,
}

impl Plan {
    /// Reads the plan file at `path`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = |source| Error::File {
            path: path.to_owned(),
            source: Box::new(source),
        };
        let bytes = std::fs::read(path).map_err(Error::io(path.display().to_string()))?;
        Self::decode(&bytes).map_err(file)
    }
}

impl Reader<InputFile> {
    /// Opens the inputs of `plan`: as many files as it has, each of the length it says.
    pub fn open<P: AsRef<Path>>(plan: Plan, paths: &[P]) -> Result<Self, Error> {
        let have = plan.inputs().len();
        if paths.len() != have {
            return Err(Error::input_count(have, paths.len()));
        }
        let mut inputs = Vec::with_capacity(have);
        for (input, path) in plan.inputs().iter().zip(paths) {
            inputs.push(open_input(*input, path.as_ref())?);
        }
        Ok(Self { plan, inputs })
    }
}

impl<R: ReadAt> ReadAt for Reader<R> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_at(buffer, offset).map_err(io::Error::other)
    }
}

impl<R: ReadAt> Reader<R> {
    /// A reader over inputs that are open already, each with what to call it in errors. Their lengths are not checked.
    pub fn new(plan: Plan, inputs: Vec<(String, R)>) -> Result<Self, Error> {
        let (have, given) = (plan.inputs().len(), inputs.len());
        if have != given {
            return Err(Error::input_count(have, given));
        }
        Ok(Self { plan, inputs })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The inputs by position, each with what it is called in errors.
    pub fn inputs(&self) -> &[(String, R)] {
        &self.inputs
    }

    pub(crate) fn into_inputs(self) -> Vec<(String, R)> {
        self.inputs
    }

    /// Length of the image.
    #[allow(
        clippy::len_without_is_empty,
        reason = "an image is measured, not asked for being empty"
    )]
    pub fn len(&self) -> u64 {
        self.plan.len()
    }

    /// Fills `buffer` with the image's bytes from `start` on; a range beyond the image is an error.
    pub fn read_at(&self, buffer: &mut [u8], start: u64) -> Result<(), Error> {
        let mut rest = buffer;
        // They make up exactly the buffer's length.
        for extent in self.plan.extents_in(start, as_u64(rest.len()))? {
            let (part, after) = rest.split_at_mut(as_usize(extent.len));
            match extent.piece {
                Piece::Zero => part.fill(0),
                Piece::Inline(bytes) => part.copy_from_slice(bytes),
                Piece::Source { input, offset } => self.read_input(input, part, offset)?,
            }
            rest = after;
        }
        Ok(())
    }

    /// Fills `buffer` from `offset` of an input.
    pub fn read_input(&self, input: u32, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
        let (name, file) = self
            .inputs
            .get(as_usize(input))
            .ok_or(Error::MissingInput {
                input,
                have: self.inputs.len(),
            })?;
        file.read_exact_at(buffer, offset)
            .map_err(|source| match source.kind() {
                // The length was right when it was opened.
                io::ErrorKind::UnexpectedEof => Error::Inputs {
                    reason: format!("{name} became shorter while it was read"),
                },
                _ if source.get_ref().is_some_and(|e| e.is::<Changed>()) => Error::Inputs {
                    reason: format!("{name} changed while it was read"),
                },
                _ => Error::Io {
                    what: name.clone(),
                    source,
                },
            })
    }
}

fn open_input(input: Input, path: &Path) -> Result<(String, InputFile), Error> {
    let name = path.display().to_string();
    let file = InputFile::open(path).map_err(Error::io(&name))?;
    if !file.stamp().is_file {
        let reason = format!("{name} is not a regular file");
        return Err(Error::Inputs { reason });
    }
    let len = file.stamp().len;
    if len != input.len {
        let reason = format!(
            "{name} has {len} bytes, but the plan was made over {}",
            input.len
        );
        return Err(Error::Inputs { reason });
    }
    Ok((name, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_bytes_are_read_from() {
        fn check(input: impl ReadAt) {
            let mut part = [0; 4];
            input.read_exact_at(&mut part, 3).unwrap();
            assert_eq!(&part, b"3456");
            assert!(input.read_exact_at(&mut part, 7).is_err());
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("input");
        let bytes = b"0123456789".to_vec();
        std::fs::write(&path, &bytes).unwrap();
        check(File::open(&path).unwrap());
        check(InputFile::open(&path).unwrap());
        check(Reader::open(Plan::whole(10).unwrap(), &[&path]).unwrap());
        check(&bytes);
        check(bytes);
    }

    /// An input that nothing can be read from, and why.
    struct Fails(fn() -> io::Error);

    impl ReadAt for Fails {
        fn read_exact_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
            Err((self.0)())
        }
    }

    /// Who reads of an input that others write to learns that, and not that the disk is broken.
    #[test]
    fn why_an_input_cannot_be_read() {
        let text = |why| {
            let inputs = vec![("x".to_owned(), Fails(why))];
            let reader = Reader::new(Plan::whole(5).unwrap(), inputs).unwrap();
            reader.read_at(&mut [0; 5], 0).unwrap_err().to_string()
        };
        assert_eq!(
            text(|| io::ErrorKind::UnexpectedEof.into()),
            "x became shorter while it was read"
        );
        assert_eq!(
            text(|| io::Error::other(Changed)),
            "x changed while it was read"
        );
        assert_eq!(text(|| io::Error::other("no")), "cannot read x");
        assert_eq!(
            text(|| io::ErrorKind::PermissionDenied.into()),
            "cannot read x"
        );
    }
}
