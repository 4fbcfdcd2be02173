//! The image's file: a [`NewFile`] that is none of the image's inputs.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use files::NewFile;
use plan::Reader;

use crate::error::Error;

/// An output that is being written. Dropped without [`Output::commit`] it vanishes.
#[derive(Debug)]
pub struct Output(NewFile);

impl Output {
    /// Starts the file that is to be `path`.
    pub fn create(path: &Path) -> Result<Self, Error> {
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            let path = path.to_owned();
            return Err(Error::NotAFile { path });
        }
        let file = NewFile::create(path, NewFile::USUAL).map_err(create_error(path))?;
        Ok(Self(file))
    }

    /// Refuses to replace what the image is made of: one of the reader's inputs, or of the `other` files.
    pub fn check_inputs(&self, reader: &Reader, other: &[&Path]) -> Result<(), Error> {
        let Ok(existing) = fs::metadata(self.0.path()) else {
            return Ok(());
        };
        let inputs = reader.inputs().iter();
        let input = inputs
            .filter(|(_, file)| file.stamp().is_file_of(&existing))
            .map(|(name, _)| name.clone());
        let other = other.iter().filter(|path| {
            let metadata = fs::metadata(path);
            metadata.is_ok_and(|m| (m.dev(), m.ino()) == (existing.dev(), existing.ino()))
        });
        match input
            .chain(other.map(|path| path.display().to_string()))
            .next()
        {
            Some(name) => {
                let path = self.0.path().to_owned();
                Err(Error::OutputIsInput { path, name })
            }
            None => Ok(()),
        }
    }

    /// The file to write to.
    pub fn file(&self) -> &File {
        self.0.file()
    }

    /// Gives the file its name; what bore it before is gone.
    pub fn commit(self) -> Result<(), Error> {
        let path = self.0.path().to_owned();
        self.0.commit().map_err(create_error(&path))
    }
}

fn create_error(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    |source| Error::Create {
        path: path.to_owned(),
        source,
    }
}
