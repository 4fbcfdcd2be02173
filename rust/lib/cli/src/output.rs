//! Output files that appear whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use files::NewFile;

use crate::BoxError;

/// Could not create or finish `path`.
#[derive(Debug)]
struct OutputError {
    path: PathBuf,
    source: io::Error,
}

impl std::fmt::Display for OutputError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot write {}", self.path.display())
    }
}

impl std::error::Error for OutputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A file without its name; dropped without [`PendingOutput::commit`] it vanishes.
#[derive(Debug)]
pub struct PendingOutput(NewFile);

impl PendingOutput {
    /// Starts the file that is to be `path`, with the usual mode of a new file, so that others may read what the umask lets them.
    pub fn create(path: &Path) -> io::Result<Self> {
        NewFile::create(path, NewFile::USUAL).map(Self)
    }

    /// The file, for readers and writers that seek.
    pub fn file(&self) -> &File {
        self.0.file()
    }

    /// Gives the file its final name.
    ///
    /// If that was taken, the file reaches the disk first: what is replaced may be a person's (a lock file, a pin), and there has to
    /// be the old or the new one, whatever instant the power goes. A name that was free is an action's output, Bazel having
    /// removed what was there; that can be made again, and nobody should wait for a disk while editing.
    pub fn commit(self) -> io::Result<()> {
        match std::fs::symlink_metadata(self.0.path()) {
            Ok(_) => self.0.commit_synced(),
            Err(_) => self.0.commit(),
        }
    }
}

/// Writes `path` through `body`; on an error nothing is left behind under that name or another.
pub fn write_output<F, E>(path: &Path, body: F) -> Result<(), BoxError>
where
    F: FnOnce(&mut BufWriter<&File>) -> Result<(), E>,
    E: Into<BoxError>,
{
    let named = |source| OutputError {
        path: path.to_path_buf(),
        source,
    };
    let pending = PendingOutput::create(path).map_err(named)?;
    let mut writer = BufWriter::with_capacity(1 << 20, pending.file());
    body(&mut writer).map_err(Into::into)?;
    writer.flush().map_err(named)?;
    drop(writer);
    pending.commit().map_err(named)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_body_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let result = write_output(&path, |w| {
            w.write_all(b"half")?;
            // Not even now, so that a killed process leaves nothing, either.
            assert_eq!(walk(dir.path()), 0);
            Err::<(), _>(io::Error::other("no"))
        });
        assert!(result.is_err());
        assert_eq!(walk(dir.path()), 0);
        for text in ["whole", "another"] {
            write_output(&path, |w| w.write_all(text.as_bytes())).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(walk(dir.path()), 1);
        }
    }

    #[test]
    fn errors_name_the_output() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_output(dir.path(), |_| Ok::<_, io::Error>(())).unwrap_err();
        let want = format!(
            "cannot write {}: it exists and is not a regular file",
            dir.path().display()
        );
        assert_eq!(crate::chain(error.as_ref()), want);
    }

    #[allow(clippy::disallowed_methods, reason = "only counted")]
    fn walk(dir: &Path) -> usize {
        std::fs::read_dir(dir).unwrap().count()
    }
}
