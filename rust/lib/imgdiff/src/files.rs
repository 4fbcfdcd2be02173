//! Files of file systems and members of archives, in one form.

use std::collections::BTreeMap;

use inspect::{Body, Entry, Files, Image, Name, Node, Place};

use crate::error::Error;
use crate::model::Values;
use crate::view::{Cursor, Stretch};

/// A file of any type.
pub(crate) struct Item {
    /// All that is known of it but its content.
    pub(crate) values: Values,
    /// What its content is known by, if it is a regular file: the same of another one is the same content.
    pub(crate) digest: Option<String>,
    /// Why that is not known of a regular file.
    pub(crate) unknown: Option<String>,
    /// Where an archive has it; `None`: elsewhere, or in pieces.
    place: Option<(u64, u64)>,
}

/// Files by path.
pub(crate) type Items = BTreeMap<Name, Item>;

/// Where contents are read from.
pub(crate) enum Contents<'a> {
    /// A file system, or what went wrong with it.
    Files(Box<Files<'a>>),
    /// An archive.
    Archive(&'a dyn Image),
}

impl<'a> Contents<'a> {
    /// Those of the file system in `image`, or in a partition of it.
    pub(crate) fn open(image: &'a dyn Image, partition: Option<&str>) -> Result<Self, Error> {
        let place = Place {
            partition: partition.map(str::to_owned),
            path: b"/".to_vec(),
        };
        Ok(Self::Files(Box::new(Files::open(image, &place)?)))
    }

    /// The content of `item`, which is at `path`; `None`: it is no regular file, or cannot be had.
    pub(crate) fn of(&self, path: &Name, item: &Item) -> Option<Content<'a>> {
        match self {
            Self::Files(files) => {
                let entry = files.find(&path.0, false).ok()?;
                Some(Content::Body(Box::new(files.body(entry).ok()?)))
            }
            Self::Archive(image) => {
                let (offset, len) = item.place?;
                Some(Content::Stretch(Stretch::new(*image, offset, len)))
            }
        }
    }
}

/// A content, as an image.
pub(crate) enum Content<'a> {
    Body(Box<Body<'a>>),
    Stretch(Stretch<'a>),
}

impl Content<'_> {
    pub(crate) fn image(&self) -> &dyn Image {
        match self {
            Self::Body(body) => &**body,
            Self::Stretch(stretch) => stretch,
        }
    }
}

/// Collects values by name.
#[derive(Default)]
struct Collected(Values);

impl Collected {
    fn add(&mut self, name: &str, value: impl ToString) -> &mut Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    fn add_some(&mut self, name: &str, value: Option<impl ToString>) -> &mut Self {
        if let Some(value) = value {
            self.add(name, value);
        }
        self
    }
}

/// The files of a file system that was read.
pub(crate) fn of_entries(entries: &[Entry]) -> Items {
    let items = entries
        .iter()
        .map(|entry| (entry.path.clone(), of_entry(entry)));
    items.collect()
}

fn of_entry(entry: &Entry) -> Item {
    let mut values = Collected::default();
    values.add("type", entry.node.as_str());
    if let Some(attributes) = &entry.attributes {
        let mode = attributes.mode.map(|mode| format!("{mode:04o}"));
        let owner = attributes.uid.zip(attributes.gid);
        let owner = owner.map(|(uid, gid)| format!("{uid}:{gid}"));
        values.add_some("mode", mode).add_some("owner", owner);
        values.add("mtime", attributes.mtime);
        values.add_some("flags", attributes.flags.as_ref());
        for (name, value) in &attributes.xattrs {
            values.add(&name.word(), value);
        }
    }
    let (mut digest, mut unknown) = (None, None);
    match &entry.node {
        Node::File(file) => {
            values.add("size", file.size);
            digest = file.digest.as_ref().map(|digest| format!("{digest:?}"));
            if digest.is_none() {
                let why = entry.damage.clone().or_else(|| entry.unread.clone());
                unknown = Some(why.unwrap_or_else(|| "it has no digest".to_owned()));
            }
            for (name, value) in file.grubenv.iter().flatten() {
                values.add(&format!("grubenv {}", name.word()), value.word());
            }
        }
        Node::Symlink { target } | Node::Hardlink { target } => {
            values.add("target", target.word());
        }
        Node::Char { rdev } | Node::Block { rdev } => {
            values.add("device", format!("{}:{}", rdev.0, rdev.1));
        }
        Node::Dir | Node::Fifo | Node::Socket => {}
    }
    values.add_some("damaged", entry.damage.as_ref());
    values.add_some("not-read", entry.unread.as_ref());
    Item {
        values: values.0,
        digest,
        unknown,
        place: None,
    }
}

/// The members of an archive.
pub(crate) fn of_archive(image: &dyn Image) -> Result<Items, Error> {
    let mut items = Items::new();
    for entry in archive::index(Cursor::new(image))? {
        let mut path = vec![b'/'];
        path.extend(&entry.path);
        let path = Name(path);
        items.insert(path, of_member(image, &entry)?);
    }
    Ok(items)
}

/// Where the holes are, and what is between them by the bytes of the archive.
fn of_pieces(image: &dyn Image, pieces: &[archive::Piece]) -> std::io::Result<base::Sha256Digest> {
    let mut hasher = base::Hasher::new();
    for piece in pieces {
        hasher.update(&piece.at.to_le_bytes());
        let content = Stretch::new(image, piece.offset, piece.len);
        hasher.update_from(Cursor::new(&content))?;
    }
    Ok(hasher.finish())
}

fn of_member(image: &dyn Image, entry: &archive::Entry) -> Result<Item, Error> {
    use archive::Kind;
    let mut values = Collected::default();
    let (mut digest, mut unknown, mut place) = (None, None, None);
    let target = |target: &[u8]| Name(target.to_vec()).word();
    match &entry.kind {
        Kind::File { offset, len } => {
            values.add("type", "file").add("size", len);
            place = Some((*offset, *len));
            let content = Stretch::new(image, *offset, *len);
            let hash = base::Sha256Digest::of_reader(Cursor::new(&content));
            match hash {
                Ok(hash) => digest = Some(hash.to_string()),
                Err(error) => unknown = Some(error.to_string()),
            }
        }
        Kind::Sparse { len, pieces } => {
            values.add("type", "file").add("size", len);
            match of_pieces(image, pieces) {
                Ok(hash) => digest = Some(format!("sparse {hash}")),
                Err(error) => unknown = Some(error.to_string()),
            }
        }
        Kind::Dir => {
            values.add("type", "dir");
        }
        Kind::Symlink { target: to } => {
            values.add("type", "symlink").add("target", target(to));
        }
        Kind::HardLink { target: to } => {
            values.add("type", "hardlink").add("target", target(to));
        }
        Kind::Char { major, minor } => {
            values
                .add("type", "char")
                .add("device", format!("{major}:{minor}"));
        }
        Kind::Block { major, minor } => {
            values
                .add("type", "block")
                .add("device", format!("{major}:{minor}"));
        }
        Kind::Fifo => {
            values.add("type", "fifo");
        }
    }
    values.add("mode", format!("{:04o}", entry.mode));
    values.add("owner", format!("{}:{}", entry.uid, entry.gid));
    values.add("mtime", format!("{}.{:09}", entry.mtime, entry.mtime_nanos));
    for (name, value) in &entry.xattrs {
        values.add(&Name(name.clone()).word(), base::base64::encode(value));
    }
    let values = values.0;
    Ok(Item {
        values,
        digest,
        unknown,
        place,
    })
}
