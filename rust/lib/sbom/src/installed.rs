//! A base image's archive: which Debian packages are in it, which files they have, and what their copyright files say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use archive::{Entry, Kind};
use base::bounded::without;
use base::{as_usize, Hasher, Sha256Digest};
use dpkg::{Package, Status, STATUS};

use crate::error::Error;
use crate::licences::{self, Licence};
use crate::owners::Members;

const RELEASE: &[u8] = b"usr/lib/os-release";
/// Links followed on the way to a copyright file.
const MAX_LINKS: usize = 8;

/// A package that has files in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    /// What dpkg says of it.
    pub(crate) package: Package,
    pub(crate) licence: Licence,
}

/// An archive, and where its members are.
pub(crate) struct Archive {
    path: PathBuf,
    file: File,
    entries: BTreeMap<Vec<u8>, Entry>,
}

/// What dpkg knows of a base image.
pub(crate) struct Base {
    pub(crate) archive: Archive,
    /// By name.
    pub(crate) packages: BTreeMap<String, Installed>,
    /// The packages that list a path.
    pub(crate) owners: BTreeMap<Vec<u8>, BTreeSet<String>>,
    /// As `debian-13`.
    pub(crate) distro: Option<String>,
}

impl Archive {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::read(path))?;
        let entries = archive::index(&file).map_err(|source| Error::Archive {
            path: path.to_owned(),
            source,
        })?;
        let entries = entries.into_iter().map(|entry| (entry.path.clone(), entry));
        Ok(Self {
            path: path.to_owned(),
            file,
            entries: entries.collect(),
        })
    }

    /// The regular file at `path`, hard links followed.
    pub(crate) fn file_at(&self, path: &[u8]) -> Option<&Entry> {
        let entry = self.entries.get(path)?;
        match &entry.kind {
            Kind::HardLink { target } => {
                self.entries.get(target).filter(|file| file.kind.is_file())
            }
            kind => kind.is_file().then_some(entry),
        }
    }

    /// Which bytes of the archive are of which file.
    pub(crate) fn members(&self) -> Members {
        let mut members = Members::new();
        let mut add = |offset: u64, len: u64, path: &[u8]| {
            members.insert(offset, (base::past(offset, as_usize(len)), path.to_vec()));
        };
        for (path, entry) in &self.entries {
            match &entry.kind {
                Kind::File { offset, len } if *len > 0 => add(*offset, *len, path),
                Kind::Sparse { pieces, .. } => {
                    for piece in pieces {
                        add(piece.offset, piece.len, path);
                    }
                }
                _ => {}
            }
        }
        members
    }

    /// Paths of the files that are `len` bytes long.
    pub(crate) fn files_of_len(&self, len: u64) -> impl Iterator<Item = &[u8]> {
        let entries = self.entries.iter();
        let same = entries.filter(
            move |(_, entry)| matches!(entry.kind, Kind::File { len: own, .. } if own == len),
        );
        same.map(|(path, _)| path.as_slice())
    }

    /// The content of the file at `path`; nothing if there is none, or one with holes.
    pub(crate) fn content(&self, path: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(Kind::File { offset, len }) = self.file_at(path).map(|entry| &entry.kind) else {
            return Ok(None);
        };
        // The archive has so many bytes.
        let mut bytes = vec![0; as_usize(*len)];
        let read = self.file.read_exact_at(&mut bytes, *offset);
        read.map_err(Error::read(&self.path))?;
        Ok(Some(bytes))
    }

    /// Digest and length of the file at `path`, holes being zeros; nothing if there is none.
    pub(crate) fn digest(&self, path: &[u8]) -> Result<Option<(Sha256Digest, u64)>, Error> {
        let mut hasher = Hasher::new();
        let add = |hasher: &mut Hasher, offset: u64, len: u64| {
            let mut file = &self.file;
            let moved = file.seek(SeekFrom::Start(offset)).map(drop);
            let read = moved.and_then(|()| hasher.update_from(file.take(len)));
            match read.map_err(Error::read(&self.path))? == len {
                true => Ok(()),
                false => Err(Error::read(&self.path)(ErrorKind::UnexpectedEof.into())),
            }
        };
        match self.file_at(path).map(|entry| &entry.kind) {
            Some(Kind::File { offset, len }) => add(&mut hasher, *offset, *len)?,
            Some(Kind::Sparse { len, pieces }) => {
                for piece in pieces {
                    hasher.update_zeros(without(piece.at, hasher.count()));
                    add(&mut hasher, piece.offset, piece.len)?;
                }
                hasher.update_zeros(without(*len, hasher.count()));
            }
            _ => return Ok(None),
        }
        let len = hasher.count();
        Ok(Some((hasher.finish(), len)))
    }

    fn text(&self, path: &[u8]) -> Result<Option<String>, Error> {
        let bytes = self.content(path)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The copyright file of a package: packages may have a link in place of their folder or their file.
    fn copyright(&self, package: &str) -> Result<Option<String>, Error> {
        let mut names: Vec<Vec<u8>> = vec![b"copyright".to_vec(), package.as_bytes().to_vec()];
        let mut at: Vec<Vec<u8>> = ["usr", "share", "doc"]
            .map(|name| name.as_bytes().to_vec())
            .into();
        let mut links = 0..MAX_LINKS;
        while let Some(name) = names.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    at.pop();
                    continue;
                }
                _ => at.push(name),
            }
            let Some(Kind::Symlink { target }) =
                self.entries.get(&at.join(&b'/')).map(|entry| &entry.kind)
            else {
                continue;
            };
            if links.next().is_none() {
                return Ok(None);
            }
            at.pop();
            if target.starts_with(b"/") {
                at.clear();
            }
            names.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
        }
        self.text(&at.join(&b'/'))
    }
}

impl Base {
    /// Reads the archive at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let archive = Archive::open(path)?;
        let owners = debian::listed(&archive.file).map_err(|source| Error::Debian {
            path: path.to_owned(),
            source,
        })?;
        let mut packages: BTreeMap<String, Installed> = BTreeMap::new();
        for package in status(&archive)?.packages() {
            let Package {
                name, architecture, ..
            } = package;
            if let Some(other) = packages.get(name) {
                return Err(Error::Bad {
                    path: path.to_owned(),
                    reason: format!(
                        "got the package {name} of the architectures {} and {architecture}, want one of a name",
                        other.package.architecture
                    ),
                });
            }
            let copyright = archive.copyright(name)?;
            let licence = copyright.map(|text| licences::of_copyright(&text));
            let installed = Installed {
                package: package.clone(),
                // A package may be without a copyright file: then nobody says its licence.
                licence: licence.unwrap_or_default(),
            };
            packages.insert(name.clone(), installed);
        }
        let distro = archive.text(RELEASE)?.and_then(|text| distro(&text));
        Ok(Self {
            archive,
            packages,
            owners,
            distro,
        })
    }

    /// The package that has `path`, the first if several list it.
    pub(crate) fn owner(&self, path: &[u8]) -> Option<&Installed> {
        let mut names = self.owners.get(path)?.iter();
        names.find_map(|name| self.packages.get(name))
    }
}

/// The packages of the archive; none if dpkg left nothing in it.
fn status(archive: &Archive) -> Result<Status, Error> {
    let Some(bytes) = archive.content(STATUS.as_bytes())? else {
        return Ok(Status::default());
    };
    Status::read(&bytes).map_err(|source| Error::Status {
        path: archive.path.clone(),
        source,
    })
}

/// `ID-VERSION_ID` of os-release.
fn distro(release: &str) -> Option<String> {
    let value = |key: &str| {
        let mut lines = release.lines();
        let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.map(|value| value.trim_matches('"').to_owned())
    };
    Some(format!("{}-{}", value("ID")?, value("VERSION_ID")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nVERSION_ID=\"13\"\nID=debian\n";
        assert_eq!(distro(text).as_deref(), Some("debian-13"));
        assert_eq!(distro("ID=debian\n"), None);
    }
}
