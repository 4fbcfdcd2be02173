//! What a root file system's archive says of its members: their names, and which Debian package has them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use archive::{Entry, Kind};
use base::as_usize;

use crate::error::Error;

/// Lists and status of packages; larger files are none.
const MAX_FILE: u64 = 64 << 20;
/// Where they are.
const INFO: &[u8] = b"var/lib/dpkg/info/";
const STATUS: &[u8] = b"var/lib/dpkg/status";

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
            let Some(package) = list_of(&entry.path) else {
                continue;
            };
            let list = self.content(entry)?;
            let mut lines = list.split(|byte| *byte == b'\n');
            if lines.any(|line| names.iter().any(|name| line == name)) {
                let version = self.version(&package)?;
                return Ok(version.map(|version| (package, version)));
            }
        }
        Ok(None)
    }

    /// The version of an installed package.
    fn version(&self, package: &str) -> Result<Option<String>, Error> {
        let name = package.split(':').next().unwrap_or(package);
        let Some(entry) = self.entries.iter().find(|entry| entry.path == STATUS) else {
            return Ok(None);
        };
        let status = self.content(entry)?;
        let status = String::from_utf8_lossy(&status);
        let field = |paragraph: &str, key: &str| -> Option<String> {
            let mut lines = paragraph.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            value.map(str::to_owned)
        };
        let mut paragraphs = status.split("\n\n");
        let own = paragraphs.find(|text| field(text, "Package").as_deref() == Some(name));
        Ok(own.and_then(|text| field(text, "Version")))
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

/// The package whose list of files is at `path`.
fn list_of(path: &[u8]) -> Option<String> {
    let name = path.strip_prefix(INFO)?.strip_suffix(b".list")?;
    String::from_utf8(name.to_vec()).ok()
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
        let status = "Package: other\nVersion: 1\n\nPackage: tool\nStatus: install ok installed\nVersion: 2.1-3\n";
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
        assert_eq!(owner, Some(("tool:amd64".to_owned(), "2.1-3".to_owned())));
        assert_eq!(archive.owner(b"usr/bin/none").unwrap(), None);
    }
}
