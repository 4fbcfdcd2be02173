//! Output files that appear whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

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

/// A file under a temporary name in the output's folder; dropped without [`PendingOutput::commit`] it vanishes.
#[derive(Debug)]
pub struct PendingOutput {
    file: NamedTempFile,
    path: PathBuf,
}

impl PendingOutput {
    /// Opens a temporary file beside `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        // The usual mode of a new file, so that others may read what the umask lets them.
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let file = builder.prefix(".partial-").tempfile_in(dir)?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
        })
    }

    /// The file, for readers and writers that seek.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// The temporary name, for programs that open files themselves.
    pub fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    /// Gives the file its final name.
    pub fn commit(self) -> io::Result<()> {
        self.file.persist(&self.path).map_err(|e| e.error)?;
        Ok(())
    }
}

/// Writes `path` through `body`; on an error nothing is left behind under that name or another.
pub fn write_output<F, E>(path: &Path, body: F) -> Result<(), BoxError>
where
    F: FnOnce(&mut BufWriter<&mut File>) -> Result<(), E>,
    E: Into<BoxError>,
{
    let named = |source| OutputError {
        path: path.to_path_buf(),
        source,
    };
    let mut pending = PendingOutput::create(path).map_err(named)?;
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
            Err::<(), _>(io::Error::other("no"))
        });
        assert!(result.is_err());
        assert_eq!(walk(dir.path()), 0);
        write_output(&path, |w| w.write_all(b"whole")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(walk(dir.path()), 1);
    }

    #[allow(clippy::disallowed_methods, reason = "only counted")]
    fn walk(dir: &Path) -> usize {
        std::fs::read_dir(dir).unwrap().count()
    }
}
