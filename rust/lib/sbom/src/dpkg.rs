//! A base image's archive: which Debian packages are in it, which files they have, and what their copyright files say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use archive::{Entry, Kind};
use base::as_usize;

use crate::deb822::{field, paragraphs, Paragraph};
use crate::error::Error;
use crate::licences::{self, Licence};
use crate::owners::Members;

const STATUS: &[u8] = b"var/lib/dpkg/status";
const RELEASE: &[u8] = b"usr/lib/os-release";
/// Links followed on the way to a copyright file.
const MAX_LINKS: usize = 8;

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) architecture: String,
    pub(crate) source: String,
    pub(crate) source_version: String,
    /// Names and versions of other sources that it has parts of, as a signed kernel has the kernel.
    pub(crate) built_using: Vec<(String, String)>,
    pub(crate) maintainer: Option<String>,
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
        let mut packages = BTreeMap::new();
        let status = archive.text(STATUS)?.unwrap_or_default();
        for paragraph in paragraphs(&status) {
            let Some(one) = installed(&archive, path, &paragraph)? else {
                continue;
            };
            let (name, architecture) = (one.name.clone(), one.architecture.clone());
            if let Some(other) = packages.insert(name.clone(), one) {
                return Err(Error::Bad {
                    path: path.to_owned(),
                    reason: format!(
                        "got the package {name} of the architectures {} and {architecture}, want one of a name",
                        other.architecture
                    ),
                });
            }
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

/// The package of a paragraph of dpkg's status; nothing for one that is not there, or of which only the configuration is. One that is
/// unpacked, or half so, has its files.
fn installed(
    archive: &Archive,
    path: &Path,
    paragraph: &Paragraph,
) -> Result<Option<Installed>, Error> {
    let of = |name: &str| field(paragraph, name).map(str::to_owned);
    let status = of("status").unwrap_or_default();
    if let Some("not-installed" | "config-files") = status.split_whitespace().last() {
        return Ok(None);
    }
    let must = |name: &str| {
        of(name).ok_or_else(|| Error::Bad {
            path: path.to_owned(),
            reason: format!(
                "dpkg's status of the package {} has no {name}",
                of("package").unwrap_or_default()
            ),
        })
    };
    let (name, version, architecture) = (must("package")?, must("version")?, must("architecture")?);
    let (source, source_version) = source(of("source").as_deref(), &name, &version);
    let copyright = archive.copyright(&name)?;
    let using = ["built-using", "static-built-using"];
    let using = using.iter().filter_map(|name| field(paragraph, name));
    Ok(Some(Installed {
        licence: copyright
            .map(|text| licences::of_copyright(&text))
            .unwrap_or_default(),
        built_using: using.flat_map(built_using).collect(),
        maintainer: of("maintainer"),
        name,
        version,
        architecture,
        source,
        source_version,
    }))
}

/// Name and version of the source: `Source: NAME (VERSION)`, where what is left out is as the package's own.
fn source(field: Option<&str>, name: &str, version: &str) -> (String, String) {
    let field = field.unwrap_or(name);
    match field.split_once('(') {
        Some((source, own)) => (
            source.trim().to_owned(),
            own.trim_end_matches(')').trim().to_owned(),
        ),
        None => (field.trim().to_owned(), version.to_owned()),
    }
}

/// The sources of `NAME (= VERSION), …`.
fn built_using(field: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let parts = field.split(',').map(str::trim);
    parts.filter_map(|part| {
        let (name, version) = part.split_once('(')?;
        let version = version.trim_start_matches('=').trim_end_matches(')');
        Some((name.trim().to_owned(), version.trim().to_owned()))
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
    fn sources_of_packages() {
        let of = |field, name, version| {
            let (name, version) = source(field, name, version);
            format!("{name} {version}")
        };
        assert_eq!(of(None, "bash", "5.2-1+b3"), "bash 5.2-1+b3");
        assert_eq!(of(Some("glibc"), "libc6", "2.41-12"), "glibc 2.41-12");
        assert_eq!(of(Some("bash (5.2-1)"), "bash", "5.2-1+b3"), "bash 5.2-1");
    }

    #[test]
    fn other_sources() {
        let of = |field| built_using(field).collect::<Vec<_>>();
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(of("linux (= 6.12.1-1)"), [pair("linux", "6.12.1-1")]);
        assert_eq!(
            of("a (= 1:2-3),\n b (=4), "),
            [pair("a", "1:2-3"), pair("b", "4")]
        );
        assert_eq!(of(""), []);
    }

    #[test]
    fn distributions() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nVERSION_ID=\"13\"\nID=debian\n";
        assert_eq!(distro(text).as_deref(), Some("debian-13"));
        assert_eq!(distro("ID=debian\n"), None);
    }
}
