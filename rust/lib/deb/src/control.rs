//! The files of `control.tar`.

use std::collections::BTreeMap;
use std::io::Read;

use archive::{Kind, Stream};
use base::as_u64;

use crate::error::{Error, Part};

/// Bytes of all its files.
pub(crate) const MAX_BYTES: u64 = 16 << 20;
/// How many files there may be.
pub(crate) const MAX_FILES: usize = 4096;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFile {
    /// Permission bits (`0o7777`).
    pub mode: u32,
    /// When it was changed, in seconds since 1970.
    pub mtime: i64,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What dpkg is to know of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    files: BTreeMap<String, ControlFile>,
}

impl Control {
    /// Reads the archive.
    pub(crate) fn read(tar: impl Read) -> Result<Self, Error> {
        let refused = |source| Error::Archive {
            part: Part::Control,
            source,
        };
        let mut files = BTreeMap::new();
        let mut left = MAX_BYTES;
        let mut members = Stream::new(tar);
        while let Some(entry) = members.next_entry().map_err(refused)? {
            let path = entry.path.escape_ascii().to_string();
            let len = match entry.kind {
                Kind::File { len, .. } if !entry.path.contains(&b'/') => len,
                Kind::Dir if entry.path.is_empty() => continue,
                other => {
                    let got = what(&other);
                    return Err(Error::NotFile { path, got });
                }
            };
            left = left.checked_sub(len).ok_or(Error::Large)?;
            let mut bytes = Vec::new();
            members
                .by_ref()
                .take(len)
                .read_to_end(&mut bytes)
                .map_err(|source| Error::Unpack {
                    part: Part::Control,
                    source,
                })?;
            if as_u64(bytes.len()) != len {
                return Err(refused(archive::Error::Truncated {
                    at: members.position(),
                    what: "a member's data",
                }));
            }
            let file = ControlFile {
                mode: entry.mode,
                mtime: entry.mtime,
                bytes,
            };
            if files.insert(path.clone(), file).is_some() {
                return Err(Error::Twice(path));
            }
            if files.len() > MAX_FILES {
                return Err(Error::Large);
            }
        }
        if !files.contains_key("control") {
            return Err(Error::NoControl);
        }
        Ok(Self { files })
    }

    /// A file, if the package has it.
    pub fn get(&self, name: &str) -> Option<&ControlFile> {
        self.files.get(name)
    }

    /// All of them, by name; what is not ASCII in a name is escaped.
    pub fn files(&self) -> impl Iterator<Item = (&str, &ControlFile)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file))
    }

    /// The package's description of itself: the fields of the file `control`, as they stand there.
    pub fn description(&self) -> &[u8] {
        // Reading makes sure that there is one.
        self.get("control").map_or(b"", |file| &file.bytes)
    }
}

fn what(kind: &Kind) -> &'static str {
    match kind {
        Kind::File { .. } => "a file in a folder",
        Kind::Sparse { .. } => "a file with holes",
        Kind::Dir => "a folder",
        Kind::Symlink { .. } | Kind::HardLink { .. } => "a link",
        Kind::Char { .. } | Kind::Block { .. } => "a device",
        Kind::Fifo => "a pipe",
    }
}
