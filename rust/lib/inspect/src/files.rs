//! Files of an image by their place: `A_root:/etc/os-release` on a disk, `/etc/os-release` in a bare file system.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::FileExt;

use crate::body::Body;
use crate::bounds::Source;
use crate::content;
use crate::digest;
use crate::dump::{find, no_table, refuse_wrapped, slots};
use crate::error::{Error, Fault};
use crate::formats;
use crate::gpt;
use crate::image::{Image, Window};
use crate::model::{Entry, File, Gpt, Kind, Node, Partition};
use crate::names::Name;
use crate::span::Span;

/// As many links are followed on the way to a file, as Linux does.
const MAX_LINKS: usize = 40;

/// A place in an image, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Name or number of the partition.
    pub partition: Option<String>,
    /// Path in its file system; one without a leading `/` counts from the root, too.
    pub path: Vec<u8>,
}

impl Place {
    /// `PARTITION:PATH`, or `PATH`, which then begins with `/` or has no colon. In a partition's name `\:` is a colon and `\/` a slash.
    pub fn parse(text: &[u8]) -> Self {
        let mut name = Vec::new();
        let mut rest = text;
        let path = loop {
            rest = match rest {
                [b':', path @ ..] => break Some(path),
                [] | [b'/', ..] => break None,
                [b'\\', byte @ (b':' | b'/'), after @ ..] => {
                    name.push(*byte);
                    after
                }
                // As dumps show it: `\\` is no beginning of another escape.
                [b'\\', b'\\', after @ ..] => {
                    name.extend(b"\\\\");
                    after
                }
                [byte, after @ ..] => {
                    name.push(*byte);
                    after
                }
            };
        };
        match path {
            Some(path) => Self {
                partition: Some(String::from_utf8_lossy(&name).into_owned()),
                path: path.to_vec(),
            },
            None => Self {
                partition: None,
                path: text.to_vec(),
            },
        }
    }
}

/// The partitions of a disk, each with what it holds; `None`: the image is no disk.
pub fn partitions(image: &dyn Image) -> Result<Option<(Gpt, Vec<Kind>)>, Error> {
    let source = Source::new(image);
    let window = Window::all(&source);
    let Some(table) = gpt::read(window)? else {
        return Ok(None);
    };
    let mut kinds = Vec::new();
    for partition in &table.gpt.partitions {
        kinds.push(content::kind(window.part(partition.place))?);
    }
    Ok(Some((table.gpt, kinds)))
}

/// The partition table of a disk, and nothing of what the partitions hold; `None`: the image is no disk.
pub fn table(image: &dyn Image) -> Result<Option<Gpt>, Error> {
    let source = Source::new(image);
    let table = gpt::read(Window::all(&source))?;
    Ok(table.map(|table| table.gpt))
}

/// The partition called `name` (a name or a number) of a disk, without what it holds.
pub fn partition(image: &dyn Image, name: &str) -> Result<Partition, Error> {
    let source = Source::new(image);
    let window = Window::all(&source);
    let found = match gpt::read(window)? {
        Some(table) => find(&table.gpt, name).cloned(),
        None => Err(no_table(window, name)),
    };
    found
}

/// The files of a file system. Contents are read when they are asked for.
pub struct Files<'a> {
    image: &'a dyn Image,
    /// Where the file system is.
    place: Span,
    entries: Vec<Entry>,
    by_path: BTreeMap<Name, usize>,
    case: bool,
    problems: Vec<String>,
    unread: Vec<String>,
}

impl<'a> Files<'a> {
    /// The files of the file system that `place` is in.
    pub fn open(image: &'a dyn Image, place: &Place) -> Result<Self, Error> {
        let source = Source::new(image);
        let window = Window::all(&source);
        let (window, what) = match (gpt::read(window)?, &place.partition) {
            (Some(table), Some(name)) => {
                let partition = find(&table.gpt, name)?;
                let what = format!("partition {}", partition.slot);
                (window.part(partition.place), what)
            }
            (Some(table), None) => {
                return Err(Error::WhichPartition {
                    place: Name(place.path.clone()).word(),
                    have: slots(&table.gpt.partitions),
                })
            }
            (None, Some(name)) => return Err(no_table(window, name)),
            (None, None) => {
                refuse_wrapped(window)?;
                (window, "the image".to_owned())
            }
        };
        let kind = content::kind(window)?;
        let listing = match content::list(window)? {
            Ok(listing) => listing,
            Err(kind) => {
                let holds = match formats::find(window)? {
                    Some(format) => format!("{}: {}", format.what, format.advice),
                    None => kind.as_str().to_owned(),
                };
                return Err(Error::NoFiles { what, holds });
            }
        };
        let numbered = listing.entries.iter().enumerate();
        Ok(Self {
            image,
            place: window.place(),
            by_path: numbered.map(|(n, entry)| (entry.path.clone(), n)).collect(),
            entries: listing.entries,
            case: kind != Kind::Fat,
            problems: listing.problems,
            unread: listing.unread,
        })
    }

    /// Where the file system is.
    pub(crate) fn place(&self) -> Span {
        self.place
    }

    /// Damage that was found: files may be missing.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// What may be right, and is not read here: files may be missing.
    pub fn unread(&self) -> &[String] {
        &self.unread
    }

    /// The file at `path`. Links on the way are followed inside of the image, the last name only if `follow` says so. Names may be
    /// written as dumps show them; on FAT, case does not count.
    pub fn find(&self, path: &[u8], follow: bool) -> Result<&Entry, Error> {
        match (self.resolve(path, follow), Name::parse(path)) {
            (Err(Error::NotFound { .. }), Some(plain)) if plain != path => {
                self.resolve(&plain, follow)
            }
            (result, _) => result,
        }
    }

    fn resolve(&self, path: &[u8], follow: bool) -> Result<&Entry, Error> {
        let not_found = || Error::NotFound {
            path: Name(path.to_vec()).word(),
        };
        let split = |path: &[u8]| -> Vec<Vec<u8>> {
            let names = path.split(|byte| *byte == b'/').rev();
            names.map(<[u8]>::to_vec).collect()
        };
        let mut entry = self.at(&Name(b"/".to_vec())).ok_or_else(not_found)?;
        let mut rest = split(path);
        let mut links = MAX_LINKS;
        while let Some(name) = rest.pop() {
            let mut place = entry.path.0.clone();
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    let slash = place.iter().rposition(|byte| *byte == b'/');
                    // The root is above itself.
                    place.truncate(slash.map_or(1, |slash| slash.max(1)));
                }
                name => {
                    if place.last() != Some(&b'/') {
                        place.push(b'/');
                    }
                    place.extend_from_slice(name);
                }
            }
            let next = self.at(&Name(place)).ok_or_else(not_found)?;
            let last = rest.iter().all(Vec::is_empty);
            match &next.node {
                Node::Symlink { target } if follow || !last => {
                    links = links.checked_sub(1).ok_or_else(|| Error::Loop {
                        path: Name(path.to_vec()).word(),
                        max: MAX_LINKS,
                    })?;
                    rest.extend(split(&target.0));
                    if target.0.first() == Some(&b'/') {
                        entry = self.at(&Name(b"/".to_vec())).ok_or_else(not_found)?;
                    }
                }
                _ => entry = next,
            }
        }
        Ok(entry)
    }

    fn at(&self, path: &Name) -> Option<&Entry> {
        let exact = self.by_path.get(path);
        let folded = || {
            let same = |entry: &Entry| entry.path.0.eq_ignore_ascii_case(&path.0);
            self.entries.iter().position(same)
        };
        let index = match exact {
            None if !self.case => folded(),
            found => found.copied(),
        };
        self.entries.get(index?)
    }

    /// `top` and everything below it, by path.
    pub fn below<'b>(&'b self, top: &'b Entry) -> impl Iterator<Item = &'b Entry> {
        let inside = move |entry: &&Entry| inside(&top.path, &entry.path).is_some();
        self.entries.iter().filter(inside)
    }

    /// What is directly in the directory `top`.
    pub fn children<'b>(&'b self, top: &'b Entry) -> impl Iterator<Item = &'b Entry> {
        self.entries.iter().filter(move |entry| {
            let name = inside(&top.path, &entry.path);
            name.is_some_and(|name| !name.is_empty() && !name.contains(&b'/'))
        })
    }

    /// The entry with everything in it: that of the file's first name for a hard link.
    pub fn whole<'b>(&'b self, entry: &'b Entry) -> &'b Entry {
        match &entry.node {
            Node::Hardlink { target } => self.at(target).unwrap_or(entry),
            _ => entry,
        }
    }

    /// The content of a regular file as an image of its own.
    pub fn body(&self, entry: &Entry) -> Result<Body<'a>, Error> {
        Body::new(self.image, self.place, self.whole(entry))
    }

    /// Writes the content of a regular file to `out`.
    pub fn copy(&self, entry: &Entry, out: &mut dyn Write) -> Result<(), Error> {
        self.with(entry, |window, file| {
            digest::read(window, file, |bytes| Ok(out.write_all(bytes)?))
        })
    }

    /// Writes the content of a regular file to the new file `out`, and nothing where it is zero: what has holes in the image, or is
    /// stored with holes, has them there, too.
    pub(crate) fn copy_sparse(&self, entry: &Entry, out: &std::fs::File) -> Result<(), Error> {
        self.with(entry, |window, file| {
            digest::nonzero(window, file, |at, bytes| Ok(out.write_all_at(bytes, at)?))?;
            Ok(out.set_len(file.size).map_err(Error::from)?)
        })
    }

    /// `copy` for the content of a regular file.
    fn with(
        &self,
        entry: &Entry,
        copy: impl FnOnce(Window<'_>, &File) -> Result<(), Fault>,
    ) -> Result<(), Error> {
        let entry = self.whole(entry);
        let path = || entry.path.word();
        let Node::File(file) = &entry.node else {
            let (path, kind) = (path(), entry.node.as_str());
            return Err(Error::NotAFile { path, kind });
        };
        let damaged = |reason: String| Error::Damaged {
            path: path(),
            reason,
        };
        if let Some(reason) = entry.lost() {
            return Err(damaged(reason.to_owned()));
        }
        let source = Source::unbounded(self.image);
        match copy(Window::all(&source).part(self.place), file) {
            Ok(()) => Ok(()),
            Err(Fault::Failed(error)) => Err(error),
            Err(Fault::Damage(reason)) => Err(damaged(reason)),
        }
    }
}

/// `path` without `top`, if it lies there: without the slash between them, empty if it is `top`.
pub(crate) fn inside<'a>(top: &Name, path: &'a Name) -> Option<&'a [u8]> {
    match path.0.strip_prefix(top.0.as_slice())? {
        [b'/', rest @ ..] => Some(rest),
        rest if rest.is_empty() || top.0 == b"/" => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (text, partition, path) in [
            ("/a:b", None, "/a:b"),
            ("a/b:c", None, "a/b:c"),
            ("A_root:/etc", Some("A_root"), "/etc"),
            ("3:etc:x", Some("3"), "etc:x"),
            ("esp:", Some("esp"), ""),
            ("a\\:b:/c:d", Some("a:b"), "/c:d"),
            ("a\\/b\\::", Some("a/b:"), ""),
            ("a\\\\:/b", Some("a\\\\"), "/b"),
            ("a\\x20b:c\\:d", Some("a\\x20b"), "c\\:d"),
            ("a\\:b", None, "a\\:b"),
            ("", None, ""),
        ] {
            let place = Place::parse(text.as_bytes());
            assert_eq!(place.partition.as_deref(), partition, "{text}");
            assert_eq!(place.path, path.as_bytes(), "{text}");
        }
    }
}
