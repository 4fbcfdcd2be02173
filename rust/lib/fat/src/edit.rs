//! Changing files of a FAT32 volume that is there, so that a cut at any instant leaves the old files or the new ones.
//!
//! [`Volume::open`] reads what is there, [`Volume::put`] and [`Volume::remove`] say what is to be, [`Volume::finish`] makes an [`Edit`]: what
//! to write, in three steps. Nothing is written here. All else on the volume stays: other files, their times, the label.
//!
//! # Why it holds at any instant
//!
//! Whoever writes an [`Edit`] writes the steps in order and flushes the disk after each. Within a step sectors may reach the disk in any
//! order, or some of them only; a sector of 512 bytes is written whole or not at all, which disks promise.
//!
//! | step      | what it writes                                                                    | a cut within or behind it leaves |
//! |-----------|-----------------------------------------------------------------------------------|----------------------------------|
//! | `prepare` | clusters that nothing refers to: new files, every folder on the way to them, a new root directory; their chains, in all copies of the table | the old files |
//! | `commit`  | one sector, the boot sector, with the number of the new root directory's cluster  | the old files, or the new ones   |
//! | `tidy`    | the old chains are freed, in all copies of the table; the copy of the boot sector, FSInfo | the new files            |
//!
//! 1. Before `commit` a reader begins at the old root. Nothing it can reach is written to: new clusters are such as no chain that begins at
//!    a directory record has (not merely such as the table calls free), and no entry of a reachable cluster changes its value.
//! 2. `commit` is one sector: there is no state between.
//! 3. Behind it a reader begins at the new root. All it can reach was flushed before. `tidy` changes entries of clusters that it can't reach,
//!    and sectors that say nothing about files.
//!
//! What a cut leaves besides is clusters in use that no file has, copies of the table that differ, and an outdated FSInfo or copy of the boot
//! sector. Readers don't look at these, `fsck.fat` names them, and the next edit, even one that changes no file, mends them: everything that
//! no file has is free for it.
//!
//! A volume on which that would not hold is refused: FAT12 and FAT16 have their root directory in one place, and a damaged volume (crossed
//! chains, say) has clusters of which nobody knows whose they are.

mod error;
mod folder;
mod head;
mod rebuild;
mod table;

use base::{as_u64, as_usize};
use plan::ReadAt;

use crate::names;
use crate::records::{Facts, ARCHIVE, DIRECTORY};
use crate::short;
use crate::time::Moment;
pub use error::EditError;
use folder::{Body, Entry, Folder, Node, Reading};
use head::Head;
use table::Table;

/// Bytes to be written at an offset from the start of the volume; whole sectors of 512 bytes.
pub type Write = (u64, Vec<u8>);

/// What to write, in three steps. After each the disk has to be flushed, before the next begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Where nobody looks yet.
    pub prepare: Vec<Write>,
    /// At most one sector: from here on the new files are there.
    pub commit: Vec<Write>,
    /// Where nobody looks any more.
    pub tidy: Vec<Write>,
}

impl Edit {
    /// The steps in order.
    pub fn steps(&self) -> [&[Write]; 3] {
        [&self.prepare, &self.commit, &self.tidy]
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.steps().iter().all(|step| step.is_empty())
    }
}

/// A FAT32 volume in some image, and what its files are to be.
pub struct Volume<'a> {
    place: Place<'a>,
    head: Head,
    table: Table,
    root: Folder,
}

/// Where a volume is.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    image: &'a dyn ReadAt,
    start: u64,
    len: u64,
}

impl Place<'_> {
    /// Fills `buffer` from `at` of the volume on.
    fn read(&self, buffer: &mut [u8], at: u64) -> Result<(), EditError> {
        let end = at.checked_add(as_u64(buffer.len()));
        let inside = end.is_some_and(|end| end <= self.len);
        let from = self.start.checked_add(at).filter(|_| inside);
        let from = from.ok_or_else(|| {
            let len = self.len;
            EditError::damaged(format!("byte {at} lies beyond its {len} bytes"))
        })?;
        let read = self.image.read_exact_at(buffer, from);
        read.map_err(|source| EditError::Io { at: from, source })
    }

    fn sector(&self, number: u32) -> Result<[u8; 512], EditError> {
        let mut sector = [0; 512];
        self.read(&mut sector, crate::geometry::offset(number))?;
        Ok(sector)
    }
}

impl<'a> Volume<'a> {
    /// Reads the volume of `len` bytes at `start` of `image`: its tables and folders, not its files.
    pub fn open(image: &'a dyn ReadAt, start: u64, len: u64) -> Result<Self, EditError> {
        let place = Place { image, start, len };
        let head = Head::read(&place)?;
        let mut table = Table::read(&place, &head)?;
        let mut reading = Reading {
            place: &place,
            head: &head,
            table: &mut table,
        };
        let root = reading.root()?;
        Ok(Self {
            place,
            head,
            table,
            root,
        })
    }

    /// Paths and lengths of all files as they are to be, in byte order.
    pub fn files(&self) -> Vec<(String, u64)> {
        let mut files = Vec::new();
        let mut folders = vec![(String::new(), &self.root)];
        while let Some((above, folder)) = folders.pop() {
            for entry in &folder.entries {
                let path = format!("{above}{}", entry.name);
                match &entry.node {
                    Node::Label => {}
                    Node::File(body) => files.push((path, body.len(&entry.short))),
                    Node::Folder(folder) => folders.push((path + "/", folder)),
                }
            }
        }
        files.sort();
        files
    }

    /// The content of the file at `path`, as it is to be; nothing if there is none. Case does not count.
    pub fn get(&self, path: &str) -> Result<Option<Vec<u8>>, EditError> {
        let (above, name) = names::split(path);
        let mut folder = &self.root;
        for part in above.split('/').filter(|part| !part.is_empty()) {
            match folder.find(part).map(|entry| &entry.node) {
                Some(Node::Folder(below)) => folder = below,
                _ => return Ok(None),
            }
        }
        match folder.find(name) {
            Some(entry) => self.content(entry),
            None => Ok(None),
        }
    }

    fn content(&self, entry: &Entry) -> Result<Option<Vec<u8>>, EditError> {
        let Node::File(body) = &entry.node else {
            return Ok(None);
        };
        let clusters = match body {
            Body::New(bytes) => return Ok(Some(bytes.clone())),
            Body::Kept(clusters) => clusters,
        };
        let mut bytes = self.head.clusters_of(&self.place, clusters)?;
        bytes.truncate(as_usize(u64::from(entry.short.len.get())));
        Ok(Some(bytes))
    }

    /// Makes `bytes` the content of the file at `path`, and makes the folders that it is in; whether that changes anything. What is there
    /// keeps its name, as it is written there, and its time; what is new has the time of the volume's label.
    pub fn put(&mut self, path: &str, bytes: &[u8]) -> Result<bool, EditError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(EditError::name(path, "FAT has no files of 4 GiB or more"));
        }
        if self.get(path)?.is_some_and(|have| have == bytes) {
            return Ok(false);
        }
        let time = self.root.label_time();
        let (above, name) = names::split(path);
        let mut folder = &mut self.root;
        folder.changed = true;
        for part in above.split('/').filter(|part| !part.is_empty()) {
            let new = || Node::Folder(Folder::default());
            let entry = folder.enter(path, part, DIRECTORY, time, new)?;
            let Node::Folder(below) = &mut entry.node else {
                return Err(EditError::name(path, "a file is where a folder is wanted"));
            };
            folder = below;
            folder.changed = true;
        }
        let new = || Node::File(Body::New(Vec::new()));
        let entry = folder.enter(path, name, ARCHIVE, time, new)?;
        let Node::File(body) = &mut entry.node else {
            return Err(EditError::name(path, "a folder is where a file is wanted"));
        };
        *body = Body::New(bytes.to_vec());
        entry.short.attributes |= ARCHIVE;
        Ok(true)
    }

    /// Removes the file at `path`; whether there was one. The folder that it was in stays.
    pub fn remove(&mut self, path: &str) -> bool {
        let (above, name) = names::split(path);
        let parts: Vec<&str> = above.split('/').filter(|part| !part.is_empty()).collect();
        remove_below(&mut self.root, &parts, name)
    }

    /// What to write so that the volume has these files.
    pub fn finish(self) -> Result<Edit, EditError> {
        rebuild::edit(self)
    }
}

fn remove_below(folder: &mut Folder, parts: &[&str], name: &str) -> bool {
    let found = match parts {
        [] => {
            let before = folder.entries.len();
            let is = |entry: &Entry| matches!(entry.node, Node::File(_)) && entry.is_called(name);
            folder.entries.retain(|entry| !is(entry));
            folder.entries.len() != before
        }
        [first, rest @ ..] => {
            let mut entries = folder.entries.iter_mut();
            match entries.find(|entry| entry.is_called(first)) {
                Some(Entry {
                    node: Node::Folder(below),
                    ..
                }) => remove_below(below, rest, name),
                _ => false,
            }
        }
    };
    folder.changed |= found;
    found
}

impl Folder {
    /// The entry called `name`, which is made if there is none.
    fn enter(
        &mut self,
        path: &str,
        name: &str,
        attributes: u8,
        time: Moment,
        node: impl FnOnce() -> Node,
    ) -> Result<&mut Entry, EditError> {
        let found = self.entries.iter().position(|entry| entry.is_called(name));
        let at = match found {
            Some(at) => at,
            None => self.make(path, name, attributes, time, node())?,
        };
        // It was found, or pushed.
        let entry = self.entries.get_mut(at);
        entry.ok_or_else(|| EditError::name(path, "its folder has no room"))
    }

    /// Makes an entry; its position.
    fn make(
        &mut self,
        path: &str,
        name: &str,
        attributes: u8,
        time: Moment,
        node: Node,
    ) -> Result<usize, EditError> {
        let fault = names::fault(name).or(name.is_empty().then_some("its name is empty"));
        if let Some(reason) = fault {
            return Err(EditError::name(path, reason));
        }
        if let Some(entry) = self.entries.iter().find(|entry| entry.has_alias(name)) {
            let other = &entry.name;
            let reason = format!("'{name}' is the short name of '{other}' there");
            return Err(EditError::name(path, reason));
        }
        let taken = self.entries.iter().map(|entry| entry.short.name);
        let names = short::beside(name, taken.collect())
            .ok_or_else(|| EditError::name(path, "its folder has too many names like it"))?;
        let facts = Facts {
            attributes,
            cluster: 0,
            len: 0,
            time,
        };
        let at = self.entries.len();
        self.entries.push(Entry::new(name, &names, facts, node));
        Ok(at)
    }
}
