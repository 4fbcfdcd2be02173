//! What a root file system's archive says of its members: their names, and which Debian package has them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use archive::{Entry, Kind};
use base::as_usize;
use dpkg::{List, Status, STATUS};

use crate::error::Error;

/// Lists and status of packages; larger files are none.
const MAX_FILE: u64 = 64 << 20;

/// An archive and where its members are.
pub(crate) struct Archive {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
}

impl Archive {
    /// Opens the archive at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(read)?;
        let entries = archive::index(&file).map_err(|source| Error::Archive {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            entries,
        })
    }

    /// The path of the file whose content has byte `at`.
    pub(crate) fn member(&self, at: u64) -> Option<&[u8]> {
        let has = |offset: u64, len: u64| {
            let within = at.checked_sub(offset);
            within.is_some_and(|within| within < len)
        };
        let found = self.entries.iter().find(|entry| match &entry.kind {
            Kind::File { offset, len } => has(*offset, *len),
            Kind::Sparse { pieces, .. } => pieces.iter().any(|piece| has(piece.offset, piece.len)),
            _ => false,
        });
        found.map(|entry| entry.path.as_slice())
    }

    /// Whether there is a member called `path`.
    pub(crate) fn has(&self, path: &[u8]) -> bool {
        self.entries.iter().any(|entry| entry.path == path)
    }

    /// The package that has `path` (without the slash in front), and its version.
    pub(crate) fn owner(&self, path: &[u8]) -> Result<Option<(String, String)>, Error> {
        let names = aliases(path);
        for entry in &self.entries {
            let Some(list) = List::at(&entry.path) else {
                continue;
            };
            let paths = self.content(entry)?;
            let mut lines = paths.split(|byte| *byte == b'\n');
            if lines.any(|line| names.iter().any(|name| line == name)) {
                let status = self.status()?;
                let package = status
                    .position(&list)
                    .and_then(|at| status.packages().get(at));
                let found = package.map(|package| (status.label(package), package.version.clone()));
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The packages of dpkg's status file; none if there is no such file.
    fn status(&self) -> Result<Status, Error> {
        let at = |entry: &&Entry| entry.path == STATUS.as_bytes();
        let Some(entry) = self.entries.iter().find(at) else {
            return Ok(Status::default());
        };
        Status::read(&self.content(entry)?).map_err(|source| Error::Status {
            path: self.path.clone(),
            source,
        })
    }

    fn content(&self, entry: &Entry) -> Result<Vec<u8>, Error> {
        let Kind::File { offset, len } = &entry.kind else {
            return Ok(Vec::new());
        };
        if *len > MAX_FILE {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; as_usize(*len)];
        let read = self.file.read_exact_at(&mut bytes, *offset);
        read.map_err(|source| Error::Read {
            path: self.path.clone(),
            source,
        })?;
        Ok(bytes)
    }
}

/// How lists may write a path: with the folder that is a link into /usr nowadays, too.
fn aliases(path: &[u8]) -> Vec<Vec<u8>> {
    let whole = |path: &[u8]| [b"/", path].concat();
    let mut names = vec![whole(path)];
    match path.strip_prefix(b"usr/") {
        Some(short) => names.push(whole(short)),
        None => names.push(whole(&[b"usr/", path].concat())),
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rootfs.tar");
        let mut writer = archive::Writer::new(Vec::new());
        let status =
            "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.1-3\n";
        for (name, data) in [
            ("usr/bin/tool", "content"),
            ("var/lib/dpkg/info/other.list", "/.\n/usr/share/other\n"),
            ("var/lib/dpkg/info/tool:amd64.list", "/.\n/bin/tool\n"),
            ("var/lib/dpkg/status", status),
        ] {
            let kind = Kind::File {
                offset: 0,
                len: base::as_u64(data.len()),
            };
            let entry = Entry::new(name, kind, 0o644);
            writer.append(&entry, data.as_bytes()).unwrap();
        }
        std::fs::write(&path, writer.finish().unwrap()).unwrap();
        let archive = Archive::open(&path).unwrap();
        assert_eq!(archive.member(512).unwrap(), b"usr/bin/tool");
        assert_eq!(archive.member(518).unwrap(), b"usr/bin/tool");
        assert_eq!(archive.member(519), None);
        assert_eq!(archive.member(0), None);
        let owner = archive.owner(b"usr/bin/tool").unwrap();
        assert_eq!(owner, Some(("tool".to_owned(), "2.1-3".to_owned())));
        assert_eq!(archive.owner(b"usr/bin/none").unwrap(), None);
    }
}
