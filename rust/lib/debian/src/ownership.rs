//! Which package each file of an image belongs to, as dpkg recorded it, and a digest of each package's files.
//!
//! A file belongs to a package if that package alone lists it in `/var/lib/dpkg/info/*.list`. Folders that several share,
//! and what maintainer scripts made, belong to none. The digest covers path, kind, mode, owner, extended attributes and
//! content, but no times.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::{self, Read, Seek, SeekFrom};

use archive::{Entry, Kind};
use base::{as_u64, Hasher, Sha256Digest};
use dpkg::{List, Status, STATUS};

use crate::error::Error;
use crate::links::{follow, MAX_LINKS};

/// A package and its files' digest; `-` stands for no package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 over its files.
    pub sha256: Sha256Digest,
}

impl std::fmt::Display for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.name, self.version, self.sha256)
    }
}

/// Digests of all installed packages in the tree `tar`, sorted by name, and of what belongs to none (first).
pub fn ownership(mut tar: impl Read + Seek) -> Result<Vec<Owned>, Error> {
    let entries = archive::index(&mut tar)?;
    let by_path: BTreeMap<&[u8], &Entry> = entries.iter().map(|e| (e.path.as_slice(), e)).collect();
    let status = status(&mut tar, &by_path)?;
    let versions = status.versions();
    let owners = owners(&mut tar, &status, &entries, &by_path)?;
    let mut hashes: BTreeMap<String, Hasher> = BTreeMap::new();
    hashes.insert("-".to_owned(), Hasher::new());
    for name in versions.keys() {
        hashes.insert(name.clone(), Hasher::new());
    }
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    for entry in sorted {
        let owner = owners
            .get(&entry.path)
            .filter(|o| o.len() == 1)
            .and_then(|o| o.first());
        let owner = owner.map_or("-", String::as_str);
        if let Some(hash) = hashes.get_mut(owner) {
            add(hash, entry, &mut tar)?;
        }
    }
    Ok(hashes
        .into_iter()
        .map(|(name, hash)| Owned {
            version: (*versions.get(&name).unwrap_or(&"-")).to_owned(),
            name,
            sha256: hash.finish(),
        })
        .collect())
}

/// The packages that list each path of the tree `tar`, by the path without a slash in front and with links among its folders followed.
pub fn listed(mut tar: impl Read + Seek) -> Result<BTreeMap<Vec<u8>, BTreeSet<String>>, Error> {
    let entries = archive::index(&mut tar)?;
    let by_path = entries.iter().map(|e| (e.path.as_slice(), e)).collect();
    let status = status(&mut tar, &by_path)?;
    owners(&mut tar, &status, &entries, &by_path)
}

/// The packages that list each path.
fn owners(
    tar: &mut (impl Read + Seek),
    status: &Status,
    entries: &[Entry],
    by_path: &BTreeMap<&[u8], &Entry>,
) -> Result<BTreeMap<Vec<u8>, BTreeSet<String>>, Error> {
    let mut owners: BTreeMap<Vec<u8>, BTreeSet<String>> = BTreeMap::new();
    for entry in entries {
        let package = List::at(&entry.path).and_then(|list| status.position(&list));
        // Nothing else is in the tree of a package that was removed and left its list.
        let Some(package) = package.and_then(|position| status.packages().get(position)) else {
            continue;
        };
        let label = status.label(package);
        let paths = bytes(tar, entry)?;
        let paths = paths.split(|byte| *byte == b'\n');
        for path in paths.filter(|path| !path.is_empty()) {
            let path = resolve(path, by_path);
            owners.entry(path).or_default().insert(label.clone());
        }
    }
    Ok(owners)
}

/// The packages of dpkg's status file; none if there is no such file.
fn status(
    tar: &mut (impl Read + Seek),
    by_path: &BTreeMap<&[u8], &Entry>,
) -> Result<Status, Error> {
    match by_path.get(STATUS.as_bytes()) {
        Some(entry) => Ok(Status::read(&bytes(tar, entry)?)?),
        None => Ok(Status::default()),
    }
}

/// A file's content.
fn bytes(tar: &mut (impl Read + Seek), entry: &Entry) -> Result<Vec<u8>, Error> {
    let Kind::File { offset, len } = entry.kind else {
        let path = entry.path.escape_ascii();
        return Err(Error::Index(format!("{path} is not a plain file")));
    };
    let mut bytes = Vec::new();
    let failed = || Error::io("read the image's package lists");
    tar.seek(SeekFrom::Start(offset)).map_err(failed())?;
    let mut content = tar.by_ref().take(len);
    content.read_to_end(&mut bytes).map_err(failed())?;
    Ok(bytes)
}

/// The path with links among its folders followed: packages may list `/lib/x` where `/lib` is a link to `usr/lib`.
fn resolve(path: &[u8], by_path: &BTreeMap<&[u8], &Entry>) -> Vec<u8> {
    let mut links = 0..MAX_LINKS;
    let Ok(place) = follow(path, |place, last| {
        let entry = by_path.get(place).filter(|_| !last);
        Ok::<_, Infallible>(match entry.map(|entry| &entry.kind) {
            Some(Kind::Symlink { target }) if links.next().is_some() => Some(target),
            _ => None,
        })
    });
    place
}

fn add(hash: &mut Hasher, entry: &Entry, tar: &mut (impl Read + Seek)) -> Result<(), Error> {
    let mut field = |bytes: &[u8]| {
        hash.update(&as_u64(bytes.len()).to_le_bytes());
        hash.update(bytes);
    };
    field(&entry.path);
    field(format!("{:o} {} {}", entry.mode, entry.uid, entry.gid).as_bytes());
    for (key, value) in &entry.xattrs {
        field(key);
        field(value);
    }
    match &entry.kind {
        Kind::Dir => field(b"dir"),
        Kind::Symlink { target } => field(&[b"symlink ", target.as_slice()].concat()),
        Kind::HardLink { target } => field(&[b"hardlink ", target.as_slice()].concat()),
        Kind::Char { major, minor } => field(format!("char {major} {minor}").as_bytes()),
        Kind::Block { major, minor } => field(format!("block {major} {minor}").as_bytes()),
        Kind::Fifo => field(b"fifo"),
        Kind::File { offset, len } => {
            field(format!("file {len}").as_bytes());
            content(hash, tar, *offset, *len)?;
        }
        Kind::Sparse { len, pieces } => {
            field(format!("sparse {len}").as_bytes());
            for piece in pieces {
                hash.update(&piece.at.to_le_bytes());
                hash.update(&piece.len.to_le_bytes());
                content(hash, tar, piece.offset, piece.len)?;
            }
        }
    }
    Ok(())
}

fn content(
    hash: &mut Hasher,
    tar: &mut (impl Read + Seek),
    offset: u64,
    len: u64,
) -> Result<(), Error> {
    let failed = || Error::io("read the image's files");
    tar.seek(SeekFrom::Start(offset)).map_err(failed())?;
    let got = hash.update_from(tar.by_ref().take(len)).map_err(failed())?;
    if got == len {
        return Ok(());
    }
    Err(failed()(io::ErrorKind::UnexpectedEof.into()))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const FILES: [(&str, &str); 6] = [
        ("usr/bin/a", "program a"),
        ("usr/bin/b", "program b"),
        ("usr/both", "shared"),
        (
            "var/lib/dpkg/info/a.list",
            "/.\n/usr/bin\n/bin/a\n/usr/both\n",
        ),
        (
            "var/lib/dpkg/info/b:amd64.list",
            "/usr/bin/b\n/usr/both\n/gone\n",
        ),
        (
            "var/lib/dpkg/status",
            "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n\
             Package: b\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n\n",
        ),
    ];

    fn tar(files: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = archive::Writer::new(Vec::new());
        let link = Kind::Symlink {
            target: b"usr/bin".to_vec(),
        };
        writer
            .append(&Entry::new("bin", link, 0o777), std::io::empty())
            .unwrap();
        for (path, content) in files {
            let len = content.len().try_into().unwrap();
            let entry = Entry::new(*path, Kind::File { offset: 0, len }, 0o644);
            writer.append(&entry, content.as_bytes()).unwrap();
        }
        writer.finish().unwrap()
    }

    fn digests(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = ownership(Cursor::new(tar(files))).unwrap();
        owned
            .into_iter()
            .map(|o| (format!("{} {}", o.name, o.version), o.sha256.to_string()))
            .collect()
    }

    #[test]
    fn a_change_shows_in_its_package_alone() {
        let before = digests(&FILES);
        let names: Vec<_> = before.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["- -", "a 1", "b 2"]);
        // (changed file, index of the digest that moves)
        for (file, moved) in [(0, 1), (1, 2), (2, 0)] {
            let mut files = FILES;
            files[file].1 = "PROGRAM X";
            let after = digests(&files);
            for i in 0..3 {
                assert_eq!(after[i].1 != before[i].1, i == moved, "{file} {i}");
            }
        }
    }

    #[test]
    fn who_lists_a_path() {
        let listed = listed(Cursor::new(tar(&FILES))).unwrap();
        let of = |path: &str| -> Vec<&str> {
            let names = listed.get(path.as_bytes()).into_iter().flatten();
            names.map(String::as_str).collect()
        };
        assert_eq!(of("usr/bin/a"), ["a"]);
        assert_eq!(of("usr/both"), ["a", "b"]);
        assert_eq!(of("bin/a"), [""; 0]);
        assert_eq!(of("var/lib/dpkg/status"), [""; 0]);
    }

    #[test]
    fn link_loops_end() {
        let by_path = BTreeMap::new();
        assert_eq!(resolve(b"a/../../b//./c", &by_path), b"b/c");
        let entry = Entry::new(
            "l",
            Kind::Symlink {
                target: b"l/l".to_vec(),
            },
            0o777,
        );
        let by_path = BTreeMap::from([(&b"l"[..], &entry)]);
        assert!(!resolve(b"l/x", &by_path).is_empty());
    }
}
